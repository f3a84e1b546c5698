//! The `Prefer` header (http.html#ops, search.html#errors).

/// What the answer to a change contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Return {
    Minimal,
    #[default]
    Representation,
    OperationOutcome,
}

/// What an unknown search parameter means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Handling {
    Strict,
    #[default]
    Lenient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Preferences {
    pub r#return: Return,
    pub handling: Handling,
}

impl Preferences {
    /// Preferences that are not known are ignored, as RFC 7240 asks.
    pub fn parse(text: &str) -> Preferences {
        let mut preferences = Preferences::default();
        for part in text.split([',', ';']) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match (name.trim().to_ascii_lowercase().as_str(), value) {
                ("return", "minimal") => preferences.r#return = Return::Minimal,
                ("return", "representation") => preferences.r#return = Return::Representation,
                ("return", "OperationOutcome") => preferences.r#return = Return::OperationOutcome,
                ("handling", "strict") => preferences.handling = Handling::Strict,
                ("handling", "lenient") => preferences.handling = Handling::Lenient,
                _ => {}
            }
        }
        preferences
    }
}

#[cfg(test)]
mod tests {
    use super::{Handling, Preferences, Return};

    #[test]
    fn several_preferences_in_one_header() {
        let found = Preferences::parse("return=minimal; handling=strict, respond-async");
        assert_eq!(found, Preferences { r#return: Return::Minimal, handling: Handling::Strict });
        assert_eq!(Preferences::parse("return=everything"), Preferences::default());
    }
}
