//! What is asked of a row, in terms of the columns and the entry tables.

use crate::compare::Span;
use crate::date::Range;
use crate::error::Error;
use crate::extract::{Entries, identifier_salt, present_key, scaled, text_salt, wide};
use crate::key::{resource_key, version_key_at};
use crate::parameter::composite::{self, Last};
use crate::parameter::quantity::{self, Scale};
use crate::parameter::string::{self, How};
use crate::parameter::token::{Form, Wanted as Token};
use crate::parameter::{near, reference, uri};
use crate::plan::Plan;
use crate::query::{Asked, Wanted};
use crate::registry::{Parameter, Place};
use crate::wall::Wall;
use access::Grant;
use schema::resource::Table;

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Ids(Vec<String>),
    /// When the version came to be, as version keys.
    Versions(Vec<Range>),
    /// One of these keys.
    Keys {
        patients: Vec<i64>,
        tokens: Vec<i64>,
        filters: Vec<i64>,
    },
    /// One of these codes of the leading parameter.
    Codes(Vec<Code>),
    /// One of these actors.
    Actors(Vec<i64>),
    /// The leading date.
    Date(Vec<Span>),
    /// The leading quantity.
    Quantity {
        column: Column,
        scale: i64,
        spans: Vec<Span>,
    },
    Strings {
        parameter: i64,
        texts: Vec<Text>,
    },
    /// A code of the parameter has one of these texts.
    Concepts {
        parameter: i64,
        texts: Vec<Text>,
        lead: ConceptLead,
    },
    /// A code has a text with this word in it.
    ConceptWord {
        word: i64,
        /// Whether the texts are among the tokens.
        is_indexed: bool,
    },
    Ranges {
        parameter: i64,
        spans: Vec<Span>,
    },
    Near {
        parameter: i64,
        places: Vec<near::Wanted>,
    },
    /// No parameter of these bits has a value.
    Missing(i64),
    /// It has none of these labels.
    Unlabelled(i64),
    Wall(Wall),
    /// A resource it refers to is one of the plan.
    Refers {
        via: Via,
        plan: Box<Plan>,
    },
    /// A resource of the plan refers to it.
    Referred {
        via: Via,
        plan: Box<Plan>,
    },
}

/// A code, and the filter that says its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Code {
    pub(crate) key: i64,
    pub(crate) filter: Option<i64>,
}

/// Where a type keeps what leads to those that have a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConceptLead {
    Codes,
    Tokens,
    /// Nowhere.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// As it is written.
    Number,
    /// In base units.
    Quantity,
}

/// Texts from `low`, before `high`, that contain another, end with one, or are written just so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text {
    pub(crate) low: String,
    pub(crate) high: Option<String>,
    pub(crate) contains: Option<String>,
    pub(crate) ends: Option<String>,
    pub(crate) exact: Option<i64>,
}

/// Where a type keeps the references of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Patient,
    Tokens { salt: i64 },
    Actors { salt: i64 },
}

/// A row as far as it is known without the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) id: &'a str,
    pub(crate) version_key: i64,
    pub(crate) entries: &'a Entries,
}

pub(crate) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

impl Condition {
    pub(crate) fn new(asked: &Asked, grant: &Grant) -> Result<Condition, Error> {
        Ok(match asked {
            Asked::All(all) => Condition::All(each(all, grant)?),
            Asked::Any(any) => Condition::any(each(any, grant)?),
            Asked::Not(asked) => Condition::Not(Box::new(Condition::new(asked, grant)?)),
            Asked::Value { parameter, wanted } => Condition::of_value(parameter, wanted),
            Asked::Missing(parameter) => Condition::missing(parameter),
            Asked::Tokens(tokens) => keys(Vec::new(), tokens.clone(), Vec::new()),
            Asked::Refers { parameter, targets } => {
                let any = targets.iter().map(|(kind, asked)| {
                    let plan = Box::new(Plan::of(table(kind)?, asked, grant)?);
                    Ok(Condition::Refers { via: Via::new(parameter, kind), plan })
                });
                Condition::any(any.collect::<Result<_, Error>>()?)
            }
            Asked::Referred { resource, by, parameter, asked } => {
                let plan = Box::new(Plan::of(table(by)?, asked, grant)?);
                Condition::Referred { via: Via::new(parameter, resource), plan }
            }
        })
    }

