//! What all replicas know and nobody else: the key that page links are authenticated with, the one that heads of the trail are signed
//! with where no file has it, and the one that hides the numbers of people in entries.

use crate::error::Error;
use crate::reindex::begin;
use schema::resource::TABLES;
use tokio_postgres::Transaction;
use uuid::Uuid;

const PAGES: i16 = 1;
const SEAL: i16 = 2;
const VEIL: i16 = 3;

impl crate::Store {
    /// The same for all replicas of a database, made by the first one that asks.
    pub async fn secret(&self) -> Result<Vec<u8>, Error> {
        self.kept(PAGES, &fresh()).await
    }

    /// The seed of the key that heads are signed with: the one that is kept, or else this one from now on.
    pub async fn seal_seed(&self, fresh: &[u8; 32]) -> Result<Vec<u8>, Error> {
        self.kept(SEAL, fresh).await
    }

    /// The key of the numbers of people in entries. With it comes, once, the order to make anew what entries there are already.
    pub async fn veil_secret(&self) -> Result<Vec<u8>, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let insert = "INSERT INTO secret (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        if transaction.execute(insert, &[&VEIL, &fresh()]).await? > 0 {
            begin(&transaction, &used(&transaction).await?, true).await?;
        }
        let text = "SELECT content FROM secret WHERE id = $1";
        let secret = transaction.query_one(text, &[&VEIL]).await?.try_get(0)?;
        transaction.commit().await?;
        Ok(secret)
    }

    async fn kept(&self, id: i16, fresh: &[u8]) -> Result<Vec<u8>, Error> {
        let client = self.pool.get().await?;
        let insert = "INSERT INTO secret (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        client.execute(insert, &[&id, &fresh]).await?;
        let row = client.query_one("SELECT content FROM secret WHERE id = $1", &[&id]).await?;
        Ok(row.try_get(0)?)
    }
}

fn fresh() -> Vec<u8> {
    [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|part| *part.as_bytes()).collect()
}

/// The types that have resources: a table that never had a row has no page.
async fn used(transaction: &Transaction<'_>) -> Result<Vec<i16>, Error> {
    let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    let text =
        "SELECT name FROM unnest($1::text[]) AS name WHERE pg_relation_size(to_regclass(name)) > 0";
    let rows = transaction.query(text, &[&names]).await?;
    let used: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let is_used = |name: &str| used.iter().any(|used| used == name);
    let tables = TABLES.iter().filter(|table| is_used(table.name));
    Ok(tables.map(|table| table.code).collect())
}
