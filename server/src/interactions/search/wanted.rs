//! What a search request asks for: which resources, in which order, with what beside them.

use super::contained::Contained;
use super::context;
use super::cursor::Cursor;
use crate::app::App;
use crate::http::failure::Failure;
use crate::http::preferences::Handling;
use crate::http::request::{Request, encode};
use crate::http::target::Target;
use crate::interactions::history::count;
use crate::interactions::read::subset;
use ::search::query::{Codes, Query, Unknown};
use ::search::results::{Include, Sort};
use access::Grant;
use fhir::definitions::r4;
use fhir::summary::Subset;
use schema::resource::{TABLES, Table, find};

/// Parameters about the answer, which are no criteria.
const OWN: [&str; 10] = [
    "_count",
    "_total",
    "_cursor",
    "_sort",
    "_include",
    "_revinclude",
    "_type",
    "_contained",
    "_containedType",
    "_explain",
];
const INCLUDES_MAX: usize = 32;

/// What a record refers to and does not contain: who treated the patient, where, with what.
const SUPPORTING: [&str; 9] = [
    "Device",
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
    "Substance",
    "Endpoint",
];

pub struct Wanted {
    /// One a type.
    pub(super) queries: Vec<Query>,
    /// Parameters that no type knows.
    pub(super) ignored: Vec<String>,
    /// What is wanted of contained resources; the queries then are for what may contain them.
    pub(super) contained: Option<Contained>,
    pub(super) sort: Option<Sort>,
    pub(super) includes: Vec<Include>,
    pub(super) count: u32,
    /// Whether `Bundle.total` is wanted (`_total=accurate`, `_summary=count`).
    pub(super) has_total: bool,
    pub(super) subset: Option<Subset>,
    /// Whether not the matches are wanted but how they are found (`_explain`).
    pub(super) is_explained: bool,
    place: Place,
}

/// Where is searched.
#[derive(Clone)]
enum Place {
    System,
    Type(&'static str),
    Compartment {
        compartment: String,
        types: String,
    },
    /// With what it was asked, as it was understood.
    Operation {
        path: String,
        parameters: String,
    },
}

impl Wanted {
    pub(super) fn parse(app: &App, request: &Request, codes: &Codes) -> Result<Wanted, Failure> {
        let has_total = match request.parameter("_total") {
            None | Some("none") => false,
            Some("accurate" | "estimate") => true,
            Some(other) => {
                return Err(Failure::bad_request(format!(
                    "_total={other} is not known; use none, estimate or accurate"
                )));
            }
        };
        let only_count = request.parameter("_summary") == Some("count");
        let (place, kinds) = place(request)?;
        let (queries, ignored) = queries(app, request, &kinds, codes)?;
        let queries = match &request.target {
            Target::Compartment(table, id, _) => queries
                .into_iter()
                .filter_map(|query| query.within(table.resource, id).ok())
                .collect(),
            _ => queries,
        };
        if queries.is_empty() {
            return Err(Failure::not_found("anything of that type in this compartment"));
        }
        let contained = Contained::parse(request, &queries)?;
        let queries = match &contained {
            Some(contained) => contained.queries()?,
            None => queries,
        };
        let one = match queries.as_slice() {
            [query] => Some(query.resource),
            _ => None,
        };
        Ok(Wanted {
            sort: sort(app, request, one)?,
            includes: includes(app, request, one.unwrap_or("Resource"))?,
            queries,
            contained,
            ignored,
            count: if only_count { 0 } else { count(app, request)? },
            has_total: has_total || only_count,
            subset: if only_count { None } else { subset(request)? },
            is_explained: match request.parameter("_explain") {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(Failure::bad_request("_explain is true or false")),
            },
            place,
        })
    }

