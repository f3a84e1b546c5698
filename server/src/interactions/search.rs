//! search: the resources that match, and what else is asked for with them (search.html, http.html#search).

mod contained;
mod cursor;
mod explain;
mod include;
mod walk;
pub mod wanted;

use super::change::Criteria;
use super::look::{Looked, Reader, patients, record, status};
use crate::app::App;
use crate::http::answer::{Answer, Content, stored};
use crate::http::bundle::{Bundle, Entry};
use crate::http::failure::Failure;
use crate::http::request::{Request, encode};
use crate::terminology;
use ::search::plan::{self, Plan};
use ::search::query::{Codes, Context, Query, Unknown};
use ::search::render;
use access::{Denied, Grant, Role};
use cursor::Cursor;
use fhir::outcome::{self, Code, Issue};
use include::Included;
use schema::resource::Table;
use serde_json::json;
use std::collections::HashSet;
use store::clock::now_micros;
use store::find::Match;
use store::row::Version;
use store::trail::Sealed;
use walk::Page;
use wanted::Wanted;

pub async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    let pairs = request.criteria();
    let none = Codes::new();
    let context = context(app, Unknown::Refuse, &none);
    let codes = terminology::codes(reader, grant, &pairs, &context).await?;
    let mut wanted = Wanted::parse(app, request, &codes)?;
    // What was defined here may be gone since this replica read it.
    if wanted.is_custom() && !app.is_current().await? {
        app.read_parameters().await?;
        wanted = Wanted::parse(app, request, &codes)?;
    }
    if wanted.is_explained {
        if !request.caller.has_role(Role::Operator) {
            return Err(Denied::Role("those who run the server").into());
        }
        return explain::look(app, grant, request, &wanted).await;
    }
    find(app, reader, grant, request, &wanted).await
}

/// Finds what is wanted, page by page.
pub async fn find(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
    wanted: &Wanted,
) -> Result<Looked, Failure> {
    let plans = plans(&wanted.queries, grant)?;
    let found = run(app, reader, grant, request, wanted, &plans).await;
    found.map_err(|failure| {
        let walk = plans.iter().find(|plan| plan.is_unbounded());
        let walk = walk.filter(|_| failure.is_too_costly());
        walk.map_or(failure.clone(), |plan| failure.with_advice(&plan.advice()))
    })
}

async fn run(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
    wanted: &Wanted,
    plans: &[Plan],
) -> Result<Looked, Failure> {
    let cursor = wanted.cursor(app, grant, request)?;
    let total = match wanted.has_total {
        true => Some(match &wanted.contained {
            Some(contained) => walk::count_contained(app, reader, plans, wanted, contained).await?,
            None => count(reader, plans).await?,
        }),
        false => None,
    };
    let page = walk::page(app, reader, plans, wanted, cursor.as_ref()).await?;
    let included = include::load(app, reader, grant, wanted, &page.matches).await?;
    let touched = {
        let of_matches =
            page.matches.describe(|matches| patients(matches.iter().map(|found| &found.version)));
        let of_included = included.found.describe(|included| patients(included));
        let both: HashSet<i64> = of_matches.into_iter().chain(of_included).collect();
        both.into_iter().collect()
    };
    let total = match total {
        Some(total) => total.map(Some),
        None => Sealed::nothing(),
    };
    let Page { matches, place, next } = page;
    let Included { found, is_cut } = included;
    let links = Links { place, next, included: cursor.map_or(0, |cursor| cursor.included), is_cut };
    let answer = matches.zip(found).zip(total).map(|((matches, included), total)| {
        answer(app, grant, request, wanted, &links, &matches, &included, total)
    });
    let mut record = record(grant, request, answer.describe(status), touched);
    record.query = Some(wanted.canonical());
    Ok(Looked { record, answer })
}

#[tracing::instrument(level = "debug", name = "plan", skip_all)]
fn plans(queries: &[Query], grant: &Grant) -> Result<Vec<Plan>, Failure> {
    queries.iter().map(|query| Ok(plan::plan(query, grant)?)).collect()
}

async fn count(reader: &mut Reader<'_>, plans: &[Plan]) -> Result<Sealed<i64>, Failure> {
    let mut total: Option<Sealed<i64>> = None;
    for plan in plans {
        let count = reader.count(&render::count(plan)).await?;
        total = Some(match total {
            None => count,
            Some(total) => total.zip(count).map(|(total, count)| total + count),
        });
    }
    total.ok_or_else(|| Failure::bad_request("there is no type to search"))
}

/// Where the page began and where the next one does, and how much of what was included went before.
struct Links {
    place: Cursor,
    next: Option<Cursor>,
    included: usize,
    is_cut: bool,
}

