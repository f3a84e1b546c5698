//! The driver on stable Rust.

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use fuzz::mutate::{Dice, mutate};
use fuzz::targets::{TARGETS, Target};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Throws mutated input at everything that reads input.
#[derive(Parser)]
struct Arguments {
    /// For each target.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Another seed is other input.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// All of them, unless some are named.
    targets: Vec<String>,
}

const SLOW: Duration = Duration::from_secs(1);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for name in &arguments.targets {
        if !TARGETS.iter().any(|(known, ..)| known == name) {
            let known: Vec<&str> = TARGETS.iter().map(|(known, ..)| *known).collect();
            bail!("there is no target `{name}`; there are: {}", known.join(", "));
        }
    }
    // What a panic says is said below, with its input.
    std::panic::set_hook(Box::new(|_| {}));
    for (name, target, seeds) in TARGETS {
        if arguments.targets.is_empty() || arguments.targets.iter().any(|wanted| wanted == name) {
            run(name, target, seeds, &arguments)?;
        }
    }
    Ok(())
}

fn run(name: &str, target: Target, seeds: &[&str], arguments: &Arguments) -> Result<()> {
    let mut dice = Dice::new(arguments.seed);
    let began = Instant::now();
    let mut count = 0_u64;
    // A first call reads the definitions, which is not the input's fault.
    target(seeds.first().copied().unwrap_or_default().as_bytes());
    while began.elapsed() < Duration::from_secs(arguments.seconds) {
        let input = mutate(&mut dice, seeds);
        let start = Instant::now();
        let outcome = std::panic::catch_unwind(|| target(&input));
        count += 1;
        match outcome {
            Err(_) => return found(name, count, &input, "a panic"),
            Ok(()) if start.elapsed() > SLOW => {
                return found(name, count, &input, "slower than a second");
            }
            Ok(()) => {}
        }
    }
    writeln!(
        std::io::stdout(),
        "fuzz {name}: {count} inputs in {} s, nothing found",
        arguments.seconds
    )?;
    Ok(())
}

fn found(name: &str, count: u64, input: &[u8], what: &str) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("found");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{name}-{count}"));
    std::fs::write(&path, input).context("writing the input")?;
    bail!("fuzz {name}: {what}, input {count} is in {}", path.display())
}
