//! Who may say who calls: issuers of tokens, their hospitals and their clients, as data that administrators change.
//!
//! Every change is recorded (`journal`) and notifies all replicas in its own transaction, so that what was taken back ends at once
//! (`Changes`). An issuer comes into force when two people say so (`proposal`).

pub mod journal;
pub mod proposal;

use crate::Store;
use crate::error::Error as Failure;
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use journal::{By, Deed};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls, Row, Transaction};

/// A hospital, as tokens and commands call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hospital {
    pub id: i32,
    pub code: String,
    pub name: String,
    /// As tokens may call it instead of by its code.
    pub identifier: Option<String>,
    /// What ids of its resources may begin with.
    pub prefix: Option<String>,
    pub is_enabled: bool,
}

/// Who signs tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Compared byte by byte.
    pub iss: String,
    pub name: String,
    /// Found by discovery when it is not given.
    pub jwks_uri: Option<String>,
    /// By their names in RFC 7518.
    pub algorithms: Vec<String>,
    /// Whom its tokens are for; this server's base when it is empty.
    pub audience: Vec<String>,
    /// Of `patient`, `user`, `system`.
    pub levels: Vec<String>,
    /// The longest life of a token, in seconds.
    pub max_lifetime: i32,
    /// A JSON Pointer to the claim that names the hospital.
    pub organisation_claim: String,
    /// Whether it speaks for all hospitals.
    pub is_broker: bool,
    pub is_enabled: bool,
    /// The hospitals that it speaks for.
    pub hospitals: Vec<i32>,
    /// Where it says which tokens are good, if it is asked.
    pub introspection: Option<Introspection>,
}

/// How an issuer is asked about tokens (RFC 7662).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introspection {
    pub uri: String,
    /// As whom we ask.
    pub client: String,
    /// The name of the file that has the secret; the secret itself is nowhere in the database.
    pub secret: String,
    /// Also about tokens that it signs, and not only about those that it alone can read.
    pub is_for_all: bool,
}

/// What asks for data on behalf of somebody, or of a hospital.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub iss: String,
    pub client_id: String,
    /// The only hospital that its tokens may speak for.
    pub hospital: Option<i32>,
    pub may_assert_purpose: bool,
    /// Whether its tokens have to be bound to a key or a certificate.
    pub require_bound: bool,
    pub is_enabled: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    pub hospitals: Vec<Hospital>,
    pub issuers: Vec<Issuer>,
    pub clients: Vec<Client>,
}

