//! What an interaction answers, before it is put into the format the client asked for.

use super::etag::{etag, http_date};
use super::failure::{Failure, RETRY_AFTER_SECONDS};
use super::format::Format;
use super::preferences::Return;
use super::request::Presentation;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use fhir::outcome::{self, Issue};
use serde_json::Value;
use store::clock::micros;

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// `Patient/1/_history/2`, relative to the base.
    pub location: Option<String>,
    /// The version in question: ETag and Last-Modified.
    pub version: Option<VersionTag>,
    pub content: Content,
}

#[derive(Clone, Copy, Debug)]
pub struct VersionTag {
    pub version: i32,
    pub version_key: i64,
}

/// A body: text as it was stored, or a tree made here.
#[derive(Clone, Debug)]
pub enum Content {
    Nothing,
    Text(Vec<u8>),
    Tree(Value),
    /// Lines of text, whatever format was asked for.
    Table(String),
}

impl Answer {
    pub fn new(status: u16, content: Content) -> Answer {
        Answer { status, location: None, version: None, content }
    }

    pub fn outcome(status: u16, issues: &[Issue]) -> Answer {
        Answer::new(status, Content::Tree(outcome::resource(issues)))
    }

    /// What `Prefer: return=` leaves of the answer to a change.
    pub fn preferred(mut self, preference: Return, issues: &[Issue]) -> Answer {
        self.content = match preference {
            Return::Minimal => Content::Nothing,
            Return::Representation => self.content,
            Return::OperationOutcome => Content::Tree(outcome::resource(issues)),
        };
        self
    }

    pub fn into_response(self, base_url: &str, presentation: Presentation) -> HttpResponse {
        let content_type = match &self.content {
            Content::Table(_) => "text/csv; charset=utf-8",
            Content::Nothing | Content::Text(_) | Content::Tree(_) => {
                presentation.format.content_type()
            }
        };
        let (status, body) = match self.content.render(presentation) {
            Ok(body) => (self.status, body),
            Err(failure) => return failure_response(&failure, presentation),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(location) = self.location {
            response.insert_header((LOCATION, format!("{base_url}/{location}")));
        }
        if let Some(tag) = self.version {
            response.insert_header((ETAG, etag(tag.version)));
            response.insert_header((LAST_MODIFIED, http_date(micros(tag.version_key))));
        }
        match body {
            Some(body) => {
                response.insert_header((CONTENT_TYPE, content_type));
                response.body(body)
            }
            None => response.finish(),
        }
    }
}

impl Content {
    /// The tree, read again from its text where there is only that.
    pub fn tree(self) -> Result<Option<Value>, Failure> {
        match self {
            Content::Nothing => Ok(None),
            Content::Tree(value) => Ok(Some(value)),
            Content::Text(text) => Ok(Some(stored(&text)?)),
            Content::Table(_) => {
                Err(Failure::bad_request("a table is no resource: ask for it outside of a Bundle"))
            }
        }
    }

    fn render(self, presentation: Presentation) -> Result<Option<Vec<u8>>, Failure> {
        match (self, presentation.format) {
            (Content::Nothing, _) => Ok(None),
            (Content::Table(text), _) => Ok(Some(text.into_bytes())),
            (Content::Text(text), Format::Json) if !presentation.pretty => Ok(Some(text)),
            (content, Format::Json) => Ok(content.tree()?.map(|value| {
                if presentation.pretty {
                    fhir::json::write_pretty(&value)
                } else {
                    fhir::json::write(&value)
                }
            })),
            (content, Format::Xml) => match content.tree()? {
                None => Ok(None),
                Some(value) => {
                    fhir::xml::write(&value, presentation.pretty).map(Some).map_err(|error| {
                        tracing::error!(%error, "a stored resource cannot be written as XML");
                        unreadable()
                    })
                }
            },
        }
    }
}

/// A body we stored ourselves.
pub fn stored(text: &[u8]) -> Result<Value, Failure> {
    fhir::json::parse(text, &fhir::json::Limits { depth_max: 127, nodes_max: u32::MAX }).map_err(
        |error| {
            tracing::error!(%error, "a stored body cannot be read");
            unreadable()
        },
    )
}

fn unreadable() -> Failure {
    let text = "a stored resource cannot be presented; it is in the server's log";
    Failure::new(500, outcome::Code::Exception, text)
}

pub fn failure_response(failure: &Failure, presentation: Presentation) -> HttpResponse {
    let tree = outcome::resource(&failure.issues);
    let body = match presentation.format {
        Format::Xml => fhir::xml::write(&tree, presentation.pretty).ok(),
        Format::Json => None,
    };
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(allow) = failure.allow {
        response.insert_header((ALLOW, HeaderValue::from_static(allow)));
    }
    for challenge in &failure.authenticate {
        response.append_header((WWW_AUTHENTICATE, challenge.as_str()));
    }
    let retry_after =
        failure.retry_after.or((failure.status == 503).then_some(RETRY_AFTER_SECONDS));
    if let Some(seconds) = retry_after {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    let (format, body) = match body {
        Some(body) => (Format::Xml, body),
        None => (Format::Json, fhir::json::write(&tree)),
    };
    response.insert_header((CONTENT_TYPE, format.content_type())).body(body)
}
