//! Who gives a command, as the journal of the registry has it.

use anyhow::{Result, bail};
use std::os::unix::fs::MetadataExt as _;
use store::registry::journal::By;

#[derive(clap::Args, Debug)]
pub struct Author {
    /// Who you are, for the journal; the account of the operating system when it is not given.
    #[arg(long, global = true, value_name = "NAME")]
    by: Option<String>,
}

const NAME_BYTES_MAX: usize = 128;

impl Author {
    pub fn by(&self) -> Result<By> {
        let account = account();
        let name = self.by.as_deref().unwrap_or(&account).trim();
        let is_name = |name: &str| !name.is_empty() && !name.chars().any(char::is_control);
        if !is_name(name) || name.len() > NAME_BYTES_MAX {
            bail!("--by is a name of 1 to {NAME_BYTES_MAX} bytes");
        }
        Ok(By::new(name, &account))
    }
}

/// Of the process, by its number in the list of accounts; behind sudo of whoever called it.
fn account() -> String {
    let number = std::fs::metadata("/proc/self").map(|process| process.uid());
    let Ok(number) = number else { return "unknown".to_owned() };
    let of_sudo = std::env::var("SUDO_USER").ok().filter(|name| number == 0 && is_plain(name));
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let own = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let is_own = fields.nth(1)?.parse() == Ok(number);
        (is_own && is_plain(name)).then(|| name.to_owned())
    });
    of_sudo.or(own).unwrap_or_else(|| format!("account {number}"))
}

fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}
