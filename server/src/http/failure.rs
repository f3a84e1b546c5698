//! Errors become a status and an OperationOutcome, here and nowhere else.

use crate::identity::ALGORITHMS;
use fhir::outcome::{Code, Issue};

/// An answer that says no.
#[derive(Clone, Debug)]
pub struct Failure {
    pub status: u16,
    pub issues: Vec<Issue>,
    /// The methods that would have been allowed, for 405.
    pub allow: Option<&'static str>,
    /// What a caller has to show, for 401 and 403 (RFC 6750, section 3).
    pub authenticate: Vec<String>,
    /// Seconds until it is worth trying again, where they are known.
    pub retry_after: Option<u32>,
    /// Whether the audit trail has it.
    pub is_recorded: bool,
}

/// How a token was shown that is not taken (RFC 6750, section 3; RFC 9449, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    Nothing,
    Bearer,
    Proof,
}

/// How long a client should wait before it tries again what failed for want of something.
pub const RETRY_AFTER_SECONDS: u32 = 2;

impl Failure {
    pub fn new(status: u16, code: Code, text: impl Into<String>) -> Failure {
        Failure::of(status, vec![Issue::error(code, text)])
    }

    pub fn of(status: u16, issues: Vec<Issue>) -> Failure {
        Failure {
            status,
            issues,
            allow: None,
            authenticate: Vec::new(),
            retry_after: None,
            is_recorded: false,
        }
    }

    /// The same for every token that is not taken: why is in the log.
    pub fn unauthenticated(tried: Tried) -> Failure {
        let algorithms: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        let proof = format!("algs=\"{}\"", algorithms.join(" "));
        let authenticate = match tried {
            Tried::Nothing => vec!["Bearer".to_owned(), format!("DPoP {proof}")],
            Tried::Bearer => {
                vec!["Bearer error=\"invalid_token\"".to_owned(), format!("DPoP {proof}")]
            }
            Tried::Proof => vec![format!("DPoP error=\"invalid_token\", {proof}")],
        };
        let text = "this needs a valid access token: Authorization: Bearer …";
        Failure { authenticate, ..Failure::new(401, Code::Login, text) }
    }

    /// As who shows tokens with proofs is told what to show instead.
    pub fn of_proof(mut self) -> Failure {
        for challenge in &mut self.authenticate {
            if let Some(rest) = challenge.strip_prefix("Bearer ") {
                *challenge = format!("DPoP {rest}");
            }
        }
        self
    }

    pub fn bad_request(text: impl Into<String>) -> Failure {
        Failure::new(400, Code::Invalid, text)
    }

    pub fn not_supported(text: impl Into<String>) -> Failure {
        Failure::new(400, Code::NotSupported, text)
    }

    pub fn not_found(what: &str) -> Failure {
        Failure::new(404, Code::NotFound, format!("{what} is not known here"))
    }

    pub fn gone(what: &str) -> Failure {
        Failure::new(410, Code::Deleted, format!("{what} was deleted"))
    }

    pub fn precondition(text: impl Into<String>) -> Failure {
        Failure::new(412, Code::Conflict, text)
    }

    pub fn several(criteria: &str, table: &str) -> Failure {
        let text = format!(
            "several resources match {table}?{criteria}; the criteria must match at most one"
        );
        Failure::new(412, Code::MultipleMatches, text)
    }

    pub fn method(allow: &'static str) -> Failure {
        let text = format!("this address takes {allow}");
        Failure { allow: Some(allow), ..Failure::new(405, Code::NotSupported, text) }
    }

    pub fn invalid(issues: Vec<Issue>) -> Failure {
        Failure::of(422, issues)
    }

    /// Says which entry of a bundle the issues are about.
    pub fn in_entry(mut self, index: usize) -> Failure {
        for issue in &mut self.issues {
            let place = format!("Bundle.entry[{index}]");
            let expression = issue.expression.take();
            issue.expression = Some(match expression {
                Some(inside) if inside.starts_with("Bundle.entry[") => inside,
                Some(inside) => match inside.split_once('.') {
                    Some((_, rest)) => format!("{place}.resource.{rest}"),
                    None => format!("{place}.resource"),
                },
                None => place,
            });
        }
        self
    }

    /// Says what would be right.
    pub fn with_advice(mut self, advice: &str) -> Failure {
        if let Some(issue) = self.issues.first_mut() {
            issue.text = format!("{}: {advice}", issue.text);
        }
        self
    }

    pub fn is_too_costly(&self) -> bool {
        self.status == 403 && self.issues.iter().any(|issue| issue.code == Code::TooCostly)
    }

    pub fn is_ours(&self) -> bool {
        self.status >= 500
    }
}

impl From<store::error::Error> for Failure {
    fn from(error: store::error::Error) -> Failure {
        use store::error::Error;
        match &error {
            Error::Contended(_) | Error::Outdated => Failure::new(
                409,
                Code::Conflict,
                "others kept changing the same resources; read them again and retry",
            ),
            Error::Unavailable(_) | Error::Busy | Error::Schema { .. } => {
                metrics::counter!("bund_database_unavailable_total").increment(1);
                tracing::error!(%error, "the database is not available");
                Failure::new(
                    503,
                    Code::Transient,
                    "the database is not available at the moment; try again",
                )
            }
            // search.html#errors: 403 is a server that refuses to perform a search.
            Error::TooCostly => {
                metrics::counter!("bund_costly_searches_total").increment(1);
                Failure::new(
                    403,
                    Code::TooCostly,
                    "no index leads this search, and it would take too long",
                )
            }
            Error::TimedOut => {
                metrics::counter!("bund_statement_timeouts_total").increment(1);
                tracing::error!("a statement took longer than the time-out");
                Failure::new(
                    503,
                    Code::Timeout,
                    "the database took too long; try again or ask for less",
                )
            }
            Error::Mismatch(_)
            | Error::Settings(_)
            | Error::Corrupt(_)
            | Error::Seal(_)
            | Error::Migration(_)
            | Error::Database(_) => {
                tracing::error!(%error, "unexpected database error");
                Failure::new(
                    500,
                    Code::Exception,
                    "something went wrong here; it is in the server's log",
                )
            }
        }
    }
}

impl From<fhir::json::Error> for Failure {
    fn from(error: fhir::json::Error) -> Failure {
        Failure::new(400, Code::Structure, error.to_string())
    }
}

impl From<access::Denied> for Failure {
    fn from(denied: access::Denied) -> Failure {
        let authenticate = match &denied {
            access::Denied::Scope(scope) => {
                Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""))
            }
            // RFC 9470: who logs in again with a second factor may come back.
            access::Denied::Assurance => {
                let challenge =
                    "Bearer error=\"insufficient_user_authentication\", acr_values=\"2\"";
                let failure = Failure::new(401, Code::Login, denied.to_string());
                return Failure { authenticate: vec![challenge.to_owned()], ..failure };
            }
            access::Denied::Role(_)
            | access::Denied::Purpose
            | access::Denied::Policy
            | access::Denied::NoHospital => None,
        };
        let authenticate = authenticate.into_iter().collect();
        Failure { authenticate, ..Failure::new(403, Code::Forbidden, denied.to_string()) }
    }
}
