//! history: the versions of a resource, a type, or everything, newest first (http.html#history).

use super::look::{Looked, Reader, patients, record, status};
use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::bundle::{Bundle, Entry};
use crate::http::etag::{etag, instant};
use crate::http::failure::Failure;
use crate::http::request::{Request, encode};
use crate::http::target::Target;
use ::search::date;
use ::search::key::version_key_at;
use access::Grant;
use serde_json::json;
use store::clock::micros;
use store::history::{Order, Scope, Wanted};
use store::row::{Method, Version};

const PARAMETERS: [&str; 5] = ["_since", "_at", "_count", "_sort", "_cursor"];

pub async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    request.allow_parameters(&PARAMETERS)?;
    if request.parameter("_summary").is_some() || request.parameter("_elements").is_some() {
        return Err(Failure::not_supported(
            "_summary and _elements are not supported in a history",
        ));
    }
    let (scope, what) = scope(&request.target)?;
    let wanted = wanted(app, request)?;
    let versions = reader.history(grant, scope, &wanted).await?;
    let touched = versions.describe(|versions| patients(versions));
    let answer = versions.map(|mut versions| {
        if versions.is_empty() && matches!(scope, Scope::Instance(..)) && is_unfiltered(request) {
            return Err(Failure::not_found(&what));
        }
        let count = usize::try_from(wanted.count).unwrap_or(usize::MAX);
        let next = (versions.len() > count)
            .then(|| versions.get(count.saturating_sub(1)).map(|last| last.version_key))
            .flatten();
        versions.truncate(count);
        Ok(Answer::new(200, Content::Text(bundle(app, request, &versions, next))))
    });
    let mut record = record(grant, request, answer.describe(status), touched);
    record.query = Some(parameters(request, None));
    Ok(Looked { record, answer })
}

fn scope(target: &Target) -> Result<(Scope<'_>, String), Failure> {
    match target {
        Target::SystemHistory => Ok((Scope::System, "the history".to_owned())),
        Target::TypeHistory(table) => Ok((Scope::Type(table), table.resource.to_owned())),
        Target::InstanceHistory(table, id) => {
            Ok((Scope::Instance(table, id), format!("{}/{id}", table.resource)))
        }
        Target::Base
        | Target::SystemSearch
        | Target::Capabilities
        | Target::Type(_)
        | Target::TypeSearch(_)
        | Target::Compartment(..)
        | Target::Operation(..) => Err(Failure::method(target.allow())),
        Target::Instance(..) | Target::Version(..) => Err(Failure::method(target.allow())),
    }
}

fn is_unfiltered(request: &Request) -> bool {
    ["_since", "_at", "_cursor"].iter().all(|name| request.parameter(name).is_none())
}

fn wanted(app: &App, request: &Request) -> Result<Wanted, Failure> {
    let zone = &app.settings.service.time_zone;
    let moment = |name: &str| {
        let Some(text) = request.parameter(name) else { return Ok(None) };
        let range = date::parse(text, zone)
            .map_err(|error| Failure::bad_request(format!("{name}: {error}")))?;
        Ok::<_, Failure>(Some(range))
    };
    let since = moment("_since")?;
    let at = moment("_at")?;
    let order = match request.parameter("_sort") {
        None | Some("-_lastUpdated") => Order::NewestFirst,
        Some("_lastUpdated") => Order::OldestFirst,
        Some(other) => {
            return Err(Failure::bad_request(format!(
                "_sort={other} is not possible here; use _lastUpdated or -_lastUpdated"
            )));
        }
    };
    let after_key = request
        .parameter("_cursor")
        .map(|text| {
            text.parse().map_err(|_| Failure::bad_request("_cursor is not one this server gave"))
        })
        .transpose()?;
    Ok(Wanted {
        from_key: since.map_or(0, |range| version_key_at(range.low)),
        before_key: at.map_or(i64::MAX, |range| version_key_at(range.high)),
        current_at_key: at.map(|range| version_key_at(range.low)),
        after_key,
        order,
        count: i64::from(count(app, request)?),
    })
}

/// `_count`, or the default; more than the largest page is the largest page.
pub fn count(app: &App, request: &Request) -> Result<u32, Failure> {
    let limits = &app.settings.limits;
    let Some(text) = request.parameter("_count") else {
        return Ok(limits.page_size_default.min(limits.page_size_max));
    };
    let asked: u64 = text
        .parse()
        .map_err(|_| Failure::bad_request(format!("_count={text} is not a number of 0 or more")))?;
    Ok(u32::try_from(asked).unwrap_or(u32::MAX).min(limits.page_size_max))
}

fn bundle(app: &App, request: &Request, versions: &[Version], next: Option<i64>) -> Vec<u8> {
    let base = &app.settings.service.base_url;
    let mut bundle = Bundle::new("history");
    bundle.link("self", format!("{base}/{}?{}", path(&request.target), parameters(request, None)));
    if let Some(key) = next {
        bundle.link(
            "next",
            format!("{base}/{}?{}", path(&request.target), parameters(request, Some(key))),
        );
    }
    for version in versions {
        bundle.add(entry(base, version));
    }
    bundle.into_text()
}

fn entry<'a>(base: &str, version: &'a Version) -> Entry<'a> {
    let (kind, id) = (version.table.resource, &version.id);
    let url = match version.method {
        Method::Post => kind.to_owned(),
        Method::Put | Method::Patch | Method::Delete => format!("{kind}/{id}"),
    };
    let status = match (version.method, version.version) {
        (Method::Delete, _) => "204 No Content",
        (Method::Post, _) | (Method::Put | Method::Patch, 1) => "201 Created",
        (Method::Put | Method::Patch, _) => "200 OK",
    };
    Entry {
        full_url: Some(format!("{base}/{kind}/{id}")),
        resource: version.json.as_deref(),
        details: vec![
            ("request", json!({ "method": version.method.name(), "url": url })),
            (
                "response",
                json!({
                    "status": status,
                    "etag": etag(version.version),
                    "lastModified": instant(micros(version.version_key)),
                }),
            ),
        ],
    }
}

fn path(target: &Target) -> String {
    match target {
        Target::TypeHistory(table) => format!("{}/_history", table.resource),
        Target::InstanceHistory(table, id) => format!("{}/{id}/_history", table.resource),
        _ => "_history".to_owned(),
    }
}

/// The parameters as understood, with the place where the next page goes on.
fn parameters(request: &Request, cursor: Option<i64>) -> String {
    let mut parts: Vec<String> = request
        .query
        .iter()
        .filter(|(name, _)| {
            PARAMETERS.contains(&name.as_str()) && (cursor.is_none() || name != "_cursor")
        })
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    parts.extend(cursor.map(|key| format!("_cursor={key}")));
    parts.join("&")
}
