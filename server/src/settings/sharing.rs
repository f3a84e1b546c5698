//! What hospitals see of each other's records.

use super::source::{Error, Source};
use access::Policy;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Sharing {
    /// What holds for patients of whom no consent is on file.
    pub policy: Policy,
    /// How long a record is open that was opened in an emergency.
    pub break_glass: Duration,
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
    let hours: u64 = source.get("BUND_BREAK_GLASS_HOURS")?;
    if !(1..=24).contains(&hours) {
        let reason = format!("{hours} is not between 1 and 24 hours");
        return Err(Error::Value { variable: "BUND_BREAK_GLASS_HOURS", reason });
    }
    Ok(Sharing { policy, break_glass: Duration::from_secs(hours * 3_600) })
}
