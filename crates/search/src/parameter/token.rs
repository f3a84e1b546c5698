//! Tokens: `system|code`, `code`, `|code`, `system|` (search.html#token).

use crate::extract::Keys;
use crate::key::value_key;
use crate::path::{Path, Program};
use crate::registry::Parameter;
use fhir::definitions::r4;
use serde_json::Value;

/// What a search asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// `code`: with any system or none.
    Code(String),
    /// `system|code`
    Coding { system: String, code: String },
    /// `|code`
    WithoutSystem(String),
    /// `system|`
    System(String),
}

impl Wanted {
    pub fn parse(text: &str) -> Result<Wanted, &'static str> {
        let Some((system, code)) = split(text) else {
            return if text.is_empty() {
                Err("a value is missing")
            } else {
                Ok(Wanted::Code(unescape(text)))
            };
        };
        match (unescape(system), unescape(code)) {
            (system, code) if system.is_empty() && code.is_empty() => Err("a value is missing"),
            (system, code) if system.is_empty() => Ok(Wanted::WithoutSystem(code)),
            (system, code) if code.is_empty() => Ok(Wanted::System(system)),
            (system, code) => Ok(Wanted::Coding { system, code }),
        }
    }

    pub fn key(&self, salt: i64) -> i64 {
        match self {
            Wanted::Code(code) => value_key(salt, &["code", code]),
            Wanted::Coding { system, code } => value_key(salt, &["coding", system, code]),
            Wanted::WithoutSystem(code) => value_key(salt, &["bare", code]),
            Wanted::System(system) => value_key(salt, &["system", system]),
        }
    }

    fn is(&self, token: &Token) -> bool {
        match self {
            Wanted::Code(code) => token.code == code,
            Wanted::Coding { system, code } => {
                token.code == code && token.systems.contains(&system.as_str())
            }
            Wanted::WithoutSystem(code) => token.code == code && !token.has_own_system,
            Wanted::System(system) => token.systems.contains(&system.as_str()),
        }
    }
}

/// At the first `|` that is not escaped.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '|' if !escaped => return Some((text.get(..place)?, text.get(place + 1..)?)),
            _ => escaped = false,
        }
    }
    None
}

/// `\,`, `\|`, `\$` and `\\` stand for what follows the backslash (search.html#escaping).
pub(crate) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// A token of a resource.
struct Token<'a> {
    /// Its own system; for a `code`, which has none, those of the value set it is bound to.
    systems: Vec<&'a str>,
    has_own_system: bool,
    code: &'a str,
}

/// Parameters whose values are shared by much of the table: an index would find too much to be of use.
const DOMINANT: [&str; 12] = [
    "_profile",
    "_security",
    "_tag",
    "active",
    "category",
    "class",
    "gender",
    "intent",
    "language",
    "priority",
    "status",
    "type",
];

pub fn is_dominant(code: &str, program: &Program) -> bool {
    let is_small = |path: &Path| matches!(r4().get(path.kind).name, "code" | "boolean");
    DOMINANT.contains(&code) || program.paths().iter().all(is_small)
}

pub fn entries(parameter: &Parameter, resource: &Value, keys: &mut Keys) {
    let salt = parameter.salt;
    tokens(parameter, resource, &mut |token| {
        let code = value_key(salt, &["code", token.code]);
        keys.add(parameter.is_dominant, code);
        if !token.has_own_system {
            keys.add(parameter.is_dominant, value_key(salt, &["bare", token.code]));
        }
        for system in &token.systems {
            keys.add(parameter.is_dominant, value_key(salt, &["coding", system, token.code]));
            keys.add(true, value_key(salt, &["system", system]));
        }
    });
}

pub fn holds(parameter: &Parameter, wanted: &[Wanted], resource: &Value) -> bool {
    let mut found = false;
    tokens(parameter, resource, &mut |token| {
        found |= wanted.iter().any(|wanted| wanted.is(&token))
    });
    found
}

fn tokens(parameter: &Parameter, resource: &Value, visit: &mut dyn FnMut(Token)) {
    match &parameter.program {
        Program::Paths(paths) => {
            for path in paths {
                path.visit(resource, &mut |value| read(path, value, visit));
            }
        }
        Program::IsTrue(paths) => {
            let mut is_true = false;
            for path in paths {
                path.visit(resource, &mut |value| is_true |= *value != Value::Bool(false));
            }
            let code = if is_true { "true" } else { "false" };
            visit(Token { systems: Vec::new(), has_own_system: false, code });
        }
    }
}

fn read(path: &Path, value: &Value, visit: &mut dyn FnMut(Token)) {
    match r4().get(path.kind).name {
        "CodeableConcept" => {
            for coding in value["coding"].as_array().into_iter().flatten() {
                pair(coding, "code", visit);
            }
        }
        "Coding" => pair(value, "code", visit),
        "Identifier" => pair(value, "value", visit),
        "ContactPoint" => {
            if let Some(code) = value["value"].as_str() {
                visit(Token { systems: Vec::new(), has_own_system: false, code });
            }
        }
        _ => primitive(path, value, visit),
    }
}

fn pair(value: &Value, property: &str, visit: &mut dyn FnMut(Token)) {
    let system = value["system"].as_str();
    if let Some(code) = value[property].as_str() {
        visit(Token {
            systems: system.into_iter().collect(),
            has_own_system: system.is_some(),
            code,
        });
    }
}

fn primitive(path: &Path, value: &Value, visit: &mut dyn FnMut(Token)) {
    let text;
    let code = match value {
        Value::String(code) => code,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) => {
            text = number.to_string();
            &text
        }
        Value::Null | Value::Array(_) | Value::Object(_) => return,
    };
    let set = path.binding.and_then(|url| r4().value_set(url));
    let systems = set.map_or_else(Vec::new, |set| {
        let with_code = set.codes.iter().filter(|(_, codes)| codes.contains(code));
        with_code.map(|(system, _)| *system).collect()
    });
    visit(Token { systems, has_own_system: false, code });
}
