//! How the trail is sealed, and how long it stays.

use super::source::{Error, Source};
use std::path::PathBuf;

#[derive(Clone, Debug)]
pub struct Audit {
    /// The key that heads are signed with; without it the database keeps one.
    pub key_file: Option<PathBuf>,
    /// Younger records are not archived.
    pub retention_days: u64,
}

/// Logs are kept for six months at least (网络安全法, article 21).
const RETENTION_DAYS_MIN: u64 = 180;
const RETENTION_DAYS_MAX: u64 = 36_525;

pub(super) fn read(source: &Source) -> Result<Audit, Error> {
    let variable = "BUND_AUDIT_RETENTION_DAYS";
    let days: u64 = source.get(variable)?;
    if days < RETENTION_DAYS_MIN {
        let reason = format!(
            "{days} days are too few: the law asks to keep records of access for {RETENTION_DAYS_MIN} days at least"
        );
        return Err(Error::Value { variable, reason });
    }
    if days > RETENTION_DAYS_MAX {
        let reason = format!("{days} days are more than {RETENTION_DAYS_MAX}, a hundred years");
        return Err(Error::Value { variable, reason });
    }
    Ok(Audit { key_file: source.find("BUND_AUDIT_KEY_FILE")?, retention_days: days })
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::read;

    fn days(text: &str) -> Result<u64, String> {
        let given = |name: &str| (name == "BUND_AUDIT_RETENTION_DAYS").then(|| text.to_owned());
        let source = Source::read(None, given).unwrap();
        read(&source).map(|audit| audit.retention_days).map_err(|error| error.to_string())
    }

    #[test]
    fn law_01_a_retention_below_180_days_is_refused() {
        assert_eq!(days("180"), Ok(180));
        for few in ["0", "1", "179"] {
            let error = days(few).unwrap_err();
            assert!(
                error.starts_with("BUND_AUDIT_RETENTION_DAYS: ") && error.contains("180"),
                "{error}"
            );
        }
        assert!(days("40000").is_err() && days("-1").is_err());
        let source = Source::read(None, |_| None).unwrap();
        assert_eq!(read(&source).unwrap().retention_days, 5_479);
    }
}
