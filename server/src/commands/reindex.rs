//! `bund reindex`: makes the index entries of stored resources anew, while servers serve: after a change of the time zone, of the
//! base URL, or of a release that says so.

use super::{Database, block_on, prepare, say};
use crate::app::App;
use crate::indexing::{Pace, run as run_all};
use access::{Interaction, Wish, decide};
use anyhow::{Context as _, Result, bail};
use schema::resource::{TABLES, Table, find};
use std::path::Path;
use std::time::{Duration, Instant};

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

    /// Wait after each slice of 200 resources, to leave the database to others.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pause_ms: u64,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let tables = tables(&arguments.types)?;
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let app = App::new(prepared.settings.clone()).await?;
        let wish = Wish::new(Interaction::Batch, None);
        let grant = decide(&app.local_caller(), &wish)?;
        let Some(turn) = app.store.reindex_turn().await? else {
            bail!("another reindex is running on this database");
        };
        let is_cut_off = turn.next(&tables).await?.is_some();
        if arguments.restart || !is_cut_off {
            app.store.begin_reindex(&grant, &tables, true).await?;
        } else {
            say("going on where an earlier run was cut off; --restart begins anew");
        }
        let began = Instant::now();
        let mut told = began;
        let pace = Pace::Pause(Duration::from_millis(arguments.pause_ms));
        let total = run_all(&app, &grant, &turn, &tables, pace, |table, progress| {
            let is_end = progress.is_finished && progress.done > 0;
            if is_end || told.elapsed() >= Duration::from_secs(5) {
                told = Instant::now();
                let so_far = if progress.is_finished { "" } else { " so far" };
                say(&format!("{}: {} resources{so_far}", table.resource, progress.done));
            }
        })
        .await?;
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
