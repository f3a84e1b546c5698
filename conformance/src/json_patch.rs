//! The JSON Patch cases of RFC 6902 as the FHIR test cases have them (github.com/FHIR/fhir-test-cases, r5/patch).

use crate::tally::{Tally, Verdict};
use anyhow::Context;
use fhir::{json, patch};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::Path;

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let cases = fs::read(data.join("conformance/patch/json-patch-tests.json"))
        .context("reading the cases of JSON Patch")?;
    let Value::Array(cases) = json::parse(&cases, &json::Limits::default())? else {
        anyhow::bail!("the JSON Patch suite is not a list of cases");
    };
    let mut tally = Tally::new("json-patch")?;
    for case in &cases {
        let name = case.get("comment").and_then(Value::as_str).context("a case without a name")?;
        tally.add(name, check(case));
    }
    tally.close(100, out)
}

fn check(case: &Value) -> Result<(), String> {
    let part = |name: &str| case.get(name).ok_or_else(|| format!("the case has no {name}"));
    let found = patch::apply_json(part("doc")?, part("patch")?);
    match (found, case.get("expected")) {
        (Ok(found), Some(expected)) if found == *expected => Ok(()),
        (Ok(found), Some(expected)) => Err(format!("{found} instead of {expected}")),
        (Ok(found), None) => Err(format!("{found} instead of an error")),
        (Err(error), Some(_)) => Err(error.to_string()),
        (Err(_), None) => Ok(()),
    }
}
