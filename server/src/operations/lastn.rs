//! `$lastn`: the latest observations of each kind (observation-operation-lastn.html).

use crate::app::App;
use crate::http::answer::{Answer, Content, stored};
use crate::http::bundle::{Bundle, Entry};
use crate::http::failure::Failure;
use crate::http::request::{Request, encode};
use crate::interactions::look::{Looked, Reader, patients, record, status};
use crate::interactions::search::context;
use crate::terminology;
use ::search::plan::{self, Order};
use ::search::query::{Codes, Query, Unknown};
use ::search::render::{self, Part, Window};
use access::Grant;
use fhir::outcome::Code;
use schema::resource::Table;
use serde_json::{Value, json};
use std::collections::HashMap;
use store::find::Match;

/// Observations that are looked through for the latest.
const LOOKED_AT_MAX: u32 = 10_000;
const PER_CODE_MAX: usize = 100;

pub(super) async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
    table: &'static Table,
) -> Result<Looked, Failure> {
    let max = match request.parameter("max") {
        None => 1,
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=PER_CODE_MAX).contains(number));
            number.ok_or_else(|| {
                Failure::bad_request(format!("max is a number from 1 to {PER_CODE_MAX}"))
            })?
        }
    };
    let pairs: Vec<(String, String)> =
        request.criteria().into_iter().filter(|(name, _)| name != "max").collect();
    let asks = |names: &[&str]| {
        pairs.iter().any(|(name, _)| names.contains(&name.split([':', '.']).next().unwrap_or(name)))
    };
    if !asks(&["patient", "subject"]) || !asks(&["code", "category"]) {
        return Err(Failure::bad_request("$lastn needs patient or subject, and code or category"));
    }
    let none = Codes::new();
    let codes =
        terminology::codes(reader, grant, &pairs, &context(app, Unknown::Refuse, &none)).await?;
    let query = Query::parse(table.resource, &pairs, &context(app, Unknown::Refuse, &codes))?;
    let canonical = query.canonical();
    let plan = plan::plan(&query, grant)?;
    let order = Order::Date { descending: true };
    let window = |part| Window { order, part, ..Window::all(LOOKED_AT_MAX + 1) };
    let dated = window(Part::Ordered { after: None });
    let mut found =
        reader.find(table, &render::page(&plan, &dated)).await?.map(|found| found.matches);
    if plan.may_lack(dated.order) {
        let rest = window(Part::Rest { after: None });
        let rest = reader.find(table, &render::page(&plan, &rest)).await?;
        found = found.append(rest.map(|found| found.matches));
    }
    if found.describe(Vec::len) > LOOKED_AT_MAX as usize {
        let text = format!("more than {LOOKED_AT_MAX} observations match; ask for fewer codes");
        return Err(Failure::new(400, Code::TooCostly, text));
    }
    let latest = found.map(|found| latest(found, max));
    let touched = latest.describe(|latest| match latest {
        Ok(latest) => patients(latest.iter().map(|found| &found.version)),
        Err(_) => Vec::new(),
    });
    let base = &app.settings.service.base_url;
    let answer = latest.map(|latest| {
        let latest = latest?;
        let mut bundle = Bundle::new("searchset");
        bundle.total(i64::try_from(latest.len()).unwrap_or(i64::MAX));
        let max = encode(&max.to_string());
        bundle.link("self", format!("{base}/Observation/$lastn?{canonical}&max={max}"));
        for found in &latest {
            bundle.add(Entry {
                full_url: Some(format!("{base}/Observation/{}", found.version.id)),
                resource: found.version.json.as_deref(),
                details: vec![("search", json!({ "mode": "match" }))],
            });
        }
        Ok(Answer::new(200, Content::Text(bundle.into_text())))
    });
    let mut record = record(grant, request, answer.describe(status), touched);
    record.query = Some(query.canonical());
    Ok(Looked { record, answer })
}

/// The first of each kind; they come with the latest first.
fn latest(found: Vec<Match>, max: usize) -> Result<Vec<Match>, Failure> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut latest = Vec::new();
    for found in found {
        let resource = stored(found.version.json.as_deref().unwrap_or_default())?;
        let known = kinds(&resource);
        // Two codings of one concept are one kind.
        let count = known.iter().filter_map(|kind| seen.get(kind)).max().copied().unwrap_or(0);
        for kind in known {
            seen.insert(kind, count + 1);
        }
        if count < max {
            latest.push(found);
        }
    }
    Ok(latest)
}

fn kinds(observation: &Value) -> Vec<String> {
    let code = &observation["code"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let codings = code["coding"].as_array().into_iter().flatten();
    let kinds: Vec<String> = codings
        .map(|coding| format!("{}|{}", text(&coding["system"]), text(&coding["code"])))
        .collect();
    if kinds.is_empty() { vec![text(&code["text"])] } else { kinds }
}
