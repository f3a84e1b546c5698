//! A private, durable PostgreSQL.

use crate::report::percentile;
use anyhow::{Context as _, Result};
use embedded::{Cluster, Durability};
use std::time::{Duration, Instant};
use store::migrate;
use store::pool::{Pool, Settings};
use tokio_postgres::{Client, NoTls};

pub(crate) struct Database {
    cluster: Cluster,
}

impl Database {
    pub(crate) async fn start() -> Result<Database> {
        let cluster =
            tokio::task::spawn_blocking(|| Cluster::temporary(Durability::Full)).await??;
        Ok(Database { cluster })
    }

    pub(crate) fn url(&self, name: &str) -> String {
        self.cluster.url_of(name)
    }

    pub(crate) fn settings(&self, name: &str) -> Settings {
        Settings {
            url: self.url(name),
            connections_max: 16,
            audit_connections: 2,
            wait_timeout: Duration::from_secs(30),
            statement_timeout: Duration::from_secs(120),
            walk_timeout: Duration::from_secs(120),
        }
    }

    /// A new database with our schema.
    pub(crate) async fn migrated(&self, name: &str) -> Result<()> {
        let client = self.connect("postgres").await?;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        migrate::up(&Pool::new(&self.settings(name))?).await?;
        Ok(())
    }

    pub(crate) async fn connect(&self, name: &str) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url(name), NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) async fn version(&self) -> Result<String> {
        let row = self.connect("postgres").await?.query_one("SHOW server_version", &[]).await?;
        Ok(row.try_get(0)?)
    }

    /// Bytes of write-ahead log so far.
    pub(crate) async fn wal_bytes(&self) -> Result<i64> {
        let text = "SELECT (pg_current_wal_insert_lsn() - '0/0')::int8";
        Ok(self.connect("postgres").await?.query_one(text, &[]).await?.try_get(0)?)
    }

    pub(crate) async fn checkpoint(&self) -> Result<()> {
        self.connect("postgres").await?.batch_execute("CHECKPOINT").await.context("a checkpoint")
    }

    /// The p50 of one row committed at a time, in milliseconds.
    pub(crate) async fn durable_commit_ms(&self) -> Result<f64> {
        let client = self.connect("postgres").await?;
        client.batch_execute("CREATE TABLE commits (id int8)").await?;
        let statement = client.prepare("INSERT INTO commits VALUES ($1)").await?;
        let mut times = Vec::new();
        for number in 0..300_i64 {
            let began = Instant::now();
            client.execute(&statement, &[&number]).await?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(percentile(&mut times, 0.5))
    }
}
