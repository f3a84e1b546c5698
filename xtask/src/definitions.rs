//! Makes the compact extract of the FHIR R4 definitions that the `fhir` crate embeds.
//!
//! Input is the official package hl7.fhir.r4.core 4.0.1; output are four tab-separated text files, sorted, so that
//! a change of the extract can be read in a diff. Their columns are described in crates/fhir/definitions/README.md.

mod codes;
mod package;

use anyhow::{Context, Result};
use package::Package;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Invariants that every element (ele-1) or every extension (ext-1) carries; the validator has them built in.
const UNIVERSAL_CONSTRAINTS: [&str; 2] = ["ele-1", "ext-1"];

pub(crate) fn extract(archive: &Path) -> Result<()> {
    let package = Package::read(archive)?;
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/fhir/definitions");
    std::fs::create_dir_all(&directory)?;

    let mut bindings = BTreeSet::new();
    let types = types(&package, &mut bindings)?;
    let (value_sets, left_out) = codes::value_sets(&package, &bindings);
    for (name, text) in [
        ("types.txt", types),
        ("value_sets.txt", value_sets),
        ("search_parameters.txt", search_parameters(&package)),
        ("compartments.txt", compartments(&package)),
    ] {
        std::fs::write(directory.join(name), &text)?;
        println!("{name}: {} lines, {} bytes", text.lines().count(), text.len());
    }
    println!("required value sets that cannot be enumerated, so not checked: {}", left_out.len());
    for url in left_out {
        println!("  {url}");
    }
    Ok(())
}

fn types(package: &Package, bindings: &mut BTreeSet<String>) -> Result<String> {
    let mut out = String::new();
    for definition in package.structures() {
        let name = text(definition, "name");
        let elements = definition["snapshot"]["element"]
            .as_array()
            .with_context(|| format!("{name} has no snapshot"))?;
        let groups: Vec<&str> = elements
            .iter()
            .filter(|element| is_group(element))
            .map(|element| text(element, "path"))
            .collect();

        let base = last_segment(text(definition, "baseDefinition"));
        let is_abstract = definition["abstract"] == Value::Bool(true);
        writeln!(
            out,
            "type\t{name}\t{}\t{base}\t{}\t{}",
            text(definition, "kind"),
            if is_abstract { "abstract" } else { "" },
            primitive_regex(elements)
        )?;
        let root = elements.first().context("an empty snapshot")?;
        write_constraints(&mut out, root, Some(text(definition, "url")))?;
        // A profile's elements are named after the type it constrains: SimpleQuantity has `Quantity.value`.
        write_children(&mut out, elements, text(root, "path"), bindings)?;
        for group in groups {
            let element = elements.iter().find(|element| text(element, "path") == group);
            let code = element.map_or("", |element| text(&element["type"][0], "code"));
            writeln!(out, "type\t{group}\tgroup\t{code}\t\t")?;
            write_children(&mut out, elements, group, bindings)?;
        }
    }
    Ok(out)
}

/// A group is an element whose children are defined in place rather than by its type.
fn is_group(element: &Value) -> bool {
    let code = text(&element["type"][0], "code");
    let nested = text(element, "path").contains('.');
    nested && (code == "BackboneElement" || code == "Element")
}

fn write_children(
    out: &mut String,
    elements: &[Value],
    parent: &str,
    bindings: &mut BTreeSet<String>,
) -> Result<()> {
    for element in elements {
        let path = text(element, "path");
        let Some((owner, name)) = path.rsplit_once('.') else { continue };
        let is_primitive_value = name == "value" && !element["representation"].is_null();
        if owner != parent
            || (is_primitive_value
                && element["max"] == "1"
                && owner.starts_with(char::is_lowercase))
        {
            continue;
        }
        let mut flags = String::new();
        if element["isSummary"] == Value::Bool(true) {
            flags.push('s');
        }
        if element["isModifier"] == Value::Bool(true) {
            flags.push('m');
        }
        let binding = &element["binding"];
        let mut required = "";
        if text(binding, "strength") == "required" {
            required = text(binding, "valueSet").split('|').next().unwrap_or_default();
            if !required.is_empty() {
                bindings.insert(required.to_owned());
            }
        }
        writeln!(
            out,
            "element\t{name}\t{}\t{}\t{flags}\t{}\t{required}",
            element["min"],
            text(element, "max"),
            element_types(element)
        )?;
        write_constraints(out, element, None)?;
    }
    Ok(())
}

