//! How one value is compared with what is asked (search.html#string, #token, #date, #number, #quantity, #uri).

use super::parameters::{Kind, Parameter, elements};
use super::query::{Modifier, Operand, Prefix, Unit};
use super::world::{HERE, UCUM};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde_json::Value;

const TEXT_PARTS: [&str; 12] = [
    "text",
    "family",
    "given",
    "prefix",
    "suffix",
    "line",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
    "value",
];

/// Does this element of the resource have what is asked?
pub(super) fn holds(
    element: &Value,
    parameter: &Parameter,
    modifier: Modifier,
    operand: &Operand,
) -> bool {
    match operand {
        // "text associated with the code/value": CodeableConcept.text, Coding.display, or Identifier.type.text
        Operand::Text(text) if modifier == Modifier::Text => {
            said(element).iter().any(|value| plain(value).starts_with(&plain(text)))
        }
        Operand::Text(text) => texts(element).iter().any(|value| match modifier {
            Modifier::Exact => value == text,
            Modifier::Contains => plain(value).contains(&plain(text)),
            _ => plain(value).starts_with(&plain(text)),
        }),
        Operand::Token { system, code } => {
            let element =
                if modifier == Modifier::Identifier { &element["identifier"] } else { element };
            tokens(element, parameter.implied).iter().any(|token| {
                token.has_system(system.as_deref())
                    && code.as_ref().is_none_or(|code| token.is(code))
            })
        }
        Operand::OfType { system, code, value } => {
            let types = element["type"]["coding"].as_array().into_iter().flatten();
            let is_of_type =
                types.into_iter().any(|kind| kind["system"] == **system && kind["code"] == **code);
            is_of_type && element["value"] == **value
        }
        Operand::Reference { kind, id, .. } => {
            let Some((to, number)) = local(element) else { return false };
            let kind = if let Modifier::Kind(kind) = modifier { Some(kind) } else { *kind };
            number == id
                && kind.is_none_or(|kind| kind == to)
                && (parameter.targets.is_empty() || parameter.targets.contains(&to))
        }
        Operand::Url(url) => element["reference"] == **url,
        Operand::Date { prefix, text } => ranges_agree(*prefix, moments(text), span(element)),
        Operand::Number { prefix, digits } => numbers_agree(*prefix, digits, 1, number(element)),
        Operand::Quantity { prefix, digits, unit } => {
            quantity_agrees(*prefix, digits, unit, element)
        }
        Operand::Uri(uri) => {
            // "the search term left-matches the value, or vice-versa"
            let value = element.as_str().unwrap();
            match modifier {
                Modifier::Below => value.starts_with(uri),
                Modifier::Above => uri.starts_with(value),
                _ => value == uri,
            }
        }
        Operand::Composite(first, second) => {
            let Kind::Composite(one, other) = parameter.kind else { return false };
            let has = |part: &Parameter, operand: &Operand| {
                let parts = elements(element, part);
                parts.iter().any(|value| holds(value, part, Modifier::None, operand))
            };
            has(one, first) && has(other, second)
        }
    }
}

/// The texts that stand with a code.
pub(super) fn said(element: &Value) -> Vec<&str> {
    let codings = element["coding"].as_array().into_iter().flatten();
    let displays = codings.chain([element]).map(|coding| &coding["display"]);
    let texts = displays.chain([&element["text"], &element["type"]["text"]]);
    texts.filter_map(Value::as_str).collect()
}

/// The strings of a string, a name or an address.
pub(super) fn texts(element: &Value) -> Vec<&str> {
    if let Some(text) = element.as_str() {
        return vec![text];
    }
    let parts = TEXT_PARTS.iter().flat_map(|part| match &element[part] {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    });
    parts.collect()
}

