//! From a resource to the entries it is found by.

use crate::error::Error;
use crate::key::resource_key;
use crate::parameter::{reference, string, token, uri};
use crate::registry::parameters;
use fhir::definitions::ParameterKind;
use serde_json::Value;

/// What a write stores beside the resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// The patient the resource is about, where its type can have only one.
    pub patient: Option<Patient>,
    /// Selective keys, each once, ascending: indexed.
    pub tokens: Vec<i64>,
    /// Common keys, each once, ascending: read only along another way.
    pub filters: Vec<i64>,
    /// Parameter and normalised value.
    pub strings: Vec<(i64, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    pub key: i64,
    pub id: String,
}

/// Keys in the making.
#[derive(Debug, Default)]
pub struct Keys {
    tokens: Vec<i64>,
    filters: Vec<i64>,
}

impl Keys {
    pub(crate) fn add(&mut self, is_dominant: bool, key: i64) {
        let keys = if is_dominant { &mut self.filters } else { &mut self.tokens };
        keys.push(key);
    }
}

/// Entries of one kind a resource may have: far more than any sensible one.
const ENTRIES_MAX: usize = 20_000;

#[derive(Clone, Debug)]
pub struct Extractor {
    base_url: String,
}

impl Extractor {
    /// References that begin with the server's own base are its own resources.
    pub fn new(base_url: &str) -> Extractor {
        Extractor { base_url: base_url.to_owned() }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn entries(&self, resource: &Value) -> Result<Entries, Error> {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        let Some(parameters) = parameters(kind) else { return Ok(Entries::default()) };
        let mut keys = Keys::default();
        let mut strings = Vec::new();
        for parameter in parameters.all.iter().filter(|parameter| parameter.code != "_id") {
            match parameter.kind {
                ParameterKind::Token => token::entries(parameter, resource, &mut keys),
                ParameterKind::Reference => {
                    reference::entries(parameter, resource, &self.base_url, &mut keys);
                }
                ParameterKind::Uri => uri::entries(parameter, resource, &mut keys),
                ParameterKind::String => string::entries(parameter, resource, &mut strings),
                ParameterKind::Date
                | ParameterKind::Number
                | ParameterKind::Quantity
                | ParameterKind::Composite
                | ParameterKind::Special => {}
            }
        }
        let patient = parameters.patient.as_ref();
        let patient = patient.and_then(|path| reference::patient(path, resource, &self.base_url));
        strings.sort_unstable();
        strings.dedup();
        let entries = Entries {
            patient: patient.map(|id| Patient { key: resource_key("Patient", &id), id }),
            tokens: distinct(keys.tokens),
            filters: distinct(keys.filters),
            strings,
        };
        for (what, found) in [
            ("values to be indexed", entries.tokens.len().max(entries.filters.len())),
            ("strings to be indexed", entries.strings.len()),
        ] {
            if found > ENTRIES_MAX {
                return Err(Error::TooMany { what, found, most: ENTRIES_MAX });
            }
        }
        Ok(entries)
    }
}

fn distinct(mut keys: Vec<i64>) -> Vec<i64> {
    keys.sort_unstable();
    keys.dedup();
    keys
}
