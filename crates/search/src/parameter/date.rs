//! Date parameters (search.html#date): a value is the range that its precision, its period or its timing leaves open.

use crate::compare::{Prefix, Span, UNBOUNDED, of_range};
use crate::date::{self, Range};
use crate::error::Error;
use crate::query::Context;
use jiff::tz::TimeZone;
use serde_json::Value;

/// The types it reads.
pub(crate) const KINDS: [&str; 6] = ["date", "dateTime", "instant", "Period", "Timing", "time"];

/// Hands on the first and the last microsecond of a value.
pub(crate) fn each(value: &Value, zone: &TimeZone, mut visit: impl FnMut(i64, i64)) {
    match value {
        Value::String(text) => {
            if let Some(range) = read(text, zone) {
                visit(range.low, last(range.high));
            }
        }
        Value::Object(_) => {
            if let Some((low, high)) = period(value, zone).or_else(|| timing(value, zone)) {
                visit(low, high);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
}

fn read(text: &str, zone: &TimeZone) -> Option<Range> {
    date::parse(text, zone).ok()
}

fn last(high: i64) -> i64 {
    high.min(UNBOUNDED).saturating_sub(1)
}

fn period(value: &Value, zone: &TimeZone) -> Option<(i64, i64)> {
    let end = |name| value.get(name).and_then(Value::as_str).and_then(|text| read(text, zone));
    let (start, end) = (end("start"), end("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = start.map_or(-UNBOUNDED, |range| range.low);
    let high = end.map_or(UNBOUNDED, |range| last(range.high));
    // A period that ends before it begins was let in by no invariant; it is found at its start.
    Some((low, high.max(low)))
}

/// From the first event to the last, within its bounds.
fn timing(value: &Value, zone: &TimeZone) -> Option<(i64, i64)> {
    let mut ends: Option<(i64, i64)> = None;
    let mut add = |low: i64, high: i64| {
        ends = Some(ends.map_or((low, high), |(from, to)| (from.min(low), to.max(high))));
    };
    let events = value.get("event").and_then(Value::as_array);
    for event in events.into_iter().flatten().filter_map(Value::as_str) {
        if let Some(range) = read(event, zone) {
            add(range.low, last(range.high));
        }
    }
    let bounds = value.get("repeat").and_then(|repeat| repeat.get("boundsPeriod"));
    if let Some((low, high)) = bounds.and_then(|bounds| period(bounds, zone)) {
        add(low, high);
    }
    ends
}

pub(crate) fn parse(text: &str, parameter: &str, context: &Context) -> Result<Vec<Span>, Error> {
    let (prefix, rest) = Prefix::take(text, parameter)?;
    let range = date::parse(rest, context.time_zone).map_err(|error| Error::Value {
        parameter: parameter.to_owned(),
        reason: error.to_string(),
    })?;
    // A tenth of the time between then and now, as search.html recommends.
    let around = context.now_micros.abs_diff(range.low) / 10;
    Ok(of_range(prefix, range.low, last(range.high), i64::try_from(around).unwrap_or(UNBOUNDED)))
}

#[cfg(test)]
mod tests {
    use super::each;
    use crate::compare::UNBOUNDED;
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    const DAY: i64 = 86_400_000_000;

    fn check(value: &Value, expected: Option<(i64, i64)>) {
        let mut found = None;
        each(value, &TimeZone::UTC, |low, high| found = Some((low, high)));
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn values_are_ranges() {
        check(&json!("1970-01-01"), Some((0, DAY - 1)));
        check(&json!("1970-01-01T00:00:01Z"), Some((1_000_000, 1_999_999)));
        check(&json!({ "start": "1970-01-02" }), Some((DAY, UNBOUNDED)));
        check(&json!({ "end": "1970-01-02" }), Some((-UNBOUNDED, 2 * DAY - 1)));
        check(&json!({ "event": ["1970-01-03", "1970-01-01"] }), Some((0, 3 * DAY - 1)));
        let bounds = json!({ "start": "1970-01-01", "end": "1970-01-01" });
        check(&json!({ "repeat": { "boundsPeriod": bounds } }), Some((0, DAY - 1)));
        check(&json!({ "code": {} }), None);
        check(&json!("soon"), None);
    }
}
