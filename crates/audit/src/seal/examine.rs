//! Compares records with what was sealed of them, leaf by leaf, and says what was done to which.

use super::finding::{Finding, Source};
use super::frontier::Frontier;
use super::tree::{Digest, GROUP, STRIDE, root};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Where a record lies in the order of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub transaction: i64,
    pub id: i64,
    pub shard: i32,
}

impl Position {
    /// Before every record.
    pub const START: Position = Position { transaction: i64::MIN, id: i64::MIN, shard: i32::MIN };
}

/// Leaves that were sealed together, as they are kept.
#[derive(Clone, Debug)]
pub struct Batch {
    pub first_leaf: u64,
    pub until: Position,
    pub digests: Vec<Digest>,
}

/// A record as it is now.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub position: Position,
    pub digest: Digest,
    pub agent: Option<i64>,
}

/// What the tree must be at a size.
#[derive(Clone, Debug)]
pub struct Head {
    pub root: Digest,
    pub source: Source,
}

/// What is kept beside the batches, as far as a group of them needs it.
#[derive(Debug, Default)]
pub struct Kept {
    /// By level and index.
    pub nodes: HashMap<(u32, u64), Digest>,
    pub heads: BTreeMap<u64, Vec<Head>>,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Beyond those that are listed.
    pub more: u64,
    /// Records that are as they were sealed.
    pub intact: u64,
    /// Leaves whose records are said, under a signature, to be archived.
    pub archived: u64,
    /// Heads that fit.
    pub heads: u64,
}

/// Findings that are listed; the others are counted.
const FINDINGS_MAX: usize = 1_000;
/// Agents whose records are counted.
const AGENTS_MAX: usize = 1_000_000;

#[derive(Debug, Default)]
pub struct Examiner {
    /// Whole blocks of 256 leaves, then those of the block in progress.
    tree: Frontier,
    block: Vec<Digest>,
    doubts: Vec<Doubt>,
    /// Leaves whose absence is explained.
    archived: Vec<Range<u64>>,
    /// The size of the last head that fitted.
    fitting: u64,
    is_unfitting: bool,
    /// The record before, for those that were removed after it.
    before: Option<i64>,
    removed: Option<(u64, u64, Option<i64>)>,
    /// Intact records and others, by agent.
    agents: HashMap<i64, (u64, u64)>,
    is_stopped: bool,
    report: Report,
}

/// A record that is not what is kept: one of them was changed, and what lies above them tells which.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    leaf: u64,
    row: Row,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Same(usize),
    Differs(usize),
    Removed,
    Added(usize),
}

impl Examiner {
    /// `archived` are leaves that have no record here.
    pub fn new(archived: Vec<Range<u64>>) -> Examiner {
        Examiner { archived, ..Examiner::default() }
    }

    /// Goes on with a tree that was found good; `block` are the leaves after its last whole block.
    pub fn resume(tree: Frontier, block: Vec<Digest>, archived: Vec<Range<u64>>) -> Examiner {
        let mut examiner = Examiner { tree, block, archived, ..Examiner::default() };
        examiner.fitting = examiner.size();
        examiner
    }

    /// How many leaves were examined.
    pub fn size(&self) -> u64 {
        self.tree.size() + u64::try_from(self.block.len()).unwrap_or(0)
    }

    pub fn root(&self) -> Digest {
        self.root_with(&self.block)
    }

