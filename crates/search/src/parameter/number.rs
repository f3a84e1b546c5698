//! Number parameters (search.html#number): numbers as they are written, with the precision that their digits show.

use crate::compare::{Prefix, Span, of_point, place};
use crate::error::{Error, shown};
use serde_json::Value;

/// The types it reads.
pub(crate) const KINDS: [&str; 5] = ["integer", "positiveInt", "unsignedInt", "decimal", "Range"];

/// The place of an end that is missing, beyond all numbers.
pub(crate) const ENDLESS: i64 = 1 << 62;

/// Hands on the ends of a value.
pub(crate) fn each(value: &Value, mut visit: impl FnMut(i64, i64)) {
    match value {
        Value::Number(number) => {
            if let Some(at) = read(number.as_str()) {
                visit(at, at);
            }
        }
        Value::Object(range) => {
            let end = |name: &str| {
                let number =
                    range.get(name).and_then(|quantity| quantity.get("value"))?.as_number()?;
                read(number.as_str())
            };
            let (low, high) = (end("low"), end("high"));
            if low.is_some() || high.is_some() {
                visit(low.unwrap_or(-ENDLESS), high.unwrap_or(ENDLESS));
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
    }
}

fn read(text: &str) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then(|| place(number))
}

/// A number that is asked for, with what its digits leave open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked<'a> {
    pub(crate) prefix: Prefix,
    pub(crate) text: &'a str,
    /// The least number it stands for, and the first beyond: `100` is 99.5 up to 100.5.
    pub(crate) low: String,
    pub(crate) high: String,
}

impl<'a> Asked<'a> {
    pub(crate) fn parse(text: &'a str, parameter: &str) -> Result<Asked<'a>, Error> {
        let (prefix, number) = Prefix::take(text, parameter)?;
        let halves = halves(number).ok_or_else(|| Error::Value {
            parameter: parameter.to_owned(),
            reason: format!("`{}` is no number; write for example 5.4, -2 or 1e3", shown(number)),
        })?;
        Ok(Asked { prefix, text: number, low: halves.0, high: halves.1 })
    }

    /// What is asked of values on the line that `at` maps numbers to.
    pub(crate) fn spans(&self, at: impl Fn(&str) -> Option<f64>) -> Option<Vec<Span>> {
        let number = at(self.text)?;
        let (low, high) = (place(at(&self.low)?), place(at(&self.high)?));
        let tenth = number.abs() / 10.0;
        let about = (place(number - tenth), place(number + tenth));
        // An offset or a negative factor does not turn the line around: units have neither.
        Some(of_point(self.prefix, place(number), (low, high.saturating_sub(1).max(low)), about))
    }
}

pub(crate) fn parse(text: &str, parameter: &str) -> Result<Vec<Span>, Error> {
    let asked = Asked::parse(text, parameter)?;
    asked.spans(|text| text.parse().ok().filter(|number: &f64| number.is_finite())).ok_or_else(
        || {
            let reason = format!("`{}` is too large", shown(text));
            Error::Value { parameter: parameter.to_owned(), reason }
        },
    )
}

/// The ends of what a number stands for, half of its last digit away. `1e2` is 95 up to 105, as search.html#number says.
fn halves(text: &str) -> Option<(String, String)> {
    const DIGITS_MAX: usize = 34;
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i16>().ok()?)),
        None => (text, None),
    };
    let (is_negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_written = !whole.is_empty() && is_number(whole) && is_number(fraction);
    if !is_written || digits.ends_with('.') || digits.len() > DIGITS_MAX {
        return None;
    }
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let value = if is_negative { -value } else { value };
    let scale = i32::from(exponent.unwrap_or(0)) - i32::try_from(fraction.len()).ok()?;
    // In tenths of the last digit, or in hundredths where an exponent stands after a whole number.
    let (shift, half) = if exponent.is_some() && fraction.is_empty() { (2, 5) } else { (1, 5) };
    let unit = 10_i128.checked_pow(shift)?;
    let at = |offset: i128| {
        let place = value.checked_mul(unit)?.checked_add(offset)?;
        Some(format!("{place}e{}", scale - i32::try_from(shift).ok()?))
    };
    Some((at(-half)?, at(half)?))
}

#[cfg(test)]
mod tests {
    use super::{Asked, parse};
    use crate::compare::place;

    fn check(text: &str, number: f64, expected: bool) {
        let at = place(number);
        let holds = parse(text, "x").unwrap().iter().any(|span| span.holds(at, at));
        assert_eq!(holds, expected, "{text} {number}");
    }

    #[test]
    fn digits_say_how_precise_a_number_is() {
        for (text, number, expected) in [
            ("100", 99.5, true),
            ("100", 100.49, true),
            ("100", 100.5, false),
            ("100.00", 99.995, true),
            ("100.00", 100.01, false),
            ("1e2", 95.0, true),
            ("1e2", 104.9, true),
            ("1e2", 105.0, false),
            ("lt100", 99.9, true),
            ("lt100", 100.0, false),
            ("le100", 100.0, true),
            ("gt100", 100.0, false),
            ("gt100", 100.001, true),
            ("ge100", 100.0, true),
            ("ne100", 100.2, false),
            ("ne100", 100.5, true),
            ("sa100", 100.2, true),
            ("eb100", 99.9, true),
            ("ap100", 110.0, true),
            ("ap100", 110.1, false),
            ("-5.40", -5.4, true),
            ("-5.40", -5.41, false),
            ("0.1", 0.05, true),
        ] {
            check(text, number, expected);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "gt", "a", "1.", ".5", "1,5", "1e", "1e99999", "--1", "NaN", "xx5"] {
            assert!(parse(text, "x").is_err(), "{text}");
        }
        assert!(Asked::parse(&"1".repeat(40), "x").is_err());
    }
}
