//! From what was asked to how it is found.
//!
//! PostgreSQL is not left to choose: each plan has one lead, in a form that an index serves, and all other conditions in a form
//! that no index serves. So a prepared statement stays as good as it was when its values were others.

use crate::compare::Span;
use crate::condition::{Code, ConceptLead, Condition, Text, sorted};
use crate::error::Error;
use crate::query::{Asked, Query};
use crate::reader::Reader;
use crate::registry::{self, Place};
use crate::wall::{self, Arm};
use access::Grant;
use schema::resource::Table;

/// What a grant lets a query find.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) table: &'static Table,
    pub(crate) lead: Lead,
    /// All but the condition that leads.
    pub(crate) rest: Vec<Condition>,
    /// Whether the type has a leading date.
    pub(crate) is_dated: bool,
    pub(crate) reader: Reader,
}

/// What the matches are looked up by.
#[derive(Clone, Debug)]
pub(crate) enum Lead {
    /// All rows, in the order of their version keys or of their dates.
    Walk,
    /// The leading date, which the conditions bound.
    Dates,
    Patient(i64),
    /// One code, in the order of the date.
    Code(Code),
    /// One code, in the order of the quantity in base units, whose bounds these are.
    Measured {
        code: Code,
        scale: i64,
        spans: Vec<Span>,
    },
    /// One actor, in the order of the date.
    Actor(i64),
    /// Texts with one beginning, in their order.
    Text {
        parameter: i64,
        text: Text,
    },
    /// All of these tokens.
    Tokens(Vec<i64>),
    /// What an index finds, in no order.
    Found(Condition),
}

/// In which order matches come; the version key decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Version {
        descending: bool,
    },
    /// Of the leading date; those without one come last.
    Date {
        descending: bool,
    },
    /// Of the leading quantity.
    Quantity,
    /// Of the text that leads; the resource's key decides between equals.
    Text,
}

pub fn plan(query: &Query, grant: &Grant) -> Result<Plan, Error> {
    let table = schema::resource::find(query.resource).ok_or(Error::UnknownType)?;
    let conditions = query.clauses.iter().map(|clause| Condition::new(&clause.asked, grant));
    Ok(Plan::new(table, conditions.collect::<Result<_, _>>()?, grant, Arm::Target))
}

impl Plan {
    pub(crate) fn of(table: &'static Table, asked: &Asked, grant: &Grant) -> Result<Plan, Error> {
        Ok(Plan::new(table, vec![Condition::new(asked, grant)?], grant, Arm::Through))
    }

    fn new(table: &'static Table, conditions: Vec<Condition>, grant: &Grant, arm: Arm) -> Plan {
        let mut flat = Vec::new();
        let walls = wall::conditions(grant, table, arm);
        conditions.into_iter().chain(walls).for_each(|condition| flatten(condition, &mut flat));
        let kind = registry::kind(table.resource);
        let is_dated = kind.is_some_and(|kind| kind.at(Place::Date).is_some());
        let (lead, rest) = lead(flat, is_dated);
        Plan { table, lead, rest, is_dated, reader: Reader::of(grant) }
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// What leads, in a word.
    pub fn lead(&self) -> &'static str {
        match &self.lead {
            Lead::Walk => "walk",
            Lead::Dates => "date",
            Lead::Patient(_) => "patient",
            Lead::Code(_) => "code",
            Lead::Measured { .. } => "code and quantity",
            Lead::Actor(_) => "actor and date",
            Lead::Tokens(_) => "token",
            Lead::Text { .. } => "text",
            Lead::Found(condition) => match condition {
                Condition::Ids(_) => "id",
                Condition::Keys { .. } | Condition::Actors(_) => "keys",
                Condition::Codes(_) => "codes",
                Condition::Strings { .. } => "text",
                Condition::Concepts { .. } | Condition::ConceptWord { .. } => "text of a code",
                Condition::Ranges { .. } => "range",
                Condition::Near { .. } => "position",
                Condition::Refers { .. } => "chain",
                Condition::Referred { .. } => "_has",
                Condition::All(_)
                | Condition::Any(_)
                | Condition::Not(_)
                | Condition::Versions(_)
                | Condition::Date(_)
                | Condition::Quantity { .. }
                | Condition::Missing(_)
                | Condition::Unlabelled(_)
                | Condition::Wall(_) => "choice",
            },
        }
    }

