//! Conversions (FHIRPath section 5.5).

use super::Call;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, single};
use crate::path::item::Item;
use crate::path::quantity::{Calendar, Quantity, Unit};
use crate::path::temporal::{Date, DateTime, Time};
use rust_decimal::Decimal;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl<'a> Evaluator<'_, 'a> {
    /// `toInteger()` and its like: nothing where the value cannot be one.
    pub(super) fn convert(
        &self,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
        target: Target,
    ) -> Found<'a> {
        let Some(item) = single(input)? else { return Ok(Collection::Empty) };
        let unit = self.text_argument(call, 0)?;
        Ok(Collection::maybe(converted(item, target, unit.as_deref())))
    }

    pub(super) fn converts(
        &self,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
        target: Target,
    ) -> Found<'a> {
        let Some(item) = single(input)? else { return Ok(Collection::Empty) };
        let unit = self.text_argument(call, 0)?;
        Ok(Collection::boolean(converted(item, target, unit.as_deref()).is_some()))
    }
}

fn converted<'a>(item: &Item<'a>, target: Target, unit: Option<&str>) -> Option<Item<'a>> {
    match target {
        Target::String => shown(item).map(Item::String),
        Target::Boolean => boolean(item).map(Item::Boolean),
        Target::Integer => integer(item).map(Item::Integer),
        Target::Decimal => decimal(item).map(Item::Decimal),
        Target::Date => date(item).map(Item::Date),
        Target::DateTime => date_time(item).map(Item::DateTime),
        Target::Time => time(item).map(Item::Time),
        Target::Quantity => quantity(item, unit).map(|found| Item::Quantity(Box::new(found))),
    }
}

/// The text of a value; of a number with the digits it was written with.
pub(in crate::path) fn shown<'a>(item: &Item<'a>) -> Option<Cow<'a, str>> {
    if let Item::Node(node) = item {
        match node.value()? {
            serde_json::Value::String(text) => return Some(Cow::Borrowed(text)),
            serde_json::Value::Number(number) => return Some(Cow::Borrowed(number.as_str())),
            _ => {}
        }
    }
    Some(Cow::Owned(match &*item.simple() {
        Item::String(text) => text.to_string(),
        Item::Boolean(value) => value.to_string(),
        Item::Integer(number) => number.to_string(),
        Item::Decimal(number) => number.to_string(),
        Item::Date(date) => date.to_string(),
        Item::DateTime(moment) => moment.to_string(),
        Item::Time(time) => time.to_string(),
        Item::Quantity(quantity) => quantity.to_string(),
        Item::Node(_) | Item::Type(_) => return None,
    }))
}

fn boolean(item: &Item) -> Option<bool> {
    match &*item.simple() {
        Item::Boolean(value) => Some(*value),
        Item::Integer(1) => Some(true),
        Item::Integer(0) => Some(false),
        Item::Decimal(number) if *number == Decimal::ONE => Some(true),
        Item::Decimal(number) if number.is_zero() => Some(false),
        Item::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn integer(item: &Item) -> Option<i32> {
    match &*item.simple() {
        Item::Integer(number) => Some(*number),
        Item::Boolean(value) => Some(i32::from(*value)),
        Item::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn decimal(item: &Item) -> Option<Decimal> {
    match &*item.simple() {
        Item::Decimal(number) => Some(*number),
        Item::Integer(number) => Some(Decimal::from(*number)),
        Item::Boolean(value) => Some(if *value { Decimal::ONE } else { Decimal::ZERO }),
        Item::String(text) => plain_decimal(text),
        _ => None,
    }
}

/// Digits on both sides of the point: `.5`, `5.` and `5e1` are none.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let only_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    if only_digits(whole) && only_digits(fraction) { text.parse().ok() } else { None }
}

fn date(item: &Item) -> Option<Date> {
    match &*item.simple() {
        Item::Date(date) => Some(*date),
        Item::DateTime(moment) => Some(moment.date),
        Item::String(text) => DateTime::parse(text).map(|moment| moment.date),
        _ => None,
    }
}

fn date_time(item: &Item) -> Option<DateTime> {
    match &*item.simple() {
        Item::Date(date) => Some(DateTime::from(*date)),
        Item::DateTime(moment) => Some(*moment),
        Item::String(text) => DateTime::parse(text),
        _ => None,
    }
}

fn time(item: &Item) -> Option<Time> {
    match &*item.simple() {
        Item::Time(time) => Some(*time),
        Item::String(text) => Time::parse(text),
        _ => None,
    }
}

/// With a unit asked for, the value in that unit.
fn quantity(item: &Item, unit: Option<&str>) -> Option<Quantity> {
    let one = || Unit::Ucum("1".into());
    let found = match &*item.simple() {
        Item::Quantity(quantity) => (**quantity).clone(),
        Item::String(text) => quantity_of(text)?,
        _ => Quantity { value: decimal(item)?, unit: one() },
    };
    let Some(unit) = unit else { return Some(found) };
    let unit = Calendar::parse(unit).map_or_else(|| Unit::Ucum(unit.into()), Unit::Calendar);
    Some(Quantity { value: found.value_in(&unit)?, unit })
}

/// `1`, `1.5 'mg'` or `4 days`: only the units of the calendar stand without quotes.
fn quantity_of(text: &str) -> Option<Quantity> {
    let end = text
        .find(|next: char| !next.is_ascii_digit() && !matches!(next, '+' | '-' | '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let unit = unit.trim();
    let unit = if unit.is_empty() {
        Unit::Ucum("1".into())
    } else if let Some(code) = unit.strip_prefix('\'') {
        Unit::Ucum(code.strip_suffix('\'').filter(|code| !code.is_empty())?.into())
    } else {
        Unit::Calendar(Calendar::parse(unit)?)
    };
    Some(Quantity { value: plain_decimal(number)?, unit })
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn values_become_others() {
        check("'1'.toInteger() | '1.5'.toDecimal() | 'T'.toBoolean()", "1, 1.5, true");
        check("'1.0'.toInteger() | 'x'.toDecimal() | 'x'.toBoolean()", "");
        check("'.5'.toDecimal() | '1e3'.toDecimal()", "");
        check(
            "'2020-02'.toDate() | @2020-01-01T10:00.toDate() | '25'.toTime()",
            "2020-02, 2020-01-01",
        );
        check(
            "'1 wk'.toQuantity() | '1 week'.toQuantity() | '1.5 \\'mg\\''.toQuantity()",
            "1 week, 1.5 'mg'",
        );
        check("1.toQuantity() | '2 \\'g\\''.toQuantity('mg')", "1 '1', 2000 'mg'");
        check("'x'.convertsToDate()", "false");
        check("{}.convertsToDate()", "");
        fails("('1' | '2').toInteger()", "2 items where one is expected");
    }

    #[test]
    fn texts_show_the_digits_that_were_written() {
        check("Observation.value.value.toString()", "120.50");
        check("1.50.toString() | true.toString() | @T10:30.toString()", "1.50, true, 10:30");
        check(
            "1 week.toString() | 2 days.toString() | 3 'mg'.toString()",
            "1 week, 2 days, 3 'mg'",
        );
        check("name.first().toString()", "");
    }
}
