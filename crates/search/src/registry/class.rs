//! Which parameters have values that many resources share.
//!
//! Their keys are kept out of the index, which they would only make large: they are read along a walk in the order of the
//! version key.

use crate::program::{Program, Walk};

/// Codeable concepts and URLs with a handful of values.
const DOMINANT: [&str; 22] = [
    "_profile",
    "_security",
    "_source",
    "_tag",
    "appointment-type",
    "category",
    "class",
    "clinical-status",
    "confidentiality",
    "context-type",
    "empty-reason",
    "jurisdiction",
    "language",
    "lifecycle-status",
    "priority",
    "service-category",
    "severity",
    "special-arrangement",
    "status",
    "type-of-care",
    "use",
    "verification-status",
];

pub(super) fn is_dominant(code: &str, program: &Program) -> bool {
    let is_enumerated = |walk: &Walk| matches!(walk.end.kind, "code" | "boolean");
    match program {
        Program::Truth(_) => true,
        Program::Values(walks) => {
            DOMINANT.contains(&code) || (!walks.is_empty() && walks.iter().all(is_enumerated))
        }
    }
}
