//! Who was recorded: each agent is stored once, and its records have the key.

use crate::write::stage::{Statement, column};
use access::Agent;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// Agents that this process knows to be stored; beyond this it forgets them and stores them again, which changes nothing.
const KNOWN_MAX: usize = 100_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Agents {
    known: Arc<RwLock<HashSet<i64>>>,
}

impl Agents {
    /// Stores those that are not known to be; they are learnt when the statement is committed.
    pub(crate) fn statement<'a>(
        &self,
        agents: impl Iterator<Item = &'a Arc<Agent>>,
    ) -> Option<(Statement, Vec<i64>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut fresh: BTreeMap<i64, &Arc<Agent>> = BTreeMap::new();
        for agent in agents {
            let key = agent.key();
            if !known.contains(&key) {
                fresh.insert(key, agent);
            }
        }
        if fresh.is_empty() {
            return None;
        }
        let keys: Vec<i64> = fresh.keys().copied().collect();
        let agents: Vec<&Arc<Agent>> = fresh.into_values().collect();
        // An array of arrays has to be rectangular: roles travel as one text, whose words they are.
        let statement = Statement::new(
            "INSERT INTO audit_agent (key, issuer, subject, client, name, roles) \
             SELECT key, issuer, subject, client, name, string_to_array(roles, ' ') \
             FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) \
             AS given (key, issuer, subject, client, name, roles) ORDER BY key ON CONFLICT (key) DO NOTHING",
        )
        .bind(keys.clone())
        .bind(column(&agents, |agent| agent.issuer.clone()))
        .bind(column(&agents, |agent| agent.subject.clone()))
        .bind(column(&agents, |agent| agent.client.clone()))
        .bind(column(&agents, |agent| agent.name.clone()))
        .bind(column(&agents, |agent| agent.roles.join(" ")));
        Some((statement, keys))
    }

    pub(crate) fn learn(&self, keys: Vec<i64>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() + keys.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(keys);
    }
}
