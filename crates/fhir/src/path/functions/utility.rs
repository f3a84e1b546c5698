//! Utility functions, the tree, and `aggregate` (FHIRPath sections 5.5.1, 5.8, 5.9, 7).

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, Scope, single};
use crate::path::item::Item;

/// Any single item that is no Boolean counts as true.
pub(super) fn not<'a>(input: &Collection<'a>) -> Found<'a> {
    let item = single(input)?;
    Ok(Collection::maybe(item.map(|item| Item::Boolean(!item.as_bool().unwrap_or(true)))))
}

pub(super) fn types<'a>(input: &Collection<'a>) -> Collection<'a> {
    input.as_slice().iter().filter_map(Item::kind).map(Item::Type).collect()
}

impl<'a> Evaluator<'_, 'a> {
    /// Only the branch that is chosen is evaluated; `$this` is the input.
    pub(super) fn iif(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        single(input)?;
        let [criterion, branches @ ..] = call.arguments else { return Ok(Collection::Empty) };
        let scope = Scope { this: input.as_slice(), ..call.scope };
        let found = self.term(criterion, scope)?;
        let truth = match single(&found)? {
            None => false,
            Some(item) => item
                .as_bool()
                .ok_or_else(|| Error::evaluation("the criterion of `iif` has to be a Boolean"))?,
        };
        match branches.get(usize::from(!truth)) {
            Some(branch) => self.term(branch, scope),
            None => Ok(Collection::Empty),
        }
    }

    pub(super) fn aggregate(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let mut total = self.argument(call, 1)?;
        let Some(aggregator) = call.first() else { return Ok(total) };
        for (index, item) in input.as_slice().iter().enumerate() {
            let this = std::slice::from_ref(item);
            let scope = Scope { this, index, total: total.as_slice() };
            total = self.term(aggregator, scope)?;
        }
        Ok(total)
    }

    pub(super) fn children(&self, input: &Collection<'a>) -> Found<'a> {
        let mut found = Collection::Empty;
        for node in input.as_slice().iter().filter_map(Item::node) {
            node.children(&mut found);
        }
        Ok(found)
    }

    /// In the order of the document: an element before what it holds.
    pub(super) fn descendants(&self, input: &Collection<'a>) -> Found<'a> {
        let mut found = Vec::new();
        let mut open = self.children(input)?.into_vec();
        open.reverse();
        while let Some(item) = open.pop() {
            self.budget.spend(1)?;
            self.budget.items(found.len().min(1))?;
            let mut children = Collection::Empty;
            if let Some(node) = item.node() {
                node.children(&mut children);
            }
            found.push(item);
            open.extend(children.into_vec().into_iter().rev());
        }
        Ok(Collection::Many(found))
    }
}
