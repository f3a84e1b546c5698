//! What all replicas know and nobody else: the keys that page links are authenticated with, and that numbers of people in entries are
//! hidden by.

use crate::error::Error;
use crate::reindex::begin;
use schema::resource::TABLES;
use uuid::Uuid;

/// The keys, by their numbers in the table.
const PAGE_LINKS: i16 = 1;
const VEIL: i16 = 2;

impl crate::Store {
    /// The same for all replicas of a database, made by the first one that asks.
    pub async fn secret(&self) -> Result<Vec<u8>, Error> {
        let client = self.pool.get().await?;
        let insert = "INSERT INTO secret (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        client.execute(insert, &[&PAGE_LINKS, &fresh()]).await?;
        let text = "SELECT content FROM secret WHERE id = $1";
        Ok(client.query_one(text, &[&PAGE_LINKS]).await?.try_get(0)?)
    }

    /// The key of the numbers of people in entries. With it comes, once, the order to make anew what entries there are already.
    pub async fn veil_secret(&self) -> Result<Vec<u8>, Error> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let insert = "INSERT INTO secret (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        if transaction.execute(insert, &[&VEIL, &fresh()]).await? > 0 {
            // A table that never had a row has no page.
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            let text = "SELECT name FROM unnest($1::text[]) AS name WHERE pg_relation_size(to_regclass(name)) > 0";
            let used: Vec<String> = transaction
                .query(text, &[&names])
                .await?
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?;
            let is_used = |name: &str| used.iter().any(|used| used == name);
            let used = TABLES.iter().filter(|table| is_used(table.name));
            let types: Vec<i16> = used.map(|table| table.code).collect();
            begin(&transaction, &types, true).await?;
        }
        let text = "SELECT content FROM secret WHERE id = $1";
        let secret = transaction.query_one(text, &[&VEIL]).await?.try_get(0)?;
        transaction.commit().await?;
        Ok(secret)
    }
}

fn fresh() -> Vec<u8> {
    [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|part| *part.as_bytes()).collect()
}
