//! Proofs out of what is kept: a bounded number of hashes, whatever the size of the tree.

use super::kept::digests;
use super::rows::{Leaves, columns};
use super::unsigned;
use crate::Store;
use crate::error::Error;
use crate::trail::Sealed;
use audit::seal::tree::{Digest, GROUP, STRIDE, Span, join, parts, root};
use deadpool_postgres::Object;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where a record is in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There is no such record.
    Nowhere,
    /// It is no leaf yet.
    Unsealed,
    /// It is not as it was sealed.
    Changed,
    Leaf {
        index: u64,
        digest: Digest,
    },
}

impl Store {
    /// The roots of ranges of leaves, as proofs ask for them.
    pub async fn roots(&self, ranges: &[Range<u64>]) -> Result<Vec<Digest>, Error> {
        let client = self.pool.get().await?;
        let kept = load(&client, ranges).await?;
        let missing = || Error::Seal("not all hashes are kept that a proof needs".to_owned());
        let mut roots = Vec::new();
        for range in ranges {
            let mut joined = Vec::new();
            for part in parts(range) {
                let span = part.span();
                let nodes = (span.first..span.first + span.count)
                    .map(|index| kept.get(&(span.level, index)).copied());
                let nodes: Option<Vec<Digest>> = nodes.collect();
                joined.push(root(&nodes.ok_or_else(missing)?));
            }
            roots.push(join(&joined));
        }
        Ok(roots)
    }

    /// The leaf of a record.
    pub async fn place(&self, record: i64) -> Result<Sealed<Place>, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let text = concat!(
            "SELECT ",
            columns!(),
            " FROM audit_record WHERE id = $1 ORDER BY shard LIMIT 1"
        );
        let statement = transaction.prepare_cached(text).await?;
        let rows = transaction.query(&statement, &[&record]).await?;
        let leaves = Leaves::default().of(&transaction, &rows).await?;
        let Some(leaf) = leaves.first() else { return Ok(Sealed::new(Place::Nowhere)) };
        let at = leaf.position;
        let text = "SELECT first_leaf, hashes FROM audit_batch WHERE (until_transaction, until_id, until_shard) >= ($1, $2, $3) \
                    ORDER BY until_transaction, until_id, until_shard LIMIT 1";
        let statement = transaction.prepare_cached(text).await?;
        let batch =
            transaction.query_opt(&statement, &[&at.transaction, &at.id, &at.shard]).await?;
        let Some(batch) = batch else { return Ok(Sealed::new(Place::Unsealed)) };
        let first = unsigned(batch.try_get(0)?)?;
        let hashes: &[u8] = batch.try_get(1)?;
        let found = hashes.chunks_exact(32).position(|hash| hash == leaf.digest.0);
        let found = found.and_then(|index| u64::try_from(index).ok());
        let place = found.map_or(Place::Changed, |index| Place::Leaf {
            index: first + index,
            digest: leaf.digest,
        });
        Ok(Sealed::new(place))
    }
}

/// All digests that the parts of these ranges are made of, by level and index.
async fn load(
    client: &Object,
    ranges: &[Range<u64>],
) -> Result<BTreeMap<(u32, u64), Digest>, Error> {
    // Parts of one path lie in few groups of 256: each group is read once.
    let mut groups: BTreeMap<(u32, u64), Range<u64>> = BTreeMap::new();
    for span in ranges.iter().flat_map(parts).map(|part| part.span()) {
        let group = groups
            .entry((span.level, span.first >> STRIDE))
            .or_insert(span.first..span.first + span.count);
        group.start = group.start.min(span.first);
        group.end = group.end.max(span.first + span.count);
    }
    let mut kept = BTreeMap::new();
    for ((level, _), range) in groups {
        let count = (range.end - range.start).min(u64::try_from(GROUP).unwrap_or(u64::MAX));
        let found = digests(client, Span { level, first: range.start, count }).await?;
        let indexes = range.start..;
        kept.extend(indexes.zip(found).map(|(index, digest)| ((level, index), digest)));
    }
    Ok(kept)
}
