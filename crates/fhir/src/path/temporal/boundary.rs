//! The first and the last moment that an imprecise one may stand for, at a wished precision (fhirpath.html, boundaries).
//!
//! Precision is counted in digits: 4 a year, 6 a month, 8 a day, then two for hours and minutes, five for seconds.

use super::{Date, DateTime, Second, Time, days_in_month};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Low,
    High,
}

impl Side {
    fn pick(self, low: u8, high: u8) -> u8 {
        match self {
            Side::Low => low,
            Side::High => high,
        }
    }
}

impl Date {
    pub fn precision(self) -> i32 {
        match (self.month, self.day) {
            (None, _) => 4,
            (Some(_), None) => 6,
            (Some(_), Some(_)) => 8,
        }
    }

    pub fn boundary(self, side: Side, precision: i32) -> Option<Date> {
        let month = self.month.unwrap_or_else(|| side.pick(1, 12));
        let last = days_in_month(self.year, month);
        let day = self.day.unwrap_or_else(|| side.pick(1, last));
        let (month, day) = match precision {
            4 => (None, None),
            6 => (Some(month), None),
            8 => (Some(month), Some(day)),
            _ => return None,
        };
        Some(Date { year: self.year, month, day })
    }
}

impl Time {
    pub fn precision(self) -> i32 {
        match (self.minute, self.second) {
            (None, _) => 2,
            (Some(_), None) => 4,
            (Some(_), Some(Second { digits: 0, .. })) => 6,
            (Some(_), Some(_)) => 9,
        }
    }

    pub fn boundary(self, side: Side, precision: i32) -> Option<Time> {
        let minute = self.minute.unwrap_or_else(|| side.pick(0, 59));
        let (whole, nanos) = match (self.second, side) {
            (Some(Second { whole, nanos, digits: 1.. }), _) => (whole, nanos),
            (Some(Second { whole, .. }), Side::Low) => (whole, 0),
            (Some(Second { whole, .. }), Side::High) => (whole, 999_000_000),
            (None, Side::Low) => (0, 0),
            (None, Side::High) => (59, 999_000_000),
        };
        let (minute, second) = match precision {
            2 => (None, None),
            4 => (Some(minute), None),
            6 => (Some(minute), Some(Second { whole, nanos: 0, digits: 0 })),
            9 => (Some(minute), Some(Second { whole, nanos, digits: 3 })),
            _ => return None,
        };
        Some(Time { hour: self.hour, minute, second })
    }
}

impl DateTime {
    pub fn precision(self) -> i32 {
        match self.time {
            None => self.date.precision(),
            Some(time) => 8 + time.precision(),
        }
    }

    /// Without an offset the day starts first in the far east and ends last in the far west.
    pub fn boundary(self, side: Side, precision: i32) -> Option<DateTime> {
        if precision <= 8 {
            return self.date.boundary(side, precision).map(DateTime::from);
        }
        let date = self.date.boundary(side, 8)?;
        let hour = side.pick(0, 23);
        let time = self.time.unwrap_or(Time { hour, minute: None, second: None });
        let time = time.boundary(side, precision.checked_sub(8)?)?;
        let open = match side {
            Side::Low => 14 * 60,
            Side::High => -12 * 60,
        };
        Some(DateTime { date, time: Some(time), offset: self.offset.or(Some(open)) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DateTime;
    use super::Side;

    fn check(text: &str, precision: i32, low: Option<&str>, high: Option<&str>) {
        let moment = DateTime::parse(text).unwrap();
        for (side, expected) in [(Side::Low, low), (Side::High, high)] {
            let found = moment.boundary(side, precision).map(|found| found.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{text} {precision}");
        }
    }

    #[test]
    fn boundaries_fill_what_is_missing() {
        check("2014", 6, Some("2014-01"), Some("2014-12"));
        check("2016-02", 8, Some("2016-02-01"), Some("2016-02-29"));
        check(
            "2014-01-01T08:05",
            17,
            Some("2014-01-01T08:05:00.000+14:00"),
            Some("2014-01-01T08:05:59.999-12:00"),
        );
        check(
            "2014-01-01T08:05:10Z",
            14,
            Some("2014-01-01T08:05:10Z"),
            Some("2014-01-01T08:05:10Z"),
        );
    }

    #[test]
    fn no_precision_has_other_digits() {
        check("2014", 5, None, None);
        check("2014", 99, None, None);
        check("2014", -4, None, None);
    }
}
