//! Composite parameters (search.html#composite): `code$value` of one element.
//!
//! The parts that are compared for equality make a key together; a last part that is ordered – a date, a number, a quantity, a
//! text – is looked up under that key. Two numbers are the two ends of one range.

use super::{date, number, quantity, reference, string, token};
use crate::compare::Span;
use crate::error::Error;
use crate::key::joined;
use crate::query::Context;
use crate::query::text::split;
use crate::registry::composite::{Element, Part};
use fhir::definitions::ParameterKind;
use jiff::tz::TimeZone;
use serde_json::Value;

/// An element with all its parts, as it is stored and as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Of the parts that are compared for equality.
    pub(crate) key: i64,
    pub(crate) last: Last<(i64, i64), (String, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) key: i64,
    pub(crate) last: Last<Vec<Span>, String>,
}

/// The part that is not compared for equality, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Last<R, T> {
    Nothing,
    Range(R),
    Text(T),
}

/// Keys of more combinations than this are not stored; no element of sense has them.
const COMBINATIONS_MAX: usize = 256;

pub(crate) fn each(
    element: &Element,
    resource: &Value,
    base_url: &str,
    zone: &TimeZone,
    mut visit: impl FnMut(Found),
) {
    element.walk.each(resource, |value| {
        let mut found = vec![Found { key: 0, last: Last::Nothing }];
        for part in &element.parts {
            let start = if part.is_of_resource { resource } else { value };
            let values = values(part, start, base_url, zone);
            found = found
                .iter()
                .flat_map(|before| values.iter().filter_map(|value| before.and(value)))
                .take(COMBINATIONS_MAX)
                .collect();
        }
        found.into_iter().for_each(&mut visit);
    });
}

/// One part.
#[derive(Clone, Debug)]
enum PartValue {
    Key(i64),
    /// Under a key of its own: the scale of a quantity.
    Range(i64, i64, i64),
    Number(i64, i64),
    Text(String, i64),
}

impl Found {
    fn and(&self, part: &PartValue) -> Option<Found> {
        let (key, last) = match (part, &self.last) {
            (PartValue::Key(key), Last::Nothing) => (joined(self.key, *key), Last::Nothing),
            (PartValue::Range(scale, low, high), Last::Nothing) => {
                (joined(self.key, *scale), Last::Range((*low, *high)))
            }
            (PartValue::Number(low, high), Last::Nothing) => (self.key, Last::Range((*low, *high))),
            // The second of two numbers.
            (PartValue::Number(_, high), Last::Range((low, _))) => {
                (self.key, Last::Range((*low, *high)))
            }
            (PartValue::Text(text, exact), Last::Nothing) => {
                (self.key, Last::Text((text.clone(), *exact)))
            }
            (_, Last::Range(_) | Last::Text(_)) => return None,
        };
        Some(Found { key, last })
    }
}

fn values(part: &Part, start: &Value, base_url: &str, zone: &TimeZone) -> Vec<PartValue> {
    let mut values = Vec::new();
    let mut buffer = Vec::new();
    for walk in &part.walks {
        walk.each(start, |value| match part.kind {
            ParameterKind::Token => token::each(value, &walk.end, |form| {
                if !form.is_system() {
                    values.push(PartValue::Key(form.key(part.spelling, &mut buffer)));
                }
            }),
            ParameterKind::Reference => reference::each(value, &walk.end, base_url, |target| {
                values.push(PartValue::Key(target.key()));
            }),
            ParameterKind::Quantity => quantity::each(value, |scale, low, high| {
                values.push(PartValue::Range(scale.key(), low, high));
            }),
            ParameterKind::Date => date::each(value, zone, |low, high| {
                values.push(PartValue::Range(0, low, high));
            }),
            ParameterKind::Number => number::each(value, |low, high| {
                values.push(PartValue::Number(low, high));
            }),
            ParameterKind::String => string::each(value, &walk.end, |text| {
                values.push(PartValue::Text(string::normalise(text), string::exact(text)));
            }),
            ParameterKind::Uri | ParameterKind::Composite | ParameterKind::Special => {}
        });
    }
    values
}

/// `a$b`, for the parts in their order; several where an id alone may be of several types.
pub(crate) fn parse(
    text: &str,
    parameter: &'static str,
    parts: &[Part],
    context: &Context,
) -> Result<Vec<Wanted>, Error> {
    let texts = pieces(text, parameter, parts.len())?;
    let mut wanted = vec![Wanted { key: 0, last: Last::Nothing }];
    for (part, text) in parts.iter().zip(texts) {
        let asked = ask(part, text, parameter, context)?;
        wanted = wanted
            .iter()
            .flat_map(|before| asked.iter().filter_map(|asked| before.and(asked)))
            .collect();
    }
    Ok(wanted)
}

