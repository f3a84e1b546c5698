//! transaction: the entries of a bundle, all or nothing (http.html#transaction); a Bundle of type batch goes on to `batch`.

use super::change::{Change, Changed, Done, Keep, Work, let_others_run, run};
use super::{batch, create, delete, patch, update};
use crate::app::App;
use crate::http::answer::{Answer, Content, VersionTag};
use crate::http::body::Body;
use crate::http::bundle::{Bundle, Entry};
use crate::http::etag::{Condition, etag, instant};
use crate::http::failure::Failure;
use crate::http::preferences::{Preferences, Return};
use crate::http::request::{Headers, Request, decode, parse_query};
use crate::http::target::{Method, Target};
use access::{Grant, Interaction};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fhir::outcome::{self, Code, Issue};
use serde_json::{Value, json};
use store::clock::micros;
use xxhash_rust::xxh3::Xxh3;

pub async fn answer(app: &App, grant: &Grant, mut request: Request) -> Result<Answer, Failure> {
    request.allow_parameters(&[])?;
    let bundle = match request.body.take() {
        Some(Body::Resource(bundle)) if bundle["resourceType"] == "Bundle" => bundle,
        Some(Body::Resource(_) | Body::JsonPatch(_)) => {
            return Err(Failure::bad_request(
                "this address takes a Bundle of type batch or transaction",
            ));
        }
        None => {
            return Err(Failure::bad_request(
                "the body is empty; send a Bundle of type batch or transaction",
            ));
        }
    };
    let kind = bundle["type"].as_str().unwrap_or_default().to_owned();
    let fingerprint = request.headers.idempotency_key.is_some().then(|| {
        let mut hash = Xxh3::new();
        hash.update(&fhir::json::write(&bundle));
        hash.digest128().to_be_bytes().to_vec()
    });
    let entries = entries(app, bundle)?;
    app.traffic.admit_entries(&request.caller, entries.len())?;
    match kind.as_str() {
        "transaction" => {
            let keep = request.headers.idempotency_key.clone().zip(fingerprint);
            let keep = keep.map(|(key, fingerprint)| Keep { key, fingerprint });
            let _permit = app.traffic.working.enter(request.caller.hospital()).await?;
            transaction(app, grant, &request, entries, keep).await
        }
        "batch" => batch::answer(app, &request, entries).await,
        other => {
            let text = format!(
                "a Bundle of type `{other}` cannot be processed; send type batch or transaction"
            );
            Err(Failure::of(400, vec![Issue::error(Code::Value, text).at("Bundle.type")]))
        }
    }
}

/// Takes the entries out of the bundle, within the bound on their number.
fn entries(app: &App, bundle: Value) -> Result<Vec<Value>, Failure> {
    let Value::Object(mut properties) = bundle else { return Ok(Vec::new()) };
    let entries = match properties.remove("entry") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            let issue = Issue::error(Code::Structure, "entry must be an array").at("Bundle.entry");
            return Err(Failure::of(400, vec![issue]));
        }
    };
    let most = app.settings.limits.bundle_entries_max;
    if entries.len() > most {
        let text = format!(
            "the bundle has {} entries, this server takes {most}; send it in parts",
            entries.len()
        );
        return Err(Failure::of(413, vec![Issue::error(Code::TooLong, text).at("Bundle.entry")]));
    }
    Ok(entries)
}

async fn transaction(
    app: &App,
    grant: &Grant,
    request: &Request,
    entries: Vec<Value>,
    keep: Option<Keep>,
) -> Result<Answer, Failure> {
    let count = entries.len();
    let mut work = Work { request, changes: Vec::new(), reads: Vec::new(), keep };
    let mut failures: Vec<Issue> = Vec::new();
    let mut status = 0;
    for (index, entry) in entries.into_iter().enumerate() {
        let_others_run(index).await;
        match parse(request, entry, index).and_then(|parsed| add(app, &mut work, parsed, index)) {
            Ok(()) => {}
            Err(failure) => {
                status = if status == 0 { failure.status } else { status.min(failure.status) };
                failures.extend(failure.in_entry(index).issues);
            }
        }
    }
    if !failures.is_empty() {
        return Err(Failure::of(status, failures));
    }
    if work.keep.is_some() && !work.reads.is_empty() {
        return Err(Failure::not_supported(
            "a transaction that also reads cannot carry an Idempotency-Key",
        ));
    }
    let preference = request.headers.preferences.r#return;
    let finish = |changed: &[Changed]| respond(app, count, changed, Vec::new(), preference);
    match run(app, grant, &work, finish).await? {
        Done::Fresh { changed, reads } => {
            for (entry, read) in &reads {
                if let Err(failure) = read {
                    return Err(failure.clone().in_entry(*entry));
                }
            }
            Ok(respond(app, count, &changed, reads, preference))
        }
        Done::Repeated(answer) => Ok(answer),
    }
}

