//! Locks for conditional interactions: two that could find each other's resource share a key.

use crate::key::value_key;
use crate::parameter::uri;
use crate::query::{Clause, Query};

/// The advisory locks to hold while deciding on these criteria: of each selective value they name, else of the whole text.
pub fn keys(query: &Query) -> Vec<i64> {
    let mut keys = Vec::new();
    for clause in &query.clauses {
        match clause {
            Clause::Token(parameter, wanted) if !parameter.is_dominant => {
                keys.extend(wanted.iter().map(|wanted| wanted.key(parameter.salt)));
            }
            Clause::Reference(parameter, wanted) => {
                let targets = wanted.iter().flat_map(|wanted| wanted.targets(parameter));
                keys.extend(targets.map(|target| target.key(parameter.salt)));
            }
            Clause::Uri(parameter, wanted) if !parameter.is_dominant => {
                keys.extend(wanted.iter().map(|wanted| uri::key(parameter.salt, wanted)));
            }
            Clause::Id(ids) => {
                keys.extend(ids.iter().map(|id| crate::key::resource_key(query.resource, id)))
            }
            Clause::Token(..) | Clause::Uri(..) | Clause::String(..) | Clause::LastUpdated(_) => {}
        }
    }
    if keys.is_empty() {
        keys.push(value_key(0, &["criteria", query.resource, &query.canonical()]));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}
