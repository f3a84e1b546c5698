//! Who administers the database may change everything in it, and is found out.

use super::{Trail, known, sentences};
use crate::harness::administrator;
use audit::event::event_id;
use store::seal::examination::Known;

/// Seven hundred records, the first five hundred under one signed head, all under another.
async fn trail() -> (Trail, i64) {
    let mut trail = Trail::new().await;
    let first = trail.grow(500).await;
    trail.sign().await;
    trail.grow(200).await;
    trail.sign().await;
    (trail, first)
}

/// What is said after this was done; it is undone afterwards.
async fn check(trail: &Trail, change: &str, undo: &str, expected: &[&str]) {
    trail.client.batch_execute(change).await.unwrap();
    let found = sentences(&trail.examine().await);
    assert_eq!(found.len(), expected.len(), "{change}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{change}: `{found}` does not contain `{expected}`");
    }
    trail.client.batch_execute(undo).await.unwrap();
    let found = sentences(&trail.examine().await);
    assert!(found.is_empty(), "after {undo}: {found:?}");
}

/// Of the record with a number.
fn event(first: i64, number: i64) -> (i64, String) {
    let id = first + number * 2_048;
    (id, event_id(id))
}

#[tokio::test]
async fn aud_09_one_changed_byte_is_found_and_its_leaf_named() {
    let (trail, first) = trail().await;
    let (id, name) = event(first, 300);
    for (column, other, old) in [
        ("status", "403", "200"),
        ("patient", "301", "300"),
        ("resource_id", "'r301'", "'r300'"),
        ("purposes", "NULL", "1"),
        ("address", "'192.0.2.2'", "'192.0.2.1'"),
        ("agent", "1", "2"),
        ("token", "'jtj'", "'jti'"),
    ] {
        let set =
            |value: &str| format!("UPDATE audit_record SET {column} = {value} WHERE id = {id}");
        let expected = format!("AuditEvent/{name} of ");
        check(&trail, &set(other), &set(old), &[&expected]).await;
    }
    let outcome = trail.examine().await;
    assert_eq!((outcome.report.intact, outcome.report.heads, outcome.size), (700, 2, 700));
    assert_eq!(outcome.unsealed.records, 0);
}

#[tokio::test]
async fn aud_09_a_changed_agent_is_found() {
    let (trail, _) = trail().await;
    let set = |name: &str| format!("UPDATE audit_agent SET subject = '{name}' WHERE key = 2");
    trail.client.batch_execute(&set("twp")).await.unwrap();
    let found = sentences(&trail.examine().await);
    assert_eq!(found.len(), 71);
    assert!(found[0].contains("(leaf 0) is not as it was sealed"), "{found:?}");
    let last = "none of the 70 records of agent 0000000000000002 is as it was sealed";
    assert!(found[70].starts_with(last), "{found:?}");
    trail.client.batch_execute(&set("two")).await.unwrap();
    assert!(trail.examine().await.report.findings.is_empty());
}

#[tokio::test]
async fn aud_09_what_is_kept_beside_the_records_is_not_changed_unseen() {
    let (trail, _) = trail().await;
    // Turning the bit twice leaves it as it was.
    for (turn, expected) in [
        (
            "UPDATE audit_batch SET hashes = set_byte(hashes, 32 * 7, get_byte(hashes, 32 * 7) # 1) WHERE first_leaf = 500",
            "the hash kept of leaf 507 was rewritten",
        ),
        (
            "UPDATE audit_node SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE index = 1",
            "the kept hash over leaves 256 to 511 is not that of its leaves",
        ),
        (
            "UPDATE audit_head SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE tree_size = 500",
            "the head of 500 records is not what was signed",
        ),
    ] {
        check(&trail, turn, turn, &[expected]).await;
    }
    let renamed = |old: &str, new: &str| {
        format!(
            "UPDATE audit_head SET note = replace(note, '{old}', '{new}') WHERE tree_size = 700"
        )
    };
    let reason =
        "the head of 700 records is not what was signed: its signature by hub.test/fhir is wrong";
    check(&trail, &renamed("\n700\n", "\n699\n"), &renamed("\n699\n", "\n700\n"), &[reason]).await;
    let taken = "CREATE TABLE taken AS SELECT * FROM audit_batch WHERE first_leaf = 500; DELETE FROM audit_batch WHERE first_leaf = 500";
    let back = "INSERT INTO audit_batch SELECT * FROM taken; DROP TABLE taken";
    let shorter = "a head was signed for 700 records, and 500 are sealed here";
    check(&trail, taken, back, &[shorter]).await;
}

