//! `_lastUpdated` (search.html#lastUpdated): when a version came to be, as ranges of microseconds.
//!
//! A version's moment is a point, so every prefix asks for one range, or two: `sa` means `gt`, `eb` means `lt`.

use crate::compare::Prefix;
use crate::date::{self, Range};
use crate::error::Error;
use crate::query::Context;
use jiff::tz::TimeZone;
use serde_json::Value;

const NAME: &str = "_lastUpdated";

/// The moment a version says it came to be: a range, as its text is no more precise than a millisecond.
pub(crate) fn of(resource: &Value) -> Option<Range> {
    let text = resource.get("meta")?.get("lastUpdated")?.as_str()?;
    date::parse(text, &TimeZone::UTC).ok()
}

pub(crate) fn parse(text: &str, context: &Context) -> Result<Vec<Range>, Error> {
    let (prefix, rest) = Prefix::take(text, NAME)?;
    let range = date::parse(rest, context.time_zone)
        .map_err(|error| Error::Value { parameter: NAME.to_owned(), reason: error.to_string() })?;
    let before = |high| Range { low: i64::MIN, high };
    let from = |low| Range { low, high: i64::MAX };
    Ok(match prefix {
        Prefix::Equal => vec![range],
        Prefix::NotEqual => vec![before(range.low), from(range.high)],
        Prefix::Greater | Prefix::StartsAfter => vec![from(range.high)],
        Prefix::Less | Prefix::EndsBefore => vec![before(range.low)],
        Prefix::GreaterOrEqual => vec![from(range.low)],
        Prefix::LessOrEqual => vec![before(range.high)],
        Prefix::Approximately => {
            let around = i64::try_from(context.now_micros.abs_diff(range.low) / 10);
            let around = around.unwrap_or(i64::MAX);
            let (low, high) = (range.low.saturating_sub(around), range.high.saturating_add(around));
            vec![Range { low, high }]
        }
    })
}

/// What is in any of the ranges: in order, apart from each other.
pub(crate) fn union(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| range.low);
    let mut apart: Vec<Range> = Vec::new();
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.low <= last.high => last.high = last.high.max(range.high),
            Some(_) | None => apart.push(range),
        }
    }
    apart
}

pub(crate) fn meets(ranges: &[Range], moment: &Range) -> bool {
    ranges.iter().any(|range| range.low < moment.high && moment.low < range.high)
}

#[cfg(test)]
mod tests {
    use super::{meets, of, parse};
    use crate::query::tests::NOW;
    use crate::query::{Codes, Context, Unknown};
    use crate::veil::Veil;
    use jiff::tz::TimeZone;
    use serde_json::json;

    const SECOND: &str = "2026-11-23T08:00:30Z";

    fn context(zone: &TimeZone) -> Context<'_> {
        static VEIL: std::sync::OnceLock<Veil> = std::sync::OnceLock::new();
        static NONE: std::sync::LazyLock<Codes> = std::sync::LazyLock::new(Codes::new);
        Context {
            base_url: "",
            time_zone: zone,
            now_micros: NOW,
            unknown: Unknown::Refuse,
            codes: &NONE,
            custom: std::sync::Arc::default(),
            veil: VEIL.get_or_init(|| Veil::new(b"")),
        }
    }

    /// Whether a version of this second is found.
    fn check(text: &str, expected: bool) {
        let resource = json!({ "meta": { "lastUpdated": "2026-11-23T08:00:30.500Z" } });
        let ranges = parse(text, &context(&TimeZone::UTC)).unwrap();
        assert_eq!(meets(&ranges, &of(&resource).unwrap()), expected, "{text}");
    }

    #[test]
    fn prefixes_compare_with_all_that_the_date_means() {
        for (prefix, expected) in [
            ("", true),
            ("eq", true),
            ("ne", false),
            ("gt", false),
            ("sa", false),
            ("lt", false),
            ("eb", false),
            ("ge", true),
            ("le", true),
        ] {
            check(&format!("{prefix}{SECOND}"), expected);
        }
        check("gt2026-11-23T08:00:29Z", true);
        check("lt2026-11-23T08:00:31Z", true);
        check("ne2026-11-23T08:00:31Z", true);
        check("2026-11", true);
        check("gt2026", false);
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for text in ["xx2026", "gt", "g2026", "éé2026"] {
            assert!(parse(text, &context(&TimeZone::UTC)).is_err(), "{text}");
        }
    }
}
