//! What is known of parameters beforehand: which of them lead a search, and which have values that many resources share.

use crate::program::{Program, Walk};

/// Of a type: the parameter whose codes have columns of their own, and the one whose dates do. The migrations have the same types
/// in their lists of indexes; a test compares them.
const LEADING: [(&str, Option<&str>, Option<&str>); 37] = [
    ("Account", None, Some("period")),
    ("AllergyIntolerance", Some("code"), Some("date")),
    ("Appointment", None, Some("date")),
    ("AuditEvent", None, Some("date")),
    ("CarePlan", None, Some("date")),
    ("CareTeam", None, Some("date")),
    ("Claim", None, Some("created")),
    ("ClinicalImpression", None, Some("date")),
    ("Communication", None, Some("sent")),
    ("Composition", None, Some("date")),
    ("Condition", Some("code"), Some("onset-date")),
    ("Consent", None, Some("date")),
    ("DetectedIssue", None, Some("identified")),
    ("DeviceRequest", Some("code"), Some("authored-on")),
    ("DiagnosticReport", Some("code"), Some("date")),
    ("DocumentReference", None, Some("date")),
    ("Encounter", None, Some("date")),
    ("EpisodeOfCare", None, Some("date")),
    ("ExplanationOfBenefit", None, Some("created")),
    ("Flag", None, Some("date")),
    ("ImagingStudy", Some("modality"), Some("started")),
    ("Immunization", Some("vaccine-code"), Some("date")),
    ("Media", None, Some("created")),
    ("MedicationAdministration", Some("code"), Some("effective-time")),
    ("MedicationDispense", Some("code"), Some("whenhandedover")),
    ("MedicationRequest", Some("code"), Some("authoredon")),
    ("MedicationStatement", Some("code"), Some("effective")),
    ("Observation", Some("code"), Some("date")),
    ("Patient", None, Some("birthdate")),
    ("Procedure", Some("code"), Some("date")),
    ("Provenance", None, Some("recorded")),
    ("QuestionnaireResponse", None, Some("authored")),
    ("Schedule", None, Some("date")),
    ("ServiceRequest", Some("code"), Some("authored")),
    ("Slot", None, Some("start")),
    ("Specimen", None, Some("collected")),
    ("Task", None, Some("authored-on")),
];

/// Of a type with several actors: the parameter whose references are looked up together with the date.
const ACTORS: [(&str, &str); 4] = [
    ("Appointment", "actor"),
    ("Encounter", "participant"),
    ("Schedule", "actor"),
    ("Slot", "schedule"),
];

pub(crate) fn leading()
-> impl Iterator<Item = (&'static str, Option<&'static str>, Option<&'static str>)> {
    LEADING.into_iter()
}

pub(super) fn code(resource: &str) -> Option<&'static str> {
    leading().find(|(name, ..)| *name == resource)?.1
}

pub(super) fn date(resource: &str) -> Option<&'static str> {
    leading().find(|(name, ..)| *name == resource)?.2
}

pub(super) fn quantity(resource: &str) -> Option<&'static str> {
    (resource == "Observation").then_some("value-quantity")
}

pub(super) fn actor(resource: &str) -> Option<&'static str> {
    ACTORS.iter().find(|(name, _)| *name == resource).map(|(_, actor)| *actor)
}

/// Types whose resources are many, small, and made of codes.
const VOLUMINOUS: [&str; 8] = [
    "AuditEvent",
    "Claim",
    "Encounter",
    "ExplanationOfBenefit",
    "MedicationAdministration",
    "Observation",
    "Provenance",
    "Slot",
];

pub(crate) fn is_voluminous(resource: &str) -> bool {
    VOLUMINOUS.contains(&resource)
}

/// What Observation.code and its components' codes have together, and so on.
const EITHER: [(&str, [&str; 2]); 5] = [
    ("combo-code", ["code", "component-code"]),
    ("combo-code-value-concept", ["code-value-concept", "component-code-value-concept"]),
    ("combo-code-value-quantity", ["code-value-quantity", "component-code-value-quantity"]),
    ("combo-value-concept", ["value-concept", "component-value-concept"]),
    ("combo-value-quantity", ["value-quantity", "component-value-quantity"]),
];

pub(super) fn either(code: &str) -> Option<[&'static str; 2]> {
    EITHER.iter().find(|(name, _)| *name == code).map(|(_, either)| *either)
}

/// Codeable concepts and URLs with a handful of values.
const DOMINANT: [&str; 22] = [
    "_profile",
    "_security",
    "_source",
    "_tag",
    "appointment-type",
    "category",
    "class",
    "clinical-status",
    "confidentiality",
    "context-type",
    "empty-reason",
    "jurisdiction",
    "language",
    "lifecycle-status",
    "priority",
    "service-category",
    "severity",
    "special-arrangement",
    "status",
    "type-of-care",
    "use",
    "verification-status",
];

pub(super) fn is_dominant(code: &str, program: &Program) -> bool {
    let is_enumerated = |walk: &Walk| matches!(walk.end.kind, "code" | "boolean");
    match program {
        Program::Truth(_) => true,
        Program::Values(walks) => {
            DOMINANT.contains(&code) || (!walks.is_empty() && walks.iter().all(is_enumerated))
        }
    }
}
