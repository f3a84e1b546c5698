//! An acknowledged write survives a database that is killed.

use crate::harness::{Database, TestServer, patient, settings};
use embedded::Cluster;
use futures_util::future::join_all;
use std::process::Command;
use store::migrate;
use store::pool::Pool;
use store::role::{PRIVATE, Server};

const WRITERS: usize = 8;
const KILLED_AFTER: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_a_killed_database() {
    let folder = std::env::temp_dir().join(format!("bund-durability-{}", std::process::id()));
    let cluster = Cluster::start(&folder).unwrap();
    let database = |cluster: &Cluster| Database::on(cluster, "postgres");
    let owner = Pool::new(&settings(&cluster.url())).unwrap();
    let role = Server { role: PRIVATE.to_owned(), is_created: true };
    migrate::up_for(&owner, Some(&role)).await.unwrap();
    let server = TestServer::start_on(database(&cluster), Vec::new()).await;

    let process = cluster.process_id().to_string();
    let writers = (0..WRITERS).map(|writer| {
        let (server, process) = (&server, &process);
        async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let answer = server.post("Patient", &patient(&format!("W{writer}-{number}"))).await;
                if answer.status != 201 {
                    assert_eq!(answer.status, 503, "{}", answer.text);
                    break;
                }
                acknowledged.push(answer.json()["id"].as_str().unwrap().to_owned());
                if writer == 0 && number == KILLED_AFTER {
                    assert!(Command::new("kill").args(["-9", process]).status().unwrap().success());
                }
            }
            acknowledged
        }
    });
    let acknowledged: Vec<String> = join_all(writers).await.concat();
    assert!(acknowledged.len() > KILLED_AFTER);
    drop(server);
    drop(cluster);

    let cluster = Cluster::start(&folder).unwrap();
    let server = TestServer::start_on(database(&cluster), Vec::new()).await;
    for id in &acknowledged {
        server.get(&format!("Patient/{id}")).await.expect(200);
    }
    drop(server);
    drop(cluster);
    std::fs::remove_dir_all(&folder).unwrap();
}
