//! `bund audit witness`: what another hospital runs now and then, so that nobody can take back what was published. It needs no
//! database, and learns nothing but how many records there are.

use super::{state, verifiers};
use crate::commands::{block_on, say};
use anyhow::{Context as _, Result, bail};
use audit::seal::note::Checkpoint;
use audit::seal::proof::extends;
use audit::seal::tree::Digest;
use reqwest::Client;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Where the other server publishes its heads: https://hub.example.org/audit
    #[arg(long)]
    url: String,

    /// The head that is kept; made by the first run.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,

    /// The key that heads are verified with; can be given several times, when a new one takes over.
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<String>,
}

const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const BYTES_MAX: usize = 65_536;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let keys = verifiers(&arguments.keys)?;
    let url = arguments.url.trim_end_matches('/');
    if !url.starts_with("https://") && !url.starts_with("http://") {
        bail!("--url begins with https:// and ends with /audit");
    }
    let place = arguments.state.display().to_string();
    block_on(async {
        let client = Client::builder().timeout(TIMEOUT).build()?;
        let note = fetch(&client, &format!("{url}/checkpoint")).await?;
        let new = Checkpoint::open(&note, &keys).with_context(|| format!("the head of {url}"))?;
        if !keys.iter().any(|key| key.name() == new.origin) {
            bail!("the head of {url} is of {}, another trail than the key's", new.origin);
        }
        let Some(kept) = state::read(&arguments.state)? else {
            state::write(&arguments.state, &note)?;
            say(&format!("kept the first head: {} records", new.size));
            return Ok(());
        };
        let old = Checkpoint::open(&kept, &keys).with_context(|| place.clone())?;
        if new.size < old.size {
            bail!(
                "the trail of {url} has {} records and had {}: the newest were removed, or its database went back to an earlier state; \
                 {place} is the proof, keep it",
                new.size,
                old.size
            );
        }
        let path = match new.size == old.size || old.size == 0 {
            true => Vec::new(),
            false => {
                let query = format!("{url}/consistency?first={}&second={}", old.size, new.size);
                path(&fetch(&client, &query).await?).context(query)?
            }
        };
        if !extends((old.size, &old.root), (new.size, &new.root), &path) {
            bail!(
                "the trail of {url} with {} records does not go on from the {} that were kept: it was rewritten; {place} is the proof, \
                 keep it beside the head that is published now:\n{note}",
                new.size,
                old.size
            );
        }
        state::write(&arguments.state, &note)?;
        say(&format!(
            "the trail goes on: {} records, {} of them new",
            new.size,
            new.size - old.size
        ));
        Ok(())
    })
}

async fn fetch(client: &Client, url: &str) -> Result<String> {
    let mut answer = client.get(url).send().await.with_context(|| url.to_owned())?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.with_context(|| url.to_owned())? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BYTES_MAX {
            bail!("{url} answers more than {BYTES_MAX} bytes");
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match answer.status().is_success() {
        true => Ok(text),
        false => bail!("{url} answers {}: {text}", answer.status()),
    }
}

fn path(answer: &str) -> Result<Vec<Digest>> {
    let answer: Value = serde_json::from_str(answer)?;
    let path = answer["path"].as_array().context("there is no path in the answer")?;
    let digest = |text: &Value| text.as_str().and_then(Digest::parse).context("a hash is not one");
    path.iter().map(digest).collect()
}
