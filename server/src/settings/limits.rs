//! Bounds on what comes in and goes out.

use super::database::count;
use super::source::{Error, Source};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Limits {
    pub body_bytes_max: usize,
    /// How long a client may take to send a request.
    pub request_timeout: Duration,
    pub bundle_entries_max: usize,
    pub json: fhir::json::Limits,
    pub page_size_default: u32,
    pub page_size_max: u32,
    /// How long an answer is kept for retries with its Idempotency-Key.
    pub idempotency_age: Duration,
}

pub(super) fn read(source: &Source) -> Result<Limits, Error> {
    let narrow = |variable, low, high| {
        Ok::<_, Error>(u32::try_from(source.number(variable, low, high)?).unwrap_or(u32::MAX))
    };
    Ok(Limits {
        body_bytes_max: count(source.number("BUND_BODY_BYTES_MAX", 1_024, 256 << 20)?),
        request_timeout: Duration::from_millis(source.number(
            "BUND_REQUEST_TIMEOUT_MS",
            100,
            3_600_000,
        )?),
        bundle_entries_max: count(source.number("BUND_BUNDLE_ENTRIES_MAX", 1, 100_000)?),
        json: fhir::json::Limits {
            depth_max: narrow("BUND_JSON_DEPTH_MAX", 16, 120)?,
            ..fhir::json::Limits::default()
        },
        page_size_default: narrow("BUND_PAGE_SIZE_DEFAULT", 1, 10_000)?,
        page_size_max: narrow("BUND_PAGE_SIZE_MAX", 1, 10_000)?,
        idempotency_age: Duration::from_secs(
            source.number("BUND_IDEMPOTENCY_HOURS", 1, 8_760)? * 3_600,
        ),
    })
}
