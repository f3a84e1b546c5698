//! `_contained` and `_containedType` (search.html#contained): matches inside other resources. What may contain one is found by
//! its tokens, and looked at here.

use crate::app::App;
use crate::http::answer::stored;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Target;
use ::search::query::Query;
use fhir::outcome::Code;
use serde_json::Value;
use store::find::Match;

/// Suspects that are looked at for one answer.
pub(super) const SUSPECTS_MAX: usize = 10_000;

#[derive(Clone, Debug)]
pub(super) struct Contained {
    /// What the contained resources have to match.
    pub(super) query: Query,
    /// Whether resources of their own are wanted too (`_contained=both`).
    pub(super) is_both: bool,
    /// Whether the contained resources are answered, and not what contains them (`_containedType=contained`).
    pub(super) is_inner: bool,
}

impl Contained {
    pub(super) fn parse(
        request: &Request,
        queries: &[Query],
    ) -> Result<Option<Contained>, Failure> {
        let is_both = match request.parameter("_contained") {
            None | Some("false") => None,
            Some("true") => Some(false),
            Some("both") => Some(true),
            Some(_) => return Err(Failure::bad_request("_contained is true, false or both")),
        };
        let is_inner = match request.parameter("_containedType") {
            None | Some("container") => false,
            Some("contained") => true,
            Some(_) => {
                return Err(Failure::bad_request("_containedType is container or contained"));
            }
        };
        let Some(is_both) = is_both else { return Ok(None) };
        let asks = |names: &[&str]| {
            let stem = |name: &str| names.contains(&name.split(':').next().unwrap_or(name));
            request.query.iter().any(|(name, _)| stem(name))
        };
        let (Target::Type(_) | Target::TypeSearch(_), [query]) = (&request.target, queries) else {
            return Err(Failure::not_supported("_contained is for searches of one type"));
        };
        if asks(&["_include", "_revinclude"]) {
            return Err(Failure::not_supported(
                "_include and _revinclude do not go with _contained; ask for them by the ids that are found",
            ));
        }
        Ok(Some(Contained { query: query.clone(), is_both, is_inner }))
    }

    /// As it is told in links.
    pub(super) fn canonical(&self) -> String {
        let contained = if self.is_both { "both" } else { "true" };
        let kind = if self.is_inner { "contained" } else { "container" };
        format!("_contained={contained}&_containedType={kind}")
    }

    /// One a type that may contain a match, and one for the matches that stand alone.
    pub(super) fn queries(&self) -> Result<Vec<Query>, Failure> {
        let own = self.is_both.then(|| self.query.clone());
        Ok(own.into_iter().chain(self.query.containers()?).collect())
    }

    /// The matches in and at a suspect.
    pub(super) fn matches(&self, app: &App, suspect: &Match) -> Result<Vec<Match>, Failure> {
        let resource = stored(suspect.version.json.as_deref().unwrap_or_default())?;
        let is_match = self.is_both && self.query.holds(&resource, &app.extractor);
        let inner = self.query.contained(&resource, &app.extractor);
        if !self.is_inner {
            let is_wanted = is_match || !inner.is_empty();
            return Ok(is_wanted.then(|| suspect.clone()).into_iter().collect());
        }
        let own = is_match.then(|| suspect.clone());
        let inner = inner.into_iter().map(|resource| {
            let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
            let mut found = suspect.clone();
            found.version.id = format!("{}#{id}", suspect.version.id);
            found.version.json = Some(fhir::json::write(resource));
            found
        });
        Ok(own.into_iter().chain(inner).collect())
    }
}

pub(super) fn too_many() -> Failure {
    let text = format!(
        "more than {SUSPECTS_MAX} resources would have to be looked into; add a criterion of a code, an identifier or a reference"
    );
    Failure::new(403, Code::TooCostly, text)
}
