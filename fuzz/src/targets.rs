//! What is fed. A target takes any bytes and must come back soon, without a panic.

use access::{Caller, HospitalId, Interaction, Wish, decide};
use fhir::json::Limits;
use fhir::path::context::Context;
use fhir::path::node::Node;
use jiff::tz::TimeZone;
use search::extract::Extractor;
use search::plan;
use search::query::{Codes, Context as Queries, Query, Unknown};
use search::render::{self, Part, Window};
use search::veil::Veil;
use serde_json::Value;
use std::sync::Arc;

pub type Target = fn(&[u8]);

/// Each with texts to begin from.
pub const TARGETS: [(&str, Target, &[&str]); 6] = [
    ("json", json, &RESOURCES),
    ("xml", xml, &XML),
    ("fhirpath", fhirpath, &EXPRESSIONS),
    ("validate", validate, &RESOURCES),
    ("patch", patch, &PATCHES),
    ("query", query, &QUERIES),
];

const RESOURCES: [&str; 3] = [
    r##"{"resourceType":"Patient","id":"a","meta":{"tag":[{"code":"x"}]},"name":[{"family":"王","given":["a",null],"_given":[null,{"id":"g"}]}],"birthDate":"1974-12-25","contained":[{"resourceType":"Organization","id":"o"}],"managingOrganization":{"reference":"#o"}}"##,
    r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":1.50e2,"unit":"g"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p></div>"}}"#,
    r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Basic","code":{"text":"x"}},"request":{"method":"POST","url":"Basic"}}]}"#,
];

const XML: [&str; 2] = [
    r#"<?xml version="1.0"?><Patient xmlns="http://hl7.org/fhir"><id value="a"/><text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml">a</div></text><name id="n"><given value="a"><extension url="urn:x"><valueCode value="b"/></extension></given></name></Patient>"#,
    r#"<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/><entry><resource><Basic><code><text value="&#65;&amp;"/></code></Basic></resource></entry></Bundle>"#,
];

const EXPRESSIONS: [&str; 6] = [
    "name.where(use = 'official').given.first() | name.family",
    "birthDate < today() and (active = true or active.exists().not())",
    "(1 + 2.5) * 3 'mg' / 2 days > @2020-01-01T00:00:00Z",
    "name.select(given & ' ' & family).join(', ').matches('^a+$').iif(1, {})",
    "descendants().ofType(string).repeat($this).aggregate($total + 1, 0)",
    "%resource.contained.resolve().as(Patient).extension('urn:x').value ~ `a`",
];

const PATCHES: [&str; 2] = [
    r#"[{"op":"add","path":"/name/0/given/-","value":"x"},{"op":"move","from":"/name","path":"/x"},{"op":"test","path":"/id","value":"a"}]"#,
    r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.name[0].family"},{"name":"value","valueString":"x"}]}]}"#,
];

const QUERIES: [&str; 4] = [
    "identifier=urn:x|1,2&name=a\\,b&_lastUpdated=ge2020-01-01",
    "general-practitioner=Practitioner/1&_id=a,b&gender=|female",
    "name:exact=x&organization.name=y&_has:Observation:patient:code=z",
    "_profile=http://example.org/p|1&address-city=上海&_lastUpdated=ne2020-02",
];

pub fn json(bytes: &[u8]) {
    if let Ok(value) = fhir::json::parse(bytes, &Limits::default()) {
        let text = fhir::json::write(&value);
        assert!(fhir::json::parse(&text, &Limits::default()).is_ok_and(|again| again == value));
    }
}

pub fn xml(bytes: &[u8]) {
    if let Ok(value) = fhir::xml::parse(bytes, &Limits::default()) {
        let text = fhir::xml::write(&value, false);
        assert!(text.is_ok_and(|text| fhir::xml::parse(&text, &Limits::default()).is_ok()));
    }
}

pub fn fhirpath(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(expression) = fhir::path::parse(text) else { return };
    let resource: Value = serde_json::from_str(RESOURCES[0]).unwrap_or_default();
    if let Some(node) = Node::root(&resource) {
        let _ = fhir::path::evaluate(&expression, node, &Context::new(Some(node), None));
    }
}

pub fn validate(bytes: &[u8]) {
    if let Ok(value) = fhir::json::parse(bytes, &Limits::default()) {
        let _ = fhir::validate::resource(&value);
        let mut value = fhir::summary::subset(&value, &fhir::summary::Subset::Summary);
        fhir::references::rewrite(&mut value, &mut |_, text| Some(text.to_owned()));
        let _ = Extractor::new("http://here/fhir", TimeZone::UTC, Arc::new(Veil::new(b"")))
            .entries(&value);
    }
}

pub fn patch(bytes: &[u8]) {
    let Ok(patch) = fhir::json::parse(bytes, &Limits::default()) else { return };
    let resource: Value = serde_json::from_str(RESOURCES[0]).unwrap_or_default();
    let _ = fhir::patch::apply_json(&resource, &patch);
    let _ = fhir::patch::apply_path(&resource, &patch);
}

pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let pairs: Vec<(String, String)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let zone = TimeZone::UTC;
    let veil = Arc::new(Veil::new(b""));
    let context = Queries {
        base_url: "http://here/fhir",
        time_zone: &zone,
        now_micros: 1_795_000_000_000_000,
        unknown: Unknown::Report,
        codes: &Codes::new(),
        custom: Arc::default(),
        veil: &veil,
    };
    let wish = Wish::new(Interaction::Search, Some("Patient"));
    let (Ok(query), Ok(grant)) =
        (Query::parse("Patient", &pairs, &context), decide(&Caller::local(HospitalId(1)), &wish))
    else {
        return;
    };
    let resource: Value = serde_json::from_str(RESOURCES[0]).unwrap_or_default();
    let _ = query.holds(&resource, &Extractor::new(context.base_url, TimeZone::UTC, veil.clone()));
    let _ = query.canonical();
    if let Ok(plan) = plan::plan(&query, &grant) {
        let part = Part::Ordered { after: None };
        let window = Window { order: plan.natural(), part, pinned: None, limit: 10 };
        let _ = render::page(&plan, &window).text();
        let _ = render::count(&plan).text();
    }
}
