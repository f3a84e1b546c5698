//! Days and moments of the proleptic Gregorian calendar, in the time of the city.

use std::fmt;

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(pub(crate) i64);

/// Nothing happens after this day but appointments.
pub(crate) const TODAY: Day = Day(20_635);
/// The oldest records.
pub(crate) const FIRST: Day = Day(16_801);

impl Day {
    /// The first of a month or any other day of it.
    pub(crate) fn of(year: i64, month: i64, day: i64) -> Day {
        // Years begin in March, so that the day that comes and goes is the last.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let of_era = year.rem_euclid(400);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
        Day(era * 146_097 + days - 719_468)
    }

    /// Year, month, day.
    pub(crate) fn civil(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (era * 400 + years + i64::from(month <= 2), month, day)
    }

    pub(crate) fn plus(self, days: i64) -> Day {
        Day(self.0 + days)
    }

    /// Saturdays and Sundays.
    pub(crate) fn is_weekend(self) -> bool {
        (self.0 + 3).rem_euclid(7) >= 5
    }

    /// Whole years from this day to another.
    pub(crate) fn years_to(self, later: Day) -> i64 {
        (later.0 - self.0).max(0) * 400 / 146_097
    }
}

impl fmt::Display for Day {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(out, "{year:04}-{month:02}-{day:02}")
    }
}

/// A minute of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    minute: i64,
}

impl Moment {
    pub(crate) fn of(day: Day, minute: i64) -> Moment {
        Moment { day, minute: 0 }.plus(minute)
    }

    pub(crate) fn plus(self, minutes: i64) -> Moment {
        let sum = self.minute + minutes;
        Moment { day: self.day.plus(sum.div_euclid(1_440)), minute: sum.rem_euclid(1_440) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}T{:02}:{:02}:00+08:00", self.day, self.minute / 60, self.minute % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::{Day, FIRST, Moment, TODAY};

    #[test]
    fn days_and_dates_go_both_ways() {
        assert_eq!(Day::of(1970, 1, 1), Day(0));
        assert_eq!(
            (FIRST.to_string(), TODAY.to_string()),
            ("2016-01-01".into(), "2026-07-01".into())
        );
        for days in (-20_000..30_000).step_by(17) {
            let (year, month, day) = Day(days).civil();
            assert_eq!(Day::of(year, month, day), Day(days));
        }
        assert!(Day::of(2026, 8, 1).is_weekend() && !Day::of(2026, 8, 3).is_weekend());
        assert_eq!(Day::of(2000, 2, 29).years_to(Day::of(2026, 7, 1)), 26);
        let late = Moment::of(Day::of(2023, 12, 31), 23 * 60 + 50);
        assert_eq!(late.plus(20).to_string(), "2024-01-01T00:10:00+08:00");
    }
}
