//! Consents in force that are to be looked at again because the patient has come of age since.

use crate::Store;
use crate::error::Error;
use crate::find::read_by;
use crate::row::{COLUMNS, Version};
use crate::trail::Sealed;
use access::Grant;
use schema::resource::find;
use search::reader::Reader;

/// A consent, and since when the patient is older than when it was given.
#[derive(Clone, Debug)]
pub struct Outgrown {
    pub consent: Version,
    /// The age that was reached, in years.
    pub age: i32,
    /// A date.
    pub since: String,
}

const LISTED_MAX: i64 = 1_000;

impl Store {
    /// Those of which the patient turned 14 or 18 after they were given; the latest age only, those that have waited longest first.
    /// Who gave them stands in their bodies. `zone` is a name as PostgreSQL knows it.
    pub async fn outgrown(
        &self,
        _grant: &Grant,
        zone: &str,
    ) -> Result<Sealed<Vec<Outgrown>>, Error> {
        let client = self.pool.get().await?;
        let columns = COLUMNS.split(", ").map(|column| format!("c.{column}")).collect::<Vec<_>>();
        let text = format!(
            "SELECT {}, b.age, to_char(b.since, 'YYYY-MM-DD') AS since \
             FROM (SELECT DISTINCT consent_key, patient FROM consent_rule \
                   WHERE valid_until > (extract(epoch FROM now()) * 1000000)::int8) r \
             JOIN open.consent c ON c.key = r.consent_key JOIN open.patient p ON p.key = r.patient \
             CROSS JOIN LATERAL (SELECT age, since FROM unnest(ARRAY[18, 14]) AS age, \
                LATERAL (SELECT ((to_timestamp(p.date_low / 1000000.0) AT TIME ZONE $1)::date + make_interval(years => age))::date AS since) s \
                WHERE s.since <= (now() AT TIME ZONE $1)::date \
                AND s.since > (to_timestamp(coalesce(c.date_low, c.version_key >> 11) / 1000000.0) AT TIME ZONE $1)::date \
                ORDER BY age DESC LIMIT 1) b \
             ORDER BY b.since, c.id LIMIT $2",
            columns.join(", ")
        );
        let statement = client.prepare_cached(&read_by(&text, 3)).await?;
        let reader = Reader::Everything.text();
        let table = find("Consent").ok_or_else(|| Error::Corrupt("no consents".to_owned()))?;
        let mut outgrown = Vec::new();
        for row in client.query(&statement, &[&zone, &LISTED_MAX, &reader]).await? {
            let consent = self.version(table, &row)?;
            outgrown.push(Outgrown { consent, age: row.try_get(10)?, since: row.try_get(11)? });
        }
        Ok(Sealed::new(outgrown))
    }
}
