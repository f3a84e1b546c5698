//! URI parameters: the whole text, letter for letter (search.html#uri). A canonical is found with and without its version.

use super::string::LENGTH_MAX;
use crate::error::Error;
use crate::key::hash;
use crate::program::End;
use crate::query::text::unescape;
use serde_json::Value;

/// The types it reads.
pub(crate) const KINDS: [&str; 4] = ["uri", "canonical", "url", "oid"];

pub(crate) fn each<'a>(value: &'a Value, end: &End, mut visit: impl FnMut(&'a str)) {
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return };
    if let Some((url, _)) = text.split_once('|').filter(|(url, _)| !url.is_empty())
        && end.kind == "canonical"
    {
        visit(url);
    }
    visit(text);
}

/// As it is looked up by its beginning; none of one that is longer than an index takes.
pub(crate) fn stored(text: &str) -> Option<String> {
    let is_control = |character: char| character.is_control();
    (text.len() <= LENGTH_MAX && !text.contains(is_control)).then(|| text.to_owned())
}

pub(crate) fn key(text: &str) -> i64 {
    hash(text.as_bytes())
}

/// Every text that this one begins with, itself included (`:above`).
pub(crate) fn above(text: &str) -> impl Iterator<Item = String> {
    let ends = text.char_indices().map(|(at, character)| at + character.len_utf8());
    ends.filter_map(|end| text.get(..end)).map(str::to_owned)
}

pub(crate) fn parse(text: &str, parameter: &'static str) -> Result<String, Error> {
    unescape(text, parameter)
}

#[cfg(test)]
mod tests {
    use super::each;
    use crate::program::End;
    use serde_json::{Value, json};

    fn check(kind: &'static str, value: &Value, expected: &[&str]) {
        let mut found = Vec::new();
        each(value, &End { kind, targets: &[], binding: None }, |text| found.push(text));
        assert_eq!(found, expected);
    }

    #[test]
    fn only_a_canonical_has_a_version() {
        check("uri", &json!("http://x.test/a|1"), &["http://x.test/a|1"]);
        check("canonical", &json!("http://x.test/a|1"), &["http://x.test/a", "http://x.test/a|1"]);
        check("canonical", &json!("|1"), &["|1"]);
        check("uri", &json!(""), &[]);
        check("uri", &json!(1), &[]);
    }
}
