//! The search parameters of each resource type (searchparameter-registry.html), compiled once.

mod class;
pub(crate) mod composite;
mod custom;

use crate::key::salt;
use crate::parameter::token::Spelling;
use crate::parameter::{date, number, quantity, reference, string, token, uri};
use crate::program::{End, Program, Test, Walk, compile};
pub(crate) use class::is_voluminous;
use composite::Composite;
pub use custom::{Custom, Definition, PARAMETERS_MAX};
use fhir::definitions::{ParameterKind, SearchParameter, Type, r4};
use fhir::texts::Place as TextPlace;
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
    /// Sets its keys apart.
    pub(crate) salt: i64,
    /// The same for references to resources of this server, shared by all parameters that read the same element: `patient` is
    /// `subject`, for a target's key says its type.
    pub(crate) target_salt: i64,
    pub(crate) is_dominant: bool,
    pub(crate) spelling: Spelling,
    pub(crate) place: Place,
    pub(crate) rule: Rule,
    /// Of `present`: set where the resource has a value. What is defined here has a filter instead.
    pub(crate) bit: Option<u32>,
}

/// Where its values are kept, if not with those of most parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Tokens, filters, and the tables of entries.
    Entries,
    /// Its references to a patient are in the column `patient`.
    Patient,
    /// The first two codes are in the columns `code` and `code2`.
    Code,
    /// The columns `date_low` and `date_high`.
    Date,
    /// The columns `number` and `quantity`.
    Quantity,
    /// Its references to resources are in `reference_entry`, with the date of the resource.
    Actor,
    /// Nowhere: other parameters have them.
    Elsewhere,
}

/// How a parameter is searched.
#[derive(Debug)]
pub(crate) enum Rule {
    /// `_id`: the primary key.
    Id,
    /// `_lastUpdated`: the version key.
    LastUpdated,
    Token,
    Reference,
    Uri,
    String,
    Date,
    Number,
    Quantity,
    Composite(Composite),
    /// What any of these finds: `combo-code` is `code` or `component-code`.
    Either([&'static str; 2]),
    /// `_text` and `_content`: words that stand somewhere in these places.
    Words(Vec<TextPlace>),
    /// `near`: within a distance of a position.
    Near,
    /// Known to FHIR, refused here.
    Unsupported(&'static str),
}

/// The parameters of one resource type.
#[derive(Debug, Default)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// In the order of their codes.
    pub(crate) parameters: Vec<Parameter>,
    /// Where the type names its one patient.
    pub(crate) patient: Option<Walk>,
}

/// A parameter of a resource type, whether supported or not.
pub(crate) fn find(resource: &str, code: &str) -> Option<&'static Parameter> {
    kind(resource)?.find(code)
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
            let rule = rule(definition, resource, &program);
            let salt = salt(resource.name, definition.code);
            let (code, kind) = (definition.code, definition.kind);
            let parameter = Parameter::new(code, kind, &definition.targets, salt, program, rule);
            kinds.entry(resource.name).or_default().parameters.push(parameter);
        }
    }
    for (resource, kind) in &mut kinds {
        kind.name = resource;
        kind.parameters.sort_by_key(|parameter| parameter.code);
        kind.choose_patient();
        kind.share_targets();
        kind.choose_places(resource);
        for (bit, parameter) in (0..).zip(&mut kind.parameters) {
            parameter.bit = Some(bit);
        }
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

/// The types that a kind of parameter reads; composites and special ones have rules of their own.
fn kinds(kind: ParameterKind) -> Option<&'static [&'static str]> {
    match kind {
        ParameterKind::Token => Some(&token::KINDS),
        ParameterKind::Reference => Some(&reference::KINDS),
        ParameterKind::Uri => Some(&uri::KINDS),
        ParameterKind::String => Some(&string::KINDS),
        ParameterKind::Date => Some(&date::KINDS),
        ParameterKind::Number => Some(&number::KINDS),
        ParameterKind::Quantity => Some(&quantity::KINDS),
        ParameterKind::Composite | ParameterKind::Special => None,
    }
}

