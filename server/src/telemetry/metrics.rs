//! Prometheus metrics. Every label comes from a table of this program, so their number is bounded.

use crate::app::App;
use access::Interaction;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its name, its labels, what it says. docs/operations/metrics.md has the same; a test compares them.
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [&'static str],
    pub text: &'static str,
}

const fn metric(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    text: &'static str,
) -> Metric {
    Metric { name, kind, labels, text }
}

pub static METRICS: [Metric; 34] = [
    metric(
        "bund_http_requests_total",
        Kind::Counter,
        &["interaction", "resource", "status"],
        "requests answered, by class of status",
    ),
    metric(
        "bund_http_request_duration_seconds",
        Kind::Histogram,
        &["interaction"],
        "from the request's first byte read to its answer made",
    ),
    metric("bund_http_requests_in_progress", Kind::Gauge, &[], "requests being worked on"),
    metric(
        "bund_http_response_bytes_total",
        Kind::Counter,
        &["interaction"],
        "bytes of answers, before compression",
    ),
    metric(
        "bund_audit_flush_seconds",
        Kind::Histogram,
        &[],
        "how long a group of audit records took to become durable",
    ),
    metric(
        "bund_audit_group_records",
        Kind::Histogram,
        &[],
        "audit records that became durable together",
    ),
    metric(
        "bund_audit_failures_total",
        Kind::Counter,
        &[],
        "groups of audit records that could not be written",
    ),
    metric(
        "bund_seal_lag_seconds",
        Kind::Gauge,
        &[],
        "how long the oldest audit record waits to be sealed, as the replica that seals sees it",
    ),
    metric("bund_seal_tree_size", Kind::Gauge, &[], "audit records that are sealed"),
    metric("bund_seal_failures_total", Kind::Counter, &[], "times that sealing the trail failed"),
    metric(
        "bund_statement_seconds",
        Kind::Histogram,
        &["statement"],
        "how long statements of searches, counts and commits took",
    ),
    metric(
        "bund_transaction_retries_total",
        Kind::Counter,
        &[],
        "transactions that began again because another was in the way",
    ),
    metric(
        "bund_statement_timeouts_total",
        Kind::Counter,
        &[],
        "statements that took longer than BUND_DATABASE_STATEMENT_TIMEOUT_MS",
    ),
    metric(
        "bund_costly_searches_total",
        Kind::Counter,
        &[],
        "searches refused because no index led them and they took too long",
    ),
    metric(
        "bund_database_unavailable_total",
        Kind::Counter,
        &[],
        "requests refused because the database was away or had no connection free",
    ),
    metric(
        "bund_access_mismatches_total",
        Kind::Counter,
        &[],
        "rows that the second wall stopped, on their way out or in: always 0, unless something is wrong",
    ),
    metric("bund_token_refusals_total", Kind::Counter, &["reason"], "tokens refused, by why"),
    metric(
        "bund_key_fetches_total",
        Kind::Counter,
        &["outcome"],
        "fetches of issuers' keys: fetched, failed",
    ),
    metric(
        "bund_introspections_total",
        Kind::Counter,
        &["outcome"],
        "questions to issuers about tokens: active, inactive, failed",
    ),
    metric(
        "bund_stale_keys_total",
        Kind::Counter,
        &[],
        "tokens verified with keys that could not be fetched anew in time",
    ),
    metric(
        "bund_unrecorded_refusals_total",
        Kind::Counter,
        &[],
        "refusals of callers without a valid token or for being too many, beyond those that are recorded one by one",
    ),
    metric(
        "bund_throttled_total",
        Kind::Counter,
        &["by"],
        "requests refused for being too many, by the bound they met: principal, client, hospital, address, queue; wait: their turn came too late",
    ),
    metric(
        "bund_queue_waiting",
        Kind::Gauge,
        &["gate"],
        "requests that wait for their hospital's turn: to read rows, to work, to be parsed",
    ),
    metric("bund_queue_seconds", Kind::Histogram, &["gate"], "how long those waited that had to"),
    metric("bund_break_glass_total", Kind::Counter, &[], "records opened in an emergency"),
    metric(
        "bund_break_glass_unreviewed",
        Kind::Gauge,
        &[],
        "records opened in an emergency that nobody has reviewed",
    ),
    metric(
        "bund_break_glass_oldest_seconds",
        Kind::Gauge,
        &[],
        "since when the oldest of them waits",
    ),
    metric(
        "bund_pool_connections",
        Kind::Gauge,
        &["state"],
        "connections for searches and writes: open, idle, awaited",
    ),
    metric(
        "bund_database_wal_bytes",
        Kind::Gauge,
        &[],
        "where the database's write-ahead log ends; its rate is the bytes written",
    ),
    metric("bund_database_size_bytes", Kind::Gauge, &[], "size of the database"),
    metric(
        "bund_clock_offset_seconds",
        Kind::Gauge,
        &[],
        "how far this machine's clock is ahead of the database's",
    ),
    metric("bund_process_resident_bytes", Kind::Gauge, &[], "memory of the process"),
    metric(
        "bund_process_start_time_seconds",
        Kind::Gauge,
        &[],
        "when the process began, in seconds since 1970",
    ),
    metric("bund_build_info", Kind::Gauge, &["version"], "1, with the version of the program"),
];

