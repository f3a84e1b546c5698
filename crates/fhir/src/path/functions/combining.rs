//! Two collections together (FHIRPath sections 5.3 and 5.4).

use super::Call;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found};

impl<'a> Evaluator<'_, 'a> {
    /// `|`: without duplicates.
    pub(in crate::path) fn union(
        &self,
        mut left: Collection<'a>,
        right: Collection<'a>,
    ) -> Found<'a> {
        left.append(right);
        self.budget.items(left.len())?;
        self.distinct(left)
    }

    pub(super) fn combine(&self, mut input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        input.append(self.argument(call, 0)?);
        Ok(input)
    }

    pub(super) fn intersect(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let other = self.argument(call, 0)?;
        let mut kept = Collection::Empty;
        for item in input.into_vec() {
            if self.has(other.as_slice(), &item)? {
                kept.push(item);
            }
        }
        self.distinct(kept)
    }

    /// Keeps duplicates and order.
    pub(super) fn exclude(&self, input: Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let other = self.argument(call, 0)?;
        let mut kept = Collection::Empty;
        for item in input.into_vec() {
            if !self.has(other.as_slice(), &item)? {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use crate::path::probe::check;

    #[test]
    fn collections_are_put_together() {
        check("1.union(1 | 2)", "1, 2");
        check("1.combine(1 | 2)", "1, 1, 2");
        check("(1 | 2 | 3).intersect(3 | 2)", "2, 3");
        check("1.combine(1 | 2).exclude(2)", "1, 1");
        check("name.given | name.family", "Ann, Bo, Cy");
    }
}
