//! `bund reindex`: makes the index entries of stored resources anew, while servers serve: after a change of the time zone, of the
//! base URL, or of a release that says so.

use super::{Database, block_on, prepare, say};
use crate::app::App;
use access::{Interaction, Wish, decide};
use anyhow::{Context as _, Result, bail};
use schema::resource::{TABLES, Table, find};
use std::path::Path;
use std::time::{Duration, Instant};
use store::reindex::Progress;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// A resource type; can be given several times. All, when none is given.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,

    /// Begin anew, though an earlier run was cut off.
    #[arg(long)]
    restart: bool,

    /// Wait after each slice of 500 resources, to leave the database to others.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pause_ms: u64,
}

const SLICE: i64 = 500;

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let tables = tables(&arguments.types)?;
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let app = App::new(prepared.settings.clone()).await?;
        let wish = Wish { interaction: Interaction::Batch, resource: None };
        let grant = decide(&app.local_caller(), &wish)?;
        let Some(turn) = app.store.reindex_turn().await? else {
            bail!("another reindex is running on this database");
        };
        let mut known = turn.progress().await?;
        let is_cut_off = known.iter().any(|(_, progress)| !progress.is_finished);
        if arguments.restart || !is_cut_off {
            turn.begin().await?;
            known.clear();
        } else {
            say("going on where an earlier run was cut off; --restart begins anew");
        }
        let began = Instant::now();
        let mut total = 0;
        for table in &tables {
            let mut progress = known
                .iter()
                .find(|(code, _)| *code == table.code)
                .map(|(_, progress)| progress.clone())
                .unwrap_or(Progress { after: String::new(), done: 0, is_finished: false });
            let before = progress.done;
            let mut told = Instant::now();
            while !progress.is_finished {
                let entries = |json: &[u8]| {
                    let resource =
                        serde_json::from_slice(json).map_err(|error| error.to_string())?;
                    app.extractor.entries(&resource).map_err(|error| error.to_string())
                };
                progress = app
                    .store
                    .reindex(&grant, table, &progress, SLICE, entries)
                    .await
                    .with_context(|| table.resource.to_owned())?;
                if told.elapsed() >= Duration::from_secs(5) {
                    told = Instant::now();
                    say(&format!("{}: {} resources so far", table.resource, progress.done));
                }
                tokio::time::sleep(Duration::from_millis(arguments.pause_ms)).await;
            }
            total += progress.done - before;
            if progress.done > 0 {
                say(&format!("{}: {} resources", table.resource, progress.done));
            }
        }
        turn.end().await?;
        app.store.analyze(tables).await?;
        let seconds = began.elapsed().as_secs_f64();
        say(&format!("indexed {total} resources anew in {seconds:.1} s"));
        Ok(())
    })
}

fn tables(types: &[String]) -> Result<Vec<&'static Table>> {
    if types.is_empty() {
        return Ok(TABLES.iter().collect());
    }
    let table = |name: &String| find(name).with_context(|| format!("`{name}` is no resource type"));
    types.iter().map(table).collect()
}
