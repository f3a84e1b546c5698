//! How the program serves: address, hospital, time zone, behaviour the specification leaves to the server, logs.

use super::database::count;
use super::source::{Error, Source};
use jiff::tz::TimeZone;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Service {
    pub listen: SocketAddr,
    /// What clients call this server, without a slash at the end: `https://hub.example.org/fhir`.
    pub base_url: String,
    /// The code of the hospital that is the custodian of what this server writes.
    pub hospital: String,
    /// What a date without an offset means in a search.
    pub time_zone: TimeZone,
    pub conditional_delete: ConditionalDelete,
    /// Whether an update of an existing resource must carry If-Match (428 otherwise).
    pub require_if_match: bool,
    pub log: String,
    pub log_format: LogFormat,
    /// How long requests in progress may take after SIGTERM.
    pub drain_timeout: Duration,
    pub workers: usize,
}

/// What a conditional delete does when several resources match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionalDelete {
    /// Refuses with 412.
    Single,
    Multiple,
}

impl FromStr for ConditionalDelete {
    type Err = String;

    fn from_str(text: &str) -> Result<ConditionalDelete, String> {
        match text {
            "single" => Ok(ConditionalDelete::Single),
            "multiple" => Ok(ConditionalDelete::Multiple),
            _ => Err(format!("`{text}` is neither `single` nor `multiple`")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(format!("`{text}` is neither `text` nor `json`")),
        }
    }
}

pub(super) fn read(source: &Source) -> Result<Service, Error> {
    let listen: SocketAddr = source.get("BUND_LISTEN")?;
    let base_url = match source.find::<String>("BUND_BASE_URL")? {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
            url.trim_end_matches('/').to_owned()
        }
        Some(url) => {
            let reason = format!("`{url}` does not begin with http:// or https://");
            return Err(Error::Value { variable: "BUND_BASE_URL", reason });
        }
        None => format!("http://{listen}/fhir"),
    };
    let hospital: String = source.get("BUND_HOSPITAL")?;
    let is_code = |character: char| character.is_ascii_alphanumeric() || "-._".contains(character);
    if hospital.is_empty() || hospital.len() > 64 || !hospital.chars().all(is_code) {
        let reason = "a hospital's code is 1 to 64 letters, digits, `-`, `.` or `_`".to_owned();
        return Err(Error::Value { variable: "BUND_HOSPITAL", reason });
    }
    let zone: String = source.get("BUND_TIME_ZONE")?;
    let time_zone = TimeZone::get(&zone).map_err(|error| Error::Value {
        variable: "BUND_TIME_ZONE",
        reason: format!("{error}; use a name such as Asia/Shanghai"),
    })?;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = match source.find::<u64>("BUND_WORKERS")? {
        Some(_) => count(source.number("BUND_WORKERS", 1, 1_024)?),
        None => cores,
    };
    Ok(Service {
        listen,
        base_url,
        hospital,
        time_zone,
        conditional_delete: source.get("BUND_CONDITIONAL_DELETE")?,
        require_if_match: source.get("BUND_REQUIRE_IF_MATCH")?,
        log: source.get("BUND_LOG")?,
        log_format: source.get("BUND_LOG_FORMAT")?,
        drain_timeout: Duration::from_millis(source.number(
            "BUND_DRAIN_TIMEOUT_MS",
            0,
            3_600_000,
        )?),
        workers,
    })
}
