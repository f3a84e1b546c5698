//! Slices: what is read is looked for, validated and indexed, so many resources at a time.

use super::progress::Progress;
use super::read::{Found, Input, Item, Refused, Source};
use crate::app::App;
use crate::interactions::change::first_version;
use access::Grant;
use anyhow::{Context as _, Result, bail};
use fhir::outcome::{Issue, Severity};
use schema::resource::Table;
use serde_json::json;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::write::stage::Put;
use tokio::sync::mpsc;

/// Resources in one transaction, and bytes of their JSON.
const SLICE: usize = 5_000;
const SLICE_BYTES: usize = 8 << 20;

pub(super) struct Slice {
    pub(super) puts: Vec<Put>,
    /// Of the entries of the puts.
    pub(super) epoch: i64,
    /// Were there already, or earlier in the same slice.
    pub(super) known: u64,
    pub(super) refused: u64,
}

pub(super) struct Maker {
    pub(super) app: Arc<App>,
    pub(super) grant: Grant,
    pub(super) progress: Progress,
    pub(super) skip_invalid: bool,
    pub(super) report: Option<Report>,
    pub(super) ready: mpsc::Sender<Slice>,
    /// Whether some of the last slice were there already: then so may be some of the next.
    pub(super) looks: bool,
}

impl Maker {
    /// Reads all; gives slices away as they fill. On a thread that may wait.
    pub(super) fn run(mut self, inputs: &[Input], bytes: &Arc<AtomicU64>) -> Result<()> {
        let limits = self.app.settings.limits.json;
        let mut waiting = Vec::with_capacity(SLICE);
        let mut size = 0;
        for input in inputs {
            let mut source = Source::open(input, limits, bytes)?;
            while let Some(found) = source.next() {
                waiting.push(found?);
                size += source.take_bytes();
                if waiting.len() >= SLICE || size >= SLICE_BYTES {
                    self.give(std::mem::replace(&mut waiting, Vec::with_capacity(SLICE)))?;
                    size = 0;
                }
            }
        }
        self.give(waiting)?;
        self.report.map_or(Ok(()), Report::close)
    }

    fn give(&mut self, waiting: Vec<Found>) -> Result<()> {
        // A first load finds nothing, slice after slice; what is stored all the same is found when it is loaded.
        let there = if self.looks { self.there(&waiting)? } else { HashSet::new() };
        self.looks = !there.is_empty();
        let epoch = self.app.extractor.custom().epoch;
        let puts = Vec::with_capacity(waiting.len());
        let mut slice = Slice { puts, epoch, known: 0, refused: 0 };
        let mut seen = HashSet::new();
        for found in waiting {
            let item = match found {
                Found::Refused(refused) => {
                    self.refuse(&refused)?;
                    slice.refused += 1;
                    continue;
                }
                Found::Item(item) => item,
            };
            let key = (item.table.resource, item.id.clone());
            if there.contains(&key) || seen.contains(&key) {
                slice.known += 1;
                continue;
            }
            let issues = errors(&item);
            if !issues.is_empty() {
                let Item { table, id, place, .. } = item;
                let resource = Some(table.resource.to_owned());
                self.refuse(&Refused { place, resource, id: Some(id), issues })?;
                slice.refused += 1;
                continue;
            }
            seen.insert(key);
            let put = first_version(&self.app, &self.grant, item.table, item.id, item.resource)
                .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            slice.puts.push(put);
        }
        self.ready.blocking_send(slice).context("the loaders stopped")
    }

    /// Which of them are stored, so that a load that was cut off goes over what it has without validating and indexing it again. Those
    /// that come in between are found when they are loaded.
    fn there(&self, waiting: &[Found]) -> Result<HashSet<(&'static str, String)>> {
        let wanted: Vec<(&'static Table, String)> = waiting
            .iter()
            .filter_map(|found| match found {
                Found::Item(item) => Some((item.table, item.id.clone())),
                Found::Refused(_) => None,
            })
            .collect();
        let look = async {
            let mut transaction = self.app.store.transaction(&self.grant, 0).await?;
            let there = transaction.current(&self.grant, &wanted).await?;
            transaction.rollback().await?;
            Ok::<_, store::error::Error>(there.into_keys().collect())
        };
        let there = tokio::runtime::Handle::current().block_on(look);
        there.context("looking for what is there already")
    }

    fn refuse(&mut self, refused: &Refused) -> Result<()> {
        if let Some(report) = &mut self.report {
            report.line(refused)?;
        }
        let text = refused.text();
        if !self.skip_invalid {
            // The report is whole when this is read.
            if let Some(report) = self.report.take() {
                report.close()?;
            }
            bail!("{text}");
        }
        self.progress.say(&format!("left out: {text}"));
        Ok(())
    }
}

/// A line of NDJSON for each resource that was refused.
pub(super) struct Report {
    out: BufWriter<File>,
    path: String,
}

impl Report {
    pub(super) fn open(path: &Path) -> Result<Report> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| name.clone())?;
        Ok(Report { out: BufWriter::new(file), path: name })
    }

    fn line(&mut self, refused: &Refused) -> Result<()> {
        let outcome = fhir::outcome::resource(&refused.issues);
        let line = json!({
            "file": &*refused.place.file,
            "line": refused.place.line,
            "resource": refused.resource,
            "id": refused.id,
            "issues": outcome["issue"],
        });
        writeln!(self.out, "{line}").with_context(|| self.path.clone())
    }

    fn close(mut self) -> Result<()> {
        self.out.flush().context(self.path)
    }
}

impl Refused {
    fn text(&self) -> String {
        let issues = self.issues.iter().map(|issue| match &issue.expression {
            Some(expression) => format!("{expression}: {}", issue.text),
            None => issue.text.clone(),
        });
        let issues = issues.collect::<Vec<_>>().join("; ");
        let place = match self.place.line {
            Some(line) => format!("{}: line {line}", self.place.file),
            None => self.place.file.to_string(),
        };
        match (&self.resource, &self.id) {
            (Some(resource), Some(id)) => {
                format!("{place}: {resource}/{id} is not valid: {issues}")
            }
            (Some(resource), None) => format!("{place}: a {resource} is not valid: {issues}"),
            (None, _) => format!("{place}: {issues}"),
        }
    }
}

fn errors(item: &Item) -> Vec<Issue> {
    let issues = fhir::validate::resource(&item.resource).into_iter();
    issues.filter(|issue| issue.severity == Severity::Error).collect()
}

impl Slice {
    /// What of it needs no loading.
    pub(super) fn count(&self, resources: &AtomicU64) {
        resources.fetch_add(self.known + self.refused, Ordering::Relaxed);
    }
}
