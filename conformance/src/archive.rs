//! Gzipped archives of JSON files.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Hands over each JSON file by its name.
pub(crate) fn each(path: &Path, visit: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|name| name.ends_with(".json")) else { continue };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        visit(&name, &bytes)?;
    }
    Ok(())
}
