//! The seal of the trail: what a superuser changes is found and named, and every record becomes a leaf exactly once.

mod proofs;
mod sequencer;
mod tampering;

use crate::harness::{Database, settings};
use audit::seal::key::Signer;
use audit::seal::note::Checkpoint;
use store::clock::now_micros;
use store::seal::examination::{Known, Outcome, examine};
use store::seal::sequencer::Sequencer;

const ORIGIN: &str = "hub.test/fhir";

fn signer() -> Signer {
    Signer::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// A trail of its own, written and sealed without a server.
struct Trail {
    database: Database,
    sequencer: Sequencer,
    client: tokio_postgres::Client,
    next_id: i64,
}

impl Trail {
    async fn new() -> Trail {
        let database = Database::migrated().await;
        let sequencer = Sequencer::new(&settings(&database.url)).unwrap();
        let client = database.client().await;
        let agents = "INSERT INTO audit_agent (key, issuer, subject, client, name, roles) VALUES \
                      (1, 'https://id.test', 'one', 'ehr', '王医生', ARRAY['doctor']), (2, 'https://id.test', 'two', 'ehr', NULL, ARRAY[]::text[])";
        client.batch_execute(agents).await.unwrap();
        Trail { database, sequencer, client, next_id: now_micros() << 11 }
    }

    /// Writes so many records and seals them; the id of the first one.
    async fn grow(&mut self, records: i64) -> i64 {
        let first = self.next_id;
        let insert = "INSERT INTO audit_record (id, shard, request, interaction, status, hospital, resource_type, resource_id, patient, \
                      query, agent, token, purposes, address) SELECT $1::int8 + n * 2048, 0, gen_random_uuid(), 1, 200, 1, 9, 'r' || n, n, NULL, \
                      CASE WHEN n % 10 = 0 THEN 2 ELSE 1 END, 'jti', 1, '192.0.2.1' FROM generate_series(0, $2::int8 - 1) AS n";
        self.client.execute(insert, &[&first, &records]).await.unwrap();
        self.next_id += records * 2_048;
        self.seal().await;
        first
    }

    /// Until nothing is left: other tests' transactions hold up what is final for a moment.
    async fn seal(&mut self) {
        loop {
            self.sequencer.seal().await.unwrap();
            if self.sequencer.lag(i64::MAX).await.unwrap() == 0 {
                return;
            }
        }
    }

    async fn sign(&mut self) -> Checkpoint {
        self.sequencer.sign(ORIGIN, &signer()).await.unwrap();
        let query = "SELECT note FROM audit_head ORDER BY tree_size DESC LIMIT 1";
        let note: String = self.client.query_one(query, &[]).await.unwrap().get(0);
        Checkpoint::open(&note, &[signer().verifier().clone()]).unwrap()
    }

    async fn examine(&self) -> Outcome {
        self.examine_with(known()).await
    }

    async fn examine_with(&self, known: Known) -> Outcome {
        examine(&settings(&self.database.url), &known, |_, _| {}).await.unwrap()
    }
}

fn known() -> Known {
    Known { keys: vec![signer().verifier().clone()], ..Known::default() }
}

fn sentences(outcome: &Outcome) -> Vec<String> {
    outcome.report.findings.iter().map(ToString::to_string).collect()
}
