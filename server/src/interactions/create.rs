//! create: a new resource with an id of the server's (http.html#create), or none if criteria already match (http.html#ccreate).

use super::change::{Action, Change, Changed, Done, Keep, Work, run};
use super::search::{criteria, require_criteria};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::failure::Failure;
use crate::http::request::{Request, parse_query};
use access::Grant;
use fhir::outcome::{Code, Issue, Severity};
use schema::resource::Table;
use serde_json::Value;
use xxhash_rust::xxh3::Xxh3;

pub async fn answer(app: &App, grant: &Grant, mut request: Request) -> Result<Answer, Failure> {
    request.allow_parameters(&[])?;
    let change = change(app, &mut request)?;
    let keep = keep(&request, &change)?;
    let work = Work { request: &request, changes: vec![change], reads: Vec::new(), keep };
    let finish = |changed: &[Changed]| {
        changed
            .first()
            .map_or_else(|| Answer::outcome(500, &[]), |changed| changed.answer(&request))
    };
    match run(app, grant, &work, finish).await? {
        Done::Fresh { changed, .. } => Ok(finish(&changed)),
        Done::Repeated(answer) => Ok(answer),
    }
}

pub fn change(app: &App, request: &mut Request) -> Result<Change, Failure> {
    let table = table(request)?;
    let resource = resource(app, request, table)?;
    let unless = match request.headers.if_none_exist.as_deref() {
        None => None,
        Some(text) => Some(require_criteria(criteria(app, table, &parse_query(text)?)?)?),
    };
    Ok(Change {
        table,
        action: Action::Create { resource, unless },
        if_match: None,
        if_none_match: None,
        full_url: None,
        entry: None,
        grant: super::grant(request)?,
    })
}

/// The table that the address names.
pub fn table(request: &Request) -> Result<&'static Table, Failure> {
    request.target.table().ok_or_else(|| Failure::method(request.target.allow()))
}

/// The valid resource in the body, of the type that the address names.
pub fn resource(app: &App, request: &mut Request, table: &'static Table) -> Result<Value, Failure> {
    let resource = match request.body.take() {
        Some(Body::Resource(resource)) => resource,
        Some(Body::JsonPatch(_)) => {
            return Err(Failure::new(
                415,
                Code::NotSupported,
                "a JSON Patch is taken by PATCH only",
            ));
        }
        None => return Err(Failure::bad_request("the body is empty; send a resource")),
    };
    match resource["resourceType"].as_str() {
        Some(kind) if kind == table.resource => {}
        Some(kind) => {
            let text = format!("the body is a {kind}, the address says {}", table.resource);
            return Err(Failure::of(
                400,
                vec![Issue::error(Code::Invalid, text).at("resourceType")],
            ));
        }
        None => {
            let text = format!("the body has no resourceType; the address says {}", table.resource);
            return Err(Failure::of(400, vec![Issue::error(Code::Structure, text)]));
        }
    }
    validate(app, &resource)?;
    Ok(resource)
}

/// Refuses with all errors at once; warnings alone do not stop a write.
#[tracing::instrument(level = "debug", skip_all)]
pub fn validate(app: &App, resource: &Value) -> Result<(), Failure> {
    let _ = app;
    let issues = fhir::validate::resource(resource);
    if issues.iter().any(|issue| issue.severity == Severity::Error) {
        return Err(Failure::invalid(issues));
    }
    Ok(())
}

/// The Idempotency-Key of a POST, with a fingerprint of what it asks.
pub fn keep(request: &Request, change: &Change) -> Result<Option<Keep>, Failure> {
    let Some(key) = request.headers.idempotency_key.clone() else { return Ok(None) };
    let mut hash = Xxh3::new();
    hash.update(change.table.resource.as_bytes());
    if let Action::Create { resource, unless } = &change.action {
        hash.update(&fhir::json::write(resource));
        hash.update(unless.as_ref().map_or("", |criteria| criteria.text.as_str()).as_bytes());
    }
    Ok(Some(Keep { key, fingerprint: hash.digest128().to_be_bytes().to_vec() }))
}
