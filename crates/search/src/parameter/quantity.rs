//! Quantity parameters (search.html#quantity): `number`, `number||unit`, `number|system|code`.
//!
//! A quantity in a unit of UCUM is compared in the base units of its dimension, whatever unit it was measured in; any other, and
//! one that is asked for by the text of its unit, by the number as it is written.

use super::number::{Asked, ENDLESS};
use crate::compare::{Span, place};
use crate::error::{Error, shown};
use crate::key::hash;
use crate::query::text::{split, unescape};
use crate::unit::{UCUM, canonical};
use serde_json::Value;

/// The types it reads. The values of a SampledData are a series, which no single number stands for.
pub(crate) const KINDS: [&str; 10] = [
    "Quantity",
    "Age",
    "Distance",
    "Duration",
    "Count",
    "Money",
    "SimpleQuantity",
    "MoneyQuantity",
    "Range",
    "SampledData",
];

/// On which line a number lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scale {
    /// Numbers as they are written, whatever their unit.
    Bare,
    /// As written, of a unit whose code or text is this.
    Unit(i64),
    /// As written, of this system and code.
    Coded(i64),
    /// In base units of UCUM of this dimension.
    Canonical(i64),
}

impl Scale {
    /// Numbers on different scales are kept apart by it.
    pub(crate) fn key(self) -> i64 {
        let (kind, of) = match self {
            Scale::Bare => (0_u8, 0),
            Scale::Unit(of) => (1, of),
            Scale::Coded(of) => (2, of),
            Scale::Canonical(of) => (3, of),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&i64::to_le_bytes(of));
        hash(&bytes)
    }
}

fn coded(system: &str, code: &str) -> Scale {
    Scale::Coded(hash(format!("{system}\u{0}{code}").as_bytes()))
}

/// Hands on the scales of a value, and where it lies on each.
pub(crate) fn each(value: &Value, mut visit: impl FnMut(Scale, i64, i64)) {
    if let (None, None) = (value.get("low"), value.get("high")) {
        one(value, |scale, at| visit(scale, at, at));
        return;
    }
    let mut ends: Vec<(Scale, Option<i64>, Option<i64>)> = Vec::new();
    let mut add = |name: &str, is_high: bool| {
        let Some(end) = value.get(name) else { return };
        one(end, |scale, at| {
            let place = ends.iter().position(|(known, ..)| *known == scale).unwrap_or(ends.len());
            if place == ends.len() {
                ends.push((scale, None, None));
            }
            if let Some((_, low, high)) = ends.get_mut(place) {
                *(if is_high { high } else { low }) = Some(at);
            }
        });
    };
    add("low", false);
    add("high", true);
    for (scale, low, high) in ends {
        visit(scale, low.unwrap_or(-ENDLESS), high.unwrap_or(ENDLESS));
    }
}

fn one(value: &Value, mut visit: impl FnMut(Scale, i64)) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(number) = value.get("value").and_then(Value::as_number) else { return };
    let Some(at) =
        number.as_str().parse().ok().filter(|number: &f64| number.is_finite()).map(place)
    else {
        return;
    };
    // Money has its currency where other quantities have their unit.
    let (system, code) = match text("currency") {
        Some(currency) => (Some("urn:iso:std:iso:4217"), Some(currency)),
        None => (text("system"), text("code")),
    };
    let unit = text("unit").filter(|unit| Some(*unit) != code);
    visit(Scale::Bare, at);
    for unit in [code, unit].into_iter().flatten() {
        visit(Scale::Unit(hash(unit.as_bytes())), at);
    }
    let Some((system, code)) = system.zip(code) else { return };
    let in_base = (system == UCUM).then(|| canonical(code)).flatten();
    match in_base.and_then(|unit| Some((unit.dimension, unit.value(number.as_str())?))) {
        Some((dimension, number)) => visit(Scale::Canonical(dimension), place(number)),
        None => visit(coded(system, code), at),
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) scale: Scale,
    pub(crate) spans: Vec<Span>,
}

