//! Texts that stand with codes: written once, and remembered, so that a write says only what nobody said before.

use crate::write::stage::{Flat, Statement, column};
use search::extract::Concept;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Texts that are known to be in the database. They are never taken out of it.
#[derive(Debug, Default)]
pub(crate) struct Concepts {
    known: Mutex<HashSet<Name>>,
}

/// What tells one text apart from all others: its key and its lead.
type Name = (i64, i64);

/// Some 16 MB; after that it begins anew.
const KNOWN_MAX: usize = 500_000;

/// Texts that a transaction writes, to be remembered when it is durable.
#[derive(Debug, Default)]
pub(crate) struct Fresh(Vec<Name>);

impl Concepts {
    /// Writes those that are not known yet.
    pub(crate) fn statement<'a>(
        &self,
        concepts: impl Iterator<Item = &'a Concept>,
        fresh: &mut Fresh,
    ) -> Option<Statement> {
        let known = self.known();
        let mut unknown: Vec<&Concept> =
            concepts.filter(|concept| !known.contains(&name(concept))).collect();
        drop(known);
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return None;
        }
        fresh.0.extend(unknown.iter().copied().map(name));
        let statement = Statement::new(
            "INSERT INTO concept_text (parameter_key, value, lead_key, text_key, words) \
             SELECT u.parameter_key, u.value, u.lead_key, u.text_key, ($7::int8[])[u.words_low:u.words_high] \
             FROM unnest($1::int8[], $2::text[], $3::int8[], $4::int8[], $5::int4[], $6::int4[]) \
             AS u (parameter_key, value, lead_key, text_key, words_low, words_high) \
             WHERE NOT EXISTS (SELECT 1 FROM concept_text c WHERE c.parameter_key = u.parameter_key \
             AND c.value = u.value AND c.lead_key = u.lead_key AND c.text_key = u.text_key)",
        );
        let words: Vec<Vec<i64>> = unknown.iter().map(|concept| concept.words()).collect();
        let words = Flat::new(words.iter().map(Vec::as_slice));
        Some(
            statement
                .bind(column(&unknown, |concept| concept.parameter_key))
                .bind(column(&unknown, |concept| concept.value.clone()))
                .bind(column(&unknown, |concept| concept.lead_key))
                .bind(column(&unknown, |concept| concept.text_key))
                .bind(words.low)
                .bind(words.high)
                .bind(words.values),
        )
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Name>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the commit of the transaction that wrote them.
    pub(crate) fn learn(&self, fresh: Fresh) {
        if fresh.0.is_empty() {
            return;
        }
        let mut known = self.known();
        if known.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(fresh.0);
    }
}

fn name(concept: &Concept) -> Name {
    (concept.text_key, concept.lead_key)
}
