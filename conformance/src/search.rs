//! Every search parameter of the standard, by values of the official examples: FHIRPath says which resources have a value, and
//! every modifier and prefix that its type takes has to find them, or not.

use crate::archive;
use crate::examples::NOT_RESOURCES;
use crate::server::start;
use crate::tally::{Tally, Verdict};
use anyhow::{Context as _, Result, bail};
use embedded::{Cluster, Durability};
use fhir::definitions::{ParameterKind, SearchParameter, r4};
use fhir::json;
use fhir::path;
use fhir::path::context::Context;
use fhir::path::node::Node;
use reqwest::Client;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

const PERCENT_MIN: usize = 99;
/// Values of a parameter that are asked for.
const VALUES_MAX: usize = 3;

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> Result<Verdict> {
    let cluster = Cluster::temporary(Durability::None)?;
    let address = start(cluster.url())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let asker = Asker {
            client: Client::builder().no_proxy().build()?,
            base: format!("http://{address}/fhir"),
        };
        let stored = asker.load(data).await?;
        let mut suite = Suite {
            asker,
            tally: Tally::new("search")?,
            cells: BTreeMap::new(),
            rows: BTreeMap::new(),
        };
        let (mut asked, mut all) = (BTreeSet::new(), BTreeSet::new());
        for parameter in r4().search_parameters() {
            all.insert(parameter.id);
            for (kind, resources) in &stored {
                let is_base = parameter.bases.iter().any(|base| r4().is_a(kind, base));
                if is_base && suite.parameter(parameter, kind, resources).await? {
                    asked.insert(parameter.id);
                }
            }
        }
        suite.table(out)?;
        writeln!(
            out,
            "search: {} of the {} parameters of the standard have a value in the examples",
            asked.len(),
            all.len()
        )?;
        suite.tally.close(PERCENT_MIN, out)
    })
}

struct Asker {
    client: Client,
    base: String,
}

type Stored = BTreeMap<String, Vec<Value>>;

impl Asker {
    /// Writes the examples that are valid, by type.
    async fn load(&self, data: &Path) -> Result<Stored> {
        let mut all = Vec::new();
        archive::each(
            &data.join("packages/hl7.fhir.r4.examples-4.0.1.tgz"),
            &mut |name, bytes| {
                if !NOT_RESOURCES.contains(&name) {
                    all.push(json::parse(bytes, &json::Limits::default())?);
                }
                Ok(())
            },
        )?;
        let mut stored = Stored::new();
        for resource in all {
            let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
            let url = format!("{}/{kind}/{}", self.base, id(&resource));
            let request = self.client.put(&url).header("content-type", "application/fhir+json");
            let answer = request.body(json::write(&resource)).send().await?;
            // What is not valid is told by the suite `server`.
            if answer.status().is_success() {
                stored.entry(kind).or_default().push(resource);
            }
        }
        Ok(stored)
    }

    /// The ids that a search finds, of all its pages.
    async fn found(&self, kind: &str, name: &str, value: &str) -> Result<BTreeSet<String>> {
        let mut next = Some(format!(
            "{}/{kind}?{}={}&_elements=id&_count=1000",
            self.base,
            encoded(name),
            encoded(value)
        ));
        let mut ids = BTreeSet::new();
        while let Some(url) = next.take() {
            let request = self.client.get(&url).header("prefer", "handling=strict");
            let answer = request.send().await?;
            let status = answer.status().as_u16();
            let bundle: Value = serde_json::from_slice(&answer.bytes().await?)?;
            if status != 200 {
                let reason = bundle["issue"][0]["diagnostics"].as_str().unwrap_or_default();
                bail!("{status}: {reason}");
            }
            let entries = bundle["entry"].as_array().into_iter().flatten();
            ids.extend(entries.map(|entry| id(&entry["resource"]).to_owned()));
            let links = bundle["link"].as_array().into_iter().flatten();
            let link = links.into_iter().find(|link| link["relation"] == "next");
            next = link.and_then(|link| link["url"].as_str()).map(str::to_owned);
        }
        Ok(ids)
    }
}

