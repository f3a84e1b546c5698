//! What passed and what did not, against the list of what is known not to.

use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
}

impl Verdict {
    pub(crate) fn and(self, other: Verdict) -> Verdict {
        if self == Verdict::Good { other } else { Verdict::Bad }
    }
}

pub(crate) struct Tally {
    suite: &'static str,
    /// Why a case is not passed, by its name.
    left: BTreeMap<String, String>,
    passed: usize,
    failed: Vec<(String, String)>,
    passed_names: BTreeSet<String>,
}

impl Tally {
    /// Reads `<suite>-left.tsv` of this folder: a name, a tab, a reason. A suite without that file has to pass whole.
    pub(crate) fn new(suite: &'static str) -> anyhow::Result<Tally> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{suite}-left.tsv"));
        let text = if path.exists() {
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?
        } else {
            String::new()
        };
        let left = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(Tally {
            suite,
            left: left.map(|(name, reason)| (name.to_owned(), reason.to_owned())).collect(),
            passed: 0,
            failed: Vec::new(),
            passed_names: BTreeSet::new(),
        })
    }

    pub(crate) fn add(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                self.passed_names.insert(name.to_owned());
            }
            Err(reason) => self.failed.push((name.to_owned(), reason)),
        }
    }

    /// Bad when a case fails that is not listed, when a listed one passes, or when too few pass.
    pub(crate) fn close(self, percent_min: usize, out: &mut dyn Write) -> anyhow::Result<Verdict> {
        let mut verdict = Verdict::Good;
        for (name, found) in &self.failed {
            match self.left.get(name) {
                Some(reason) => writeln!(out, "{}: left {name}: {reason} ({found})", self.suite)?,
                None => {
                    writeln!(out, "{}: FAILED {name}: {found}", self.suite)?;
                    verdict = Verdict::Bad;
                }
            }
        }
        let failed: BTreeSet<&str> = self.failed.iter().map(|(name, _)| name.as_str()).collect();
        for name in self.left.keys() {
            if !failed.contains(name.as_str()) {
                let passes = self.passed_names.contains(name);
                let why = if passes { "passes now" } else { "is no case" };
                writeln!(out, "{}: {name} is listed as left, but {why}", self.suite)?;
                verdict = Verdict::Bad;
            }
        }
        let total = self.passed + self.failed.len();
        let tenths = (self.passed * 1000).checked_div(total).unwrap_or(0);
        let (whole, tenth) = (tenths / 10, tenths % 10);
        writeln!(out, "{}: passed {} of {total} ({whole}.{tenth} %)", self.suite, self.passed)?;
        if whole < percent_min {
            writeln!(out, "{}: fewer than {percent_min} % pass", self.suite)?;
            verdict = Verdict::Bad;
        }
        Ok(verdict)
    }
}
