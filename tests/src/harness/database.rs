//! One private PostgreSQL a run; a database a test, cloned from a migrated template.

use embedded::{Cluster, Durability};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use store::pool::{Pool, Settings};
use store::role::{PRIVATE, Server};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

struct Shared {
    cluster: Cluster,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(1);

const TEMPLATE: &str = "bund_template";

async fn shared() -> &'static Shared {
    SHARED
        .get_or_init(async || {
            let cluster =
                tokio::task::spawn_blocking(|| Cluster::temporary(Durability::None).unwrap())
                    .await
                    .unwrap();
            let client = connect(&cluster.url()).await;
            client.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.unwrap();
            let pool = Pool::new(&settings(&cluster.url_of(TEMPLATE))).unwrap();
            let server = Server { role: PRIVATE.to_owned(), is_created: true };
            store::migrate::up_for(&pool, Some(&server)).await.unwrap();
            drop(pool);
            Shared { cluster }
        })
        .await
}

/// A database that is dropped with the cluster.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// As the role that serves.
    pub(crate) url: String,
    /// As who may do anything.
    pub(crate) owner_url: String,
}

impl Database {
    /// Migrated and empty.
    pub(crate) async fn migrated() -> Database {
        Database::create(&format!("TEMPLATE {TEMPLATE}")).await
    }

    /// Without any table.
    pub(crate) async fn empty() -> Database {
        Database::create("").await
    }

    async fn create(options: &str) -> Database {
        let shared = shared().await;
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = connect(&shared.cluster.url()).await;
        // The template may still be in use by another clone that just began.
        let mut attempts = 0;
        while let Err(error) =
            client.batch_execute(&format!("CREATE DATABASE {name} {options}")).await
        {
            attempts += 1;
            assert!(attempts < 200, "{error}");
            tokio::task::yield_now().await;
        }
        Database::on(&shared.cluster, &name)
    }

    pub(crate) fn on(cluster: &Cluster, name: &str) -> Database {
        let name = name.to_owned();
        Database { url: cluster.url_as(PRIVATE, &name), owner_url: cluster.url_of(&name), name }
    }

    /// Of an administrator.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.owner_url).await
    }

    /// Of the role that serves.
    pub(crate) async fn server_client(&self) -> Client {
        connect(&self.url).await
    }
}

/// A connection to the cluster itself.
pub(crate) async fn administrator() -> Client {
    connect(&shared().await.cluster.url()).await
}

pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        url: url.to_owned(),
        connections_max: 8,
        audit_connections: 2,
        wait_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(30),
        walk_timeout: Duration::from_secs(30),
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
