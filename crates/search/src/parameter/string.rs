//! Strings: begin with what is asked for, whatever the case, the accents and the width (search.html#string).

use super::token::unescape;
use crate::registry::Parameter;
use fhir::definitions::r4;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What an index entry holds of a longer value. PostgreSQL's b-tree takes entries of up to 2,704 bytes.
pub const ENTRY_BYTES_MAX: usize = 1_000;

pub fn parse(text: &str) -> Result<String, &'static str> {
    let value = normalise(&unescape(text));
    if value.is_empty() {
        return Err("a value is missing");
    }
    if value.len() > ENTRY_BYTES_MAX {
        return Err("the value is longer than 1,000 bytes");
    }
    Ok(value)
}

/// Compatibility forms made one, case folded, accents dropped, white space collapsed.
pub fn normalise(text: &str) -> String {
    let folded = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfd()
        .filter(|character| !is_combining_mark(*character));
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for character in folded.nfc() {
        if character.is_whitespace() {
            space = !out.is_empty();
        } else {
            if space {
                out.push(' ');
            }
            space = false;
            out.push(character);
        }
    }
    out
}

/// The first string after all that begin with this one, in the order of code points; `None` when there is none.
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

pub fn entries(parameter: &Parameter, resource: &Value, strings: &mut Vec<(i64, String)>) {
    values(parameter, resource, &mut |value| {
        let mut value = normalise(value);
        if value.len() > ENTRY_BYTES_MAX {
            let end =
                (0..=ENTRY_BYTES_MAX).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
            value.truncate(end);
        }
        if !value.is_empty() {
            strings.push((parameter.salt, value));
        }
    });
}

pub fn holds(parameter: &Parameter, wanted: &[String], resource: &Value) -> bool {
    let mut found = false;
    values(parameter, resource, &mut |value| {
        let value = normalise(value);
        found |= wanted.iter().any(|wanted| value.starts_with(wanted));
    });
    found
}

const HUMAN_NAME: [&str; 5] = ["text", "family", "given", "prefix", "suffix"];
const ADDRESS: [&str; 7] = ["text", "line", "city", "district", "state", "postalCode", "country"];

fn values(parameter: &Parameter, resource: &Value, visit: &mut dyn FnMut(&str)) {
    for path in parameter.program.paths() {
        path.visit(resource, &mut |value| match r4().get(path.kind).name {
            "HumanName" => parts(value, &HUMAN_NAME, visit),
            "Address" => parts(value, &ADDRESS, visit),
            _ => {
                if let Some(text) = value.as_str() {
                    visit(text);
                }
            }
        });
    }
}

fn parts(value: &Value, names: &[&str], visit: &mut dyn FnMut(&str)) {
    for name in names {
        match &value[*name] {
            Value::String(text) => visit(text),
            Value::Array(items) => items.iter().filter_map(Value::as_str).for_each(&mut *visit),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{after_prefix, normalise};

    #[test]
    fn names_are_found_however_they_are_typed() {
        for (text, expected) in [
            ("  Müller   Ann ", "muller ann"),
            ("ＷＡＮＧ", "wang"),
            ("王小明", "王小明"),
            ("Ångström", "angstrom"),
            ("ﬁ", "fi"),
        ] {
            assert_eq!(normalise(text), expected);
        }
    }

    #[test]
    fn all_that_begin_with_a_prefix_come_before_its_bound() {
        for prefix in ["a", "王", "\u{D7FF}", "a\u{10FFFF}"] {
            let bound = after_prefix(prefix).unwrap();
            assert!(bound.as_bytes() > prefix.as_bytes());
            assert!(bound.as_bytes() > format!("{prefix}\u{10FFFF}\u{10FFFF}").as_bytes());
        }
        assert_eq!(after_prefix("\u{10FFFF}"), None);
    }
}
