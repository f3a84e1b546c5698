//! `bund audit head`.

use crate::commands::{Database, block_on, prepare, say};
use crate::sealing::signer;
use anyhow::{Result, bail};
use std::path::Path;
use store::Store;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    database: Database,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let store = Store::open(&prepared.settings.database).await?;
        let Some(note) = store.checkpoint().await? else {
            bail!("no head is signed yet: a server that serves signs one every minute");
        };
        say(note.trim_end());
        say("");
        say(&signer(&prepared.settings, &store).await?.verifier().to_string());
        Ok(())
    })
}
