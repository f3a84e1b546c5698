//! From a resource to the entries it is found by.

use crate::error::Error;
use crate::key::resource_key;
use crate::parameter::reference::Target;
use crate::parameter::{reference, string, token, uri};
use crate::program::Program;
use crate::registry::{self, Kind, Parameter, Rule};
use serde_json::Value;

/// More than this is no resource that anybody searches for; it would make its row and its index too large.
const ENTRIES_MAX: usize = 100_000;

/// What a row holds to be found by. Keys are sorted, each there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub patient: Option<Patient>,
    pub tokens: Vec<i64>,
    pub filters: Vec<i64>,
    /// The key of the parameter and a normalised text.
    pub strings: Vec<(i64, String)>,
}

/// The patient that a resource is about, where its type has one place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    pub key: i64,
    pub id: String,
}

/// Knows which references are of this server.
#[derive(Clone, Debug)]
pub struct Extractor {
    base_url: String,
}

impl Extractor {
    /// `base_url` is without a slash at the end.
    pub fn new(base_url: &str) -> Extractor {
        registry::warm();
        Extractor { base_url: base_url.trim_end_matches('/').to_owned() }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn entries(&self, resource: &Value) -> Result<Entries, Error> {
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let kind = registry::kind(name).ok_or(Error::UnknownType)?;
        let mut found =
            Found { base_url: &self.base_url, entries: Entries::default(), buffer: Vec::new() };
        found.entries.patient = patient(kind, resource, &self.base_url);
        for parameter in &kind.parameters {
            found.parameter(parameter, resource);
            if found.count() > ENTRIES_MAX {
                let what = "the resource has too many values to be found by".to_owned();
                return Err(Error::TooMany { what, max: ENTRIES_MAX });
            }
        }
        let mut entries = found.entries;
        entries.tokens.sort_unstable();
        entries.tokens.dedup();
        entries.filters.sort_unstable();
        entries.filters.dedup();
        entries.strings.sort_unstable();
        entries.strings.dedup();
        Ok(entries)
    }
}

fn patient(kind: &Kind, resource: &Value, base_url: &str) -> Option<Patient> {
    let walk = kind.patient.as_ref()?;
    let mut patient = None;
    walk.each(resource, |value| {
        reference::each(value, &walk.end, base_url, |target| {
            if let Target::Local { kind: "Patient", id } = target {
                patient = Some(Patient { key: resource_key("Patient", id), id: id.to_owned() });
            }
        });
    });
    patient
}

struct Found<'a> {
    base_url: &'a str,
    entries: Entries,
    buffer: Vec<u8>,
}

impl Found<'_> {
    fn count(&self) -> usize {
        self.entries.tokens.len() + self.entries.filters.len() + self.entries.strings.len()
    }

    fn parameter(&mut self, parameter: &Parameter, resource: &Value) {
        match parameter.rule {
            Rule::Token => self.tokens(parameter, resource),
            Rule::Reference => self.references(parameter, resource),
            Rule::Uri => self.uris(parameter, resource),
            Rule::String => self.strings(parameter, resource),
            // The row itself has them.
            Rule::Id | Rule::LastUpdated => {}
            Rule::Unsupported(_) => {}
        }
    }

    fn key(&mut self, parameter: &Parameter, key: i64, is_dominant: bool) {
        let key = key ^ parameter.salt;
        if is_dominant {
            self.entries.filters.push(key);
        } else {
            self.entries.tokens.push(key);
        }
    }

    fn tokens(&mut self, parameter: &Parameter, resource: &Value) {
        each_token(parameter, resource, |form| {
            let key = form.key(parameter.spelling, &mut self.buffer);
            self.key(parameter, key, parameter.is_dominant || form.is_system());
        });
    }

    fn references(&mut self, parameter: &Parameter, resource: &Value) {
        each_reference(parameter, resource, self.base_url, |target| {
            let is_in_column = matches!(target, Target::Local { kind: "Patient", .. });
            if !(parameter.is_patient && is_in_column) {
                self.entries.tokens.push(target.key() ^ parameter.salt);
            }
        });
    }

    fn uris(&mut self, parameter: &Parameter, resource: &Value) {
        each_uri(parameter, resource, |text| {
            self.key(parameter, uri::key(text), parameter.is_dominant)
        });
    }

    fn strings(&mut self, parameter: &Parameter, resource: &Value) {
        each_string(parameter, resource, |text| {
            let text = string::normalise(text);
            if !text.is_empty() {
                self.entries.strings.push((parameter.salt, text));
            }
        });
    }
}

pub(crate) fn each_token<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(token::Form<&'a str>),
) {
    match &parameter.program {
        Program::Values(walks) => {
            for walk in walks {
                walk.each(resource, |value| token::each(value, &walk.end, &mut visit));
            }
        }
        Program::Truth(walks) => {
            let mut is_true = false;
            for walk in walks {
                walk.each(resource, |value| is_true |= *value != Value::Bool(false));
            }
            token::truth(is_true, visit);
        }
    }
}

/// Each target that the parameter may point at: `patient` of a type finds only patients.
pub(crate) fn each_reference<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    base_url: &str,
    mut visit: impl FnMut(Target<'a>),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| {
            reference::each(value, &walk.end, base_url, |target| {
                let is_allowed = match target {
                    Target::Local { kind, .. } => parameter.targets.contains(&kind),
                    Target::Whole(_) => true,
                };
                if is_allowed {
                    visit(target);
                }
            });
        });
    }
}

pub(crate) fn each_uri<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(&'a str),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| uri::each(value, &walk.end, &mut visit));
    }
}

pub(crate) fn each_string<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(&'a str),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| string::each(value, &walk.end, &mut visit));
    }
}