/// The texts between the `$`.
pub(crate) fn pieces<'a>(
    text: &'a str,
    parameter: &str,
    count: usize,
) -> Result<Vec<&'a str>, Error> {
    let texts: Vec<&str> = split(text, '$').take(count + 1).collect();
    if texts.len() == count && texts.iter().all(|text| !text.is_empty()) {
        return Ok(texts);
    }
    let reason = format!("{count} values are asked for together, with a `$` between them");
    Err(Error::Value { parameter: parameter.to_owned(), reason })
}

enum Asked {
    Key(i64),
    Range(i64, Vec<Span>),
    Number(Vec<Span>),
    Text(String),
}

fn ask(
    part: &Part,
    text: &str,
    parameter: &'static str,
    context: &Context,
) -> Result<Vec<Asked>, Error> {
    Ok(match part.kind {
        ParameterKind::Token => {
            let form = token::parse(text, parameter, part.spelling)?;
            if form.is_system() {
                return Err(Error::NotSupported {
                    what: format!("a system without a code in `{parameter}`"),
                    instead: "name the code".to_owned(),
                });
            }
            vec![Asked::Key(form.key(part.spelling, &mut Vec::new()))]
        }
        ParameterKind::Reference => {
            let wanted = reference::parse(text, parameter, &part.targets, context.base_url)?;
            wanted.keys().into_iter().map(Asked::Key).collect()
        }
        ParameterKind::Quantity => {
            let wanted = quantity::parse(text, parameter)?;
            vec![Asked::Range(wanted.scale.key(), wanted.spans)]
        }
        ParameterKind::Date => vec![Asked::Range(0, date::parse(text, parameter, context)?)],
        ParameterKind::Number => vec![Asked::Number(number::parse(text, parameter)?)],
        ParameterKind::String => vec![Asked::Text(string::parse(text, parameter)?)],
        ParameterKind::Uri | ParameterKind::Composite | ParameterKind::Special => Vec::new(),
    })
}

impl Wanted {
    fn and(&self, asked: &Asked) -> Option<Wanted> {
        let (key, last) = match (asked, &self.last) {
            (Asked::Key(key), Last::Nothing) => (joined(self.key, *key), Last::Nothing),
            (Asked::Range(scale, spans), Last::Nothing) => {
                (joined(self.key, *scale), Last::Range(spans.clone()))
            }
            (Asked::Number(spans), Last::Nothing) => {
                let spans = spans.iter().map(|span| {
                    let (from, to) = span.point();
                    Span { low_from: from, low_to: to, high_from: i64::MIN, high_to: i64::MAX }
                });
                (self.key, Last::Range(spans.collect()))
            }
            (Asked::Number(spans), Last::Range(lows)) => {
                let both = lows.iter().flat_map(|low| {
                    spans.iter().map(|span| {
                        let (from, to) = span.point();
                        Span { high_from: from, high_to: to, ..*low }
                    })
                });
                (self.key, Last::Range(both.collect()))
            }
            (Asked::Text(text), Last::Nothing) => (self.key, Last::Text(text.clone())),
            (_, Last::Range(_) | Last::Text(_)) => return None,
        };
        Some(Wanted { key, last })
    }
}

#[cfg(test)]
mod tests {
    use crate::query::tests::parse;
    use serde_json::json;

    fn check(search: &str, expected: bool) {
        let observation = json!({
            "resourceType": "Observation",
            "code": { "coding": [{ "system": "http://loinc.org", "code": "85354-9" }] },
            "component": [
                { "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] },
                  "valueQuantity": { "value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" } },
                { "code": { "coding": [{ "system": "http://loinc.org", "code": "8462-4" }] },
                  "valueQuantity": { "value": 80, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" } },
            ],
        });
        let query = parse(search).unwrap();
        assert_eq!(
            query.holds(&observation, &crate::extract::tests::extractor()),
            expected,
            "{search}"
        );
    }

    #[test]
    fn both_values_are_of_one_component() {
        check("Observation?component-code-value-quantity=8480-6$gt110", true);
        check("Observation?component-code-value-quantity=8462-4$gt110", false);
        check("Observation?component-code-value-quantity=http://loinc.org|8480-6$120||mmHg", true);
        check(
            "Observation?component-code-value-quantity=http://loinc.org|8480-6$12|http://unitsofmeasure.org|cm[Hg]",
            true,
        );
        check("Observation?combo-code-value-quantity=8480-6$lt110", false);
        check("Observation?combo-code-value-quantity=8480-6$lt110,8462-4$80", true);
    }
}