/// Without case, accents, punctuation and superfluous white space.
pub(super) fn plain(text: &str) -> String {
    let bare: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .filter(|letter| !('\u{300}'..'\u{370}').contains(letter))
        .map(|letter| match letter {
            'é' | 'è' => 'e',
            'ü' => 'u',
            other => other,
        })
        .filter(|letter| letter.is_alphanumeric() || letter.is_whitespace())
        .collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) struct Token {
    pub(super) system: Option<String>,
    pub(super) code: String,
    pub(super) is_identifier: bool,
}

impl Token {
    fn has_system(&self, asked: Option<&str>) -> bool {
        match asked {
            None => true,
            Some("") => self.system.is_none(),
            asked => self.system.as_deref() == asked,
        }
    }

    fn is(&self, code: &str) -> bool {
        if self.is_identifier {
            self.code == code
        } else {
            self.code.to_lowercase() == code.to_lowercase()
        }
    }
}

pub(super) fn tokens(element: &Value, implied: Option<&str>) -> Vec<Token> {
    let text = |name: &str| element[name].as_str().map(str::to_owned);
    match element {
        Value::Bool(flag) => {
            vec![Token { system: None, code: flag.to_string(), is_identifier: false }]
        }
        Value::String(code) => {
            let system = implied.map(str::to_owned);
            vec![Token { system, code: code.clone(), is_identifier: false }]
        }
        _ if element["coding"].is_array() => {
            let codings = element["coding"].as_array().unwrap();
            codings.iter().flat_map(|coding| tokens(coding, None)).collect()
        }
        _ => {
            let (code, is_identifier) = match text("code") {
                Some(code) => (Some(code), false),
                None => (text("value"), true),
            };
            let system = text("system");
            code.map(|code| Token { system, code, is_identifier }).into_iter().collect()
        }
    }
}

/// The type and the id of a reference to this server.
pub(super) fn local(element: &Value) -> Option<(&str, &str)> {
    let text = element["reference"].as_str()?;
    let text = text.strip_prefix(HERE).unwrap_or(text);
    if text.contains("://") { None } else { text.split_once('/') }
}

type Range = (i64, i64);

/// From the first millisecond of a date to the first after it, by what is written of it.
pub(super) fn moments(text: &str) -> Range {
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let part = |index: usize| day.split('-').nth(index).map(|part| part.parse::<i16>().unwrap());
    let year = part(0).unwrap();
    let month = part(1).map(|month| i8::try_from(month).unwrap());
    let number = part(2).map(|number| i8::try_from(number).unwrap());
    let start = date(year, month.unwrap_or(1), number.unwrap_or(1));
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let midnight =
        |day: jiff::civil::Date| day.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
    let Some(time) = time else {
        let end = match (month, number) {
            (None, _) => date(year + 1, 1, 1),
            (Some(12), None) => date(year + 1, 1, 1),
            (Some(month), None) => date(year, month + 1, 1),
            _ => start.tomorrow().unwrap(),
        };
        return (midnight(start), midnight(end));
    };
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, ""),
    };
    let digits = |from: usize, to: usize| clock[from..to].parse::<i64>().unwrap();
    let minute = digits(0, 2) * 60 + digits(3, 5);
    let (second, length) = match clock.len() {
        5 => (0, 60_000),
        8 => (digits(6, 8) * 1000, 1000),
        _ => (digits(6, 8) * 1000 + digits(9, 12), 1),
    };
    let within = minute * 60_000 + second;
    let begin = match offset {
        "" => {
            let (hour, minute) =
                (i8::try_from(minute / 60).unwrap(), i8::try_from(minute % 60).unwrap());
            let at = start.at(hour, minute, 0, 0).to_zoned(zone).unwrap();
            at.timestamp().as_millisecond() + second
        }
        offset => {
            let utc = start.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
            let ahead = if offset == "Z" {
                0
            } else {
                let hours = offset[1..3].parse::<i64>().unwrap() * 60
                    + offset[4..6].parse::<i64>().unwrap();
                if offset.starts_with('-') { -hours } else { hours }
            };
            utc + within - ahead * 60_000
        }
    };
    (begin, begin + length)
}

