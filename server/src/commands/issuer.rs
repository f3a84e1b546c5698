//! `bund issuer`: who signs the tokens that this server takes. Running servers learn of it within seconds.

use super::author::Author;
use super::{Database, block_on, prepare, say, state, table};
use crate::identity::{Identity, ORGANISATION_CLAIM, Replays, inspect, objection};
use crate::settings::{Approval, Settings};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use store::Store;
use store::registry::journal::By;
use store::registry::{Existing, Introspection, Issuer, Registry};

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
    /// Propose an issuer, or what is to become of it: it comes into force when somebody else approves.
    Add(Box<Add>),
    /// Put in force what somebody else proposed.
    Approve { iss: String },
    /// Forget what was proposed.
    Reject { iss: String },
    /// What waits for somebody to approve, as JSON, an issuer a line.
    Proposals,
    /// All issuers.
    List {
        /// As JSON, an issuer a line.
        #[arg(long)]
        json: bool,
    },
    /// Take its tokens again.
    Enable { iss: String },
    /// Refuse its tokens.
    Disable { iss: String },
    /// Forget it, with its clients.
    Remove { iss: String },
    /// Ask it what it says of itself and for its keys, and say what is wrong with them and with a token; changes nothing.
    Check(Check),
}

#[derive(clap::Args, Debug)]
struct Add {
    /// Its `iss`, byte by byte.
    iss: String,

    /// As people call it; its `iss` when it is not given.
    #[arg(long)]
    name: Option<String>,

    /// Where its keys are; found by discovery when it is not given.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,

    /// What its tokens are signed with; can be given several times.
    #[arg(long = "algorithm", value_name = "NAME", default_value = "ES256")]
    algorithms: Vec<String>,

    /// Whom its tokens are for, instead of this server's base; can be given several times.
    #[arg(long, value_name = "TEXT")]
    audience: Vec<String>,

    /// The scopes it may grant: patient, user, system; can be given several times.
    #[arg(long = "level", value_name = "LEVEL", default_values = ["patient", "user"])]
    levels: Vec<String>,

    /// The longest life of a token, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    max_lifetime: i32,

    /// A JSON Pointer to the claim that names the hospital.
    #[arg(long, value_name = "POINTER", default_value = ORGANISATION_CLAIM)]
    organisation_claim: String,

    /// The code of a hospital that it speaks for; can be given several times.
    #[arg(long = "hospital", value_name = "CODE")]
    hospitals: Vec<String>,

    /// It speaks for all hospitals.
    #[arg(long, conflicts_with = "hospitals")]
    broker: bool,

    /// Where it is asked about tokens that it alone can read (RFC 7662); one issuer may be asked.
    #[arg(long, value_name = "URL", requires_all = ["introspection_client", "introspection_secret"])]
    introspection: Option<String>,

    /// As whom it is asked.
    #[arg(long, value_name = "ID", requires = "introspection")]
    introspection_client: Option<String>,

    /// The name of the file in BUND_SECRETS_DIR that has the secret.
    #[arg(long, value_name = "NAME", requires = "introspection")]
    introspection_secret: Option<String>,

    /// It is asked about the tokens that it signs, too.
    #[arg(long, requires = "introspection")]
    introspection_for_all: bool,

    /// Change the issuer if it is registered already; what is not given is as for a new one.
    #[arg(long)]
    replace: bool,
}

#[derive(clap::Args, Debug)]
struct Check {
    /// Its `iss`, byte by byte; it has to be registered.
    iss: String,

    /// A file with an access token of it, or `-` for standard input: which claim is missing or wrong, and how it is put right.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Longer than any token that is taken.
const TOKEN_BYTES_MAX: u64 = 64 * 1_024;

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    let allow_http_loopback = prepared.settings.identity.allow_http_loopback;
    let by = arguments.author.by()?;
    let approval = prepared.settings.identity.approval;
    block_on(async {
        let store = Store::open(&prepared.settings.database).await?;
        match arguments.action {
            Action::Add(add) => {
                let (issuer, existing) = read(&store, *add, allow_http_loopback).await?;
                register(&store, &by, &issuer, existing, approval).await
            }
            Action::Approve { iss } => Ok(store.approve_issuer(&by, &iss).await?),
            Action::Reject { iss } => Ok(store.reject_issuer(&by, &iss).await?),
            Action::Proposals => proposals(&store).await,
            Action::List { json } => list(&store, json).await,
            Action::Enable { iss } => Ok(store.enable_issuer(&by, &iss, true).await?),
            Action::Disable { iss } => Ok(store.enable_issuer(&by, &iss, false).await?),
            Action::Remove { iss } => Ok(store.remove_issuer(&by, &iss).await?),
            Action::Check(arguments) => check(&store, &prepared.settings, &arguments).await,
        }
    })
}

async fn register(
    store: &Store,
    by: &By,
    issuer: &Issuer,
    existing: Existing,
    approval: Approval,
) -> Result<()> {
    match approval {
        Approval::One => store.save_issuer(by, issuer, existing).await?,
        Approval::Two => {
            store.propose_issuer(by, issuer, existing).await?;
            say("proposed; it comes into force when somebody else approves: bund issuer approve");
        }
    }
    if !issuer.is_broker && issuer.hospitals.is_empty() {
        say("it speaks for no hospital yet: give --hospital or --broker");
    }
    Ok(())
}

