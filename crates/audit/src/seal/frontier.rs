//! The right edge of a growing tree: all that is needed to append to it.

use super::tree::{Digest, GROUP, STRIDE, Span, root};

/// Per stored level, the digests that are not yet under a node of the next one: fewer than 256 each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    open: Vec<Vec<Digest>>,
}

/// A complete subtree whose digest is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    pub level: u32,
    pub index: u64,
    pub digest: Digest,
}

impl Frontier {
    /// What is stored of a tree of this size that has to be read to append to it; level by level.
    pub fn spans(size: u64) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut level = 0;
        let mut count = size;
        while count > 0 {
            let above = count >> STRIDE;
            spans.push(Span { level, first: above << STRIDE, count: count - (above << STRIDE) });
            (level, count) = (level + STRIDE, above);
        }
        spans
    }

    /// From what `spans` asked for. None where it is not as much.
    pub fn restore(size: u64, open: Vec<Vec<Digest>>) -> Option<Frontier> {
        let spans = Frontier::spans(size);
        let fits = |(span, digests): (&Span, &Vec<Digest>)| {
            u64::try_from(digests.len()).is_ok_and(|count| count == span.count)
        };
        let is_whole = spans.len() == open.len() && spans.iter().zip(&open).all(fits);
        is_whole.then_some(Frontier { size, open })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and hands out the nodes that it completes, the lowest first.
    pub fn push(&mut self, leaf: Digest, mut completed: impl FnMut(Node)) {
        self.size += 1;
        let mut carried = Some(leaf);
        let mut level = 0;
        let mut depth = 0;
        while let Some(digest) = carried.take() {
            if self.open.len() == depth {
                self.open.push(Vec::with_capacity(GROUP));
            }
            let Some(open) = self.open.get_mut(depth) else { return };
            open.push(digest);
            if open.len() == GROUP {
                let digest = root(open);
                open.clear();
                level += STRIDE;
                depth += 1;
                completed(Node { level, index: (self.size >> level) - 1, digest });
                carried = Some(digest);
            }
        }
    }

    pub fn root(&self) -> Digest {
        let mut right: Option<Digest> = None;
        for open in &self.open {
            let mut rest = open.as_slice();
            while !rest.is_empty() {
                let smallest = 1 << rest.len().trailing_zeros();
                let (before, last) = rest.split_at(rest.len() - smallest);
                let left = root(last);
                right = Some(right.map_or(left, |right| super::tree::node(&left, &right)));
                rest = before;
            }
        }
        right.unwrap_or_else(|| root(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::{Frontier, Node};
    use crate::seal::tree::tests::leaf;
    use crate::seal::tree::{Digest, root};

    #[test]
    fn a_tree_that_grows_has_the_root_of_its_leaves_and_goes_on_from_what_is_stored() {
        let leaves: Vec<Digest> =
            (0..66_000_u32).map(|number| leaf(&number.to_be_bytes())).collect();
        let mut frontier = Frontier::default();
        let mut nodes: Vec<Node> = Vec::new();
        for (number, leaf) in leaves.iter().enumerate() {
            if number < 600 || number % 1_031 == 0 || number > 65_530 && number < 65_540 {
                assert_eq!(frontier.root(), root(&leaves[..number]), "{number}");
                let spans = Frontier::spans(frontier.size());
                let stored = spans.iter().map(|span| {
                    let at = |index: u64| match span.level {
                        0 => leaves[usize::try_from(index).unwrap()],
                        level => {
                            let is_it = |node: &&Node| node.level == level && node.index == index;
                            nodes.iter().find(is_it).unwrap().digest
                        }
                    };
                    (span.first..span.first + span.count).map(at).collect()
                });
                let restored = Frontier::restore(frontier.size(), stored.collect()).unwrap();
                assert_eq!(restored.root(), frontier.root(), "{number}");
                frontier = restored;
            }
            frontier.push(*leaf, |node| nodes.push(node));
        }
        assert_eq!(nodes.iter().filter(|node| node.level == 8).count(), 257);
        assert_eq!(
            nodes.iter().find(|node| node.level == 16).unwrap().digest,
            root(&leaves[..65_536])
        );
    }
}
