//! FHIRPath: expressions over resources (<https://hl7.org/fhirpath/N1/>, fhirpath.html).
//!
//! `parse` once, evaluate many times. Text, tree and work are bounded: an expression of a client can be refused, but it
//! cannot exhaust the stack or run for long.

pub mod budget;
pub mod check;
mod collection;
pub mod context;
mod equality;
mod evaluate;
pub mod function;
mod functions;
pub mod item;
mod lexer;
pub mod node;
mod operators;
mod parser;
pub mod pattern;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod properties;
pub mod quantity;
pub mod syntax;
pub mod temporal;
mod unit;

use budget::Budget;
use context::Context;
use evaluate::{Evaluator, Manner, Scope};
use item::Item;
use node::Node;
use syntax::{Step, Term};

use std::fmt;
use std::str::FromStr;

/// A parsed expression, to be kept and evaluated many times.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Box<str>,
    term: Term,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an expression: nothing was evaluated.
    #[error("{text} at byte {at} of the expression")]
    Syntax { at: usize, text: String },
    /// It has no answer on this focus: more items than one, types that do not fit.
    #[error("{text}")]
    Evaluation { text: String },
    #[error("the expression asks for too much work")]
    TooCostly,
}

impl Error {
    fn syntax(at: usize, text: impl Into<String>) -> Error {
        Error::Syntax { at, text: text.into() }
    }

    fn evaluation(text: impl Into<String>) -> Error {
        Error::Evaluation { text: text.into() }
    }
}

pub fn parse(text: &str) -> Result<Expression, Error> {
    Ok(Expression { text: text.into(), term: parser::parse(text)? })
}

/// The collection that the expression finds from `focus`.
pub fn evaluate<'a>(
    expression: &'a Expression,
    focus: Node<'a>,
    context: &Context<'a>,
) -> Result<Vec<Item<'a>>, Error> {
    let this = [Item::Node(focus)];
    let evaluator = evaluator(focus, context, Manner::Strict);
    evaluator.term(&expression.term, scope(&this)).map(collection::Collection::into_vec)
}

/// Whether an invariant holds. As in the validator of HL7 only true does, false and nothing do not; but a question about
/// nothing is answered with no, as the invariants of R4 expect it.
pub fn holds<'a>(
    expression: &'a Expression,
    focus: Node<'a>,
    context: &Context<'a>,
) -> Result<bool, Error> {
    let this = [Item::Node(focus)];
    let evaluator = evaluator(focus, context, Manner::Invariant);
    Ok(evaluator.truth(&expression.term, scope(&this))? == Some(true))
}

fn evaluator<'c, 'a>(
    focus: Node<'a>,
    context: &'c Context<'a>,
    manner: Manner,
) -> Evaluator<'c, 'a> {
    Evaluator { context, focus, budget: Budget::new(context.limits), manner }
}

fn scope<'s, 'a>(this: &'s [Item<'a>]) -> Scope<'s, 'a> {
    Scope { this, index: 0, total: &[] }
}

impl Expression {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn term(&self) -> &Term {
        &self.term
    }

    /// Of an expression that ends in a name: what stands before it, and the name.
    pub(crate) fn split_last(&self) -> Option<(Expression, &str)> {
        let Term::Path { start, steps } = &self.term else { return None };
        let (Step::Member(name), before) = steps.split_last()? else { return None };
        let term = match before {
            [] => (**start).clone(),
            steps => Term::Path { start: start.clone(), steps: steps.to_vec() },
        };
        Some((Expression { text: self.text.clone(), term }, &name.text))
    }
}

impl FromStr for Expression {
    type Err = Error;

    fn from_str(text: &str) -> Result<Expression, Error> {
        parse(text)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::context::Context;
    use super::node::Node;
    use super::{holds, parse};
    use crate::definitions::r4;
    use serde_json::json;

    fn check_holds(expression: &str, property: &str, expected: bool) {
        let resource = json!({
            "resourceType": "Observation",
            "subject": {"display": "Ann"},
            "valueQuantity": {"value": 1},
            "dataAbsentReason": {"text": "x"},
        });
        let root = Node::root(&resource).unwrap();
        let (_, kind) = root.definition().property(property).unwrap();
        let node = Node::new(resource.get(property), None, kind.id);
        let context = Context::new(Some(root), None);
        let expression = parse(expression).unwrap();
        assert_eq!(holds(&expression, node, &context), Ok(expected), "{expression}");
    }

    #[test]
    fn an_invariant_holds_when_it_is_true() {
        check_holds("value > 0", "valueQuantity", true);
        check_holds("value > 1", "valueQuantity", false);
        check_holds("code > 'a'", "valueQuantity", false);
        check_holds(
            "%resource.dataAbsentReason.empty() or %resource.value.empty()",
            "subject",
            false,
        );
        check_holds("%resource.value is Quantity and %context.display.exists()", "subject", true);
    }

    #[test]
    fn an_invariant_that_asks_about_nothing_is_told_no() {
        check_holds("reference.startsWith('#').not()", "subject", true);
        check_holds("reference is string implies reference > 5", "subject", true);
        check_holds("reference.matches('x')", "subject", false);
    }

    #[test]
    fn every_expression_of_the_standard_is_read() {
        let searches = r4().search_parameters().iter().flat_map(|parameter| {
            let components = parameter.components.iter().map(|(_, expression)| *expression);
            components.chain([parameter.expression])
        });
        let constraints = r4().types().flat_map(|kind| {
            let inner = kind.elements.iter().flat_map(|element| &element.constraints);
            kind.constraints.iter().chain(inner).map(|constraint| constraint.expression)
        });
        let mut count = 0;
        for text in searches.chain(constraints).filter(|text| !text.is_empty()) {
            let read = parse(text);
            assert!(read.is_ok(), "{text}: {read:?}");
            count += 1;
        }
        assert!(count > 1600, "only {count}");
    }
}
