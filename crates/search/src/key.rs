//! Keys: what index entries are made of. Stored for good, so none of this may change without a reindex.
//!
//! A key is a hash: it finds candidates. Where a collision would matter the hit is checked against the body.

use xxhash_rust::xxh3::Xxh3;

/// The low bits of a version key, which tell writers of the same microsecond apart.
pub const NODE_BITS: u32 = 11;

/// The smallest version key of a moment, in microseconds since 1970: `version_key >= version_key_at(moment)` is "then or later".
pub fn version_key_at(micros: i64) -> i64 {
    micros.clamp(0, i64::MAX >> NODE_BITS) << NODE_BITS
}

/// What other rows store, salted, as a reference to this resource.
pub fn resource_key(resource: &str, id: &str) -> i64 {
    hash(&[resource, id])
}

/// Sets the values of one parameter of one type apart from those of all others.
pub fn salt(resource: &str, parameter: &str) -> i64 {
    hash(&["parameter", resource, parameter])
}

/// A value of a parameter, by its parts.
pub fn value_key(salt: i64, parts: &[&str]) -> i64 {
    hash(parts) ^ salt
}

/// Hashes the parts with a separator that no FHIR string contains.
fn hash(parts: &[&str]) -> i64 {
    let mut hash = Xxh3::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    hash.digest().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::{resource_key, salt, value_key};

    #[test]
    fn parts_are_kept_apart() {
        assert_ne!(resource_key("Patient", "1"), resource_key("Patient1", ""));
        let salt = salt("Patient", "identifier");
        assert_ne!(value_key(salt, &["a", "bc"]), value_key(salt, &["ab", "c"]));
    }

    #[test]
    fn keys_are_stored_and_so_never_change() {
        assert_eq!(resource_key("Patient", "1"), RESOURCE_KEY);
    }

    const RESOURCE_KEY: i64 = 4_369_537_197_219_903_615;
}