fn id(resource: &Value) -> &str {
    resource["id"].as_str().unwrap_or_default()
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// What a form of asking has to do with the resource that its value is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Found,
    NotFound,
}

/// A modifier or prefix, the value, and whether it finds the resource.
type Form = (&'static str, String, Expected);

struct Suite {
    asker: Asker,
    tally: Tally,
    /// By the type of a parameter and the modifier or prefix: how often it was asked, and how often rightly answered.
    cells: BTreeMap<(&'static str, &'static str), Cell>,
    /// The same of each parameter.
    rows: BTreeMap<&'static str, BTreeMap<&'static str, Cell>>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    asked: usize,
    right: usize,
}

impl Cell {
    fn add(&mut self, is_right: bool) {
        self.asked += 1;
        self.right += usize::from(is_right);
    }
}

impl Suite {
    /// Whether the examples have a value to ask for.
    async fn parameter(
        &mut self,
        parameter: &'static SearchParameter,
        kind: &str,
        resources: &[Value],
    ) -> Result<bool> {
        let name = format!("{kind}?{}", parameter.code);
        if parameter.code == "_id" {
            let form = |resource: &Value| ("", id(resource).to_owned(), Expected::Found);
            for resource in resources.iter().take(VALUES_MAX) {
                self.ask(parameter, kind, &name, resource, &form(resource)).await?;
            }
            return Ok(true);
        }
        // The server sets it, whatever the example says.
        if parameter.code == "_lastUpdated" {
            return Ok(false);
        }
        let Some(expression) = Expression::read(parameter.expression) else { return Ok(false) };
        let mut with_value = Vec::new();
        for resource in resources {
            let values = expression.values(resource, kind)?;
            let values: Vec<(String, Value)> =
                values.into_iter().filter(|(of, _)| reads(parameter.kind, of)).collect();
            if !values.is_empty() {
                with_value.push((resource, values));
            }
        }
        if with_value.is_empty() {
            return Ok(false);
        }
        if parameter.kind != ParameterKind::Composite {
            let present: BTreeSet<String> =
                with_value.iter().map(|(resource, _)| id(resource).to_owned()).collect();
            let absent = resources.iter().map(|resource| id(resource).to_owned());
            let absent: BTreeSet<String> = absent.filter(|id| !present.contains(id)).collect();
            for (value, expected) in [("false", present), ("true", absent)] {
                let asked = format!("{}:missing", parameter.code);
                let outcome = match self.asker.found(kind, &asked, value).await {
                    Ok(found) if found == expected => Ok(()),
                    Ok(found) => Err(difference(&found, &expected)),
                    Err(error) => Err(format!("{error:#}")),
                };
                self.count(parameter, ":missing", &format!("{name}:missing={value}"), outcome);
            }
        }
        let mut asked = BTreeSet::new();
        for (resource, values) in &with_value {
            let is_single = values.len() == 1;
            for (of, value) in values {
                if asked.len() >= VALUES_MAX || !asked.insert(value.to_string()) {
                    continue;
                }
                for form in forms(parameter.kind, of, value, is_single) {
                    self.ask(parameter, kind, &name, resource, &form).await?;
                }
            }
        }
        Ok(true)
    }

    async fn ask(
        &mut self,
        parameter: &'static SearchParameter,
        kind: &str,
        name: &str,
        resource: &Value,
        (how, value, expected): &Form,
    ) -> Result<()> {
        let (modifier, text) = match how.strip_prefix(':') {
            Some(_) => ((*how).to_owned(), value.clone()),
            None => (String::new(), value.clone()),
        };
        let asked = format!("{}{modifier}", parameter.code);
        let outcome = match self.asker.found(kind, &asked, &text).await {
            Ok(found) => match (found.contains(id(resource)), expected) {
                (true, Expected::Found) | (false, Expected::NotFound) => Ok(()),
                (false, Expected::Found) => Err(format!("{} is not found", id(resource))),
                (true, Expected::NotFound) => Err(format!("{} is found", id(resource))),
            },
            Err(error) => Err(format!("{error:#}")),
        };
        self.count(parameter, how, &format!("{name}{modifier}={text}"), outcome);
        Ok(())
    }

    fn count(
        &mut self,
        parameter: &'static SearchParameter,
        how: &'static str,
        name: &str,
        outcome: Result<(), String>,
    ) {
        let is_right = outcome.is_ok();
        self.cells.entry((parameter.kind.code(), how)).or_default().add(is_right);
        self.rows.entry(parameter.id).or_default().entry(how).or_default().add(is_right);
        self.tally.add(name, outcome);
    }

    fn table(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "search: type        asked as            asked  right")?;
        for ((of, how), Cell { asked, right }) in &self.cells {
            let how = named(how);
            writeln!(out, "search: {of:<11} {how:<19} {asked:>5}  {right:>5}")?;
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/conformance-search.tsv");
        let mut table = String::from("parameter\tasked as\tasked\tright\n");
        for (id, row) in &self.rows {
            for (how, Cell { asked, right }) in row {
                let _ = writeln!(table, "{id}\t{}\t{asked}\t{right}", named(how));
            }
        }
        std::fs::write(path, table).context("writing target/conformance-search.tsv")?;
        writeln!(
            out,
            "search: each parameter with its modifiers is in target/conformance-search.tsv"
        )?;
        Ok(())
    }
}

fn named(how: &str) -> &str {
    if how.is_empty() { "value" } else { how }
}

fn difference(found: &BTreeSet<String>, expected: &BTreeSet<String>) -> String {
    let shown = |set: Vec<&String>| set.into_iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    format!(
        "found wrongly: {}; not found: {}",
        shown(found.difference(expected).collect()),
        shown(expected.difference(found).collect())
    )
}

/// An expression, with the tests that need other resources as a test of what a reference says.
struct Expression {
    expression: path::Expression,
    /// The types that references have to name.
    targets: Vec<String>,
}

impl Expression {
    fn read(text: &str) -> Option<Expression> {
        const TEST: &str = ".where(resolve() is ";
        let (mut rest, mut plain, mut targets) = (text, String::new(), Vec::new());
        while let Some((before, after)) = rest.split_once(TEST) {
            let (target, after) = after.split_once(')')?;
            plain.push_str(before);
            targets.push(target.to_owned());
            rest = after;
        }
        plain.push_str(rest);
        Some(Expression { expression: path::parse(&plain).ok()?, targets })
    }

    /// The values, each with its type.
    fn values(&self, resource: &Value, kind: &str) -> Result<Vec<(String, Value)>> {
        let node = Node::root(resource).with_context(|| format!("{kind} is no resource"))?;
        let context = Context::new(Some(node), None);
        let found = path::evaluate(&self.expression, node, &context)
            .map_err(|error| anyhow::anyhow!("{}: {error}", self.expression.text()))?;
        let mut values = Vec::new();
        for item in &found {
            let (Some(of), Some(value)) = (item.kind(), item.to_json()) else { continue };
            if let (Some(reference), false) = (value["reference"].as_str(), self.targets.is_empty())
            {
                let version = reference.split("/_history/").next().unwrap_or(reference);
                let names = |target: &String| version.rsplit('/').nth(1) == Some(target);
                if !self.targets.iter().any(names) {
                    continue;
                }
            } else if !self.targets.is_empty() {
                continue;
            }
            values.push((of.name().to_owned(), value));
        }
        Ok(values)
    }
}

/// The table of search.html#ptypes: which types of values a type of parameter is for.
fn reads(parameter: ParameterKind, of: &str) -> bool {
    let of = of.to_lowercase();
    let is = |kinds: &[&str]| kinds.contains(&of.as_str());
    match parameter {
        ParameterKind::Number => is(&["integer", "decimal", "positiveint", "unsignedint"]),
        ParameterKind::Date => is(&["date", "datetime", "instant", "period", "timing"]),
        ParameterKind::String => is(&["string", "markdown", "humanname", "address"]),
        ParameterKind::Token => is(&[
            "codeableconcept",
            "coding",
            "identifier",
            "contactpoint",
            "code",
            "boolean",
            "string",
            "uri",
            "id",
        ]),
        ParameterKind::Reference => is(&["reference", "canonical", "uri"]),
        ParameterKind::Quantity => {
            is(&["quantity", "age", "duration", "count", "distance", "money", "sampleddata"])
        }
        ParameterKind::Uri => is(&["uri", "url", "canonical", "oid", "uuid"]),
        ParameterKind::Composite | ParameterKind::Special => false,
    }
}

fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// How a value can be asked for. Where a resource has several, only what is so for any of them.
fn forms(parameter: ParameterKind, of: &str, value: &Value, is_single: bool) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    match parameter {
        ParameterKind::Token => tokens(of, value, &mut forms),
        ParameterKind::String => strings(of, value, &mut forms),
        ParameterKind::Date => dates(value, is_single, &mut forms),
        ParameterKind::Number => numbers(&value.to_string(), "", is_single, &mut forms),
        ParameterKind::Quantity => quantities(value, is_single, &mut forms),
        ParameterKind::Reference => references(value, &mut forms),
        ParameterKind::Uri => uris(value, &mut forms),
        ParameterKind::Composite | ParameterKind::Special => {}
    }
    // There is nothing to ask for but an empty text.
    forms.retain(|(_, text, _)| !text.is_empty());
    forms
}

