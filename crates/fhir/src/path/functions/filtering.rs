//! Filtering, projection and subsets (FHIRPath sections 5.2 and 5.3).

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, Scope};
use crate::path::item::Item;
use crate::path::syntax::Term;
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn skip(input: Collection, count: i32) -> Collection {
    let count = usize::try_from(count).unwrap_or(0);
    input.into_vec().into_iter().skip(count).collect()
}

pub(super) fn take(input: Collection, count: i32) -> Collection {
    let count = usize::try_from(count).unwrap_or(0);
    input.into_vec().into_iter().take(count).collect()
}

impl<'a> Evaluator<'_, 'a> {
    /// Whether the criterion is true for an item: looks no further than the first.
    pub(in crate::path) fn any(
        &self,
        input: &Collection<'a>,
        criterion: &'a Term,
        scope: Scope<'_, 'a>,
    ) -> Result<bool, Error> {
        for (index, item) in input.as_slice().iter().enumerate() {
            let this = std::slice::from_ref(item);
            let scope = Scope { this, index, total: scope.total };
            if self.truth(criterion, scope)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `where`
    pub(super) fn filter(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(criterion) = call.first() else { return Ok(input) };
        let mut kept = Collection::Empty;
        for (index, item) in input.as_slice().iter().enumerate() {
            if self.truth(criterion, call.each(item, index))? == Some(true) {
                kept.push(item.clone());
            }
        }
        Ok(kept)
    }

    pub(super) fn select(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(projection) = call.first() else { return Ok(input) };
        let mut found = Collection::Empty;
        for (index, item) in input.as_slice().iter().enumerate() {
            found.append(self.term(projection, call.each(item, index))?);
            self.budget.items(found.len())?;
        }
        Ok(found)
    }

    /// What the projection finds, what it finds from there, and so on. An element that was found is not looked at again.
    pub(super) fn repeat(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(projection) = call.first() else { return Ok(input) };
        let mut seen: HashSet<*const Value> = HashSet::new();
        let mut plain: Vec<Item<'a>> = Vec::new();
        let mut found: Vec<Item<'a>> = Vec::new();
        let mut open = input.into_vec();
        while !open.is_empty() {
            let mut next = Vec::new();
            for (index, item) in open.iter().enumerate() {
                for item in self.term(projection, call.each(item, index))?.into_vec() {
                    let is_new = match place(&item) {
                        Some(place) => seen.insert(place),
                        None => {
                            let is_new = !self.has(&plain, &item)?;
                            if is_new {
                                plain.push(item.clone());
                            }
                            is_new
                        }
                    };
                    if is_new {
                        next.push(item);
                    }
                }
            }
            found.extend(next.iter().cloned());
            self.budget.items(found.len())?;
            open = next;
        }
        Ok(Collection::Many(found))
    }
}

/// Where an element stands in memory: what tells it from an equal one.
fn place(item: &Item) -> Option<*const Value> {
    let node = item.node()?;
    node.value().or(node.sibling()).map(std::ptr::from_ref)
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn subsets_keep_their_order() {
        check("(1 | 2 | 3).skip(1)", "2, 3");
        check("(1 | 2 | 3).take(2)", "1, 2");
        check("(1 | 2 | 3).take(-1)", "");
        check("(1 | 2 | 3).tail().first()", "2");
        check("(1 | 2 | 3).last()", "3");
        check("{}.single()", "");
        fails("(1 | 2).single()", "2 items where one is expected");
        fails("(1 | 2).skip('a')", "has to be an Integer");
    }

    #[test]
    fn repeat_ends() {
        check("name.repeat('x')", "x");
        fails("1.repeat($this + 1)", "too much work");
        check("repeat(contained | name).count()", "4");
    }
}
