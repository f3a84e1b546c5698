//! From stored records to leaves.

use crate::error::Error;
use audit::seal::examine::{Position, Row};
use audit::seal::leaf::{Leaf, agent};
use deadpool_postgres::Transaction;
use std::collections::HashMap;
use uuid::Uuid;

/// What a leaf is made of, in the order that `leaf` reads.
macro_rules! columns {
    () => {
        "transaction, id, shard, request, interaction, status, hospital, resource_type, resource_id, version, patient, \
         query, agent, token, purposes, address"
    };
}
pub(super) use columns;

/// Agents whose content is remembered; beyond this it is forgotten and read again.
const AGENTS_MAX: usize = 100_000;

/// Makes leaves, and remembers agents: most records have one of few.
#[derive(Default)]
pub(super) struct Leaves {
    agents: HashMap<i64, Vec<u8>>,
    buffer: Vec<u8>,
}

impl Leaves {
    pub(super) async fn of(
        &mut self,
        transaction: &Transaction<'_>,
        rows: &[tokio_postgres::Row],
    ) -> Result<Vec<Row>, Error> {
        let mut wanted = Vec::new();
        for row in rows {
            wanted.extend(row.try_get::<_, Option<i64>>(12)?);
        }
        self.learn(transaction, wanted).await?;
        rows.iter().map(|row| self.leaf(row)).collect()
    }

    async fn learn(
        &mut self,
        transaction: &Transaction<'_>,
        mut wanted: Vec<i64>,
    ) -> Result<(), Error> {
        wanted.sort_unstable();
        wanted.dedup();
        if self.agents.len() + wanted.len() > AGENTS_MAX {
            self.agents.clear();
        }
        wanted.retain(|key| !self.agents.contains_key(key));
        if wanted.is_empty() {
            return Ok(());
        }
        let text =
            "SELECT key, issuer, subject, client, name, roles FROM audit_agent WHERE key = ANY($1)";
        let statement = transaction.prepare_cached(text).await?;
        for row in transaction.query(&statement, &[&wanted]).await? {
            let roles: Vec<String> = row.try_get(5)?;
            let content =
                agent(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?, &roles);
            self.agents.insert(row.try_get(0)?, content);
        }
        Ok(())
    }

    fn leaf(&mut self, row: &tokio_postgres::Row) -> Result<Row, Error> {
        let key: Option<i64> = row.try_get(12)?;
        let content = key.and_then(|key| self.agents.get(&key)).map(Vec::as_slice);
        let leaf = leaf(row, content)?;
        let position = Position { transaction: leaf.transaction, id: leaf.id, shard: leaf.shard };
        Ok(Row { position, digest: leaf.digest(&mut self.buffer), agent: key })
    }
}

/// The record of a row that begins with those columns.
pub(super) fn leaf<'a>(
    row: &'a tokio_postgres::Row,
    content: Option<&'a [u8]>,
) -> Result<Leaf<'a>, Error> {
    Ok(Leaf {
        transaction: row.try_get(0)?,
        id: row.try_get(1)?,
        shard: row.try_get(2)?,
        request: row.try_get::<_, Uuid>(3)?.into_bytes(),
        interaction: row.try_get(4)?,
        status: row.try_get(5)?,
        hospital: row.try_get(6)?,
        resource_type: row.try_get(7)?,
        resource_id: row.try_get(8)?,
        version: row.try_get(9)?,
        patient: row.try_get(10)?,
        query: row.try_get(11)?,
        agent: row.try_get(12)?,
        agent_content: content,
        token: row.try_get(13)?,
        purposes: row.try_get(14)?,
        address: row.try_get(15)?,
    })
}
