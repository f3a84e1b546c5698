//! Which moment is earlier, when the precision allows to say (FHIRPath sections 6.1 and 6.2).

use super::{Date, DateTime, Time, days_in_month};
use std::cmp::Ordering;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MINUTE: i128 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i128 = 60 * NANOS_PER_MINUTE;
pub(super) const NANOS_PER_DAY: i128 = 24 * NANOS_PER_HOUR;

/// Without an offset a moment may be anywhere between UTC-12 and UTC+14.
const EAST_MAX: i128 = 14 * NANOS_PER_HOUR;
const WEST_MAX: i128 = 12 * NANOS_PER_HOUR;

/// The first and the last nanosecond that a moment may stand for.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    first: i128,
    last: i128,
}

impl Span {
    /// None when the spans overlap without being the same.
    fn order(self, other: Span) -> Option<Ordering> {
        if self == other {
            Some(Ordering::Equal)
        } else if self.last < other.first {
            Some(Ordering::Less)
        } else if self.first > other.last {
            Some(Ordering::Greater)
        } else {
            None
        }
    }
}

/// Days since the first of March of the year 0.
pub(super) fn day_number(year: u16, month: u8, day: u8) -> i128 {
    let (year, month, day) = (i128::from(year), i128::from(month), i128::from(day));
    // Years that start in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 1
}

impl Date {
    fn span(self) -> Span {
        let last_month = self.month.unwrap_or(12);
        let last_day = self.day.unwrap_or_else(|| days_in_month(self.year, last_month));
        let first = day_number(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1));
        let last = day_number(self.year, last_month, last_day);
        Span { first: first * NANOS_PER_DAY, last: (last + 1) * NANOS_PER_DAY - 1 }
    }

    pub fn order(self, other: Date) -> Option<Ordering> {
        self.span().order(other.span())
    }

    /// The nanosecond it starts at: to sort by.
    pub(in crate::path) fn start(self) -> i128 {
        self.span().first
    }
}

impl Time {
    pub(super) fn nanos(self) -> i128 {
        let second = self.second.map_or(0, |second| {
            i128::from(second.whole) * NANOS_PER_SECOND + i128::from(second.nanos)
        });
        i128::from(self.hour) * NANOS_PER_HOUR
            + i128::from(self.minute.unwrap_or(0)) * NANOS_PER_MINUTE
            + second
    }

    fn span(self) -> Span {
        let first = self.nanos();
        let last = match (self.minute, self.second) {
            (None, _) => first + NANOS_PER_HOUR - 1,
            (Some(_), None) => first + NANOS_PER_MINUTE - 1,
            (Some(_), Some(_)) => first,
        };
        Span { first, last }
    }

    pub fn order(self, other: Time) -> Option<Ordering> {
        self.span().order(other.span())
    }

    pub(in crate::path) fn start(self) -> i128 {
        self.nanos()
    }
}

impl DateTime {
    fn span(self) -> Span {
        let day = self.date.span();
        let Some(time) = self.time else { return day };
        let time = time.span();
        let east = i128::from(self.offset.unwrap_or(0)) * NANOS_PER_MINUTE;
        Span { first: day.first + time.first - east, last: day.first + time.last - east }
    }

    pub(in crate::path) fn start(self) -> i128 {
        self.span().first
    }

    /// None also when only one of them has an offset and the other could be on either side.
    pub fn order(self, other: DateTime) -> Option<Ordering> {
        let (mut left, mut right) = (self.span(), other.span());
        if self.offset.is_some() != other.offset.is_some() {
            let open = if self.offset.is_none() { &mut left } else { &mut right };
            open.first -= EAST_MAX;
            open.last += WEST_MAX;
        }
        left.order(right)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DateTime, Time};
    use std::cmp::Ordering;

    fn check(left: &str, right: &str, expected: Option<Ordering>) {
        let parse = |text| DateTime::parse(text).unwrap();
        assert_eq!(parse(left).order(parse(right)), expected, "{left} {right}");
        let reversed = expected.map(Ordering::reverse);
        assert_eq!(parse(right).order(parse(left)), reversed, "{right} {left}");
    }

    #[test]
    fn moments_of_one_precision_are_in_order() {
        check("2012-04-15", "2012-04-16", Some(Ordering::Less));
        check("2012", "2012", Some(Ordering::Equal));
        check("2012-03-01", "2012-02-29", Some(Ordering::Greater));
        check("1999-12-31T23:59", "2000-01-01T00:00", Some(Ordering::Less));
        check("2012-04-15T15:30:31", "2012-04-15T15:30:31.0", Some(Ordering::Equal));
    }

    #[test]
    fn a_coarser_moment_is_only_in_order_with_what_lies_outside() {
        check("2018-03", "2018-03-01", None);
        check("2018-03", "2018-04-01", Some(Ordering::Less));
        check("2018-03-01T10:30", "2018-03-01T10:30:00", None);
    }

    #[test]
    fn offsets_count() {
        check("2012-04-15T15:00:00+02:00", "2012-04-15T16:00:00+03:00", Some(Ordering::Equal));
        check("2012-04-15T15:00:00Z", "2012-04-15T10:00:00", None);
        check("2012-04-15T15:00:00Z", "2012-04-17T10:00:00", Some(Ordering::Less));
    }

    #[test]
    fn times_are_in_order() {
        let order = |left, right| Time::parse(left).unwrap().order(Time::parse(right).unwrap());
        assert_eq!(order("10:30", "10:30:00"), None);
        assert_eq!(order("10:30:00", "10:30:00.0"), Some(Ordering::Equal));
        assert_eq!(order("10", "11:00"), Some(Ordering::Less));
    }
}
