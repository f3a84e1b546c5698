//! `benches run` measures against the ceilings of this machine.

mod bundles;
mod by_hand;
mod database;
mod import;
mod indexes;
mod mixed;
mod process;
mod reads;
mod report;
mod seal;
mod searches;

use anyhow::Result;
use city::City;
use clap::{Parser, Subcommand};
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure.
    Run {
        /// Patients of the city that is loaded; each brings about 35 resources.
        #[arg(long, default_value_t = 10_000)]
        patients: u32,
        /// Seconds of load for each figure of reads.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Bundles of 100 resources.
        #[arg(long, default_value_t = 200)]
        bundles: u32,
    },
    /// Measure what sealing the trail costs, and verifying it.
    Seal {
        /// Records that are sealed and verified.
        #[arg(long, default_value_t = 500_000)]
        records: i64,
        /// Seconds of the load while the lag is measured.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// Measure a published set of searches in a city of 50,000 resources and in a larger one.
    Searches {
        /// Patients of the larger city; 28,000 bring a million resources.
        #[arg(long, default_value_t = 28_000)]
        patients: u32,
        /// Seconds of the mixed load.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.command {
        Command::Run { patients, seconds, bundles } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(run(patients, seconds, bundles))
        }
        Command::Seal { records, seconds } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut report = Report::new()?;
                seal::measure(records, seconds, &mut report).await?;
                report.close()
            })
        }
        Command::Searches { patients, seconds } => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut report = Report::new()?;
                searches::measure(patients, seconds, &mut report).await?;
                report.close()
            })
        }
    }
}

/// The city that everything is measured with.
fn city() -> City {
    City::new(1, 50)
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
