//! What a request carries: a resource, a patch, a form.

use super::failure::Failure;
use super::format::{BodyFormat, Format};
use crate::settings::Limits;
use fhir::outcome::Code;
use serde_json::Value;

#[derive(Clone, Debug)]
pub enum Body {
    Resource(Value),
    JsonPatch(Value),
}

/// A body larger than this is parsed off the threads that serve requests.
pub const SMALL_BYTES_MAX: usize = 64 << 10;

pub fn parse(format: BodyFormat, bytes: &[u8], limits: &Limits) -> Result<Body, Failure> {
    match format {
        BodyFormat::Resource(Format::Json) => {
            Ok(Body::Resource(fhir::json::parse(bytes, &limits.json)?))
        }
        BodyFormat::Resource(Format::Xml) => fhir::xml::parse(bytes, &limits.json)
            .map(Body::Resource)
            .map_err(|error| Failure::new(400, Code::Structure, error.to_string())),
        BodyFormat::JsonPatch => Ok(Body::JsonPatch(fhir::json::parse(bytes, &limits.json)?)),
        BodyFormat::Form => Err(Failure::new(
            415,
            Code::NotSupported,
            "a form is taken by _search only; send application/fhir+json or application/fhir+xml",
        )),
    }
}
