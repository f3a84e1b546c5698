//! Boundaries, precision and comparability (fhirpath.html, functions from FHIRPath 2.1 and R5).

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::equality::quantity;
use crate::path::evaluate::{Evaluator, Found, single};
use crate::path::item::Item;
use crate::path::quantity::Quantity;
use crate::path::temporal::boundary::Side;
use rust_decimal::{Decimal, RoundingStrategy};

/// Digits behind the point when none are asked for.
const DECIMAL_DIGITS: i32 = 8;

pub(super) fn precision<'a>(input: &Collection<'a>) -> Found<'a> {
    let Some(item) = single(input)? else { return Ok(Collection::Empty) };
    let digits = match &*item.simple() {
        Item::Integer(_) => 0,
        Item::Decimal(number) => i32::try_from(number.scale()).unwrap_or(i32::MAX),
        Item::Date(date) => date.precision(),
        Item::DateTime(moment) => moment.precision(),
        Item::Time(time) => time.precision(),
        _ => return Err(Error::evaluation("only numbers and dates have a precision")),
    };
    Ok(Collection::One(Item::Integer(digits)))
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn boundary(
        &self,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
        side: Side,
    ) -> Found<'a> {
        let Some(item) = single(input)? else { return Ok(Collection::Empty) };
        let digits = self.integer_if_any(call, 0)?;
        let decimal =
            |number: Decimal| number_boundary(number, side, digits.unwrap_or(DECIMAL_DIGITS));
        Ok(Collection::maybe(match &*item.simple() {
            Item::Integer(number) => decimal(Decimal::from(*number)).map(Item::Decimal),
            Item::Decimal(number) => decimal(*number).map(Item::Decimal),
            Item::Quantity(found) => decimal(found.value).map(|value| {
                Item::Quantity(Box::new(Quantity { value, unit: found.unit.clone() }))
            }),
            Item::Date(date) => date.boundary(side, digits.unwrap_or(8)).map(Item::Date),
            Item::DateTime(moment) => {
                moment.boundary(side, digits.unwrap_or(17)).map(Item::DateTime)
            }
            Item::Time(time) => time.boundary(side, digits.unwrap_or(9)).map(Item::Time),
            _ => {
                return Err(Error::evaluation(
                    "only numbers, quantities and dates have boundaries",
                ));
            }
        }))
    }

    pub(super) fn comparable(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let other = self.argument(call, 0)?;
        let (Some(left), Some(right)) = (single(input)?, single(&other)?) else {
            return Ok(Collection::Empty);
        };
        let (Some(left), Some(right)) = (quantity(&left.simple()), quantity(&right.simple()))
        else {
            return Err(Error::evaluation("`comparable` takes quantities"));
        };
        Ok(Collection::boolean(left.is_comparable(&right)))
    }
}

/// Half a unit of the last digit away; shown with `digits` digits, rounded outwards. A number without a digit at that
/// precision is nought there.
fn number_boundary(number: Decimal, side: Side, digits: i32) -> Option<Decimal> {
    let digits = u32::try_from(digits).ok().filter(|digits| *digits <= Decimal::MAX_SCALE)?;
    let half = Decimal::try_new(5, number.scale() + 1).ok()?;
    let (edge, strategy) = match side {
        Side::Low => (number.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity),
        Side::High => (number.checked_add(half)?, RoundingStrategy::ToPositiveInfinity),
    };
    let smallest = Decimal::try_new(1, digits).ok()?;
    let mut edge = if digits > 0 && number.abs() < smallest {
        Decimal::ZERO
    } else {
        edge.round_dp_with_strategy(digits, strategy)
    };
    edge.rescale(digits);
    Some(edge)
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn numbers_reach_half_a_digit_further() {
        check(
            "1.587.lowBoundary() | 1.587.highBoundary(2) | (-1.587).lowBoundary(2)",
            "1.58650000, 1.59, -1.59",
        );
        check(
            "1.lowBoundary(0) | 120.highBoundary(2) | 1.5 'cm'.lowBoundary(2)",
            "0, 120.50, 1.45 'cm'",
        );
        check("1.587.lowBoundary(-1) | 1.587.lowBoundary(99)", "");
        check("1.58700.precision() | birthDate.precision() | @T10:30.precision()", "5, 8, 4");
        fails("'a'.lowBoundary()", "have boundaries");
    }

    #[test]
    fn units_are_comparable_when_they_measure_the_same() {
        check("1 'cm'.comparable(1 '[in_i]')", "true");
        check("1 'cm'.comparable(1 's')", "false");
    }
}
