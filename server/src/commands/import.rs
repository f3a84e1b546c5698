//! `bund import`: bundles (JSON) and NDJSON files, loaded in bulk.
//!
//! Every resource is validated as in a write over HTTP. Resources keep the ids they have; those of a bundle whose entries are
//! POSTs get ids made from their full URLs, so that loading the same file again loads nothing twice.

mod read;

use super::{Database, block_on, prepare, say};
use crate::app::App;
use crate::interactions::change::first_version;
use access::{Grant, Interaction, Wish, decide};
use anyhow::{Context, Result, bail};
use audit::record::Record;
use fhir::outcome::{Issue, Severity};
use read::{Item, Source};
use schema::resource;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use store::bulk::Loaded;
use store::write::stage::Put;
use tokio::sync::mpsc;
use uuid::Uuid;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// Files, or folders of files: `.json` holds a Bundle or one resource, `.ndjson` a resource a line.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Go on when a resource is not valid: it is left out, named and counted.
    #[arg(long)]
    skip_invalid: bool,
}

/// Resources in one transaction.
const SLICE: usize = 5_000;
/// Slices being made ready while others are loaded: what bounds the memory.
const SLICES_AHEAD: usize = 2;
/// Connections that load at a time.
const LOADERS: usize = 2;

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    loaded: Loaded,
    invalid: u64,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let app = Arc::new(App::new(prepared.settings.clone()).await?);
        let caller = app.local_caller();
        let grant = decide(&caller, &Wish { interaction: Interaction::Batch, resource: None })?;
        let began = Instant::now();
        let totals = import(&app, &grant, arguments).await?;
        let seconds = began.elapsed().as_secs_f64().max(0.001);
        let created = totals.loaded.created;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let rate = created as f64 / seconds;
        say(&format!(
            "imported {created} resources in {seconds:.1} s ({rate:.0} a second); {} were there already, {} not valid",
            totals.loaded.skipped, totals.invalid
        ));
        Ok(())
    })
}

async fn import(app: &Arc<App>, grant: &Grant, arguments: Arguments) -> Result<Totals> {
    let (ready, mut slices) = mpsc::channel::<Slice>(SLICES_AHEAD);
    let maker = {
        let (app, grant) = (Arc::clone(app), grant.clone());
        tokio::task::spawn_blocking(move || make_slices(&app, &grant, &arguments, &ready))
    };
    let mut totals = Totals::default();
    let mut loading = tokio::task::JoinSet::new();
    let mut began = Instant::now();
    while let Some(slice) = slices.recv().await {
        totals.invalid += slice.invalid;
        if loading.len() >= LOADERS {
            add(&mut totals, loading.join_next().await)?;
        }
        let (app, grant) = (Arc::clone(app), grant.clone());
        loading.spawn(async move {
            let record = record(&grant);
            app.store.load(&grant, slice.puts, &record).await
        });
        if began.elapsed().as_secs() >= 2 {
            began = Instant::now();
            say(&format!("  {} resources so far", totals.loaded.created));
        }
    }
    while let Some(outcome) = loading.join_next().await {
        add(&mut totals, Some(outcome))?;
    }
    totals.invalid += maker.await.context("reading the files")??;
    Ok(totals)
}

type Joined =
    std::result::Result<std::result::Result<Loaded, store::error::Error>, tokio::task::JoinError>;

fn add(totals: &mut Totals, outcome: Option<Joined>) -> Result<()> {
    if let Some(outcome) = outcome {
        let loaded = outcome.context("a loader stopped")?.context("a slice could not be loaded")?;
        totals.loaded.created += loaded.created;
        totals.loaded.skipped += loaded.skipped;
    }
    Ok(())
}

fn record(grant: &Grant) -> Record {
    Record {
        request: Uuid::now_v7(),
        interaction: Interaction::Batch,
        status: 200,
        hospital: grant.hospital(),
        subject: None,
        patients: Vec::new(),
        query: None,
    }
}

struct Slice {
    puts: Vec<Put>,
    invalid: u64,
}

/// Reads, validates and indexes; gives slices away as they fill. Returns what was not valid in the part not yet given away.
fn make_slices(
    app: &App,
    grant: &Grant,
    arguments: &Arguments,
    ready: &mpsc::Sender<Slice>,
) -> Result<u64> {
    let mut puts = Vec::with_capacity(SLICE);
    let mut seen = HashSet::new();
    let mut invalid = 0;
    for path in read::files(&arguments.paths)? {
        for item in Source::open(&path, app)? {
            let item = item.with_context(|| path.display().to_string())?;
            let errors = errors(&item);
            if !errors.is_empty() {
                if !arguments.skip_invalid {
                    bail!(
                        "{}: {} is not valid: {}",
                        path.display(),
                        item.what(),
                        errors.join("; ")
                    );
                }
                say(&format!(
                    "left out {} of {}: {}",
                    item.what(),
                    path.display(),
                    errors.join("; ")
                ));
                invalid += 1;
                continue;
            }
            // The same id twice in one slice would not be seen in the tables yet.
            if !seen.insert((item.table.code, item.id.clone())) {
                continue;
            }
            let put = first_version(app, grant, item.table, item.id, item.resource)
                .map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            puts.push(put);
            if puts.len() >= SLICE {
                let slice = Slice {
                    puts: std::mem::replace(&mut puts, Vec::with_capacity(SLICE)),
                    invalid,
                };
                invalid = 0;
                seen.clear();
                ready.blocking_send(slice).context("the loaders stopped")?;
            }
        }
    }
    if !puts.is_empty() {
        ready.blocking_send(Slice { puts, invalid }).context("the loaders stopped")?;
        invalid = 0;
    }
    Ok(invalid)
}

fn errors(item: &Item) -> Vec<String> {
    fhir::validate::resource(&item.resource)
        .into_iter()
        .filter(|issue| issue.severity == Severity::Error)
        .map(|Issue { text, expression, .. }| match expression {
            Some(expression) => format!("{expression}: {text}"),
            None => text,
        })
        .collect()
}

impl Item {
    fn what(&self) -> String {
        format!("{}/{}", self.table.resource, self.id)
    }
}

/// The table of a resource, by its own word.
fn table(resource: &serde_json::Value) -> Result<&'static resource::Table> {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    resource::find(kind).with_context(|| format!("`{kind}` is not a resource type that is stored"))
}
