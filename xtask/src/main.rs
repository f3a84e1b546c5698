//! Chores in Rust: `cargo xtask <chore>`.

#![expect(clippy::print_stdout, reason = "a chore tells what it did")]

mod definitions;
mod requirements;
mod tidy;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask <chore>

chores:
  definitions PACKAGE.tgz   make crates/fhir/definitions/ from the pristine package hl7.fhir.r4.core 4.0.1
  requirements              which requirements of conformance/requirements.tsv have a test that passes: a line each
  tidy                      house rules that a compiler does not know";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["definitions", package] => {
            definitions::extract(package.as_ref()).map(|()| ExitCode::SUCCESS)
        }
        ["requirements"] => requirements::run(),
        ["tidy"] => tidy::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("{USAGE}"),
    }
}