pub(crate) fn parse(text: &str, parameter: &str) -> Result<Wanted, Error> {
    let refuse = |reason: String| Error::Value { parameter: parameter.to_owned(), reason };
    let parts: Vec<&str> = split(text, '|').collect();
    let (number, system, code) = match parts.as_slice() {
        [number] => (*number, String::new(), String::new()),
        [number, system, code] => {
            (*number, unescape(system, parameter)?, unescape(code, parameter)?)
        }
        _ => {
            let reason = "a quantity is a number, number||unit or number|system|code";
            return Err(refuse(reason.to_owned()));
        }
    };
    let asked = Asked::parse(number, parameter)?;
    let plain = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let too_large = || refuse(format!("`{}` is too large", shown(number)));
    let as_written =
        |scale: Scale| Ok(Wanted { scale, spans: asked.spans(plain).ok_or_else(too_large)? });
    match (system.as_str(), code.as_str()) {
        ("", "") => as_written(Scale::Bare),
        ("", unit) => as_written(Scale::Unit(hash(unit.as_bytes()))),
        (_, "") => Err(refuse("a system without a code says no unit".to_owned())),
        (UCUM, code) => match canonical(code) {
            Some(unit) => Ok(Wanted {
                scale: Scale::Canonical(unit.dimension),
                spans: asked.spans(|text| unit.value(text)).ok_or_else(too_large)?,
            }),
            None => as_written(coded(UCUM, code)),
        },
        (system, code) => as_written(coded(system, code)),
    }
}

#[cfg(test)]
mod tests {
    use super::{each, parse};
    use serde_json::{Value, json};

    fn check(value: &Value, text: &str, expected: bool) {
        let wanted = parse(text, "x").unwrap();
        let mut holds = false;
        each(value, |scale, low, high| {
            holds |= scale == wanted.scale && wanted.spans.iter().any(|span| span.holds(low, high));
        });
        assert_eq!(holds, expected, "{value} {text}");
    }

    #[test]
    fn a_quantity_is_found_in_any_unit_of_its_dimension() {
        let glucose: Value =
            serde_json::from_str(r#"{ "value": 5.40, "unit": "mmol/l", "system": "http://unitsofmeasure.org", "code": "mmol/L" }"#)
                .unwrap();
        for (text, expected) in [
            ("5.4", true),
            ("5.40|http://unitsofmeasure.org|mmol/L", true),
            ("5400|http://unitsofmeasure.org|umol/L", true),
            ("gt5.3|http://unitsofmeasure.org|mmol/L", true),
            ("gt5.4|http://unitsofmeasure.org|mmol/L", false),
            ("5.4||mmol/L", true),
            ("5.4||mmol/l", true),
            ("5.4||mg", false),
            ("5.4|http://unitsofmeasure.org|mg", false),
            ("5.4|urn:other|mmol/L", false),
        ] {
            check(&glucose, text, expected);
        }
    }

    #[test]
    fn ranges_and_money_are_quantities() {
        let age = |value: u8| json!({ "value": value, "system": "http://unitsofmeasure.org", "code": "a" });
        let range = json!({ "low": age(20), "high": age(30) });
        check(&range, "gt29|http://unitsofmeasure.org|a", true);
        check(&range, "gt30|http://unitsofmeasure.org|a", false);
        check(&range, "sa19|http://unitsofmeasure.org|a", true);
        check(&json!({ "value": 5, "currency": "CNY" }), "5|urn:iso:std:iso:4217|CNY", true);
        check(&json!({ "value": 5, "system": "urn:x", "code": "box" }), "5|urn:x|box", true);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "a", "5|mg", "5|a|b|c", "5|http://unitsofmeasure.org|", "gt|a|b"] {
            assert!(parse(text, "x").is_err(), "{text}");
        }
    }
}
