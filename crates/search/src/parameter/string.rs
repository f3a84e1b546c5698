//! String parameters: a value that starts with the text, whatever its case, accents, punctuation and white space
//! (search.html#string).

use crate::chinese;
use crate::error::Error;
use crate::key::hash;
use crate::program::End;
use crate::query::text::unescape;
use serde_json::Value;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// The types it reads.
pub(crate) const KINDS: [&str; 4] = ["string", "markdown", "HumanName", "Address"];

/// Bytes of a value that are stored, and that a search may ask for: so nothing is cut off that could be asked. An index entry of
/// PostgreSQL has room for 2,704.
pub(crate) const LENGTH_MAX: usize = 2_000;

/// Hands on each text of a value: of a name or an address, each of its parts.
pub(crate) fn each<'a>(value: &'a Value, end: &End, mut visit: impl FnMut(&'a str)) {
    let parts: &[&str] = match end.kind {
        "HumanName" => &["text", "family", "given", "prefix", "suffix"],
        "Address" => &["text", "line", "city", "district", "state", "postalCode", "country"],
        _ => return value.as_str().into_iter().for_each(visit),
    };
    for part in parts {
        match value.get(part) {
            Some(Value::String(text)) => visit(text),
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).for_each(&mut visit)
            }
            Some(_) | None => {}
        }
    }
}

/// Lower case, without accents, punctuation and superfluous white space; compatibility forms such as full width as the plain
/// ones, traditional characters as simplified ones. Control characters are dropped, so the text fits into PostgreSQL.
pub(crate) fn normalise(text: &str) -> String {
    Normalised::new(text).text
}

struct Normalised {
    text: String,
    /// No more is added, lest a short character take the place of a long one that had none.
    is_full: bool,
    is_spaced: bool,
}

impl Normalised {
    fn new(text: &str) -> Normalised {
        let capacity = text.len().min(LENGTH_MAX);
        let mut out =
            Normalised { text: String::with_capacity(capacity), is_full: false, is_spaced: false };
        // What is dropped is dropped before composing, so that what becomes neighbours is composed too.
        if text.is_ascii() {
            let letters = text.chars().filter(|character| !is_dropped(*character));
            out.extend(letters.map(|character| character.to_ascii_lowercase()));
        } else {
            let letters = text.nfkd().filter(|character| !is_dropped(*character));
            out.extend(letters.flat_map(char::to_lowercase).nfc());
            if let Cow::Owned(simplified) = chinese::fold(&out.text) {
                out.text = simplified;
            }
        }
        out
    }

    fn extend(&mut self, characters: impl Iterator<Item = char>) {
        for character in characters {
            if self.is_full {
                break;
            }
            self.push(character);
        }
    }

    fn push(&mut self, character: char) {
        if character.is_whitespace() {
            self.is_spaced = true;
            return;
        }
        if self.is_spaced && !self.text.is_empty() {
            self.add(' ');
        }
        self.is_spaced = false;
        match character {
            'ß' => {
                self.add('s');
                self.add('s');
            }
            'ς' => self.add('σ'),
            _ => self.add(character),
        }
    }

    fn add(&mut self, character: char) {
        self.is_full |= self.text.len() + character.len_utf8() > LENGTH_MAX;
        if !self.is_full {
            self.text.push(character);
        }
    }
}

fn is_dropped(character: char) -> bool {
    is_punctuation(character)
        || is_accent(character)
        || (character.is_control() && !character.is_whitespace())
}

/// The marks of Latin, Greek and Cyrillic; those of other scripts tell words apart.
fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{1dc0}'..='\u{1dff}')
}

fn is_punctuation(character: char) -> bool {
    match character {
        '!' | '"' | '#' | '%' | '&' | '\'' | '(' | ')' | '*' | ',' | '-' | '.' | '/' | ':'
        | ';' | '?' | '@' | '[' | '\\' | ']' | '_' | '{' | '}' => true,
        // The middle dot of names, general punctuation, the marks of Chinese and Japanese.
        '\u{b7}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' => true,
        '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}' | '\u{30fb}' => true,
        _ => false,
    }
}

/// What sets a text apart from all others, case and accents included (`:exact`).
pub(crate) fn exact(text: &str) -> i64 {
    hash(text.as_bytes())
}

