//! `encode`, `decode`, `escape` and `unescape` (FHIRPath 2.1, additional string functions).

use super::Call;
use super::strings::text;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found};
use crate::path::function::Function;
use crate::path::item::Item;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::fmt::Write;

const ENTITIES: [(&str, &str); 5] =
    [("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("#39", "'")];

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn encoding(
        &self,
        function: Function,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Found<'a> {
        let (input, format) = (text(input)?, self.text_argument(call, 0)?);
        let (Some(input), Some(format)) = (input, format) else { return Ok(Collection::Empty) };
        self.budget.text(input.len().saturating_mul(6))?;
        let result = match (function, format.as_ref()) {
            (Function::Encode, "base64") => Some(STANDARD.encode(input.as_bytes())),
            (Function::Encode, "urlbase64") => Some(URL_SAFE.encode(input.as_bytes())),
            (Function::Encode, "hex") => Some(to_hex(&input)),
            (Function::Decode, "base64") => utf8(STANDARD.decode(input.as_bytes()).ok()),
            (Function::Decode, "urlbase64") => utf8(URL_SAFE.decode(input.as_bytes()).ok()),
            (Function::Decode, "hex") => utf8(from_hex(&input)),
            (Function::Escape, "html") => Some(to_html(&input)),
            (Function::Escape, "json") => to_json(&input),
            (Function::Unescape, "html") => Some(from_html(&input)),
            (Function::Unescape, "json") => Some(from_json(&input)),
            _ => {
                let start: String = format.chars().take(20).collect();
                let name = function.name();
                return Err(Error::evaluation(format!("`{name}` does not know `{start}`")));
            }
        };
        Ok(Collection::maybe(result.map(|text| Item::String(text.into()))))
    }
}

fn utf8(bytes: Option<Vec<u8>>) -> Option<String> {
    String::from_utf8(bytes?).ok()
}

fn to_hex(text: &str) -> String {
    let mut hex = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        // Writing to a text has no way to fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

fn to_html(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for next in text.chars() {
        match ENTITIES.iter().find(|(_, plain)| plain.starts_with(next)) {
            Some((name, _)) => {
                result.push('&');
                result.push_str(name);
                result.push(';');
            }
            None => result.push(next),
        }
    }
    result
}

/// An ampersand that starts no known entity stays.
fn from_html(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        let known = ENTITIES.iter().find_map(|(name, plain)| {
            let after = after.strip_prefix(name)?.strip_prefix(';')?;
            Some((plain, after))
        });
        match known {
            Some((plain, after)) => {
                result.push_str(plain);
                rest = after;
            }
            None => {
                result.push('&');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

fn to_json(text: &str) -> Option<String> {
    let quoted = serde_json::to_string(text).ok()?;
    Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// What is no escape stays as it is.
fn from_json(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        result.push_str(before);
        let mut characters = after.chars();
        match characters.next() {
            Some('n') => result.push('\n'),
            Some('r') => result.push('\r'),
            Some('t') => result.push('\t'),
            Some('b') => result.push('\u{8}'),
            Some('f') => result.push('\u{c}'),
            Some(next @ ('"' | '\\' | '/')) => result.push(next),
            Some('u') => {
                let code = after.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                match code.and_then(char::from_u32) {
                    Some(next) => {
                        result.push(next);
                        rest = after.get(5..).unwrap_or_default();
                        continue;
                    }
                    None => result.push_str("\\u"),
                }
            }
            Some(other) => {
                result.push('\\');
                result.push(other);
            }
            None => result.push('\\'),
        }
        rest = characters.as_str();
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn codings_go_both_ways() {
        for format in ["base64", "urlbase64", "hex"] {
            check(&format!("'é?_d'.encode('{format}').decode('{format}')"), "é?_d");
        }
        for format in ["html", "json"] {
            check(&format!("'\"1<2\" & é'.escape('{format}').unescape('{format}')"), "\"1<2\" & é");
        }
        check(
            "'a'.encode('hex') | 'test'.encode('base64') | '<'.escape('html')",
            "61, dGVzdA==, &lt;",
        );
    }

    #[test]
    fn what_is_not_coded_is_nothing() {
        check(
            "'6'.decode('hex') | 'zz'.decode('hex') | 'ff'.decode('hex') | '?'.decode('base64')",
            "",
        );
        check("'&x; &amp;lt; \\\\u00'.unescape('html')", "&x; &lt; \\u00");
        check("'\\\\u0041\\\\u00é\\\\q'.unescape('json')", "A\\u00é\\q");
        fails("'a'.encode('rot13')", "`encode` does not know `rot13`");
    }
}
