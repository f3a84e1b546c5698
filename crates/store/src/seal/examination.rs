//! Goes through the trail and all that is kept of it, a group of batches at a time, and reports what does not fit.

use super::archive::Taken;
use super::kept::{Encoded, Head as Stored, Reading, Unsealed};
use crate::error::Error;
use crate::pool::Settings;
use audit::seal::archive::Manifest;
use audit::seal::examine::{Batch, Examiner, Head, Kept, Position, Report};
use audit::seal::finding::{Finding, Source};
use audit::seal::frontier::Frontier;
use audit::seal::key::Verifier;
use audit::seal::leaf::ENCODING;
use audit::seal::note::{Checkpoint, Note};
use audit::seal::tree::{Digest, STRIDE, Span};
use std::collections::BTreeMap;
use std::ops::Range;

/// Leaves that are read together; bounds what is in memory.
const GROUP_LEAVES: u64 = 1 << 18;

/// How far an earlier examination came, and where the next one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    pub size: u64,
    pub root: Digest,
    pub until: Position,
}

/// What is known from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Whose signatures are trusted.
    pub keys: Vec<Verifier>,
    /// Heads that others kept, each with a name.
    pub witnesses: Vec<(String, Checkpoint)>,
    /// None to begin with the first record.
    pub from: Option<Point>,
}

#[derive(Debug)]
pub struct Outcome {
    pub report: Report,
    /// Leaves that are kept.
    pub size: u64,
    /// The size of the newest signed head.
    pub signed: u64,
    pub unsealed: Unsealed,
    /// Where the next examination goes on; none where something was found.
    pub point: Option<Point>,
}

/// `progress` is told how many leaves of how many are done.
pub async fn examine(
    settings: &Settings,
    known: &Known,
    mut progress: impl FnMut(u64, u64),
) -> Result<Outcome, Error> {
    let mut reading = Reading::open(settings).await?;
    let total = reading.size().await?;
    // A witness's head from before that point can only be compared from the start.
    let is_covered =
        |point: &Point| known.witnesses.iter().all(|(_, head)| head.size >= point.size);
    let from = known.from.filter(is_covered);
    let (archived, forged) = archived(&reading, &known.keys).await?;
    let (mut examiner, mut after) = match from {
        None => (Examiner::new(archived), Position::START),
        Some(point) => (resume(&reading, &point, archived).await?, point.until),
    };
    for finding in forged {
        examiner.note(finding);
    }
    if let Some(point) = from
        && (examiner.size() != point.size || examiner.root() != point.root)
    {
        let source = Source::Witness("the state file".to_owned());
        let finding = match total < point.size {
            true => Finding::Shorter { size: total, signed: point.size, source },
            false => Finding::HeadUnfitting { size: point.size, after: 0, source },
        };
        examiner.note(finding);
        return Ok(Outcome {
            report: examiner.finish(&BTreeMap::new()),
            size: total,
            signed: 0,
            unsealed: Unsealed::default(),
            point: None,
        });
    }
    while examiner.size() < total && !examiner.is_stopped() {
        let batches = group(&reading, examiner.size(), total).await?;
        let (Some((_, first)), Some((_, last))) = (batches.first(), batches.last()) else { break };
        let missing = first.first_leaf.saturating_sub(examiner.size());
        if missing > GROUP_LEAVES {
            examiner.stop_before(missing);
            break;
        }
        let until = last.until;
        let kept = kept(&reading, &mut examiner, last, known).await?;
        let rows = reading.rows(after, until).await?;
        let mut rest = rows.as_slice();
        for (encoding, batch) in &batches {
            let (own, later) =
                rest.split_at(rest.partition_point(|row| row.position <= batch.until));
            feed(&mut examiner, &(*encoding, batch.clone()), own, &kept);
            rest = later;
        }
        after = until;
        progress(examiner.size(), total);
    }
    let size = examiner.size();
    let mut beyond: BTreeMap<u64, Vec<Head>> = BTreeMap::new();
    let signed = reading.signed_size().await?;
    for head in reading.heads(size, u64::MAX).await? {
        accept(&mut examiner, &mut beyond, head, &known.keys);
    }
    witnesses(&mut beyond, known, size);
    let unsealed = reading.unsealed(after).await?;
    if let Some(record) = unsealed.impossible {
        examiner.note(Finding::FromTheFuture { record });
    }
    let root = examiner.root();
    let report = examiner.finish(&beyond);
    let is_good = report.findings.is_empty();
    let point = is_good.then_some(Point { size, root, until: after });
    Ok(Outcome { report, size: total, signed, unsealed, point })
}

