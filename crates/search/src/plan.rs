//! From what was asked to how it is found.
//!
//! PostgreSQL is not left to choose: each plan has one condition that drives it, in a form that an index serves, and all others
//! in a form that no index serves. So a prepared statement stays as good as it was when its values were others.

use crate::date::Range;
use crate::error::Error;
use crate::key::{resource_key, version_key_at};
use crate::parameter::token::Wanted as Token;
use crate::parameter::{last_updated, reference, string, uri};
use crate::query::{Clause, Query, Wanted};
use crate::registry::Parameter;
use access::{Grant, Restriction};
use schema::resource::Table;

/// What a grant lets a query find.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) table: &'static Table,
    pub(crate) drive: Drive,
    /// All but the conditions that drive.
    pub(crate) rest: Vec<Condition>,
    /// When the version came to be, as version keys; none is at any time.
    pub(crate) versions: Option<Vec<Range>>,
    pub(crate) after: Option<i64>,
}

/// What the matches are looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// The version keys, in their order, of one patient or of all.
    Walk {
        patient: Option<i64>,
    },
    /// An index finds them, then they are put in order: all of these keys, or one of some.
    Tokens(Vec<i64>),
    Any(Condition),
}

/// A choice: one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Ids(Vec<String>),
    Keys { patients: Vec<i64>, tokens: Vec<i64>, filters: Vec<i64> },
    Strings { parameter: i64, prefixes: Vec<Prefix> },
}

/// Texts from `low`, before `high`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) low: String,
    pub(crate) high: Option<String>,
}

pub fn plan(query: &Query, grant: &Grant) -> Result<Plan, Error> {
    match grant.restriction() {
        Restriction::Everything => {}
    }
    let table = schema::resource::find(query.resource).ok_or(Error::UnknownType)?;
    let mut conditions = Vec::new();
    let mut versions: Option<Vec<Range>> = None;
    for clause in &query.clauses {
        match clause.condition() {
            Asked::Rows(condition) => conditions.push(condition),
            Asked::Versions(ranges) => {
                versions = Some(match versions {
                    Some(others) => last_updated::intersection(&others, &ranges),
                    None => ranges,
                });
            }
        }
    }
    let (drive, rest) = drive(conditions);
    Ok(Plan { table, drive, rest, versions, after: query.after })
}

enum Asked {
    Rows(Condition),
    Versions(Vec<Range>),
}

impl Clause {
    fn condition(&self) -> Asked {
        let parameter = self.parameter;
        Asked::Rows(match &self.wanted {
            Wanted::LastUpdated(ranges) => {
                return Asked::Versions(ranges.iter().map(version_keys).collect());
            }
            Wanted::Ids(ids) => Condition::Ids(sorted(ids.clone())),
            Wanted::Tokens(wanted) => tokens(parameter, wanted),
            Wanted::References(wanted) => references(parameter, wanted),
            Wanted::Uris(wanted) => {
                let keys = wanted.iter().map(|text| uri::key(text) ^ parameter.salt).collect();
                match parameter.is_dominant {
                    true => keys_of(Vec::new(), Vec::new(), keys),
                    false => keys_of(Vec::new(), keys, Vec::new()),
                }
            }
            Wanted::Strings(wanted) => {
                let prefixes = sorted(wanted.clone()).into_iter().map(|low| {
                    let high = string::upper_bound(&low);
                    Prefix { low, high }
                });
                Condition::Strings { parameter: parameter.salt, prefixes: prefixes.collect() }
            }
        })
    }
}

fn version_keys(range: &Range) -> Range {
    let key = |micros| if micros == i64::MAX { i64::MAX } else { version_key_at(micros) };
    Range { low: key(range.low), high: key(range.high) }
}

fn tokens(parameter: &Parameter, wanted: &[Token]) -> Condition {
    let mut buffer = Vec::new();
    let (mut tokens, mut filters) = (Vec::new(), Vec::new());
    for form in wanted {
        let key = form.key(parameter.spelling, &mut buffer) ^ parameter.salt;
        if parameter.is_dominant || form.is_system() {
            filters.push(key);
        } else {
            tokens.push(key);
        }
    }
    keys_of(Vec::new(), tokens, filters)
}

fn references(parameter: &Parameter, wanted: &[reference::Wanted]) -> Condition {
    let (mut patients, mut tokens) = (Vec::new(), Vec::new());
    for wanted in wanted {
        match wanted {
            reference::Wanted::Whole(_) => {
                tokens.extend(wanted.keys().into_iter().map(|key| key ^ parameter.salt));
            }
            reference::Wanted::Local { kinds, id } => {
                for kind in kinds {
                    let key = resource_key(kind, id);
                    if parameter.is_patient && *kind == "Patient" {
                        patients.push(key);
                    } else {
                        tokens.push(key ^ parameter.salt);
                    }
                }
            }
        }
    }
    keys_of(patients, tokens, Vec::new())
}

fn keys_of(patients: Vec<i64>, tokens: Vec<i64>, filters: Vec<i64>) -> Condition {
    let (patients, tokens, filters) = (sorted(patients), sorted(tokens), sorted(filters));
    Condition::Keys { patients, tokens, filters }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

/// How well a condition drives; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Id,
    OnePatient,
    OneToken,
    /// By how many keys there are to look up.
    Indexed(usize),
    Text,
    NotIndexed,
}

impl Condition {
    fn rank(&self) -> Rank {
        match self {
            Condition::Ids(_) => Rank::Id,
            Condition::Strings { .. } => Rank::Text,
            Condition::Keys { patients, tokens, filters } => {
                match (patients.len(), tokens.len(), filters.len()) {
                    (1, 0, 0) => Rank::OnePatient,
                    (0, 1, 0) => Rank::OneToken,
                    (0, 0, _) | (_, _, 1..) => Rank::NotIndexed,
                    (patients, tokens, 0) => Rank::Indexed(patients.saturating_add(tokens)),
                }
            }
        }
    }
}

fn drive(mut conditions: Vec<Condition>) -> (Drive, Vec<Condition>) {
    let best = conditions.iter().map(Condition::rank).enumerate().min_by_key(|(_, rank)| *rank);
    match best {
        None | Some((_, Rank::NotIndexed)) => (Drive::Walk { patient: None }, conditions),
        Some((_, Rank::OneToken)) => {
            let mut keys = Vec::new();
            conditions.retain(|condition| match condition {
                Condition::Keys { tokens, .. } if condition.rank() == Rank::OneToken => {
                    keys.extend(tokens);
                    false
                }
                Condition::Keys { .. } | Condition::Ids(_) | Condition::Strings { .. } => true,
            });
            (Drive::Tokens(sorted(keys)), conditions)
        }
        Some((place, Rank::Id | Rank::OnePatient | Rank::Indexed(_) | Rank::Text)) => {
            let drive = match conditions.remove(place) {
                Condition::Keys { patients, tokens, filters } => match patients.as_slice() {
                    [patient] if tokens.is_empty() => Drive::Walk { patient: Some(*patient) },
                    _ => Drive::Any(Condition::Keys { patients, tokens, filters }),
                },
                other => Drive::Any(other),
            };
            (drive, conditions)
        }
    }
}
