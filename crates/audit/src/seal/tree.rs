//! Hashes of leaves and nodes, and the complete subtrees that a tree is made of (RFC 9162, section 2.1.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::ops::Range;

/// SHA-256 of a leaf or a node. Shown in base64, as in checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

/// How many levels lie between nodes that are stored: proofs and roots read at most 255 digests a stored level.
pub const STRIDE: u32 = 8;
/// Nodes of one stored level under one of the next.
pub const GROUP: usize = 1 << STRIDE;

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        let mut content = [0; 32];
        content.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Digest(content)
    }

    /// None where there are not 32 bytes.
    pub fn read(bytes: &[u8]) -> Option<Digest> {
        bytes.try_into().ok().map(Digest)
    }

    pub fn parse(base64: &str) -> Option<Digest> {
        STANDARD.decode(base64).ok().as_deref().and_then(Digest::read)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

pub fn node(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    let (_, digests) = bytes.split_at_mut(1);
    let (first, second) = digests.split_at_mut(32);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    Digest::of(&bytes)
}

/// The root over nodes of one level, from left to right.
pub fn root(nodes: &[Digest]) -> Digest {
    match nodes {
        [] => Digest::of(&[]),
        [one] => *one,
        _ => {
            let (left, right) = nodes.split_at(nodes.len().next_power_of_two() / 2);
            node(&root(left), &root(right))
        }
    }
}

/// A complete subtree of 2^level leaves; the index counts those of its level from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Part {
    pub level: u32,
    pub index: u64,
}

/// Stored digests that lie beside each other; at level 0 they are of leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub level: u32,
    pub first: u64,
    pub count: u64,
}

impl Part {
    /// What its digest is the root of.
    pub fn span(&self) -> Span {
        let within = self.level % STRIDE;
        Span { level: self.level - within, first: self.index << within, count: 1 << within }
    }
}

/// The complete subtrees that a range of leaves is made of, from left to right. It begins where a subtree does that is not
/// smaller than the range, as all ranges of proofs do.
pub fn parts(range: &Range<u64>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let level = (range.end - start).ilog2();
        parts.push(Part { level, index: start >> level });
        start += 1 << level;
    }
    parts
}

/// The root of a range from the digests of its parts.
pub fn join(parts: &[Digest]) -> Digest {
    let mut parts = parts.iter().rev();
    match parts.next() {
        None => root(&[]),
        Some(last) => parts.fold(*last, |right, left| node(left, &right)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Digest, join, parts, root};

    /// The leaf of these bytes.
    pub(in crate::seal) fn leaf(bytes: &[u8]) -> Digest {
        Digest::of(&[&[0], bytes].concat())
    }

    pub(in crate::seal) fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    /// The leaves that implementations of Certificate Transparency are tested with.
    pub(in crate::seal) fn known_leaves() -> Vec<Digest> {
        [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .map(|text| leaf(&hex(text)))
        .to_vec()
    }

    #[test]
    fn roots_are_those_that_others_compute() {
        let leaves = known_leaves();
        for (size, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
            (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
            (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
            (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            assert_eq!(root(&leaves[..size]), Digest::read(&hex(expected)).unwrap(), "{size}");
        }
    }

    #[test]
    fn a_range_is_its_parts() {
        let leaves: Vec<Digest> = (0..300_u32).map(|number| leaf(&number.to_be_bytes())).collect();
        for end in 0..=300_u64 {
            let digests: Vec<Digest> = parts(&(0..end))
                .iter()
                .map(|part| {
                    let start = usize::try_from(part.index << part.level).unwrap();
                    root(&leaves[start..start + (1 << part.level)])
                })
                .collect();
            assert_eq!(join(&digests), root(&leaves[..usize::try_from(end).unwrap()]), "{end}");
        }
    }
}
