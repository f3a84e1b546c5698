//! The official examples of R4: read, valid, and the same after JSON and after XML.

use crate::archive;
use crate::tally::{Tally, Verdict};
use fhir::outcome::Severity;
use fhir::{json, validate, xml};
use serde_json::Value;
use std::io::Write;
use std::path::Path;

const PERCENT_MIN: usize = 95;

/// Files of the package that are no resources.
pub(crate) const NOT_RESOURCES: [&str; 2] = ["package.json", ".index.json"];

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let mut tally = Tally::new("examples")?;
    archive::each(&data.join("packages/hl7.fhir.r4.examples-4.0.1.tgz"), &mut |name, bytes| {
        if !NOT_RESOURCES.contains(&name) {
            tally.add(name, check(bytes));
        }
        Ok(())
    })?;
    tally.close(PERCENT_MIN, out)
}

/// Valid, and equal after each way through the formats.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let limits = json::Limits::default();
    let resource = json::parse(bytes, &limits).map_err(|error| error.to_string())?;
    let errors = errors(&resource);
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    let again = json::parse(&json::write(&resource), &limits).map_err(|error| error.to_string())?;
    if again != resource {
        return Err("not the same after JSON".to_owned());
    }
    let text = xml::write(&resource, false).map_err(|error| error.to_string())?;
    let back =
        xml::parse(&text, &limits).map_err(|error| format!("its XML cannot be read: {error}"))?;
    if back != resource {
        return Err("not the same after XML".to_owned());
    }
    Ok(())
}

fn errors(resource: &Value) -> Vec<String> {
    validate::resource(resource)
        .into_iter()
        .filter(|issue| issue.severity == Severity::Error)
        .take(5)
        .map(|issue| format!("{}: {}", issue.expression.unwrap_or_default(), issue.text))
        .collect()
}
