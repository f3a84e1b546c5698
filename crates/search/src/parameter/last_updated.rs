//! `_lastUpdated` (search.html#lastUpdated): when a version came to be, as ranges of microseconds.
//!
//! A version's moment is a point, so every prefix asks for one range, or two: `sa` means `gt`, `eb` means `lt`.

use crate::date::{self, Range};
use crate::error::Error;
use jiff::tz::TimeZone;
use serde_json::Value;

const NAME: &str = "_lastUpdated";

/// The moment a version says it came to be: a range, as its text is no more precise than a millisecond.
pub(crate) fn of(resource: &Value) -> Option<Range> {
    let text = resource.get("meta")?.get("lastUpdated")?.as_str()?;
    date::parse(text, &TimeZone::UTC).ok()
}

pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Vec<Range>, Error> {
    let is_prefix = |prefix: &&str| prefix.bytes().all(|byte| byte.is_ascii_lowercase());
    let (prefix, rest) = match text.get(..2).filter(is_prefix) {
        Some(prefix) => (prefix, text.get(2..).unwrap_or_default()),
        None => ("eq", text),
    };
    let range = date::parse(rest, zone)
        .map_err(|error| Error::Value { parameter: NAME.to_owned(), reason: error.to_string() })?;
    let before = |high| Range { low: i64::MIN, high };
    let from = |low| Range { low, high: i64::MAX };
    Ok(match prefix {
        "eq" => vec![range],
        "ne" => vec![before(range.low), from(range.high)],
        "gt" | "sa" => vec![from(range.high)],
        "lt" | "eb" => vec![before(range.low)],
        "ge" => vec![from(range.low)],
        "le" => vec![before(range.high)],
        _ => {
            let instead = "use eq, ne, gt, ge, lt, le, sa or eb".to_owned();
            let what = format!("the prefix `{prefix}` of `{NAME}`");
            return Err(Error::NotSupported { what, instead });
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

/// What is in a range of both; both are in order and apart.
pub(crate) fn intersection(left: &[Range], right: &[Range]) -> Vec<Range> {
    let mut both = Vec::new();
    let (mut lefts, mut rights) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(left), Some(right)) = (lefts.peek(), rights.peek()) {
        let range = Range { low: left.low.max(right.low), high: left.high.min(right.high) };
        if range.low < range.high {
            both.push(range);
        }
        if left.high < right.high {
            lefts.next();
        } else {
            rights.next();
        }
    }
    both
}

pub(crate) fn meets(ranges: &[Range], moment: &Range) -> bool {
    ranges.iter().any(|range| range.low < moment.high && moment.low < range.high)
}

#[cfg(test)]
mod tests {
    use super::{Range, intersection, meets, of, parse, union};
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    const SECOND: &str = "2026-11-23T08:00:30Z";

    /// Whether a version of this second is found.
    fn check(text: &str, expected: bool) {
        let resource = json!({ "meta": { "lastUpdated": "2026-11-23T08:00:30.500Z" } });
        let ranges = parse(text, &TimeZone::UTC).unwrap();
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
        for text in ["ap2026", "xx2026", "gt", "g2026", "éé2026"] {
            assert!(parse(text, &TimeZone::UTC).is_err(), "{text}");
        }
    }

    fn ranges() -> impl Strategy<Value = Vec<Range>> {
        let range = (0_i64..12, 1_i64..5).prop_map(|(low, width)| Range { low, high: low + width });
        prop::collection::vec(range, 0..5).prop_map(union)
    }

    proptest! {
        #[test]
        fn what_both_have_is_in_the_intersection(left in ranges(), right in ranges(), at in 0_i64..18) {
            let moment = Range { low: at, high: at + 1 };
            let both = meets(&left, &moment) && meets(&right, &moment);
            prop_assert_eq!(meets(&intersection(&left, &right), &moment), both);
            prop_assert!(left.windows(2).all(|pair| pair[0].high < pair[1].low));
        }
    }
}
