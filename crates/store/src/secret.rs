//! What all replicas know and nobody else: the key that page links are authenticated with.

use crate::error::Error;
use uuid::Uuid;

impl crate::Store {
    /// The same for all replicas of a database, made by the first one that asks.
    pub async fn secret(&self) -> Result<Vec<u8>, Error> {
        let client = self.pool.get().await?;
        let fresh: Vec<u8> =
            [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|part| *part.as_bytes()).collect();
        let insert = "INSERT INTO secret (id, content) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
        client.execute(insert, &[&fresh]).await?;
        let row = client.query_one("SELECT content FROM secret WHERE id = 1", &[]).await?;
        Ok(row.try_get(0)?)
    }
}