/// Of a spelling that nobody wrote.
pub(crate) const NOT_WRITTEN: i64 = 0;

/// What a text is stored as: as it is written, and a name as it may be spelt otherwise: without spaces, in pinyin, by initials.
fn spellings(text: &str, is_name: bool, mut visit: impl FnMut(String, i64)) {
    let plain = normalise(text);
    if plain.is_empty() {
        return;
    }
    if is_name {
        for other in unspaced(&plain).into_iter().chain(latin(&plain)) {
            visit(other, NOT_WRITTEN);
        }
    }
    visit(plain, exact(text));
}

/// Hands on all that a value is found by: each of its texts with its spellings, and of a name without a text the whole of it, in
/// either order.
pub(crate) fn each_spelling(
    value: &Value,
    end: &End,
    is_name: bool,
    mut visit: impl FnMut(String, i64),
) {
    each(value, end, |text| spellings(text, is_name, &mut visit));
    if end.kind != "HumanName" || value.get("text").is_some() {
        return;
    }
    let given = value.get("given").and_then(Value::as_array);
    let given: Vec<&str> = given.into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(family) = value.get("family").and_then(Value::as_str) else { return };
    if given.is_empty() {
        return;
    }
    let given = given.join(" ");
    // Chinese names have one order, and no space.
    let wholes = match chinese::has_han(family) {
        true => vec![format!("{family}{given}")],
        false => vec![format!("{family} {given}"), format!("{given} {family}")],
    };
    for whole in wholes {
        spellings(&whole, is_name, |spelling, _| visit(spelling, NOT_WRITTEN));
    }
}

fn unspaced(text: &str) -> Option<String> {
    text.contains(' ').then(|| text.replace(' ', ""))
}

fn latin(text: &str) -> Vec<String> {
    if !chinese::has_han(text) {
        return Vec::new();
    }
    let mut spellings = chinese::readings(text);
    spellings.extend(chinese::initials(text));
    spellings
}

/// What puts a value in order: Chinese by pinyin, a name as a whole, of an address each of its parts.
pub(crate) fn sort_keys(value: &Value, end: &End, mut visit: impl FnMut(String)) {
    let mut key = |text: &str| {
        let plain = normalise(text);
        visit(if chinese::has_han(&plain) { chinese::sort_key(&plain) } else { plain });
    };
    if end.kind != "HumanName" {
        return each(value, end, key);
    }
    let mut parts = Vec::new();
    each(value, end, |text| parts.push(text));
    match (value.get("text").is_some(), parts.first()) {
        (true, Some(text)) => key(text),
        (false, Some(_)) => key(&parts.join(" ")),
        (_, None) => {}
    }
}

/// How a text is compared with what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Starts,
    Contains,
    Ends,
    /// The whole of it, as texts are compared otherwise.
    Whole,
    /// Letter for letter, the whole of it.
    Exact,
}

/// A text that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) how: How,
    /// Normalised.
    pub(crate) text: String,
    pub(crate) exact: i64,
}

impl Wanted {
    /// One or more, of which one has to match: a name is also asked for without its spaces.
    pub(crate) fn parse(
        text: &str,
        parameter: &str,
        how: How,
        is_name: bool,
    ) -> Result<Vec<Wanted>, Error> {
        match how {
            How::Starts | How::Contains | How::Ends | How::Whole => {
                let text = parse(text, parameter)?;
                let unspaced = if is_name { unspaced(&text) } else { None };
                let texts = [Some(text), unspaced].into_iter().flatten();
                Ok(texts.map(|text| Wanted { how, text, exact: NOT_WRITTEN }).collect())
            }
            How::Exact => {
                let text = unescape(text, parameter)?;
                Ok(vec![Wanted { how, exact: exact(&text), text: normalise(&text) }])
            }
        }
    }

    /// Of a stored text.
    pub(crate) fn matches(&self, text: &str, exact: i64) -> bool {
        match self.how {
            How::Starts => text.starts_with(&self.text),
            How::Contains => text.contains(&self.text),
            How::Ends => text.ends_with(&self.text),
            How::Whole => text == self.text,
            How::Exact => text == self.text && exact == self.exact,
        }
    }
}

