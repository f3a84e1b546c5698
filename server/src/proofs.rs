//! Heads of the trail and proofs from them (docs/api/audit.md): public, but for what is about one event, which auditors may ask for.

use crate::app::App;
use crate::caller::caller;
use crate::http::answer::failure_response;
use crate::http::failure::Failure;
use crate::http::format::Format;
use crate::http::origin::origin;
use crate::http::request::{Presentation, parse_query};
use crate::http::target::Target;
use crate::interactions::events::TYPE;
use crate::interactions::refusal::{self, Asked};
use access::{Caller, Denied, Interaction, Wish, decide};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use audit::event::record_id;
use audit::record::{Record, Subject};
use audit::seal::proof;
use audit::seal::tree::Digest;
use fhir::outcome::Code;
use schema::resource::find;
use serde_json::{Value, json};
use std::sync::Arc;
use store::seal::proof::Place;
use uuid::Uuid;

const JSON: Presentation = Presentation { format: Format::Json, pretty: false };

/// The newest signed head, for everybody: it says how many records there are, and nothing of them.
pub async fn checkpoint(app: Data<App>, http: HttpRequest) -> HttpResponse {
    if let Err(failure) = app.traffic.admit_unknown(origin(&http, &app.settings).address) {
        return failure_response(&failure, JSON);
    }
    let note = match app.store.checkpoint().await {
        Ok(Some(note)) => note,
        Ok(None) => {
            let text = "no head is signed yet: the first one follows the first records by seconds";
            return failure_response(&Failure::new(404, Code::NotFound, text), JSON);
        }
        Err(error) => return failure_response(&Failure::from(error), JSON),
    };
    HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .content_type("text/plain; charset=utf-8")
        .body(note)
}

/// That the tree of one size begins with that of another. Public, and as bounded as the depth of the tree.
pub async fn consistency(app: Data<App>, http: HttpRequest) -> HttpResponse {
    answer(consistent(&app, &http).await)
}

async fn consistent(app: &App, http: &HttpRequest) -> Result<Value, Failure> {
    app.traffic.admit_unknown(origin(http, &app.settings).address)?;
    let [first, second] = sizes(http, ["first", "second"])?;
    let largest = app.store.signed_size().await?;
    let (Some(first), Some(second)) = (first, second) else {
        let text = "first and second are sizes of the tree: /audit/consistency?first=10&second=20";
        return Err(Failure::bad_request(text));
    };
    if first > second || second > largest {
        let text = format!(
            "first={first} and second={second}: it takes first ≤ second ≤ {largest}, the size of the newest head"
        );
        return Err(Failure::bad_request(text));
    }
    let ranges = proof::consistency(first, second).unwrap_or_default();
    let path = app.store.roots(&ranges).await?;
    Ok(json!({ "first": first, "second": second, "path": texts(&path) }))
}

/// That an event is in the tree. For auditors, and recorded as a look at the event.
pub async fn inclusion(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let id = Uuid::now_v7();
    let mut known = None;
    let mut target = None;
    let failure = match included(&app, &http, id, &mut known, &mut target).await {
        Ok(value) => return answer(Ok(value)),
        Err(failure) => failure,
    };
    let Some(target) = target else { return answer(Err(failure)) };
    let address = origin(&http, &app.settings).address;
    let interaction = Interaction::Read;
    let asked = Asked { id, interaction, target: &target, address, caller: known.as_ref() };
    answer(Err(refusal::record(&app, &asked, failure).await))
}

async fn included(
    app: &App,
    http: &HttpRequest,
    request: Uuid,
    known: &mut Option<Caller>,
    target: &mut Option<Target>,
) -> Result<Value, Failure> {
    let event = parameter(http, "event")?;
    let [size] = sizes(http, ["size"])?;
    let table = find(TYPE).ok_or_else(|| Failure::not_found(TYPE))?;
    let id: String = event.iter().flat_map(|id| id.chars()).take(64).collect();
    *target = Some(Target::Instance(table, id.clone()));
    let origin = origin(http, &app.settings);
    let caller = caller(app, http, &origin, true).await?;
    *known = Some(caller.clone());
    app.traffic.admit(&caller)?;
    let grant = decide(&caller, &Wish::new(Interaction::Read, Some(TYPE)))?;
    if grant.trail_of().is_some() {
        return Err(Denied::Role("auditors").into());
    }
    let Some(record) = event.as_deref().and_then(record_id) else {
        let text = "event is the id of an AuditEvent: /audit/inclusion?event=…";
        return Err(Failure::bad_request(text));
    };
    let largest = app.store.signed_size().await?;
    let size = size.unwrap_or(largest);
    if size > largest {
        let text = format!("size={size} is more than {largest}, the size of the newest head");
        return Err(Failure::bad_request(text));
    }
    let place = app.store.place(record).await?;
    let outcome = match place.describe(|place| *place) {
        Place::Nowhere => Err(Failure::not_found(&format!("{TYPE}/{id}"))),
        Place::Changed => Err(Failure::new(
            409,
            Code::Conflict,
            "the record is not as it was sealed; `bund audit verify` says more",
        )),
        Place::Leaf { index, digest } if index < size => Ok((index, digest)),
        Place::Unsealed | Place::Leaf { .. } => Err(Failure::new(
            404,
            Code::NotFound,
            format!(
                "{TYPE}/{id} is not among the first {size} leaves; a head is signed every minute"
            ),
        )),
    };
    let outcome = match outcome {
        Err(failure) => Err(failure),
        Ok((index, digest)) => {
            let ranges = proof::inclusion(index, size).unwrap_or_default();
            let path = app.store.roots(&ranges).await?;
            Ok(json!({
                "event": id,
                "leafIndex": index,
                "leafHash": digest.to_string(),
                "treeSize": size,
                "path": texts(&path),
            }))
        }
    };
    let status = outcome.as_ref().map_or_else(|failure| failure.status, |_| 200);
    let record = Record {
        request,
        interaction: Interaction::Read,
        status,
        hospital: grant.hospital(),
        agent: Arc::clone(grant.agent()),
        purposes: grant.purposes(),
        subject: Some(Subject { table, id: Some(id), version: None }),
        patients: Vec::new(),
        query: None,
        address: origin.address,
    };
    let receipt = app.store.trail().record(record).await?;
    place
        .map(|_| outcome)
        .open(&receipt)
        .map_err(|failure| Failure { is_recorded: true, ..failure })
}

fn answer(outcome: Result<Value, Failure>) -> HttpResponse {
    match outcome {
        Ok(value) => HttpResponse::Ok()
            .insert_header(("cache-control", "no-store"))
            .content_type("application/json")
            .body(value.to_string()),
        Err(failure) => failure_response(&failure, JSON),
    }
}

fn texts(path: &[Digest]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}

fn parameter(http: &HttpRequest, name: &str) -> Result<Option<String>, Failure> {
    let query = parse_query(http.query_string())?;
    Ok(query.into_iter().find(|(key, _)| key == name).map(|(_, value)| value))
}

fn sizes<const N: usize>(
    http: &HttpRequest,
    names: [&str; N],
) -> Result<[Option<u64>; N], Failure> {
    let mut sizes = [None; N];
    for (size, name) in sizes.iter_mut().zip(names) {
        let Some(text) = parameter(http, name)? else { continue };
        let number = text.parse().ok().filter(|number| *number <= i64::MAX.unsigned_abs());
        let wrong = || Failure::bad_request(format!("{name} is a number of leaves"));
        *size = Some(number.ok_or_else(wrong)?);
    }
    Ok(sizes)
}
