//! The invariants of the definitions, parsed once (conformance-rules.html#constraints).

use super::Walk;
use super::place::Place;
use crate::definitions::{Constraint, Element, Type, r4};
use crate::outcome::{Code, Issue};
use crate::path::context::Context;
use crate::path::node::Node;
use crate::path::temporal::DateTime;
use crate::path::{Expression, holds, parse};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Checked natively, by the modules beside this one; dom-6 asks for a narrative as good practice, which is no rule.
const NATIVE: [&str; 8] = ["dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "ref-1", "txt-1", "txt-2"];

/// Wrong in 4.0.1 itself: they refuse resources that the text of the specification allows, its own examples among them.
pub(super) const DEFECTIVE: [&str; 0] = [];

/// By the address of the constraint, which never moves.
static COMPILED: LazyLock<HashMap<usize, Expression>> = LazyLock::new(|| {
    let of_types = r4().types().flat_map(|owner| &owner.constraints);
    let of_elements =
        r4().types().flat_map(|owner| &owner.elements).flat_map(|element| &element.constraints);
    of_types
        .chain(of_elements)
        .filter(|constraint| {
            !NATIVE.contains(&constraint.key) && !DEFECTIVE.contains(&constraint.key)
        })
        .filter_map(|constraint| Some((address(constraint), parse(constraint.expression).ok()?)))
        .collect()
});

fn address(constraint: &Constraint) -> usize {
    std::ptr::from_ref(constraint).addr()
}

/// No invariant of the definitions asks for the time.
pub(super) fn context(resource: Node<'_>) -> Context<'_> {
    static EPOCH: LazyLock<Option<DateTime>> =
        LazyLock::new(|| DateTime::parse("1970-01-01T00:00:00Z"));
    Context::new(Some(resource), *EPOCH)
}

/// Of a type and of what it specialises.
pub(super) fn of_type(walk: &mut Walk, owner: &Type, node: Node, context: &Context, place: &Place) {
    let mut current = Some(owner);
    while let Some(owner) = current {
        check(walk, &owner.constraints, node, context, place);
        current = owner.base.and_then(|base| walk.definitions.find(base));
    }
}

pub(super) fn of_element(
    walk: &mut Walk,
    element: &Element,
    node: Node,
    context: &Context,
    place: &Place,
) {
    check(walk, &element.constraints, node, context, place);
}

fn check(
    walk: &mut Walk,
    constraints: &[Constraint],
    node: Node,
    context: &Context,
    place: &Place,
) {
    for constraint in constraints {
        let Some(expression) = COMPILED.get(&address(constraint)) else { continue };
        // What cannot be evaluated on this value refuses nothing.
        if holds(expression, node, context).unwrap_or(true) {
            continue;
        }
        let text = format!("{}: {}", constraint.key, constraint.human);
        let issue = if constraint.is_error {
            Issue::error(Code::Invariant, text)
        } else {
            Issue::warning(Code::Invariant, text)
        };
        walk.report(issue, place);
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPILED, DEFECTIVE, NATIVE, address};
    use crate::definitions::r4;

    #[test]
    fn every_invariant_is_compiled_or_checked_natively() {
        let of_elements =
            r4().types().flat_map(|owner| &owner.elements).flat_map(|element| &element.constraints);
        let all = r4().types().flat_map(|owner| &owner.constraints).chain(of_elements);
        for constraint in all {
            let is_excused =
                NATIVE.contains(&constraint.key) || DEFECTIVE.contains(&constraint.key);
            assert!(
                is_excused || COMPILED.contains_key(&address(constraint)),
                "{}: {}",
                constraint.key,
                constraint.expression
            );
        }
    }
}
