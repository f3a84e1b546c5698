//! `bund audit`: the seal of the trail – its key, its heads, whether it still fits, and what witnesses elsewhere keep of it.

mod archive;
mod head;
mod key;
mod state;
mod verify;
mod witness;

use anyhow::{Context as _, Result};
use audit::seal::key::Verifier;
use std::path::Path;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Make a key that heads are signed with, and print the one to verify them with.
    Key(key::Arguments),
    /// Print the newest signed head, and the key that verifies it.
    Head(head::Arguments),
    /// Find out whether any record was edited, removed or added since it was sealed.
    Verify(verify::Arguments),
    /// Take months that are older than the retention out of the trail, into files that prove themselves.
    Archive(archive::Arguments),
    /// Fetch the newest head of another's trail, check that it goes on from the one that is kept, and keep it.
    Witness(witness::Arguments),
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    match arguments.action {
        Action::Key(arguments) => key::run(config, &arguments),
        Action::Head(arguments) => head::run(config, &arguments),
        Action::Verify(arguments) => verify::run(config, arguments),
        Action::Archive(arguments) => archive::run(config, &arguments),
        Action::Witness(arguments) => witness::run(&arguments),
    }
}

fn verifiers(texts: &[String]) -> Result<Vec<Verifier>> {
    let parse = |text: &String| Verifier::parse(text).with_context(|| format!("--key {text}"));
    texts.iter().map(parse).collect()
}
