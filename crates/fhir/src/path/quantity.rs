//! Quantities: a decimal with a unit of the calendar or of UCUM (FHIRPath section 4.1.8).

use rust_decimal::Decimal;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub value: Decimal,
    pub unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Written as a word: `4 days`.
    Calendar(Calendar),
    /// Written as a text: `4 'mg'`. The unit of a number alone is `1`.
    Ucum(Box<str>),
    /// A code of another system, of which nothing is known but its name.
    Foreign(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Calendar {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Unit {
    pub fn name(&self) -> &str {
        match self {
            Unit::Calendar(calendar) => calendar.name(),
            Unit::Ucum(code) | Unit::Foreign(code) => code,
        }
    }
}

impl Calendar {
    /// One or many: `day`, `days`.
    pub fn parse(word: &str) -> Option<Calendar> {
        Some(match word.strip_suffix('s').unwrap_or(word) {
            "year" => Calendar::Year,
            "month" => Calendar::Month,
            "week" => Calendar::Week,
            "day" => Calendar::Day,
            "hour" => Calendar::Hour,
            "minute" => Calendar::Minute,
            "second" => Calendar::Second,
            "millisecond" => Calendar::Millisecond,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Calendar::Year => "year",
            Calendar::Month => "month",
            Calendar::Week => "week",
            Calendar::Day => "day",
            Calendar::Hour => "hour",
            Calendar::Minute => "minute",
            Calendar::Second => "second",
            Calendar::Millisecond => "millisecond",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match &self.unit {
            Unit::Calendar(unit) => {
                let plural = if self.value == Decimal::ONE { "" } else { "s" };
                write!(out, "{} {}{plural}", self.value, unit.name())
            }
            Unit::Ucum(unit) | Unit::Foreign(unit) => write!(out, "{} '{unit}'", self.value),
        }
    }
}
