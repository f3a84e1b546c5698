//! What the tests of this module ask: expressions over one small Bundle entry, with answers as texts.

use super::budget::Limits;
use super::context::Context;
use super::node::Node;
use super::temporal::DateTime;
use crate::json;

const BUNDLE: &str = r##"{"resourceType":"Bundle","type":"collection","entry":[
    {"fullUrl":"https://example.org/fhir/Patient/p1","resource":{
        "resourceType":"Patient","id":"p1","active":true,"gender":"female",
        "extension":[{"url":"http://example.org/age","valueAge":{"value":7,"system":"http://unitsofmeasure.org","code":"a"}}],
        "contained":[{"resourceType":"Organization","id":"org","name":"Clinic"}],
        "name":[{"use":"usual","given":["Ann","Bo"],"_given":[null,{"extension":[{"url":"u","valueCode":"x"}]}]},
                {"use":"old","family":"Cy"}],
        "birthDate":"1974-12-25","_birthDate":{"id":"b"},
        "_deceasedDateTime":{"extension":[{"url":"u","valueBoolean":true}]},
        "managingOrganization":{"reference":"#org"},
        "generalPractitioner":[{"reference":"Practitioner/d1"},{"reference":"urn:uuid:1"},{"display":"none"}],
        "link":[{"other":{"reference":"Patient/p2"},"type":"seealso"}]}},
    {"fullUrl":"urn:uuid:1","resource":{"resourceType":"Practitioner","id":"d2","active":false}},
    {"fullUrl":"https://example.org/fhir/Observation/o1","resource":{
        "resourceType":"Observation","id":"o1","status":"final",
        "code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},
        "valueQuantity":{"value":120.50,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}
]}"##;

/// The items as texts, with a comma between; elements without a text as their type.
pub(super) fn found(expression: &str) -> Result<String, String> {
    let bundle = json::parse(BUNDLE.as_bytes(), &json::Limits::default()).unwrap();
    let entry = if expression.starts_with("Observation") { 2 } else { 0 };
    let root = Node::root(&bundle["entry"][entry]["resource"]).unwrap();
    let now = DateTime::parse("2026-01-02T03:04:05.678+08:00");
    let limits = Limits { steps_max: 100_000, ..Limits::default() };
    let context = Context { bundle: Some(&bundle), limits, ..Context::new(Some(root), now) };
    let expression = super::parse(expression).map_err(|error| error.to_string())?;
    let items = super::evaluate(&expression, root, &context).map_err(|error| error.to_string())?;
    let texts: Vec<String> = items
        .iter()
        .map(|item| match (item.text(), item.kind()) {
            (Some(text), _) => text.into_owned(),
            (None, kind) => format!("<{}>", kind.map_or("type", |kind| kind.name())),
        })
        .collect();
    Ok(texts.join(", "))
}

pub(super) fn check(expression: &str, expected: &str) {
    assert_eq!(found(expression).as_deref(), Ok(expected), "{expression}");
}

pub(super) fn fails(expression: &str, part: &str) {
    let error = found(expression).unwrap_err();
    assert!(error.contains(part), "{expression}: {error} has no {part}");
}
