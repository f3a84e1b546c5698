//! A record that was taken out of the trail, as a line of JSON that proves itself; and what is signed of a file of them.

use super::Error;
use super::leaf::{Leaf, agent};
use super::tree::Digest;
use access::Agent;
use serde_json::{Value, json};
use std::fmt;
use std::ops::Range;

/// A line: which leaf it says it is, the hash it says it has, and the hash that its content has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub leaf: u64,
    pub said: Digest,
    pub digest: Digest,
}

/// What a signature says of an archived part of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub origin: String,
    pub part: String,
    /// Which leaves, in order.
    pub leaves: Vec<Range<u64>>,
    /// SHA-256 of the file.
    pub file: Digest,
}

/// Numbers of 64 bits are texts: not every reader of JSON keeps their digits.
pub fn write(leaf: u64, digest: &Digest, record: &Leaf<'_>, agent: Option<&Agent>) -> String {
    let request: String = record.request.iter().map(|byte| format!("{byte:02x}")).collect();
    let wide = |number: i64| number.to_string();
    json!({
        "leaf": leaf,
        "hash": digest.to_string(),
        "transaction": wide(record.transaction),
        "id": wide(record.id),
        "shard": record.shard,
        "request": request,
        "interaction": record.interaction,
        "status": record.status,
        "hospital": record.hospital,
        "resource_type": record.resource_type,
        "resource_id": record.resource_id,
        "version": record.version,
        "patient": record.patient.map(wide),
        "query": record.query,
        "agent": record.agent.map(wide),
        "agent_content": agent.map(|agent| json!({
            "issuer": agent.issuer,
            "subject": agent.subject,
            "client": agent.client,
            "name": agent.name,
            "roles": agent.roles,
        })),
        "token": record.token,
        "purposes": record.purposes,
        "address": record.address,
    })
    .to_string()
}

pub fn read(line: &str) -> Result<Line, Error> {
    let value: Value = serde_json::from_str(line).map_err(|_| Error::Archive)?;
    parse(&value).ok_or(Error::Archive)
}

fn parse(value: &Value) -> Option<Line> {
    let content = match &value["agent_content"] {
        Value::Null => None,
        content => {
            let roles: Option<Vec<String>> = content["roles"]
                .as_array()?
                .iter()
                .map(|role| role.as_str().map(str::to_owned))
                .collect();
            let (issuer, subject) = (content["issuer"].as_str()?, content["subject"].as_str()?);
            Some(agent(
                issuer,
                subject,
                content["client"].as_str()?,
                content["name"].as_str(),
                &roles?,
            ))
        }
    };
    let record = Leaf {
        transaction: wide(&value["transaction"])??,
        id: wide(&value["id"])??,
        shard: narrow(&value["shard"])??,
        request: request(value["request"].as_str()?)?,
        interaction: narrow(&value["interaction"])??,
        status: narrow(&value["status"])??,
        hospital: narrow(&value["hospital"])??,
        resource_type: narrow(&value["resource_type"])?,
        resource_id: value["resource_id"].as_str(),
        version: narrow(&value["version"])?,
        patient: wide(&value["patient"])?,
        query: value["query"].as_str(),
        agent: wide(&value["agent"])?,
        agent_content: content.as_deref(),
        token: value["token"].as_str(),
        purposes: narrow(&value["purposes"])?,
        address: value["address"].as_str(),
    };
    Some(Line {
        leaf: value["leaf"].as_u64()?,
        said: Digest::parse(value["hash"].as_str()?)?,
        digest: record.digest(&mut Vec::new()),
    })
}

/// None where it is not a number; a number that is not there is one, too.
fn narrow<T: TryFrom<i64>>(value: &Value) -> Option<Option<T>> {
    match value {
        Value::Null => Some(None),
        value => Some(Some(T::try_from(value.as_i64()?).ok()?)),
    }
}

fn wide(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Null => Some(None),
        value => Some(Some(value.as_str()?.parse().ok()?)),
    }
}

fn request(hex: &str) -> Option<[u8; 16]> {
    let is_plain = hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_plain.then(|| u128::from_str_radix(hex, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

impl Manifest {
    pub fn records(&self) -> u64 {
        self.leaves.iter().map(|range| range.end - range.start).sum()
    }

    pub fn parse(text: &str) -> Result<Manifest, Error> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(Error::Archive)?.to_owned();
        let mut value = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            line.ok_or(Error::Archive)
        };
        let part = value("archive ")?.to_owned();
        let file = Digest::parse(value("file ")?).ok_or(Error::Archive)?;
        let leaves: Option<Vec<Range<u64>>> =
            value("leaves")?.split(' ').filter(|text| !text.is_empty()).map(range).collect();
        Ok(Manifest { origin, part, leaves: leaves.ok_or(Error::Archive)?, file })
    }
}

/// The text that is signed.
impl fmt::Display for Manifest {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}\narchive {}\nfile {}\nleaves", self.origin, self.part, self.file)?;
        for range in &self.leaves {
            write!(out, " {}-{}", range.start, range.end)?;
        }
        writeln!(out)
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once('-')?;
    let range = start.parse().ok()?..end.parse().ok()?;
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::{Manifest, read, write};
    use crate::seal::leaf::{Leaf, agent};
    use crate::seal::tree::Digest;
    use access::Agent;

    #[test]
    fn aud_20_a_line_has_the_hash_of_its_record() {
        let who = Agent {
            issuer: "https://id.test".to_owned(),
            subject: "b3".to_owned(),
            client: "ehr".to_owned(),
            name: Some("王医生".to_owned()),
            token_id: None,
            roles: vec!["doctor".to_owned(), "head".to_owned()],
        };
        let content =
            agent(&who.issuer, &who.subject, &who.client, who.name.as_deref(), &who.roles);
        let known = Leaf {
            transaction: i64::MAX,
            id: i64::MIN,
            shard: -1,
            request: [0xab; 16],
            interaction: 10,
            status: 200,
            hospital: 0,
            resource_type: Some(3),
            resource_id: Some("\"quoted\"\n"),
            version: Some(2),
            patient: Some(-9),
            query: Some("name=王"),
            agent: Some(5),
            agent_content: Some(&content),
            token: Some(""),
            purposes: Some(-1),
            address: Some("2001:db8::1"),
        };
        let bare = Leaf {
            resource_type: None,
            resource_id: None,
            version: None,
            patient: None,
            query: None,
            agent: None,
            agent_content: None,
            token: None,
            purposes: None,
            address: None,
            ..known
        };
        for (record, agent) in [(known, Some(&who)), (bare, None)] {
            let digest = record.digest(&mut Vec::new());
            let text = write(7, &digest, &record, agent);
            let line = read(&text).unwrap();
            assert_eq!((line.leaf, line.said, line.digest), (7, digest, digest));
            let edited = read(&text.replace("\"status\":200", "\"status\":403")).unwrap();
            assert_ne!(edited.digest, digest);
        }
        for wrong in ["", "{}", "{\"leaf\":1}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_manifest_goes_there_and_back() {
        for leaves in [Vec::new(), std::iter::once(0..4).collect(), vec![3..9, 12..40]] {
            let manifest = Manifest {
                origin: "hub.test/fhir".to_owned(),
                part: "audit_record_2026_05".to_owned(),
                leaves,
                file: Digest([9; 32]),
            };
            assert_eq!(Manifest::parse(&manifest.to_string()).unwrap(), manifest);
        }
        let wrong =
            "hub\narchive a\nfile CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\nleaves 4-4\n";
        assert!(Manifest::parse(wrong).is_err());
    }
}
