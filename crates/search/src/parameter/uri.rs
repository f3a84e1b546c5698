//! URIs: equal to the letter (search.html#uri).

use super::token::unescape;
use crate::extract::Keys;
use crate::key::value_key;
use crate::registry::Parameter;
use serde_json::Value;

pub fn parse(text: &str) -> Result<String, &'static str> {
    if text.is_empty() { Err("a value is missing") } else { Ok(unescape(text)) }
}

pub fn key(salt: i64, uri: &str) -> i64 {
    value_key(salt, &["uri", uri])
}

pub fn entries(parameter: &Parameter, resource: &Value, keys: &mut Keys) {
    for path in parameter.program.paths() {
        path.visit(resource, &mut |value| {
            if let Some(uri) = value.as_str() {
                keys.add(parameter.is_dominant, key(parameter.salt, uri));
            }
        });
    }
}

pub fn holds(parameter: &Parameter, wanted: &[String], resource: &Value) -> bool {
    let mut found = false;
    for path in parameter.program.paths() {
        path.visit(resource, &mut |value| {
            found |= value.as_str().is_some_and(|uri| wanted.iter().any(|wanted| wanted == uri));
        });
    }
    found
}