/// What becomes of a registration that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    Replace,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} {name} is registered already; --replace changes it")]
    Known { what: &'static str, name: String },
    #[error("{what} {name} is not registered")]
    Unknown { what: &'static str, name: String },
    #[error("`{0}` is how another hospital is called already")]
    Taken(String),
    #[error("nobody proposed the issuer {0}; `bund issuer add` proposes one")]
    NotProposed(String),
    #[error("{0} proposed it: somebody else has to approve")]
    SamePerson(String),
    #[error("there are {0} registered already, which is as many as a server holds")]
    Full(i64),
    #[error(transparent)]
    Store(#[from] Failure),
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        Error::Store(error.into())
    }
}

impl Issuer {
    /// As proposals and the journal have it: nothing of it is secret.
    fn content(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// What a replica holds in memory at most.
const ISSUERS_MAX: i64 = 1_000;
const HOSPITALS_MAX: i64 = 10_000;
const CLIENTS_MAX: i64 = 20_000;

/// Who changes the registry waits for others who do.
const LOCK: i64 = 0x6275_6e64_6973;

const CHANNEL: &str = "bund_registry";

impl Store {
    /// All of it, of one moment.
    pub async fn registry(&self) -> Result<Registry, Failure> {
        let mut client = self.pool.get().await?;
        let transaction = client
            .build_transaction()
            .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let text =
            "SELECT id, code, name, identifier, prefix, enabled FROM hospital ORDER BY id LIMIT $1";
        let hospitals = transaction.query(text, &[&HOSPITALS_MAX]).await?;
        let text = "SELECT i.iss, i.name, i.jwks_uri, i.algorithms, i.audience, i.levels, i.max_lifetime, \
                    i.organisation_claim, i.broker, i.enabled, \
                    ARRAY(SELECT h.hospital FROM issuer_hospital h WHERE h.iss = i.iss ORDER BY h.hospital), \
                    i.introspection_uri, i.introspection_client, i.introspection_secret, i.introspection_for_all \
                    FROM issuer i ORDER BY i.iss LIMIT $1";
        let issuers = transaction.query(text, &[&ISSUERS_MAX]).await?;
        let text = "SELECT iss, client_id, hospital, may_assert_purpose, require_bound, enabled FROM client \
                    ORDER BY iss, client_id LIMIT $1";
        let clients = transaction.query(text, &[&CLIENTS_MAX]).await?;
        transaction.commit().await?;
        Ok(Registry {
            hospitals: hospitals.iter().map(hospital).collect::<Result<_, _>>()?,
            issuers: issuers.iter().map(issuer).collect::<Result<_, _>>()?,
            clients: clients.iter().map(client_of).collect::<Result<_, _>>()?,
        })
    }

    /// The number of the hospital; the one in `hospital` is not looked at.
    pub async fn save_hospital(
        &self,
        by: &By,
        hospital: &Hospital,
        existing: Existing,
    ) -> Result<i32, Error> {
        let Hospital { id: _, code, name, identifier, prefix, is_enabled } = hospital;
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        // A token could not tell two hospitals apart when one is called as the other is.
        let text = "SELECT count(*) FROM hospital WHERE code <> $1 AND (identifier IN ($1, $2) OR code = $2 OR prefix = $3)";
        let row = transaction.query_one(text, &[code, identifier, prefix]).await?;
        if row.try_get::<_, i64>(0)? > 0 {
            return Err(Error::Taken(identifier.clone().unwrap_or_else(|| code.clone())));
        }
        let text = "SELECT id FROM hospital WHERE code = $1";
        let id = if let Some(row) = transaction.query_opt(text, &[code]).await? {
            if existing == Existing::Refuse {
                return Err(Error::Known { what: "hospital", name: code.clone() });
            }
            let text = "UPDATE hospital SET name = $2, identifier = $3, prefix = $4, enabled = $5 WHERE code = $1";
            transaction.execute(text, &[code, name, identifier, prefix, is_enabled]).await?;
            row.try_get(0)?
        } else {
            let text = "SELECT count(*) FROM hospital";
            room(&transaction, text, HOSPITALS_MAX).await?;
            // `register_hospital` gives out numbers too, under this lock of the table.
            transaction.batch_execute("LOCK TABLE hospital IN SHARE ROW EXCLUSIVE MODE").await?;
            let text = "INSERT INTO hospital (id, code, name, identifier, prefix, enabled) \
                        SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5 FROM hospital RETURNING id";
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 5] =
                [code, name, identifier, prefix, is_enabled];
            transaction.query_one(text, &values).await?.try_get(0)?
        };
        let detail = json!({ "name": name, "identifier": identifier, "prefix": prefix, "is_enabled": is_enabled });
        finish(transaction, &Deed { by, action: "hospital saved", subject: code, detail }).await?;
        Ok(id)
    }

    pub async fn enable_hospital(
        &self,
        by: &By,
        code: &str,
        is_enabled: bool,
    ) -> Result<(), Error> {
        let text = "UPDATE hospital SET enabled = $2 WHERE code = $1";
        let deed = Deed {
            by,
            action: if is_enabled { "hospital enabled" } else { "hospital disabled" },
            subject: code,
            detail: Value::Null,
        };
        self.change_one("hospital", text, &[&code, &is_enabled], &deed).await
    }

    /// At once, on the word of one person: see `propose_issuer`.
    pub async fn save_issuer(
        &self,
        by: &By,
        issuer: &Issuer,
        existing: Existing,
    ) -> Result<(), Error> {
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        put_issuer(&transaction, issuer, existing).await?;
        let text = "DELETE FROM issuer_proposal WHERE iss = $1";
        transaction.execute(text, &[&issuer.iss]).await?;
        let (subject, detail) = (issuer.iss.as_str(), issuer.content());
        finish(transaction, &Deed { by, action: "issuer saved by one", subject, detail }).await
    }

    pub async fn enable_issuer(&self, by: &By, iss: &str, is_enabled: bool) -> Result<(), Error> {
        let text = "UPDATE issuer SET enabled = $2 WHERE iss = $1";
        let deed = Deed {
            by,
            action: if is_enabled { "issuer enabled" } else { "issuer disabled" },
            subject: iss,
            detail: Value::Null,
        };
        self.change_one("issuer", text, &[&iss, &is_enabled], &deed).await
    }

    /// With its clients.
    pub async fn remove_issuer(&self, by: &By, iss: &str) -> Result<(), Error> {
        let text = "WITH clients AS (DELETE FROM client WHERE iss = $1), \
                    hospitals AS (DELETE FROM issuer_hospital WHERE iss = $1), \
                    proposals AS (DELETE FROM issuer_proposal WHERE iss = $1) \
                    DELETE FROM issuer WHERE iss = $1";
        let deed = Deed { by, action: "issuer removed", subject: iss, detail: Value::Null };
        self.change_one("issuer", text, &[&iss], &deed).await
    }

    pub async fn save_client(
        &self,
        by: &By,
        client: &Client,
        existing: Existing,
    ) -> Result<(), Error> {
        let Client { iss, client_id, hospital, may_assert_purpose, require_bound, is_enabled } =
            client;
        let mut connection = self.pool.get().await.map_err(Error::Store)?;
        let transaction = connection.transaction().await?;
        begin(&transaction).await?;
        let text = "SELECT 1 FROM issuer WHERE iss = $1";
        if transaction.query_opt(text, &[iss]).await?.is_none() {
            return Err(Error::Unknown { what: "issuer", name: iss.clone() });
        }
        let text = "DELETE FROM client WHERE iss = $1 AND client_id = $2";
        let was_there = transaction.execute(text, &[iss, client_id]).await? > 0;
        if was_there && existing == Existing::Refuse {
            return Err(Error::Known { what: "client", name: client_id.clone() });
        }
        room(&transaction, "SELECT count(*) FROM client", CLIENTS_MAX).await?;
        let text = "INSERT INTO client (iss, client_id, hospital, may_assert_purpose, require_bound, enabled) \
                    VALUES ($1, $2, $3, $4, $5, $6)";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [iss, client_id, hospital, may_assert_purpose, require_bound, is_enabled];
        transaction.execute(text, &values).await?;
        let detail = json!({
            "iss": iss,
            "hospital": hospital,
            "may_assert_purpose": may_assert_purpose,
            "require_bound": require_bound,
            "is_enabled": is_enabled,
        });
        finish(transaction, &Deed { by, action: "client saved", subject: client_id, detail }).await
    }

    pub async fn enable_client(
        &self,
        by: &By,
        iss: &str,
        client_id: &str,
        is_enabled: bool,
    ) -> Result<(), Error> {
        let text = "UPDATE client SET enabled = $3 WHERE iss = $1 AND client_id = $2";
        let deed = Deed {
            by,
            action: if is_enabled { "client enabled" } else { "client disabled" },
            subject: client_id,
            detail: json!({ "iss": iss }),
        };
        self.change_one("client", text, &[&iss, &client_id, &is_enabled], &deed).await
    }

    /// A connection of its own that hears of changes as they are committed.
    pub async fn registry_changes(&self) -> Result<Changes, Failure> {
        let mut config = tokio_postgres::Config::from_str(self.pool.url()).map_err(|error| {
            Failure::Settings(format!("the database URL is not valid: {error}"))
        })?;
        config
            .application_name("bund registry")
            .connect_timeout(Duration::from_secs(3))
            .keepalives_idle(Duration::from_secs(10));
        let (client, mut connection) = config.connect(NoTls).await?;
        // One place: several changes at once are one reason to look.
        let (sender, heard) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut messages = poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = messages.next().await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    // A full channel says already what there is to say.
                    let _ = sender.try_send(());
                }
            }
        });
        client.batch_execute("LISTEN bund_registry").await?;
        Ok(Changes { _client: client, heard })
    }

    async fn change_one(
        &self,
        what: &'static str,
        text: &'static str,
        values: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        deed: &Deed<'_>,
    ) -> Result<(), Error> {
        let mut client = self.pool.get().await.map_err(Error::Store)?;
        let transaction = client.transaction().await?;
        begin(&transaction).await?;
        if transaction.execute(text, values).await? == 0 {
            return Err(Error::Unknown { what, name: deed.subject.to_owned() });
        }
        finish(transaction, deed).await
    }
}

