//! A server of its own for each test.

mod answer;
mod city;
mod database;
#[expect(dead_code, reason = "the tests of verification itself use all of it")]
mod issuer;
mod server;

pub(crate) use answer::Answer;
pub(crate) use city::{City, HOSPITALS};
pub(crate) use database::{Database, administrator, settings};
pub(crate) use issuer::{Issuer, Serving, SigningKey, base64url};
pub(crate) use server::{Callers, TestServer, options};

use serde_json::{Value, json};

/// A valid patient with this family name.
pub(crate) fn patient(family: &str) -> Value {
    json!({
        "resourceType": "Patient",
        "identifier": [{ "system": "urn:test", "value": family }],
        "name": [{ "family": family, "given": ["Ann"] }],
        "gender": "female",
        "birthDate": "1974-12-25",
    })
}

/// A valid observation about a patient.
pub(crate) fn observation(patient: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": "http://loinc.org", "code": "8480-6" }] },
        "subject": { "reference": patient },
        "valueQuantity": { "value": 120, "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]" },
    })
}

/// A transaction of these entries: method, url, resource.
pub(crate) fn transaction(entries: Vec<Value>) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

pub(crate) fn entry(method: &str, url: &str, resource: Option<Value>) -> Value {
    let mut entry = json!({ "request": { "method": method, "url": url } });
    if let Some(resource) = resource {
        entry["resource"] = resource;
    }
    entry
}
