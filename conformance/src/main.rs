//! Runs the external suites that say how well the standard is kept. Each suite is a file; its data is not part of the
//! repository, so without it a run says so and succeeds.

mod archive;
mod examples;
mod fhirpath;
mod json_patch;
mod search;
mod server;
mod synthea;
mod tally;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A suite by the name it is called with. It reads its data below the folder it is given, and writes what it found.
type Suite = (&'static str, fn(&Path, &mut dyn Write) -> anyhow::Result<tally::Verdict>);

const SUITES: [Suite; 6] = [
    ("fhirpath", fhirpath::run),
    ("json-patch", json_patch::run),
    ("examples", examples::run),
    ("synthea", synthea::run),
    ("server", server::run),
    ("search", search::run),
];

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    match run(&mut out) {
        Ok(tally::Verdict::Good) => ExitCode::SUCCESS,
        Ok(tally::Verdict::Bad) => ExitCode::FAILURE,
        Err(error) => {
            // When not even the error can be written, the exit code still says it.
            let _ = writeln!(out, "{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All suites, or those that are named.
fn run(out: &mut dyn Write) -> anyhow::Result<tally::Verdict> {
    let wanted: Vec<String> = env::args().skip(1).collect();
    let names = SUITES.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        anyhow::bail!("there is no suite `{unknown}`; there are: {}", names.join(", "));
    }
    let data = data();
    if !data.is_dir() {
        writeln!(out, "no data at {}: nothing was run", data.display())?;
        return Ok(tally::Verdict::Good);
    }
    let mut verdict = tally::Verdict::Good;
    for (name, suite) in SUITES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            verdict = verdict.and(suite(&data, out)?);
        }
    }
    Ok(verdict)
}

/// `BUND_CONFORMANCE_DATA`, or the folder `shared/data` beside the repository.
fn data() -> PathBuf {
    match env::var_os("BUND_CONFORMANCE_DATA") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    }
}
