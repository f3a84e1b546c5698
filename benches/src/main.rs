//! `benches city` makes a seeded city; `benches run` measures against the ceilings of this machine.

mod bundles;
mod city;
mod database;
mod import;
mod process;
mod reads;
mod report;

use anyhow::Result;
use clap::{Parser, Subcommand};
use report::Report;
use std::io::{BufWriter, Write as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a city as NDJSON to standard output.
    City {
        #[arg(long, default_value_t = 1_000)]
        patients: u32,
    },
    /// Measure.
    Run {
        /// Patients of the city that is loaded; each brings about 20 resources.
        #[arg(long, default_value_t = 10_000)]
        patients: u32,
        /// Seconds of load for each figure of reads.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Bundles of 100 resources.
        #[arg(long, default_value_t = 200)]
        bundles: u32,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::City { patients } => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            for resource in city::resources(0..patients) {
                serde_json::to_writer(&mut out, &resource)?;
                out.write_all(b"\n")?;
            }
            Ok(out.flush()?)
        }
        Command::Run { patients, seconds, bundles } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run(patients, seconds, bundles))
        }
    }
}

async fn run(patients: u32, seconds: u64, bundles: u32) -> Result<()> {
    let mut report = Report::new()?;
    let database = database::Database::start().await?;
    report.line(&format!("PostgreSQL {}, durable, on this disk", database.version().await?))?;
    let durable = database.durable_commit_ms().await?;
    report.line(&format!("one durable commit: p50 {durable:.2} ms"))?;

    import::measure(&database, patients, &mut report).await?;
    let server = process::Server::start(&database.url("city")).await?;
    report.line(&format!(
        "start to ready: {} ms; memory at rest: {} MB",
        server.ready_ms,
        server.memory_mb()?
    ))?;
    reads::measure(&database, &server, seconds, durable, &mut report).await?;
    bundles::measure(&database, &server, bundles, &mut report).await?;
    report.line(&format!("memory after the load: {} MB", server.memory_mb()?))?;
    report.close()
}
