//! Mathematics (FHIRPath section 5.7). What has no result, or one out of range, is nothing.

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::equality::number;
use crate::path::evaluate::{Evaluator, Found, single};
use crate::path::item::Item;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    Exponential,
    Logarithm,
    Root,
}

/// Digits that logarithms and powers are good for; more would show the error of the approximation.
const APPROXIMATE_DIGITS: u32 = 16;

fn input_number(input: &Collection) -> Result<Option<Decimal>, Error> {
    let Some(item) = single(input)? else { return Ok(None) };
    number(&item.simple()).map(Some).ok_or_else(|| Error::evaluation("a number is expected"))
}

fn found<'a>(number: Option<Decimal>) -> Found<'a> {
    Ok(Collection::maybe(number.map(Item::Decimal)))
}

pub(super) fn abs<'a>(input: &Collection<'a>) -> Found<'a> {
    let Some(item) = single(input)? else { return Ok(Collection::Empty) };
    Ok(Collection::maybe(match &*item.simple() {
        Item::Integer(number) => number.checked_abs().map(Item::Integer),
        Item::Decimal(number) => Some(Item::Decimal(number.abs())),
        Item::Quantity(quantity) => {
            let mut quantity = quantity.clone();
            quantity.value = quantity.value.abs();
            Some(Item::Quantity(quantity))
        }
        _ => return Err(Error::evaluation("only numbers and quantities have a size")),
    }))
}

/// To a whole number, which has to fit an Integer.
pub(super) fn whole<'a>(input: &Collection<'a>, round: impl Fn(&Decimal) -> Decimal) -> Found<'a> {
    let number = input_number(input)?.and_then(|number| round(&number).to_i32());
    Ok(Collection::maybe(number.map(Item::Integer)))
}

pub(super) fn curve<'a>(input: &Collection<'a>, curve: Curve) -> Found<'a> {
    let Some(number) = input_number(input)? else { return Ok(Collection::Empty) };
    found(match curve {
        Curve::Exponential => exponential(number),
        Curve::Logarithm => logarithm(number),
        Curve::Root => number.sqrt(),
    })
}

/// A decimal holds e to the 66th, and no more.
fn exponential(number: Decimal) -> Option<Decimal> {
    let bound = Decimal::from(66);
    if number > bound {
        None
    } else if number < -bound {
        Some(Decimal::ZERO)
    } else {
        number.checked_exp()
    }
}

fn logarithm(number: Decimal) -> Option<Decimal> {
    if number <= Decimal::ZERO { None } else { number.checked_ln() }
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn round(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(number) = input_number(input)? else { return Ok(Collection::Empty) };
        let digits = self.integer_if_any(call, 0)?.unwrap_or(0);
        let digits = u32::try_from(digits)
            .map_err(|_| Error::evaluation("`round` takes no negative precision"))?;
        let strategy = RoundingStrategy::MidpointAwayFromZero;
        found(Some(number.round_dp_with_strategy(digits.min(Decimal::MAX_SCALE), strategy)))
    }

    fn number_argument(&self, call: Call<'_, 'a>) -> Result<Option<Decimal>, Error> {
        input_number(&self.argument(call, 0)?)
    }

    pub(super) fn log(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let (number, base) = (input_number(input)?, self.number_argument(call)?);
        let ratio = number
            .and_then(logarithm)
            .zip(base.and_then(logarithm))
            .and_then(|(number, base)| number.checked_div(base));
        found(ratio.map(|ratio| ratio.round_dp(APPROXIMATE_DIGITS)))
    }

    /// An Integer to a whole power is an Integer.
    pub(super) fn power(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let argument = self.argument(call, 0)?;
        let (Some(base), Some(exponent)) = (single(input)?, single(&argument)?) else {
            return Ok(Collection::Empty);
        };
        let (base, exponent) = (base.simple(), exponent.simple());
        if let (Item::Integer(base), Item::Integer(exponent @ 0..)) = (&*base, &*exponent) {
            let power = base.checked_pow(exponent.unsigned_abs());
            return Ok(Collection::maybe(power.map(Item::Integer)));
        }
        let (Some(base), Some(exponent)) = (number(&base), number(&exponent)) else {
            return Err(Error::evaluation("`power` takes numbers"));
        };
        found(power(base, exponent))
    }
}

fn power(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    if exponent.fract().is_zero() {
        return base.checked_powi(exponent.to_i64()?).map(|power| power.normalize());
    }
    let exponent = exponent.checked_mul(logarithm(base)?)?;
    exponential(exponent).map(|power| power.round_dp(APPROXIMATE_DIGITS))
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn numbers_are_rounded() {
        check("(-1.5).ceiling() | 1.5.floor() | (-1.5).truncate()", "-1, 1");
        check(
            "2.5.round() | 3.14159.round(3) | (-5).abs() | (-5.5 'mg').abs()",
            "3, 3.142, 5, 5.5 'mg'",
        );
        check("99999999999.5.floor()", "");
        fails("1.5.round(-1)", "no negative precision");
        fails("'a'.abs()", "only numbers and quantities");
    }

    #[test]
    fn curves_have_their_values() {
        check("0.exp() = 1 and 1.ln() = 0 and 81.sqrt() = 9 and 16.log(2) = 4", "true");
        check("2.power(3) | 2.5.power(2) | 2.power(-1)", "8, 6.25, 0.5");
        check("4.power(0.5) = 2", "true");
    }

    #[test]
    fn what_has_no_value_is_nothing() {
        check("(-1).sqrt() | (-1).ln() | 0.ln() | (-1).power(0.5) | 0.power(-1)", "");
        check("1000.exp() | 10.power(100) | 10.5.power(1000000) | 2.log(1)", "");
        check("(-1000).exp() = 0", "true");
    }
}