    /// Whether what is kept is so broken that nothing can be said of what follows.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    pub fn note(&mut self, finding: Finding) {
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(finding);
        } else {
            self.report.more += 1;
        }
    }

    /// So many leaves are gone that they cannot be made again from their records.
    pub fn stop_before(&mut self, missing: u64) {
        self.note(Finding::BatchMissing { first: self.size(), count: missing });
        self.stop();
    }

    /// Examines a batch. `rows` are the records after the batch before it and up to its end.
    pub fn batch(&mut self, batch: &Batch, rows: &[Row], kept: &Kept) {
        if self.is_stopped {
            return;
        }
        let digests = match batch.first_leaf.checked_sub(self.size()) {
            Some(0) => batch.digests.clone(),
            Some(missing) => {
                self.note(Finding::BatchMissing { first: self.size(), count: missing });
                match fill(missing, &batch.digests, rows) {
                    Some(digests) => digests,
                    None => return self.stop(),
                }
            }
            None => {
                self.note(Finding::BatchOverlaps { first: batch.first_leaf });
                return self.stop();
            }
        };
        let mut leaves = digests.iter();
        for step in align(&digests, rows) {
            match step {
                Step::Same(row) | Step::Differs(row) => {
                    let (Some(row), Some(leaf)) = (rows.get(row), leaves.next()) else { continue };
                    self.close_gap(Some(row.position.id));
                    let is_same = row.digest == *leaf;
                    self.count(row, is_same);
                    if !is_same {
                        self.doubts.push(Doubt { leaf: self.size(), row: *row });
                    }
                    self.before = Some(row.position.id);
                    self.leaf(*leaf, kept);
                }
                Step::Removed => {
                    let Some(leaf) = leaves.next() else { continue };
                    self.absent();
                    self.leaf(*leaf, kept);
                }
                Step::Added(row) => {
                    let Some(row) = rows.get(row) else { continue };
                    let before_leaf = self.size();
                    self.note(Finding::Added { record: row.position.id, before_leaf });
                }
            }
        }
    }

    /// What is left to say, with the heads of sizes that were not reached.
    pub fn finish(mut self, beyond: &BTreeMap<u64, Vec<Head>>) -> Report {
        self.close_gap(None);
        self.settle_as_edited();
        let size = self.size();
        if !self.is_stopped
            && let Some((larger, heads)) = beyond.range(size + 1..).next_back()
            && let Some(head) = heads.first()
        {
            let source = head.source.clone();
            self.note(Finding::Shorter { size, signed: *larger, source });
        }
        let edited = |(agent, (intact, other)): (&i64, &(u64, u64))| {
            (*intact == 0 && *other > 1)
                .then_some(Finding::AgentEdited { agent: *agent, records: *other })
        };
        let mut edited: Vec<Finding> = self.agents.iter().filter_map(edited).collect();
        edited.sort_by_key(ToString::to_string);
        for finding in edited {
            self.note(finding);
        }
        self.report
    }

    fn stop(&mut self) {
        self.is_stopped = true;
        self.note(Finding::Stopped { leaf: self.size() });
    }

    fn count(&mut self, row: &Row, is_same: bool) {
        if is_same {
            self.report.intact += 1;
        }
        let Some(agent) = row.agent else { return };
        if self.agents.len() < AGENTS_MAX || self.agents.contains_key(&agent) {
            let (intact, other) = self.agents.entry(agent).or_default();
            *(if is_same { intact } else { other }) += 1;
        }
    }

    /// A leaf without a record.
    fn absent(&mut self) {
        let leaf = self.size();
        if self.archived.iter().any(|range| range.contains(&leaf)) {
            self.report.archived += 1;
            return;
        }
        match &mut self.removed {
            Some((first, count, _)) if *first + *count == leaf => *count += 1,
            _ => {
                self.close_gap(None);
                self.removed = Some((leaf, 1, self.before));
            }
        }
    }

    /// Tells of what was removed, now that it is known what comes after it.
    fn close_gap(&mut self, after: Option<i64>) {
        if let Some((first, count, before)) = self.removed.take() {
            self.note(Finding::Removed { first, count, before, after });
        }
    }

    fn leaf(&mut self, digest: Digest, kept: &Kept) {
        self.block.push(digest);
        if self.block.len() == GROUP {
            self.close_block(kept);
        }
        for head in kept.heads.get(&self.size()).into_iter().flatten() {
            self.head(head);
        }
    }

    fn close_block(&mut self, kept: &Kept) {
        let index = self.tree.size() >> STRIDE;
        match kept.nodes.get(&(STRIDE, index)) {
            None => self.note(Finding::NodeMissing { level: STRIDE, index }),
            Some(node) if root(&self.block) == *node => self.settle_as_edited(),
            Some(node) => {
                let other = self.with_doubts();
                if root(&other) == *node {
                    self.settle_as_rewritten(other);
                } else {
                    self.note(Finding::NodeRewritten { level: STRIDE, index });
                }
            }
        }
        let mut above = Vec::new();
        for leaf in std::mem::take(&mut self.block) {
            self.tree.push(leaf, |node| above.push(node));
        }
        for node in above.into_iter().filter(|node| node.level > STRIDE) {
            let (level, index) = (node.level, node.index);
            match kept.nodes.get(&(level, index)) {
                None => self.note(Finding::NodeMissing { level, index }),
                Some(digest) if *digest == node.digest => {}
                Some(_) => self.note(Finding::NodeRewritten { level, index }),
            }
        }
        // What is still in doubt lies in a block that is closed: no other root will tell.
        self.settle_as_edited();
    }

    fn head(&mut self, head: &Head) {
        let other = self.with_doubts();
        if self.root() == head.root {
            self.settle_as_edited();
        } else if !self.doubts.is_empty() && self.root_with(&other) == head.root {
            self.settle_as_rewritten(other);
        } else {
            // All that follow do not fit either: the first one says from where on.
            if !self.is_unfitting {
                let (size, after) = (self.size(), self.fitting);
                self.note(Finding::HeadUnfitting { size, after, source: head.source.clone() });
            }
            self.is_unfitting = true;
            return;
        }
        self.fitting = self.size();
        self.report.heads += 1;
    }

    fn root_with(&self, block: &[Digest]) -> Digest {
        let mut tree = self.tree.clone();
        for leaf in block {
            tree.push(*leaf, |_| {});
        }
        tree.root()
    }

    /// The block in progress as the records say it is.
    fn with_doubts(&self) -> Vec<Digest> {
        let mut block = self.block.clone();
        for doubt in &self.doubts {
            let at = doubt.leaf.checked_sub(self.tree.size());
            let at = at.and_then(|at| usize::try_from(at).ok());
            if let Some(leaf) = at.and_then(|at| block.get_mut(at)) {
                *leaf = doubt.row.digest;
            }
        }
        block
    }

    fn settle_as_edited(&mut self) {
        for Doubt { leaf, row } in std::mem::take(&mut self.doubts) {
            self.note(Finding::Edited { record: row.position.id, leaf, agent: row.agent });
        }
    }

    fn settle_as_rewritten(&mut self, block: Vec<Digest>) {
        self.block = block;
        for Doubt { leaf, row } in std::mem::take(&mut self.doubts) {
            self.note(Finding::DigestRewritten { record: row.position.id, leaf });
            self.report.intact += 1;
            if let Some((intact, other)) = row.agent.and_then(|agent| self.agents.get_mut(&agent)) {
                (*intact, *other) = (*intact + 1, other.saturating_sub(1));
            }
        }
    }
}