    /// None where other resources are asked for.
    pub(crate) fn without_joins(asked: &Asked) -> Option<Condition> {
        Some(match asked {
            Asked::All(all) => {
                Condition::All(all.iter().map(Condition::without_joins).collect::<Option<_>>()?)
            }
            Asked::Any(any) => {
                Condition::any(any.iter().map(Condition::without_joins).collect::<Option<_>>()?)
            }
            Asked::Not(asked) => Condition::Not(Box::new(Condition::without_joins(asked)?)),
            Asked::Value { parameter, wanted } => Condition::of_value(parameter, wanted),
            Asked::Missing(parameter) => Condition::missing(parameter),
            Asked::Tokens(tokens) => keys(Vec::new(), tokens.clone(), Vec::new()),
            Asked::Refers { .. } | Asked::Referred { .. } => return None,
        })
    }

    pub(crate) fn missing(parameter: &Parameter) -> Condition {
        match parameter.bit {
            Some(bit) => Condition::Missing(1 << bit),
            None => {
                let present = keys(Vec::new(), Vec::new(), vec![present_key(parameter)]);
                Condition::Not(Box::new(present))
            }
        }
    }

    /// Choices of keys are one choice.
    pub(crate) fn any(conditions: Vec<Condition>) -> Condition {
        let (mut patients, mut tokens, mut filters) = (Vec::new(), Vec::new(), Vec::new());
        let mut codes = Vec::new();
        let mut others = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Keys { patients: a, tokens: b, filters: c } => {
                    patients.extend(a);
                    tokens.extend(b);
                    filters.extend(c);
                }
                Condition::Codes(more) => codes.extend(more),
                Condition::Any(any) => others.extend(any),
                other => others.push(other),
            }
        }
        if !(patients.is_empty() && tokens.is_empty() && filters.is_empty())
            || others.is_empty() && codes.is_empty()
        {
            others.insert(0, keys(patients, tokens, filters));
        }
        if !codes.is_empty() {
            others.insert(0, Condition::Codes(sorted(codes)));
        }
        match others.len() {
            1 => others.remove(0),
            _ => Condition::Any(others),
        }
    }

    pub(crate) fn of_value(parameter: &Parameter, wanted: &Wanted) -> Condition {
        match wanted {
            Wanted::Ids(ids) => Condition::Ids(sorted(ids.clone())),
            Wanted::LastUpdated(ranges) => {
                Condition::Versions(ranges.iter().map(version_keys).collect())
            }
            Wanted::Tokens(wanted) => tokens(parameter, wanted),
            Wanted::Texts(wanted) => Condition::Concepts {
                parameter: text_salt(parameter),
                texts: sorted(wanted.iter().map(Text::new).collect()),
                lead: match parameter.place {
                    Place::Code => ConceptLead::Codes,
                    _ if parameter.leads_texts() => ConceptLead::Tokens,
                    _ => ConceptLead::None,
                },
            },
            Wanted::References(wanted) => references(parameter, wanted),
            Wanted::Identifiers(wanted) => {
                let mut buffer = Vec::new();
                let (systems, values): (Vec<&Token>, Vec<&Token>) =
                    wanted.iter().partition(|form| form.is_system());
                let mut key = |form: &Token| {
                    form.key(crate::parameter::token::Spelling::Exact, &mut buffer)
                        ^ identifier_salt(parameter)
                };
                let tokens = values.into_iter().map(&mut key).collect();
                keys(Vec::new(), tokens, systems.into_iter().map(&mut key).collect())
            }
            Wanted::Uris(wanted) => {
                let found = wanted.iter().map(|text| uri::key(text) ^ parameter.salt).collect();
                match parameter.is_dominant {
                    true => keys(Vec::new(), Vec::new(), found),
                    false => keys(Vec::new(), found, Vec::new()),
                }
            }
            Wanted::UrisBelow(wanted) => Condition::Strings {
                parameter: parameter.salt,
                texts: sorted(wanted.iter().map(|text| Text::starting(text)).collect()),
            },
            Wanted::Strings(wanted) => Condition::Strings {
                parameter: parameter.salt,
                texts: sorted(wanted.iter().map(Text::new).collect()),
            },
            Wanted::Dates(spans) if parameter.place == Place::Date => {
                Condition::Date(spans.clone())
            }
            Wanted::Dates(spans) | Wanted::Numbers(spans) => {
                Condition::Ranges { parameter: parameter.salt, spans: spans.clone() }
            }
            Wanted::Quantities(wanted) => {
                Condition::any(wanted.iter().map(|wanted| quantity(parameter, wanted)).collect())
            }
            Wanted::Composites(wanted) => {
                Condition::any(wanted.iter().map(|wanted| composite(parameter, wanted)).collect())
            }
            Wanted::Word { keys: found, of_concepts, is_voluminous } => {
                let said = keys(Vec::new(), found.clone(), Vec::new());
                let is_indexed = !is_voluminous;
                let of_concept = |word| Condition::ConceptWord { word, is_indexed };
                Condition::any([said].into_iter().chain(of_concepts.map(of_concept)).collect())
            }
            Wanted::Near(places) => {
                Condition::Near { parameter: parameter.salt, places: places.clone() }
            }
        }
    }

    /// None where it takes other resources to know.
    pub(crate) fn meets(&self, row: Row<'_>) -> Option<bool> {
        let entries = row.entries;
        let holds = |spans: &[Span], low, high| spans.iter().any(|span| span.holds(low, high));
        Some(match self {
            Condition::All(all) => {
                let each = all.iter().map(|condition| condition.meets(row));
                return each
                    .reduce(|left, right| match (left, right) {
                        (Some(false), _) | (_, Some(false)) => Some(false),
                        (Some(true), other) | (other, Some(true)) => other,
                        (None, None) => None,
                    })
                    .unwrap_or(Some(true));
            }
            Condition::Any(any) => {
                let each = any.iter().map(|condition| condition.meets(row));
                return each
                    .reduce(|left, right| match (left, right) {
                        (Some(true), _) | (_, Some(true)) => Some(true),
                        (Some(false), other) | (other, Some(false)) => other,
                        (None, None) => None,
                    })
                    .unwrap_or(Some(false));
            }
            Condition::Not(condition) => return condition.meets(row).map(|meets| !meets),
            Condition::Ids(ids) => ids.iter().any(|id| id == row.id),
            Condition::Versions(ranges) => {
                ranges.iter().any(|range| (range.low..range.high).contains(&row.version_key))
            }
            Condition::Keys { patients, tokens, filters } => {
                entries.patient.as_ref().is_some_and(|patient| patients.contains(&patient.key))
                    || tokens.iter().any(|key| entries.tokens.contains(key))
                    || filters.iter().any(|key| entries.filters.contains(key))
            }
            Condition::Codes(codes) => codes.iter().any(|code| {
                let is_there = entries.code == Some(code.key)
                    || entries.code2 == Some(code.key)
                    || entries.filters.contains(&code.key);
                is_there && code.filter.is_none_or(|filter| entries.filters.contains(&filter))
            }),
            Condition::Actors(keys) => keys.iter().any(|key| entries.filters.contains(key)),
            Condition::Date(spans) => {
                entries.date.is_some_and(|(low, high)| holds(spans, low, high))
            }
            Condition::Quantity { column, scale, spans } => {
                let place = match column {
                    Column::Number => entries.number,
                    Column::Quantity => entries.quantity,
                };
                entries.filters.contains(scale) && place.is_some_and(|at| holds(spans, at, at))
            }
            Condition::Strings { parameter, texts } => entries.strings.iter().any(|entry| {
                let is_one = texts.iter().any(|text| text.holds(&entry.value, entry.exact));
                entry.parameter_key == *parameter && is_one
            }),
            Condition::Concepts { parameter, texts, .. } => {
                entries.concepts.iter().any(|concept| {
                    let is_one = texts.iter().any(|text| text.holds(&concept.value, 0));
                    concept.parameter_key == *parameter && is_one
                })
            }
            Condition::ConceptWord { word, .. } => {
                entries.concepts.iter().any(|concept| concept.words().contains(word))
            }
            Condition::Ranges { parameter, spans } => {
                let keys = [*parameter, wide(*parameter)];
                entries.ranges.iter().any(|entry| {
                    keys.contains(&entry.parameter_key) && holds(spans, entry.low, entry.high)
                })
            }
            Condition::Near { parameter, places } => entries.ranges.iter().any(|entry| {
                let is_near = places.iter().any(|place| place.holds(entry.low, entry.high));
                entry.parameter_key == *parameter && is_near
            }),
            Condition::Missing(mask) => entries.present & mask == 0,
            // What is known of a resource says neither who keeps it nor who looks.
            Condition::Unlabelled(_)
            | Condition::Wall(_)
            | Condition::Refers { .. }
            | Condition::Referred { .. } => return None,
        })
    }
}