/// `Reference(Patient Group),string`, `Quantity:SimpleQuantity` for a profiled type, `@Observation.referenceRange` for
/// children defined elsewhere.
fn element_types(element: &Value) -> String {
    if let Some(reference) = element["contentReference"].as_str() {
        return reference.replace('#', "@");
    }
    if is_group(element) {
        return format!("@{}", text(element, "path"));
    }
    let path = text(element, "path");
    let codes: Vec<String> = array(&element["type"])
        .iter()
        .map(|kind| {
            let code = match text(kind, "code") {
                "http://hl7.org/fhirpath/System.String" if path == "Extension.url" => "uri",
                "http://hl7.org/fhirpath/System.String"
                    if path.matches('.').count() == 1
                        && path.starts_with(char::is_uppercase)
                        && element["base"]["path"] == "Resource.id" =>
                {
                    "id"
                }
                "http://hl7.org/fhirpath/System.String" => "string",
                code => code,
            };
            let targets: Vec<&str> = array(&kind["targetProfile"])
                .iter()
                .filter_map(|profile| profile.as_str().map(last_segment))
                .collect();
            let profile = strings(&kind["profile"]).first().map_or("", |url| last_segment(url));
            if code == "Quantity" && !profile.is_empty() {
                format!("{code}:{profile}")
            } else if targets.is_empty() {
                code.to_owned()
            } else {
                format!("{code}({})", targets.join(" "))
            }
        })
        .collect();
    codes.join(",")
}

fn write_constraints(out: &mut String, element: &Value, source: Option<&str>) -> Result<()> {
    for constraint in array(&element["constraint"]) {
        let key = text(constraint, "key");
        let foreign = source.is_some_and(|url| {
            let from = text(constraint, "source");
            !from.is_empty() && from != url
        });
        if foreign || UNIVERSAL_CONSTRAINTS.contains(&key) {
            continue;
        }
        writeln!(
            out,
            "constraint\t{key}\t{}\t{}\t{}",
            text(constraint, "severity"),
            one_line(text(constraint, "expression")),
            one_line(text(constraint, "human"))
        )?;
    }
    Ok(())
}

fn primitive_regex(elements: &[Value]) -> String {
    let value = elements.iter().find(|element| {
        text(element, "path").ends_with(".value") && !element["representation"].is_null()
    });
    let extensions = value.map(|value| array(&value["type"][0]["extension"])).unwrap_or_default();
    extensions
        .iter()
        .find(|extension| text(extension, "url").ends_with("/regex"))
        .map(|extension| text(extension, "valueString").to_owned())
        .unwrap_or_default()
}

fn search_parameters(package: &Package) -> String {
    let mut lines = BTreeSet::new();
    for parameter in package.search_parameters() {
        let mut bases: Vec<&str> = strings(&parameter["base"]);
        bases.sort_unstable();
        let components: Vec<String> = array(&parameter["component"])
            .iter()
            .map(|component| {
                let definition = last_segment(text(component, "definition"));
                format!("{definition}={}", one_line(text(component, "expression")))
            })
            .collect();
        lines.insert(format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            text(parameter, "id"),
            text(parameter, "code"),
            text(parameter, "type"),
            bases.join(" "),
            strings(&parameter["target"]).join(" "),
            one_line(text(parameter, "expression")),
            components.join(";")
        ));
    }
    lines.into_iter().collect()
}

fn compartments(package: &Package) -> String {
    let mut lines = BTreeSet::new();
    for compartment in package.compartments() {
        for resource in array(&compartment["resource"]) {
            let parameters = strings(&resource["param"]);
            if !parameters.is_empty() {
                lines.insert(format!(
                    "{}\t{}\t{}\n",
                    text(compartment, "code"),
                    text(resource, "code"),
                    parameters.join(" ")
                ));
            }
        }
    }
    lines.into_iter().collect()
}

fn last_segment(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings(value: &Value) -> Vec<&str> {
    array(value).iter().filter_map(Value::as_str).collect()
}
