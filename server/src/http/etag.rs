//! Version ids as entity tags, instants as HTTP dates (http.html#concurrency, #cread).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;

/// `If-Match` and `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `*`: any version at all.
    Any,
    Versions(Vec<i32>),
}

impl Condition {
    /// `W/"3"`, `"3"` and lists of them. A tag that is no version of ours matches nothing.
    pub fn parse(text: &str) -> Result<Condition, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Condition::Any);
        }
        let mut versions = Vec::new();
        for tag in text.split(',') {
            let tag = tag.trim();
            let quoted = tag.strip_prefix("W/").unwrap_or(tag);
            let inner = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .ok_or_else(|| format!("`{tag}` is not an entity tag such as W/\"1\""))?;
            versions.extend(inner.parse::<i32>().ok());
        }
        Ok(Condition::Versions(versions))
    }

    pub fn holds(&self, version: Option<i32>) -> bool {
        match (self, version) {
            (_, None) => false,
            (Condition::Any, Some(_)) => true,
            (Condition::Versions(versions), Some(version)) => versions.contains(&version),
        }
    }
}

pub fn etag(version: i32) -> String {
    format!("W/\"{version}\"")
}

/// `2026-11-23T08:00:00.123Z`, as `meta.lastUpdated` and `Bundle.entry.response.lastModified` have it.
pub fn instant(micros: i64) -> String {
    let milliseconds = micros.div_euclid(1_000);
    Timestamp::from_millisecond(milliseconds)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
        .unwrap_or_default()
}

/// `Mon, 23 Nov 2026 08:00:00 GMT`.
pub fn http_date(micros: i64) -> String {
    Timestamp::from_second(micros.div_euclid(1_000_000))
        .ok()
        .and_then(|time| DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok())
        .unwrap_or_default()
}

/// Seconds since 1970 of an HTTP date; one that cannot be read is no condition (RFC 9110).
pub fn parse_http_date(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.with_time_zone(TimeZone::UTC).timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::{Condition, http_date, instant, parse_http_date};

    #[test]
    fn tags_are_read_in_all_their_forms() {
        assert_eq!(Condition::parse("W/\"3\""), Ok(Condition::Versions(vec![3])));
        assert_eq!(Condition::parse("\"3\", W/\"4\""), Ok(Condition::Versions(vec![3, 4])));
        assert_eq!(Condition::parse(" * "), Ok(Condition::Any));
        assert_eq!(Condition::parse("\"abc\""), Ok(Condition::Versions(vec![])));
        assert!(Condition::parse("3").is_err());
        assert!(Condition::parse("").is_err());
    }

    #[test]
    fn dates_go_both_ways() {
        assert_eq!(instant(1_763_884_800_123_456), "2025-11-23T08:00:00.123Z");
        assert_eq!(http_date(1_763_884_800_123_456), "Sun, 23 Nov 2025 08:00:00 GMT");
        assert_eq!(parse_http_date("Sun, 23 Nov 2025 08:00:00 GMT"), Some(1_763_884_800));
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