/// The normalised start of what is wanted.
pub(crate) fn parse(text: &str, parameter: &str) -> Result<String, Error> {
    let refuse = |reason: String| Error::Value { parameter: parameter.to_owned(), reason };
    let text = unescape(text, parameter)?;
    let wanted = Normalised::new(&text);
    if wanted.is_full {
        let reason = format!("a text of more than {LENGTH_MAX} bytes cannot be searched for");
        return Err(refuse(reason));
    }
    if wanted.text.is_empty() {
        return Err(refuse("there is nothing but punctuation to search for".to_owned()));
    }
    Ok(wanted.text)
}

/// The first text after all that start with `prefix`, in the order of code points; none when there is no such text.
pub(crate) fn upper_bound(prefix: &str) -> Option<String> {
    let mut bound = prefix.to_owned();
    while let Some(last) = bound.pop() {
        if let Some(next) = successor(last) {
            bound.push(next);
            return Some(bound);
        }
    }
    None
}

fn successor(character: char) -> Option<char> {
    match character {
        // The surrogates that follow are no characters.
        '\u{d7ff}' => Some('\u{e000}'),
        _ => u32::from(character).checked_add(1).and_then(char::from_u32),
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTH_MAX, each, normalise, parse, upper_bound};
    use crate::program::End;
    use proptest::prelude::*;
    use serde_json::json;

    fn check(text: &str, expected: &str) {
        assert_eq!(normalise(text), expected);
    }

    #[test]
    fn case_accents_punctuation_and_space_make_no_difference() {
        check("  Ann-Marie \t O'Brien\n", "annmarie obrien");
        check("Müller", "muller");
        check("Mu\u{308}ller", "muller");
        check("STRAẞE Straße", "strasse strasse");
        check("Ὀδυσσεύς", "οδυσσευσ");
        check("Ёлкин", "елкин");
        check("Ａｎｎ　２", "ann 2");
        check("王小明", "王小明");
        check("阿·买提", "阿买提");
        check("각", "각");
        check("が", "が");
        check("a\u{0}b\u{7f}", "ab");
        check("...", "");
    }

    #[test]
    fn every_part_of_a_name_is_found() {
        let name =
            json!({ "use": "official", "family": "A", "given": ["B", null, "C"], "period": {} });
        let mut found = Vec::new();
        each(&name, &End { kind: "HumanName", targets: &[], binding: None }, |text| {
            found.push(text)
        });
        assert_eq!(found, ["A", "B", "C"]);
    }

    #[test]
    fn a_wanted_text_has_bounds() {
        assert_eq!(parse("Ann\\,", "name"), Ok("ann".to_owned()));
        assert!(parse("--", "name").is_err());
        assert!(parse(&"a".repeat(LENGTH_MAX), "name").is_ok());
        assert!(parse(&"a".repeat(LENGTH_MAX + 1), "name").is_err());
        assert!(parse(&"ﷺ".repeat(70), "name").is_err());
    }

    #[test]
    fn the_upper_bound_is_the_next_text() {
        assert_eq!(upper_bound("ab"), Some("ac".to_owned()));
        assert_eq!(upper_bound("a\u{d7ff}"), Some("a\u{e000}".to_owned()));
        assert_eq!(upper_bound("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(upper_bound("\u{10ffff}"), None);
        assert_eq!(upper_bound("~"), Some("\u{7f}".to_owned()));
    }

    #[test]
    fn a_long_value_is_found_by_whatever_may_be_asked() {
        let value = "a".to_owned() + &"王".repeat(LENGTH_MAX);
        let stored = normalise(&value);
        assert!((LENGTH_MAX - 2..=LENGTH_MAX).contains(&stored.len()));
        assert_eq!(parse(&stored, "name"), Ok(stored.clone()));
        assert!(parse(&format!("{stored}王"), "name").is_err());
    }

    proptest! {
        #[test]
        fn what_starts_with_a_text_is_between_its_bounds(prefix in ".{1,3}", rest in ".{0,3}", other in ".{0,4}") {
            let upper = upper_bound(&prefix);
            let is_between = |text: &str| {
                text >= prefix.as_str() && upper.as_deref().is_none_or(|upper| text < upper)
            };
            let starting = format!("{prefix}{rest}");
            prop_assert!(is_between(&starting));
            prop_assert_eq!(is_between(&other), other.starts_with(&prefix));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in ".{0,40}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(&once), once);
        }
    }
}