fn each(asked: &[Asked], grant: &Grant) -> Result<Vec<Condition>, Error> {
    asked.iter().map(|asked| Condition::new(asked, grant)).collect()
}

fn table(resource: &str) -> Result<&'static Table, Error> {
    schema::resource::find(resource).ok_or(Error::UnknownType)
}

fn version_keys(range: &Range) -> Range {
    let key = |micros| if micros == i64::MAX { i64::MAX } else { version_key_at(micros) };
    Range { low: key(range.low), high: key(range.high) }
}

impl Via {
    fn new(parameter: &Parameter, kind: &str) -> Via {
        match parameter.place {
            Place::Patient if kind == "Patient" => Via::Patient,
            Place::Actor => Via::Actors { salt: parameter.target_salt },
            _ => Via::Tokens { salt: parameter.target_salt },
        }
    }
}

fn tokens(parameter: &Parameter, wanted: &[Token]) -> Condition {
    let mut buffer = Vec::new();
    let (mut tokens, mut filters, mut codes) = (Vec::new(), Vec::new(), Vec::new());
    for form in wanted {
        let key = form.key(parameter.spelling, &mut buffer) ^ parameter.salt;
        match form.code() {
            _ if form.is_system() => filters.push(key),
            Some(code) if parameter.place == Place::Code => {
                let is_plain = matches!(form, Form::Code(_));
                let code = Form::Code(code).key(parameter.spelling, &mut buffer) ^ parameter.salt;
                codes.push(Code { key: code, filter: (!is_plain).then_some(key) });
            }
            _ if parameter.is_dominant || parameter.place == Place::Code => filters.push(key),
            _ => tokens.push(key),
        }
    }
    let mut any = Vec::new();
    if !codes.is_empty() {
        any.push(Condition::Codes(codes));
    }
    any.push(keys(Vec::new(), tokens, filters));
    Condition::any(any)
}

