//! A moment and a duration (FHIRPath section 6.7).

use super::order::{NANOS_PER_DAY, day_number};
use super::{Date, DateTime, Second, Time, days_in_month};
use crate::path::quantity::Calendar;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

/// How long a unit is, where units are counted in smaller ones: a month has 30 days, a year 365.
fn nanos(unit: Calendar) -> i128 {
    match unit {
        Calendar::Year => 365 * NANOS_PER_DAY,
        Calendar::Month => 30 * NANOS_PER_DAY,
        Calendar::Week => 7 * NANOS_PER_DAY,
        Calendar::Day => NANOS_PER_DAY,
        Calendar::Hour => NANOS_PER_DAY / 24,
        Calendar::Minute => NANOS_PER_DAY / 1_440,
        Calendar::Second => NANOS_PER_DAY / 86_400,
        Calendar::Millisecond => NANOS_PER_DAY / 86_400_000,
    }
}

/// Whole units only: what stands behind the point is ignored.
fn whole(value: Decimal) -> Option<i128> {
    value.trunc().to_i128()
}

impl Date {
    /// None when the calendar ends before.
    pub fn shift(self, value: Decimal, unit: Calendar) -> Option<Date> {
        let value = whole(value)?;
        let months = match unit {
            Calendar::Year => value.checked_mul(12)?,
            Calendar::Month => value,
            _ => {
                let days = value.checked_mul(nanos(unit))? / NANOS_PER_DAY;
                return match (self.month, self.day) {
                    (Some(month), Some(day)) => {
                        date_of(day_number(self.year, month, day).checked_add(days)?)
                    }
                    (Some(_), None) => self.shift_months(days / 30),
                    (None, _) => self.shift_months(days / 365 * 12),
                };
            }
        };
        self.shift_months(months)
    }

    /// The day stays where the month has it; otherwise it is the last of the month.
    fn shift_months(self, months: i128) -> Option<Date> {
        let month = i128::from(self.month.unwrap_or(1)) - 1;
        let total = (i128::from(self.year) * 12 + month).checked_add(months)?;
        let year = u16::try_from(total.div_euclid(12)).ok()?;
        if !(1..=9999).contains(&year) {
            return None;
        }
        let month = u8::try_from(total.rem_euclid(12) + 1).ok()?;
        let day = self.day.map(|day| day.min(days_in_month(year, month)));
        Some(Date { year, month: self.month.map(|_| month), day })
    }
}

fn date_of(number: i128) -> Option<Date> {
    // The inverse of `day_number`: eras of 400 years, whose years start in March.
    let era = number.div_euclid(146_097);
    let day = number.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let rest = day - (365 * year + year / 4 - year / 100);
    let month = (5 * rest + 2) / 153;
    let day = u8::try_from(rest - (153 * month + 2) / 5 + 1).ok()?;
    let (year, month) = match month {
        ..10 => (year + era * 400, month + 3),
        _ => (year + era * 400 + 1, month - 9),
    };
    let year = u16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
    Some(Date { year, month: u8::try_from(month).ok(), day: Some(day) })
}

impl Time {
    /// Around midnight, as clocks do; the precision stays.
    pub fn shift(self, value: Decimal, unit: Calendar) -> Option<Time> {
        self.shift_nanos(whole(value)?.checked_mul(nanos(unit))?).map(|(time, _)| time)
    }

    /// The time, and the days it is past the midnight it started from.
    fn shift_nanos(self, by: i128) -> Option<(Time, i128)> {
        // A coarse time counts whole units of its own.
        let unit = match (self.minute, self.second) {
            (None, _) => nanos(Calendar::Hour),
            (Some(_), None) => nanos(Calendar::Minute),
            (Some(_), Some(_)) => 1,
        };
        let total = self.nanos().checked_add(by / unit * unit)?;
        let days = total.div_euclid(NANOS_PER_DAY);
        let nanos = total.rem_euclid(NANOS_PER_DAY);
        let part = |size: i128, count: i128| u8::try_from(nanos / size % count).ok();
        let second = match self.second {
            Some(second) => {
                let nanos = u32::try_from(nanos % 1_000_000_000).ok()?;
                let digits = if nanos == 0 { second.digits } else { second.digits.max(3) };
                Some(Second { whole: part(1_000_000_000, 60)?, nanos, digits })
            }
            None => None,
        };
        let minute = match self.minute {
            Some(_) => Some(part(60_000_000_000, 60)?),
            None => None,
        };
        Some((Time { hour: part(3_600_000_000_000, 24)?, minute, second }, days))
    }
}

impl DateTime {
    pub fn shift(self, value: Decimal, unit: Calendar) -> Option<DateTime> {
        let by_days =
            matches!(unit, Calendar::Year | Calendar::Month | Calendar::Week | Calendar::Day);
        match self.time {
            Some(time) if !by_days => {
                let (time, days) = time.shift_nanos(whole(value)?.checked_mul(nanos(unit))?)?;
                let date = self.date.shift(Decimal::from_i128(days)?, Calendar::Day)?;
                Some(DateTime { date, time: Some(time), ..self })
            }
            _ => Some(DateTime { date: self.date.shift(value, unit)?, ..self }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::DateTime;
    use crate::path::quantity::Calendar;
    use rust_decimal::Decimal;

    fn check(start: &str, value: &str, unit: &str, expected: Option<&str>) {
        let value: Decimal = value.parse().unwrap();
        let unit = Calendar::parse(unit).unwrap();
        let found = DateTime::parse(start).unwrap().shift(value, unit);
        assert_eq!(found.map(|found| found.to_string()), expected.map(str::to_owned));
    }

    #[test]
    fn months_end_where_the_calendar_says() {
        check("2020-01-31", "1", "month", Some("2020-02-29"));
        check("2020-02-29", "-1", "year", Some("2019-02-28"));
        check("2020-03", "-3", "months", Some("2019-12"));
        check("2020", "24", "months", Some("2022"));
    }

    #[test]
    fn days_and_hours_carry_over() {
        check("1973-12-25", "7.7", "days", Some("1974-01-01"));
        check(
            "2019-12-31T23:59:59.000+10:00",
            "1",
            "second",
            Some("2020-01-01T00:00:00.000+10:00"),
        );
        check("2020-01-01T00:30", "-31", "minutes", Some("2019-12-31T23:59"));
        check("2020-01-01T00:00:00", "10", "milliseconds", Some("2020-01-01T00:00:00.010"));
        check("2000-03-01", "-1", "day", Some("2000-02-29"));
    }

    #[test]
    fn what_is_coarser_than_the_duration_counts_whole_units() {
        check("2020-05", "59", "days", Some("2020-06"));
        check("2020-05-05", "47", "hours", Some("2020-05-06"));
    }

    #[test]
    fn the_calendar_has_an_end() {
        check("9999-12-31", "1", "day", None);
        check("0001", "-1", "year", None);
        check("2020", "9999999999999999999999", "years", None);
    }
}
