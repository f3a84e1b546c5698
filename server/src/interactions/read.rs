//! read: the current version of a resource (http.html#read), conditional on a version or a time (http.html#cread).

use super::look::{Looked, Reader, patients, record, status};
use crate::http::answer::{Answer, Content, VersionTag};
use crate::http::failure::Failure;
use crate::http::request::{Headers, Request};
use crate::http::target::Target;
use access::Grant;
use fhir::summary::Subset;
use store::clock::micros;
use store::read::Found;
use store::row::Version;

pub async fn look(
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    let Target::Instance(table, id) = &request.target else {
        return Err(Failure::method(request.target.allow()));
    };
    request.allow_parameters(&[])?;
    let subset = subset(request)?;
    let found = reader.read(grant, table, id).await?;
    let touched = found.describe(|found| patients(found.version()));
    let what = format!("{}/{id}", table.resource);
    let answer = found.map(|found| resource(found, &what, &request.headers, subset.as_ref()));
    Ok(Looked { record: record(grant, request, answer.describe(status), touched), answer })
}

/// What a read or vread answers, given what stands there.
pub fn resource(
    found: Found,
    what: &str,
    headers: &Headers,
    subset: Option<&Subset>,
) -> Result<Answer, Failure> {
    let version = match found {
        Found::Current(version) => version,
        Found::Deleted(_) => return Err(Failure::gone(what)),
        Found::Nothing => return Err(Failure::not_found(what)),
    };
    let tag = VersionTag { version: version.version, version_key: version.version_key };
    if is_unchanged(&version, headers) {
        return Ok(Answer { version: Some(tag), ..Answer::new(304, Content::Nothing) });
    }
    let text = version.json.unwrap_or_default();
    let content = match subset {
        None => Content::Text(text),
        Some(subset) => {
            Content::Tree(fhir::summary::subset(&crate::http::answer::stored(&text)?, subset))
        }
    };
    Ok(Answer { version: Some(tag), ..Answer::new(200, content) })
}

/// If-None-Match decides where it is given; If-Modified-Since otherwise (RFC 9110, 13.2.2).
fn is_unchanged(version: &Version, headers: &Headers) -> bool {
    match (&headers.if_none_match, headers.if_modified_since) {
        (Some(condition), _) => condition.holds(Some(version.version)),
        (None, Some(since)) => micros(version.version_key).div_euclid(1_000_000) <= since,
        (None, None) => false,
    }
}

/// `_summary` and `_elements` (search.html#summary); `count` is for searches only.
pub fn subset(request: &Request) -> Result<Option<Subset>, Failure> {
    let summary = request.parameter("_summary");
    let elements = request.parameter("_elements");
    match (summary, elements) {
        (None | Some("false"), None) => Ok(None),
        (None | Some("false"), Some(names)) => {
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            Ok(Some(Subset::Elements(names.map(str::to_owned).collect())))
        }
        (Some(_), Some(_)) => Err(Failure::bad_request(
            "_summary and _elements cannot be asked for together; choose one",
        )),
        (Some("true"), None) => Ok(Some(Subset::Summary)),
        (Some("text"), None) => Ok(Some(Subset::Text)),
        (Some("data"), None) => Ok(Some(Subset::Data)),
        (Some(other), None) => Err(Failure::bad_request(format!(
            "_summary={other} is not known here; use true, text, data or false"
        ))),
    }
}