/// Hears of changes as long as its connection lives.
pub struct Changes {
    /// The connection ends with it.
    _client: tokio_postgres::Client,
    heard: mpsc::Receiver<()>,
}

impl Changes {
    /// Returns when something has changed; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<()> {
        self.heard.recv().await
    }
}

async fn begin(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    Ok(())
}

/// As it is to be, whatever it was.
async fn put_issuer(
    transaction: &Transaction<'_>,
    issuer: &Issuer,
    existing: Existing,
) -> Result<(), Error> {
    let Issuer { iss, name, jwks_uri, algorithms, audience, levels, hospitals, .. } = issuer;
    let Issuer { max_lifetime, organisation_claim, is_broker, is_enabled, .. } = issuer;
    let text = "DELETE FROM issuer WHERE iss = $1";
    let was_there = transaction.execute(text, &[iss]).await? > 0;
    if was_there && existing == Existing::Refuse {
        return Err(Error::Known { what: "issuer", name: iss.clone() });
    }
    room(transaction, "SELECT count(*) FROM issuer", ISSUERS_MAX).await?;
    let text = "INSERT INTO issuer (iss, name, jwks_uri, algorithms, audience, levels, max_lifetime, \
                organisation_claim, broker, enabled, introspection_uri, introspection_client, introspection_secret, \
                introspection_for_all) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let asked = issuer.introspection.as_ref();
    let (uri, asking) = (asked.map(|it| &it.uri), asked.map(|it| &it.client));
    let (secret, is_for_all) = (asked.map(|it| &it.secret), asked.is_some_and(|it| it.is_for_all));
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 14] = [
        iss,
        name,
        jwks_uri,
        algorithms,
        audience,
        levels,
        max_lifetime,
        organisation_claim,
        is_broker,
        is_enabled,
        &uri,
        &asking,
        &secret,
        &is_for_all,
    ];
    transaction.execute(text, &values).await?;
    transaction.execute("DELETE FROM issuer_hospital WHERE iss = $1", &[iss]).await?;
    let text = "INSERT INTO issuer_hospital (iss, hospital) SELECT DISTINCT $1::text, h FROM unnest($2::int4[]) h";
    transaction.execute(text, &[iss, hospitals]).await?;
    Ok(())
}

