//! Dates and times as ranges of microseconds since 1970 (search.html#date).
//!
//! A date means all of its year, month, day, minute or second; without an offset it is one of the server's time zone.

use fhir::path::temporal::{self, DateTime};
use jiff::civil;
use jiff::tz::TimeZone;

/// From `low` up to, not including, `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub low: i64,
    pub high: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no date; use yyyy, yyyy-mm, yyyy-mm-dd or yyyy-mm-ddThh:mm[:ss[.sss]][Z|+hh:mm]")]
pub struct Error(String);

pub fn parse(text: &str, zone: &TimeZone) -> Result<Range, Error> {
    let refuse = || Error(crate::error::shown(text));
    // A `+` that was not percent-encoded arrives as a space.
    let moment = DateTime::parse(&text.replace(' ', "+")).ok_or_else(refuse)?;
    match moment.time {
        None => day(moment.date, zone),
        Some(time) => clock(moment, time, zone),
    }
    .ok_or_else(refuse)
}

fn day(date: temporal::Date, zone: &TimeZone) -> Option<Range> {
    let first = civil_date(date)?;
    // The calendar ends with 9999: what would come after has no bound.
    let next = match (date.month, date.day) {
        (None, _) => civil::Date::new(first.year().checked_add(1)?, 1, 1).ok(),
        (Some(12), None) => civil::Date::new(first.year().checked_add(1)?, 1, 1).ok(),
        (Some(_), None) => civil::Date::new(first.year(), first.month().checked_add(1)?, 1).ok(),
        (Some(_), Some(_)) => first.tomorrow().ok(),
    };
    let low = micros(first.at(0, 0, 0, 0), None, zone)?;
    let high = next.and_then(|next| micros(next.at(0, 0, 0, 0), None, zone)).unwrap_or(i64::MAX);
    Some(Range { low, high })
}

fn clock(moment: DateTime, time: temporal::Time, zone: &TimeZone) -> Option<Range> {
    let date = civil_date(moment.date)?;
    let start = date.at(i8::try_from(time.hour).ok()?, i8::try_from(time.minute?).ok()?, 0, 0);
    let start = micros(start, moment.offset, zone)?;
    let Some(second) = time.second else {
        return Some(Range { low: start, high: start.checked_add(60_000_000)? });
    };
    // The fraction of a second counts down to the microsecond; a leap second is the first one of the next minute.
    let fraction = i64::from(second.nanos / 1_000);
    let low = start.checked_add(i64::from(second.whole) * 1_000_000)?.checked_add(fraction)?;
    let width = 10_i64.pow(6_u32.saturating_sub(u32::from(second.digits)));
    Some(Range { low, high: low.checked_add(width)? })
}

fn civil_date(date: temporal::Date) -> Option<civil::Date> {
    let month = i8::try_from(date.month.unwrap_or(1)).ok()?;
    let day = i8::try_from(date.day.unwrap_or(1)).ok()?;
    civil::Date::new(i16::try_from(date.year).ok()?, month, day).ok()
}

fn micros(moment: civil::DateTime, offset_minutes: Option<i16>, zone: &TimeZone) -> Option<i64> {
    let Some(minutes) = offset_minutes else {
        let timestamp = zone.to_ambiguous_timestamp(moment).compatible().ok()?;
        return Some(timestamp.as_microsecond());
    };
    let utc = TimeZone::UTC.to_ambiguous_timestamp(moment).compatible().ok()?;
    utc.as_microsecond().checked_sub(i64::from(minutes) * 60_000_000)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    fn check_in(zone: &str, text: &str, low: &str, high: &str) {
        let range = parse(text, &TimeZone::get(zone).unwrap()).unwrap();
        let micros = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        assert_eq!((range.low, range.high), (micros(low), micros(high)), "{text}");
    }

    fn check(text: &str, low: &str, high: &str) {
        check_in("Asia/Shanghai", text, low, high);
    }

    #[test]
    fn a_date_means_all_of_what_it_names() {
        check("2026", "2025-12-31T16:00:00Z", "2026-12-31T16:00:00Z");
        check("2026-02", "2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z");
        check("2026-12", "2026-11-30T16:00:00Z", "2026-12-31T16:00:00Z");
        check("2026-11-23", "2026-11-22T16:00:00Z", "2026-11-23T16:00:00Z");
        check("2026-11-23T08:00", "2026-11-23T00:00:00Z", "2026-11-23T00:01:00Z");
        check("2026-11-23T08:00:30", "2026-11-23T00:00:30Z", "2026-11-23T00:00:31Z");
        check("2026-11-23T08:00:30.5", "2026-11-23T00:00:30.5Z", "2026-11-23T00:00:30.6Z");
        check("2026-11-23T08:00:30.123Z", "2026-11-23T08:00:30.123Z", "2026-11-23T08:00:30.124Z");
    }

    #[test]
    fn an_offset_says_more_than_the_zone() {
        check("2026-11-23T08:00-05:30", "2026-11-23T13:30:00Z", "2026-11-23T13:31:00Z");
        check("2026-11-23T08:00 08:00", "2026-11-23T00:00:00Z", "2026-11-23T00:01:00Z");
        check("2026-11-23T08:00Z", "2026-11-23T08:00:00Z", "2026-11-23T08:01:00Z");
    }

    #[test]
    fn a_day_has_the_hours_its_zone_gives_it() {
        check_in("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
        check_in("Europe/Berlin", "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    }

    #[test]
    fn the_end_of_the_calendar_is_no_end() {
        let zone = TimeZone::UTC;
        for text in ["9999", "9999-12", "9999-12-31"] {
            let range = parse(text, &zone);
            assert!(range.is_err() || range.unwrap().high == i64::MAX, "{text}");
        }
        assert_eq!(parse("9999", &zone).unwrap().high, i64::MAX);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "2026-11-23T08",
            "2026-11-23T",
            "2026-11-23 08:00",
            "é",
        ] {
            assert!(parse(text, &TimeZone::UTC).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "[0-9]{0,4}(-[0-9]{0,2}){0,2}(T[0-9:.+Z-]{0,20})?") {
            if let Ok(range) = parse(&text, &TimeZone::get("America/New_York").unwrap()) {
                prop_assert!(range.low < range.high);
            }
        }
    }
}
