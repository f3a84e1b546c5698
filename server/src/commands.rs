//! The commands of `bund`, a file each, and what they share.

pub mod analyze;
pub mod audit;
pub mod author;
pub mod client;
pub mod demo_issuer;
pub mod generate;
pub mod hospital;
pub mod import;
pub mod issuer;
pub mod migrate;
pub mod probe;
pub mod registry;
pub mod reindex;
pub mod serve;
pub mod settings;

use crate::settings::{Settings, Source};
use crate::telemetry::{Exporting, begin};
use anyhow::{Context, Result};
use embedded::Cluster;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use store::role::{PRIVATE, Server};

/// Where the database is, for every command that needs one.
#[derive(clap::Args, Debug)]
pub struct Database {
    /// Run a private PostgreSQL in this directory, made from the machine's own binaries, instead of BUND_DATABASE_URL.
    #[arg(long, value_name = "DIR")]
    embedded_db: Option<PathBuf>,
}

/// Settings, and the private PostgreSQL that lives as long as this does.
pub struct Prepared {
    /// Of a private PostgreSQL as the role that serves.
    pub settings: Settings,
    /// As who may change the schema: the same as in the settings, but of a private PostgreSQL its owner.
    pub owner: store::pool::Settings,
    /// The role that a private PostgreSQL is served as.
    pub server: Option<Server>,
    _exporting: Exporting,
    _cluster: Option<Cluster>,
}

/// Reads the settings, begins to log, starts the private PostgreSQL if one is asked for.
pub fn prepare(config: Option<&Path>, database: &Database) -> Result<Prepared> {
    let source = Source::read(config, |name| std::env::var(name).ok())?;
    // The database's address is not known yet when a private PostgreSQL is asked for; everything else can be checked first.
    let pending = database.embedded_db.as_ref().map(|_| String::new());
    let checked = Settings::read(&source, pending)?;
    let exporting = begin(&checked)?;
    let Some(directory) = &database.embedded_db else {
        let owner = checked.database.clone();
        return Ok(Prepared {
            settings: checked,
            owner,
            server: None,
            _exporting: exporting,
            _cluster: None,
        });
    };
    let cluster = Cluster::start(directory)
        .with_context(|| format!("no private PostgreSQL in {}", directory.display()))?;
    let settings = Settings::read(&source, Some(cluster.url_as(PRIVATE, "postgres")))?;
    let owner = store::pool::Settings { url: cluster.url(), ..settings.database.clone() };
    let server = Some(Server { role: PRIVATE.to_owned(), is_created: true });
    Ok(Prepared { settings, owner, server, _exporting: exporting, _cluster: Some(cluster) })
}

/// A runtime for commands that are not the HTTP server.
pub fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// A line for whoever called us.
pub fn say(text: &str) {
    // Nobody may be listening; that is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{text}");
}

pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Rows under each other, the first one a heading; the last column is as long as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let width =
        |column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = widths.iter().enumerate();
        let padded: Vec<String> =
            cells.map(|(column, width)| format!("{:width$}", cell(row, column))).collect();
        padded.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// As commands say whether something is in force.
fn state(is_enabled: bool) -> String {
    if is_enabled { "enabled" } else { "disabled" }.to_owned()
}