#[tokio::test]
async fn aud_09_removed_and_added_records_are_named() {
    let (trail, first) = trail().await;
    let (id, name) = event(first, 250);
    let ((_, before), (_, after)) = (event(first, 249), event(first, 251));
    let taken = format!(
        "CREATE TABLE taken AS SELECT * FROM audit_record WHERE id = {id}; DELETE FROM audit_record WHERE id = {id}"
    );
    let back = "INSERT INTO audit_record SELECT * FROM taken; DROP TABLE taken";
    trail.client.batch_execute(&taken).await.unwrap();
    let found = sentences(&trail.examine().await);
    assert_eq!(found.len(), 1, "{found:?}");
    let removed = format!("leaf 250 was removed: a record between AuditEvent/{before} of ");
    assert!(found[0].starts_with(&removed) && found[0].contains(&after), "{found:?}");
    trail.client.batch_execute(back).await.unwrap();
    // A record that pretends to be of then.
    let add = format!(
        "INSERT INTO audit_record SELECT id + 1, shard, request, interaction, status, hospital, resource_type, resource_id, version, \
         patient, query, agent, token, purposes, transaction, address FROM audit_record WHERE id = {id}"
    );
    let remove = format!("DELETE FROM audit_record WHERE id = {}", id + 1);
    let added = format!("AuditEvent/{} of ", event_id(id + 1));
    check(&trail, &add, &remove, &[&added]).await;
    let moved = |old: i64, new: i64| format!("UPDATE audit_record SET id = {new} WHERE id = {old}");
    let edited = format!("AuditEvent/{} of ", event_id(id + 5));
    check(&trail, &moved(id, id + 5), &moved(id + 5, id), &[&edited]).await;
    let future = |from: &str, to: &str| {
        format!(
            "UPDATE audit_record SET transaction = transaction {from} 1000000000 {to} WHERE id = {id}"
        )
    };
    check(
        &trail,
        &future("+", ""),
        &future("-", ""),
        &["leaf 250 was removed", &format!("AuditEvent/{name} of ")],
    )
    .await;
}

#[tokio::test]
async fn aud_10_the_newest_records_are_missed() {
    let (trail, first) = trail().await;
    let (id, _) = event(first, 690);
    let taken = format!(
        "CREATE TABLE taken AS SELECT * FROM audit_record WHERE id >= {id}; DELETE FROM audit_record WHERE id >= {id}"
    );
    let back = "INSERT INTO audit_record SELECT * FROM taken; DROP TABLE taken";
    check(&trail, &taken, back, &["leaves 690 to 699 were removed: records after AuditEvent/"])
        .await;
    let (id, _) = event(first, 500);
    trail
        .client
        .batch_execute(&format!("DELETE FROM audit_record WHERE id >= {id}"))
        .await
        .unwrap();
    trail.client.batch_execute("DELETE FROM audit_batch WHERE first_leaf >= 500").await.unwrap();
    let found = sentences(&trail.examine().await);
    let shorter =
        "a head was signed for 700 records, and 500 are sealed here: the newest 200 were removed";
    assert!(found.len() == 1 && found[0].starts_with(shorter), "{found:?}");
}

#[tokio::test]
async fn aud_10_a_database_that_went_back_is_found_by_what_a_witness_keeps() {
    let mut trail = Trail::new().await;
    trail.grow(300).await;
    let old = trail.sign().await;
    let copy = format!("{}_copy", trail.database.name);
    let administrator = administrator().await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    let create = format!("CREATE DATABASE {copy} TEMPLATE {}", trail.database.name);
    let mut attempts = 0;
    while administrator.batch_execute(&create).await.is_err() {
        administrator.query(others, &[&trail.database.name]).await.unwrap();
        attempts += 1;
        assert!(attempts < 200);
    }
    // The one goes on, and a witness keeps its head; then the copy is put in its place.
    let url = trail.database.url.clone();
    trail.client = trail.database.client().await;
    trail.sequencer =
        store::seal::sequencer::Sequencer::new(&crate::harness::settings(&url)).unwrap();
    trail.grow(100).await;
    let new = trail.sign().await;
    assert_eq!((old.size, new.size), (300, 400));
    let witnessed = |head| Known { witnesses: vec![("ruijin".to_owned(), head)], ..known() };
    assert!(sentences(&trail.examine_with(witnessed(new.clone())).await).is_empty());
    trail.database.url = url.replace(&trail.database.name, &copy);
    assert!(sentences(&trail.examine().await).is_empty());
    assert!(sentences(&trail.examine_with(witnessed(old)).await).is_empty());
    let found = sentences(&trail.examine_with(witnessed(new)).await);
    let back = "ruijin keeps a head of 400 records, and 300 are sealed here: the newest 100 were removed, or the database went back";
    assert!(found.len() == 1 && found[0].starts_with(back), "{found:?}");
}

#[tokio::test]
async fn aud_12_an_examination_goes_on_where_the_last_one_was() {
    let (mut trail, first) = trail().await;
    let outcome = trail.examine().await;
    let from = outcome.point;
    assert_eq!(from.map(|point| point.size), Some(700));
    trail.grow(100).await;
    trail.sign().await;
    let outcome = trail.examine_with(Known { from, ..known() }).await;
    assert_eq!((sentences(&outcome), outcome.report.intact), (vec![], 100));
    let (id, _) = event(first, 700 + 50);
    let edit = format!("UPDATE audit_record SET status = 500 WHERE id >= {id} AND status = 200");
    trail.client.batch_execute(&edit).await.unwrap();
    let found = sentences(&trail.examine_with(Known { from, ..known() }).await);
    assert_eq!(found.len(), 50, "{found:?}");
    // What was verified before and is other now.
    let turn =
        "UPDATE audit_node SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE index = 0";
    trail.client.batch_execute(turn).await.unwrap();
    let found = sentences(&trail.examine_with(Known { from, ..known() }).await);
    assert!(
        found[0].starts_with("the head that the state file keeps of 700 records does not fit"),
        "{found:?}"
    );
}
