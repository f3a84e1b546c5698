//! `bund audit verify`: reads every record, makes its leaf anew and compares it with what was sealed, signed and witnessed.

use super::archive::prove;
use super::{state, verifiers};
use crate::commands::{Database, block_on, prepare, say};
use crate::sealing::signer;
use crate::settings::Settings;
use anyhow::{Context as _, Result, bail};
use audit::seal::finding::Finding;
use audit::seal::key::Verifier;
use audit::seal::note::Checkpoint;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use store::Store;
use store::seal::examination::{Known, Outcome, examine, manifest};
use store::seal::kept::Reading;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    database: Database,

    /// A key that signed heads are verified with, as `bund audit key` printed it; can be given several times. That of this server when
    /// none is given.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,

    /// Remember in this file how far the trail was verified, and go on from there.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// A head that a witness keeps, as `bund audit witness` wrote it; can be given several times.
    #[arg(long = "witness", value_name = "FILE")]
    witnesses: Vec<PathBuf>,

    /// The folder with the files of archived months, to verify them as well.
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
}

const BAR: &str = "{wide_bar} {human_pos} of {human_len} leaves, {per_sec}, {eta} left";

pub(super) fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let settings = &prepared.settings;
        let store = Store::open(&settings.database).await?;
        let known = known(settings, &store, &arguments).await?;
        let began = Instant::now();
        let bar = std::io::stderr().is_terminal().then(bar);
        let outcome = examine(&settings.database, &known, |done, total| {
            if let Some(bar) = &bar {
                bar.set_length(total);
                bar.set_position(done);
            }
        })
        .await?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        tell(&outcome, began);
        let archives = match &arguments.archive {
            Some(folder) => verify_archives(settings, &known.keys, folder).await?,
            None => 0,
        };
        if let (Some(path), Some(point)) = (&arguments.state, &outcome.point) {
            state::write(path, &state::text(point))?;
        }
        let found = u64::try_from(outcome.report.findings.len()).unwrap_or(u64::MAX);
        match found.saturating_add(outcome.report.more).saturating_add(archives) {
            0 => Ok(()),
            1 => bail!("the trail is not as it was sealed: 1 finding"),
            number => bail!("the trail is not as it was sealed: {number} findings"),
        }
    })
}

async fn known(settings: &Settings, store: &Store, arguments: &Arguments) -> Result<Known> {
    let mut keys = verifiers(&arguments.keys)?;
    if keys.is_empty() {
        keys.push(signer(settings, store).await?.verifier().clone());
        say("no --key was given: heads are verified with the key that this server signs with");
    }
    let from = match &arguments.state {
        None => None,
        Some(path) => {
            let text = state::read(path)?;
            let point = text.map(|text| state::point(&text)).transpose();
            point.with_context(|| path.display().to_string())?
        }
    };
    let witnesses: Result<Vec<(String, Checkpoint)>> =
        arguments.witnesses.iter().map(|path| witness(path, &keys)).collect();
    Ok(Known { keys, witnesses: witnesses?, from })
}

fn witness(path: &Path, keys: &[Verifier]) -> Result<(String, Checkpoint)> {
    let place = path.display().to_string();
    let note = state::read(path)?.with_context(|| format!("{place} is not there"))?;
    let checkpoint = Checkpoint::open(&note, keys).with_context(|| place.clone())?;
    Ok((format!("the witness of {place}"), checkpoint))
}

/// How many archived parts are not what was signed of them.
async fn verify_archives(settings: &Settings, keys: &[Verifier], folder: &Path) -> Result<u64> {
    let reading = Reading::open(&settings.database).await?;
    let mut wrong = 0;
    for taken in reading.taken().await? {
        // A note that is not signed as it must be is among the findings already.
        let Ok(manifest) = manifest(&taken, keys) else { continue };
        let path = folder.join(format!("{}.ndjson.zst", taken.part));
        match prove(&path, &manifest, &reading).await {
            Ok(()) => say(&format!(
                "{}: {} records are as they were sealed",
                taken.part,
                manifest.records()
            )),
            Err(error) => {
                wrong += 1;
                let reason = format!("{error:#}");
                say(&Finding::Archive { partition: taken.part, reason }.to_string());
            }
        }
    }
    Ok(wrong)
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn tell(outcome: &Outcome, began: Instant) {
    let report = &outcome.report;
    for finding in &report.findings {
        say(&finding.to_string());
    }
    if report.more > 0 {
        say(&format!("and {} more", report.more));
    }
    let seconds = began.elapsed().as_secs_f64();
    say(&format!(
        "{} records are as they were sealed, {} heads fit; {} leaves in all ({seconds:.1} s)",
        report.intact, report.heads, outcome.size
    ));
    if report.archived > 0 {
        say(&format!("{} records are archived", report.archived));
    }
    let unsigned = outcome.size.saturating_sub(outcome.signed);
    if unsigned > 0 {
        say(&format!("{unsigned} leaves are younger than the newest signed head"));
    }
    if outcome.unsealed.records > 0 {
        say(&format!("{} records are not sealed yet", outcome.unsealed.records));
    }
}
