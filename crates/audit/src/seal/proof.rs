//! Proofs that a leaf is in a tree, and that a tree is the beginning of another (RFC 9162, sections 2.1.3 and 2.1.4).

use super::tree::{Digest, node};
use std::ops::Range;

/// The ranges of leaves whose roots are the path of a leaf, from the leaf up. None where the tree does not have it.
pub fn inclusion(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = tree.start + split(tree.end - tree.start);
        if index < middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The ranges of leaves whose roots prove that a tree begins with another. None where the first is larger than the second.
pub fn consistency(first: u64, second: u64) -> Option<Vec<Range<u64>>> {
    if first > second {
        return None;
    }
    let mut path = Vec::new();
    if first == 0 || first == second {
        return Some(path);
    }
    let mut tree = 0..second;
    while first != tree.end {
        let middle = tree.start + split(tree.end - tree.start);
        if first <= middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    if tree.start > 0 {
        path.push(tree);
    }
    path.reverse();
    Some(path)
}

/// The largest power of two below a number of leaves, which is two or more.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}

/// Whether a path proves that a tree of this size and root has the leaf at the index.
pub fn includes(index: u64, size: u64, leaf: &Digest, path: &[Digest], root: &Digest) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut found = *leaf;
    for beside in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            found = node(beside, &found);
            climb_to_a_right_child(&mut at, &mut last);
        } else {
            found = node(&found, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && found == *root
}

/// Whether a path proves that a tree begins with the leaves of a smaller one.
pub fn extends(
    (first, first_root): (u64, &Digest),
    (second, second_root): (u64, &Digest),
    path: &[Digest],
) -> bool {
    if first == 0 || first >= second {
        let is_same = first != second || first_root == second_root;
        return first <= second && path.is_empty() && is_same;
    }
    let (begin, rest) = if first.is_power_of_two() {
        (*first_root, path)
    } else {
        let Some((begin, rest)) = path.split_first() else { return false };
        (*begin, rest)
    };
    let (mut at, mut last) = (first - 1, second - 1);
    let shift = at.trailing_ones();
    (at, last) = (at.checked_shr(shift).unwrap_or(0), last.checked_shr(shift).unwrap_or(0));
    let (mut old, mut new) = (begin, begin);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node(beside, &old);
            new = node(beside, &new);
            climb_to_a_right_child(&mut at, &mut last);
        } else {
            new = node(&new, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old == *first_root && new == *second_root
}

/// Where a subtree is alone at its level it is its own parent.
fn climb_to_a_right_child(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        (*at, *last) = (*at >> 1, *last >> 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{consistency, extends, includes, inclusion};
    use crate::seal::tree::tests::{hex, known_leaves, leaf};
    use crate::seal::tree::{Digest, parts, root};
    use std::ops::Range;

    fn index(number: u64) -> usize {
        usize::try_from(number).unwrap()
    }

    fn digests(leaves: &[Digest], path: &[Range<u64>]) -> Vec<Digest> {
        path.iter().map(|range| root(&leaves[index(range.start)..index(range.end)])).collect()
    }

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    #[test]
    fn proofs_are_those_that_others_compute() {
        let leaves = known_leaves();
        let check = |path: Vec<Range<u64>>, expected: &[&str]| {
            let expected: Vec<Digest> =
                expected.iter().map(|text| Digest::read(&hex(text)).unwrap()).collect();
            assert_eq!(digests(&leaves, &path), expected);
        };
        check(
            inclusion(5, 8).unwrap(),
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        );
        check(
            consistency(6, 8).unwrap(),
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        );
    }

    #[test]
    fn aud_09_every_leaf_is_proven_and_no_other_one() {
        let leaves = leaves(300);
        for size in (0..=70).chain([127, 128, 129, 255, 256, 257, 300]) {
            let tree = root(&leaves[..index(size)]);
            assert!(inclusion(size, size).is_none());
            for at in 0..size {
                let path = digests(&leaves, &inclusion(at, size).unwrap());
                let own = &leaves[index(at)];
                assert!(includes(at, size, own, &path, &tree), "{at} of {size}");
                let other = &leaves[index((at + 1) % 300)];
                assert!(!includes(at, size, other, &path, &tree), "{at} of {size}");
                assert!(!includes(at + 1, size, own, &path, &tree), "{at} of {size}");
                assert!(!includes(at, size, own, &path, other), "{at} of {size}");
                for changed in mutations(&path) {
                    assert!(!includes(at, size, own, &changed, &tree), "{at} of {size}");
                }
            }
        }
    }

    #[test]
    fn aud_09_every_tree_begins_with_its_smaller_ones_and_with_no_other() {
        let leaves = leaves(300);
        let roots: Vec<Digest> = (0..=300).map(|size| root(&leaves[..size])).collect();
        let foreign = leaf(b"another");
        for second in (0..=70).chain([127, 128, 129, 255, 256, 257, 300]) {
            assert!(consistency(second + 1, second).is_none());
            for first in 0..=second {
                let path = digests(&leaves, &consistency(first, second).unwrap());
                let (old, new) = ((first, &roots[index(first)]), (second, &roots[index(second)]));
                assert!(extends(old, new, &path), "{first} of {second}");
                if first > 0 {
                    assert!(!extends((first, &foreign), new, &path), "{first} of {second}");
                    assert!(!extends(old, (second, &foreign), &path), "{first} of {second}");
                    assert!(!extends(new, old, &path) || first == second, "{first} of {second}");
                }
                for changed in mutations(&path) {
                    assert!(!extends(old, new, &changed), "{first} of {second}");
                }
            }
        }
    }

    /// One bit turned, one digest left out, one too many, two exchanged.
    fn mutations(path: &[Digest]) -> Vec<Vec<Digest>> {
        let mut mutations = vec![[path, &[leaf(b"more")]].concat()];
        for at in 0..path.len() {
            let mut turned = path.to_vec();
            turned[at].0[at % 32] ^= 1;
            mutations.push(turned);
            let mut short = path.to_vec();
            short.remove(at);
            mutations.push(short);
            let mut exchanged = path.to_vec();
            exchanged.swap(at, 0);
            if at > 0 {
                mutations.push(exchanged);
            }
        }
        mutations
    }

    #[test]
    fn what_a_proof_asks_for_is_bounded_for_the_largest_tree() {
        for size in [u64::MAX, 1 << 40, (1 << 40) + 12_345] {
            for at in [0, size / 3, size - 1] {
                let path = inclusion(at, size).unwrap();
                assert!(path.len() <= 64);
                let read: u64 = path.iter().flat_map(parts).map(|part| part.span().count).sum();
                assert!(read <= 64 * 256, "{read} digests for {at} of {size}");
            }
        }
    }
}
