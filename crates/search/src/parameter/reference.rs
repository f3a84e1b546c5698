//! References: `Type/id`, `id`, a URL (search.html#reference).

use crate::extract::Keys;
use crate::key::{resource_key, value_key};
use crate::path::{Path, Program};
use crate::registry::Parameter;
use fhir::definitions::r4;
use schema::resource;
use serde_json::Value;

/// What a reference points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A resource of this server.
    Local { resource: &'static str, id: String },
    /// Anything else, by its URL.
    Url(String),
}

/// What a search asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Target(Target),
    /// An id without a type: of any type that the parameter can point at.
    Id(String),
}

impl Wanted {
    pub fn parse(text: &str, base_url: &str) -> Result<Wanted, &'static str> {
        if text.is_empty() {
            return Err("a value is missing; give Type/id, an id or a URL");
        }
        match Target::parse(text, base_url) {
            Some(Target::Url(text)) if is_id(&text) => Ok(Wanted::Id(text)),
            Some(target) => Ok(Wanted::Target(target)),
            None => Err("a reference to a contained resource cannot be searched for"),
        }
    }

    /// What this may mean, spelt out.
    pub fn targets(&self, parameter: &Parameter) -> Vec<Target> {
        match self {
            Wanted::Target(target) => vec![target.clone()],
            Wanted::Id(id) => {
                let is_any =
                    parameter.targets.is_empty() || parameter.targets.contains(&"Resource");
                let all = resource::TABLES.iter().map(|table| table.resource);
                all.filter(|resource| is_any || parameter.targets.contains(resource))
                    .map(|resource| Target::Local { resource, id: id.clone() })
                    .filter(|target| {
                        parameter.program.paths().iter().any(|path| path.admits(target))
                    })
                    .collect()
            }
        }
    }
}

impl Target {
    /// `None` for a contained resource, which is no target of its own.
    pub fn parse(text: &str, base_url: &str) -> Option<Target> {
        if text.starts_with('#') {
            return None;
        }
        let relative =
            text.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
        let mut parts = relative.split('/');
        if let (Some(kind), Some(id)) = (parts.next(), parts.next())
            && let Some(table) = resource::find(kind)
            && is_id(id)
        {
            match (parts.next(), parts.next(), parts.next()) {
                (None, _, _) | (Some("_history"), Some(_), None) => {
                    return Some(Target::Local { resource: table.resource, id: id.to_owned() });
                }
                _ => {}
            }
        }
        Some(Target::Url(text.to_owned()))
    }

    pub fn key(&self, salt: i64) -> i64 {
        match self {
            Target::Local { resource, id } => resource_key(resource, id) ^ salt,
            Target::Url(url) => value_key(salt, &["url", url]),
        }
    }

    /// The id, when it is a Patient of this server.
    pub fn patient(&self) -> Option<&str> {
        match self {
            Target::Local { resource: "Patient", id } => Some(id),
            Target::Local { .. } | Target::Url(_) => None,
        }
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

pub fn entries(parameter: &Parameter, resource: &Value, base_url: &str, keys: &mut Keys) {
    targets(parameter, resource, base_url, &mut |target| {
        if !(parameter.is_patient && target.patient().is_some()) {
            keys.add(parameter.is_dominant, target.key(parameter.salt));
        }
    });
}

/// The patient at the end of this line.
pub fn patient(path: &Path, resource: &Value, base_url: &str) -> Option<String> {
    let mut found = None;
    path.visit(resource, &mut |value| {
        let target = value["reference"].as_str().and_then(|text| Target::parse(text, base_url));
        found = target.as_ref().and_then(Target::patient).map(str::to_owned);
    });
    found
}

pub fn holds(parameter: &Parameter, wanted: &[Wanted], resource: &Value, base_url: &str) -> bool {
    let mut found = false;
    targets(parameter, resource, base_url, &mut |target| {
        found |= wanted.iter().any(|wanted| match wanted {
            Wanted::Target(wanted) => *wanted == target,
            Wanted::Id(_) => wanted.targets(parameter).contains(&target),
        });
    });
    found
}

fn targets(parameter: &Parameter, resource: &Value, base_url: &str, visit: &mut dyn FnMut(Target)) {
    let (Program::Paths(paths) | Program::IsTrue(paths)) = &parameter.program;
    for path in paths {
        path.visit(resource, &mut |value| match r4().get(path.kind).name {
            "Reference" => {
                let target =
                    value["reference"].as_str().and_then(|text| Target::parse(text, base_url));
                if let Some(target) = target.filter(|target| path.admits(target)) {
                    visit(target);
                }
            }
            // A canonical is found with its version and without.
            _ => {
                let Some(text) = value.as_str() else { return };
                if let Some((url, _)) = text.split_once('|') {
                    visit(Target::Url(url.to_owned()));
                }
                if let Some(target) = Target::parse(text, base_url) {
                    visit(target);
                }
            }
        });
    }
}

impl Path {
    /// `where(resolve() is Patient)`. A URL of another server says its type too.
    fn admits(&self, target: &Target) -> bool {
        let Some(wanted) = self.target.as_deref() else { return true };
        match target {
            Target::Local { resource, .. } => *resource == wanted,
            Target::Url(url) => url.rsplit('/').nth(1) == Some(wanted),
        }
    }
}