/// The digests of a batch that is missing, from the records that would be in it, and those of the one after it.
fn fill(missing: u64, digests: &[Digest], rows: &[Row]) -> Option<Vec<Digest>> {
    let missing = usize::try_from(missing).ok()?;
    let (own, rest) = rows.split_at_checked(missing)?;
    let is_next = rest.first().map(|row| row.digest) == digests.first().copied();
    is_next.then(|| own.iter().map(|row| row.digest).chain(digests.iter().copied()).collect())
}

/// What became of each leaf, in order, with the records that are no leaf. Between two leaves that have their records, records
/// that do not fit are taken for those whose leaves have none.
fn align(digests: &[Digest], rows: &[Row]) -> Vec<Step> {
    let is_same = digests.len() == rows.len()
        && digests.iter().zip(rows).all(|(digest, row)| *digest == row.digest);
    if is_same {
        return (0..rows.len()).map(Step::Same).collect();
    }
    let places: HashMap<Digest, usize> =
        digests.iter().enumerate().map(|(place, digest)| (*digest, place)).collect();
    let mut steps = Vec::new();
    let (mut leaf, mut row) = (0, 0);
    while leaf < digests.len() || row < rows.len() {
        let next = rows.iter().enumerate().skip(row).find_map(|(at, found)| {
            places.get(&found.digest).filter(|place| **place >= leaf).map(|place| (*place, at))
        });
        let (next_leaf, next_row) = next.unwrap_or((digests.len(), rows.len()));
        let both = (next_leaf - leaf).min(next_row - row);
        steps.extend((row..row + both).map(Step::Differs));
        steps.extend((leaf + both..next_leaf).map(|_| Step::Removed));
        steps.extend((row + both..next_row).map(Step::Added));
        (leaf, row) = (next_leaf, next_row);
        if next.is_some() {
            steps.push(Step::Same(row));
            (leaf, row) = (leaf + 1, row + 1);
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::{Batch, Examiner, Head, Kept, Position, Row};
    use crate::seal::finding::Source;
    use crate::seal::frontier::Frontier;
    use crate::seal::tree::Digest;
    use crate::seal::tree::tests::leaf;
    use std::collections::BTreeMap;

    const BATCH: usize = 100;

    fn row(number: u64) -> Row {
        let id = i64::try_from(number).unwrap();
        let position = Position { transaction: id / 3, id, shard: 0 };
        Row { position, digest: leaf(&number.to_be_bytes()), agent: Some(id % 2) }
    }

    struct Trail {
        rows: Vec<Row>,
        batches: Vec<Batch>,
        kept: Kept,
    }

    /// So many records in batches of a hundred, a signed head after each fourth one.
    fn trail(count: u64) -> Trail {
        let rows: Vec<Row> = (0..count).map(row).collect();
        let mut kept = Kept::default();
        let mut tree = Frontier::default();
        let mut batches = Vec::new();
        for (number, rows) in rows.chunks(BATCH).enumerate() {
            let digests: Vec<Digest> = rows.iter().map(|row| row.digest).collect();
            let until = rows.last().unwrap().position;
            batches.push(Batch { first_leaf: tree.size(), until, digests: digests.clone() });
            for digest in digests {
                tree.push(digest, |node| {
                    kept.nodes.insert((node.level, node.index), node.digest);
                });
            }
            if number % 4 == 3 {
                let head = Head { root: tree.root(), source: Source::Signed };
                kept.heads.insert(tree.size(), vec![head]);
            }
        }
        Trail { rows, batches, kept }
    }

    fn examine(trail: &Trail) -> Vec<String> {
        let mut examiner = Examiner::default();
        let mut rows = trail.rows.as_slice();
        for batch in &trail.batches {
            let end = rows.partition_point(|row| row.position <= batch.until);
            let (own, rest) = rows.split_at(end);
            examiner.batch(batch, own, &trail.kept);
            rows = rest;
        }
        let report = examiner.finish(&trail.kept.heads);
        report.findings.iter().map(ToString::to_string).collect()
    }

    /// After this was done to a trail of 1,200 records, this is said of it.
    fn check(change: impl FnOnce(&mut Trail), expected: &[&str]) {
        let mut trail = trail(1_200);
        assert_eq!(examine(&trail), Vec::<String>::new());
        change(&mut trail);
        assert_eq!(examine(&trail), expected);
    }

    #[test]
    fn aud_09_an_edited_record_is_named() {
        let edited = "AuditEvent/000000000000012c of 1970-01-01T00:00:00Z (leaf 300) is not as it was sealed: the record, or what \
                      is stored of its agent, was edited";
        check(|trail| trail.rows[300].digest = leaf(b"other"), &[edited]);
        // In the last block, over which no hash is kept yet, the head tells.
        let edited = edited.replace("000000000000012c", "00000000000004a6").replace("300", "1190");
        check(|trail| trail.rows[1_190].digest = leaf(b"other"), &[&edited]);
    }

    #[test]
    fn aud_09_an_edited_agent_is_named_once_for_all_its_records() {
        let mut trail = trail(1_200);
        for row in trail.rows.iter_mut().filter(|row| row.agent == Some(1)) {
            row.digest.0[0] ^= 1;
        }
        let findings = examine(&trail);
        assert_eq!(findings.len(), 601);
        let last = "none of the 600 records of agent 0000000000000001 is as it was sealed: what is stored of the agent was edited";
        assert_eq!(findings[600], last);
    }

    #[test]
    fn aud_09_a_rewritten_hash_is_told_from_an_edited_record() {
        let rewritten = "the hash kept of leaf 300 was rewritten; its record AuditEvent/000000000000012c of 1970-01-01T00:00:00Z is as \
                         it was sealed";
        check(|trail| trail.batches[3].digests[0] = leaf(b"other"), &[rewritten]);
        // In the last block it is the head that tells.
        let rewritten =
            rewritten.replace("000000000000012c", "00000000000004a6").replace("300", "1190");
        check(|trail| trail.batches[11].digests[90] = leaf(b"other"), &[&rewritten]);
        let node =
            "the kept hash over leaves 256 to 511 is not that of its leaves: it was rewritten";
        check(|trail| trail.kept.nodes.get_mut(&(8, 1)).unwrap().0[7] ^= 1, &[node]);
        let node = "no hash is kept over leaves 256 to 511: it was removed";
        check(|trail| assert!(trail.kept.nodes.remove(&(8, 1)).is_some()), &[node]);
    }

    #[test]
    fn aud_09_removed_and_added_records_are_named() {
        let removed = "leaves 300 to 301 were removed: records between AuditEvent/000000000000012b of 1970-01-01T00:00:00Z and \
                       AuditEvent/000000000000012e of 1970-01-01T00:00:00Z";
        check(|trail| drop(trail.rows.drain(300..302)), &[removed]);
        let added = "AuditEvent/0000000000001388 of 1970-01-01T00:00:00.000002Z was added after its time had been sealed, before leaf 300";
        let position = Position { transaction: 100, id: 5_000, shard: 0 };
        check(|trail| trail.rows.insert(300, Row { position, ..row(5_000) }), &[added]);
    }

    #[test]
    fn aud_10_the_newest_records_are_missed() {
        let removed = "leaves 1190 to 1199 were removed: records after AuditEvent/00000000000004a5 of 1970-01-01T00:00:00Z";
        check(|trail| trail.rows.truncate(1_190), &[removed]);
        // With all that is kept of them but the signed head.
        let shorter = "a head was signed for 1200 records, and 1100 are sealed here: the newest 100 were removed, or the database went \
                       back to an earlier state";
        check(
            |trail| {
                trail.rows.truncate(1_100);
                trail.batches.truncate(11);
            },
            &[shorter],
        );
    }

    #[test]
    fn aud_09_what_was_rewritten_consistently_does_not_fit_the_signed_head() {
        let forged = |trail: &mut Trail| {
            let heads = std::mem::take(&mut trail.kept.heads);
            let mut rows = trail.rows.clone();
            rows[500].digest = leaf(b"other");
            let mut tree = Frontier::default();
            for row in &rows {
                tree.push(row.digest, |node| {
                    trail.kept.nodes.insert((node.level, node.index), node.digest);
                });
            }
            trail.batches[5].digests[0] = leaf(b"other");
            trail.rows = rows;
            trail.kept.heads = heads;
        };
        let unfitting = "the head signed for 800 records does not fit what is kept: hashes among those of leaves 400 to 799 were rewritten";
        check(forged, &[unfitting]);
    }

    #[test]
    fn aud_09_a_removed_batch_is_told_and_filled_from_its_records() {
        let missing = "the hashes kept of leaves 300 to 399 were removed";
        check(|trail| drop(trail.batches.remove(3)), &[missing]);
        let stopped = "nothing can be said of what follows leaf 300";
        check(
            |trail| {
                trail.batches.remove(3);
                trail.rows.remove(310);
            },
            &[missing, stopped],
        );
    }

    #[test]
    fn what_is_archived_is_not_missed() {
        let mut trail = trail(1_200);
        trail.rows.drain(0..250);
        let mut examiner = Examiner::new(std::iter::once(0..250).collect());
        let mut rows = trail.rows.as_slice();
        for batch in &trail.batches {
            let end = rows.partition_point(|row| row.position <= batch.until);
            examiner.batch(batch, &rows[..end], &trail.kept);
            rows = &rows[end..];
        }
        let report = examiner.finish(&BTreeMap::new());
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert_eq!((report.archived, report.intact, report.heads), (250, 950, 3));
    }
}