use Expected::{Found, NotFound};

fn tokens(of: &str, value: &Value, forms: &mut Vec<Form>) {
    let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
    let coded = |system: Option<&str>, code: Option<&str>, forms: &mut Vec<Form>| {
        if let Some(system) = system {
            forms.push(("system|", format!("{}|", literal(system)), Found));
        }
        let Some(code) = code.map(literal) else { return };
        forms.push(("", code.clone(), Found));
        forms.push((":not", code.clone(), NotFound));
        match system.map(literal) {
            Some(system) => {
                forms.push(("system|code", format!("{system}|{code}"), Found));
                forms.push(("system|code", format!("urn:other|{code}"), NotFound));
            }
            None => forms.push(("|code", format!("|{code}"), Found)),
        }
    };
    match of {
        "CodeableConcept" => {
            for coding in value["coding"].as_array().into_iter().flatten() {
                coded(coding["system"].as_str(), coding["code"].as_str(), forms);
            }
            let said = text("text").filter(|text| text.chars().any(char::is_alphanumeric));
            forms.extend(said.map(|said| (":text", literal(said), Found)));
        }
        "Coding" => coded(text("system"), text("code"), forms),
        "Identifier" => {
            coded(text("system"), text("value"), forms);
            let kind = &value["type"]["coding"][0];
            if let (Some(system), Some(code), Some(value)) =
                (kind["system"].as_str(), kind["code"].as_str(), text("value"))
            {
                let value = literal(value);
                forms.push((":of-type", format!("{}|{code}|{value}", literal(system)), Found));
            }
        }
        "ContactPoint" => coded(text("system"), text("value"), forms),
        _ => {
            let code = match value {
                Value::String(code) => code.clone(),
                other => other.to_string(),
            };
            forms.push(("", literal(&code), Found));
            forms.push((":not", literal(&code), NotFound));
        }
    }
}

