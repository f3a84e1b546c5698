//! What the program tells about itself while it runs.

use super::source::{Error, Source};
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Where figures and health are served, and figures nowhere else.
    pub metrics_listen: Option<SocketAddr>,
    /// An OTLP collector, without a slash at the end.
    pub otlp_endpoint: Option<String>,
    /// Of requests that come without a trace.
    pub otlp_sample_ratio: f64,
    pub service_name: String,
}

pub(super) fn read(source: &Source) -> Result<Telemetry, Error> {
    let refuse = |variable, reason: &str| Error::Value { variable, reason: reason.to_owned() };
    let endpoint: Option<String> = source.find("BUND_OTLP_ENDPOINT")?;
    if let Some(endpoint) = &endpoint
        && (!endpoint.starts_with("http://") || endpoint.len() <= "http://".len())
    {
        let reason =
            "an address such as http://collector:4318; TLS to the collector is not supported yet";
        return Err(refuse("BUND_OTLP_ENDPOINT", reason));
    }
    let ratio: f64 = source.get("BUND_OTLP_SAMPLE_RATIO")?;
    if !(0.0..=1.0).contains(&ratio) {
        return Err(refuse("BUND_OTLP_SAMPLE_RATIO", "a share of requests is from 0 to 1"));
    }
    Ok(Telemetry {
        metrics_listen: source.find("BUND_METRICS_LISTEN")?,
        otlp_endpoint: endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
        otlp_sample_ratio: ratio,
        service_name: source.get("BUND_SERVICE_NAME")?,
    })
}
