//! The files of an import, as resources with ids and as what could not be read as one.
//!
//! No line and no file is read further than its bound, whatever it says it holds: a compressed one neither.

use crate::http::target::identifier;
use anyhow::{Context, Result, bail};
use fhir::json::Limits;
use fhir::outcome::{Code, Issue};
use fhir::references;
use flate2::bufread::MultiGzDecoder;
use schema::resource::{self, Table};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store::write::stage::id_of;

/// Where a resource was found.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    /// Of NDJSON, from 1 on.
    pub(super) line: Option<u64>,
}

/// A resource to load.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) table: &'static Table,
    pub(super) id: String,
    pub(super) resource: Value,
    pub(super) place: Place,
}

/// What is not loaded, and why.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) place: Place,
    pub(super) resource: Option<String>,
    pub(super) id: Option<String>,
    pub(super) issues: Vec<Issue>,
}

#[derive(Debug)]
pub(super) enum Found {
    Item(Item),
    Refused(Refused),
}

/// How much is read at most, in bytes.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    line: usize,
    whole: usize,
}

const BOUNDS: Bounds = Bounds { line: 64 << 20, whole: 512 << 20 };

/// A file, or standard input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Standard,
    /// A resource or a bundle a line.
    Lines(PathBuf),
    /// One resource or one bundle.
    Whole(PathBuf),
}

impl Input {
    fn named(path: &Path) -> Option<Input> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name);
        match Path::new(name).extension()?.to_str()? {
            "ndjson" => Some(Input::Lines(path.to_owned())),
            "json" => Some(Input::Whole(path.to_owned())),
            _ => None,
        }
    }

    /// Nothing is known of standard input.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Input::Standard => None,
            Input::Lines(path) | Input::Whole(path) => {
                std::fs::metadata(path).ok().map(|metadata| metadata.len())
            }
        }
    }
}

/// The files named and those in the folders named, in order.
pub(super) fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Standard);
        } else if path.is_dir() {
            inside(path, &mut inputs)?;
        } else if let Some(input) = Input::named(path) {
            inputs.push(input);
        } else {
            bail!("{}: only .json and .ndjson files are imported, or either .gz", path.display());
        }
    }
    Ok(inputs)
}

/// A folder and the folders in it. Links to folders are not followed: they may lead back.
fn inside(folder: &Path, inputs: &mut Vec<Input>) -> Result<()> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.with_context(|| folder.display().to_string())?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type().with_context(|| path.display().to_string())?.is_dir() {
            inside(&path, inputs)?;
        } else if path.is_file() {
            inputs.extend(Input::named(&path));
        }
    }
    Ok(())
}

/// What one input holds. An error of this iterator is one of reading: nothing comes after it.
pub(super) struct Source {
    reader: Box<dyn BufRead + Send>,
    name: Arc<str>,
    /// The line last read, of NDJSON.
    line: Option<u64>,
    limits: Limits,
    bounds: Bounds,
    is_over: bool,
    waiting: std::vec::IntoIter<Found>,
    /// What the line last read took.
    bytes: usize,
}

impl Source {
    /// `bytes` counts what is read of the file as it lies there, compressed or not.
    pub(super) fn open(input: &Input, limits: Limits, bytes: &Arc<AtomicU64>) -> Result<Source> {
        let (name, is_lines, raw): (String, bool, Box<dyn Read + Send>) = match input {
            Input::Standard => ("-".to_owned(), true, Box::new(io::stdin())),
            Input::Lines(path) | Input::Whole(path) => {
                let name = path.display().to_string();
                let file = File::open(path).with_context(|| name.clone())?;
                (name, matches!(input, Input::Lines(_)), Box::new(file))
            }
        };
        let counted = Counted { inner: raw, bytes: Arc::clone(bytes) };
        Source::new(&name, is_lines, counted, limits, BOUNDS).context(name)
    }

    fn new(
        name: &str,
        is_lines: bool,
        raw: impl Read + Send + 'static,
        limits: Limits,
        bounds: Bounds,
    ) -> io::Result<Source> {
        let mut raw = BufReader::with_capacity(1 << 18, raw);
        // What a gzip member begins with (RFC 1952), and JSON never.
        let is_compressed = raw.fill_buf()?.starts_with(&[0x1F, 0x8B]);
        let reader: Box<dyn BufRead + Send> = if is_compressed {
            Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(raw)))
        } else {
            Box::new(raw)
        };
        Ok(Source {
            reader,
            name: name.into(),
            line: is_lines.then_some(0),
            limits,
            bounds,
            is_over: false,
            waiting: Vec::new().into_iter(),
            bytes: 0,
        })
    }

    /// Bytes of JSON read since this was last asked.
    pub(super) fn take_bytes(&mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }

    fn place(&self) -> Place {
        Place { file: Arc::clone(&self.name), line: self.line }
    }

    /// Reads the next line, or all of a file that has none, and takes it apart. False: there is no more.
    fn read(&mut self) -> io::Result<bool> {
        let max = if self.line.is_some() { self.bounds.line } else { self.bounds.whole };
        let mut text = Vec::new();
        // One more: the end of the longest line, or the proof that it is too long.
        let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let mut bounded = (&mut self.reader).take(most);
        match &mut self.line {
            Some(number) => {
                *number += 1;
                bounded.read_until(b'\n', &mut text)?;
            }
            None => {
                bounded.read_to_end(&mut text)?;
                self.is_over = true;
            }
        }
        if text.is_empty() {
            return Ok(self.line.is_none());
        }
        self.bytes += text.len();
        let is_line = self.line.is_some();
        let is_cut = text.len() > max && !(is_line && text.ends_with(b"\n"));
        let found = if is_cut {
            if is_line {
                self.skip_line()?;
            }
            let text = format!("longer than {max} bytes");
            vec![refused(self.place(), None, Issue::error(Code::TooLong, text))]
        } else if text.trim_ascii().is_empty() && is_line {
            Vec::new()
        } else {
            take_apart(&text, &self.place(), &self.limits)
        };
        self.waiting = found.into_iter();
        Ok(true)
    }

    /// What is left of a line, without keeping it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

