//! Issuers that somebody proposed, and that somebody else has to approve before a token of theirs is taken.

use super::journal::{By, Deed};
use super::{Error, Existing, Issuer, begin, finish, put_issuer};
use crate::Store;
use crate::error::Error as Failure;
use serde_json::{Value, json};

/// An issuer as it would be.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    pub issuer: Issuer,
    pub by: By,
}

/// More than anybody looks through.
const PROPOSALS_MAX: i64 = 100;

impl Store {
    pub async fn issuer_proposals(&self) -> Result<Vec<Proposal>, Failure> {
        let client = self.pool.get().await?;
        let text = "SELECT content, by_name, account FROM issuer_proposal ORDER BY iss LIMIT $1";
        let rows = client.query(text, &[&PROPOSALS_MAX]).await?;
        rows.iter().map(proposal).collect()
    }

    /// Replaces what was proposed of the same issuer; what is in force stays as it is.
    pub async fn propose_issuer(
        &self,
        by: &By,
        issuer: &Issuer,
        existing: Existing,
    ) -> Result<(), Error> {
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        let text = "SELECT 1 FROM issuer WHERE iss = $1";
        let is_there = transaction.query_opt(text, &[&issuer.iss]).await?.is_some();
        if is_there && existing == Existing::Refuse {
            return Err(Error::Known { what: "issuer", name: issuer.iss.clone() });
        }
        let text = "SELECT count(*) FROM issuer_proposal WHERE iss <> $1";
        let others: i64 = transaction.query_one(text, &[&issuer.iss]).await?.try_get(0)?;
        if others >= PROPOSALS_MAX {
            return Err(Error::Full(others));
        }
        let content = issuer.content();
        let text = "INSERT INTO issuer_proposal (iss, content, by_name, account) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (iss) DO UPDATE SET content = excluded.content, by_name = excluded.by_name, \
                    account = excluded.account, proposed_at = now()";
        transaction.execute(text, &[&issuer.iss, &content, &by.name, &by.account]).await?;
        let deed = Deed { by, action: "issuer proposed", subject: &issuer.iss, detail: content };
        finish(transaction, &deed).await
    }

    /// Puts in force what somebody else proposed.
    pub async fn approve_issuer(&self, by: &By, iss: &str) -> Result<(), Error> {
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        let text = "DELETE FROM issuer_proposal WHERE iss = $1 RETURNING content, by_name, account";
        let Some(row) = transaction.query_opt(text, &[&iss]).await? else {
            return Err(Error::NotProposed(iss.to_owned()));
        };
        let proposal = proposal(&row).map_err(Error::Store)?;
        if by.is(&proposal.by.name) {
            return Err(Error::SamePerson(proposal.by.name));
        }
        put_issuer(&transaction, &proposal.issuer, Existing::Replace).await?;
        let detail = json!({
            "issuer": proposal.issuer.content(),
            "proposed_by": proposal.by.name,
            "proposed_account": proposal.by.account,
        });
        finish(transaction, &Deed { by, action: "issuer approved", subject: iss, detail }).await
    }

    /// Forgets what was proposed.
    pub async fn reject_issuer(&self, by: &By, iss: &str) -> Result<(), Error> {
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        let text = "DELETE FROM issuer_proposal WHERE iss = $1";
        if transaction.execute(text, &[&iss]).await? == 0 {
            return Err(Error::NotProposed(iss.to_owned()));
        }
        let detail = Value::Null;
        finish(transaction, &Deed { by, action: "issuer rejected", subject: iss, detail }).await
    }
}

fn proposal(row: &tokio_postgres::Row) -> Result<Proposal, Failure> {
    let content: Value = row.try_get(0)?;
    let issuer = serde_json::from_value(content)
        .map_err(|error| Failure::Corrupt(format!("a proposal cannot be read: {error}")))?;
    Ok(Proposal { issuer, by: By { name: row.try_get(1)?, account: row.try_get(2)? } })
}
