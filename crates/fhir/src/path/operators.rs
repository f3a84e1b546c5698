//! Order and arithmetic of two single values (FHIRPath sections 6.2 and 6.6).

use super::Error;
use super::equality::{number, quantity};
use super::item::Item;
use super::quantity::Quantity;
use super::syntax::Operator;
use super::temporal::DateTime;
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;

/// None when precision or units leave the order open; an error when the types have none.
pub(super) fn order(left: &Item, right: &Item) -> Result<Option<Ordering>, Error> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Ok(Some(left.cmp(right)));
    }
    let (plain_left, plain_right) = (left.simple(), right.simple());
    Ok(match (&*plain_left, &*plain_right) {
        (Item::String(left), Item::String(right)) => Some(left.cmp(right)),
        (Item::Date(left), Item::Date(right)) => left.order(*right),
        (Item::Date(left), Item::DateTime(right)) => DateTime::from(*left).order(*right),
        (Item::DateTime(left), Item::Date(right)) => left.order(DateTime::from(*right)),
        (Item::DateTime(left), Item::DateTime(right)) => left.order(*right),
        (Item::Time(left), Item::Time(right)) => left.order(*right),
        (left, right) => match (number(left), number(right)) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => match (quantity(left), quantity(right)) {
                (Some(left), Some(right)) => {
                    right.value_in(&left.unit).map(|right| left.value.cmp(&right))
                }
                _ => return Err(unfit("compare", left, right)),
            },
        },
    })
}

fn unfit(verb: &str, left: &Item, right: &Item) -> Error {
    let name = |item: &Item| item.kind().map_or("a type", |kind| kind.name());
    Error::evaluation(format!("cannot {verb} {} and {}", name(left), name(right)))
}

/// None where there is no result: a division by zero, a number out of range.
pub(super) fn compute<'a>(
    operator: Operator,
    left: &Item<'a>,
    right: &Item<'a>,
) -> Result<Option<Item<'a>>, Error> {
    if operator == Operator::Add
        && let (Some(left), Some(right)) = (left.as_str(), right.as_str())
    {
        return Ok(Some(Item::String(Cow::Owned(format!("{left}{right}")))));
    }
    let (left, right) = (left.simple(), right.simple());
    match (&*left, &*right) {
        (Item::Integer(left), Item::Integer(right)) => Ok(integers(operator, *left, *right)),
        (left @ (Item::Date(_) | Item::DateTime(_) | Item::Time(_)), Item::Quantity(quantity)) => {
            shift(operator, left, quantity)
        }
        (left, right) => match (number(left), number(right)) {
            (Some(left), Some(right)) => Ok(decimals(operator, left, right)),
            _ => match (quantity(left), quantity(right)) {
                (Some(left), Some(right)) => quantities(operator, &left, &right)
                    .map(|found| found.map(|found| Item::Quantity(Box::new(found)))),
                _ => Err(unfit(operator.symbol(), left, right)),
            },
        },
    }
}

fn integers<'a>(operator: Operator, left: i32, right: i32) -> Option<Item<'a>> {
    Some(Item::Integer(match operator {
        Operator::Add => left.checked_add(right)?,
        Operator::Subtract => left.checked_sub(right)?,
        Operator::Multiply => left.checked_mul(right)?,
        Operator::Quotient => left.checked_div(right)?,
        Operator::Remainder => left.checked_rem(right)?,
        _ => return decimals(operator, Decimal::from(left), Decimal::from(right)),
    }))
}

fn decimals<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<Item<'a>> {
    Some(Item::Decimal(match operator {
        Operator::Add => left.checked_add(right)?,
        Operator::Subtract => left.checked_sub(right)?,
        Operator::Multiply => left.checked_mul(right)?,
        Operator::Divide => left.checked_div(right)?,
        Operator::Remainder => left.checked_rem(right)?,
        Operator::Quotient => {
            let whole = left.checked_div(right)?.trunc();
            return whole.try_into().ok().map(Item::Integer);
        }
        _ => return None,
    }))
}

fn quantities(
    operator: Operator,
    left: &Quantity,
    right: &Quantity,
) -> Result<Option<Quantity>, Error> {
    let other = || right.value_in(&left.unit);
    let value = match operator {
        Operator::Add => other().and_then(|right| left.value.checked_add(right)),
        Operator::Subtract => other().and_then(|right| left.value.checked_sub(right)),
        Operator::Multiply => return Ok(left.times(right, false)),
        Operator::Divide => return Ok(left.times(right, true)),
        _ => {
            let symbol = operator.symbol();
            return Err(Error::evaluation(format!("`{symbol}` does not take quantities")));
        }
    };
    Ok(value.map(|value| Quantity { value, unit: left.unit.clone() }))
}

fn shift<'a>(
    operator: Operator,
    moment: &Item<'a>,
    by: &Quantity,
) -> Result<Option<Item<'a>>, Error> {
    let value = match operator {
        Operator::Add => by.value,
        Operator::Subtract => -by.value,
        _ => return Err(Error::evaluation("dates only take + and -")),
    };
    let Some(unit) = by.unit.calendar() else {
        return Err(Error::evaluation(format!("{by} is no duration of the calendar")));
    };
    Ok(match moment {
        Item::Date(date) => date.shift(value, unit).map(Item::Date),
        Item::DateTime(moment) => moment.shift(value, unit).map(Item::DateTime),
        Item::Time(time) => time.shift(value, unit).map(Item::Time),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::probe::{check, fails};

    #[test]
    fn numbers_are_computed_exactly() {
        check("0.1 + 0.2", "0.3");
        check("1 / 4", "0.25");
        check("7 div 2", "3");
        check("-7 mod 2", "-1");
        check("1 / 0", "");
        check("2147483647 + 1", "");
        check("(-2147483647 - 1) div -1", "");
        check("7000000000000000000000000000.0 * 100", "");
    }

    #[test]
    fn dates_move_by_durations() {
        check("birthDate + 7 days", "1975-01-01");
        check("@2020-01-31 + 1 month", "2020-02-29");
        check("@T23:30 + 1 hour", "00:30");
        check("@9999 + 1 year", "");
        fails("birthDate + 1 'mo'", "no duration of the calendar");
        fails("birthDate * 2 days", "only take + and -");
    }

    #[test]
    fn types_without_an_order_are_an_error() {
        check("'a' < 'b'", "true");
        check("{} < 1", "");
        check("birthDate < @1974-12-25T10:00", "");
        fails("1 < 'a'", "cannot compare Integer and String");
        fails("name.first() < 1", "cannot compare HumanName and Integer");
        fails("'a' - 'b'", "cannot - String and String");
    }
}
