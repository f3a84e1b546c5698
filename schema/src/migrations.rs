//! The migrations of the top-level folder, embedded, for Diesel's harness.
//!
//! Each statement runs alone, outside a transaction: an index can be built CONCURRENTLY, no statement keeps a lock for longer
//! than it needs, and a sharded database accepts it. A migration that died half-way is run again from its start, so every
//! statement must be repeatable (`IF NOT EXISTS`).

use diesel::backend::Backend;
use diesel::connection::BoxableConnection;
use diesel::migration::{
    Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion,
};
use std::error::Error;
use std::fmt;

/// One folder of `migrations/`.
#[derive(Clone, Copy, Debug)]
pub struct Folder {
    pub name: &'static str,
    pub up: &'static str,
    pub down: &'static str,
}

macro_rules! folder {
    ($name:literal) => {
        Folder {
            name: $name,
            up: include_str!(concat!("../../migrations/", $name, "/up.sql")),
            down: include_str!(concat!("../../migrations/", $name, "/down.sql")),
        }
    };
}

/// In the order they are applied.
pub static FOLDERS: [Folder; 11] = [
    folder!("2026-11-24-000000_foundation"),
    folder!("2026-11-24-000100_access"),
    folder!("2026-11-24-100000_issuers"),
    folder!("2026-11-24-110000_break_glass"),
    folder!("2026-11-24-120000_audit_events"),
    folder!("2026-11-28-000000_seal"),
    folder!("2026-11-28-000100_months"),
    folder!("2026-11-28-010000_walls"),
    folder!("2026-11-28-030000_consent"),
    folder!("2026-11-28-040000_tokens"),
    folder!("2026-11-28-050000_registry"),
];

impl Folder {
    /// What Diesel records as applied: the digits of the folder's date.
    pub fn version(&self) -> String {
        let date = self.name.split('_').next().unwrap_or(self.name);
        date.chars().filter(char::is_ascii_digit).collect()
    }
}

/// The versions this program knows, oldest first.
pub fn versions() -> Vec<String> {
    FOLDERS.iter().map(Folder::version).collect()
}

/// Hands the folders to Diesel.
pub struct Embedded;

impl<DB: Backend> MigrationSource<DB> for Embedded {
    fn migrations(&self) -> Result<Vec<Box<dyn Migration<DB>>>, Box<dyn Error + Send + Sync>> {
        Ok(FOLDERS.iter().map(|folder| Box::new(*folder) as Box<dyn Migration<DB>>).collect())
    }
}

impl<DB: Backend> Migration<DB> for Folder {
    fn run(
        &self,
        connection: &mut dyn BoxableConnection<DB>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        run_each(self.up, connection)
    }

    fn revert(
        &self,
        connection: &mut dyn BoxableConnection<DB>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        run_each(self.down, connection)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        &OneByOne
    }

    fn name(&self) -> &dyn MigrationName {
        self
    }
}

impl MigrationName for Folder {
    fn version(&self) -> MigrationVersion<'_> {
        MigrationVersion::from(Folder::version(self))
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.name)
    }
}

struct OneByOne;

impl MigrationMetadata for OneByOne {
    fn run_in_transaction(&self) -> bool {
        false
    }
}

fn run_each<DB: Backend>(
    script: &str,
    connection: &mut dyn BoxableConnection<DB>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    for statement in statements(script) {
        connection.batch_execute(statement)?;
    }
    Ok(())
}

/// Cuts a script at each `;` that ends a line outside `$$` quotes; comments between statements go with the next one.
pub fn statements(script: &str) -> Vec<&str> {
    let mut statements = Vec::new();
    let mut start = 0;
    let mut end = 0;
    let mut quoted = false;
    for line in script.split_inclusive('\n') {
        end += line.len();
        quoted ^= line.matches("$$").count() % 2 == 1;
        if !quoted && line.trim_end().ends_with(';') && !line.trim_start().starts_with("--") {
            statements.push(script[start..end].trim());
            start = end;
        }
    }
    if !script[start..].trim().is_empty() {
        statements.push(script[start..].trim());
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::{FOLDERS, statements, versions};

    #[test]
    fn a_script_is_cut_at_statements() {
        let script = "-- one; two;\nCREATE TABLE a (\n  b int\n);\n\nDO $$\nBEGIN\n  x;\nEND $$;\nDROP TABLE a;";
        let cut = statements(script);
        assert_eq!(cut.len(), 3);
        assert!(cut[0].ends_with(");") && cut[1].ends_with("END $$;") && cut[2] == "DROP TABLE a;");
    }

    #[test]
    fn the_folders_are_those_on_disk() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let mut found: Vec<String> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, FOLDERS.iter().map(|folder| folder.name).collect::<Vec<_>>());
        assert!(versions().is_sorted());
    }
}
