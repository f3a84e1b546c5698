//! Records that were opened in an emergency: for one person, one patient and a few hours, listed until somebody reviewed it.

use crate::Store;
use crate::error::Error;
use access::{Agent, Grant, HospitalId};
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// More than one person needs at a time.
const OPEN_MAX: i64 = 50;
const LISTED_MAX: i64 = 1_000;

/// An opening, as those who review it see it.
#[derive(Clone, Debug)]
pub struct Opening {
    pub id: Uuid,
    pub hospital: String,
    pub person: String,
    pub patient: String,
    pub reason: String,
    /// RFC 3339.
    pub opened_at: String,
    pub until: String,
    pub is_open: bool,
    pub review: Option<Review>,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub at: String,
    pub by: String,
    pub text: String,
}

const COLUMNS: &str = "b.id, coalesce(h.code, ''), coalesce(b.name, b.subject), b.patient, b.reason, \
    to_char(b.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
    to_char(b.until AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), b.until > now(), \
    to_char(b.reviewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), b.reviewed_by, b.review \
    FROM break_glass b LEFT JOIN hospital h ON h.id = b.hospital";

impl Store {
    /// Opens a patient's record to the person that the grant is for.
    pub async fn open_record(
        &self,
        grant: &Grant,
        patient: &str,
        reason: &str,
        time: Duration,
    ) -> Result<Opening, Error> {
        let id = Uuid::now_v7();
        let agent = grant.agent();
        let hospital = grant.hospital().map_or(0, |hospital| hospital.0);
        let seconds = i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
        let client = self.pool.get().await?;
        let insert = "INSERT INTO break_glass (id, hospital, issuer, subject, name, patient, reason, until) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::int4 * interval '1 second')";
        let statement = client.prepare_cached(insert).await?;
        client
            .execute(
                &statement,
                &[
                    &id,
                    &hospital,
                    &agent.issuer,
                    &agent.subject,
                    &agent.name,
                    &patient,
                    &reason,
                    &seconds,
                ],
            )
            .await?;
        let row = client.query_one(&format!("SELECT {COLUMNS} WHERE b.id = $1"), &[&id]).await?;
        opening(&row)
    }

    /// The patients whose records are open to a person at this moment.
    pub async fn opened(&self, agent: &Agent, hospital: HospitalId) -> Result<Vec<String>, Error> {
        let client = self.readers.get().await?;
        let select = "SELECT DISTINCT patient FROM break_glass \
            WHERE issuer = $1 AND subject = $2 AND hospital = $3 AND until > now() LIMIT $4";
        let statement = client.prepare_cached(select).await?;
        let parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)] =
            &[&agent.issuer, &agent.subject, &hospital.0, &OPEN_MAX];
        let rows = client.query(&statement, parameters).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The oldest first; those that were reviewed only if they are asked for.
    pub async fn openings(&self, with_reviewed: bool) -> Result<Vec<Opening>, Error> {
        let client = self.pool.get().await?;
        let select = format!(
            "SELECT {COLUMNS} WHERE b.reviewed_at IS NULL OR $1 ORDER BY b.opened_at LIMIT $2"
        );
        let rows = client.query(&select, &[&with_reviewed, &LISTED_MAX]).await?;
        rows.iter().map(opening).collect()
    }

    /// How many wait for a review, and for how many seconds the oldest of them.
    pub async fn unreviewed(&self) -> Result<(i64, f64), Error> {
        let client = self.pool.get().await?;
        let select = "SELECT count(*), coalesce(extract(epoch FROM now() - min(opened_at)), 0)::float8 \
            FROM break_glass WHERE reviewed_at IS NULL";
        let row = client.query_one(&client.prepare_cached(select).await?, &[]).await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Whether there was such an opening, and nobody had reviewed it.
    pub async fn review(&self, id: Uuid, by: &str, text: &str) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let update = "UPDATE break_glass SET reviewed_at = now(), reviewed_by = $2, review = $3 \
            WHERE id = $1 AND reviewed_at IS NULL";
        Ok(client.execute(update, &[&id, &by, &text]).await? == 1)
    }
}

fn opening(row: &Row) -> Result<Opening, Error> {
    let at: Option<String> = row.try_get(8)?;
    let review = match at {
        None => None,
        Some(at) => Some(Review {
            at,
            by: row.try_get::<_, Option<String>>(9)?.unwrap_or_default(),
            text: row.try_get::<_, Option<String>>(10)?.unwrap_or_default(),
        }),
    };
    Ok(Opening {
        id: row.try_get(0)?,
        hospital: row.try_get(1)?,
        person: row.try_get(2)?,
        patient: row.try_get(3)?,
        reason: row.try_get(4)?,
        opened_at: row.try_get(5)?,
        until: row.try_get(6)?,
        is_open: row.try_get(7)?,
        review,
    })
}