async fn proposals(store: &Store) -> Result<()> {
    let registry = store.registry().await?;
    for proposal in store.issuer_proposals().await? {
        let mut line = as_json(&proposal.issuer, &registry);
        line["proposed_by"] = json!(proposal.by.name);
        say(&line.to_string());
    }
    Ok(())
}

async fn read(store: &Store, add: Add, allow_http_loopback: bool) -> Result<(Issuer, Existing)> {
    let registry = store.registry().await?;
    let number = |code: &String| {
        let hospital = registry.hospitals.iter().find(|hospital| hospital.code == *code);
        let hospital = hospital.with_context(|| {
            format!("there is no hospital `{code}`; `bund hospital add` registers one")
        })?;
        Ok(hospital.id)
    };
    let asked = (add.introspection, add.introspection_client, add.introspection_secret);
    let introspection = match asked {
        (Some(uri), Some(client), Some(secret)) => {
            Some(Introspection { uri, client, secret, is_for_all: add.introspection_for_all })
        }
        _ => None,
    };
    let mut others = registry.issuers.iter().filter(|issuer| issuer.iss != add.iss);
    if introspection.is_some()
        && let Some(other) = others.find(|issuer| issuer.introspection.is_some())
    {
        bail!(
            "{} is asked about opaque tokens already: whose such a token is could not be told",
            other.iss
        );
    }
    let issuer = Issuer {
        name: add.name.unwrap_or_else(|| add.iss.clone()),
        iss: add.iss,
        jwks_uri: add.jwks_uri,
        algorithms: add.algorithms,
        audience: add.audience,
        levels: add.levels,
        max_lifetime: add.max_lifetime,
        organisation_claim: add.organisation_claim,
        is_broker: add.broker,
        is_enabled: true,
        hospitals: add.hospitals.iter().map(number).collect::<Result<_>>()?,
        introspection,
    };
    if let Some(objection) = objection(&issuer, allow_http_loopback) {
        bail!(objection);
    }
    let existing = if add.replace { Existing::Replace } else { Existing::Refuse };
    Ok((issuer, existing))
}

async fn check(store: &Store, settings: &Settings, arguments: &Check) -> Result<()> {
    let token = arguments.token_file.as_deref().map(read_token).transpose()?;
    let base = &settings.service.base_url;
    let replays = Replays::Shared(store.clone());
    let identity = Identity::new(&settings.identity, base, store.registry().await?, replays)?;
    let findings = inspect(&identity, &arguments.iss, token.as_deref()).await;
    let wrong = findings.iter().filter(|finding| finding.outcome.is_err()).count();
    for finding in findings {
        let (state, text) = match finding.outcome {
            Ok(text) => ("ok", text),
            Err(text) => ("WRONG", text),
        };
        say(&format!("{state:5}  {:15}  {text}", finding.what));
    }
    if wrong > 0 {
        bail!("{wrong} of these are wrong");
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut text),
        false => std::fs::File::open(path)
            .and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text)),
    };
    read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text.trim().to_owned())
}

async fn list(store: &Store, json: bool) -> Result<()> {
    let registry = store.registry().await?;
    if json {
        for issuer in &registry.issuers {
            say(&as_json(issuer, &registry).to_string());
        }
        return Ok(());
    }
    let heading = ["ISSUER", "STATE", "ALGORITHMS", "LEVELS", "HOSPITALS", "KEYS", "NAME"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    rows.extend(registry.issuers.iter().map(|issuer| {
        let hospitals =
            if issuer.is_broker { "all".to_owned() } else { codes(issuer, &registry).join(",") };
        vec![
            issuer.iss.clone(),
            state(issuer.is_enabled),
            issuer.algorithms.join(","),
            issuer.levels.join(","),
            if hospitals.is_empty() { "none".to_owned() } else { hospitals },
            issuer.jwks_uri.clone().unwrap_or_else(|| "discovery".to_owned()),
            issuer.name.clone(),
        ]
    }));
    say(&table(&rows));
    Ok(())
}

fn codes(issuer: &Issuer, registry: &Registry) -> Vec<String> {
    let hospitals = registry.hospitals.iter();
    let of_issuer = hospitals.filter(|hospital| issuer.hospitals.contains(&hospital.id));
    of_issuer.map(|hospital| hospital.code.clone()).collect()
}

fn as_json(issuer: &Issuer, registry: &Registry) -> Value {
    json!({
        "iss": issuer.iss,
        "name": issuer.name,
        "enabled": issuer.is_enabled,
        "jwks_uri": issuer.jwks_uri,
        "algorithms": issuer.algorithms,
        "audience": issuer.audience,
        "levels": issuer.levels,
        "max_lifetime": issuer.max_lifetime,
        "organisation_claim": issuer.organisation_claim,
        "broker": issuer.is_broker,
        "hospitals": codes(issuer, registry),
        "introspection": issuer.introspection.as_ref().map(|asked| json!({
            "uri": asked.uri,
            "client": asked.client,
            "secret": asked.secret,
            "for_all": asked.is_for_all,
        })),
    })
}