fn strings(of: &str, value: &Value, forms: &mut Vec<Form>) {
    let text = match of {
        "HumanName" => value["family"].as_str().or(value["text"].as_str()),
        "Address" => value["city"].as_str().or(value["text"].as_str()),
        _ => value.as_str(),
    };
    // What is stored is bounded, and so is what can be asked for.
    let Some(text) = text.filter(|text| text.len() < 1_000) else { return };
    let text = text.trim();
    if !text.chars().any(char::is_alphanumeric) || text.chars().any(char::is_control) {
        return;
    }
    forms.push(("", literal(text), Found));
    forms.push(("", literal(&text.to_uppercase()), Found));
    forms.push((":exact", literal(text), Found));
    let letters: Vec<char> = text.chars().collect();
    let half: String = letters.iter().skip(letters.len() / 3).take(8).collect();
    if half.chars().any(char::is_alphanumeric) {
        forms.push((":contains", literal(half.trim()), Found));
    }
    forms.push((":exact", literal(&format!("{text} no")), NotFound));
}

fn dates(value: &Value, is_single: bool, forms: &mut Vec<Form>) {
    if let Some(text) = value.as_str() {
        for (prefix, expected) in [("", Found), ("ge", Found), ("le", Found), ("ap", Found)] {
            forms.push((prefix, format!("{prefix}{text}"), expected));
        }
        if is_single {
            for prefix in ["ne", "gt", "lt", "sa", "eb"] {
                forms.push((prefix, format!("{prefix}{text}"), NotFound));
            }
        }
        return;
    }
    if let Some(start) = value["start"].as_str() {
        forms.push(("ge", format!("ge{start}"), Found));
        if is_single {
            forms.push(("eb", format!("eb{start}"), NotFound));
        }
    }
    if let Some(end) = value["end"].as_str() {
        forms.push(("le", format!("le{end}"), Found));
        if is_single {
            forms.push(("sa", format!("sa{end}"), NotFound));
        }
    }
}

