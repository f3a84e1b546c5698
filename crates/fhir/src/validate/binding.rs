//! Codes against the value sets they are bound to as required, where the definitions enumerate them (terminologies.html#required).

use super::Walk;
use super::place::Place;
use crate::definitions::ValueSet;
use crate::outcome::Code;
use serde_json::{Map, Value};

/// Codes listed in a message.
const LISTED_MAX: usize = 12;

pub(super) fn primitive(walk: &mut Walk, url: &str, value: &Value, place: &Place) {
    let Some(set) = walk.definitions.value_set(url) else { return };
    if let Some(code) = value.as_str()
        && !set.has_code(code)
    {
        let text = refusal(code, url, set);
        walk.error(Code::CodeInvalid, place, text);
    }
}

/// A CodeableConcept needs one coding of the set; a Coding has to be one.
pub(super) fn complex(
    walk: &mut Walk,
    url: &str,
    code: &str,
    properties: &Map<String, Value>,
    place: &Place,
) {
    let Some(set) = walk.definitions.value_set(url) else { return };
    let is_in = |coding: &Map<String, Value>| {
        let text = |name: &str| coding.get(name).and_then(Value::as_str);
        match (text("system"), text("code")) {
            (Some(system), Some(code)) => set.has_coding(system, code),
            (None, Some(code)) => set.has_code(code),
            (_, None) => false,
        }
    };
    let codings: Vec<&Map<String, Value>> = match code {
        "Coding" => vec![properties],
        _ => {
            let codings = properties.get("coding").and_then(Value::as_array);
            codings.into_iter().flatten().filter_map(Value::as_object).collect()
        }
    };
    // A concept in words alone, or one whose coding says why there is none, is no code to be refused.
    let has_code = codings.iter().any(|coding| coding.contains_key("code"));
    if has_code && !codings.iter().any(|coding| is_in(coding)) {
        let code = codings.iter().find_map(|coding| coding.get("code")?.as_str());
        let text = refusal(code.unwrap_or_default(), url, set);
        walk.error(Code::CodeInvalid, place, text);
    }
}

fn refusal(code: &str, url: &str, set: &ValueSet) -> String {
    let mut codes: Vec<&str> = set.codes.values().flatten().copied().collect();
    codes.sort_unstable();
    let more = if codes.len() > LISTED_MAX { ", …" } else { "" };
    codes.truncate(LISTED_MAX);
    let code: String = code.chars().take(64).collect();
    format!("`{code}` is not in the value set {url}; it has: {}{more}", codes.join(", "))
}