/// An entry as the request it is.
pub struct Parsed {
    pub request: Request,
    pub full_url: Option<String>,
}

fn add(app: &App, work: &mut Work<'_>, parsed: Parsed, index: usize) -> Result<(), Failure> {
    let Parsed { mut request, full_url } = parsed;
    super::grant(&request)?;
    let change = match request.interaction {
        Interaction::Create => {
            request.allow_parameters(&[])?;
            create::change(app, &mut request)?
        }
        Interaction::Update => update::change(app, &mut request)?,
        Interaction::Patch => patch::change(app, &mut request)?,
        Interaction::Delete => delete::change(app, &request)?,
        Interaction::Read
        | Interaction::Vread
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Operation
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem => {
            work.reads.push((index, request));
            return Ok(());
        }
        Interaction::Capabilities | Interaction::Batch | Interaction::Transaction => {
            return Err(Failure::bad_request(format!(
                "{} cannot be an entry of a transaction",
                request.interaction.code()
            )));
        }
    };
    work.changes.push(Change { full_url, entry: Some(index), ..change });
    Ok(())
}

/// Reads `entry.request`, `entry.resource` and `entry.fullUrl`.
pub fn parse(outer: &Request, mut entry: Value, index: usize) -> Result<Parsed, Failure> {
    let at = |name: &str| format!("Bundle.entry[{index}].{name}");
    let refuse = |text: String, name: &str| {
        Failure::of(400, vec![Issue::error(Code::Structure, text).at(at(name))])
    };
    let resource = entry.as_object_mut().and_then(|properties| properties.shift_remove("resource"));
    let text = |name: &str| entry["request"][name].as_str();
    let method = text("method").and_then(Method::parse).ok_or_else(|| {
        refuse(
            "request.method must be one of GET, HEAD, POST, PUT, PATCH, DELETE".to_owned(),
            "request.method",
        )
    })?;
    let url = text("url").ok_or_else(|| {
        refuse("request.url is missing, for example `Patient/1`".to_owned(), "request.url")
    })?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let target = Target::parse(&decode(path.trim_start_matches('/'), false)?)?;
    let interaction = target.interaction(method)?;
    let condition = |name: &str| {
        let parsed = text(name).map(Condition::parse).transpose();
        parsed.map_err(|reason| refuse(reason, "request"))
    };
    let headers = Headers {
        if_match: condition("ifMatch")?,
        if_none_match: condition("ifNoneMatch")?,
        if_modified_since: modified_since(text("ifModifiedSince")),
        if_none_exist: text("ifNoneExist").map(|text| text.trim_start_matches('?').to_owned()),
        idempotency_key: None,
        preferences: Preferences { r#return: Return::Representation, ..outer.headers.preferences },
    };
    let body = resource.map(|resource| patch_or_resource(interaction, resource)).transpose()?;
    Ok(Parsed {
        full_url: entry["fullUrl"].as_str().map(str::to_owned),
        request: Request {
            id: outer.id,
            address: outer.address,
            caller: outer.caller.clone(),
            method,
            target,
            interaction,
            query: parse_query(query)?,
            headers,
            body,
            presentation: outer.presentation,
        },
    })
}

fn modified_since(text: Option<&str>) -> Option<i64> {
    let time: jiff::Timestamp = text?.parse().ok()?;
    Some(time.as_second())
}

/// A JSON Patch travels in a bundle as a Binary of that content type (http.html#patch).
fn patch_or_resource(interaction: Interaction, resource: Value) -> Result<Body, Failure> {
    let is_patch = interaction == Interaction::Patch && resource["resourceType"] == "Binary";
    if !is_patch {
        return Ok(Body::Resource(resource));
    }
    if resource["contentType"] != "application/json-patch+json" {
        return Err(Failure::bad_request(
            "the Binary of a patch must have contentType application/json-patch+json",
        ));
    }
    let data = resource["data"].as_str().unwrap_or_default();
    let bytes =
        BASE64.decode(data).map_err(|_| Failure::bad_request("Binary.data is not base64"))?;
    Ok(Body::JsonPatch(fhir::json::parse(&bytes, &fhir::json::Limits::default())?))
}

/// The answers, in the order of the entries.
fn respond(
    app: &App,
    count: usize,
    changed: &[Changed],
    reads: Vec<(usize, Result<Answer, Failure>)>,
    preference: Return,
) -> Answer {
    let base = &app.settings.service.base_url;
    let mut slots: Vec<Option<Slot>> = (0..count).map(|_| None).collect();
    for one in changed {
        if let Some(slot) = one.entry.and_then(|entry| slots.get_mut(entry)) {
            *slot = Some(Slot::of_change(base, one, preference));
        }
    }
    for (entry, read) in reads {
        if let Some(slot) = slots.get_mut(entry) {
            *slot = Some(Slot::of_answer(base, read));
        }
    }
    bundle("transaction-response", slots)
}

/// What goes into one entry of the response.
pub struct Slot {
    pub response: Value,
    pub resource: Option<Vec<u8>>,
}

impl Slot {
    fn of_change(base: &str, changed: &Changed, preference: Return) -> Slot {
        let mut response = json!({ "status": status_line(changed.effect.status()) });
        if let Some(tag) = changed.tag {
            if changed.json.is_some() {
                let (kind, id) = (changed.table.resource, &changed.id);
                response["location"] =
                    json!(format!("{base}/{kind}/{id}/_history/{}", tag.version));
            }
            describe(&mut response, tag);
        }
        if preference == Return::OperationOutcome {
            response["outcome"] = outcome::resource(&changed.issues());
        }
        let resource = changed
            .json
            .clone()
            .filter(|_| changed.is_shown && preference == Return::Representation);
        Slot { response, resource }
    }

    pub fn of_answer(base: &str, answer: Result<Answer, Failure>) -> Slot {
        let answer = answer.and_then(|answer| {
            let resource = match answer.content {
                Content::Text(text) => Some(text),
                Content::Tree(tree) => Some(fhir::json::write(&tree)),
                Content::Nothing => None,
                Content::Table(_) => {
                    let text = "a table is no resource: ask for it outside of a Bundle";
                    return Err(Failure::bad_request(text));
                }
            };
            Ok((answer.status, answer.location, answer.version, resource))
        });
        match answer {
            Ok((status, location, version, resource)) => {
                let mut response = json!({ "status": status_line(status) });
                if let Some(location) = location {
                    response["location"] = json!(format!("{base}/{location}"));
                }
                if let Some(tag) = version {
                    describe(&mut response, tag);
                }
                Slot { response, resource }
            }
            Err(failure) => Slot {
                response: json!({
                    "status": status_line(failure.status),
                    "outcome": outcome::resource(&failure.issues),
                }),
                resource: None,
            },
        }
    }
}

pub fn bundle(kind: &'static str, slots: Vec<Option<Slot>>) -> Answer {
    let mut bundle = Bundle::new(kind);
    for slot in slots {
        // A conditional delete that found nothing to delete.
        let slot = slot.unwrap_or_else(|| Slot {
            response: json!({ "status": status_line(204) }),
            resource: None,
        });
        bundle.add(Entry {
            full_url: None,
            resource: slot.resource.as_deref(),
            details: vec![("response", slot.response)],
        });
    }
    Answer::new(200, Content::Text(bundle.into_text()))
}

fn describe(response: &mut Value, tag: VersionTag) {
    response["etag"] = json!(etag(tag.version));
    response["lastModified"] = json!(instant(micros(tag.version_key)));
}

fn status_line(status: u16) -> String {
    let reason = actix_web::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    format!("{status} {}", reason.unwrap_or_default())
}
