//! Why a query is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("unknown parameter `{name}`; {resource} has: {known}")]
    UnknownParameter { resource: &'static str, name: String, known: String },
    #[error("{0}")]
    NotSupported(String),
    #[error("{parameter}: {reason}")]
    Value { parameter: String, reason: String },
    #[error("too many {what}: {found}, at most {most}")]
    TooMany { what: &'static str, found: usize, most: usize },
}

impl Error {
    /// Known to the specification, not to this server yet.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Error::NotSupported(_) | Error::UnknownParameter { .. })
    }

    pub(crate) fn value(parameter: &str, reason: impl Into<String>) -> Error {
        Error::Value { parameter: parameter.to_owned(), reason: reason.into() }
    }
}
