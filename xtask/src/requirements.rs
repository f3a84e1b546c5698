//! Which requirements have a test that passes: a requirement's id begins the names of its tests (`tok_02_…` holds TOK-02).
//!
//! The tests are run, and what they print is read; what has no test says in `conformance/requirements.tsv` why.

use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};

const LIST: &str = "conformance/requirements.tsv";

struct Requirement {
    id: String,
    level: String,
    reason: String,
}

pub(super) fn run() -> Result<ExitCode> {
    let text = std::fs::read_to_string(LIST).with_context(|| LIST.to_owned())?;
    let requirements = parse(&text)?;
    let filters: BTreeSet<String> =
        requirements.iter().map(|requirement| prefix(&requirement.id)).collect();
    let output = Command::new("cargo")
        .args(["test", "--workspace", "--no-fail-fast", "--quiet", "--", "--format=pretty"])
        .args(&filters)
        .output()
        .context("cargo test")?;
    let passed = passed(&String::from_utf8_lossy(&output.stdout));
    let mut is_whole = output.status.success();
    for requirement in &requirements {
        let tests = passed.get(&prefix(&requirement.id)).cloned().unwrap_or_default();
        let (state, said) = match (tests.is_empty(), requirement.reason.is_empty()) {
            (false, _) => ("tested", tests.join(" ")),
            (true, false) => ("left", requirement.reason.clone()),
            (true, true) => {
                is_whole = false;
                ("left", "no test, and no reason".to_owned())
            }
        };
        println!("{}\t{}\t{state}\t{said}", requirement.id, requirement.level);
    }
    if !output.status.success() {
        bail!("some of these tests failed: run ./dev test");
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(text: &str) -> Result<Vec<Requirement>> {
    let rows = text.lines().skip(1).map(|line| {
        let mut columns = line.split('\t').map(str::to_owned);
        let (Some(id), Some(level)) = (columns.next(), columns.next()) else {
            bail!("{LIST}: `{line}` has no level");
        };
        Ok(Requirement { id, level, reason: columns.next().unwrap_or_default() })
    });
    rows.collect()
}

/// `tok_02_` of TOK-02.
fn prefix(id: &str) -> String {
    format!("{}_", id.to_lowercase().replace('-', "_"))
}

/// The names of tests that passed, by the requirement that they begin with.
fn passed(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut by_prefix: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let names = text.lines().filter_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... ok")?;
        name.rsplit("::").next()
    });
    for name in names {
        let mut parts = name.splitn(3, '_');
        if let (Some(section), Some(number), Some(_)) = (parts.next(), parts.next(), parts.next()) {
            let prefix = format!("{section}_{number}_");
            by_prefix.entry(prefix).or_default().push(name.to_owned());
        }
    }
    by_prefix
}

#[cfg(test)]
mod tests {
    use super::{parse, passed, prefix};

    #[test]
    fn tests_are_known_by_the_beginnings_of_their_names() {
        let found = passed(
            "test a::tok_02_refuses ... ok\ntest tok_03_x ... FAILED\ntest b::tests::tok_02_more ... ok\n",
        );
        assert_eq!(found[&prefix("TOK-02")], ["tok_02_refuses", "tok_02_more"]);
        assert!(!found.contains_key(&prefix("TOK-03")));
    }

    #[test]
    fn a_requirement_has_an_id_and_a_level() {
        let all = parse("id\tlevel\twhy\nTOK-01\tMUST\t\nTOK-18\tSHOULD\tnot built\n").unwrap();
        assert_eq!((all[0].id.as_str(), all[1].reason.as_str()), ("TOK-01", "not built"));
        assert!(parse("head\nTOK-01\n").is_err());
    }
}
