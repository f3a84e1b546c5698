//! The files of an import, as resources with ids.

use super::table;
use crate::app::App;
use anyhow::{Context, Result, bail};
use fhir::references;
use schema::resource::Table;
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use store::write::stage::id_of;

/// A resource to load.
pub(super) struct Item {
    pub(super) table: &'static Table,
    pub(super) id: String,
    pub(super) resource: Value,
}

/// A line of NDJSON longer than this is not read.
const LINE_BYTES_MAX: usize = 64 << 20;

/// The files named and those in the folders named, in order.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
                .with_context(|| path.display().to_string())?
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| matches!(extension(path), "json" | "ndjson"))
                .collect();
            inside.sort();
            files.extend(inside);
        } else if matches!(extension(path), "json" | "ndjson") {
            files.push(path.clone());
        } else {
            bail!("{}: only .json and .ndjson files are imported", path.display());
        }
    }
    Ok(files)
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// The resources of one file.
pub(super) enum Source {
    Whole(std::vec::IntoIter<Result<Item>>),
    Lines(Box<Lines>),
}

pub(super) struct Lines {
    reader: BufReader<File>,
    limits: fhir::json::Limits,
    number: u64,
}

impl Source {
    pub(super) fn open(path: &Path, app: &App) -> Result<Source> {
        let limits = app.settings.limits.json;
        let file = File::open(path).with_context(|| path.display().to_string())?;
        if extension(path) == "ndjson" {
            let reader = BufReader::with_capacity(1 << 20, file);
            return Ok(Source::Lines(Box::new(Lines { reader, limits, number: 0 })));
        }
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let value =
            fhir::json::parse(&bytes, &limits).with_context(|| path.display().to_string())?;
        let is_bundle = value["resourceType"] == "Bundle"
            && value["type"]
                .as_str()
                .is_some_and(|kind| ["transaction", "batch", "collection"].contains(&kind));
        let items = if is_bundle { bundle(value) } else { vec![single(value)] };
        Ok(Source::Whole(items.into_iter()))
    }
}

impl Iterator for Source {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        match self {
            Source::Whole(items) => items.next(),
            Source::Lines(lines) => lines.next(),
        }
    }
}

impl Lines {
    fn next(&mut self) -> Option<Result<Item>> {
        loop {
            let mut line = Vec::new();
            self.number += 1;
            match self.reader.read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) if line.len() > LINE_BYTES_MAX => {
                    return Some(Err(anyhow::anyhow!(
                        "line {} is longer than {LINE_BYTES_MAX} bytes",
                        self.number
                    )));
                }
                Ok(_) if line.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let item = fhir::json::parse(&line, &self.limits)
                        .map_err(anyhow::Error::from)
                        .and_then(single);
                    return Some(item.with_context(|| format!("line {}", self.number)));
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

fn single(resource: Value) -> Result<Item> {
    let table = table(&resource)?;
    let id = resource["id"].as_str().context("the resource has no id")?;
    let id =
        crate::http::target::identifier(id).map_err(|_| anyhow::anyhow!("`{id}` is not an id"))?;
    Ok(Item { table, id, resource })
}

/// The entries of a bundle, references between them in order.
fn bundle(mut bundle: Value) -> Vec<Result<Item>> {
    let entries = match bundle.get_mut("entry").map(Value::take) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    };
    let mut addresses: HashMap<String, String> = HashMap::new();
    let mut items = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let url = entry["fullUrl"].as_str().unwrap_or_default().to_owned();
        let item = named(&url, entry["resource"].take());
        if let Ok(item) = &item {
            addresses.insert(url, format!("{}/{}", item.table.resource, item.id));
        }
        items.push(item);
    }
    for item in items.iter_mut().flatten() {
        references::rewrite(&mut item.resource, &mut |_, text| addresses.get(text).cloned());
    }
    items
}

/// A `urn:uuid:` becomes the id: the same file gives the same ids.
fn named(url: &str, resource: Value) -> Result<Item> {
    let Some(unique) = url.strip_prefix("urn:uuid:") else { return single(resource) };
    Ok(Item { table: table(&resource)?, id: id_of(unique), resource })
}
