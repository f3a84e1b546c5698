//! `$break-glass`: opens the record of one patient to one person in an emergency, for a few hours; recorded, announced, and listed
//! until somebody reviewed it. GET lists what waits for a review, for auditors.

use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Method;
use crate::interactions::look::{Looked, Reader, record};
use ::search::key::resource_key;
use access::Grant;
use fhir::outcome::Code;
use serde_json::{Value, json};
use store::break_glass::Opening;
use store::trail::Sealed;
use uuid::Uuid;

const REASON: std::ops::RangeInclusive<usize> = 10..=1_000;

/// Opens a record.
pub(super) async fn open(
    app: &App,
    reader: &Reader<'_>,
    grant: &Grant,
    request: &Request,
    patient: &str,
) -> Result<Looked, Failure> {
    require_post(reader, request)?;
    only(request, &["reason"])?;
    let reason = request.parameter("reason").unwrap_or_default().trim();
    if !REASON.contains(&reason.chars().count()) {
        return Err(Failure::new(
            422,
            Code::BusinessRule,
            "`reason` has to say in 10 to 1,000 characters why the record has to be seen now",
        ));
    }
    // Whether there is such a patient is not told: a record that is not there stays empty.
    let time = app.settings.sharing.break_glass;
    let opening = app.store.open_record(grant, patient, reason, time).await?;
    metrics::counter!("bund_break_glass_total").increment(1);
    tracing::warn!(opening = %opening.id, hospital = %opening.hospital, "the glass was broken: review it");
    let touched = vec![resource_key("Patient", patient)];
    let mut looked = answered(grant, request, 201, touched, &[opening]);
    looked.record.query = Some(audit::event::BREAK_GLASS.to_owned());
    Ok(looked)
}

/// Lists openings; with `all` those too that were reviewed.
pub(super) async fn list(app: &App, grant: &Grant, request: &Request) -> Result<Looked, Failure> {
    only(request, &["all"])?;
    let openings = app.store.openings(request.parameter("all") == Some("true")).await?;
    let mut touched: Vec<i64> =
        openings.iter().map(|opening| resource_key("Patient", &opening.patient)).collect();
    touched.sort_unstable();
    touched.dedup();
    Ok(answered(grant, request, 200, touched, &openings))
}

/// Notes that somebody looked at an opening, and what they think of it.
pub(super) async fn review(
    app: &App,
    reader: &Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    require_post(reader, request)?;
    only(request, &["opening", "review"])?;
    let id = request.parameter("opening").and_then(|text| Uuid::try_parse(text).ok());
    let id =
        id.ok_or_else(|| Failure::bad_request("`opening` is the id of one, as a list has it"))?;
    let text = request.parameter("review").unwrap_or_default().trim();
    if text.is_empty() || text.chars().count() > *REASON.end() {
        return Err(Failure::bad_request("`review` says in 1 to 1,000 characters what was found"));
    }
    let agent = grant.agent();
    let by = agent.name.as_deref().unwrap_or(&agent.subject);
    match app.store.review(id, by, text).await? {
        true => Ok(answered(grant, request, 200, Vec::new(), &[])),
        false => Err(Failure::not_found("an opening of this id that waits for a review")),
    }
}

fn require_post(reader: &Reader<'_>, request: &Request) -> Result<(), Failure> {
    if matches!(reader, Reader::Transaction(_)) {
        return Err(Failure::bad_request("this cannot be part of a transaction"));
    }
    match request.method {
        Method::Post => Ok(()),
        _ => Err(Failure::method("POST, OPTIONS")),
    }
}

fn only(request: &Request, inputs: &[&str]) -> Result<(), Failure> {
    let is_known = |name: &str| inputs.contains(&name) || name.starts_with('_');
    match request.query.iter().find(|(name, _)| !is_known(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let name: String = name.chars().take(64).collect();
            Err(Failure::bad_request(format!(
                "there is no input `{name}`; inputs are: {}",
                inputs.join(", ")
            )))
        }
    }
}

fn answered(
    grant: &Grant,
    request: &Request,
    status: u16,
    touched: Vec<i64>,
    openings: &[Opening],
) -> Looked {
    let parameters: Vec<Value> = openings.iter().map(parameter).collect();
    let mut answer = json!({ "resourceType": "Parameters" });
    if !parameters.is_empty() {
        answer["parameter"] = Value::Array(parameters);
    }
    let record = record(grant, request, status, touched);
    Looked { record, answer: Sealed::without_rows(Ok(Answer::new(status, Content::Tree(answer)))) }
}

fn parameter(opening: &Opening) -> Value {
    let mut parts = vec![
        json!({ "name": "id", "valueId": opening.id.to_string() }),
        json!({ "name": "patient", "valueReference": { "reference": format!("Patient/{}", opening.patient) } }),
        json!({ "name": "hospital", "valueString": opening.hospital }),
        json!({ "name": "person", "valueString": opening.person }),
        json!({ "name": "reason", "valueString": opening.reason }),
        json!({ "name": "opened", "valueDateTime": opening.opened_at }),
        json!({ "name": "until", "valueDateTime": opening.until }),
        json!({ "name": "open", "valueBoolean": opening.is_open }),
    ];
    if let Some(review) = &opening.review {
        parts.extend([
            json!({ "name": "reviewed", "valueDateTime": review.at }),
            json!({ "name": "reviewer", "valueString": review.by }),
            json!({ "name": "review", "valueString": review.text }),
        ]);
    }
    json!({ "name": "opening", "part": parts })
}
