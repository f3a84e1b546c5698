//! The parameters that are asked for, and where their values stand (searchparameter-registry.html, by hand).

use super::values::local;
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    Text,
    Token,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    /// Two parameters of the elements at the paths.
    Composite(&'static Parameter, &'static Parameter),
}

#[derive(PartialEq, Debug)]
pub(super) struct Parameter {
    pub(super) on: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) paths: &'static [&'static str],
    /// The types that a reference may go to; a narrowing parameter has one.
    pub(super) targets: &'static [&'static str],
    /// The system of a plain code.
    pub(super) implied: Option<&'static str>,
}

const fn of(
    on: &'static str,
    name: &'static str,
    kind: Kind,
    paths: &'static [&'static str],
) -> Parameter {
    Parameter { on, name, kind, paths, targets: &[], implied: None }
}

const fn code(
    on: &'static str,
    name: &'static str,
    paths: &'static [&'static str],
    system: &'static str,
) -> Parameter {
    Parameter { on, name, kind: Kind::Token, paths, targets: &[], implied: Some(system) }
}

const fn refer(
    on: &'static str,
    name: &'static str,
    paths: &'static [&'static str],
    targets: &'static [&'static str],
) -> Parameter {
    Parameter { on, name, kind: Kind::Reference, paths, targets, implied: None }
}

use Kind::{Composite, Date, Number, Quantity, Text, Token, Uri};

/// Of `true` and `false`; it is never asked for.
const FLAG: &str = "http://hl7.org/fhir/special-values";
const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

static CODE: Parameter = of("", "code", Token, &["code"]);
static VALUE: Parameter = of("", "value-quantity", Quantity, &["valueQuantity"]);
static CONCEPT: Parameter = of("", "value-concept", Token, &["valueCodeableConcept"]);
static WORDS: Parameter =
    of("", "value-string", Text, &["valueString", "valueCodeableConcept.text"]);

/// A name that several targets of one reference know stands here for all of them: a chain without a type asks them all.
pub(super) static PARAMETERS: &[Parameter] = &[
    of("Group", "identifier", Token, &["identifier"]),
    code("Group", "type", &["type"], "http://hl7.org/fhir/group-type"),
    code("Group", "actual", &["actual"], FLAG),
    of("Organization", "name", Text, &["name", "alias"]),
    of("Organization", "identifier", Token, &["identifier"]),
    code("Organization", "active", &["active"], FLAG),
    of("Organization", "address", Text, &["address"]),
    of("Organization", "address-city", Text, &["address.city"]),
    refer("Organization", "partof", &["partOf"], &["Organization"]),
    of("Practitioner", "name", Text, &["name"]),
    of("Practitioner", "family", Text, &["name.family"]),
    of("Practitioner", "given", Text, &["name.given"]),
    code("Practitioner", "gender", &["gender"], GENDER),
    of("Practitioner", "identifier", Token, &["identifier"]),
    code("Practitioner", "active", &["active"], FLAG),
    of("Practitioner", "address", Text, &["address"]),
    of("Practitioner", "address-city", Text, &["address.city"]),
    of("Patient", "name", Text, &["name"]),
    of("Patient", "family", Text, &["name.family"]),
    of("Patient", "given", Text, &["name.given"]),
    of("Patient", "address", Text, &["address"]),
    of("Patient", "address-city", Text, &["address.city"]),
    of("Patient", "identifier", Token, &["identifier"]),
    code("Patient", "gender", &["gender"], GENDER),
    code("Patient", "active", &["active"], FLAG),
    code("Patient", "deceased", &["(deceased)"], FLAG),
    of("Patient", "birthdate", Date, &["birthDate"]),
    of("Patient", "death-date", Date, &["deceasedDateTime"]),
    refer("Patient", "organization", &["managingOrganization"], &["Organization"]),
    refer(
        "Patient",
        "general-practitioner",
        &["generalPractitioner"],
        &["Practitioner", "Organization", "PractitionerRole"],
    ),
    refer("Patient", "link", &["link.other"], &["Patient", "RelatedPerson"]),
    code("Encounter", "status", &["status"], "http://hl7.org/fhir/encounter-status"),
    of("Encounter", "class", Token, &["class"]),
    of("Encounter", "date", Date, &["period"]),
    refer("Encounter", "subject", &["subject"], &["Patient", "Group"]),
    refer("Encounter", "patient", &["subject"], &["Patient"]),
    refer(
        "Encounter",
        "participant",
        &["participant.individual"],
        &["Practitioner", "PractitionerRole", "RelatedPerson"],
    ),
    refer("Encounter", "practitioner", &["participant.individual"], &["Practitioner"]),
    refer("Encounter", "service-provider", &["serviceProvider"], &["Organization"]),
    code("Appointment", "status", &["status"], "http://hl7.org/fhir/appointmentstatus"),
    code(
        "Appointment",
        "part-status",
        &["participant.status"],
        "http://hl7.org/fhir/participationstatus",
    ),
    of("Appointment", "date", Date, &["start"]),
    refer(
        "Appointment",
        "actor",
        &["participant.actor"],
        &[
            "Patient",
            "Practitioner",
            "PractitionerRole",
            "RelatedPerson",
            "Device",
            "HealthcareService",
            "Location",
        ],
    ),
    refer("Appointment", "patient", &["participant.actor"], &["Patient"]),
    refer("Appointment", "practitioner", &["participant.actor"], &["Practitioner"]),
    code("Observation", "status", &["status"], "http://hl7.org/fhir/observation-status"),
    of("Observation", "category", Token, &["category"]),
    of("Observation", "code", Token, &["code"]),
    of("Observation", "combo-code", Token, &["code", "component.code"]),
    of("Observation", "component-code", Token, &["component.code"]),
    of("Observation", "value-concept", Token, &["valueCodeableConcept"]),
    of("Observation", "value-string", Text, &["valueString", "valueCodeableConcept.text"]),
    of(
        "Observation",
        "date",
        Date,
        &["effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming"],
    ),
    of("Observation", "value-quantity", Quantity, &["valueQuantity"]),
    of("Observation", "component-value-quantity", Quantity, &["component.valueQuantity"]),
    of(
        "Observation",
        "combo-value-quantity",
        Quantity,
        &["valueQuantity", "component.valueQuantity"],
    ),
    of("Observation", "code-value-quantity", Composite(&CODE, &VALUE), &[""]),
    of("Observation", "code-value-concept", Composite(&CODE, &CONCEPT), &[""]),
    of("Observation", "code-value-string", Composite(&CODE, &WORDS), &[""]),
    of("Observation", "component-code-value-quantity", Composite(&CODE, &VALUE), &["component"]),
    of("Observation", "combo-code-value-quantity", Composite(&CODE, &VALUE), &["", "component"]),
    refer("Observation", "subject", &["subject"], &["Patient", "Group", "Device", "Location"]),
    refer("Observation", "patient", &["subject"], &["Patient"]),
    refer("Observation", "encounter", &["encounter"], &["Encounter"]),
    refer(
        "Observation",
        "performer",
        &["performer"],
        &[
            "Practitioner",
            "PractitionerRole",
            "Organization",
            "CareTeam",
            "Patient",
            "RelatedPerson",
        ],
    ),
    refer(
        "Observation",
        "has-member",
        &["hasMember"],
        &["Observation", "MolecularSequence", "QuestionnaireResponse"],
    ),
    of("Condition", "code", Token, &["code"]),
    of("Condition", "onset-date", Date, &["onsetDateTime"]),
    of("Condition", "onset-age", Quantity, &["onsetAge"]),
    of("Condition", "recorded-date", Date, &["recordedDate"]),
    refer("Condition", "subject", &["subject"], &["Patient", "Group"]),
    refer("Condition", "patient", &["subject"], &["Patient"]),
    refer("Condition", "encounter", &["encounter"], &["Encounter"]),
    refer(
        "Condition",
        "asserter",
        &["asserter"],
        &["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"],
    ),
    of("RiskAssessment", "probability", Number, &["prediction.probabilityDecimal"]),
    refer("RiskAssessment", "subject", &["subject"], &["Patient", "Group"]),
    refer("RiskAssessment", "patient", &["subject"], &["Patient"]),
    of("ValueSet", "url", Uri, &["url"]),
    code("ValueSet", "status", &["status"], "http://hl7.org/fhir/publication-status"),
];

