//! What hospitals see of each other's records.

use super::source::{Error, Source};
use access::Policy;

#[derive(Clone, Debug)]
pub struct Sharing {
    /// What holds for patients of whom no consent is on file.
    pub policy: Policy,
}

pub(super) fn read(source: &Source) -> Result<Sharing, Error> {
    let policy: String = source.get("BUND_CONSENT_POLICY")?;
    let policy = match policy.as_str() {
        "basic-normal" => Policy::BasicNormal,
        "all-normal" => Policy::AllNormal,
        "break-glass-only" => Policy::BreakGlassOnly,
        "deny" => Policy::Deny,
        other => {
            let reason =
                format!("`{other}` is none of basic-normal, all-normal, break-glass-only and deny");
            return Err(Error::Value { variable: "BUND_CONSENT_POLICY", reason });
        }
    };
    Ok(Sharing { policy })
}
