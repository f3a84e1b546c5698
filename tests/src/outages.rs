//! A database that goes away and comes back: 503 with Retry-After meanwhile, nothing half-stored, no acknowledged write lost.

use crate::harness::{TestServer, administrator, options, patient};

#[tokio::test]
async fn connections_cut_by_the_database_are_replaced() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Out")).await;
    let administrator = administrator().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    for _ in 0..3 {
        administrator.query(cut, &[&server.database.name]).await.unwrap();
        // The first request may find its connection dead; the next must not.
        let first = server.get(&address).await;
        assert!([200, 503].contains(&first.status), "{}", first.text);
        if first.status == 503 {
            assert!(first.header("retry-after").is_some());
        }
        for _ in 0..9 {
            let next = server.get(&address).await;
            if next.status == 200 {
                break;
            }
            assert_eq!(next.status, 503, "{}", next.text);
        }
        server.get(&address).await.expect(200);
        server.post("Patient", &patient("Back")).await.expect(201);
    }
}

#[tokio::test]
async fn a_database_that_refuses_connections_is_503_and_not_ready_but_alive() {
    let server = TestServer::start_with(options(&[("BUND_DATABASE_WAIT_TIMEOUT_MS", "500")])).await;
    let address = server.create(&patient("Out")).await;
    let administrator = administrator().await;
    let name = server.database.name.clone();
    let refuse = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    administrator.batch_execute(&refuse).await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    administrator.query(cut, &[&name]).await.unwrap();
    for _ in 0..3 {
        let read = server.get(&address).await.expect(503);
        assert!(read.header("retry-after").is_some());
        server.post("Patient", &patient("Lost")).await.refused(503, "not available");
    }
    assert_eq!(server.get_outside("readyz").await.status, 503);
    assert_eq!(server.get_outside("livez").await.status, 200);
    let allow = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    administrator.batch_execute(&allow).await.unwrap();
    let mut status = 0;
    for _ in 0..20 {
        status = server.get(&address).await.status;
        if status == 200 {
            break;
        }
    }
    assert_eq!(status, 200);
    assert_eq!(server.get_outside("readyz").await.status, 200);
    assert!(server.get("Patient?identifier=Lost").await.expect(200).ids().is_empty());
}
