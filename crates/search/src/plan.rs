//! Which way a query is answered. Every shape has one sensible way, said by its text, so that PostgreSQL has nothing to guess.

use crate::error::Error;
use crate::parameter::{reference, uri};
use crate::query::{Clause, KeyRange, Query};
use crate::registry::Parameter;
use access::{Grant, Restriction};
use schema::resource::{Table, find};

/// What is asked of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub table: &'static Table,
    pub way: Way,
    /// What else has to hold.
    pub conditions: Vec<Condition>,
    /// The version key after which the page begins.
    pub after: Option<i64>,
}

/// How candidates are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By their ids.
    Ids(Vec<String>),
    /// Along the index of one patient.
    Patient(i64),
    /// By the indexes of patients and of selective keys, whichever finds it.
    Patients { keys: Vec<i64>, or_tokens: Vec<i64> },
    /// By the index of selective keys: all of the groups, any key of a group.
    Tokens(Vec<i64>),
    /// By the string entries of one parameter.
    Strings(StringRanges),
    /// Along the version keys.
    Walk,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Ids(Vec<String>),
    Versions(Vec<KeyRange>),
    /// One of these patients, or a key among the tokens.
    Patients {
        keys: Vec<i64>,
        or_tokens: Vec<i64>,
    },
    Tokens(Vec<i64>),
    Filters(Vec<i64>),
    /// A key among the tokens or among the filters.
    TokensOrFilters {
        tokens: Vec<i64>,
        filters: Vec<i64>,
    },
    Strings(StringRanges),
}

/// Values from the first until before the second, any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StringRanges {
    pub parameter_key: i64,
    pub ranges: Vec<(String, Option<String>)>,
}

/// Cannot be made without a grant, whose restriction becomes part of it.
pub fn plan(query: &Query, grant: &Grant) -> Result<Plan, Error> {
    match grant.restriction() {
        Restriction::Everything => {}
    }
    let table = find(query.resource)
        .ok_or_else(|| Error::NotSupported(format!("{} is not searched", query.resource)))?;
    let mut conditions: Vec<Condition> = query.clauses.iter().map(condition).collect();
    let way = match conditions
        .iter()
        .enumerate()
        .min_by_key(|(place, condition)| (condition.cost(), *place))
    {
        Some((place, best)) if best.cost() < Cost::Walk => {
            let best = conditions.remove(place);
            way(best, &mut conditions)
        }
        Some(_) | None => Way::Walk,
    };
    Ok(Plan { table, way, conditions, after: query.after })
}

/// From the most to the least selective.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    Ids,
    Tokens,
    Patient,
    Strings,
    Walk,
}

impl Condition {
    fn cost(&self) -> Cost {
        match self {
            Condition::Ids(_) => Cost::Ids,
            Condition::Tokens(_) => Cost::Tokens,
            Condition::Patients { .. } => Cost::Patient,
            Condition::Strings(_) => Cost::Strings,
            Condition::Versions(_) | Condition::Filters(_) | Condition::TokensOrFilters { .. } => {
                Cost::Walk
            }
        }
    }
}

fn way(best: Condition, rest: &mut Vec<Condition>) -> Way {
    match best {
        Condition::Ids(ids) => Way::Ids(ids),
        Condition::Tokens(keys) => Way::Tokens(keys),
        Condition::Strings(ranges) => Way::Strings(ranges),
        Condition::Patients { keys, or_tokens } => match (keys.as_slice(), or_tokens.is_empty()) {
            ([key], true) => Way::Patient(*key),
            (_, _) => Way::Patients { keys, or_tokens },
        },
        other @ (Condition::Versions(_)
        | Condition::Filters(_)
        | Condition::TokensOrFilters { .. }) => {
            rest.push(other);
            Way::Walk
        }
    }
}

fn condition(clause: &Clause) -> Condition {
    match clause {
        Clause::Id(ids) => Condition::Ids(ids.clone()),
        Clause::LastUpdated(ranges) => Condition::Versions(ranges.clone()),
        Clause::Token(parameter, wanted) => {
            use crate::parameter::token::Wanted;
            let (mut tokens, mut filters) = (Vec::new(), Vec::new());
            for wanted in wanted {
                let is_filter = parameter.is_dominant || matches!(wanted, Wanted::System(_));
                let keys = if is_filter { &mut filters } else { &mut tokens };
                keys.push(wanted.key(parameter.salt));
            }
            match (tokens.is_empty(), filters.is_empty()) {
                (_, true) => Condition::Tokens(tokens),
                (true, false) => Condition::Filters(filters),
                (false, false) => Condition::TokensOrFilters { tokens, filters },
            }
        }
        Clause::Reference(parameter, wanted) => references(parameter, wanted),
        Clause::Uri(parameter, wanted) => {
            let keys = wanted.iter().map(|wanted| uri::key(parameter.salt, wanted)).collect();
            if parameter.is_dominant { Condition::Filters(keys) } else { Condition::Tokens(keys) }
        }
        Clause::String(parameter, wanted) => Condition::Strings(StringRanges {
            parameter_key: parameter.salt,
            ranges: wanted
                .iter()
                .map(|prefix| (prefix.clone(), crate::parameter::string::after_prefix(prefix)))
                .collect(),
        }),
    }
}

fn references(parameter: &Parameter, wanted: &[reference::Wanted]) -> Condition {
    let (mut keys, mut or_tokens) = (Vec::new(), Vec::new());
    for target in wanted.iter().flat_map(|wanted| wanted.targets(parameter)) {
        match target.patient() {
            Some(id) if parameter.is_patient => keys.push(crate::key::resource_key("Patient", id)),
            Some(_) | None => or_tokens.push(target.key(parameter.salt)),
        }
    }
    if keys.is_empty() {
        Condition::Tokens(or_tokens)
    } else {
        Condition::Patients { keys, or_tokens }
    }
}
