//! The FHIRPath test suite for R4 (github.com/FHIR/fhir-test-cases, r4/fhirpath).

use crate::tally::{Tally, Verdict};
use anyhow::Context as _;
use fhir::path::context::Context;
use fhir::path::item::Item;
use fhir::path::node::Node;
use fhir::path::temporal::DateTime;
use fhir::{json, path};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

/// The suite names its inputs by the file names of the specification; the package of examples by type and id.
const INPUTS: [(&str, &str); 7] = [
    ("patient-example.xml", "Patient-example"),
    ("observation-example.xml", "Observation-example"),
    ("questionnaire-example.xml", "Questionnaire-3141"),
    ("valueset-example-expansion.xml", "ValueSet-example-expansion"),
    ("codesystem-example.xml", "CodeSystem-example"),
    ("appointment-examplereq.json", "Appointment-examplereq"),
    ("explanationofbenefit-example.json", "ExplanationOfBenefit-EB3500"),
];

const PERCENT_MIN: usize = 93;

/// What `now()` answers: any moment after those the cases compare it with.
const NOW: &str = "2026-01-02T03:04:05.678+08:00";

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> anyhow::Result<Verdict> {
    let cases = fs::read(data.join("conformance/fhirpath/fhirpath-r4-tests.json"))
        .context("reading the cases of the FHIRPath suite")?;
    let Value::Array(cases) = json::parse(&cases, &json::Limits::default())? else {
        anyhow::bail!("the FHIRPath suite is not a list of cases");
    };
    let inputs = inputs(&data.join("packages/hl7.fhir.r4.examples-4.0.1.tgz"))?;
    let mut tally = Tally::new("fhirpath")?;
    for case in &cases {
        let case = Case::new(case).context("a case without name or expression")?;
        tally.add(case.name, case.run(&inputs));
    }
    tally.close(PERCENT_MIN, out)
}

fn inputs(package: &Path) -> anyhow::Result<HashMap<&'static str, Value>> {
    let file = File::open(package).with_context(|| format!("opening {}", package.display()))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut inputs = HashMap::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path()?.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let Some((input, _)) = INPUTS.iter().find(|(_, example)| name.as_deref() == Some(*example))
        else {
            continue;
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        inputs.insert(*input, json::parse(&bytes, &json::Limits::default())?);
    }
    Ok(inputs)
}

struct Case<'a> {
    name: &'a str,
    input: Option<&'a str>,
    expression: &'a str,
    is_invalid: bool,
    /// Only whether something is found counts.
    is_predicate: bool,
    outputs: &'a [Value],
}

impl<'a> Case<'a> {
    fn new(case: &'a Value) -> Option<Case<'a>> {
        let text = |name: &str| case.get(name).and_then(Value::as_str);
        Some(Case {
            name: text("name")?,
            input: text("input"),
            expression: text("expression")?,
            is_invalid: text("invalid").is_some(),
            is_predicate: text("predicate") == Some("true"),
            outputs: case.get("outputs").and_then(Value::as_array)?,
        })
    }

    fn run(&self, inputs: &HashMap<&'static str, Value>) -> Result<(), String> {
        let name = self.input.unwrap_or("patient-example.xml");
        let input = inputs.get(name).ok_or_else(|| format!("there is no {name}"))?;
        let root = Node::root(input).ok_or("the input is no resource")?;
        let now = DateTime::parse(NOW).ok_or("the clock is wrong")?;
        let context = Context::new(Some(root), now);
        let expression = match path::parse(self.expression) {
            Ok(expression) => expression,
            Err(_) if self.is_invalid => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match path::check::check(&expression, root.kind()) {
            Ok(()) => {}
            Err(_) if self.is_invalid => return Ok(()),
            Err(error) => return Err(format!("refused before it is evaluated: {error}")),
        }
        match path::evaluate(&expression, root, &context) {
            Err(_) if self.is_invalid => Ok(()),
            Err(error) => Err(error.to_string()),
            Ok(found) if self.is_invalid => Err(format!("{} found, not refused", shown(&found))),
            Ok(found) => self.compare(&found),
        }
    }

    fn compare(&self, found: &[Item]) -> Result<(), String> {
        let wanted: Vec<String> = self.outputs.iter().map(output).collect();
        let same = if self.is_predicate {
            wanted == [format!("boolean {}", !found.is_empty())]
        } else {
            found.len() == self.outputs.len()
                && found.iter().zip(self.outputs).all(|(found, wanted)| is_same(found, wanted))
        };
        if same { Ok(()) } else { Err(format!("{} instead of {wanted:?}", shown(found))) }
    }
}

fn output(output: &Value) -> String {
    let text = |name| output.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", text("type"), text("value"))
}

/// Types are called as in FHIR; a case without a type only asks for the value. Numbers are compared as numbers.
fn is_same(found: &Item, wanted: &Value) -> bool {
    let text = |name| wanted.get(name).and_then(Value::as_str);
    let kind = found.kind().map(|kind| kind.name()).unwrap_or_default();
    if text("type").is_some_and(|wanted| !wanted.eq_ignore_ascii_case(kind)) {
        return false;
    }
    let value = text("value").unwrap_or_default();
    let wanted = value.strip_prefix('@').unwrap_or(value);
    match &*found.simple() {
        Item::Decimal(number) => {
            wanted.parse().is_ok_and(|wanted: rust_decimal::Decimal| *number == wanted)
        }
        Item::Time(time) => format!("T{time}") == wanted,
        _ => found.text().is_some_and(|found| found == wanted),
    }
}

fn shown(found: &[Item]) -> String {
    let shown: Vec<String> = found
        .iter()
        .map(|item| {
            let kind = item.kind().map(|kind| kind.name()).unwrap_or("type");
            format!("{kind} {}", item.text().unwrap_or_default())
        })
        .collect();
    format!("{shown:?}")
}