impl Kind {
    pub(crate) fn find(&self, code: &str) -> Option<&Parameter> {
        let place = self.parameters.binary_search_by(|parameter| parameter.code.cmp(code)).ok()?;
        self.parameters.get(place)
    }

    /// Whether its resources come by the million, and say most by codes: the texts of these then have no index of their own.
    pub(crate) fn is_voluminous(&self) -> bool {
        is_voluminous(self.name)
    }

    /// The parameter that is kept at a place, other than among the entries.
    pub(crate) fn at(&self, place: Place) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.place == place)
    }

    /// The walk of `patient`, or else of `subject`, where it can meet only one reference.
    fn choose_patient(&mut self) {
        self.patient = ["patient", "subject"].iter().find_map(|code| {
            let parameter = self.find(code)?;
            let [walk] = parameter.program.walks() else { return None };
            let is_one = !walk.is_repeating && walk.end.kind == "Reference";
            let is_patient = parameter.targets.contains(&"Patient");
            (is_one && is_patient).then(|| walk.without_tests())
        });
        for parameter in &mut self.parameters {
            if let ([walk], Some(patient)) = (parameter.program.walks(), &self.patient)
                && walk.without_tests() == *patient
                && parameter.targets.contains(&"Patient")
            {
                parameter.place = Place::Patient;
            }
        }
    }

    /// The first parameter of an element lends its salt to the others.
    fn share_targets(&mut self) {
        let mut known: Vec<(Vec<Walk>, i64)> = Vec::new();
        for parameter in &mut self.parameters {
            if !matches!(parameter.rule, Rule::Reference) {
                continue;
            }
            let walks = parameter.elements();
            match known.iter().find(|(other, _)| *other == walks) {
                Some((_, salt)) => parameter.target_salt = *salt,
                None => known.push((walks, parameter.salt)),
            }
        }
    }

    fn choose_places(&mut self, resource: &str) {
        let code = class::code(resource);
        let date = class::date(resource);
        let quantity = class::quantity(resource);
        let actor = class::actor(resource)
            .and_then(|actor| self.find(actor))
            .map(|parameter| parameter.target_salt);
        for parameter in &mut self.parameters {
            let is = |chosen: Option<&str>| chosen == Some(parameter.code);
            parameter.place = match parameter.rule {
                Rule::Token if is(code) => Place::Code,
                Rule::Date if is(date) => Place::Date,
                Rule::Quantity if is(quantity) => Place::Quantity,
                Rule::Reference if actor == Some(parameter.target_salt) => Place::Actor,
                Rule::Either(_) => Place::Elsewhere,
                _ => parameter.place,
            };
        }
    }
}

