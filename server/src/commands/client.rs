//! `bund client`: the clients of an issuer. As soon as one is registered, all others of that issuer are refused.

use super::author::Author;
use super::{Database, block_on, prepare, say, state, table};
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::path::Path;
use store::Store;
use store::registry::journal::By;
use store::registry::{Client, Existing, Registry};

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
    /// Register a client; from then on the issuer's other clients are refused until they are registered too.
    Add(Add),
    /// All clients.
    List {
        /// Of this issuer only.
        #[arg(long, value_name = "ISS")]
        issuer: Option<String>,

        /// As JSON, a client a line.
        #[arg(long)]
        json: bool,
    },
    /// Take its tokens again.
    Enable { iss: String, client_id: String },
    /// Refuse its tokens.
    Disable { iss: String, client_id: String },
}

#[derive(clap::Args, Debug)]
struct Add {
    /// The issuer's `iss`.
    iss: String,

    /// As tokens call it.
    client_id: String,

    /// The code of the only hospital that its tokens may speak for; it does so also where they name none.
    #[arg(long, value_name = "CODE")]
    hospital: Option<String>,

    /// It may say in a header what it asks for.
    #[arg(long)]
    may_assert_purpose: bool,

    /// Its tokens have to be bound to a key (DPoP) or to a certificate (mutual TLS).
    #[arg(long)]
    require_bound: bool,

    /// Change the client if it is registered already; what is not given is as for a new one.
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
            Action::List { issuer, json } => list(&store, issuer.as_deref(), json).await,
            Action::Enable { iss, client_id } => {
                Ok(store.enable_client(&by, &iss, &client_id, true).await?)
            }
            Action::Disable { iss, client_id } => {
                Ok(store.enable_client(&by, &iss, &client_id, false).await?)
            }
        }
    })
}

async fn register(store: &Store, by: &By, add: Add) -> Result<()> {
    if !(1..=255).contains(&add.client_id.len()) {
        bail!("a client's id has 1 to 255 bytes");
    }
    let registry = store.registry().await?;
    let hospital = match &add.hospital {
        None => None,
        Some(code) => {
            let mut hospitals = registry.hospitals.iter();
            let hospital = hospitals.find(|hospital| hospital.code == *code);
            let hospital = hospital.with_context(|| {
                format!("there is no hospital `{code}`; `bund hospital add` registers one")
            })?;
            Some(hospital.id)
        }
    };
    let client = Client {
        iss: add.iss,
        client_id: add.client_id,
        hospital,
        may_assert_purpose: add.may_assert_purpose,
        require_bound: add.require_bound,
        is_enabled: true,
    };
    let existing = if add.replace { Existing::Replace } else { Existing::Refuse };
    Ok(store.save_client(by, &client, existing).await?)
}

async fn list(store: &Store, iss: Option<&str>, json: bool) -> Result<()> {
    let registry = store.registry().await?;
    let clients = registry.clients.iter();
    let clients = clients.filter(|client| iss.is_none_or(|iss| client.iss == iss));
    if json {
        for client in clients {
            let line = json!({
                "iss": client.iss,
                "client_id": client.client_id,
                "hospital": code(client, &registry),
                "may_assert_purpose": client.may_assert_purpose,
                "require_bound": client.require_bound,
                "enabled": client.is_enabled,
            });
            say(&line.to_string());
        }
        return Ok(());
    }
    let heading = ["ISSUER", "CLIENT", "STATE", "HOSPITAL", "PURPOSE", "TOKENS"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(clients.map(|client| {
        vec![
            client.iss.clone(),
            client.client_id.clone(),
            state(client.is_enabled),
            code(client, &registry).unwrap_or("-").to_owned(),
            if client.may_assert_purpose { "asserts" } else { "-" }.to_owned(),
            if client.require_bound { "bound" } else { "any" }.to_owned(),
        ]
    }));
    say(&table(&rows));
    Ok(())
}

fn code<'a>(client: &Client, registry: &'a Registry) -> Option<&'a str> {
    let hospital = registry.hospitals.iter().find(|hospital| Some(hospital.id) == client.hospital);
    hospital.map(|hospital| hospital.code.as_str())
}
