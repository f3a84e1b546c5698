//! `bund registry`: who changed the registry of hospitals, issuers and clients, and how.

use super::{Database, block_on, prepare, say, table};
use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use std::path::Path;
use store::Store;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// How many of the latest changes are shown, oldest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    latest: u32,

    /// As JSON, a change a line, with all that was said.
    #[arg(long)]
    json: bool,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let store = Store::open(&prepared.settings.database).await?;
        let entries = store.registry_journal(i64::from(arguments.latest)).await?;
        let heading = ["TIME", "BY", "ACCOUNT", "ACTION", "SUBJECT"];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for entry in entries {
            let at = Timestamp::from_microsecond(entry.at)?.to_string();
            if arguments.json {
                let line = json!({
                    "at": at,
                    "by": entry.by.name,
                    "account": entry.by.account,
                    "action": entry.action,
                    "subject": entry.subject,
                    "detail": entry.detail,
                });
                say(&line.to_string());
            } else {
                rows.push(vec![at, entry.by.name, entry.by.account, entry.action, entry.subject]);
            }
        }
        if !arguments.json {
            say(&table(&rows));
        }
        Ok(())
    })
}