    /// All that is in the compartment of a resource, with what it refers to (`$everything`).
    pub fn everything(
        app: &App,
        request: &Request,
        table: &'static Table,
        id: &str,
    ) -> Result<Wanted, Failure> {
        let none = Codes::new();
        let context = context(app, Unknown::Refuse, &none);
        let mut kinds: Vec<&'static str> = TABLES.iter().map(|table| table.resource).collect();
        if let Some(asked) = request.parameter("_type") {
            kinds = chosen(asked, &kinds)?;
        }
        let mut pairs = Vec::new();
        if let Some(since) = request.parameter("_since") {
            pairs.push(("_lastUpdated".to_owned(), format!("ge{since}")));
        }
        let (start, end) = (request.parameter("start"), request.parameter("end"));
        let mut queries = Vec::new();
        for kind in kinds {
            let query = Query::parse(kind, &pairs, &context)?.during(start, end, &context)?;
            queries.extend(query.within(table.resource, id).ok());
        }
        if queries.is_empty() {
            return Err(Failure::bad_request(format!(
                "_type has nothing that belongs to a {}",
                table.resource
            )));
        }
        let includes = queries.iter().map(|query| {
            Ok(Include::parse(
                &format!("{}:*", query.resource),
                false,
                false,
                query.resource,
                &app.extractor.custom(),
            )?
            .to_others(&SUPPORTING))
        });
        let told = ["start", "end", "_since", "_type"];
        let told = request.query.iter().filter(|(name, _)| told.contains(&name.as_str()));
        let told: Vec<String> =
            told.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        Ok(Wanted {
            includes: includes.collect::<Result<_, Failure>>()?,
            queries,
            contained: None,
            ignored: Vec::new(),
            sort: None,
            count: count(app, request)?,
            has_total: false,
            subset: subset(request)?,
            is_explained: false,
            place: Place::Operation {
                path: format!("/{}/{id}/$everything", table.resource),
                parameters: told.join("&"),
            },
        })
    }

    pub(super) fn cursor(
        &self,
        app: &App,
        grant: &Grant,
        request: &Request,
    ) -> Result<Option<Cursor>, Failure> {
        let text = request.parameter("_cursor");
        text.map(|text| Cursor::open(text, app, grant, &self.path(), &self.canonical())).transpose()
    }

    /// Whether it asks for what was defined here.
    pub(super) fn is_custom(&self) -> bool {
        let contained = self.contained.iter().map(|contained| &contained.query);
        self.queries.iter().chain(contained).any(Query::is_custom)
    }

    /// Below the base.
    pub(super) fn path(&self) -> String {
        match &self.place {
            Place::System => String::new(),
            Place::Type(kind) => format!("/{kind}"),
            Place::Compartment { compartment, types } => format!("/{compartment}/{types}"),
            Place::Operation { path, .. } => path.clone(),
        }
    }

    /// Which resources are searched for, and in which order, as it was understood.
    pub(super) fn canonical(&self) -> String {
        if let Place::Operation { parameters, .. } = &self.place {
            return parameters.clone();
        }
        let query = self.contained.as_ref().map(|contained| &contained.query);
        let mut parts: Vec<String> =
            query.or(self.queries.first()).map(Query::canonical).into_iter().collect();
        parts.extend(self.contained.as_ref().map(Contained::canonical));
        if let Place::System = self.place
            && self.queries.len() < TABLES.len()
        {
            let kinds: Vec<&str> = self.queries.iter().map(|query| query.resource).collect();
            parts.push(format!("_type={}", kinds.join(",")));
        }
        parts.retain(|part| !part.is_empty());
        parts.join("&")
    }

