//! Every committed record becomes a leaf exactly once, whatever happens to whom.

use super::{Trail, sentences};
use crate::harness::settings;
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;
use store::clock::now_micros;
use store::seal::sequencer::Sequencer;
use tokio_postgres::Client;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

const WRITERS: u64 = 6;
const TRANSACTIONS: u64 = 40;

/// A replica with a clock of its own, which leaps: some of its transactions are undone, some in part, some stay open for a while.
async fn write(client: Client, seed: u64, numbers: Arc<AtomicI64>) -> usize {
    let mut dice = Dice(seed);
    let mut committed = 0;
    for _ in 0..TRANSACTIONS {
        client.batch_execute("BEGIN").await.unwrap();
        let mut rows = insert(&client, &mut dice, &numbers).await;
        if dice.below(4) == 0 {
            client.batch_execute("SAVEPOINT part").await.unwrap();
            let more = insert(&client, &mut dice, &numbers).await;
            if dice.below(2) == 0 {
                client.batch_execute("ROLLBACK TO part").await.unwrap();
            } else {
                rows += more;
            }
        }
        if dice.below(3) == 0 {
            client.batch_execute("SELECT pg_sleep(0.01)").await.unwrap();
        }
        if dice.below(5) == 0 {
            client.batch_execute("ROLLBACK").await.unwrap();
        } else {
            client.batch_execute("COMMIT").await.unwrap();
            committed += rows;
        }
    }
    committed
}

async fn insert(client: &Client, dice: &mut Dice, numbers: &AtomicI64) -> usize {
    let rows = 1 + dice.below(5);
    for _ in 0..rows {
        // Ten days back or forth; the number keeps ids apart.
        let leap = i64::try_from(dice.below(20)).unwrap() - 10;
        let micros = now_micros() + leap * 86_400_000_000;
        let id = ((micros >> 20 << 20) + numbers.fetch_add(1, Ordering::Relaxed)) << 11;
        let text = "INSERT INTO audit_record (id, shard, request, interaction, status, hospital) \
                    VALUES ($1, 0, gen_random_uuid(), 1, 200, 1)";
        client.execute(text, &[&id]).await.unwrap();
    }
    usize::try_from(rows).unwrap()
}

/// One that believes to lead, is killed at any point and begins again.
async fn sequence(url: String, seed: u64, writing: Arc<AtomicUsize>) {
    let mut dice = Dice(seed);
    let mut sequencer = Sequencer::new(&settings(&url)).unwrap();
    while writing.load(Ordering::Acquire) > 0 {
        let patience = Duration::from_micros(200 + dice.below(20_000));
        match tokio::time::timeout(patience, sequencer.seal()).await {
            Ok(round) => drop(round.unwrap()),
            Err(_) if dice.below(2) == 0 => {
                sequencer = Sequencer::new(&settings(&url)).unwrap();
            }
            Err(_) => {}
        }
        if dice.below(4) == 0 {
            sequencer.sign(super::ORIGIN, &super::signer()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aud_11_every_committed_record_is_sealed_exactly_once() {
    for seed in [1, 2] {
        let mut trail = Trail::new().await;
        let writing = Arc::new(AtomicUsize::new(usize::try_from(WRITERS).unwrap()));
        let numbers = Arc::new(AtomicI64::new(0));
        let sequencers = (0..2).map(|number| {
            let url = trail.database.url.clone();
            tokio::spawn(sequence(url, seed * 1_000 + number + 1, Arc::clone(&writing)))
        });
        let sequencers: Vec<_> = sequencers.collect();
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let client = trail.database.client().await;
            let (writing, numbers) = (Arc::clone(&writing), Arc::clone(&numbers));
            writers.push(tokio::spawn(async move {
                let committed = write(client, seed * 77 + number + 1, numbers).await;
                writing.fetch_sub(1, Ordering::Release);
                committed
            }));
        }
        let committed: usize =
            join_all(writers).await.into_iter().map(|outcome| outcome.unwrap()).sum();
        for outcome in join_all(sequencers).await {
            outcome.unwrap();
        }
        trail.seal().await;
        trail.sign().await;
        let outcome = trail.examine().await;
        assert_eq!(sentences(&outcome), Vec::<String>::new(), "seed {seed}");
        let committed = u64::try_from(committed).unwrap();
        assert_eq!((outcome.size, outcome.report.intact), (committed, committed), "seed {seed}");
        assert_eq!(outcome.unsealed.records, 0);
    }
}

#[tokio::test]
async fn aud_11_a_record_waits_for_older_transactions_and_for_no_clock() {
    let mut trail = Trail::new().await;
    trail.grow(10).await;
    let slow = trail.database.client().await;
    slow.batch_execute("BEGIN").await.unwrap();
    let insert = |id: i64| {
        format!(
            "INSERT INTO audit_record (id, shard, request, interaction, status, hospital) VALUES ({id}, 0, gen_random_uuid(), 1, 200, 1)"
        )
    };
    // Its clock is days ahead, and it began first.
    slow.batch_execute(&insert(trail.next_id + (10 << 48))).await.unwrap();
    trail.client.batch_execute(&insert(trail.next_id)).await.unwrap();
    assert_eq!(trail.sequencer.seal().await.unwrap().sealed, 0);
    assert!(trail.sequencer.lag(now_micros() + 5_000_000).await.unwrap() > 0);
    slow.batch_execute("COMMIT").await.unwrap();
    trail.seal().await;
    let outcome = trail.examine().await;
    assert_eq!((sentences(&outcome), outcome.size, outcome.report.intact), (vec![], 12, 12));
}

#[tokio::test]
async fn aud_11_one_leads_and_another_takes_over() {
    let mut trail = Trail::new().await;
    let mut other = Sequencer::new(&settings(&trail.database.url)).unwrap();
    assert!(trail.sequencer.lead().await.unwrap());
    assert!(trail.sequencer.lead().await.unwrap());
    assert!(!other.lead().await.unwrap());
    trail.sequencer = Sequencer::new(&settings(&trail.database.url)).unwrap();
    let mut attempts = 0;
    while !other.lead().await.unwrap() {
        attempts += 1;
        assert!(attempts < 10_000, "nobody leads");
    }
    assert!(!trail.sequencer.lead().await.unwrap());
}

#[tokio::test]
async fn aud_11_a_database_restored_from_a_dump_is_not_sealed_on() {
    let mut trail = Trail::new().await;
    trail.grow(5).await;
    let ahead = "UPDATE audit_batch SET until_transaction = until_transaction + 1000000000";
    trail.client.batch_execute(ahead).await.unwrap();
    let error = trail.sequencer.seal().await.unwrap_err().to_string();
    assert!(error.contains("it was restored from a dump; see docs/operations/audit.md"), "{error}");
}

#[tokio::test]
async fn batches_are_bounded_and_a_large_transaction_is_cut() {
    let mut trail = Trail::new().await;
    trail.grow(20_000).await;
    let query = "SELECT array_agg(leaves ORDER BY first_leaf) FROM audit_batch";
    let leaves: Vec<i32> = trail.client.query_one(query, &[]).await.unwrap().get(0);
    assert_eq!(leaves, [8_192, 8_192, 3_616]);
    trail.sign().await;
    let outcome = trail.examine().await;
    assert_eq!((sentences(&outcome), outcome.report.intact), (vec![], 20_000));
}