impl Parameter {
    fn new(
        code: &'static str,
        kind: ParameterKind,
        defined: &[&'static str],
        salt: i64,
        program: Program,
        rule: Rule,
    ) -> Parameter {
        let ends: Vec<&End> = program.walks().iter().map(|walk| &walk.end).collect();
        Parameter {
            code,
            kind,
            targets: targets(kind, defined, &program),
            salt,
            target_salt: salt,
            is_dominant: class::is_dominant(code, &program),
            spelling: match program {
                Program::Values(_) => Spelling::of(&ends),
                Program::Truth(_) => Spelling::Folded,
            },
            place: Place::Entries,
            rule,
            program,
            bit: None,
        }
    }

    /// The elements it reads, whatever their references point at.
    pub(crate) fn elements(&self) -> Vec<Walk> {
        self.program.walks().iter().map(Walk::without_tests).collect()
    }

    /// Whether it keeps the references to resources of this server for all parameters that share them.
    pub(crate) fn keeps_targets(&self) -> bool {
        self.salt == self.target_salt
    }

    /// Whether its codes can have texts (`:text`).
    pub(crate) fn has_texts(&self) -> bool {
        let kinds = ["CodeableConcept", "Coding", "Identifier"];
        matches!(self.program, Program::Values(_))
            && self.program.walks().iter().any(|walk| kinds.contains(&walk.end.kind))
    }

    /// Whether an index finds the resources that have a text: neither where most have one of a few, as of a status, nor by the
    /// kinds of identifiers.
    pub(crate) fn leads_texts(&self) -> bool {
        let is_identifier = self.program.walks().iter().any(|walk| walk.end.kind == "Identifier");
        self.place == Place::Code || !self.is_dominant && !is_identifier
    }

    /// Whether it reads names, which Chinese has several spellings for.
    pub(crate) fn is_name(&self) -> bool {
        let is_human = self.program.walks().iter().any(|walk| walk.end.kind == "HumanName");
        is_human || ["name", "family", "given", "phonetic"].contains(&self.code)
    }
}

fn rule(definition: &'static SearchParameter, resource: &'static Type, program: &Program) -> Rule {
    if let Some(either) = class::either(definition.code) {
        return Rule::Either(either);
    }
    match (definition.code, definition.kind) {
        ("_id", _) => Rule::Id,
        ("_lastUpdated", _) => Rule::LastUpdated,
        ("_text", _) => Rule::Words(vec![TextPlace::Narrative]),
        ("_content", _) => {
            Rule::Words(vec![TextPlace::Narrative, TextPlace::Element, TextPlace::Concept])
        }
        ("_query", _) => Rule::Unsupported("a named query"),
        (_, ParameterKind::Special) => Rule::Near,
        (_, ParameterKind::Composite) => match Composite::new(definition, resource) {
            Some(composite) => Rule::Composite(composite),
            None => Rule::Unsupported("this composite search"),
        },
        _ if program.walks().is_empty() => Rule::Unsupported("a search without an expression"),
        (_, ParameterKind::Token) => Rule::Token,
        (_, ParameterKind::Reference) => Rule::Reference,
        (_, ParameterKind::Uri) => Rule::Uri,
        (_, ParameterKind::String) => Rule::String,
        (_, ParameterKind::Date) => Rule::Date,
        (_, ParameterKind::Number) => Rule::Number,
        (_, ParameterKind::Quantity) => Rule::Quantity,
    }
}

/// Those of the definition that the elements allow: `patient` of many types has Group as a target, and only patients as values.
/// A definition without targets means any.
fn targets(kind: ParameterKind, defined: &[&'static str], program: &Program) -> Vec<&'static str> {
    let is_met = |target: &&'static str| program.walks().iter().any(|walk| allows(walk, target));
    if defined.is_empty() && kind == ParameterKind::Reference {
        return r4().resources().map(|resource| resource.name).filter(is_met).collect();
    }
    defined.iter().copied().filter(is_met).collect()
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
    use super::{Place, Rule, find, kind, supported};
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
            .filter(|parameter| parameter.place == Place::Patient)
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
    fn only_what_has_no_expression_is_not_supported() {
        for resource in r4().resources() {
            let kind = kind(resource.name).unwrap();
            assert!(kind.parameters.len() < 63, "{}", resource.name);
            for parameter in &kind.parameters {
                let is_supported = !matches!(parameter.rule, Rule::Unsupported(_));
                let expected = parameter.code != "_query";
                assert_eq!(is_supported, expected, "{} {}", resource.name, parameter.code);
            }
        }
        assert_eq!(find("Consent", "source-reference").unwrap().program.walks().len(), 1);
    }

    #[test]
    fn what_drives_a_search_has_its_place() {
        let check = |resource: &str, code: &str, expected: Place| {
            assert_eq!(find(resource, code).unwrap().place, expected, "{resource} {code}");
        };
        check("Observation", "code", Place::Code);
        check("Observation", "date", Place::Date);
        check("Observation", "value-quantity", Place::Quantity);
        check("Observation", "combo-code", Place::Elsewhere);
        check("Appointment", "practitioner", Place::Actor);
        check("Appointment", "actor", Place::Actor);
        check("Patient", "birthdate", Place::Date);
        check("Patient", "death-date", Place::Entries);
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
