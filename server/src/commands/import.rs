//! `bund import`: bundles (JSON) and NDJSON files, loaded in bulk.
//!
//! Every resource is validated as in a write over HTTP. Resources keep the ids they have; those of a bundle whose entries are
//! POSTs get ids made from their full URLs, so that loading the same file again loads nothing twice.

mod progress;
mod read;
mod slice;

use super::{Database, block_on, prepare, say};
use crate::app::App;
use access::{Grant, Interaction, Wish, decide};
use anyhow::{Context, Result, bail};
use audit::record::Record;
use progress::{Counts, Progress};
use read::Input;
use schema::resource::Table;
use slice::{Maker, Report, Slice};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use store::bulk::Loaded;
use tokio::sync::mpsc;
use uuid::Uuid;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// Files, or folders of files: `.json` holds a Bundle or one resource, `.ndjson` one of these a line, either may end in `.gz`; `-` is
    /// NDJSON from standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Go on when a line or a resource is not valid: it is left out, named and counted.
    #[arg(long)]
    skip_invalid: bool,

    /// Write a line of NDJSON about each resource that is refused: file, line, resource, id, issues.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Slices being made ready while others are loaded: what bounds the memory.
const SLICES_AHEAD: usize = 2;
/// Connections that load at a time.
const LOADERS: usize = 2;

#[derive(Debug, Default)]
struct Totals {
    created: u64,
    known: u64,
    refused: u64,
    /// What was loaded into, by code.
    tables: BTreeMap<i16, &'static Table>,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    // What can be wrong with the paths is found before a database is asked for.
    let inputs = read::inputs(&arguments.paths)?;
    if inputs.is_empty() {
        bail!("there is no .json or .ndjson file in the folders named");
    }
    let report = arguments.report.as_deref().map(Report::open).transpose()?;
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let app = Arc::new(App::new(prepared.settings.clone()).await?);
        let caller = app.local_caller();
        let grant = decide(&caller, &Wish::new(Interaction::Batch, None))?;
        let began = Instant::now();
        let counts = Counts::default();
        let bytes = inputs.iter().map(Input::bytes).sum();
        let progress = Progress::new(counts.clone(), bytes);
        let watching = tokio::spawn(progress.clone().watch());
        let outcome = {
            let (ready, slices) = mpsc::channel::<Slice>(SLICES_AHEAD);
            let maker = Maker {
                app: Arc::clone(&app),
                grant: grant.clone(),
                progress: progress.clone(),
                skip_invalid: arguments.skip_invalid,
                report,
                ready,
                looks: true,
            };
            let bytes = Arc::clone(&counts.bytes);
            let maker = tokio::task::spawn_blocking(move || maker.run(&inputs, &bytes));
            let loaded = load(&app, &grant, slices, &counts).await;
            // Why no more slices came says more than that they could not be taken.
            match (maker.await.context("reading the files")?, loaded) {
                (_, Err(error)) => Err(error),
                (Err(error), Ok(totals)) => {
                    let created = totals.created;
                    Err(error.context(format!("stopped; {created} resources were loaded and stay")))
                }
                (Ok(()), Ok(totals)) => Ok(totals),
            }
        };
        watching.abort();
        progress.end();
        let totals = outcome?;
        summary(&totals, began.elapsed().as_secs_f64().max(0.001));
        if totals.created > 0 {
            app.store
                .analyze(totals.tables.into_values())
                .await
                .context("the planner could not be told what was loaded")?;
        }
        Ok(())
    })
}

fn summary(totals: &Totals, seconds: f64) {
    let Totals { created, known, refused, .. } = totals;
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = (*created + *known) as f64 / seconds;
    say(&format!(
        "imported {created} resources in {seconds:.1} s ({rate:.0} a second); {known} were there already, {refused} refused"
    ));
}

async fn load(
    app: &Arc<App>,
    grant: &Grant,
    mut slices: mpsc::Receiver<Slice>,
    counts: &Counts,
) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut loading = tokio::task::JoinSet::new();
    while let Some(slice) = slices.recv().await {
        slice.count(&counts.resources);
        totals.known += slice.known;
        totals.refused += slice.refused;
        if slice.puts.is_empty() {
            continue;
        }
        totals.tables.extend(slice.puts.iter().map(|put| (put.table.code, put.table)));
        if loading.len() >= LOADERS {
            add(&mut totals, counts, loading.join_next().await)?;
        }
        let (app, grant) = (Arc::clone(app), grant.clone());
        loading.spawn(async move {
            let record = record(&grant);
            app.store.load(&grant, slice.puts, slice.epoch, &record).await
        });
    }
    while let Some(outcome) = loading.join_next().await {
        add(&mut totals, counts, Some(outcome))?;
    }
    Ok(totals)
}

type Joined =
    std::result::Result<std::result::Result<Loaded, store::error::Error>, tokio::task::JoinError>;

fn add(totals: &mut Totals, counts: &Counts, outcome: Option<Joined>) -> Result<()> {
    if let Some(outcome) = outcome {
        let loaded = outcome.context("a loader stopped")?.context("a slice could not be loaded")?;
        totals.created += loaded.created;
        totals.known += loaded.skipped;
        counts.resources.fetch_add(loaded.created + loaded.skipped, Ordering::Relaxed);
    }
    Ok(())
}

fn record(grant: &Grant) -> Record {
    Record {
        request: Uuid::now_v7(),
        interaction: Interaction::Batch,
        status: 200,
        hospital: grant.hospital(),
        agent: Arc::clone(grant.agent()),
        purposes: grant.purposes(),
        subject: None,
        patients: Vec::new(),
        query: None,
        address: None,
    }
}
