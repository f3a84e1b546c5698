//! `bund migrate`.

use super::{Database, block_on, prepare, say};
use anyhow::Result;
use std::path::Path;
use store::migrate;
use store::pool::Pool;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// Take back the newest migration instead; what its tables held is lost.
    #[arg(long)]
    down: bool,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let pool = Pool::new(&prepared.settings.database)?;
        if arguments.down {
            let name = migrate::down(&pool).await?;
            say(&format!("took back {name}"));
            return Ok(());
        }
        let applied = migrate::up(&pool).await?;
        for name in &applied {
            say(&format!("applied {name}"));
        }
        say(&format!(
            "the database has schema {} ({} applied now)",
            migrate::newest(),
            applied.len()
        ));
        Ok(())
    })
}