impl Iterator for Source {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Result<Found>> {
        loop {
            if let Some(found) = self.waiting.next() {
                return Some(Ok(found));
            }
            if self.is_over {
                return None;
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    let place = match self.line {
                        Some(line) => format!("{}: line {line}", self.name),
                        None => self.name.to_string(),
                    };
                    return Some(Err(error).context(place));
                }
            }
        }
    }
}

struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

fn take_apart(text: &[u8], place: &Place, limits: &Limits) -> Vec<Found> {
    let value = match fhir::json::parse(text, limits) {
        Ok(value) => value,
        Err(error) => {
            let issue = Issue::error(Code::Structure, error.to_string());
            return vec![refused(place.clone(), None, issue)];
        }
    };
    let is_parcel = value["resourceType"] == "Bundle"
        && value["type"]
            .as_str()
            .is_some_and(|kind| ["transaction", "batch", "collection"].contains(&kind));
    if is_parcel { bundle(value, place) } else { vec![single(value, place)] }
}

fn refused(place: Place, resource: Option<&Value>, issue: Issue) -> Found {
    let text = |name: &str| {
        let text = resource?.get(name)?.as_str()?;
        Some(text.chars().take(80).collect())
    };
    let (kind, id) = (text("resourceType"), text("id"));
    Found::Refused(Refused { place, resource: kind, id, issues: vec![issue] })
}

fn single(resource: Value, place: &Place) -> Found {
    let id = match resource["id"].as_str() {
        Some(id) => identifier(id).map_err(|_| {
            Issue::error(Code::Value, "not an id: 1 to 64 letters, digits, `-` and `.`").at("id")
        }),
        None => Err(Issue::error(Code::Required, "the resource has no id").at("id")),
    };
    with_id(resource, id, place)
}

fn with_id(resource: Value, id: Result<String, Issue>, place: &Place) -> Found {
    let found = table(&resource).and_then(|table| id.map(|id| (table, id)));
    match found {
        Ok((table, id)) => Found::Item(Item { table, id, resource, place: place.clone() }),
        Err(issue) => refused(place.clone(), Some(&resource), issue),
    }
}

/// The table of a resource, by its own word.
fn table(resource: &Value) -> Result<&'static Table, Issue> {
    let Some(kind) = resource["resourceType"].as_str() else {
        return Err(Issue::error(Code::Structure, "not a resource: there is no resourceType"));
    };
    resource::find(kind).ok_or_else(|| {
        let kind: String = kind.chars().take(80).collect();
        let text = format!("`{kind}` is not a resource type that is stored");
        Issue::error(Code::NotSupported, text)
    })
}

