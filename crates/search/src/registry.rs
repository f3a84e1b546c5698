//! The search parameters of each resource type (searchparameter-registry.html), compiled once.

mod class;

use crate::key::salt;
use crate::parameter::token::Spelling;
use crate::parameter::{reference, string, token, uri};
use crate::program::{End, Program, Test, Walk, compile};
use fhir::definitions::{ParameterKind, SearchParameter, Type, r4};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A search parameter as it is for one resource type.
#[derive(Debug)]
pub struct Parameter {
    pub code: &'static str,
    pub kind: ParameterKind,
    pub(crate) program: Program,
    /// The types that a reference may point at.
    pub targets: Vec<&'static str>,
    pub(crate) salt: i64,
    pub(crate) is_dominant: bool,
    pub(crate) spelling: Spelling,
    /// Its references to a patient are kept in the column `patient` instead of among the tokens.
    pub(crate) is_patient: bool,
    pub(crate) rule: Rule,
}

/// How a parameter is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `_id`: the primary key.
    Id,
    /// `_lastUpdated`: the version key.
    LastUpdated,
    Token,
    Reference,
    Uri,
    String,
    /// Known to FHIR, refused here.
    Unsupported(&'static str),
}

/// The parameters of one resource type.
#[derive(Debug, Default)]
pub(crate) struct Kind {
    /// In the order of their codes.
    pub(crate) parameters: Vec<Parameter>,
    /// Where the type names its one patient.
    pub(crate) patient: Option<Walk>,
}

/// A parameter of a resource type, whether supported or not.
pub(crate) fn find(resource: &str, code: &str) -> Option<&'static Parameter> {
    let parameters = &kind(resource)?.parameters;
    let place = parameters.binary_search_by(|parameter| parameter.code.cmp(code)).ok()?;
    parameters.get(place)
}

/// The parameters of a resource type that can be searched by.
pub fn supported(resource: &str) -> impl Iterator<Item = &'static Parameter> {
    let parameters = kind(resource).map(|kind| kind.parameters.as_slice()).unwrap_or_default();
    parameters.iter().filter(|parameter| !matches!(parameter.rule, Rule::Unsupported(_)))
}

pub(crate) fn kind(resource: &str) -> Option<&'static Kind> {
    KINDS.get(resource)
}

/// Compiles now what else the first search or write would wait for.
pub(crate) fn warm() {
    LazyLock::force(&KINDS);
}

static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(build);

fn build() -> HashMap<&'static str, Kind> {
    let mut kinds: HashMap<&'static str, Kind> = HashMap::new();
    for definition in r4().search_parameters() {
        // An expression of the standard that were no expression would be found by the tests of `program`.
        let term = fhir::path::parse(definition.expression).ok();
        let is_base = |kind: &Type| definition.bases.iter().any(|base| r4().is_a(kind.name, base));
        for resource in r4().resources().filter(|kind| is_base(kind)) {
            let program = term.as_ref().and_then(|term| compile(term.term(), resource).ok());
            let program = program.unwrap_or(Program::Values(Vec::new()));
            let program = understood(program, definition.kind);
            let parameter = Parameter::new(definition, resource, program);
            kinds.entry(resource.name).or_default().parameters.push(parameter);
        }
    }
    for kind in kinds.values_mut() {
        kind.parameters.sort_by_key(|parameter| parameter.code);
        kind.choose_patient();
    }
    kinds
}

/// Without the types of a choice that the kind of parameter has no use for: the Attachment of `Consent.source`.
fn understood(program: Program, kind: ParameterKind) -> Program {
    match (program, kinds(kind)) {
        (Program::Values(mut walks), Some(kinds)) => {
            walks.retain(|walk| kinds.contains(&walk.end.kind));
            Program::Values(walks)
        }
        (program, _) => program,
    }
}

/// The types that a kind of parameter reads; none of a kind that is not supported.
fn kinds(kind: ParameterKind) -> Option<&'static [&'static str]> {
    match kind {
        ParameterKind::Token => Some(&token::KINDS),
        ParameterKind::Reference => Some(&reference::KINDS),
        ParameterKind::Uri => Some(&uri::KINDS),
        ParameterKind::String => Some(&string::KINDS),
        ParameterKind::Date
        | ParameterKind::Number
        | ParameterKind::Quantity
        | ParameterKind::Composite
        | ParameterKind::Special => None,
    }
}

impl Kind {
    /// The walk of `patient`, or else of `subject`, where it can meet only one reference.
    fn choose_patient(&mut self) {
        self.patient = ["patient", "subject"].iter().find_map(|code| {
            let parameter = self.parameters.iter().find(|parameter| parameter.code == *code)?;
            let [walk] = parameter.program.walks() else { return None };
            let is_one = !walk.is_repeating && walk.end.kind == "Reference";
            let is_patient = parameter.targets.contains(&"Patient");
            (is_one && is_patient).then(|| walk.without_tests())
        });
        for parameter in &mut self.parameters {
            parameter.is_patient = match (parameter.program.walks(), &self.patient) {
                ([walk], Some(patient)) => {
                    walk.without_tests() == *patient && parameter.targets.contains(&"Patient")
                }
                _ => false,
            };
        }
    }
}

impl Parameter {
    fn new(definition: &'static SearchParameter, resource: &Type, program: Program) -> Parameter {
        let ends: Vec<&End> = program.walks().iter().map(|walk| &walk.end).collect();
        Parameter {
            code: definition.code,
            kind: definition.kind,
            targets: targets(definition, &program),
            salt: salt(resource.name, definition.code),
            is_dominant: class::is_dominant(definition.code, &program),
            spelling: match program {
                Program::Values(_) => Spelling::of(&ends),
                Program::Truth(_) => Spelling::Folded,
            },
            is_patient: false,
            rule: rule(definition, &program),
            program,
        }
    }
}

