//! OperationOutcome: what is wrong, where, and what would be right (operationoutcome.html).

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
    Information,
}

/// The codes of <http://hl7.org/fhir/issue-type> that this server uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Structure,
    Required,
    Value,
    Invariant,
    CodeInvalid,
    NotSupported,
    Invalid,
    Duplicate,
    MultipleMatches,
    NotFound,
    Deleted,
    TooLong,
    TooCostly,
    BusinessRule,
    Conflict,
    Forbidden,
    Login,
    Transient,
    Timeout,
    Throttled,
    Exception,
    Informational,
}

/// One entry of an OperationOutcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub severity: Severity,
    pub code: Code,
    /// Lower case, no full stop: what is wrong and what would be right.
    pub text: String,
    /// A FHIRPath to the element, as `Patient.name[0].family`.
    pub expression: Option<String>,
}

impl Issue {
    pub fn error(code: Code, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Error, code, text: text.into(), expression: None }
    }

    pub fn warning(code: Code, text: impl Into<String>) -> Issue {
        Issue { severity: Severity::Warning, code, text: text.into(), expression: None }
    }

    pub fn information(text: impl Into<String>) -> Issue {
        let severity = Severity::Information;
        Issue { severity, code: Code::Informational, text: text.into(), expression: None }
    }

    pub fn at(mut self, expression: impl Into<String>) -> Issue {
        self.expression = Some(expression.into());
        self
    }
}

/// The resource.
pub fn resource(issues: &[Issue]) -> Value {
    let issues: Vec<Value> = issues
        .iter()
        .map(|issue| {
            let mut entry = json!({
                "severity": issue.severity.code(),
                "code": issue.code.code(),
                "diagnostics": issue.text,
            });
            if let Some(expression) = &issue.expression {
                entry["expression"] = json!([expression]);
            }
            entry
        })
        .collect();
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

impl Severity {
    pub fn code(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

impl Code {
    pub fn code(self) -> &'static str {
        match self {
            Code::Structure => "structure",
            Code::Required => "required",
            Code::Value => "value",
            Code::Invariant => "invariant",
            Code::CodeInvalid => "code-invalid",
            Code::NotSupported => "not-supported",
            Code::Invalid => "invalid",
            Code::Duplicate => "duplicate",
            Code::MultipleMatches => "multiple-matches",
            Code::NotFound => "not-found",
            Code::Deleted => "deleted",
            Code::TooLong => "too-long",
            Code::TooCostly => "too-costly",
            Code::BusinessRule => "business-rule",
            Code::Conflict => "conflict",
            Code::Forbidden => "forbidden",
            Code::Login => "login",
            Code::Transient => "transient",
            Code::Timeout => "timeout",
            Code::Throttled => "throttled",
            Code::Exception => "exception",
            Code::Informational => "informational",
        }
    }
}