/// The range of a date or a period; an end that is not given is open.
pub(super) fn span(element: &Value) -> Range {
    if let Some(text) = element.as_str() {
        return moments(text);
    }
    // Of a timing only the outer limits matter.
    if let Some(events) = element["event"].as_array() {
        let spans: Vec<Range> = events.iter().map(span).collect();
        let (start, end) = (spans.iter().map(|one| one.0), spans.iter().map(|one| one.1));
        return (start.min().unwrap(), end.max().unwrap());
    }
    let start = element["start"].as_str().map_or(i64::MIN, |text| moments(text).0);
    let end = element["end"].as_str().map_or(i64::MAX, |text| moments(text).1);
    (start, end)
}

fn ranges_agree(prefix: Prefix, asked: Range, value: Range) -> bool {
    let is_equal = asked.0 <= value.0 && value.1 <= asked.1;
    match prefix {
        Prefix::Eq => is_equal,
        Prefix::Ne => !is_equal,
        Prefix::Gt => value.1 > asked.1,
        Prefix::Lt => value.0 < asked.0,
        Prefix::Ge => value.1 > asked.1 || is_equal,
        Prefix::Le => value.0 < asked.0 || is_equal,
        Prefix::Sa => value.0 >= asked.1,
        Prefix::Eb => value.1 <= asked.0,
        Prefix::Ap => value.0 < asked.1 && asked.0 < value.1,
    }
}

const ONE: i128 = 1_000_000_000_000;

/// A decimal in billionths of a thousandth, and half of its last digit.
fn decimal(text: &str) -> (i128, i128) {
    let (text, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = i32::try_from(fraction.len()).unwrap() - power.parse::<i32>().unwrap();
    let last = match u32::try_from(places) {
        Ok(places) => ONE / 10_i128.pow(places),
        Err(_) => ONE * 10_i128.pow(places.unsigned_abs()),
    };
    let all: i128 = format!("{whole}{fraction}").parse().unwrap();
    (sign * all * last, last / 2)
}

pub(super) fn number(element: &Value) -> i128 {
    decimal(&element.to_string()).0
}

fn numbers_agree(prefix: Prefix, digits: &str, factor: i128, value: i128) -> bool {
    let (asked, half) = decimal(digits);
    let (asked, half) = (asked * factor, half * factor);
    let is_equal = asked - half <= value && value < asked + half;
    match prefix {
        Prefix::Eq => is_equal,
        Prefix::Ne => !is_equal,
        Prefix::Gt | Prefix::Sa => value > asked,
        Prefix::Lt | Prefix::Eb => value < asked,
        Prefix::Ge => value >= asked,
        Prefix::Le => value <= asked,
        Prefix::Ap => (value - asked).abs() * 10 <= asked.abs(),
    }
}

/// The dimension of a unit, and how many of its smallest units it is.
pub(super) fn canonical(code: &str) -> (&str, i128) {
    match code {
        "ug" => ("mass", 1),
        "mg" => ("mass", 1_000),
        "g" => ("mass", 1_000_000),
        "kg" => ("mass", 1_000_000_000),
        "d" => ("time", 86_400),
        "mo" => ("time", 2_629_800),
        "a" => ("time", 31_557_600),
        other => (other, 1),
    }
}

fn quantity_agrees(prefix: Prefix, digits: &str, unit: &Unit, element: &Value) -> bool {
    let value = number(&element["value"]);
    let as_written = || numbers_agree(prefix, digits, 1, value);
    match unit {
        Unit::Any => as_written(),
        Unit::Plain(text) => {
            (element["code"] == **text || element["unit"] == **text) && as_written()
        }
        Unit::Coded(system, code) => {
            if element["system"] != **system {
                return false;
            }
            if system != UCUM {
                return element["code"] == **code && as_written();
            }
            let (dimension, factor) = canonical(code);
            let (other, multiple) = canonical(element["code"].as_str().unwrap());
            dimension == other && numbers_agree(prefix, digits, factor, value * multiple)
        }
    }
}
