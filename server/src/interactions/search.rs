//! search: the resources of a type that match (search.html, http.html#search).

use super::change::Criteria;
use super::history::count;
use super::look::{Looked, Reader, patients, record, status};
use super::read::subset;
use crate::app::App;
use crate::http::answer::{Answer, Content, stored};
use crate::http::bundle::{Bundle, Entry};
use crate::http::failure::Failure;
use crate::http::preferences::Handling;
use crate::http::request::{Request, encode};
use ::search::query::{Query, Unknown};
use ::search::{plan, render};
use access::Grant;
use fhir::outcome::{self, Code, Issue};
use fhir::summary::Subset;
use schema::resource::Table;
use serde_json::json;
use store::row::Version;
use store::trail::Sealed;

pub async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    let table = super::create::table(request)?;
    let page = Page::parse(app, request, table)?;
    let plan = plan::plan(&page.query, grant)?;
    let found = reader.find(table, &render::page(&plan, page.limit())).await?;
    let touched = found.describe(|versions| patients(versions));
    let total = match page.total {
        true => reader.count(&render::count(&plan)).await?.map(Some),
        false => Sealed::nothing(),
    };
    let answer =
        found.zip(total).map(|(versions, total)| page.answer(app, request, table, versions, total));
    let mut record = record(grant, request, answer.describe(status), touched);
    record.query = Some(page.query.canonical());
    Ok(Looked { record, answer })
}

struct Page {
    query: Query,
    count: u32,
    /// Whether `Bundle.total` is wanted (`_total=accurate`, `_summary=count`).
    total: bool,
    subset: Option<Subset>,
}

impl Page {
    fn parse(app: &App, request: &Request, table: &'static Table) -> Result<Page, Failure> {
        let total = match request.parameter("_total") {
            None | Some("none") => false,
            Some("accurate" | "estimate") => true,
            Some(other) => {
                return Err(Failure::bad_request(format!(
                    "_total={other} is not known; use none, estimate or accurate"
                )));
            }
        };
        let only_count = request.parameter("_summary") == Some("count");
        let count = if only_count { 0 } else { count(app, request)? };
        let after = request
            .parameter("_cursor")
            .map(|text| {
                text.parse()
                    .map_err(|_| Failure::bad_request("_cursor is not one this server gave"))
            })
            .transpose()?;
        let own = ["_count", "_total", "_cursor"];
        let pairs: Vec<(String, String)> = request
            .criteria()
            .into_iter()
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .collect();
        let unknown = match request.headers.preferences.handling {
            Handling::Strict => Unknown::Refuse,
            Handling::Lenient => Unknown::Report,
        };
        let mut query = parse(app, table, &pairs, unknown)?;
        query.after = after;
        let subset = if only_count { None } else { subset(request)? };
        Ok(Page { query, count, total: total || only_count, subset })
    }

    /// One more than the page, to know whether there is a next one.
    fn limit(&self) -> u32 {
        if self.count == 0 { 0 } else { self.count.saturating_add(1) }
    }

    fn answer(
        &self,
        app: &App,
        request: &Request,
        table: &'static Table,
        mut versions: Vec<Version>,
        total: Option<i64>,
    ) -> Result<Answer, Failure> {
        let base = &app.settings.service.base_url;
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let has_more = versions.len() > count;
        versions.truncate(count);
        let next = versions.last().filter(|_| has_more).map(|last| last.version_key);

        let mut bundle = Bundle::new("searchset");
        if let Some(total) = total {
            bundle.total(total);
        }
        bundle.link(
            "self",
            format!("{base}/{}?{}", table.resource, self.parameters(request, self.query.after)),
        );
        if let Some(key) = next {
            bundle.link(
                "next",
                format!("{base}/{}?{}", table.resource, self.parameters(request, Some(key))),
            );
        }
        for version in &versions {
            let text = version.json.as_deref().unwrap_or_default();
            let subset = match &self.subset {
                Some(subset) => {
                    Some(fhir::json::write(&fhir::summary::subset(&stored(text)?, subset)))
                }
                None => None,
            };
            bundle.add(Entry {
                full_url: Some(format!("{base}/{}/{}", table.resource, version.id)),
                resource: Some(subset.as_deref().unwrap_or(text)),
                details: vec![("search", json!({ "mode": "match" }))],
            });
        }
        if let Some(outcome) = self.ignored() {
            bundle.add(Entry {
                full_url: None,
                resource: Some(&outcome),
                details: vec![("search", json!({ "mode": "outcome" }))],
            });
        }
        Ok(Answer::new(200, Content::Text(bundle.into_text())))
    }

    /// What a lenient search left out, so that the caller knows.
    fn ignored(&self) -> Option<Vec<u8>> {
        if self.query.ignored.is_empty() {
            return None;
        }
        let issues: Vec<Issue> = self
            .query
            .ignored
            .iter()
            .map(|name| {
                Issue::warning(
                    Code::NotSupported,
                    format!("unknown parameter `{name}` was left out"),
                )
            })
            .collect();
        Some(fhir::json::write(&outcome::resource(&issues)))
    }

    /// The search as it was understood.
    fn parameters(&self, request: &Request, after: Option<i64>) -> String {
        let mut parts = Vec::new();
        let canonical = self.query.canonical();
        if !canonical.is_empty() {
            parts.push(canonical);
        }
        for name in ["_count", "_total", "_summary", "_elements", "_format", "_pretty"] {
            parts.extend(request.parameter(name).map(|value| format!("{name}={}", encode(value))));
        }
        parts.extend(after.map(|key| format!("_cursor={key}")));
        parts.join("&")
    }
}

fn parse(
    app: &App,
    table: &'static Table,
    pairs: &[(String, String)],
    unknown: Unknown,
) -> Result<Query, Failure> {
    let context = ::search::query::Context {
        base_url: &app.settings.service.base_url,
        time_zone: &app.settings.service.time_zone,
        unknown,
    };
    Ok(Query::parse(table.resource, pairs, &context)?)
}

/// The criteria of a conditional interaction: nothing unknown is left out of them.
pub fn criteria(
    app: &App,
    table: &'static Table,
    pairs: &[(String, String)],
) -> Result<Criteria, Failure> {
    let query = parse(app, table, pairs, Unknown::Refuse)?;
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