/// Leaves that are archived, as far as a signature says so; and what is said without one.
async fn archived(
    reading: &Reading,
    keys: &[Verifier],
) -> Result<(Vec<Range<u64>>, Vec<Finding>), Error> {
    let mut leaves = Vec::new();
    let mut forged = Vec::new();
    for taken in reading.taken().await? {
        match manifest(&taken, keys) {
            Ok(manifest) => leaves.extend(manifest.leaves),
            Err(reason) => forged.push(Finding::Archive { partition: taken.part, reason }),
        }
    }
    Ok((leaves, forged))
}

/// What was signed of a part that was taken out.
pub fn manifest(taken: &Taken, keys: &[Verifier]) -> Result<Manifest, String> {
    let note = Note::parse(&taken.note).map_err(|error| error.to_string())?;
    note.verify(keys).map_err(|error| error.to_string())?;
    let manifest = Manifest::parse(note.text()).map_err(|error| error.to_string())?;
    if manifest.part != taken.part {
        return Err(format!("its note is of {}", manifest.part));
    }
    if !keys.iter().any(|key| key.name() == manifest.origin) {
        return Err(format!("its note is of {}, another trail", manifest.origin));
    }
    Ok(manifest)
}

/// The batches of the next leaves; where they are gone, the first one after them.
async fn group(reading: &Reading, from: u64, total: u64) -> Result<Vec<Encoded>, Error> {
    let end = total.min(from + GROUP_LEAVES);
    let batches = reading.batches(from, end, i64::MAX).await?;
    if !batches.is_empty() {
        return Ok(batches);
    }
    reading.batches(from, total, 1).await
}

fn feed(
    examiner: &mut Examiner,
    (encoding, batch): &Encoded,
    rows: &[audit::seal::examine::Row],
    kept: &Kept,
) {
    if *encoding != ENCODING {
        examiner.note(Finding::Encoding { first: batch.first_leaf, encoding: *encoding });
    }
    examiner.batch(batch, rows, kept);
}

async fn resume(
    reading: &Reading,
    point: &Point,
    archived: Vec<Range<u64>>,
) -> Result<Examiner, Error> {
    let whole = point.size >> STRIDE << STRIDE;
    let mut open = Vec::new();
    for span in Frontier::spans(whole) {
        open.push(reading.digests(span).await?);
    }
    // What is not kept any more is found when the root is compared.
    let tree = Frontier::restore(whole, open).unwrap_or_default();
    let block = reading.digests(Span { level: 0, first: whole, count: point.size - whole }).await?;
    Ok(Examiner::resume(tree, block, archived))
}

/// Nodes and heads that belong to the leaves up to the end of a batch.
async fn kept(
    reading: &Reading,
    examiner: &mut Examiner,
    last: &Batch,
    known: &Known,
) -> Result<Kept, Error> {
    let from = examiner.size();
    let end = last.first_leaf + u64::try_from(last.digests.len()).unwrap_or(0);
    let mut kept = Kept::default();
    let mut level = STRIDE;
    while level < u64::BITS && end >> level > 0 {
        for (index, digest) in reading.nodes(level, from >> level, end >> level).await? {
            kept.nodes.insert((level, index), digest);
        }
        level += STRIDE;
    }
    for head in reading.heads(from, end).await? {
        accept(examiner, &mut kept.heads, head, &known.keys);
    }
    witnesses(&mut kept.heads, known, from);
    Ok(kept)
}

/// Takes a head for what it says, if it is signed and its row says the same.
fn accept(
    examiner: &mut Examiner,
    heads: &mut BTreeMap<u64, Vec<Head>>,
    stored: Stored,
    keys: &[Verifier],
) {
    let size = stored.size;
    let refuse = |reason: String| Finding::HeadRewritten { size, reason };
    let checkpoint = match Checkpoint::open(&stored.note, keys) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return examiner.note(refuse(error.to_string())),
    };
    if checkpoint.size != size || stored.root != Some(checkpoint.root) {
        return examiner.note(refuse("its row says something else".to_owned()));
    }
    if !keys.iter().any(|key| key.name() == checkpoint.origin) {
        return examiner.note(refuse(format!("it is of {}, another trail", checkpoint.origin)));
    }
    let head = Head { root: checkpoint.root, source: Source::Signed };
    heads.entry(size).or_default().push(head);
}

fn witnesses(heads: &mut BTreeMap<u64, Vec<Head>>, known: &Known, above: u64) {
    for (name, checkpoint) in &known.witnesses {
        if checkpoint.size > above {
            let source = Source::Witness(name.clone());
            let head = Head { root: checkpoint.root, source };
            heads.entry(checkpoint.size).or_default().push(head);
        }
    }
}
