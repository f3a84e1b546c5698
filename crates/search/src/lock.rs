//! Locks for conditional interactions (http.html#ccreate): two with the same criteria must not both find nothing.

use crate::date::Range;
use crate::key::{hash, resource_key};
use crate::parameter::string::How;
use crate::parameter::token::Form;
use crate::query::{Asked, Clause, Query, Wanted};

/// The keys to lock, sorted.
///
/// Criteria that name things – identifiers, URLs, ids – have a key for each of them, whatever else they ask and however the
/// identifier is written, so that overlapping criteria wait for each other. Codes and references are shared by too many
/// resources to be locked alone: other criteria have one key of all that they ask.
pub fn keys(query: &Query) -> Vec<i64> {
    let mut keys: Vec<i64> =
        query.clauses.iter().flat_map(|clause| named(query.resource, clause)).collect();
    if keys.is_empty() {
        keys.push(all(query));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A key for each thing that a clause names.
fn named(resource: &str, clause: &Clause) -> Vec<i64> {
    let Asked::Value { parameter, wanted } = &clause.asked else { return Vec::new() };
    let is_identifier = parameter.program.walks().iter().any(|walk| walk.end.kind == "Identifier");
    let mut buffer = Vec::new();
    match wanted {
        Wanted::Tokens(wanted) if is_identifier => wanted
            .iter()
            .filter_map(Form::code)
            .map(|code| Form::Code(code).key(parameter.spelling, &mut buffer) ^ parameter.salt)
            .collect(),
        Wanted::Uris(wanted) if !parameter.is_dominant => {
            wanted.iter().map(|url| hash(url.as_bytes()) ^ parameter.salt).collect()
        }
        Wanted::Ids(ids) => ids.iter().map(|id| resource_key(resource, id)).collect(),
        Wanted::Tokens(_)
        | Wanted::Texts(_)
        | Wanted::Uris(_)
        | Wanted::UrisBelow(_)
        | Wanted::LastUpdated(_)
        | Wanted::References(_)
        | Wanted::Identifiers(_)
        | Wanted::Strings(_)
        | Wanted::Dates(_)
        | Wanted::Numbers(_)
        | Wanted::Quantities(_)
        | Wanted::Composites(_)
        | Wanted::Word { .. }
        | Wanted::Near(_) => Vec::new(),
    }
}

/// One key of everything asked, whatever the order of clauses and values.
fn all(query: &Query) -> i64 {
    let mut clauses: Vec<Vec<i64>> = query.clauses.iter().map(values).collect();
    clauses.sort_unstable();
    clauses.dedup();
    let mut bytes = Vec::from(query.resource);
    for clause in clauses {
        bytes.extend(clause.into_iter().flat_map(i64::to_le_bytes));
        bytes.push(b'&');
    }
    hash(&bytes)
}

/// The parameter, and what is wanted of it in order; of what is asked in other ways, its text.
fn values(clause: &Clause) -> Vec<i64> {
    let as_text = || {
        let (name, text) = clause.text.clone().unwrap_or_default();
        vec![hash(name.as_bytes()), hash(text.as_bytes())]
    };
    let Asked::Value { parameter, wanted } = &clause.asked else { return as_text() };
    let mut buffer = Vec::new();
    let mut values: Vec<i64> = match wanted {
        Wanted::Ids(wanted) | Wanted::Uris(wanted) => {
            wanted.iter().map(|text| hash(text.as_bytes())).collect()
        }
        Wanted::Strings(wanted) if wanted.iter().all(|wanted| wanted.how == How::Starts) => {
            wanted.iter().map(|wanted| hash(wanted.text.as_bytes())).collect()
        }
        Wanted::LastUpdated(ranges) => {
            ranges.iter().flat_map(|Range { low, high }| [*low, *high]).collect()
        }
        Wanted::Tokens(wanted) => {
            wanted.iter().map(|form| form.key(parameter.spelling, &mut buffer)).collect()
        }
        Wanted::References(wanted) => wanted.iter().flat_map(|wanted| wanted.keys()).collect(),
        Wanted::Strings(_)
        | Wanted::Texts(_)
        | Wanted::UrisBelow(_)
        | Wanted::Identifiers(_)
        | Wanted::Dates(_)
        | Wanted::Numbers(_)
        | Wanted::Quantities(_)
        | Wanted::Composites(_)
        | Wanted::Word { .. }
        | Wanted::Near(_) => return as_text(),
    };
    values.sort_unstable();
    values.dedup();
    values.insert(0, parameter.salt);
    values
}

#[cfg(test)]
mod tests {
    use super::keys;
    use crate::query::tests::parse;

    fn check(left: &str, right: &str, share: bool) {
        let left_keys = keys(&parse(left).unwrap());
        let right_keys = keys(&parse(right).unwrap());
        assert!(left_keys.is_sorted() && !left_keys.is_empty());
        let shared = left_keys.iter().any(|key| right_keys.contains(key));
        assert_eq!(shared, share, "{left} {right}");
    }

    #[test]
    fn criteria_about_one_identifier_wait_for_each_other() {
        check("Patient?identifier=a|1", "Patient?identifier=a|1", true);
        check("Patient?identifier=a|1", "Patient?identifier=1", true);
        check("Patient?identifier=a|1&active=true", "Patient?identifier=2,1", true);
        check("Patient?identifier=a|1", "Patient?identifier=a|2", false);
        check("Patient?identifier=a|1", "Practitioner?identifier=a|1", false);
        check("Patient?_id=1", "Patient?_id=2,1", true);
        check("ValueSet?url=a", "ValueSet?url=a&status=active", true);
    }

    #[test]
    fn criteria_about_an_id_wait_for_its_writer() {
        let key = crate::key::resource_key("Patient", "1");
        assert_eq!(keys(&parse("Patient?_id=1").unwrap()), [key]);
    }

    #[test]
    fn other_criteria_wait_for_the_same_ones() {
        check("Observation?code=a&subject=Patient/1", "Observation?subject=Patient/1&code=A", true);
        check("Observation?code=a,b", "Observation?code=b,a,b", true);
        check("Observation?code=a", "Observation?code=b", false);
        check("Observation?code=a&code=b", "Observation?code=a,b", false);
        check("Patient?name=Ann", "Patient?name=ANN", true);
        check("Patient?_lastUpdated=2026", "Patient?_lastUpdated=2025", false);
    }
}