    /// The order in which the lead finds matches, for a search that asks for none.
    pub fn natural(&self) -> Order {
        match &self.lead {
            Lead::Walk | Lead::Patient(_) | Lead::Tokens(_) | Lead::Found(_) => {
                Order::Version { descending: false }
            }
            Lead::Dates | Lead::Actor(_) => Order::Date { descending: false },
            Lead::Code(_) if self.is_dated => Order::Date { descending: true },
            Lead::Code(_) => Order::Version { descending: false },
            Lead::Measured { .. } => Order::Quantity,
            Lead::Text { .. } => Order::Text,
        }
    }

    /// Whether matches may lack what an order goes by.
    pub fn may_lack(&self, order: Order) -> bool {
        match order {
            Order::Version { .. } | Order::Quantity | Order::Text => false,
            Order::Date { .. } => {
                !self.rest.iter().any(|condition| matches!(condition, Condition::Date(_)))
            }
        }
    }

    /// Whether a few index entries say which rows to read.
    pub(crate) fn is_selective(&self) -> bool {
        match &self.lead {
            Lead::Patient(_) | Lead::Tokens(_) | Lead::Text { .. } => true,
            Lead::Found(condition) => condition.rank() < Rank::Broad,
            Lead::Walk | Lead::Dates | Lead::Code(_) | Lead::Measured { .. } | Lead::Actor(_) => {
                false
            }
        }
    }

    /// Whether it may look at all rows and find next to nothing: no index leads, and what is asked is only seen row by row.
    pub fn is_unbounded(&self) -> bool {
        let is_bound = |condition: &Condition| {
            matches!(condition, Condition::Versions(_) | Condition::Date(_))
        };
        !self.has_lead() && !self.rest.iter().all(is_bound)
    }

    /// What else could be asked for, so that an index leads.
    pub fn advice(&self) -> String {
        let kind = registry::kind(self.table.resource);
        let places = [Place::Patient, Place::Code, Place::Actor, Place::Date];
        let mut codes: Vec<&str> = vec!["_id"];
        for parameter in kind.into_iter().flat_map(|kind| &kind.parameters) {
            if places.contains(&parameter.place) || parameter.code == "identifier" {
                codes.push(parameter.code);
            }
        }
        let resource = self.table.resource;
        format!("add one of these, which lead a search of {resource}: {}", codes.join(", "))
    }

    /// Whether an index leads to less than all rows.
    pub(crate) fn has_lead(&self) -> bool {
        match &self.lead {
            Lead::Walk | Lead::Dates => false,
            Lead::Found(condition) => condition.rank() < Rank::Scan,
            Lead::Patient(_)
            | Lead::Tokens(_)
            | Lead::Text { .. }
            | Lead::Code(_)
            | Lead::Measured { .. }
            | Lead::Actor(_) => true,
        }
    }
}

fn flatten(condition: Condition, into: &mut Vec<Condition>) {
    match condition {
        Condition::All(all) => all.into_iter().for_each(|condition| flatten(condition, into)),
        other => into.push(other),
    }
}

/// How well a condition leads; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Id,
    Patient,
    Token,
    Actor,
    /// By how many keys there are to look up.
    Keys(usize),
    /// Resources that others lead to.
    Joined,
    Text,
    Code,
    /// Entries between two bounds.
    Bounded,
    /// Many rows, or unknown how many.
    Broad,
    /// Every entry of a parameter has to be looked at.
    Scan,
    NotIndexed,
}

