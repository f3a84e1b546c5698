//! What a record is sealed as: every column of it, and all that is known of its agent, in bytes that mean one record only.

use super::tree::Digest;

/// The encoding that this program makes. What is sealed keeps its own: a change is a new number, and this one stays readable.
pub const ENCODING: i16 = 1;

/// A stored record. The random part of `request` keeps the digest from being guessed by who knows the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf<'a> {
    pub transaction: i64,
    pub id: i64,
    pub shard: i32,
    pub request: [u8; 16],
    pub interaction: i16,
    pub status: i16,
    pub hospital: i32,
    pub resource_type: Option<i16>,
    pub resource_id: Option<&'a str>,
    pub version: Option<i32>,
    pub patient: Option<i64>,
    pub query: Option<&'a str>,
    pub agent: Option<i64>,
    /// What `agent` made of the one with this key; none where there is no such agent.
    pub agent_content: Option<&'a [u8]>,
    pub token: Option<&'a str>,
    pub purposes: Option<i32>,
    pub address: Option<&'a str>,
}

/// All that is known of an agent, in bytes that mean one agent only.
pub fn agent(
    issuer: &str,
    subject: &str,
    client: &str,
    name: Option<&str>,
    roles: &[String],
) -> Vec<u8> {
    let mut out = Vec::new();
    for part in [issuer, subject, client] {
        bytes(&mut out, part.as_bytes());
    }
    optional(&mut out, name, |out, name| bytes(out, name.as_bytes()));
    length(&mut out, roles.len());
    for role in roles {
        bytes(&mut out, role.as_bytes());
    }
    out
}

impl Leaf<'_> {
    /// `buffer` is only there to be used again.
    pub fn digest(&self, buffer: &mut Vec<u8>) -> Digest {
        buffer.clear();
        // The prefix of leaves (RFC 9162, section 2.1.1).
        buffer.push(0);
        self.encode(buffer);
        Digest::of(buffer)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&ENCODING.to_be_bytes());
        out.extend_from_slice(&self.transaction.to_be_bytes());
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.shard.to_be_bytes());
        out.extend_from_slice(&self.request);
        out.extend_from_slice(&self.interaction.to_be_bytes());
        out.extend_from_slice(&self.status.to_be_bytes());
        out.extend_from_slice(&self.hospital.to_be_bytes());
        optional(out, self.resource_type, |out, code| out.extend_from_slice(&code.to_be_bytes()));
        optional(out, self.resource_id, |out, text| bytes(out, text.as_bytes()));
        optional(out, self.version, |out, version| out.extend_from_slice(&version.to_be_bytes()));
        optional(out, self.patient, |out, key| out.extend_from_slice(&key.to_be_bytes()));
        optional(out, self.query, |out, text| bytes(out, text.as_bytes()));
        optional(out, self.agent, |out, key| out.extend_from_slice(&key.to_be_bytes()));
        optional(out, self.agent_content, bytes);
        optional(out, self.token, |out, text| bytes(out, text.as_bytes()));
        optional(out, self.purposes, |out, bits| out.extend_from_slice(&bits.to_be_bytes()));
        optional(out, self.address, |out, text| bytes(out, text.as_bytes()));
    }
}

fn optional<T>(out: &mut Vec<u8>, value: Option<T>, encode: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => out.push(0),
        Some(value) => {
            out.push(1);
            encode(out, value);
        }
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::{Leaf, agent};

    const LEAF: Leaf<'static> = Leaf {
        transaction: 731,
        id: 77,
        shard: -3,
        request: [7; 16],
        interaction: 1,
        status: 200,
        hospital: 4,
        resource_type: Some(9),
        resource_id: Some("p1"),
        version: Some(1),
        patient: Some(-5),
        query: Some("code=1"),
        agent: Some(6),
        agent_content: Some(b"somebody"),
        token: Some("0f3c"),
        purposes: Some(1),
        address: Some("192.0.2.1"),
    };

    #[test]
    fn aud_09_every_column_is_in_the_leaf() {
        let others = [
            Leaf { transaction: 732, ..LEAF },
            Leaf { id: 78, ..LEAF },
            Leaf { shard: 3, ..LEAF },
            Leaf { request: [8; 16], ..LEAF },
            Leaf { interaction: 2, ..LEAF },
            Leaf { status: 201, ..LEAF },
            Leaf { hospital: 5, ..LEAF },
            Leaf { resource_type: None, ..LEAF },
            Leaf { resource_id: Some("p2"), ..LEAF },
            Leaf { version: None, ..LEAF },
            Leaf { patient: Some(5), ..LEAF },
            Leaf { query: Some(""), ..LEAF },
            Leaf { query: None, ..LEAF },
            Leaf { agent: None, ..LEAF },
            Leaf { agent_content: Some(b"nobody"), ..LEAF },
            Leaf { agent_content: None, ..LEAF },
            Leaf { token: Some("0f3d"), ..LEAF },
            Leaf { purposes: Some(0), ..LEAF },
            Leaf { purposes: None, ..LEAF },
            Leaf { address: None, ..LEAF },
            // What one loses the next one must not win.
            Leaf { resource_id: Some("p11"), version: None, ..LEAF },
            Leaf { query: Some("code=10f3c"), token: Some(""), ..LEAF },
        ];
        let mut buffer = Vec::new();
        let mut digests: Vec<_> = others.iter().map(|leaf| leaf.digest(&mut buffer)).collect();
        digests.push(LEAF.digest(&mut buffer));
        assert_eq!(LEAF.digest(&mut buffer), digests[others.len()]);
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), others.len() + 1);
    }

    #[test]
    fn an_agent_is_its_content_and_not_its_spelling() {
        let roles =
            |roles: &[&str]| roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>();
        let mut encoded = vec![
            agent("a", "b", "c", Some("d"), &roles(&["e", "f"])),
            agent("ab", "", "c", Some("d"), &roles(&["e", "f"])),
            agent("a", "b", "c", None, &roles(&["d", "e", "f"])),
            agent("a", "b", "c", Some("d"), &roles(&["ef"])),
            agent("a", "b", "c", Some(""), &roles(&["e", "f"])),
        ];
        encoded.sort();
        encoded.dedup();
        assert_eq!(encoded.len(), 5);
    }

    /// What is sealed is compared for years: the bytes of an encoding never change.
    #[test]
    fn the_digest_of_a_known_record_stays() {
        let digest = LEAF.digest(&mut Vec::new()).to_string();
        assert_eq!(digest, "/3tS4GcR+m4FMDKDzSevVHM7oYJD6lHNAOAGRvYuhh8=");
    }
}
