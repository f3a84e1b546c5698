//! What was measured, line by line.

use anyhow::Result;
use std::io::Write as _;

pub(crate) struct Report {
    missed: u32,
}

impl Report {
    pub(crate) fn new() -> Result<Report> {
        let mut report = Report { missed: 0 };
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        report.line(&format!(
            "{cores} cores of {}",
            model.map_or("an unknown processor", |(_, name)| name)
        ))?;
        Ok(report)
    }

    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        writeln!(std::io::stdout(), "{text}")?;
        Ok(())
    }

    /// A figure with what it should be.
    pub(crate) fn aim(&mut self, what: &str, found: f64, is_met: bool, aim: &str) -> Result<()> {
        let verdict = if is_met { "ok" } else { "MISSED" };
        self.missed += u32::from(!is_met);
        self.line(&format!("{what}: {found:.2} ({aim}: {verdict})"))
    }

    pub(crate) fn close(mut self) -> Result<()> {
        let missed = self.missed;
        self.line(&if missed == 0 {
            "all aims met".to_owned()
        } else {
            format!("{missed} aims missed")
        })
    }
}

/// The value below which this part of the measurements lies.
pub(crate) fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list that fits in memory"
    )]
    let place = ((values.len().saturating_sub(1)) as f64 * part).round() as usize;
    values.get(place).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds.max(1e-9)
}
