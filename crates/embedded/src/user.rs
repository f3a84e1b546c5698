//! Who runs PostgreSQL: never root.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// An account to run as, where we are root.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    ids: Option<(u32, u32)>,
}

impl User {
    /// Ourselves; as root, `postgres` or else `nobody`.
    pub(crate) fn choose() -> Option<User> {
        let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
        let own = std::fs::metadata("/proc/self").ok()?.uid();
        let account = |matches: &dyn Fn(&str, u32) -> bool| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                let (name, _) = (fields.next()?, fields.next()?);
                let ids = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                matches(name, ids.0).then(|| (name.to_owned(), ids))
            })
        };
        if own == 0 {
            let (name, ids) = ["postgres", "nobody"]
                .iter()
                .find_map(|wanted| account(&|name, _| name == *wanted))?;
            return Some(User { name, ids: Some(ids) });
        }
        let name = account(&|_, uid| uid == own).map_or_else(|| own.to_string(), |(name, _)| name);
        Some(User { name, ids: None })
    }

    /// In a group of its own, so that Ctrl-C in a terminal reaches us first.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.process_group(0).current_dir("/").env("LC_ALL", "C");
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
        command
    }

    pub(crate) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self.ids {
            Some((uid, gid)) => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
            None => Ok(()),
        }
    }
}