fn references(parameter: &Parameter, wanted: &[reference::Wanted]) -> Condition {
    let (mut patients, mut tokens, mut actors) = (Vec::new(), Vec::new(), Vec::new());
    for wanted in wanted {
        match wanted {
            reference::Wanted::Whole(_) => {
                tokens.extend(wanted.keys().into_iter().map(|key| key ^ parameter.salt));
            }
            reference::Wanted::Local { kinds, id } => {
                for kind in kinds {
                    let key = resource_key(kind, id);
                    match Via::new(parameter, kind) {
                        Via::Patient => patients.push(key),
                        Via::Tokens { salt } => tokens.push(key ^ salt),
                        Via::Actors { salt } => actors.push(key ^ salt),
                    }
                }
            }
        }
    }
    let mut any = Vec::new();
    if !actors.is_empty() {
        any.push(Condition::Actors(sorted(actors)));
    }
    any.push(keys(patients, tokens, Vec::new()));
    Condition::any(any)
}

fn quantity(parameter: &Parameter, wanted: &quantity::Wanted) -> Condition {
    let scale = scaled(parameter, wanted.scale);
    let spans = wanted.spans.clone();
    if parameter.place != Place::Quantity {
        return Condition::Ranges { parameter: scale, spans };
    }
    let column = match wanted.scale {
        Scale::Canonical(_) | Scale::Coded(_) => Column::Quantity,
        Scale::Bare | Scale::Unit(_) => Column::Number,
    };
    Condition::Quantity { column, scale, spans }
}

fn composite(parameter: &Parameter, wanted: &composite::Wanted) -> Condition {
    let key = parameter.salt ^ wanted.key;
    match &wanted.last {
        Last::Nothing => keys(Vec::new(), vec![key], Vec::new()),
        Last::Range(spans) => Condition::Ranges { parameter: key, spans: spans.clone() },
        Last::Text(text) => {
            Condition::Strings { parameter: key, texts: vec![Text::starting(text)] }
        }
    }
}

fn keys(patients: Vec<i64>, tokens: Vec<i64>, filters: Vec<i64>) -> Condition {
    let (patients, tokens, filters) = (sorted(patients), sorted(tokens), sorted(filters));
    Condition::Keys { patients, tokens, filters }
}

impl Text {
    fn starting(text: &str) -> Text {
        let high = string::upper_bound(text);
        Text { low: text.to_owned(), high, contains: None, ends: None, exact: None }
    }

    fn new(wanted: &string::Wanted) -> Text {
        let any = Text { low: String::new(), high: None, contains: None, ends: None, exact: None };
        let text = || wanted.text.clone();
        // Only the text itself lies between it and the next one, which a NUL would have to follow.
        let whole = || Text { low: text(), high: Some(format!("{}\u{1}", text())), ..any.clone() };
        match wanted.how {
            How::Starts => Text::starting(&wanted.text),
            How::Contains => Text { contains: Some(text()), ..any },
            How::Ends => Text { ends: Some(text()), ..any },
            How::Whole => whole(),
            How::Exact => Text { exact: Some(wanted.exact), ..whole() },
        }
    }

    fn holds(&self, value: &str, exact: i64) -> bool {
        value >= self.low.as_str()
            && self.high.as_deref().is_none_or(|high| value < high)
            && self.contains.as_ref().is_none_or(|part| value.contains(part))
            && self.ends.as_ref().is_none_or(|end| value.ends_with(end))
            && self.exact.is_none_or(|wanted| wanted == exact)
    }
}
