//! `bund generate`: an invented city (crates/city) as NDJSON, to try things on.

use super::complain;
use anyhow::{Context as _, Result};
use city::City;
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Hospitals of the city, each with departments, practitioners, schedules and free slots.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(city::HOSPITALS_MAX)))]
    hospitals: u32,

    /// People who live there; each brings about 35 resources, several Patient resources among them when several hospitals know them.
    #[arg(long, default_value_t = 1_000)]
    patients: u32,

    /// The same seed and numbers give the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Write a transaction Bundle a line (a hospital, what is known of a person, a visit) instead of a resource a line; its entries are
    /// PUTs, so that it can be sent again.
    #[arg(long)]
    bundles: bool,

    /// Where to write; `-` is standard output.
    #[arg(long, default_value = "-", value_name = "FILE")]
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let is_standard = arguments.out.as_os_str() == "-";
    let out: Box<dyn Write> = if is_standard {
        Box::new(std::io::stdout().lock())
    } else {
        let path = arguments.out.display().to_string();
        Box::new(File::create(&arguments.out).context(path)?)
    };
    match write(arguments, BufWriter::with_capacity(1 << 18, out)) {
        // Whoever read, as `head` does, has read enough.
        Err(error) if is_standard && error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.with_context(|| arguments.out.display().to_string()),
    }
}

fn write(arguments: &Arguments, mut out: impl Write) -> std::io::Result<()> {
    let city = City::new(arguments.seed, arguments.hospitals);
    let mut progress = Progress::new();
    for group in city.groups(arguments.patients) {
        progress.add(&group);
        if arguments.bundles {
            line(&mut out, &city::bundle(group))?;
        } else {
            for resource in &group {
                line(&mut out, resource)?;
            }
        }
    }
    out.flush()?;
    progress.end();
    Ok(())
}

fn line(out: &mut impl Write, resource: &Value) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, resource)?;
    out.write_all(b"\n")
}

/// A line each two seconds for people who watch; nothing for programs.
struct Progress {
    is_watched: bool,
    began: Instant,
    said: Instant,
    resources: usize,
}

impl Progress {
    const EVERY: Duration = Duration::from_secs(2);

    fn new() -> Progress {
        let now = Instant::now();
        let is_watched = std::io::stderr().is_terminal();
        Progress { is_watched, began: now, said: now, resources: 0 }
    }

    fn add(&mut self, group: &[Value]) {
        self.resources += group.len();
        if self.is_watched && self.said.elapsed() >= Progress::EVERY {
            self.said = Instant::now();
            complain(&format!("  {} resources so far", self.resources));
        }
    }

    fn end(&self) {
        if self.is_watched {
            let seconds = self.began.elapsed().as_secs_f64();
            complain(&format!("generated {} resources in {seconds:.1} s", self.resources));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, write};
    use std::path::PathBuf;

    fn text(seed: u64, bundles: bool) -> String {
        let out = PathBuf::from("-");
        let arguments = Arguments { hospitals: 2, patients: 3, seed, bundles, out };
        let mut text = Vec::new();
        write(&arguments, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_same_arguments_give_the_same_bytes_a_resource_or_a_bundle_a_line() {
        assert_eq!(text(1, false), text(1, false));
        assert_ne!(text(1, false), text(2, false));
        for (bundles, start) in
            [(false, "{\"resourceType\":\""), (true, "{\"resourceType\":\"Bundle\"")]
        {
            let text = text(1, bundles);
            assert!(text.ends_with('\n') && text.lines().all(|line| line.starts_with(start)));
        }
    }
}