async fn room(transaction: &Transaction<'_>, text: &'static str, most: i64) -> Result<(), Error> {
    let found: i64 = transaction.query_one(text, &[]).await?.try_get(0)?;
    if found < most { Ok(()) } else { Err(Error::Full(found)) }
}

/// The notice goes out when the change is committed, with its record, and not at all when it is not.
async fn finish(
    transaction: deadpool_postgres::Transaction<'_>,
    deed: &Deed<'_>,
) -> Result<(), Error> {
    journal::record(&transaction, deed).await?;
    transaction.execute("SELECT pg_notify($1, '')", &[&CHANNEL]).await?;
    transaction.commit().await?;
    Ok(())
}

fn hospital(row: &Row) -> Result<Hospital, Failure> {
    Ok(Hospital {
        id: row.try_get(0)?,
        code: row.try_get(1)?,
        name: row.try_get(2)?,
        identifier: row.try_get(3)?,
        prefix: row.try_get(4)?,
        is_enabled: row.try_get(5)?,
    })
}

fn issuer(row: &Row) -> Result<Issuer, Failure> {
    Ok(Issuer {
        iss: row.try_get(0)?,
        name: row.try_get(1)?,
        jwks_uri: row.try_get(2)?,
        algorithms: row.try_get(3)?,
        audience: row.try_get(4)?,
        levels: row.try_get(5)?,
        max_lifetime: row.try_get(6)?,
        organisation_claim: row.try_get(7)?,
        is_broker: row.try_get(8)?,
        is_enabled: row.try_get(9)?,
        hospitals: row.try_get(10)?,
        introspection: introspection(row)?,
    })
}

fn introspection(row: &Row) -> Result<Option<Introspection>, Failure> {
    let text = |column: usize| row.try_get::<_, Option<String>>(column);
    let (Some(uri), Some(client), Some(secret)) = (text(11)?, text(12)?, text(13)?) else {
        return Ok(None);
    };
    Ok(Some(Introspection { uri, client, secret, is_for_all: row.try_get(14)? }))
}

fn client_of(row: &Row) -> Result<Client, Failure> {
    Ok(Client {
        iss: row.try_get(0)?,
        client_id: row.try_get(1)?,
        hospital: row.try_get(2)?,
        may_assert_purpose: row.try_get(3)?,
        require_bound: row.try_get(4)?,
        is_enabled: row.try_get(5)?,
    })
}
