//! `$consent-review`: consents in force that a guardian gave for a child who has turned 14 or 18 since. They go on to hold – a denial
//! that ended by itself would open what was closed – until the hospital has asked the patient and stored what was said.

use crate::app::App;
use crate::http::answer::{Answer, Content, stored};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::interactions::events::zone;
use crate::interactions::look::{Looked, patients, record, status};
use ::search::sharing::guardian::is_of_guardian;
use access::Grant;
use serde_json::{Value, json};
use store::consents::Outgrown;

pub(super) async fn list(app: &App, grant: &Grant, request: &Request) -> Result<Looked, Failure> {
    request.allow_parameters(&[])?;
    let found = app.store.outgrown(grant, &zone(app)).await?;
    let touched = found.describe(|found| patients(found.iter().map(|one| &one.consent)));
    let answer = found.map(|found| {
        let each = found.iter().map(parameter).filter_map(Result::transpose);
        let each: Vec<Value> = each.collect::<Result<_, Failure>>()?;
        let mut answer = json!({ "resourceType": "Parameters" });
        if !each.is_empty() {
            answer["parameter"] = Value::Array(each);
        }
        Ok(Answer::new(200, Content::Tree(answer)))
    });
    Ok(Looked { record: record(grant, request, answer.describe(status), touched), answer })
}

/// Nothing of what the patient said.
fn parameter(outgrown: &Outgrown) -> Result<Option<Value>, Failure> {
    let consent = stored(outgrown.consent.json.as_deref().unwrap_or_default())?;
    if !is_of_guardian(&consent) {
        return Ok(None);
    }
    Ok(Some(json!({ "name": "consent", "part": [
        { "name": "consent", "valueReference": { "reference": format!("Consent/{}", outgrown.consent.id) } },
        { "name": "patient", "valueReference": { "reference": consent["patient"]["reference"] } },
        { "name": "age", "valueInteger": outgrown.age },
        { "name": "since", "valueDate": outgrown.since },
    ] })))
}
