//! One PostgreSQL server and its folder.

use crate::binaries;
use crate::user::User;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL server (15 or later) on this machine; install the package `postgresql`, or name the folder of initdb and postgres in BUND_POSTGRES_BIN"
    )]
    NoBinaries,
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `postgres` nor a user `nobody` to run it as"
    )]
    NoUser,
    #[error("{path}: {source}")]
    Folder { path: String, source: io::Error },
    #[error("{0} is in use by another process")]
    InUse(String),
    #[error("{program} failed: {reason}")]
    Failed { program: &'static str, reason: String },
}

/// Whether a commit survives a power cut. Tests of behaviour can do without; benches cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Full,
    None,
}

/// A running server; it stops when this is dropped, and also when our process dies.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    sockets: PathBuf,
    user: User,
    server: Child,
    guard: Child,
    /// The guard waits for the end of this pipe.
    lifeline: Option<ChildStdin>,
    _lock: File,
}

const START_TIMEOUT: Duration = Duration::from_secs(60);
const PORT: &str = "5432";

/// A unix socket's address has at most 107 bytes.
const SOCKET_PATH_MAX: usize = 107 - "/.s.PGSQL.5432".len();

impl Cluster {
    /// A durable one, made on first use and kept.
    pub fn start(folder: &Path) -> Result<Cluster, Error> {
        let folder = fs::canonicalize(folder)
            .or_else(|_| make_folder(folder).and_then(|()| fs::canonicalize(folder)))
            .map_err(|source| failure(folder, source))?;
        Cluster::run(folder, Durability::Full, End::Keep)
    }

    /// One that leaves nothing behind.
    pub fn temporary(durability: Durability) -> Result<Cluster, Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bund-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        make_folder(&folder).map_err(|source| failure(&folder, source))?;
        Cluster::run(folder, durability, End::Remove)
    }

    fn run(folder: PathBuf, durability: Durability, end: End) -> Result<Cluster, Error> {
        let binaries = binaries::find().ok_or(Error::NoBinaries)?;
        let user = User::choose().ok_or(Error::NoUser)?;
        user.own(&folder).map_err(|source| failure(&folder, source))?;
        let lock_path = folder.join("bund.lock");
        let lock = File::create(&lock_path).map_err(|source| failure(&lock_path, source))?;
        lock.try_lock().map_err(|_| Error::InUse(folder.display().to_string()))?;

        let sockets = socket_folder(&folder);
        make_folder(&sockets)
            .and_then(|()| user.own(&sockets))
            .map_err(|source| failure(&sockets, source))?;
        let data = folder.join("data");
        if !data.join("PG_VERSION").exists() {
            initialise(&binaries, &user, &data)?;
        }
        let log_path = folder.join("postgres.log");
        let log = File::create(&log_path).map_err(|source| failure(&log_path, source))?;
        let mut server = command(&binaries, &user, &data, &sockets, durability)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|source| failure(&log_path, source))?)
            .stderr(log)
            .spawn()
            .map_err(|source| failure(&binaries, source))?;
        let mut guard = guard(&server, &folder, end).map_err(|source| failure(&folder, source))?;
        let lifeline = guard.stdin.take();
        wait_until_ready(&mut server, &data, &log_path)?;
        Ok(Cluster { folder, sockets, user, server, guard, lifeline, _lock: lock })
    }

    /// The address of the database `postgres`.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    pub fn url_of(&self, database: &str) -> String {
        self.url_as(&self.user.name, database)
    }

    /// For a role of its own, which is not asked for a password: whoever reaches the socket may be any.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        let encoded: String = self
            .sockets
            .to_string_lossy()
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect();
        format!("postgresql://{role}@{encoded}:{PORT}/{database}")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's process, for tests that kill it.
    pub fn process_id(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The guard stops the server; both are our children and must be collected.
        let _ = self.guard.wait();
        let _ = self.server.wait();
    }
}