#[expect(
    clippy::too_many_arguments,
    reason = "the parts of an answer come together here and nowhere else"
)]
fn answer(
    app: &App,
    grant: &Grant,
    request: &Request,
    wanted: &Wanted,
    links: &Links,
    matches: &[Match],
    included: &[Version],
    total: Option<i64>,
) -> Result<Answer, Failure> {
    let base = &app.settings.service.base_url;
    let path = wanted.path();
    let canonical = wanted.canonical();
    let url = |cursor: Option<&Cursor>| {
        let cursor = cursor.map(|cursor| cursor.seal(app, grant, &path, &canonical));
        let parameters: Vec<String> = [wanted.parameters(request)]
            .into_iter()
            .filter(|text| !text.is_empty())
            .chain(cursor.map(|cursor| format!("_cursor={}", encode(&cursor))))
            .collect();
        match parameters.is_empty() {
            true => format!("{base}{path}"),
            false => format!("{base}{path}?{}", parameters.join("&")),
        }
    };
    let mut bundle = Bundle::new("searchset");
    if let Some(total) = total {
        bundle.total(total);
    }
    bundle.link("self", url(None));
    // What does not fit goes on a page of its own, before the next matches.
    let max = app.settings.limits.page_size_max as usize;
    let shown = included.get(links.included..).unwrap_or_default();
    let more = (shown.len() > max).then(|| links.place.with_included(links.included + max));
    if let Some(next) = more.as_ref().or(links.next.as_ref()) {
        bundle.link("next", url(Some(next)));
    }
    let matches = if links.included == 0 { matches } else { &[] };
    for found in matches {
        add(&mut bundle, base, wanted, &found.version, "match")?;
    }
    for version in shown.iter().take(max) {
        add(&mut bundle, base, wanted, version, "include")?;
    }
    if let Some(outcome) = told(wanted, links.is_cut) {
        bundle.add(Entry {
            full_url: None,
            resource: Some(&outcome),
            details: vec![("search", json!({ "mode": "outcome" }))],
        });
    }
    Ok(Answer::new(200, Content::Text(bundle.into_text())))
}

fn add(
    bundle: &mut Bundle,
    base: &str,
    wanted: &Wanted,
    version: &Version,
    mode: &str,
) -> Result<(), Failure> {
    let text = version.json.as_deref().unwrap_or_default();
    let subset = match &wanted.subset {
        Some(subset) => Some(fhir::json::write(&fhir::summary::subset(&stored(text)?, subset))),
        None => None,
    };
    bundle.add(Entry {
        full_url: Some(format!("{base}/{}/{}", version.table.resource, version.id)),
        resource: Some(subset.as_deref().unwrap_or(text)),
        details: vec![("search", json!({ "mode": mode }))],
    });
    Ok(())
}

/// What was left out, so that the caller knows.
fn told(wanted: &Wanted, is_cut: bool) -> Option<Vec<u8>> {
    let mut issues: Vec<Issue> = wanted
        .ignored
        .iter()
        .map(|name| {
            Issue::warning(Code::NotSupported, format!("unknown parameter `{name}` was left out"))
        })
        .collect();
    if is_cut {
        let text = format!(
            "more than {} resources belong to this page by _include and _revinclude; the rest were left out: ask for a smaller _count",
            include::INCLUDED_MAX
        );
        issues.push(Issue::warning(Code::TooCostly, text));
    }
    (!issues.is_empty()).then(|| fhir::json::write(&outcome::resource(&issues)))
}

pub fn context<'a>(app: &'a App, unknown: Unknown, codes: &'a Codes) -> Context<'a> {
    Context {
        base_url: &app.settings.service.base_url,
        time_zone: &app.settings.service.time_zone,
        now_micros: now_micros(),
        unknown,
        codes,
        custom: app.extractor.custom(),
        veil: app.extractor.veil(),
    }
}

/// The criteria of a conditional interaction: nothing unknown is left out of them.
pub fn criteria(
    app: &App,
    table: &'static Table,
    pairs: &[(String, String)],
) -> Result<Criteria, Failure> {
    let query = Query::parse(table.resource, pairs, &context(app, Unknown::Refuse, &Codes::new()))?;
    let text =
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>();
    Ok(Criteria { query, text: text.join("&") })
}

/// Refuses criteria that everything matches.
pub fn require_criteria(criteria: Criteria) -> Result<Criteria, Failure> {
    if criteria.query.is_empty() {
        return Err(Failure::new(
            412,
            Code::Required,
            "a conditional interaction needs criteria, for example ?identifier=system|value",
        ));
    }
    Ok(criteria)
}

impl From<::search::Error> for Failure {
    fn from(error: ::search::Error) -> Failure {
        let code = if error.is_unsupported() { Code::NotSupported } else { Code::Value };
        Failure::new(400, code, error.to_string())
    }
}
