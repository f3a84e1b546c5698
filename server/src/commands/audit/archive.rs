//! `bund audit archive`: takes months out of the trail that are older than the retention, into files that prove themselves.
//!
//! A file is written whole, synced and read again before its month is dropped, and the note that is signed of it stands in the
//! database in the transaction that drops it: what a crash leaves behind is a file that the next run writes again.

use super::state;
use crate::commands::{Database, Prepared, block_on, prepare, say};
use crate::sealing::{origin, signer};
use crate::settings::Settings;
use anyhow::{Context as _, Result, anyhow, bail};
use audit::seal::archive::{Line, Manifest, read};
use audit::seal::key::Signer;
use audit::seal::note::sign;
use audit::seal::tree::{Digest, Span};
use aws_lc_rs::digest::{Context as Hashing, SHA256};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use store::Store;
use store::clock::micros;
use store::seal::archive::Part;
use store::seal::kept::Reading;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    database: Database,

    /// Months before this one, which must be older than BUND_AUDIT_RETENTION_DAYS: 2026-05
    #[arg(long, value_name = "YEAR-MONTH")]
    before: String,

    /// The folder that the files are written into.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

const LEVEL: i32 = 9;
/// Records that are compared with what is kept at once.
const LINES: usize = 8_192;
/// The longest line that is read.
const LINE_BYTES_MAX: u64 = 1 << 20;

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    let settings = &prepared.settings;
    let before = month(&arguments.before)?;
    let allowed = allowed(settings, Timestamp::now())?;
    if before > allowed {
        bail!(
            "records are kept for {} days (BUND_AUDIT_RETENTION_DAYS): --before can be {} at most",
            settings.audit.retention_days,
            allowed.strftime("%Y-%m")
        );
    }
    block_on(async {
        // Who serves may not drop a part of the trail.
        let store = Store::open(&prepared.owner).await?;
        let signer = signer(settings, &store).await?;
        let before = before.to_zoned(TimeZone::UTC)?.timestamp().as_microsecond();
        let parts = store.parts().await?;
        let old: Vec<&Part> = parts.iter().filter(|part| micros(part.end) <= before).collect();
        for part in &old {
            take(&prepared, &store, &signer, part, &arguments.out)
                .await
                .context(part.name.clone())?;
        }
        if old.is_empty() {
            say(&format!("no part of the trail ends before {}", arguments.before));
        }
        Ok(())
    })
}

/// The first day of a month.
fn month(text: &str) -> Result<Date> {
    let wrong = || anyhow!("--before is a year and a month, 2026-05, not {text}");
    let (year, month) = text.split_once('-').ok_or_else(wrong)?;
    let (year, month) = (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
    Date::new(year, month, 1).map_err(|_| wrong())
}

/// The first day of the youngest month that is old enough to be kept no longer than up to its beginning.
fn allowed(settings: &Settings, now: Timestamp) -> Result<Date> {
    let days = i64::try_from(settings.audit.retention_days)?;
    let oldest_kept = now.to_zoned(TimeZone::UTC).date().checked_sub(days.days())?;
    Ok(oldest_kept.first_of_month())
}

async fn take(
    prepared: &Prepared,
    store: &Store,
    signer: &Signer,
    part: &Part,
    folder: &Path,
) -> Result<()> {
    let path = folder.join(format!("{}.ndjson.zst", part.name));
    let fresh = path.with_extension("fresh");
    let place = || fresh.display().to_string();
    let mut reading = Reading::open(&prepared.owner).await?;
    let file = File::create(&fresh).with_context(place)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
    let contents = reading.lines(part, |line| writeln!(encoder, "{line}")).await?;
    let file = encoder.finish()?.into_inner().map_err(|error| anyhow!("{error}"))?;
    file.sync_all().with_context(place)?;
    let manifest = Manifest {
        origin: origin(&prepared.settings.service.base_url).to_owned(),
        part: part.name.clone(),
        leaves: contents.leaves,
        file: hash(&fresh)?,
    };
    prove(&fresh, &manifest, &reading).await?;
    std::fs::rename(&fresh, &path).with_context(place)?;
    let note = sign(&manifest.to_string(), signer);
    state::write(&folder.join(format!("{}.note", part.name)), &note)?;
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(place)?;
    store.take_out(part, contents.newest, &note).await?;
    say(&format!("{}: {} records are in {}", part.name, manifest.records(), path.display()));
    Ok(())
}

fn hash(path: &Path) -> Result<Digest> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let mut hashing = Hashing::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hashing.update(buffer.get(..read).unwrap_or_default());
    }
    Digest::read(hashing.finish().as_ref()).context("a hash of 32 bytes")
}

/// Reads a file again: it is the one that was signed, and each of its lines is a record whose hash is the leaf that is kept.
pub(super) async fn prove(path: &Path, manifest: &Manifest, reading: &Reading) -> Result<()> {
    if hash(path)? != manifest.file {
        bail!("{} is not the file that was signed", path.display());
    }
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut lines = BufReader::new(zstd::Decoder::new(BufReader::new(file))?);
    let mut expected = manifest.leaves.iter().cloned().flatten();
    let mut number = 0_u64;
    loop {
        let chunk = chunk(&mut lines)?;
        let (Some(first), Some(last)) = (chunk.first(), chunk.last()) else { break };
        let span =
            Span { level: 0, first: first.leaf, count: (last.leaf + 1).saturating_sub(first.leaf) };
        // A part that is strewn over the tree is read leaf by leaf.
        let is_dense = span.count <= 16 * u64::try_from(LINES)?;
        let kept = if is_dense { reading.digests(span).await? } else { Vec::new() };
        for line in &chunk {
            number += 1;
            let digest = if is_dense {
                let at = line.leaf.checked_sub(first.leaf).and_then(|at| usize::try_from(at).ok());
                at.and_then(|at| kept.get(at).copied())
            } else {
                let one = Span { level: 0, first: line.leaf, count: 1 };
                reading.digests(one).await?.first().copied()
            };
            let is_it = digest == Some(line.digest) && line.said == line.digest;
            if !is_it || expected.next() != Some(line.leaf) {
                bail!("line {number} of {} is not leaf {}", path.display(), line.leaf);
            }
        }
    }
    match expected.next() {
        None => Ok(()),
        Some(leaf) => bail!("{} ends before leaf {leaf}", path.display()),
    }
}

fn chunk(lines: &mut impl std::io::BufRead) -> Result<Vec<Line>> {
    let mut chunk = Vec::new();
    while chunk.len() < LINES {
        let mut line = String::new();
        if lines.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)? == 0 {
            break;
        }
        chunk.push(read(&line)?);
    }
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use super::{allowed, month};
    use crate::settings::{Settings, Source};

    #[test]
    fn law_01_what_is_younger_than_the_retention_is_not_archived() {
        let check = |days: &str, now: &str, expected: &str| {
            let given = |name: &str| (name == "BUND_AUDIT_RETENTION_DAYS").then(|| days.to_owned());
            let source = Source::read(None, given).unwrap();
            let settings = Settings::read(&source, Some(String::new())).unwrap();
            let allowed = allowed(&settings, now.parse().unwrap()).unwrap();
            assert_eq!(allowed, month(expected).unwrap(), "{days} days before {now}");
        };
        check("180", "2026-11-28T00:00:00Z", "2026-06");
        check("180", "2026-11-27T23:59:59Z", "2026-05");
        check("5479", "2026-11-28T12:00:00Z", "2011-11");
        for wrong in ["", "2026", "2026-13", "2026-05-01", "May"] {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }
}