fn rule(definition: &SearchParameter, program: &Program) -> Rule {
    match (definition.code, definition.kind) {
        ("_id", _) => Rule::Id,
        ("_lastUpdated", _) => Rule::LastUpdated,
        ("phonetic", _) => Rule::Unsupported("a search by sound"),
        _ if program.walks().is_empty() => Rule::Unsupported("a search without an expression"),
        (_, ParameterKind::Token) => Rule::Token,
        (_, ParameterKind::Reference) => Rule::Reference,
        (_, ParameterKind::Uri) => Rule::Uri,
        (_, ParameterKind::String) => Rule::String,
        (_, ParameterKind::Date) => Rule::Unsupported("a search by date"),
        (_, ParameterKind::Number) => Rule::Unsupported("a search by number"),
        (_, ParameterKind::Quantity) => Rule::Unsupported("a search by quantity"),
        (_, ParameterKind::Composite) => Rule::Unsupported("a composite search"),
        (_, ParameterKind::Special) => Rule::Unsupported("a special search"),
    }
}

/// Those of the definition that the elements allow: `patient` of many types has Group as a target, and only patients as values.
/// A definition without targets means any.
fn targets(definition: &SearchParameter, program: &Program) -> Vec<&'static str> {
    let is_met = |target: &&'static str| program.walks().iter().any(|walk| allows(walk, target));
    if definition.targets.is_empty() && definition.kind == ParameterKind::Reference {
        return r4().resources().map(|resource| resource.name).filter(is_met).collect();
    }
    definition.targets.iter().copied().filter(is_met).collect()
}

fn allows(walk: &Walk, target: &str) -> bool {
    let of_element = walk.end.targets;
    let is_allowed =
        of_element.is_empty() || of_element.contains(&"Resource") || of_element.contains(&target);
    is_allowed
        && walk.tests().all(|test| match test {
            Test::ResolvesTo(kind) => *kind == target,
            Test::Equals { .. } => true,
        })
}

#[cfg(test)]
mod tests {
    use super::{Rule, find, kind, kinds, supported};
    use fhir::definitions::r4;

    #[test]
    fn every_resource_type_is_searched_by_id_and_time() {
        for resource in r4().resources().filter(|resource| resource.name != "Parameters") {
            let codes: Vec<&str> = supported(resource.name).map(|found| found.code).collect();
            assert!(codes.contains(&"_id") && codes.contains(&"_lastUpdated"), "{}", resource.name);
        }
    }

    #[test]
    fn codes_are_unique_in_a_type() {
        for resource in r4().resources() {
            let parameters = &kind(resource.name).unwrap().parameters;
            assert!(parameters.is_sorted_by(|a, b| a.code < b.code), "{}", resource.name);
        }
    }

    fn check_patient(resource: &str, expected: &[&str]) {
        let parameters = kind(resource).unwrap().parameters.iter();
        let found: Vec<&str> = parameters
            .filter(|parameter| parameter.is_patient)
            .map(|parameter| parameter.code)
            .collect();
        assert_eq!(found, expected, "{resource}");
    }

    #[test]
    fn a_type_with_one_patient_keeps_it_in_a_column() {
        check_patient("Observation", &["patient", "subject"]);
        check_patient("AllergyIntolerance", &["patient"]);
        check_patient("Coverage", &["beneficiary", "patient"]);
        check_patient("AdverseEvent", &["subject"]);
        check_patient("Appointment", &[]);
        check_patient("Account", &[]);
        check_patient("AuditEvent", &[]);
        check_patient("Patient", &[]);
    }

    #[test]
    fn targets_are_those_that_the_element_allows() {
        assert_eq!(find("Observation", "patient").unwrap().targets, ["Patient"]);
        assert_eq!(find("AllergyIntolerance", "patient").unwrap().targets, ["Patient"]);
        assert_eq!(find("DeviceUseStatement", "patient").unwrap().targets, ["Patient", "Group"]);
        assert_eq!(find("Encounter", "subject").unwrap().targets, ["Group", "Patient"]);
        assert!(find("RequestGroup", "instantiates-canonical").unwrap().targets.len() > 100);
    }

    #[test]
    fn the_supported_parameters_are_those_of_four_kinds() {
        for resource in r4().resources() {
            for parameter in &kind(resource.name).unwrap().parameters {
                let is_plain = kinds(parameter.kind).is_some()
                    && !["_text", "_content", "_query", "phonetic"].contains(&parameter.code);
                let is_supported = !matches!(parameter.rule, Rule::Unsupported(_));
                let expected = is_plain || parameter.code == "_lastUpdated";
                assert_eq!(is_supported, expected, "{} {}", resource.name, parameter.code);
            }
        }
        assert_eq!(find("Consent", "source-reference").unwrap().program.walks().len(), 1);
    }

    fn check_dominant(resource: &str, code: &str, expected: bool) {
        assert_eq!(find(resource, code).unwrap().is_dominant, expected, "{resource} {code}");
    }

    #[test]
    fn what_tells_resources_apart_is_selective() {
        for (resource, code) in [
            ("Patient", "identifier"),
            ("Patient", "telecom"),
            ("Observation", "code"),
            ("Observation", "performer"),
            ("ValueSet", "url"),
        ] {
            check_dominant(resource, code, false);
        }
        for (resource, code) in [
            ("Patient", "gender"),
            ("Patient", "active"),
            ("Patient", "deceased"),
            ("Observation", "status"),
            ("Observation", "category"),
            ("Encounter", "class"),
            ("Patient", "_profile"),
            ("Patient", "_tag"),
        ] {
            check_dominant(resource, code, true);
        }
    }
}