fn numbers(digits: &str, unit: &str, is_single: bool, forms: &mut Vec<Form>) {
    for prefix in ["", "ge", "le", "ap"] {
        forms.push((prefix, format!("{prefix}{digits}{unit}"), Found));
    }
    if is_single {
        for prefix in ["ne", "gt", "lt", "sa", "eb"] {
            forms.push((prefix, format!("{prefix}{digits}{unit}"), NotFound));
        }
    }
}

fn quantities(value: &Value, is_single: bool, forms: &mut Vec<Form>) {
    let digits = value["value"].to_string();
    if digits == "null" || value.get("comparator").is_some() {
        return;
    }
    let text = |name: &str| value[name].as_str().map(literal);
    numbers(&digits, "", is_single, forms);
    if let (Some(system), Some(code)) = (text("system"), text("code")) {
        forms.push(("number|system|code", format!("{digits}|{system}|{code}"), Found));
        forms.push(("number|system|code", format!("{digits}|urn:other|{code}"), NotFound));
    }
    if let Some(unit) = text("unit") {
        forms.push(("number||unit", format!("{digits}||{unit}"), Found));
    }
}

fn references(value: &Value, forms: &mut Vec<Form>) {
    if let Some(canonical) = value.as_str() {
        if !canonical.starts_with('#') {
            forms.push(("", literal(canonical), Found));
        }
        return;
    }
    if let Some(identifier) = value["identifier"]["value"].as_str() {
        forms.push((":identifier", literal(identifier), Found));
    }
    let Some(reference) = value["reference"].as_str() else { return };
    // What is contained, or named by a fragment, is no resource of its own.
    if reference.starts_with('#') {
        return;
    }
    forms.push(("", literal(reference), Found));
    let parts: Vec<&str> = reference.split('/').collect();
    if let [kind, id] = parts.as_slice()
        && r4().resource(kind).is_some()
    {
        forms.push(("id", (*id).to_owned(), Found));
        forms.push(("", format!("{kind}/no-such-{}", id.len()), NotFound));
    }
}

fn uris(value: &Value, forms: &mut Vec<Form>) {
    let Some(uri) = value.as_str() else { return };
    forms.push(("", literal(uri), Found));
    if uri.starts_with("http") {
        let part: String = uri.chars().take(uri.chars().count() - 1).collect();
        forms.push((":below", literal(&part), Found));
        forms.push((":above", literal(&format!("{uri}/more")), Found));
    }
}