impl Condition {
    pub(crate) fn rank(&self) -> Rank {
        match self {
            Condition::Ids(_) => Rank::Id,
            Condition::Keys { patients, tokens, filters } => {
                match (patients.len(), tokens.len(), filters.len()) {
                    (1, 0, 0) => Rank::Patient,
                    (0, 1, 0) => Rank::Token,
                    (0, 0, 0) => Rank::Id,
                    (_, _, 1..) => Rank::NotIndexed,
                    (patients, tokens, 0) => Rank::Keys(patients.saturating_add(tokens)),
                }
            }
            Condition::Actors(keys) => match keys.len() {
                1 => Rank::Actor,
                more => Rank::Keys(more),
            },
            Condition::Codes(_) => Rank::Code,
            Condition::Strings { texts, .. } if texts.iter().all(Text::is_led) => Rank::Text,
            Condition::Strings { .. } => Rank::Scan,
            Condition::Concepts { lead: ConceptLead::None, .. } => Rank::NotIndexed,
            Condition::ConceptWord { is_indexed, .. } => match is_indexed {
                true => Rank::Joined,
                false => Rank::NotIndexed,
            },
            Condition::Concepts { texts, .. } if texts.iter().all(Text::is_led) => Rank::Code,
            Condition::Concepts { .. } => Rank::Scan,
            Condition::Ranges { spans, .. } => match bounds(spans) {
                (i64::MIN, i64::MAX) => Rank::Scan,
                (i64::MIN, _) | (_, i64::MAX) => Rank::Broad,
                _ => Rank::Bounded,
            },
            Condition::Near { .. } => Rank::Bounded,
            Condition::Date(spans) => match bounds(spans) {
                (i64::MIN, i64::MAX) => Rank::NotIndexed,
                (i64::MIN, _) | (_, i64::MAX) => Rank::Broad,
                _ => Rank::Bounded,
            },
            Condition::Refers { plan, .. } if plan.is_selective() => Rank::Joined,
            Condition::Referred { plan, .. } if plan.is_selective() => Rank::Joined,
            Condition::Referred { plan, .. } if plan.has_lead() => Rank::Broad,
            Condition::Refers { .. } | Condition::Referred { .. } => Rank::NotIndexed,
            // Each branch has to be led to.
            Condition::Any(any) => {
                let worst = any.iter().map(Condition::rank).max().unwrap_or(Rank::Id);
                match worst {
                    Rank::NotIndexed => Rank::NotIndexed,
                    rank if any
                        .iter()
                        .any(|one| matches!(one, Condition::Date(_) | Condition::All(_))) =>
                    {
                        rank.max(Rank::NotIndexed)
                    }
                    rank => rank.max(Rank::Joined),
                }
            }
            Condition::All(_)
            | Condition::Not(_)
            | Condition::Versions(_)
            | Condition::Quantity { .. }
            | Condition::Missing(_)
            | Condition::Unlabelled(_)
            | Condition::Wall(_) => Rank::NotIndexed,
        }
    }
}

impl Text {
    /// Whether an index finds it by its beginning.
    fn is_led(&self) -> bool {
        !self.low.is_empty()
    }
}

/// Where a value that is not wide begins.
pub(crate) fn bounds(spans: &[Span]) -> (i64, i64) {
    let from = spans.iter().map(|span| span.begin().0).min().unwrap_or(i64::MIN);
    let to = spans.iter().map(|span| span.begin().1).max().unwrap_or(i64::MAX);
    (from, to)
}

fn lead(mut conditions: Vec<Condition>, is_dated: bool) -> (Lead, Vec<Condition>) {
    let best = conditions.iter().map(Condition::rank).enumerate().min_by_key(|(_, rank)| *rank);
    let Some((place, rank)) = best.filter(|(_, rank)| *rank < Rank::NotIndexed) else {
        return (Lead::Walk, conditions);
    };
    if rank == Rank::Token {
        let mut keys = Vec::new();
        conditions.retain(|condition| match condition {
            Condition::Keys { tokens, .. } if condition.rank() == Rank::Token => {
                keys.extend(tokens);
                false
            }
            _ => true,
        });
        return (Lead::Tokens(sorted(keys)), conditions);
    }
    if matches!(conditions.get(place), Some(Condition::Date(_))) {
        // Its bounds are taken from all conditions about the date.
        return (Lead::Dates, conditions);
    }
    let lead = match conditions.remove(place) {
        Condition::Keys { patients, tokens, filters } => match patients.as_slice() {
            [patient] if tokens.is_empty() => Lead::Patient(*patient),
            _ => Lead::Found(Condition::Keys { patients, tokens, filters }),
        },
        Condition::Actors(keys) => match keys.as_slice() {
            [key] if is_dated => Lead::Actor(*key),
            _ => Lead::Found(Condition::Actors(keys)),
        },
        Condition::Codes(codes) => match codes.as_slice() {
            [code] => measured(*code, &mut conditions).unwrap_or(Lead::Code(*code)),
            _ => Lead::Found(Condition::Codes(codes)),
        },
        Condition::Strings { parameter, mut texts } => match texts.pop() {
            Some(text) if texts.is_empty() && text.is_led() => Lead::Text { parameter, text },
            last => {
                texts.extend(last);
                Lead::Found(Condition::Strings { parameter, texts })
            }
        },
        other => Lead::Found(other),
    };
    (lead, conditions)
}

/// A code whose quantity is bounded, without a date that would narrow it more.
fn measured(code: Code, conditions: &mut Vec<Condition>) -> Option<Lead> {
    use crate::condition::Column;
    if conditions.iter().any(|condition| matches!(condition, Condition::Date(_))) {
        return None;
    }
    let place = conditions.iter().position(|condition| {
        matches!(condition, Condition::Quantity { column: Column::Quantity, .. })
    })?;
    match conditions.remove(place) {
        Condition::Quantity { scale, spans, .. } => Some(Lead::Measured { code, scale, spans }),
        other => {
            conditions.push(other);
            None
        }
    }
}
