//! A date as the range of time it stands for (search.html#date).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// From `low` until before `high`, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub low: i64,
    pub high: i64,
}

/// Reads `2026`, `2026-11`, `2026-11-23`, `2026-11-23T08:00`, with seconds, a fraction and an offset as the precision allows. A value
/// without an offset is meant in `zone`.
pub fn parse(text: &str, zone: &TimeZone) -> Result<Range, String> {
    range(text, zone).ok_or_else(|| {
        format!(
            "`{}` is not a date such as 2026, 2026-11-23 or 2026-11-23T08:00:00+08:00",
            short(text)
        )
    })
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

fn range(text: &str, zone: &TimeZone) -> Option<Range> {
    if !text.is_ascii() || text.len() > 40 {
        return None;
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let Some(time) = time else { return of_date(date, zone) };
    let date = whole_date(date)?;
    let (clock, zone) = split_offset(time, zone)?;
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = parts.next();
    if parts.next().is_some() {
        return None;
    }
    let (second, nanosecond, length) = match seconds {
        None => (0, 0, 60_000_000),
        Some(seconds) => of_seconds(seconds)?,
    };
    let hour = i8::try_from(hour).ok()?;
    let minute = i8::try_from(minute).ok()?;
    let start = date.at(hour_in_day(hour)?, minute_in_hour(minute)?, second, nanosecond);
    let low = micros(start, &zone)?;
    Some(Range { low, high: low.checked_add(length)? })
}

fn hour_in_day(hour: i8) -> Option<i8> {
    (0..24).contains(&hour).then_some(hour)
}

fn minute_in_hour(minute: i8) -> Option<i8> {
    (0..60).contains(&minute).then_some(minute)
}

fn of_date(text: &str, zone: &TimeZone) -> Option<Range> {
    let mut parts = text.split('-');
    let year = i16::try_from(digits(parts.next()?, 4)?).ok()?;
    let (start, end) = match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => {
            (Date::new(year, 1, 1).ok()?, Date::new(year.checked_add(1)?, 1, 1).ok()?)
        }
        (Some(month), None, None) => {
            let start = Date::new(year, i8::try_from(digits(month, 2)?).ok()?, 1).ok()?;
            (start, start.last_of_month().tomorrow().ok()?)
        }
        (Some(_), Some(_), None) => {
            let start = whole_date(text)?;
            (start, start.tomorrow().ok()?)
        }
        _ => return None,
    };
    Some(Range {
        low: micros(start.at(0, 0, 0, 0), zone)?,
        high: micros(end.at(0, 0, 0, 0), zone)?,
    })
}

fn whole_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = i16::try_from(digits(parts.next()?, 4)?).ok()?;
    let month = i8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = i8::try_from(digits(parts.next()?, 2)?).ok()?;
    parts.next().is_none().then(|| Date::new(year, month, day).ok())?
}

/// `Z`, `+08:00`, `-05:30`; a `+` that a query turned into a space is still one.
fn split_offset(text: &str, zone: &TimeZone) -> Option<(String, TimeZone)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock.to_owned(), TimeZone::UTC));
    }
    let Some(place) = text.rfind(['+', '-', ' ']) else {
        return Some((text.to_owned(), zone.clone()));
    };
    let (clock, offset) = text.split_at(place);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()? * sign;
    let offset = jiff::tz::Offset::from_seconds(seconds).ok()?;
    Some((clock.to_owned(), TimeZone::fixed(offset)))
}

/// Second, nanosecond, and the length of the range in microseconds.
fn of_seconds(text: &str) -> Option<(i8, i32, i64)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    // A leap second is counted as the second before it.
    let second =
        i8::try_from(digits(whole, 2)?.min(59)).ok().filter(|_| digits(whole, 2) <= Some(60))?;
    let Some(fraction) = fraction else { return Some((second, 0, 1_000_000)) };
    if fraction.is_empty()
        || fraction.len() > 9
        || !fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let places = u32::try_from(fraction.len()).ok()?;
    let nanosecond = fraction.parse::<i32>().ok()? * 10_i32.pow(9 - places);
    Some((second, nanosecond, 10_i64.pow(6_u32.saturating_sub(places))))
}

fn digits(text: &str, length: usize) -> Option<u32> {
    (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn micros(moment: DateTime, zone: &TimeZone) -> Option<i64> {
    let stamp: Timestamp = moment.to_zoned(zone.clone()).ok()?.timestamp();
    Some(stamp.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::parse;
    use jiff::tz::TimeZone;

    fn check(text: &str, expected: Option<(&str, &str)>) {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let show = |micros| jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
        let found = parse(text, &zone).ok().map(|range| (show(range.low), show(range.high)));
        assert_eq!(found, expected.map(|(low, high)| (low.to_owned(), high.to_owned())), "{text}");
    }

    #[test]
    fn a_date_is_the_range_of_its_precision() {
        check("2026", Some(("2025-12-31T16:00:00Z", "2026-12-31T16:00:00Z")));
        check("2026-02", Some(("2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z")));
        check("2026-12-31", Some(("2026-12-30T16:00:00Z", "2026-12-31T16:00:00Z")));
        check("2026-11-23T08:00", Some(("2026-11-23T00:00:00Z", "2026-11-23T00:01:00Z")));
        check("2026-11-23T08:00:01Z", Some(("2026-11-23T08:00:01Z", "2026-11-23T08:00:02Z")));
        check(
            "2026-11-23T08:00:01.5+01:00",
            Some(("2026-11-23T07:00:01.5Z", "2026-11-23T07:00:01.6Z")),
        );
        check(
            "2026-11-23T08:00:01.123Z",
            Some(("2026-11-23T08:00:01.123Z", "2026-11-23T08:00:01.124Z")),
        );
        check("2026-11-23T08:00:00 08:00", Some(("2026-11-23T00:00:00Z", "2026-11-23T00:00:01Z")));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "2026-1-1",
            "2026-11-23T",
            "2026-11-23T25:00",
            "now",
            "2026-11-23T08",
            "２０２６",
        ] {
            check(text, None);
        }
    }
}
