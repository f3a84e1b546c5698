//! URI parameters: the whole text, letter for letter (search.html#uri). A canonical is found with and without its version.

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

pub(crate) fn key(text: &str) -> i64 {
    hash(text.as_bytes())
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
