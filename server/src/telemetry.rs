//! Logs and traces: what the program tells about itself, none of it about a patient.

pub mod metrics;
pub mod trace;

use crate::settings::{LogFormat, Settings, Telemetry};
use anyhow::{Context as _, Result};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, registry};

/// The longest that one batch of spans may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends what is still waiting when it goes.
#[derive(Debug, Default)]
pub struct Exporting {
    provider: Option<SdkTracerProvider>,
}

impl Drop for Exporting {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            // A collector that is not there is no reason to fail now.
            let _ = provider.shutdown();
        }
    }
}

/// Begins to log, and to trace where a collector is set. Called once, before any runtime: the exporter has a thread of its own.
pub fn begin(settings: &Settings) -> Result<Exporting> {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let filter = EnvFilter::try_new(&settings.service.log)
        .context("BUND_LOG is not a filter such as `info` or `warn,store=debug`")?
        // It logs the parameters of statements, which are patients' data.
        .add_directive("tokio_postgres=warn".parse()?);
    let log = fmt::layer().with_ansi(is_terminal).with_writer(std::io::stderr);
    let log = match settings.service.log_format {
        LogFormat::Text => log.with_filter(filter).boxed(),
        LogFormat::Json => log.json().with_filter(filter).boxed(),
    };
    let provider = provider(&settings.telemetry)?;
    let spans = provider.as_ref().map(|provider| {
        let tracer = provider.tracer("bund");
        tracing_opentelemetry::layer().with_tracer(tracer).with_filter(LevelFilter::DEBUG)
    });
    registry().with(log).with(spans).init();
    Ok(Exporting { provider })
}

fn provider(settings: &Telemetry) -> Result<Option<SdkTracerProvider>> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    // The collector is reached without TLS: a machine without certificates can trace all the same.
    let client = reqwest::blocking::Client::builder()
        .timeout(EXPORT_TIMEOUT)
        .no_proxy()
        .tls_certs_only(Vec::new())
        .build()
        .context("traces cannot be sent")?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_headers(std::collections::HashMap::new())
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()
        .with_context(|| format!("BUND_OTLP_ENDPOINT: {endpoint} cannot be used"))?;
    let ratio = Sampler::TraceIdRatioBased(settings.otlp_sample_ratio);
    let resource = Resource::builder().with_service_name(settings.service_name.clone()).build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}
