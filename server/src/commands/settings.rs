//! `bund settings`.

use super::say;
use crate::settings::NAMES;
use anyhow::Result;

pub fn run() -> Result<()> {
    for name in &NAMES {
        say(&format!("{}\t{}\t{}", name.variable, name.key, name.default.unwrap_or("-")));
    }
    Ok(())
}
