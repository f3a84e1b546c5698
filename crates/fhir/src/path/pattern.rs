//! Regular expressions of `matches` and `replaceMatches`: those written in the expression are compiled once.

use super::Error;
use regex::{Regex, RegexBuilder};
use std::sync::OnceLock;

/// Bytes of a compiled pattern: enough for those of the standard, with their counted repetitions.
const COMPILED_BYTES_MAX: usize = 1 << 20;
const TEXT_BYTES_MAX: usize = 10_000;

/// A literal pattern; compiled when it is first used.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    partial: OnceLock<Option<Regex>>,
    full: OnceLock<Option<Regex>>,
}

/// Whether a match may be a part of the text or has to be all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Partial,
    Full,
}

impl Pattern {
    pub(super) fn new(text: Box<str>) -> Pattern {
        Pattern { text, partial: OnceLock::new(), full: OnceLock::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn regex(&self, extent: Extent) -> Result<&Regex, Error> {
        let cell = match extent {
            Extent::Partial => &self.partial,
            Extent::Full => &self.full,
        };
        cell.get_or_init(|| compile(&self.text, extent).ok())
            .as_ref()
            .ok_or_else(|| invalid(&self.text))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

fn invalid(text: &str) -> Error {
    let start: String = text.chars().take(40).collect();
    Error::evaluation(format!("`{start}` is no regular expression that is understood here"))
}

/// A dot is any character, the end of a line too (FHIRPath section 5.6.9).
pub(super) fn compile(text: &str, extent: Extent) -> Result<Regex, Error> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(invalid(text));
    }
    let pattern = match extent {
        Extent::Partial => text.to_owned(),
        Extent::Full => format!("^(?:{text})$"),
    };
    RegexBuilder::new(&pattern)
        .dot_matches_new_line(true)
        .size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|_| invalid(text))
}

#[cfg(test)]
mod tests {
    use super::{Extent, compile};

    /// An engine that tries one way after the other would not come back from these.
    #[test]
    fn dos_06_patterns_take_time_in_proportion_to_the_text() {
        let text = format!("{}!", "a".repeat(50_000));
        for pattern in ["(a+)+", "(a|aa)+", "(a|a)*b", "(.*a){20}", "([a-zA-Z]+)*"] {
            let regex = compile(pattern, Extent::Full).unwrap();
            assert!(!regex.is_match(&text), "{pattern}");
        }
    }

    #[test]
    fn dos_06_patterns_that_grow_when_compiled_are_refused() {
        for pattern in ["((a{100}){100}){100}", "(\\p{L}{500}){500}"] {
            assert!(compile(pattern, Extent::Partial).is_err(), "{pattern}");
        }
        assert!(compile(&"a".repeat(10_001), Extent::Partial).is_err());
        // What looks behind or ahead cannot be had in linear time, and is not understood.
        assert!(compile("(a)\\1", Extent::Partial).is_err());
    }
}
