//! Which command.

use anyhow::Result;
use clap::{Parser, Subcommand};
use server::commands::{
    analyze, audit, client, demo_issuer, generate, hospital, import, issuer, migrate, probe,
    registry, reindex, serve, settings,
};
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A FHIR R4 server that the hospitals of one city share.
#[derive(Parser)]
#[command(name = "bund", version, about)]
struct Arguments {
    /// A TOML file with settings; BUND_* variables win over it (docs/settings.md).
    #[arg(long, global = true, value_name = "FILE", env = "BUND_CONFIG")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the FHIR API.
    Serve(serve::Arguments),
    /// Bring the database to the schema of this program; safe to run again and from several places at once.
    Migrate(migrate::Arguments),
    /// Write an invented city as NDJSON, to try things on; needs no database.
    Generate(generate::Arguments),
    /// Load bundles and NDJSON files into the database, in bulk.
    Import(import::Arguments),
    /// Make the index entries of stored resources anew, while servers serve.
    Reindex(reindex::Arguments),
    /// Say what would help the database: settings, statistics, searches that no index leads.
    Analyze(analyze::Arguments),
    /// The seal of the trail: its key, its heads, whether it still fits, what witnesses keep of it.
    Audit(audit::Arguments),
    /// Register hospitals.
    Hospital(hospital::Arguments),
    /// Register who signs the tokens that this server takes.
    Issuer(issuer::Arguments),
    /// Register the clients of an issuer.
    Client(client::Arguments),
    /// Say who changed the registry of hospitals, issuers and clients, and how.
    Registry(registry::Arguments),
    /// Ask a server that runs elsewhere whether it is well.
    Probe(probe::Arguments),
    /// Sign tokens for invented people, for demonstrations on this machine; only on a loopback address.
    DemoIssuer(demo_issuer::Arguments),
    /// Print the names of all settings with their defaults.
    Settings,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            server::commands::complain(&format!("bund: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let config = arguments.config.as_deref();
    match arguments.command {
        Command::Serve(arguments) => serve::run(config, arguments),
        Command::Migrate(arguments) => migrate::run(config, arguments),
        Command::Generate(arguments) => generate::run(&arguments),
        Command::Import(arguments) => import::run(config, arguments),
        Command::Reindex(arguments) => reindex::run(config, arguments),
        Command::Analyze(arguments) => analyze::run(config, arguments),
        Command::Audit(arguments) => audit::run(config, arguments),
        Command::Hospital(arguments) => hospital::run(config, arguments),
        Command::Issuer(arguments) => issuer::run(config, arguments),
        Command::Client(arguments) => client::run(config, arguments),
        Command::Registry(arguments) => registry::run(config, arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::DemoIssuer(arguments) => demo_issuer::run(arguments),
        Command::Settings => settings::run(),
    }
}