    /// The whole search as it was understood, but for the place where a page begins.
    pub(super) fn parameters(&self, request: &Request) -> String {
        let canonical = self.canonical();
        let mut parts: Vec<String> = Vec::new();
        if !canonical.is_empty() {
            parts.push(canonical);
        }
        let is_told = |name: &str| {
            let stem = name.split(':').next().unwrap_or(name);
            [
                "_sort",
                "_count",
                "_total",
                "_summary",
                "_elements",
                "_format",
                "_pretty",
                "_include",
                "_revinclude",
            ]
            .contains(&stem)
        };
        let own = request.query.iter().filter(|(name, _)| is_told(name));
        parts.extend(own.map(|(name, value)| format!("{}={}", encode(name), encode(value))));
        parts.join("&")
    }
}

/// The types that are searched.
fn place(request: &Request) -> Result<(Place, Vec<&'static str>), Failure> {
    let all = || TABLES.iter().map(|table| table.resource).collect::<Vec<_>>();
    let (place, kinds) = match &request.target {
        Target::Compartment(table, id, kind) => {
            let types = kind.map_or("*", |table| table.resource).to_owned();
            let compartment = format!("{}/{id}", table.resource);
            let kinds = match kind {
                Some(kind) => vec![kind.resource],
                None => all(),
            };
            (Place::Compartment { compartment, types }, kinds)
        }
        target => match target.table() {
            Some(table) => (Place::Type(table.resource), vec![table.resource]),
            None => (Place::System, all()),
        },
    };
    match request.parameter("_type") {
        None => Ok((place, kinds)),
        Some(asked) => Ok((place, chosen(asked, &kinds)?)),
    }
}

/// The types of `_type`.
fn chosen(asked: &str, kinds: &[&'static str]) -> Result<Vec<&'static str>, Failure> {
    let mut chosen = Vec::new();
    for name in asked.split(',') {
        let kind = r4().resource(name).and_then(|kind| find(kind.name)).map(|table| table.resource);
        let kind = kind.filter(|kind| kinds.contains(kind)).ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            Failure::bad_request(format!("_type={name} is no resource type that is searched here"))
        })?;
        if !chosen.contains(&kind) {
            chosen.push(kind);
        }
    }
    Ok(chosen)
}

fn queries(
    app: &App,
    request: &Request,
    kinds: &[&'static str],
    codes: &Codes,
) -> Result<(Vec<Query>, Vec<String>), Failure> {
    let is_own = |name: &str| OWN.contains(&name.split(':').next().unwrap_or(name));
    let pairs: Vec<(String, String)> =
        request.criteria().into_iter().filter(|(name, _)| !is_own(name)).collect();
    let unknown = match request.headers.preferences.handling {
        Handling::Strict => Unknown::Refuse,
        Handling::Lenient => Unknown::Report,
    };
    let context = context(app, unknown, codes);
    let mut queries = Vec::with_capacity(kinds.len());
    let mut ignored = Vec::new();
    for kind in kinds {
        let query = Query::parse(kind, &pairs, &context)?;
        for name in &query.ignored {
            if !ignored.contains(name) {
                ignored.push(name.clone());
            }
        }
        queries.push(query);
    }
    Ok((queries, ignored))
}

/// `one` is the type, where only one is searched.
fn sort(app: &App, request: &Request, one: Option<&'static str>) -> Result<Option<Sort>, Failure> {
    let Some(text) = request.parameter("_sort") else { return Ok(None) };
    let custom = app.extractor.custom();
    let sort = match one {
        Some(kind) => Sort::parse(kind, text, &custom)?,
        None => match text {
            "_lastUpdated" | "-_lastUpdated" => Sort::parse("Basic", text, &custom)?,
            _ => {
                return Err(Failure::not_supported(
                    "resources of several types are put in order by _lastUpdated or -_lastUpdated only",
                ));
            }
        },
    };
    Ok(Some(sort))
}

fn includes(app: &App, request: &Request, kind: &'static str) -> Result<Vec<Include>, Failure> {
    let custom = app.extractor.custom();
    let mut includes = Vec::new();
    for (name, text) in &request.query {
        let (stem, modifier) = match name.split_once(':') {
            Some((stem, modifier)) => (stem, Some(modifier)),
            None => (name.as_str(), None),
        };
        let is_reverse = match stem {
            "_include" => false,
            "_revinclude" => true,
            _ => continue,
        };
        let is_iterated = match modifier {
            None => false,
            // As R3 called it.
            Some("iterate" | "recurse") => true,
            Some(other) => {
                let other: String = other.chars().take(64).collect();
                return Err(Failure::not_supported(format!(
                    "the modifier `:{other}` of {stem} is not supported; use :iterate"
                )));
            }
        };
        for text in text.split(',') {
            includes.push(Include::parse(text, is_reverse, is_iterated, kind, &custom)?);
        }
    }
    if includes.len() > INCLUDES_MAX {
        return Err(Failure::bad_request(format!(
            "there are more than {INCLUDES_MAX} _include and _revinclude"
        )));
    }
    Ok(includes)
}
