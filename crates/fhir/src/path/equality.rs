//! When items are equal, and when they are equivalent (FHIRPath section 6.1).

use super::budget::Budget;
use super::item::{Item, decimal};
use super::quantity::{Quantity, Unit};
use super::temporal::DateTime;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;
use std::cmp::Ordering;

/// How strictly two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sameness {
    /// `=`
    Equal,
    /// `~`: without case, blanks, order, and digits that only one side has.
    Equivalent,
}

/// Levels of a tree that are compared; the reader of JSON allows no more.
const DEPTH_MAX: u32 = 128;

/// None when the precision of dates or the units of quantities leave it open.
pub(super) fn same_collection(
    left: &[Item],
    right: &[Item],
    sameness: Sameness,
    budget: &Budget,
) -> Option<bool> {
    if left.len() != right.len() {
        return Some(false);
    }
    if sameness == Sameness::Equivalent && left.len() > 1 {
        return Some(same_in_any_order(left, right, |left, right| {
            same(left, right, sameness, budget) == Some(true)
        }));
    }
    let mut answer = Some(true);
    for (left, right) in left.iter().zip(right) {
        match same(left, right, sameness, budget) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => answer = None,
        }
    }
    answer
}

fn same_in_any_order<T>(left: &[T], right: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let mut open: Vec<&T> = right.iter().collect();
    left.len() == right.len()
        && left.iter().all(|item| match open.iter().position(|other| same(item, other)) {
            Some(place) => {
                open.swap_remove(place);
                true
            }
            None => false,
        })
}

pub(super) fn same(left: &Item, right: &Item, sameness: Sameness, budget: &Budget) -> Option<bool> {
    // Out of budget: whatever is said here, the evaluation fails at its next step.
    budget.spend(1).ok()?;
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Some(same_text(left, right, sameness));
    }
    let (plain_left, plain_right) = (left.simple(), right.simple());
    match (&*plain_left, &*plain_right) {
        (Item::Boolean(left), Item::Boolean(right)) => Some(left == right),
        (Item::String(left), Item::String(right)) => Some(same_text(left, right, sameness)),
        (Item::Date(left), Item::Date(right)) => moments(left.order(*right), sameness),
        (Item::Date(left), Item::DateTime(right)) => {
            moments(DateTime::from(*left).order(*right), sameness)
        }
        (Item::DateTime(left), Item::Date(right)) => {
            moments(left.order(DateTime::from(*right)), sameness)
        }
        (Item::DateTime(left), Item::DateTime(right)) => moments(left.order(*right), sameness),
        (Item::Time(left), Item::Time(right)) => moments(left.order(*right), sameness),
        (Item::Type(left), Item::Type(right)) => Some(left == right),
        (Item::Node(left), Item::Node(right)) => {
            Some(same_tree(left.value(), right.value(), sameness, budget, DEPTH_MAX))
        }
        (left, right) => match (number(left), number(right)) {
            (Some(left), Some(right)) => Some(same_number(left, right, sameness)),
            _ => same_quantity(left, right, sameness),
        },
    }
}

fn same_quantity(left: &Item, right: &Item, sameness: Sameness) -> Option<bool> {
    let (Some(left), Some(right)) = (quantity(left), quantity(right)) else { return Some(false) };
    match sameness {
        Sameness::Equal => right.value_in(&left.unit).map(|right| left.value == right),
        Sameness::Equivalent => Some(
            right
                .value_about(&left.unit)
                .is_some_and(|right| same_number(left.value, right, sameness)),
        ),
    }
}

fn moments(order: Option<Ordering>, sameness: Sameness) -> Option<bool> {
    match sameness {
        Sameness::Equal => order.map(|order| order == Ordering::Equal),
        Sameness::Equivalent => Some(order == Some(Ordering::Equal)),
    }
}

pub(super) fn number(item: &Item) -> Option<Decimal> {
    match item {
        Item::Integer(number) => Some(Decimal::from(*number)),
        Item::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// Numbers are quantities without a unit.
pub(super) fn quantity(item: &Item) -> Option<Quantity> {
    match item {
        Item::Quantity(quantity) => Some((**quantity).clone()),
        other => number(other).map(|value| Quantity { value, unit: Unit::Ucum("1".into()) }),
    }
}

fn same_text(left: &str, right: &str, sameness: Sameness) -> bool {
    if sameness == Sameness::Equal || left == right {
        return left == right;
    }
    let words = |text: &str| {
        let lower = text.to_lowercase();
        lower.split_whitespace().map(str::to_owned).collect::<Vec<String>>()
    };
    words(left) == words(right)
}

/// Equivalent numbers agree in the digits that both have.
fn same_number(left: Decimal, right: Decimal, sameness: Sameness) -> bool {
    if sameness == Sameness::Equal || left == right {
        return left == right;
    }
    let digits = left.normalize().scale().min(right.normalize().scale());
    let round = |number: Decimal| {
        number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
    };
    round(left) == round(right)
}

fn same_tree(
    left: Option<&Value>,
    right: Option<&Value>,
    sameness: Sameness,
    budget: &Budget,
    depth: u32,
) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    if budget.spend(1).is_err() {
        return false;
    }
    match (left, right) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    same_tree(Some(value), right.get(name), sameness, budget, depth)
                })
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            let same = |left: &Value, right: &Value| {
                same_tree(Some(left), Some(right), sameness, budget, depth)
            };
            match sameness {
                Sameness::Equivalent => same_in_any_order(left, right, same),
                Sameness::Equal => {
                    left.len() == right.len()
                        && left.iter().zip(right).all(|(left, right)| same(left, right))
                }
            }
        }
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            match (decimal(left.as_str()), decimal(right.as_str())) {
                (Some(left), Some(right)) => same_number(left, right, sameness),
                _ => left == right,
            }
        }
        (Some(Value::String(left)), Some(Value::String(right))) => same_text(left, right, sameness),
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::check;

    #[test]
    fn equality_is_by_value_and_order() {
        check("1 = 1.0", "true");
        check("(1 | 2) = (2 | 1)", "false");
        check("(1 | 2) ~ (2 | 1)", "true");
        check("{} = 1", "");
        check("{} ~ {}", "true");
        check("'Ann  B' ~ 'ann b'", "true");
        check("name = name", "true");
        check("name.first() = name.last()", "false");
        check("name ~ name.skip(1).combine(name.first())", "true");
        check("1 = '1'", "false");
    }

    #[test]
    fn dates_and_quantities_may_leave_it_open() {
        check("birthDate = @1974-12", "");
        check("birthDate = @1974-12-25", "true");
        check("birthDate ~ @1974-12", "false");
        check("Observation.value = 120.5 'mm[Hg]'", "true");
        check("Observation.value > 16 'kPa'", "true");
        check("Observation.value = 120.5 'kg'", "");
        check("extension.value = 7 years", "true");
        check("1 year ~ 1 'a'", "true");
        check("1 year = 1 'a'", "");
        check("4 'g' ~ 4040 'mg'", "true");
    }
}
