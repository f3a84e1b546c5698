//! Search expressions as walks over JSON (searchparameter.html, SearchParameter.expression).
//!
//! An expression is compiled once for each resource type: names, choices and casts are settled then, against the definitions,
//! so that an extraction only follows properties. A choice becomes a walk of its own for each of its types.

mod compile;

use crate::parameter::reference;
use fhir::definitions::TypeId;
use serde_json::Value;

pub(crate) use compile::{compile, compile_below};

/// What an expression means for one resource type.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// The values at the ends of the walks.
    Values(Vec<Walk>),
    /// `x.exists() and x != false`: whether there is a value that is not `false`.
    Truth(Vec<Walk>),
}

/// From a resource to values of one type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Walk {
    steps: Vec<Step>,
    pub end: End,
    /// The type at the end, for what goes on from there.
    id: Option<TypeId>,
    /// Whether a resource can have more than one value here.
    pub is_repeating: bool,
}

/// What is known about the element a walk ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The type, as FHIR names it: `CodeableConcept`, `code`; `Resource` for one of any type.
    pub kind: &'static str,
    /// What a Reference or canonical may point at; empty or `Resource` is anything.
    pub targets: &'static [&'static str],
    /// The value set bound as `required`.
    pub binding: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Property { name: &'static str, at: Option<usize> },
    Where(Test),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// `where(resolve() is Patient)`
    ResolvesTo(&'static str),
    /// `where(system = 'phone')`
    Equals { property: &'static str, text: Box<str> },
}

impl Program {
    pub(crate) fn walks(&self) -> &[Walk] {
        match self {
            Program::Values(walks) | Program::Truth(walks) => walks,
        }
    }
}

impl Walk {
    /// Hands each value to `visit`, in the order of the document.
    pub(crate) fn each<'a>(&self, resource: &'a Value, mut visit: impl FnMut(&'a Value)) {
        follow(&self.steps, resource, &mut visit);
    }

    /// The same values, whatever a reference among them points at.
    pub(crate) fn without_tests(&self) -> Walk {
        let is_property = |step: &&Step| matches!(step, Step::Property { .. });
        let steps = self.steps.iter().filter(is_property).cloned().collect();
        Walk { steps, ..self.clone() }
    }

    pub(crate) fn tests(&self) -> impl Iterator<Item = &Test> {
        self.steps.iter().filter_map(|step| match step {
            Step::Where(test) => Some(test),
            Step::Property { .. } => None,
        })
    }
}

/// As deep as the expression is long, which the compiler bounds.
fn follow<'a>(steps: &[Step], value: &'a Value, visit: &mut impl FnMut(&'a Value)) {
    let Some((step, rest)) = steps.split_first() else { return visit(value) };
    match step {
        Step::Property { name, at } => match (value.get(name), at) {
            (Some(Value::Array(items)), Some(at)) => {
                if let Some(item) = items.get(*at) {
                    follow(rest, item, visit);
                }
            }
            (Some(Value::Array(items)), None) => {
                for item in items {
                    follow(rest, item, visit);
                }
            }
            (Some(item), None | Some(0)) => follow(rest, item, visit),
            (Some(_), Some(_)) | (None, _) => {}
        },
        Step::Where(test) => {
            if test.holds(value) {
                follow(rest, value, visit);
            }
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Test::ResolvesTo(kind) => reference::kind(value) == Some(kind),
            Test::Equals { property, text } => {
                value.get(property).and_then(Value::as_str) == Some(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Program, compile};
    use fhir::definitions::r4;
    use serde_json::{Value, json};

    fn check(resource: &Value, expression: &str, expected: &Value) {
        let kind = r4().resource(resource["resourceType"].as_str().unwrap()).unwrap();
        let parsed = fhir::path::parse(expression).unwrap();
        let mut found = Vec::new();
        for walk in compile(parsed.term(), kind).unwrap().walks() {
            walk.each(resource, |value| found.push(value.clone()));
        }
        assert_eq!(&Value::Array(found), expected, "{expression}");
    }

    #[test]
    fn walks_find_what_the_expressions_of_the_standard_name() {
        let patient = json!({
            "resourceType": "Patient",
            "name": [{ "given": ["A", "B"] }, { "given": ["C"] }],
            "telecom": [{ "system": "phone", "value": "1" }, { "system": "email", "value": "2" }],
        });
        check(&patient, "Patient.name.given", &json!(["A", "B", "C"]));
        check(&patient, "Person.name.given | Patient.name.given", &json!(["A", "B", "C"]));
        check(&patient, "Patient.telecom.where(system='email').value", &json!(["2"]));
        check(&patient, "Patient.name[1].given", &json!(["C"]));

        let observation = json!({
            "resourceType": "Observation",
            "subject": { "reference": "Patient/1" },
            "valueCodeableConcept": { "text": "x" },
        });
        check(&observation, "Observation.subject.where(resolve() is Group)", &json!([]));
        check(
            &observation,
            "Observation.subject.where(resolve() is Patient)",
            &json!([{ "reference": "Patient/1" }]),
        );
        check(&observation, "(Observation.value as string)", &json!([]));
        check(&observation, "(Observation.value as CodeableConcept).text", &json!(["x"]));
        check(&observation, "Observation.value.as(CodeableConcept)", &json!([{ "text": "x" }]));
    }

    #[test]
    fn every_search_parameter_of_the_standard_compiles() {
        let mut count = 0;
        for parameter in r4().search_parameters() {
            count += 1;
            if parameter.expression.is_empty() {
                // `_text`, `_content` and `_query` say what they mean in prose.
                assert!(parameter.code.starts_with('_'), "{}", parameter.id);
                continue;
            }
            let parsed = fhir::path::parse(parameter.expression).unwrap();
            for base in &parameter.bases {
                let kinds = r4().resources().filter(|kind| r4().is_a(kind.name, base));
                for kind in kinds {
                    let program = compile(parsed.term(), kind);
                    let walks = program.as_ref().map_or(0, |program| program.walks().len());
                    assert!(walks > 0, "{} on {}: {program:?}", parameter.id, kind.name);
                }
            }
        }
        assert_eq!(count, 1375);
    }

    #[test]
    fn what_is_deceased_is_known_from_any_of_its_types() {
        let parsed =
            fhir::path::parse("Patient.deceased.exists() and Patient.deceased != false").unwrap();
        let program = compile(parsed.term(), r4().resource("Patient").unwrap()).unwrap();
        assert!(matches!(program, Program::Truth(walks) if walks.len() == 2));
    }

    #[test]
    fn what_cannot_be_walked_is_refused() {
        for text in
            ["Patient.name.first()", "Patient.nmae", "Patient.name + 1", "Patient.name as Age"]
        {
            let parsed = fhir::path::parse(text).unwrap();
            assert!(compile(parsed.term(), r4().resource("Patient").unwrap()).is_err(), "{text}");
        }
    }
}
