//! JSON Pointer (RFC 6901): where in a document a value stands.

use serde_json::Value;

/// The names and numbers between the slashes; none when the text is no pointer.
pub(super) fn parse(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.strip_prefix('/')?.split('/').map(token).collect()
}

/// `~1` is a slash, `~0` a tilde; any other tilde is an error.
fn token(text: &str) -> Option<String> {
    let mut parts = text.split('~');
    let mut token = parts.next()?.to_owned();
    for part in parts {
        let rest = if let Some(rest) = part.strip_prefix('0') {
            token.push('~');
            rest
        } else {
            token.push('/');
            part.strip_prefix('1')?
        };
        token.push_str(rest);
    }
    Some(token)
}

/// A place in an array: digits without a leading nought.
pub(super) fn index(token: &str) -> Option<usize> {
    let is_plain = token == "0" || !token.starts_with('0');
    let only_digits = token.bytes().all(|digit| digit.is_ascii_digit());
    if is_plain && only_digits { token.parse().ok() } else { None }
}

fn step<'a>(value: &'a Value, token: &str) -> Option<&'a Value> {
    match value {
        Value::Object(properties) => properties.get(token),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    }
}

pub(super) fn find<'a>(document: &'a Value, tokens: &[String]) -> Option<&'a Value> {
    tokens.iter().try_fold(document, |value, token| step(value, token))
}

pub(super) fn find_mut<'a>(document: &'a mut Value, tokens: &[String]) -> Option<&'a mut Value> {
    tokens.iter().try_fold(document, |value, token| match value {
        Value::Object(properties) => properties.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{index, parse};

    fn check(text: &str, expected: Option<&[&str]>) {
        let expected = expected.map(|tokens| tokens.iter().map(|token| (*token).into()).collect());
        assert_eq!(parse(text), expected, "{text}");
    }

    #[test]
    fn escapes_are_undone_once() {
        check("", Some(&[]));
        check("/", Some(&[""]));
        check("/a~1b/~01", Some(&["a/b", "~1"]));
    }

    #[test]
    fn other_texts_are_no_pointers() {
        check("a", None);
        check("/~2", None);
        check("/a~", None);
    }

    #[test]
    fn a_place_is_written_in_one_way() {
        assert_eq!(
            ["0", "10", "01", "-1", "+1", "", "é"].map(index),
            [Some(0), Some(10), None, None, None, None, None]
        );
    }
}
