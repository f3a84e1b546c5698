//! How far an import is, on standard error: a bar for people, a line now and then for logs.

use crate::commands::{complain, say};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {msg}, {eta} left";
/// The length of standard input is not known.
const SPINNER: &str = "{spinner} {bytes} read, {msg}";

/// Counted while it goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    /// Of the files as they lie there.
    pub(super) bytes: Arc<AtomicU64>,
    /// Loaded, there already or refused.
    pub(super) resources: Arc<AtomicU64>,
}

/// Clones show the same bar.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    counts: Counts,
    bytes: Option<u64>,
    bar: Option<ProgressBar>,
    began: Instant,
}

impl Progress {
    pub(super) fn new(counts: Counts, bytes: Option<u64>) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| bar(bytes));
        Progress { counts, bytes, bar, began: Instant::now() }
    }

    /// Shows how far it is, until it is dropped.
    pub(super) async fn watch(self) {
        let every = if self.bar.is_some() { 200 } else { 5_000 };
        let mut ticks = tokio::time::interval(Duration::from_millis(every));
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.show();
        }
    }

    fn show(&self) {
        let bytes = self.counts.bytes.load(Ordering::Relaxed);
        let resources = self.counts.resources.load(Ordering::Relaxed);
        let text = line(resources, self.began.elapsed());
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.set_position(bytes);
            }
            None => complain(&format!("{}, {text}", read(bytes, self.bytes, self.began.elapsed()))),
        }
    }

    /// A line for whoever called us, above the bar.
    pub(super) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), BAR),
        None => (ProgressBar::new_spinner(), SPINNER),
    };
    // The templates are ours: a wrong one only looks plain.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn line(resources: u64, time: Duration) -> String {
    let rate = resources.saturating_mul(1_000) / milliseconds(time);
    format!("{} resources, {} a second", HumanCount(resources), HumanCount(rate))
}

/// Bytes read, and how long the rest takes if it goes on like this.
fn read(bytes: u64, total: Option<u64>, time: Duration) -> String {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let Some(total) = total.filter(|total| *total > 0) else {
        return format!("{} MB read", megabytes(bytes));
    };
    let left = total.saturating_sub(bytes).saturating_mul(milliseconds(time)) / bytes.max(1);
    let percent = bytes.saturating_mul(100) / total;
    format!(
        "{} of {} MB read ({percent} %), {} s left",
        megabytes(bytes),
        megabytes(total),
        left / 1_000
    )
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::{BAR, SPINNER, line, read};
    use indicatif::ProgressStyle;
    use std::time::Duration;

    #[test]
    fn the_lines_say_how_far_it_is() {
        let time = Duration::from_secs(10);
        assert_eq!(line(25_000, time), "25,000 resources, 2,500 a second");
        let half = read(5_000_000, Some(10_000_000), time);
        assert_eq!(half, "5 of 10 MB read (50 %), 10 s left");
        assert_eq!(read(5_000_000, None, time), "5 MB read");
        assert_eq!(read(0, Some(0), Duration::ZERO), "0 MB read");
        assert!([BAR, SPINNER].iter().all(|it| ProgressStyle::with_template(it).is_ok()));
    }
}
