//! Where settings come from, and the list of all there are.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the settings file {path} cannot be read: {reason}")]
    File { path: String, reason: String },
    #[error("unknown setting `{key}` in the settings file; the settings are: {known}")]
    Unknown { key: String, known: String },
    #[error("{variable}: {reason}")]
    Value { variable: &'static str, reason: String },
    #[error("{variable} is not set: {reason}")]
    Missing { variable: &'static str, reason: &'static str },
}

/// One setting: its variable, its key in the file (`database.url`), its default.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    pub variable: &'static str,
    pub key: &'static str,
    pub default: Option<&'static str>,
}

const fn name(variable: &'static str, key: &'static str, default: Option<&'static str>) -> Name {
    Name { variable, key, default }
}

/// All settings, in the order of docs/settings.md.
pub static NAMES: [Name; 45] = [
    name("BUND_DATABASE_URL", "database.url", None),
    name("BUND_DATABASE_CONNECTIONS_MAX", "database.connections_max", Some("16")),
    name("BUND_DATABASE_AUDIT_CONNECTIONS", "database.audit_connections", Some("2")),
    name("BUND_DATABASE_WAIT_TIMEOUT_MS", "database.wait_timeout_ms", Some("5000")),
    name("BUND_DATABASE_STATEMENT_TIMEOUT_MS", "database.statement_timeout_ms", Some("30000")),
    name("BUND_DATABASE_WALK_TIMEOUT_MS", "database.walk_timeout_ms", Some("5000")),
    name("BUND_LISTEN", "service.listen", Some("127.0.0.1:8080")),
    name("BUND_BASE_URL", "service.base_url", None),
    name("BUND_HOSPITAL", "service.hospital", Some("local")),
    name("BUND_TIME_ZONE", "service.time_zone", Some("Asia/Shanghai")),
    name("BUND_CONDITIONAL_DELETE", "service.conditional_delete", Some("single")),
    name("BUND_REQUIRE_IF_MATCH", "service.require_if_match", Some("false")),
    name("BUND_LOG", "service.log", Some("info")),
    name("BUND_LOG_FORMAT", "service.log_format", Some("text")),
    name("BUND_DRAIN_TIMEOUT_MS", "service.drain_timeout_ms", Some("25000")),
    name("BUND_WORKERS", "service.workers", None),
    name("BUND_BODY_BYTES_MAX", "limits.body_bytes_max", Some("33554432")),
    name("BUND_REQUEST_TIMEOUT_MS", "limits.request_timeout_ms", Some("30000")),
    name("BUND_BUNDLE_ENTRIES_MAX", "limits.bundle_entries_max", Some("5000")),
    name("BUND_JSON_DEPTH_MAX", "limits.json_depth_max", Some("100")),
    name("BUND_PAGE_SIZE_DEFAULT", "limits.page_size_default", Some("50")),
    name("BUND_PAGE_SIZE_MAX", "limits.page_size_max", Some("1000")),
    name("BUND_IDEMPOTENCY_HOURS", "limits.idempotency_hours", Some("168")),
    name("BUND_RATE_PRINCIPAL", "traffic.rate_principal", Some("200")),
    name("BUND_RATE_CLIENT", "traffic.rate_client", Some("1000")),
    name("BUND_RATE_HOSPITAL", "traffic.rate_hospital", Some("2000")),
    name("BUND_RATE_ADDRESS", "traffic.rate_address", Some("100")),
    name("BUND_RATE_BURST_SECONDS", "traffic.rate_burst_seconds", Some("5")),
    name("BUND_QUEUE_MAX", "traffic.queue_max", Some("256")),
    name("BUND_CONNECTIONS_MAX", "traffic.connections_max", Some("10000")),
    name("BUND_FORWARDED_HEADER", "traffic.forwarded_header", Some("x-forwarded-for")),
    name("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "identity.allow_http_loopback", Some("false")),
    name("BUND_IDENTITY_CA_FILE", "identity.ca_file", None),
    name("BUND_TRUSTED_PROXIES", "identity.trusted_proxies", Some("")),
    name("BUND_CLIENT_CERTIFICATE_HEADER", "identity.client_certificate_header", None),
    name("BUND_REGISTRY_APPROVERS", "identity.registry_approvers", Some("2")),
    name("BUND_SECRETS_DIR", "identity.secrets_dir", None),
    name("BUND_CONSENT_POLICY", "sharing.consent_policy", Some("basic-normal")),
    name("BUND_BREAK_GLASS_HOURS", "sharing.break_glass_hours", Some("4")),
    name("BUND_AUDIT_KEY_FILE", "audit.key_file", None),
    name("BUND_AUDIT_RETENTION_DAYS", "audit.retention_days", Some("5479")),
    name("BUND_METRICS_LISTEN", "telemetry.metrics_listen", None),
    name("BUND_OTLP_ENDPOINT", "telemetry.otlp_endpoint", None),
    name("BUND_OTLP_SAMPLE_RATIO", "telemetry.otlp_sample_ratio", Some("0.01")),
    name("BUND_SERVICE_NAME", "telemetry.service_name", Some("bund")),
];

/// Values by key, the variables already laid over the file.
#[derive(Debug, Default)]
pub struct Source {
    values: BTreeMap<&'static str, String>,
}

impl Source {
    /// Reads the file, if one is named, and asks `variable` for each `BUND_*` variable.
    pub fn read(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Source, Error> {
        let mut source = Source::default();
        if let Some(path) = file {
            let failure = |reason: String| Error::File { path: path.display().to_string(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
            source.add_file(&text).map_err(|error| match error {
                Error::File { reason, .. } => failure(reason),
                other => other,
            })?;
        }
        for name in &NAMES {
            if let Some(value) = variable(name.variable) {
                source.values.insert(name.key, value);
            }
        }
        Ok(source)
    }

    fn add_file(&mut self, text: &str) -> Result<(), Error> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Error::File {
            path: String::new(),
            reason: error.to_string(),
        })?;
        for (section, value) in &table {
            let Some(entries) = value.as_table() else { return Err(unknown(section)) };
            for (key, value) in entries {
                let key = format!("{section}.{key}");
                let name =
                    NAMES.iter().find(|name| name.key == key).ok_or_else(|| unknown(&key))?;
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.values.insert(name.key, text);
            }
        }
        Ok(())
    }

    /// The value, the default, or nothing.
    pub(super) fn find<T>(&self, variable: &'static str) -> Result<Option<T>, Error>
    where
        T: FromStr<Err: Display>,
    {
        let name = NAMES.iter().find(|name| name.variable == variable);
        let text =
            name.and_then(|name| self.values.get(name.key).map(String::as_str).or(name.default));
        text.map(str::parse)
            .transpose()
            .map_err(|error: T::Err| Error::Value { variable, reason: error.to_string() })
    }

    pub(super) fn get<T>(&self, variable: &'static str) -> Result<T, Error>
    where
        T: FromStr<Err: Display>,
    {
        self.find(variable)?.ok_or(Error::Missing { variable, reason: "it has no default" })
    }

    /// A number between two bounds, both included.
    pub(super) fn number(&self, variable: &'static str, low: u64, high: u64) -> Result<u64, Error> {
        let number: u64 = self.get(variable)?;
        if (low..=high).contains(&number) {
            Ok(number)
        } else {
            Err(Error::Value {
                variable,
                reason: format!("{number} is not between {low} and {high}"),
            })
        }
    }
}

fn unknown(key: &str) -> Error {
    let known: Vec<&str> = NAMES.iter().map(|name| name.key).collect();
    Error::Unknown { key: key.to_owned(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn variables_win_over_the_file_and_the_file_over_defaults() {
        let mut source = Source::default();
        source.add_file("[limits]\npage_size_max = 10\n[service]\nhospital = \"h1\"").unwrap();
        assert_eq!(source.number("BUND_PAGE_SIZE_MAX", 1, 100).unwrap(), 10);
        source.values.insert("limits.page_size_max", "20".to_owned());
        assert_eq!(source.number("BUND_PAGE_SIZE_MAX", 1, 100).unwrap(), 20);
        assert_eq!(source.number("BUND_PAGE_SIZE_DEFAULT", 1, 100).unwrap(), 50);
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        let error = Source::default().add_file("[limits]\npage_size = 10").unwrap_err();
        assert!(error.to_string().starts_with("unknown setting `limits.page_size`"), "{error}");
    }

    #[test]
    fn a_value_out_of_bounds_is_named() {
        let mut source = Source::default();
        source.add_file("[limits]\npage_size_max = 0").unwrap();
        let error = source.number("BUND_PAGE_SIZE_MAX", 1, 100).unwrap_err();
        assert_eq!(error.to_string(), "BUND_PAGE_SIZE_MAX: 0 is not between 1 and 100");
    }
}
