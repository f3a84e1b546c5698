//! `bund hospital`: who can keep resources, and whom tokens can speak for. Running servers learn of it within seconds.

use super::author::Author;
use super::{Database, block_on, prepare, say, state, table};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::Path;
use store::Store;
use store::registry::journal::By;
use store::registry::{Existing, Hospital};

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    #[command(flatten)]
    author: Author,

    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Register a hospital.
    Add(Add),
    /// All hospitals.
    List {
        /// As JSON, a hospital a line.
        #[arg(long)]
        json: bool,
    },
    /// Let tokens speak for it again.
    Enable { code: String },
    /// Refuse every token that speaks for it.
    Disable { code: String },
}

#[derive(clap::Args, Debug)]
struct Add {
    /// 1 to 64 letters, digits, `-`, `.` or `_`.
    code: String,

    /// As people call it; its code when it is not given.
    #[arg(long)]
    name: Option<String>,

    /// As tokens may call it instead of by its code: an OID, a URN.
    #[arg(long)]
    identifier: Option<String>,

    /// What ids of its resources may begin with.
    #[arg(long)]
    prefix: Option<String>,

    /// Change the hospital if it is registered already.
    #[arg(long)]
    replace: bool,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    let by = arguments.author.by()?;
    block_on(async {
        let store = Store::open(&prepared.settings.database).await?;
        match arguments.action {
            Action::Add(add) => register(&store, &by, add).await,
            Action::List { json } => list(&store, json).await,
            Action::Enable { code } => Ok(store.enable_hospital(&by, &code, true).await?),
            Action::Disable { code } => Ok(store.enable_hospital(&by, &code, false).await?),
        }
    })
}

async fn register(store: &Store, by: &By, add: Add) -> Result<()> {
    let is_code = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
    };
    if !is_code(&add.code) {
        bail!("a hospital's code is 1 to 64 letters, digits, `-`, `.` or `_`");
    }
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if add
        .prefix
        .as_ref()
        .is_some_and(|prefix| !(1..=32).contains(&prefix.len()) || !prefix.bytes().all(is_id))
    {
        bail!("a prefix of ids is 1 to 32 letters, digits, `-` or `.`");
    }
    if add.identifier.as_ref().is_some_and(|text| !(1..=255).contains(&text.len())) {
        bail!("an identifier has 1 to 255 bytes");
    }
    let hospital = Hospital {
        id: 0,
        name: add.name.unwrap_or_else(|| add.code.clone()),
        code: add.code,
        identifier: add.identifier,
        prefix: add.prefix,
        is_enabled: true,
    };
    let existing = if add.replace { Existing::Replace } else { Existing::Refuse };
    let id = store.save_hospital(by, &hospital, existing).await?;
    say(&format!("hospital {} is number {id}", hospital.code));
    Ok(())
}

async fn list(store: &Store, json: bool) -> Result<()> {
    let registry = store.registry().await?;
    if json {
        for hospital in &registry.hospitals {
            say(&as_json(hospital).to_string());
        }
        return Ok(());
    }
    let heading = ["NUMBER", "CODE", "STATE", "PREFIX", "IDENTIFIER", "NAME"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(registry.hospitals.into_iter().map(|hospital| {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            hospital.id.to_string(),
            hospital.code,
            state(hospital.is_enabled),
            or_dash(hospital.prefix),
            or_dash(hospital.identifier),
            hospital.name,
        ]
    }));
    say(&table(&rows));
    Ok(())
}

fn as_json(hospital: &Hospital) -> Value {
    json!({
        "id": hospital.id,
        "code": hospital.code,
        "name": hospital.name,
        "identifier": hospital.identifier,
        "prefix": hospital.prefix,
        "enabled": hospital.is_enabled,
    })
}
