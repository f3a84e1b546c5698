//! AuditEvents: the trail, read by auditors, and by patients as far as it is about them. Nobody writes it but the server.

use super::history::count;
use super::look::{Looked, record, status};
use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::bundle::{Bundle, Entry};
use crate::http::failure::Failure;
use crate::http::request::{Request, encode};
use crate::http::target::Target;
use ::search::date;
use ::search::key::{resource_key, version_key_at};
use access::{Grant, Interaction};
use audit::event::{Stored, event, record_id};
use audit::record::{ALL, code};
use fhir::outcome::Code;
use schema::resource::find;
use serde_json::json;
use store::events::Asked;

pub const TYPE: &str = "AuditEvent";
/// What a search takes, with the kind of each.
pub const PARAMETERS: [(&str, &str); 6] = [
    ("action", "token"),
    ("date", "date"),
    ("entity", "reference"),
    ("outcome", "token"),
    ("patient", "reference"),
    ("subtype", "token"),
];
const OWN: [&str; 4] = ["_count", "_cursor", "_sort", "_total"];

/// What the trail takes of the interactions of FHIR.
pub fn check(request: &Request) -> Result<(), Failure> {
    let is_trail = request.target.table().is_some_and(|table| table.resource == TYPE);
    let is_reading = matches!(request.interaction, Interaction::Read | Interaction::Search);
    let is_compartment = matches!(request.target, Target::Compartment(..));
    if is_trail && (!is_reading || is_compartment) {
        let text = "the trail is written by the server alone, and read as AuditEvent/{id} and AuditEvent?…";
        return Err(Failure {
            allow: Some("GET, HEAD, OPTIONS"),
            ..Failure::new(405, Code::NotSupported, text)
        });
    }
    Ok(())
}

pub async fn look(app: &App, grant: &Grant, request: &Request) -> Result<Looked, Failure> {
    match &request.target {
        Target::Instance(_, id) => one(app, grant, request, id).await,
        _ => several(app, grant, request).await,
    }
}

/// Whose events may be seen.
pub fn within(grant: &Grant, asked: &mut Asked) {
    if let Some(patients) = grant.trail_of() {
        let own = patients.iter().map(|id| resource_key("Patient", id)).collect::<Vec<i64>>();
        asked.patients = Some(match asked.patients.take() {
            None => own,
            Some(keys) => keys.into_iter().filter(|key| own.contains(key)).collect(),
        });
    }
}

async fn one(app: &App, grant: &Grant, request: &Request, id: &str) -> Result<Looked, Failure> {
    request.allow_parameters(&[])?;
    let what = format!("{TYPE}/{id}");
    let id = record_id(id).ok_or_else(|| Failure::not_found(&what))?;
    let mut asked = Asked { id: Some(id), limit: 1, ..Asked::default() };
    within(grant, &mut asked);
    let base = app.settings.service.base_url.clone();
    let found = app.store.events(&asked, &zone(app)).await?;
    let touched = found.describe(|found| patients(found));
    let answer = found.map(|found| match found.first() {
        Some(stored) => Ok(Answer::new(200, Content::Tree(event(stored, &base)))),
        None => Err(Failure::not_found(&what)),
    });
    Ok(Looked { record: record(grant, request, answer.describe(status), touched), answer })
}

/// The first id of a record of then, and the first of later.
pub fn moments(app: &App, name: &str, text: &str) -> Result<(i64, i64), Failure> {
    let range = date::parse(text, &app.settings.service.time_zone)
        .map_err(|error| Failure::bad_request(format!("{name}: {error}")))?;
    Ok((version_key_at(range.low), version_key_at(range.high)))
}

pub fn zone(app: &App) -> String {
    app.settings.service.time_zone.iana_name().unwrap_or("UTC").to_owned()
}

