//! The trail, read: records with who made them and whom they are about, the newest first.

use crate::Store;
use crate::error::Error;
use crate::find::rows;
use crate::trail::Sealed;
use access::{Agent, Purposes};
use audit::event::Stored;
use schema::resource::by_code;
use search::reader::Reader;
use search::sql::{Bind, Sql};
use tokio_postgres::Row;

/// What is asked of the trail.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub id: Option<i64>,
    /// From the first id to before the last, which are moments.
    pub from: Option<i64>,
    pub before: Option<i64>,
    /// Keys of patients, one of which it is about.
    pub patients: Option<Vec<i64>>,
    /// Codes of interactions.
    pub interactions: Option<Vec<i64>>,
    /// Statuses, from and to.
    pub statuses: Option<(i32, i32)>,
    /// The type, if it is told, and the id of what was touched.
    pub subject: Option<(Option<i16>, String)>,
    pub limit: i64,
}

impl Store {
    /// `zone` is a name as PostgreSQL knows it.
    pub async fn events(&self, asked: &Asked, zone: &str) -> Result<Sealed<Vec<Stored>>, Error> {
        let client = self.pool.get().await?;
        let sql = statement(asked, zone);
        let rows = rows(&client, &sql, "events").await?;
        Ok(Sealed::new(rows.iter().map(stored).collect::<Result<_, _>>()?))
    }
}

fn statement(asked: &Asked, zone: &str) -> Sql {
    let mut all = Vec::new();
    let int8 = |text: &'static str, value: i64| Sql::text_of(text).bind(Bind::Int8(value));
    all.extend(asked.id.map(|id| int8("r.id = ", id)));
    all.extend(asked.from.map(|id| int8("r.id >= ", id)));
    all.extend(asked.before.map(|id| int8("r.id < ", id)));
    let any = |text: &'static str, keys: &Vec<i64>| {
        Sql::text_of(text).bind(Bind::Int8Array(keys.clone())).then(")")
    };
    all.extend(asked.patients.as_ref().map(|keys| any("r.patient = ANY(", keys)));
    all.extend(asked.interactions.as_ref().map(|codes| any("r.interaction::int8 = ANY(", codes)));
    if let Some((from, to)) = asked.statuses {
        all.push(Sql::text_of("r.status >= ").bind(Bind::Int4(from)));
        all.push(Sql::text_of("r.status <= ").bind(Bind::Int4(to)));
    }
    if let Some((kind, id)) = &asked.subject {
        let of_kind =
            |kind: i16| Sql::text_of("r.resource_type = ").bind(Bind::Int4(i32::from(kind)));
        all.extend(kind.map(of_kind));
        all.push(Sql::text_of("r.resource_id = ").bind(Bind::Text(id.clone())));
    }
    Sql::text_of(
        "SELECT r.id, r.request::text, r.interaction, r.status, h.code, r.resource_type, r.resource_id, r.version, \
         p.id, r.query, a.issuer, a.subject, a.client, a.name, a.roles, r.token, coalesce(r.purposes, 0), \
         to_char(to_timestamp((r.id >> 11) / 1000000.0) AT TIME ZONE ",
    )
    .bind(Bind::Text(zone.to_owned()))
    .then(", 'YYYY-MM-DD\"T\"HH24:MI:SS.MS'), \
           extract(epoch FROM (to_timestamp((r.id >> 11) / 1000000.0) AT TIME ZONE ")
    .bind(Bind::Text(zone.to_owned()))
    .then(" - to_timestamp((r.id >> 11) / 1000000.0) AT TIME ZONE 'UTC'))::int4 / 60, \
           r.address \
           FROM audit_record r LEFT JOIN audit_agent a ON a.key = r.agent \
           LEFT JOIN hospital h ON h.id = r.hospital AND r.hospital <> 0 \
           LEFT JOIN open.patient p ON p.key = r.patient WHERE ")
    .append(Sql::all(all))
    .then(" ORDER BY r.id DESC LIMIT ")
    .bind(Bind::Int8(asked.limit))
    // Of patients it has the id, whoever keeps them.
    .read_by(Reader::Everything)
}

fn stored(row: &Row) -> Result<Stored, Error> {
    let issuer: Option<String> = row.try_get(10)?;
    let agent = match issuer {
        None => None,
        Some(issuer) => Some(Agent {
            issuer,
            subject: row.try_get(11)?,
            client: row.try_get(12)?,
            name: row.try_get(13)?,
            token_id: None,
            roles: row.try_get(14)?,
        }),
    };
    let kind: Option<i16> = row.try_get(5)?;
    let (local, minutes): (String, i32) = (row.try_get(17)?, row.try_get(18)?);
    let sign = if minutes < 0 { '-' } else { '+' };
    let offset = minutes.unsigned_abs();
    Ok(Stored {
        id: row.try_get(0)?,
        request: row.try_get(1)?,
        interaction: row.try_get(2)?,
        status: row.try_get(3)?,
        hospital: row.try_get(4)?,
        resource: kind.and_then(by_code).map(|table| table.resource),
        resource_id: row.try_get(6)?,
        version: row.try_get(7)?,
        patient: row.try_get(8)?,
        query: row.try_get(9)?,
        agent,
        token: row.try_get(15)?,
        purposes: Purposes::of_bits(row.try_get(16)?),
        address: row.try_get(19)?,
        recorded: format!("{local}{sign}{:02}:{:02}", offset / 60, offset % 60),
    })
}
