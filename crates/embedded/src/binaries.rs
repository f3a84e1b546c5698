//! Where the machine keeps PostgreSQL.

use std::path::{Path, PathBuf};

/// The folder of the newest `initdb` and `postgres`: `$BUND_POSTGRES_BIN`, or what Debian's and others' packages install.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("BUND_POSTGRES_BIN") {
        return Some(PathBuf::from(folder)).filter(|folder| is_complete(folder));
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .filter(|(version, folder)| *version >= OLDEST && is_complete(folder))
        .collect();
    found.sort();
    let others = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin", "/usr/pgsql/bin"];
    let others = others.iter().map(PathBuf::from).find(|folder| is_complete(folder));
    found.pop().map(|(_, folder)| folder).or(others)
}

const OLDEST: u32 = 15;

fn is_complete(folder: &Path) -> bool {
    ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file())
}
