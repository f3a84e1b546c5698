//! Keys: what index entries are made of. Stored for good, so none of this may change without a reindex.
//!
//! A key is a hash: it finds candidates. Where a collision would matter the hit is checked against the body.

use xxhash_rust::xxh3::xxh3_64;

/// The low bits of a version key, which tell writers of the same microsecond apart.
pub const NODE_BITS: u32 = 11;

/// The smallest version key of a moment, in microseconds since 1970: `version_key >= version_key_at(moment)` is "then or later".
pub fn version_key_at(micros: i64) -> i64 {
    micros.clamp(0, i64::MAX >> NODE_BITS) << NODE_BITS
}

/// What other rows store, salted, as a reference to this resource.
pub fn resource_key(resource: &str, id: &str) -> i64 {
    parts_key(&[resource, id])
}

/// Sets the values of one parameter of one type apart from those of all others: a stored token is the key of a value XOR the
/// salt, so that the tokens of referring rows can be made from the keys of resources inside the database.
pub(crate) fn salt(resource: &str, parameter: &str) -> i64 {
    parts_key(&["parameter", resource, parameter])
}

/// Hashes the parts with a separator that no FHIR string contains.
pub(crate) fn parts_key(parts: &[&str]) -> i64 {
    let length = parts.iter().map(|part| part.len() + 1).sum();
    let mut bytes = Vec::with_capacity(length);
    for part in parts {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    hash(&bytes)
}

pub(crate) fn hash(bytes: &[u8]) -> i64 {
    xxh3_64(bytes).cast_signed()
}

/// A key of two, in this order.
pub(crate) fn joined(first: i64, second: i64) -> i64 {
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&first.to_le_bytes());
    high.copy_from_slice(&second.to_le_bytes());
    hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::{hash, resource_key, salt};

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(resource_key("Patient", "1"), resource_key("Patient1", ""));
        assert_ne!(salt("Patient", "name"), resource_key("Patient", "name"));
    }

    #[test]
    fn keys_are_stored_and_so_never_change() {
        assert_eq!(resource_key("Patient", "1"), 4_369_537_197_219_903_615);
        assert_eq!(resource_key("Patient", "1"), hash(b"Patient\x001\x00"));
    }
}
