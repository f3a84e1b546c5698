//! Labels reach what belongs to what is labelled: functions of the database do it in the transaction of the write, so that it is
//! the same whichever was written first (docs/decisions/0018).

use super::stage::{Put, Reindexed, Staged, Statement, column};
use crate::row::Method;
use crate::write::stage::Previous;
use access::Labels;
use schema::resource::Table;
use search::extract::Entries;
use search::sharing::{label_lock, label_lock_salt, link_salt};
use std::collections::BTreeMap;

/// A row that is written, as far as labels are concerned.
pub(crate) struct Written<'a> {
    table: &'static Table,
    id: &'a str,
    shard: i32,
    key: i64,
    patient: i64,
    entries: &'a Entries,
    /// Whether others may refer to it already.
    is_known: bool,
}

impl<'a> Written<'a> {
    /// None of what is about no patient: it neither has labels that reach others nor is reached.
    pub(crate) fn of_put(put: &'a Put) -> Option<Written<'a>> {
        let is_fresh = put.method == Method::Post && matches!(put.previous, Previous::Nothing);
        Some(Written {
            table: put.table,
            id: &put.id,
            shard: put.shard,
            key: put.key,
            patient: put.patient()?,
            entries: &put.entries,
            is_known: !is_fresh,
        })
    }

    pub(crate) fn of_reindexed(
        table: &'static Table,
        resource: &'a Reindexed,
    ) -> Option<Written<'a>> {
        Some(Written {
            table,
            id: &resource.id,
            shard: resource.shard,
            key: resource.key,
            patient: resource.entries.patient.as_ref()?.key,
            entries: &resource.entries,
            is_known: true,
        })
    }

    /// The labels that reach others.
    fn own(&self) -> i64 {
        self.entries.labels & Labels::REACHING.bits()
    }

    fn is_of_interest(&self) -> bool {
        self.own() != 0 || !self.entries.links.is_empty()
    }
}

/// Before any row is written: patients whose record is written to are held with others, those whose labels may rise alone. What
/// refers to nothing and is new concerns nobody.
pub(super) fn hold(staged: &Staged) -> Option<Statement> {
    let mut held: BTreeMap<i64, bool> = BTreeMap::new();
    let mut add = |patient: i64, is_alone: bool| {
        *held.entry(label_lock(patient)).or_default() |= is_alone;
    };
    for put in &staged.puts {
        if let Previous::Version { entries, .. } = &put.previous
            && let Some(patient) = &entries.patient
        {
            add(patient.key, false);
        }
        let Some(written) = Written::of_put(put) else { continue };
        if written.is_of_interest() || written.is_known {
            add(written.patient, written.own() != 0);
        }
    }
    staged.deletions.iter().filter_map(|gone| gone.patient).for_each(|key| add(key, false));
    holding(held)
}

/// The same of rows that are loaded or indexed anew.
pub(crate) fn hold_all(written: &[Written<'_>]) -> Option<Statement> {
    let mut held: BTreeMap<i64, bool> = BTreeMap::new();
    for one in written {
        *held.entry(label_lock(one.patient)).or_default() |= one.own() != 0;
    }
    holding(held)
}

fn holding(held: BTreeMap<i64, bool>) -> Option<Statement> {
    if held.is_empty() {
        return None;
    }
    let (keys, alone): (Vec<i64>, Vec<bool>) = held.into_iter().unzip();
    Some(Statement::new("SELECT hold_labels($1, $2)").bind(keys).bind(alone))
}

/// After the rows were written; nothing where no label can reach anything.
pub(crate) fn spread<'a>(written: impl Iterator<Item = Written<'a>>) -> Option<Statement> {
    let written: Vec<Written<'a>> = written.filter(Written::is_of_interest).collect();
    if written.is_empty() {
        return None;
    }
    let (mut places, mut links) = (Vec::new(), Vec::new());
    for (one, place) in written.iter().zip(1_i32..) {
        places.extend(one.entries.links.iter().map(|_| place));
        links.extend_from_slice(&one.entries.links);
    }
    let text = "SELECT spread_labels($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let statement = Statement::new(text)
        .bind(column(&written, |one| one.table.name.trim_matches('"')))
        .bind(column(&written, |one| one.id.to_owned()))
        .bind(column(&written, |one| one.shard))
        .bind(column(&written, |one| one.key))
        .bind(column(&written, |one| one.patient))
        .bind(column(&written, Written::own))
        .bind(column(&written, |one| one.is_known))
        .bind(places)
        .bind(links)
        .bind(link_salt())
        .bind(label_lock_salt());
    Some(statement)
}
