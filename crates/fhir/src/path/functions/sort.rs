//! `sort`: by keys, each rising or with a minus falling (FHIRPath 3.0, section 5.3).

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, single};
use crate::path::item::Item;
use crate::path::syntax::Term;
use rust_decimal::Decimal;
use std::cmp::{Ordering, Reverse};

/// A total order, whatever the items are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Boolean(bool),
    Number(Decimal),
    Moment(i128),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Directed {
    /// Nothing comes first in both directions.
    Nothing,
    Rising(Key),
    Falling(Reverse<Key>),
}

fn key(item: &Item) -> Result<Key, Error> {
    Ok(match &*item.simple() {
        Item::Boolean(value) => Key::Boolean(*value),
        Item::Integer(number) => Key::Number(Decimal::from(*number)),
        Item::Decimal(number) => Key::Number(*number),
        Item::Quantity(quantity) => Key::Number(quantity.value),
        Item::Date(date) => Key::Moment(date.start()),
        Item::DateTime(moment) => Key::Moment(moment.start()),
        Item::Time(time) => Key::Moment(time.start()),
        Item::String(text) => Key::Text(text.to_string()),
        Item::Node(_) | Item::Type(_) => {
            return Err(Error::evaluation("elements without a value have no order"));
        }
    })
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn sort(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let mut keyed = Vec::with_capacity(input.len());
        for (index, item) in input.as_slice().iter().enumerate() {
            let mut keys = Vec::with_capacity(call.arguments.len().max(1));
            for term in call.arguments {
                let (term, falls) = match term {
                    Term::Negative(operand) => (&**operand, true),
                    other => (other, false),
                };
                let found = self.term(term, call.each(item, index))?;
                keys.push(match single(&found)? {
                    None => Directed::Nothing,
                    Some(item) if falls => Directed::Falling(Reverse(key(item)?)),
                    Some(item) => Directed::Rising(key(item)?),
                });
            }
            if keys.is_empty() {
                keys.push(Directed::Rising(key(item)?));
            }
            keyed.push((keys, item.clone()));
        }
        keyed.sort_by(|(left, _), (right, _)| -> Ordering { left.cmp(right) });
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn items_are_sorted_by_keys() {
        check("(3 | 1 | 2).sort()", "1, 2, 3");
        check("('a' | 'c' | 'b').sort(-$this)", "c, b, a");
        check("name.sort(-family).use", "usual, old");
        check("(1 | 'a' | @2020 | true).sort()", "true, 1, 2020, a");
        fails("name.sort()", "have no order");
    }
}