/// The entries of a bundle, references between them in order.
fn bundle(mut bundle: Value, place: &Place) -> Vec<Found> {
    let entries = match bundle.get_mut("entry").map(Value::take) {
        Some(Value::Array(entries)) => entries,
        _ => Vec::new(),
    };
    let mut addresses: HashMap<String, String> = HashMap::new();
    let mut all = Vec::with_capacity(entries.len());
    for (number, mut entry) in entries.into_iter().enumerate() {
        let url = entry["fullUrl"].as_str().unwrap_or_default().to_owned();
        let resource = entry.get_mut("resource").map(Value::take).unwrap_or_default();
        let mut found = match url.strip_prefix("urn:uuid:") {
            // A `urn:uuid:` becomes the id: the same file gives the same ids.
            Some(unique) => with_id(resource, Ok(id_of(unique)), place),
            None => single(resource, place),
        };
        match &mut found {
            Found::Item(item) if !url.is_empty() => {
                addresses.insert(url, format!("{}/{}", item.table.resource, item.id));
            }
            Found::Item(_) => {}
            Found::Refused(refused) => {
                for issue in &mut refused.issues {
                    issue.expression = Some(format!("Bundle.entry[{number}].resource"));
                }
            }
        }
        all.push(found);
    }
    for found in &mut all {
        if let Found::Item(item) = found {
            references::rewrite(&mut item.resource, &mut |_, text| addresses.get(text).cloned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Found, Input, Source, inputs};
    use fhir::json::Limits;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::{Cursor, Write as _};
    use std::path::PathBuf;

    /// `line: Type/id`, or `line! text`.
    fn read(is_lines: bool, bytes: Vec<u8>) -> Vec<String> {
        let bounds = Bounds { line: 100, whole: 200 };
        let source =
            Source::new("x", is_lines, Cursor::new(bytes), Limits::default(), bounds).unwrap();
        source
            .map(|found| match found {
                Ok(Found::Item(item)) => {
                    let line = item.place.line.unwrap_or(0);
                    format!("{line}: {}/{}", item.table.resource, item.id)
                }
                Ok(Found::Refused(refused)) => {
                    let line = refused.place.line.unwrap_or(0);
                    format!("{line}! {}", refused.issues[0].text)
                }
                Err(error) => format!("{error:#}"),
            })
            .collect()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn lines_are_read_plain_and_compressed() {
        let text = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n{\"resourceType\":\"Basic\",\"id\":\"b\"}";
        let expected = ["1: Patient/a", "3: Basic/b"];
        assert_eq!(read(true, text.into()), expected);
        assert_eq!(read(true, gzip(text)), expected);
        // Members one after the other are one file.
        let members = [
            gzip("{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n"),
            gzip("{\"resourceType\":\"Basic\",\"id\":\"b\"}"),
        ];
        assert_eq!(read(true, members.concat()), expected);
        let mut cut = gzip(text);
        cut.truncate(cut.len() - 9);
        assert!(read(true, cut).last().unwrap().starts_with("x: line "));
    }

    #[test]
    fn what_is_no_resource_is_refused_with_its_line() {
        for (text, expected) in [
            ("nonsense", "1! not valid JSON: expected ident at line 1 column 2"),
            ("[]", "1! not a resource: there is no resourceType"),
            (
                "{\"resourceType\":\"Nothing\",\"id\":\"a\"}",
                "1! `Nothing` is not a resource type that is stored",
            ),
            ("{\"resourceType\":\"Patient\"}", "1! the resource has no id"),
            (
                "{\"resourceType\":\"Patient\",\"id\":\"?\"}",
                "1! not an id: 1 to 64 letters, digits, `-` and `.`",
            ),
        ] {
            assert_eq!(read(true, format!("{text}\n").into()), [expected], "{text}");
        }
    }

    #[test]
    fn a_line_is_read_no_further_than_its_bound_and_the_next_is_read() {
        let next = "{\"resourceType\":\"Basic\",\"id\":\"b\"}\n";
        for bytes in [101, 1_000, 1_000_000] {
            let text = format!("{}\n{next}", "x".repeat(bytes));
            let expected = ["1! longer than 100 bytes", "2: Basic/b"];
            assert_eq!(read(true, text.clone().into()), expected, "{bytes}");
            assert_eq!(read(true, gzip(&text)), expected, "{bytes}");
        }
        // As long as allowed.
        let padding = " ".repeat(100 - next.trim().len());
        assert_eq!(
            read(true, format!("{}{padding}\n{next}", next.trim()).into()),
            ["1: Basic/b", "2: Basic/b"]
        );
        assert_eq!(read(false, "x".repeat(201).into()), ["0! longer than 200 bytes"]);
        assert_eq!(read(false, gzip(&"x".repeat(100_000))), ["0! longer than 200 bytes"]);
    }

    #[test]
    fn a_bundle_is_taken_apart_on_a_line_and_in_a_file() {
        let text = "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{\"resource\":{\"resourceType\":\"Basic\",\"id\":\"b\"}},{}]}";
        let bounds = |line| {
            [
                format!("{line}: Basic/b"),
                format!("{line}! not a resource: there is no resourceType"),
            ]
        };
        assert_eq!(read(false, text.into()), bounds(0));
        let short = "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{}]}";
        assert_eq!(read(true, short.into()), bounds(1)[1..]);
        let other = "{\"resourceType\":\"Bundle\",\"id\":\"s\",\"type\":\"searchset\"}";
        assert_eq!(read(true, other.into()), ["1: Bundle/s"]);
    }

    #[test]
    fn folders_are_read_in_order_with_the_folders_in_them() {
        let folder = std::env::temp_dir().join(format!("bund-inputs-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("b/c")).unwrap();
        for name in ["d.json", "a.ndjson.gz", "b/2.json.gz", "b/c/1.ndjson", "b/notes.txt"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let lines = |name: &str| Input::Lines(folder.join(name));
        let whole = |name: &str| Input::Whole(folder.join(name));
        let found = inputs(&[folder.clone(), PathBuf::from("-")]).unwrap();
        let expected = [
            lines("a.ndjson.gz"),
            whole("b/2.json.gz"),
            lines("b/c/1.ndjson"),
            whole("d.json"),
            Input::Standard,
        ];
        assert_eq!(found, expected);
        assert!(inputs(&[folder.join("b/notes.txt")]).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
