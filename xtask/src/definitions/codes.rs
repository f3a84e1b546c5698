//! The codes of the value sets that are bound as `required`, where the package enumerates them.

use super::package::Package;
use super::{array, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Codes = BTreeMap<String, BTreeSet<String>>;

/// The text of value_sets.txt, and the value sets that could not be enumerated.
pub(super) fn value_sets(package: &Package, urls: &BTreeSet<String>) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut left_out = Vec::new();
    for url in urls {
        match expand(package, url, 0) {
            Some(codes) if codes.values().any(|codes| !codes.is_empty()) => {
                out.push_str(&format!("value_set\t{url}\n"));
                for (system, codes) in codes {
                    let codes: Vec<String> = codes.into_iter().collect();
                    out.push_str(&format!("{system}\t{}\n", codes.join("\t")));
                }
            }
            _ => left_out.push(url.clone()),
        }
    }
    (out, left_out)
}

fn expand(package: &Package, url: &str, depth: u32) -> Option<Codes> {
    let compose = &package.value_set(url)?["compose"];
    if depth > 8 || compose.is_null() {
        return None;
    }
    let mut codes = Codes::new();
    for include in array(&compose["include"]) {
        for (system, more) in select(package, include, depth)? {
            codes.entry(system).or_default().extend(more);
        }
    }
    for exclude in array(&compose["exclude"]) {
        for (system, fewer) in select(package, exclude, depth)? {
            if let Some(codes) = codes.get_mut(&system) {
                codes.retain(|code| !fewer.contains(code));
            }
        }
    }
    Some(codes)
}

fn select(package: &Package, include: &Value, depth: u32) -> Option<Codes> {
    let mut codes = Codes::new();
    for url in array(&include["valueSet"]) {
        let url = url.as_str()?.split('|').next()?;
        for (system, more) in expand(package, url, depth + 1)? {
            codes.entry(system).or_default().extend(more);
        }
    }
    let Some(system) = include["system"].as_str() else { return Some(codes) };
    let listed = array(&include["concept"]);
    let chosen: BTreeSet<String> = if listed.is_empty() {
        let definition = package.code_system(system)?;
        if definition["content"] != "complete" {
            return None;
        }
        filtered(definition, array(&include["filter"]))?
    } else {
        listed.iter().map(|concept| text(concept, "code").to_owned()).collect()
    };
    codes.entry(system.to_owned()).or_default().extend(chosen);
    Some(codes)
}

/// All codes of the system, or the part below a concept (`is-a`, `descendent-of`); other filters are not evaluated.
fn filtered(definition: &Value, filters: &[Value]) -> Option<BTreeSet<String>> {
    let mut codes = BTreeSet::new();
    collect(array(&definition["concept"]), &mut codes);
    for filter in filters {
        let is_hierarchy = matches!(text(filter, "op"), "is-a" | "descendent-of");
        if !is_hierarchy || text(filter, "property") != "concept" {
            return None;
        }
        let top = text(filter, "value");
        let below = below(array(&definition["concept"]), top, text(filter, "op") == "is-a")?;
        codes.retain(|code| below.contains(code));
    }
    Some(codes)
}

fn below(concepts: &[Value], top: &str, with_top: bool) -> Option<BTreeSet<String>> {
    for concept in concepts {
        if text(concept, "code") == top {
            let mut codes = BTreeSet::new();
            collect(array(&concept["concept"]), &mut codes);
            if with_top {
                codes.insert(top.to_owned());
            }
            return Some(codes);
        }
        if let Some(found) = below(array(&concept["concept"]), top, with_top) {
            return Some(found);
        }
    }
    None
}

fn collect(concepts: &[Value], codes: &mut BTreeSet<String>) {
    for concept in concepts {
        codes.insert(text(concept, "code").to_owned());
        collect(array(&concept["concept"]), codes);
    }
}
