//! Separators and escapes of values (search.html#escaping): `\,` `\|` `\$` `\\`.

use crate::error::Error;
use std::iter;

/// The pieces between separators that no `\` stands before; escapes are kept. There is always at least one piece.
pub fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest?;
        let mut is_escaped = false;
        for (at, character) in text.char_indices() {
            if character == separator && !is_escaped {
                rest = text.get(at + character.len_utf8()..);
                return text.get(..at);
            }
            is_escaped = character == '\\' && !is_escaped;
        }
        rest = None;
        Some(text)
    })
}

/// The value that was meant.
pub fn unescape(text: &str, parameter: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let character = match character {
            '\\' => characters.next().filter(|next| matches!(next, ',' | '|' | '$' | '\\')),
            plain => Some(plain),
        };
        out.push(character.ok_or_else(|| Error::Value {
            parameter: parameter.to_owned(),
            reason: "a `\\` stands only before `,`, `|`, `$` or another `\\`".to_owned(),
        })?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{split, unescape};
    use proptest::prelude::*;

    fn check(text: &str, pieces: &[&str]) {
        assert_eq!(split(text, ',').collect::<Vec<_>>(), pieces, "{text}");
    }

    #[test]
    fn an_escaped_separator_separates_nothing() {
        check("", &[""]);
        check("a,b", &["a", "b"]);
        check("a\\,b", &["a\\,b"]);
        check("a\\\\,b", &["a\\\\", "b"]);
        check(",é,", &["", "é", ""]);
        check("a\\", &["a\\"]);
    }

    #[test]
    fn only_the_escapes_of_the_standard_are_known() {
        assert_eq!(unescape("a\\,\\|\\$\\\\b", "x"), Ok("a,|$\\b".to_owned()));
        assert!(unescape("a\\b", "x").is_err());
        assert!(unescape("a\\", "x").is_err());
    }

    proptest! {
        #[test]
        fn splitting_loses_nothing(text in "[a,|\\\\é]{0,12}") {
            prop_assert_eq!(split(&text, ',').collect::<Vec<_>>().join(","), text);
        }

        #[test]
        fn what_was_escaped_comes_back(text in ".{0,12}") {
            let escaped: String = text.chars().flat_map(|character| {
                let slash = matches!(character, ',' | '|' | '$' | '\\').then_some('\\');
                slash.into_iter().chain([character])
            }).collect();
            prop_assert_eq!(split(&escaped, ',').count(), 1);
            prop_assert_eq!(unescape(&escaped, "x"), Ok(text));
        }
    }
}
