//! The role that serves: what it is granted, and how far it reaches all the same.
//!
//! It reads and writes what is stored, adds to the trail, and changes nothing that was added there; tables are not its own. The
//! statements that grant it are written by PostgreSQL itself, which knows the tables and quotes their names.

use crate::error::Error;
use crate::pool::Pool;
use deadpool_postgres::Object;

/// What `--server-role` names.
#[derive(Clone, Debug)]
pub struct Server {
    pub role: String,
    /// Whether a role that is not there is made.
    pub is_created: bool,
}

/// The role of a private PostgreSQL.
pub const PRIVATE: &str = "bund_server";

/// The trail is only added to, by the names of its tables; what the schema is made of is only read.
const GRANTS: &str = "WITH here AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = current_schema()), \
    relation AS (SELECT c.oid::regclass AS name, CASE \
        WHEN c.relname LIKE 'audit\\_%' THEN 'SELECT, INSERT' \
        WHEN c.relname IN ('dictionary', '__diesel_schema_migrations') THEN 'SELECT' \
        ELSE 'SELECT, INSERT, UPDATE, DELETE' END AS rights \
        FROM pg_class c JOIN here ON here.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')) \
    SELECT 1 AS place, format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1::text) AS statement \
    UNION ALL SELECT 1, format('GRANT USAGE ON SCHEMA %I TO %I', nspname, $1) FROM here \
    UNION ALL SELECT 1, format('REVOKE CREATE ON SCHEMA %I FROM %I', nspname, $1) FROM here \
    UNION ALL SELECT 1, format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO %I', nspname, $1) FROM here \
    UNION ALL SELECT 1, format('GRANT USAGE ON SCHEMA open TO %I', $1) WHERE to_regnamespace('open') IS NOT NULL \
    UNION ALL SELECT 1, format('GRANT SELECT ON ALL TABLES IN SCHEMA open TO %I', $1) WHERE to_regnamespace('open') IS NOT NULL \
    UNION ALL SELECT 2, format('REVOKE ALL ON TABLE %s FROM %I', name, $1) FROM relation \
    UNION ALL SELECT 3, format('GRANT %s ON TABLE %s TO %I', rights, name, $1) FROM relation \
    ORDER BY place";

/// Roles that were granted what serves before: they add to the trail and do not own it.
const KNOWN: &str = "SELECT DISTINCT r.rolname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    CROSS JOIN LATERAL aclexplode(c.relacl) AS granted JOIN pg_roles r ON r.oid = granted.grantee \
    WHERE n.nspname = current_schema() AND c.relname LIKE 'audit\\_%' AND c.relkind IN ('r', 'p') \
    AND granted.privilege_type = 'INSERT' AND granted.grantee <> c.relowner ORDER BY 1";

/// How a role reaches further than it should, in words; no row where it does not.
const EXCESS: &str = "WITH here AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = current_schema()), \
    relation AS (SELECT c.oid, c.relname, pg_has_role($1::text, c.relowner, 'MEMBER') AS is_owned \
        FROM pg_class c JOIN here ON here.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')) \
    SELECT 'it is a superuser' FROM pg_roles WHERE rolname = $1 AND rolsuper \
    UNION ALL SELECT 'it makes roles (CREATEROLE), and so may become another' FROM pg_roles \
        WHERE rolname = $1 AND rolcreaterole AND NOT rolsuper \
    UNION ALL SELECT 'no row-level security holds for it (BYPASSRLS)' FROM pg_roles \
        WHERE rolname = $1 AND rolbypassrls AND NOT rolsuper \
    UNION ALL SELECT format('it owns %s tables, or is a member of the role that does', count(*)) \
        FROM relation WHERE is_owned HAVING count(*) > 0 \
    UNION ALL SELECT format('it may make tables in the schema %I: REVOKE CREATE ON SCHEMA %1$I FROM PUBLIC', nspname) \
        FROM here WHERE has_schema_privilege($1, oid, 'CREATE') AND NOT EXISTS (SELECT FROM relation WHERE is_owned) \
    UNION ALL SELECT format('it may change %s', string_agg(relname, ', ' ORDER BY relname)) FROM relation \
        WHERE NOT is_owned AND relname LIKE 'audit\\_%' AND (has_any_column_privilege($1, oid, 'UPDATE') \
        OR has_table_privilege($1, oid, 'DELETE, TRUNCATE, TRIGGER')) HAVING count(*) > 0";

/// Grants the role what it needs to serve, and takes back what is more than that.
pub(crate) async fn grant(pool: &Pool, server: &Server) -> Result<(), Error> {
    let client = pool.get().await?;
    let role = &server.role;
    if !exists(&client, role).await? {
        if !server.is_created {
            return Err(Error::Settings(format!(
                "there is no role {role}: make it with CREATE ROLE \"{role}\" LOGIN PASSWORD '…', or give --create-role"
            )));
        }
        let text = "SELECT format('CREATE ROLE %I LOGIN', $1::text)";
        let statement: String = client.query_one(text, &[role]).await?.try_get(0)?;
        let made = client.batch_execute(&statement).await;
        // Roles are of the cluster: who migrates another of its databases may have made it meanwhile.
        if !exists(&client, role).await? {
            made?;
        }
    }
    client.batch_execute("BEGIN").await?;
    let outcome = granted(&client, role).await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    client.batch_execute(end).await?;
    outcome
}

async fn granted(client: &Object, role: &str) -> Result<(), Error> {
    apply(client, role).await?;
    match excess(client, role).await?.as_slice() {
        [] => Ok(()),
        reasons => Err(Error::Settings(format!(
            "the role {role} cannot be the one that serves: {}; choose another",
            reasons.join("; ")
        ))),
    }
}

/// All at once: between one right taken back and the next granted, others would be refused.
async fn apply(client: &Object, role: &str) -> Result<(), Error> {
    let rows = client.query(GRANTS, &[&role]).await?;
    let statements: Vec<String> =
        rows.iter().map(|row| row.try_get("statement")).collect::<Result<_, _>>()?;
    Ok(client.batch_execute(&statements.join("; ")).await?)
}

/// The roles that served before get what tables that came since need.
pub(crate) async fn renew(pool: &Pool) -> Result<(), Error> {
    let client = pool.get().await?;
    for row in client.query(KNOWN, &[]).await? {
        apply(&client, row.try_get(0)?).await?;
    }
    Ok(())
}

async fn exists(client: &Object, role: &str) -> Result<bool, Error> {
    let text = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    Ok(client.query_one(text, &[&role]).await?.try_get(0)?)
}

async fn excess(client: &Object, role: &str) -> Result<Vec<String>, Error> {
    let rows = client.query(EXCESS, &[&role]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

impl crate::Store {
    /// How the role that this is connected as reaches further than one that serves should; nothing where it does not.
    pub async fn excess_rights(&self) -> Result<Vec<String>, Error> {
        let client = self.pool.get().await?;
        let role: String = client.query_one("SELECT current_user::text", &[]).await?.try_get(0)?;
        excess(&client, &role).await
    }
}
