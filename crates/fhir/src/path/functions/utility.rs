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

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn one_branch_is_chosen() {
        check("iif(active, 'a', 'b')", "a");
        check("iif({}, 'a')", "");
        check("name.first().iif(use = 'usual', given, family)", "Ann, Bo");
        fails("iif('a', 1, 2)", "has to be a Boolean");
        fails("name.iif(true, 1)", "2 items where one is expected");
    }

    #[test]
    fn totals_are_carried_along() {
        check("(1 | 2 | 3).aggregate($this + $total, 0)", "6");
        check("(1 | 2 | 3).aggregate(iif($total.empty(), $this, $this + $total))", "6");
        check("(1 | 2).aggregate($total | $index)", "0, 1");
    }

    #[test]
    fn time_is_what_it_is_said_to_be() {
        check("now()", "2026-01-02T03:04:05.678+08:00");
        check("today()", "2026-01-02");
        check("timeOfDay()", "03:04:05.678");
    }

    #[test]
    fn not_takes_one_item() {
        check("active.not()", "false");
        check("{}.not()", "");
        check("0.not()", "false");
        fails("(1 | 2).not()", "2 items where one is expected");
    }
}
