//! Composite parameters: values of several parameters that hold of the same element (search.html#composite).

use crate::parameter::token::Spelling;
use crate::parameter::{date, number, quantity, reference, string, token};
use crate::program::{Program, Walk, compile, compile_below};
use fhir::definitions::{ParameterKind, SearchParameter, Type, r4};

#[derive(Debug)]
pub(crate) enum Composite {
    /// The element is there once, so its parts are other parameters of the type, and all must hold.
    Parts(Vec<&'static str>),
    /// The elements that repeat, with their parts.
    Elements(Vec<Element>),
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) walk: Walk,
    pub(crate) parts: Vec<Part>,
}

#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) kind: ParameterKind,
    pub(crate) spelling: Spelling,
    /// The types that a reference may point at.
    pub(crate) targets: Vec<&'static str>,
    pub(crate) walks: Vec<Walk>,
    /// Whether the walks begin at the resource and not at the element.
    pub(crate) is_of_resource: bool,
}

impl Composite {
    /// None of one that this server could not search by; a test says that the standard has none.
    pub(super) fn new(
        definition: &'static SearchParameter,
        resource: &'static Type,
    ) -> Option<Composite> {
        let term = fhir::path::parse(definition.expression).ok()?;
        let Program::Values(bases) = compile(term.term(), resource).ok()? else { return None };
        let parts = definition.components.iter().map(|(id, expression)| {
            let parameter = r4().search_parameters().iter().find(|found| found.id == *id)?;
            Some((parameter, *expression))
        });
        let parts: Vec<(&SearchParameter, &str)> = parts.collect::<Option<_>>()?;
        if bases.iter().all(|base| !base.is_repeating) {
            return Some(Composite::Parts(parts.iter().map(|(part, _)| part.code).collect()));
        }
        let elements = bases.into_iter().map(|walk| {
            let each = |expressions: &mut dyn Iterator<Item = &str>| -> Option<Vec<Part>> {
                let parts = parts.iter().zip(expressions);
                parts
                    .map(|((part, _), expression)| Part::new(part, expression, &walk, resource))
                    .collect()
            };
            // R4 has the expressions of DocumentReference.relationship the wrong way round.
            let parts = each(&mut parts.iter().map(|(_, expression)| *expression))
                .or_else(|| each(&mut parts.iter().rev().map(|(_, expression)| *expression)));
            Some(Element { parts: parts?, walk })
        });
        Some(Composite::Elements(elements.collect::<Option<_>>()?))
    }

    /// The parts of its elements, which are alike for all of them.
    pub(crate) fn parts(&self) -> &[Part] {
        match self {
            Composite::Parts(_) => &[],
            Composite::Elements(elements) => {
                elements.first().map(|element| element.parts.as_slice()).unwrap_or_default()
            }
        }
    }
}

impl Part {
    fn new(
        parameter: &SearchParameter,
        expression: &str,
        base: &Walk,
        resource: &'static Type,
    ) -> Option<Part> {
        let (program, is_of_resource) = match expression.strip_prefix("%resource.") {
            Some(rest) => {
                let whole = format!("{}.{rest}", resource.name);
                (compile(fhir::path::parse(&whole).ok()?.term(), resource).ok()?, true)
            }
            None => (compile_below(fhir::path::parse(expression).ok()?.term(), base).ok()?, false),
        };
        let kinds: &[&str] = match parameter.kind {
            ParameterKind::Token => &token::KINDS,
            ParameterKind::Quantity => &quantity::KINDS,
            ParameterKind::String => &string::KINDS,
            ParameterKind::Date => &date::KINDS,
            ParameterKind::Number => &number::KINDS,
            ParameterKind::Reference => &reference::KINDS,
            ParameterKind::Uri | ParameterKind::Composite | ParameterKind::Special => return None,
        };
        let Program::Values(mut walks) = program else { return None };
        walks.retain(|walk| kinds.contains(&walk.end.kind));
        let ends: Vec<_> = walks.iter().map(|walk| &walk.end).collect();
        (!walks.is_empty()).then(|| Part {
            kind: parameter.kind,
            spelling: Spelling::of(&ends),
            targets: parameter.targets.clone(),
            is_of_resource,
            walks: walks.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::{Rule, find};

    #[test]
    fn an_element_that_repeats_is_looked_at_as_one() {
        let is_of_elements = |resource: &str, code: &str| match &find(resource, code).unwrap().rule
        {
            Rule::Composite(composite) => !composite.parts().is_empty(),
            other => panic!("{other:?}"),
        };
        assert!(is_of_elements("Observation", "component-code-value-quantity"));
        assert!(!is_of_elements("Observation", "code-value-quantity"));
        assert!(is_of_elements("MolecularSequence", "chromosome-variant-coordinate"));
        assert!(is_of_elements("Group", "characteristic-value"));
        assert!(is_of_elements("DocumentReference", "relationship"));
    }
}