fn patients(found: &[Stored]) -> Vec<i64> {
    let mut keys: Vec<i64> = found
        .iter()
        .filter_map(|stored| Some(resource_key("Patient", stored.patient.as_deref()?)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

async fn several(app: &App, grant: &Grant, request: &Request) -> Result<Looked, Failure> {
    let count = count(app, request)?;
    let mut asked = asked(app, request)?;
    asked.limit = i64::from(count) + 1;
    within(grant, &mut asked);
    let base = app.settings.service.base_url.clone();
    let found = app.store.events(&asked, &zone(app)).await?;
    let touched = found.describe(|found| {
        patients(found.get(..found.len().min(count as usize)).unwrap_or_default())
    });
    let told: Vec<String> = request
        .query
        .iter()
        .filter(|(name, _)| name != "_cursor")
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    let told = told.join("&");
    let answer = found.map(|mut found| {
        let has_more = found.len() > count as usize;
        found.truncate(count as usize);
        let mut bundle = Bundle::new("searchset");
        bundle.link("self", format!("{base}/{TYPE}?{told}"));
        if let Some(last) = found.last().filter(|_| has_more) {
            bundle.link("next", format!("{base}/{TYPE}?{told}&_cursor={}", last.id));
        }
        for stored in &found {
            let event = event(stored, &base);
            let text = fhir::json::write(&event);
            bundle.add(Entry {
                full_url: Some(format!(
                    "{base}/{TYPE}/{}",
                    event["id"].as_str().unwrap_or_default()
                )),
                resource: Some(&text),
                details: vec![("search", json!({ "mode": "match" }))],
            });
        }
        Ok(Answer::new(200, Content::Text(bundle.into_text())))
    });
    let mut record = record(grant, request, answer.describe(status), touched);
    record.query = Some(told);
    Ok(Looked { record, answer })
}

fn asked(app: &App, request: &Request) -> Result<Asked, Failure> {
    let mut asked = Asked::default();
    let narrow = |old: Option<i64>, new: i64, is_low: bool| {
        Some(old.map_or(new, |old| if is_low { old.max(new) } else { old.min(new) }))
    };
    for (name, value) in &request.criteria() {
        match name.as_str() {
            "date" => {
                let (prefix, text) = match value.get(..2) {
                    Some(prefix @ ("eq" | "ge" | "gt" | "le" | "lt" | "sa" | "eb")) => {
                        (prefix, value.get(2..).unwrap_or_default())
                    }
                    _ => ("eq", value.as_str()),
                };
                let (low, high) = moments(app, "date", text)?;
                let (from, before) = match prefix {
                    "eq" => (Some(low), Some(high)),
                    "ge" => (Some(low), None),
                    "gt" | "sa" => (Some(high), None),
                    "le" => (None, Some(high)),
                    _ => (None, Some(low)),
                };
                if let Some(from) = from {
                    asked.from = narrow(asked.from, from, true);
                }
                if let Some(before) = before {
                    asked.before = narrow(asked.before, before, false);
                }
            }
            "patient" => {
                let keys = value.split(',').map(|text| {
                    resource_key("Patient", text.strip_prefix("Patient/").unwrap_or(text))
                });
                asked.patients = Some(keys.collect());
            }
            "entity" => {
                let (kind, id) = match value.split_once('/') {
                    None => (None, value.as_str()),
                    Some((kind, id)) => (find(kind), id),
                };
                if kind.is_none() && value.contains('/') {
                    let text = "entity is a reference to a resource, `Type/id`, or an id";
                    return Err(Failure::bad_request(text));
                }
                asked.subject = Some((kind.map(|table| table.code), id.to_owned()));
            }
            "action" | "subtype" => {
                let wanted = value.rsplit('|').next().unwrap_or(value);
                asked.interactions = Some(interactions(name, wanted));
            }
            "outcome" => {
                asked.statuses = Some(match value.rsplit('|').next().unwrap_or(value) {
                    "0" => (0, 399),
                    "4" => (400, 499),
                    "8" => (500, 999),
                    _ => (1, 0),
                });
            }
            "_sort" if value == "-date" || value == "-_lastUpdated" => {}
            "_total" if value == "none" => {}
            "_count" => {}
            "_cursor" => {
                let last = value.parse().map_err(|_| {
                    Failure::bad_request(
                        "_cursor is not one this server gave; follow the links as they are",
                    )
                })?;
                asked.before = narrow(asked.before, last, false);
            }
            _ => {
                let known: Vec<&str> =
                    PARAMETERS.iter().map(|(name, _)| *name).chain(OWN).collect();
                let name: String = name.chars().take(64).collect();
                return Err(Failure::not_supported(format!(
                    "`{name}` is not known here, or not with this value; {TYPE} takes: {} (_sort=-date, _total=none)",
                    known.join(", ")
                )));
            }
        }
    }
    Ok(asked)
}

fn interactions(name: &str, wanted: &str) -> Vec<i64> {
    let is_wanted = |interaction: &Interaction| match name {
        "action" => audit::event::action(*interaction) == wanted,
        _ => interaction.code() == wanted,
    };
    ALL.into_iter().filter(is_wanted).map(|interaction| i64::from(code(interaction))).collect()
}