const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
const RECORDS: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 200.0, 1_000.0];

/// One for the process, however many servers it has.
fn handle() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS.iter().filter(|metric| metric.kind == Kind::Histogram) {
        let buckets: &[f64] = if metric.name.ends_with("_seconds") { &SECONDS } else { &RECORDS };
        let name = Matcher::Full(metric.name.to_owned());
        builder = builder.set_buckets_for_metric(name, buckets).ok()?;
    }
    let handle = builder.install_recorder().ok()?;
    for metric in &METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.text),
            Kind::Gauge => describe_gauge!(metric.name, metric.text),
            Kind::Histogram => describe_histogram!(metric.name, metric.text),
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!("bund_process_start_time_seconds").set(now.as_secs_f64());
    gauge!("bund_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for name in METRICS.iter().filter(|metric| metric.labels.is_empty()) {
        match name.kind {
            Kind::Counter => counter!(name.name).absolute(0),
            Kind::Gauge | Kind::Histogram => {}
        }
    }
    Some(handle)
}

/// Begins to count; what is counted before is lost.
pub fn begin() {
    handle();
}

/// The page that Prometheus reads.
pub async fn page(app: &App) -> Option<String> {
    let handle = handle()?;
    let pool = app.store.pool_state();
    for (state, number) in [("open", pool.open), ("idle", pool.idle), ("awaited", pool.awaited)] {
        gauge!("bund_pool_connections", "state" => state).set(as_float(number));
    }
    let traffic = &app.traffic;
    for gate in [&traffic.reading, &traffic.working, &traffic.parsing] {
        let waiting = u64::try_from(gate.waiting()).unwrap_or(u64::MAX);
        gauge!("bund_queue_waiting", "gate" => gate.name()).set(as_float(waiting));
    }
    if let Some(bytes) = resident_bytes() {
        gauge!("bund_process_resident_bytes").set(as_float(bytes));
    }
    // A database that is away has no figures; all others are there all the same.
    if let Ok(size) = app.store.database_size().await {
        gauge!("bund_database_wal_bytes").set(size.wal_bytes);
        gauge!("bund_database_size_bytes").set(size.bytes);
    }
    if let Ok(offset) = app.store.clock_offset().await {
        gauge!("bund_clock_offset_seconds").set(offset);
    }
    if let Ok((number, oldest)) = app.store.unreviewed().await {
        gauge!("bund_break_glass_unreviewed").set(as_float(number.unsigned_abs()));
        gauge!("bund_break_glass_oldest_seconds").set(oldest);
    }
    handle.run_upkeep();
    Some(handle.render())
}

/// What is counted of answers of one kind; kept by each thread, since looking them up costs more than counting.
struct Answers {
    requests: Counter,
    bytes: Counter,
    duration: Histogram,
}

type Kinds = HashMap<(Option<Interaction>, Option<&'static str>, &'static str), Answers>;

thread_local! {
    static ANSWERS: RefCell<Kinds> = RefCell::new(Kinds::new());
}

/// Counts one answer.
pub fn answered(
    interaction: Option<Interaction>,
    resource: Option<&'static str>,
    status: u16,
    bytes: u64,
    took: Duration,
) {
    let status = match status {
        0..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    ANSWERS.with_borrow_mut(|kinds| {
        let answers = kinds.entry((interaction, resource, status)).or_insert_with(|| {
            let interaction = interaction.map_or("none", Interaction::code);
            let resource = resource.unwrap_or("none");
            Answers {
                requests: counter!("bund_http_requests_total", "interaction" => interaction, "resource" => resource, "status" => status),
                bytes: counter!("bund_http_response_bytes_total", "interaction" => interaction),
                duration: histogram!("bund_http_request_duration_seconds", "interaction" => interaction),
            }
        });
        answers.requests.increment(1);
        answers.bytes.increment(bytes);
        answers.duration.record(took.as_secs_f64());
    });
}

static IN_PROGRESS: LazyLock<Gauge> = LazyLock::new(|| gauge!("bund_http_requests_in_progress"));

/// A request being worked on, as long as it lives.
pub struct InProgress(());

impl InProgress {
    pub fn begin() -> InProgress {
        IN_PROGRESS.increment(1.0);
        InProgress(())
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        IN_PROGRESS.decrement(1.0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn as_float(number: u64) -> f64 {
    number as f64
}

/// As Linux says it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::METRICS;

    #[test]
    fn the_page_about_metrics_has_each_of_them() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/metrics.md");
        let page = std::fs::read_to_string(page).unwrap();
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `bund_")).collect();
        assert_eq!(rows.len(), METRICS.len());
        for (row, metric) in rows.iter().zip(&METRICS) {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let labels: Vec<String> =
                metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
            let expected = format!("| `{}` | {kind} | {labels} | {} |", metric.name, metric.text);
            assert_eq!(*row, expected);
        }
    }
}