static TAG: Parameter = of("", "_tag", Token, &["meta.tag"]);

/// Compartments: the type whose compartment it is, the type in it, the parameters that bring it there.
pub(super) const COMPARTMENTS: &[(&str, &str, &[&str])] = &[
    ("Patient", "Observation", &["subject", "performer"]),
    ("Patient", "Encounter", &["patient"]),
    ("Patient", "Appointment", &["actor"]),
    ("Patient", "Condition", &["patient", "asserter"]),
    ("Patient", "RiskAssessment", &["subject"]),
    ("Practitioner", "Observation", &["performer"]),
    ("Practitioner", "Encounter", &["practitioner", "participant"]),
    ("Practitioner", "Appointment", &["actor"]),
    ("Practitioner", "Patient", &["general-practitioner"]),
    ("Practitioner", "Condition", &["asserter"]),
    ("Encounter", "Observation", &["encounter"]),
    ("Encounter", "Condition", &["encounter"]),
];

/// The types that are searched.
pub(super) const KINDS: [&str; 9] = [
    "Patient",
    "Observation",
    "Encounter",
    "Appointment",
    "Organization",
    "Practitioner",
    "Condition",
    "RiskAssessment",
    "ValueSet",
];

pub(super) fn parameter(on: &str, name: &str) -> Option<&'static Parameter> {
    if name == "_tag" {
        return Some(&TAG);
    }
    PARAMETERS.iter().find(|parameter| parameter.on == on && parameter.name == name)
}

pub(super) fn parameters(on: &str) -> Vec<&'static Parameter> {
    let own = PARAMETERS.iter().filter(|parameter| parameter.on == on);
    own.chain([&TAG]).collect()
}

/// The elements that a parameter looks at.
pub(super) fn elements(resource: &Value, parameter: &Parameter) -> Vec<Value> {
    let found = parameter.paths.iter().flat_map(|path| match *path {
        "" => vec![resource.clone()],
        // Patient.deceased.exists() and Patient.deceased != false
        "(deceased)" => {
            let is_dead =
                resource["deceasedBoolean"] == true || resource["deceasedDateTime"].is_string();
            vec![Value::Bool(is_dead)]
        }
        path => path.split('.').fold(vec![resource.clone()], |level, name| {
            let below = level.iter().map(|element| element[name].clone());
            below.flat_map(flat).collect()
        }),
    });
    let found: Vec<Value> = found.collect();
    if parameter.kind != Kind::Reference {
        return found;
    }
    // A parameter with one target of several reads only those: `.where(resolve() is Patient)`.
    let is_kept = |element: &Value| match parameter.targets {
        [only] => local(element).is_none_or(|(kind, _)| kind == *only),
        _ => true,
    };
    found.into_iter().filter(is_kept).collect()
}

fn flat(value: Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        other => vec![other],
    }
}
