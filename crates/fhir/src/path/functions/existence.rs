//! Existence (FHIRPath section 5.1).

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::equality::{Sameness, same};
use crate::path::evaluate::{Evaluator, Found};
use crate::path::item::Item;
use std::collections::HashSet;

pub(super) fn count<'a>(input: &Collection<'a>) -> Found<'a> {
    let count = i32::try_from(input.len()).map_err(|_| Error::TooCostly)?;
    Ok(Collection::One(Item::Integer(count)))
}

/// The text of every item, when all are texts: those are compared by hash.
fn texts<'s>(items: &'s [Item<'_>]) -> Option<Vec<&'s str>> {
    items.iter().map(Item::as_str).collect()
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn exists(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        Ok(Collection::boolean(match call.first() {
            Some(criterion) => self.any(&input, criterion, call.scope)?,
            None => !input.is_empty(),
        }))
    }

    pub(super) fn all(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(criterion) = call.first() else { return Ok(Collection::Empty) };
        for (index, item) in input.as_slice().iter().enumerate() {
            if self.truth(criterion, call.each(item, index))? != Some(true) {
                return Ok(Collection::boolean(false));
            }
        }
        Ok(Collection::boolean(true))
    }

    /// Whether `items` holds what equals `item`.
    pub(in crate::path) fn has(&self, items: &[Item<'a>], item: &Item<'a>) -> Result<bool, Error> {
        self.budget.spend(items.len())?;
        let found = items
            .iter()
            .any(|other| same(item, other, Sameness::Equal, &self.budget) == Some(true));
        self.budget.spend(1)?;
        Ok(found)
    }

    fn has_all(&self, items: &[Item<'a>], wanted: &[Item<'a>]) -> Result<bool, Error> {
        for item in wanted {
            if !self.has(items, item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn subset_of(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let other = self.argument(call, 0)?;
        Ok(Collection::boolean(self.has_all(other.as_slice(), input.as_slice())?))
    }

    pub(super) fn superset_of(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let other = self.argument(call, 0)?;
        Ok(Collection::boolean(self.has_all(input.as_slice(), other.as_slice())?))
    }

    /// The first of each that are equal, in their order.
    pub(super) fn distinct(&self, input: Collection<'a>) -> Found<'a> {
        let Collection::Many(items) = input else { return Ok(input) };
        if let Some(texts) = texts(&items) {
            let mut seen = HashSet::with_capacity(texts.len());
            let first: Vec<bool> = texts.iter().map(|text| seen.insert(*text)).collect();
            let kept = items.iter().zip(&first).filter(|(_, first)| **first);
            return Ok(kept.map(|(item, _)| item.clone()).collect());
        }
        let mut kept: Vec<Item<'a>> = Vec::new();
        for item in items {
            if !self.has(&kept, &item)? {
                kept.push(item);
            }
        }
        Ok(Collection::Many(kept))
    }

    pub(super) fn is_distinct(&self, input: Collection<'a>) -> Found<'a> {
        let count = input.len();
        Ok(Collection::boolean(self.distinct(input)?.len() == count))
    }
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn existence_is_asked_in_many_ways() {
        check("name.exists(use = 'old')", "true");
        check("name.where(use = 'x').empty()", "true");
        check("name.all(given.exists())", "false");
        check("photo.all(false)", "true");
        check("(true | false).allTrue()", "false");
        check("(true | false).anyFalse()", "true");
        check("{}.allTrue()", "true");
        fails("name.allTrue()", "all items have to be Booleans");
    }

    #[test]
    fn sets_are_compared() {
        check("(1 | 2).subsetOf(1 | 2 | 3)", "true");
        check("(1 | 2).supersetOf(1 | 3)", "false");
        check("(1 | 1.0 | '1' | '1').count()", "2");
        check("name.given.combine(name.given).isDistinct()", "false");
        check("name.given.combine(name.given).distinct()", "Ann, Bo");
    }
}
