//! Why a search is refused.

/// What a caller can mend. Texts that it sent are shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `known` begins with what was probably meant.
    #[error("unknown parameter `{name}`; {resource} has: {known}")]
    UnknownParameter { resource: &'static str, name: String, known: String },
    /// It was defined here, and not all resources have their entries yet.
    #[error(
        "`{name}` of {resource} is being indexed and cannot be searched by yet; $reindex says how far it is"
    )]
    NotReady { resource: &'static str, name: String },
    /// FHIR knows it, this server does not.
    #[error("{what} is not supported yet; {instead}")]
    NotSupported { what: String, instead: String },
    #[error("`{parameter}`: {reason}")]
    Value { parameter: String, reason: String },
    #[error("{what}: at most {max} are accepted")]
    TooMany { what: String, max: usize },
    #[error("the resource has no type that can be searched")]
    UnknownType,
}

impl Error {
    /// Whether the search would be right on another server.
    pub fn is_unsupported(&self) -> bool {
        match self {
            Error::UnknownParameter { .. }
            | Error::NotSupported { .. }
            | Error::NotReady { .. } => true,
            Error::Value { .. } | Error::TooMany { .. } | Error::UnknownType => false,
        }
    }
}

/// What a caller sent, fit for a message: short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LENGTH_MAX: usize = 64;
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut shown: String = text.chars().take(LENGTH_MAX).map(clean).collect();
    if text.chars().nth(LENGTH_MAX).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_is_shown_is_short() {
        assert_eq!(shown("a\u{0}b"), "a b");
        assert_eq!(shown(&"é".repeat(65)), format!("{}…", "é".repeat(64)));
    }
}
