//! Dates and times with the precision they were written with (FHIRPath section 4.1, datatypes.html#dateTime).

pub mod boundary;
mod order;
mod shift;

use std::fmt;

/// `2015`, `2015-02` or `2015-02-04`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: u16,
    pub month: Option<u8>,
    /// Only with a month.
    pub day: Option<u8>,
}

/// `14`, `14:30`, `14:30:10` or `14:30:10.123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub hour: u8,
    pub minute: Option<u8>,
    /// Only with a minute.
    pub second: Option<Second>,
}

/// Seconds and their fraction are one precision: `10` equals `10.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    pub whole: u8,
    pub nanos: u32,
    /// How many digits of the fraction were written, nine at most.
    pub digits: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime {
    pub date: Date,
    /// Only with a day.
    pub time: Option<Time>,
    /// Minutes east of UTC; only with a time.
    pub offset: Option<i16>,
}

/// Two digits at the start of the text.
fn pair(text: &str) -> Option<u8> {
    let (digits, _) = text.split_at_checked(2)?;
    if digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// Two digits after `sign` at byte `at`.
fn pair_after(text: &str, at: usize, sign: char) -> Option<u8> {
    pair(text.get(at..)?.strip_prefix(sign)?)
}

pub(super) fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

impl Date {
    /// The longest date at the start of the text and its length; none when what is there is no day of the calendar.
    pub(super) fn scan(text: &str) -> Option<(Date, usize)> {
        let (digits, rest) = text.split_at_checked(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit()) || starts_with_digit(rest) {
            return None;
        }
        let year: u16 = digits.parse().ok().filter(|year| *year > 0)?;
        let Some(month) = pair_after(text, 4, '-') else {
            return Some((Date { year, month: None, day: None }, 4));
        };
        let Some(day) = pair_after(text, 7, '-') else {
            let date = Date { year, month: Some(month), day: None };
            return (1..=12).contains(&month).then_some((date, 7));
        };
        let known = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        known.then_some((Date { year, month: Some(month), day: Some(day) }, 10))
    }

    pub fn parse(text: &str) -> Option<Date> {
        Date::scan(text).filter(|(_, length)| *length == text.len()).map(|(date, _)| date)
    }
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|next: char| next.is_ascii_digit())
}

impl Time {
    /// The longest time at the start of the text and its length.
    pub(super) fn scan(text: &str) -> Option<(Time, usize)> {
        let hour = pair(text).filter(|hour| *hour < 24)?;
        let Some(minute) = pair_after(text, 2, ':') else {
            return Some((Time { hour, minute: None, second: None }, 2));
        };
        let minute = Some(minute).filter(|minute| *minute < 60);
        minute?;
        let Some(whole) = pair_after(text, 5, ':') else {
            return Some((Time { hour, minute, second: None }, 5));
        };
        if whole > 60 {
            return None;
        }
        let (nanos, digits, length) = fraction(text.get(8..).unwrap_or_default());
        let second = Some(Second { whole, nanos, digits });
        Some((Time { hour, minute, second }, 8 + length))
    }

    pub fn parse(text: &str) -> Option<Time> {
        Time::scan(text).filter(|(_, length)| *length == text.len()).map(|(time, _)| time)
    }
}

/// Nanoseconds, how many digits say so, and how many bytes were read: digits past the ninth are read and dropped.
fn fraction(text: &str) -> (u32, u8, usize) {
    let Some(text) = text.strip_prefix('.') else { return (0, 0, 0) };
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return (0, 0, 0);
    }
    let mut nanos = 0;
    let mut digits = 0;
    for digit in text.bytes().take(length.min(9)) {
        nanos = nanos * 10 + u32::from(digit - b'0');
        digits += 1;
    }
    for _ in digits..9 {
        nanos *= 10;
    }
    (nanos, digits, length + 1)
}

impl DateTime {
    /// The longest dateTime at the start of the text and its length; a `T` with nothing behind it belongs to it.
    pub(super) fn scan(text: &str) -> Option<(DateTime, usize)> {
        let (date, length) = Date::scan(text)?;
        let bare = DateTime { date, time: None, offset: None };
        let Some(after) = text.get(length..)?.strip_prefix('T') else {
            return Some((bare, length));
        };
        if !starts_with_digit(after) {
            return Some((bare, length + 1));
        }
        date.day?;
        let (time, time_length) = Time::scan(after)?;
        let (offset, offset_length) = offset(after.get(time_length..).unwrap_or_default())?;
        let moment = DateTime { date, time: Some(time), offset };
        Some((moment, length + 1 + time_length + offset_length))
    }

    pub fn parse(text: &str) -> Option<DateTime> {
        let (moment, length) = DateTime::scan(text)?;
        (length == text.len() && !text.ends_with('T')).then_some(moment)
    }
}

/// `Z` or `+hh:mm`, and its length; an error is none.
fn offset(text: &str) -> Option<(Option<i16>, usize)> {
    if text.starts_with('Z') {
        return Some((Some(0), 1));
    }
    let sign = match text.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return Some((None, 0)),
    };
    let (Some(hours), Some(minutes)) = (text.get(1..).and_then(pair), pair_after(text, 3, ':'))
    else {
        return Some((None, 0));
    };
    let total = i16::from(hours) * 60 + i16::from(minutes);
    (minutes < 60 && total <= 14 * 60).then_some((Some(sign * total), 6))
}

impl From<Date> for DateTime {
    fn from(date: Date) -> DateTime {
        DateTime { date, time: None, offset: None }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(out, "-{part:02}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{:02}", self.hour)?;
        if let Some(minute) = self.minute {
            write!(out, ":{minute:02}")?;
        }
        let Some(second) = self.second else { return Ok(()) };
        write!(out, ":{:02}", second.whole)?;
        if second.digits > 0 {
            let nanos = format!("{:09}", second.nanos);
            write!(out, ".{}", nanos.get(..usize::from(second.digits)).unwrap_or(&nanos))?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}", self.date)?;
        let Some(time) = self.time else { return Ok(()) };
        write!(out, "T{time}")?;
        match self.offset {
            None => Ok(()),
            Some(0) => out.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.unsigned_abs();
                write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DateTime, Time};

    fn check(text: &str, expected: Option<(&str, usize)>) {
        let found = DateTime::scan(text).map(|(moment, length)| (moment.to_string(), length));
        assert_eq!(found, expected.map(|(text, length)| (text.to_owned(), length)), "{text}");
    }

    #[test]
    fn every_precision_is_read() {
        check("2015", Some(("2015", 4)));
        check("2015-02.", Some(("2015-02", 7)));
        check("2015-02-04T", Some(("2015-02-04", 11)));
        check("2015-02-04T14.x", Some(("2015-02-04T14", 13)));
        check("2015-02-04T14:30:05.120-05:30)", Some(("2015-02-04T14:30:05.120-05:30", 29)));
        check("2015-02-04T14:30Z", Some(("2015-02-04T14:30Z", 17)));
    }

    #[test]
    fn what_no_calendar_has_is_refused() {
        for text in ["2015-13", "2015-02-29", "0000", "20150", "2015-02-04T25:00", "é015"] {
            check(text, None);
        }
        assert_eq!(Time::parse("14:60"), None);
        assert_eq!(Time::parse("14:30:00Z"), None);
    }

    #[test]
    fn a_fraction_keeps_its_digits() {
        assert_eq!(Time::parse("14:30:00.500").unwrap().to_string(), "14:30:00.500");
        assert_eq!(Time::parse("14:30:00.1234567891").unwrap().to_string(), "14:30:00.123456789");
    }
}
