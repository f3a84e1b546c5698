//! What all replicas know and nobody else: the key that page links are authenticated with, and the one that heads of the trail are
//! signed with where no file has it.

use crate::error::Error;
use uuid::Uuid;

const PAGES: i16 = 1;
const SEAL: i16 = 2;

impl crate::Store {
    /// The same for all replicas of a database, made by the first one that asks.
    pub async fn secret(&self) -> Result<Vec<u8>, Error> {
        let fresh: Vec<u8> =
            [Uuid::new_v4(), Uuid::new_v4()].iter().flat_map(|part| *part.as_bytes()).collect();
        self.kept(PAGES, &fresh).await
    }

    /// The seed of the key that heads are signed with: the one that is kept, or else this one from now on.
    pub async fn seal_seed(&self, fresh: &[u8; 32]) -> Result<Vec<u8>, Error> {
        self.kept(SEAL, fresh).await
    }

    async fn kept(&self, id: i16, fresh: &[u8]) -> Result<Vec<u8>, Error> {
        let client = self.pool.get().await?;
        let insert = "INSERT INTO secret (id, content) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        client.execute(insert, &[&id, &fresh]).await?;
        let row = client.query_one("SELECT content FROM secret WHERE id = $1", &[&id]).await?;
        Ok(row.try_get(0)?)
    }
}
