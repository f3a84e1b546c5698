//! `bund audit key`.

use crate::commands::say;
use crate::sealing::{fresh_seed, origin};
use crate::settings::{Settings, Source};
use anyhow::{Context as _, Result};
use audit::seal::key::Signer;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Where the private key is written; a file that is there is never replaced.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// What the trail is called; the host and path of BUND_BASE_URL when it is not given.
    #[arg(long)]
    name: Option<String>,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<()> {
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => {
            let source = Source::read(config, |name| std::env::var(name).ok())?;
            // No database is asked.
            let settings = Settings::read(&source, Some(String::new()))?;
            origin(&settings.service.base_url).to_owned()
        }
    };
    let signer = Signer::from_seed(&name, &fresh_seed()?)?;
    let place = || arguments.out.display().to_string();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&arguments.out)
        .with_context(place)?;
    file.write_all(signer.to_pem()?.as_bytes()).with_context(place)?;
    file.sync_all().with_context(place)?;
    say(&signer.verifier().to_string());
    Ok(())
}
