//! What is recorded of an interaction (security.html#audit).

use access::{Agent, HospitalId, Interaction, Purposes};
use schema::resource::Table;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// One interaction.
#[derive(Clone, Debug)]
pub struct Record {
    /// Shared by all records of one HTTP request.
    pub request: Uuid,
    pub interaction: Interaction,
    /// The HTTP status answered.
    pub status: u16,
    /// Whom the caller spoke for; patients speak for no hospital.
    pub hospital: Option<HospitalId>,
    pub agent: Arc<Agent>,
    pub purposes: Purposes,
    pub subject: Option<Subject>,
    /// Keys of the patients whose record was touched, each once.
    pub patients: Vec<i64>,
    /// The text of a search, as it was understood.
    pub query: Option<String>,
    /// Where the request came from; none of what the server does by itself.
    pub address: Option<IpAddr>,
}

/// What the interaction was about: a type, a resource or a version.
#[derive(Clone, Debug)]
pub struct Subject {
    pub table: &'static Table,
    pub id: Option<String>,
    pub version: Option<i32>,
}

/// As it is stored.
#[derive(Clone, Debug)]
pub struct Row {
    pub shard: i32,
    pub request: Uuid,
    pub interaction: i16,
    pub status: i16,
    pub hospital: i32,
    pub resource_type: Option<i16>,
    pub resource_id: Option<String>,
    pub version: Option<i32>,
    pub patient: Option<i64>,
    pub query: Option<String>,
    /// The key of the agent; none of a caller who showed no token.
    pub agent: Option<i64>,
    pub token: Option<String>,
    pub purposes: i32,
    pub address: Option<String>,
}

impl Record {
    /// One row a patient; one all the same when no patient was touched.
    pub fn rows(&self) -> Vec<Row> {
        if self.patients.is_empty() {
            return vec![self.row(None)];
        }
        self.patients.iter().map(|patient| self.row(Some(*patient))).collect()
    }

    /// Whether the caller showed who it is.
    pub fn is_known(&self) -> bool {
        !self.agent.issuer.is_empty()
    }

    fn row(&self, patient: Option<i64>) -> Row {
        let subject = self.subject.as_ref();
        Row {
            shard: patient.map_or(0, fold),
            request: self.request,
            interaction: code(self.interaction),
            status: i16::try_from(self.status).unwrap_or(0),
            hospital: self.hospital.map_or(0, |hospital| hospital.0),
            resource_type: subject.map(|subject| subject.table.code),
            resource_id: subject.and_then(|subject| subject.id.clone()),
            version: subject.and_then(|subject| subject.version),
            patient,
            query: self.query.clone(),
            agent: self.is_known().then(|| self.agent.key()),
            token: self.agent.token_id.clone(),
            purposes: self.purposes.bits(),
            address: self.address.map(|address| address.to_string()),
        }
    }
}

/// Spreads audit rows by patient; which shard a row lies on is decided when a database is sharded.
fn fold(key: i64) -> i32 {
    let bits = key.cast_unsigned();
    u32::try_from((bits >> 32) ^ (bits & u64::from(u32::MAX))).unwrap_or(0).cast_signed()
}

/// Stored for good: numbers are added, never changed.
/// The interaction that was stored so.
pub fn interaction(stored: i16) -> Option<Interaction> {
    ALL.into_iter().find(|interaction| code(*interaction) == stored)
}

/// All that can be recorded.
pub const ALL: [Interaction; 15] = [
    Interaction::Read,
    Interaction::Vread,
    Interaction::Update,
    Interaction::Patch,
    Interaction::Delete,
    Interaction::HistoryInstance,
    Interaction::HistoryType,
    Interaction::HistorySystem,
    Interaction::Create,
    Interaction::Search,
    Interaction::SearchSystem,
    Interaction::Operation,
    Interaction::Capabilities,
    Interaction::Batch,
    Interaction::Transaction,
];

/// As it is stored.
pub fn code(interaction: Interaction) -> i16 {
    match interaction {
        Interaction::Read => 1,
        Interaction::Vread => 2,
        Interaction::Update => 3,
        Interaction::Patch => 4,
        Interaction::Delete => 5,
        Interaction::HistoryInstance => 6,
        Interaction::HistoryType => 7,
        Interaction::HistorySystem => 8,
        Interaction::Create => 9,
        Interaction::Search => 10,
        Interaction::SearchSystem => 14,
        Interaction::Operation => 15,
        Interaction::Capabilities => 11,
        Interaction::Batch => 12,
        Interaction::Transaction => 13,
    }
}

#[cfg(test)]
mod tests {
    use super::Record;
    use access::{HospitalId, Interaction, Purposes};
    use std::sync::Arc;

    #[test]
    fn a_record_has_a_row_a_patient_and_at_least_one() {
        let mut record = Record {
            request: uuid::Uuid::nil(),
            interaction: Interaction::Search,
            status: 200,
            hospital: Some(HospitalId(1)),
            agent: Arc::default(),
            purposes: Purposes::default(),
            subject: None,
            patients: vec![],
            query: Some("code=1".to_owned()),
            address: None,
        };
        assert_eq!(record.rows().len(), 1);
        record.patients = vec![5, 6];
        let patients: Vec<_> = record.rows().iter().map(|row| row.patient).collect();
        assert_eq!(patients, [Some(5), Some(6)]);
    }
}