#[derive(Clone, Copy)]
enum End {
    Keep,
    Remove,
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn socket_folder(folder: &Path) -> PathBuf {
    let inside = folder.join("socket");
    if inside.as_os_str().len() <= SOCKET_PATH_MAX {
        return inside;
    }
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in folder.as_os_str().as_encoded_bytes() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    std::env::temp_dir().join(format!("bund-{hash:016x}"))
}

fn initialise(binaries: &Path, user: &User, data: &Path) -> Result<(), Error> {
    let output = user
        .command(&binaries.join("initdb"))
        .args([
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=trust",
            "--data-checksums",
        ])
        .arg("--username")
        .arg(&user.name)
        .arg("--pgdata")
        .arg(data)
        .output()
        .map_err(|source| failure(binaries, source))?;
    if output.status.success() {
        return Ok(());
    }
    // A half-made folder would be taken for a whole one the next time.
    let _ = fs::remove_dir_all(data);
    let mut reason = last_lines(&String::from_utf8_lossy(&output.stderr));
    if reason.contains("ermission denied") {
        let hint = format!("; the user `{}` must be able to reach {}", user.name, data.display());
        reason.push_str(&hint);
    }
    Err(Error::Failed { program: "initdb", reason })
}

fn command(
    binaries: &Path,
    user: &User,
    data: &Path,
    sockets: &Path,
    durability: Durability,
) -> Command {
    let mut settings = vec![
        "listen_addresses=".to_owned(),
        format!("port={PORT}"),
        format!("unix_socket_directories={}", sockets.display()),
        "max_connections=120".to_owned(),
        // A transaction of 5,000 chosen ids holds as many advisory locks.
        "max_locks_per_transaction=256".to_owned(),
        "shared_buffers=256MB".to_owned(),
        "checkpoint_timeout=30min".to_owned(),
        "max_wal_size=4GB".to_owned(),
        "wal_compression=lz4".to_owned(),
        "jit=off".to_owned(),
    ];
    if durability == Durability::None {
        settings.extend(
            ["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned),
        );
    }
    let mut command = user.command(&binaries.join("postgres"));
    command.arg("-D").arg(data);
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    command
}

/// A process that outlives us: when our end of its standard input closes, for whatever reason, it stops the server.
fn guard(server: &Child, folder: &Path, end: End) -> io::Result<Child> {
    const SCRIPT: &str = "read -r _\n\
        kill -INT \"$1\" 2>/dev/null\n\
        while kill -0 \"$1\" 2>/dev/null && ! grep -qs '^State:.Z' \"/proc/$1/status\"; do sleep 0.02; done\n\
        if [ \"$3\" = remove ]; then rm -rf \"$2\"; fi\n";
    let end = match end {
        End::Keep => "keep",
        End::Remove => "remove",
    };
    let mut command = Command::new("sh");
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .args(["-c", SCRIPT, "sh"])
        .arg(server.id().to_string())
        .arg(folder)
        .arg(end)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn wait_until_ready(server: &mut Child, data: &Path, log: &Path) -> Result<(), Error> {
    let began = Instant::now();
    loop {
        let ended = server.try_wait().ok().flatten();
        let state = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let is_ours = state.lines().next() == Some(server.id().to_string().as_str());
        if is_ours && state.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
            return Ok(());
        }
        if ended.is_some() || began.elapsed() > START_TIMEOUT {
            let _ = server.kill();
            let log = fs::read_to_string(log).unwrap_or_default();
            return Err(Error::Failed { program: "postgres", reason: last_lines(&log) });
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(5)).copied().collect::<Vec<_>>().join("; ")
}

fn failure(path: &Path, source: io::Error) -> Error {
    Error::Folder { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::{Cluster, Durability, Error};
    use std::path::PathBuf;

    #[test]
    fn a_temporary_cluster_runs_and_leaves_nothing_behind() {
        let cluster = Cluster::temporary(Durability::None).unwrap();
        let (folder, process) = (cluster.folder().to_owned(), cluster.process_id());
        assert!(folder.join("socket/.s.PGSQL.5432").exists());
        assert!(cluster.url().starts_with("postgresql://"));
        drop(cluster);
        assert!(!folder.exists());
        assert!(!PathBuf::from(format!("/proc/{process}")).exists());
    }

    #[test]
    fn a_folder_is_used_by_one_process_and_kept() {
        let parent = Cluster::temporary(Durability::None).unwrap();
        let folder = parent.folder().join("kept");
        let first = Cluster::start(&folder).unwrap();
        assert!(matches!(Cluster::start(&folder), Err(Error::InUse(_))));
        drop(first);
        assert!(folder.join("data/PG_VERSION").exists());
        drop(Cluster::start(&folder).unwrap());
    }
}
