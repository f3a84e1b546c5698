//! Which crate may know which (ARCHITECTURE.md), and what every crate has.

use super::{File, Finding};

/// The workspace crates that a crate may use; what is not listed here may use all.
const LAYERS: [(&str, &[&str]); 8] = [
    ("fhir", &[]),
    ("schema", &[]),
    ("embedded", &[]),
    ("access", &["fhir"]),
    ("audit", &["fhir", "schema", "access"]),
    ("search", &["fhir", "schema", "access"]),
    ("store", &["fhir", "schema", "access", "audit", "search"]),
    ("server", &["fhir", "schema", "access", "audit", "search", "store", "embedded"]),
];

const OURS: [&str; 9] =
    ["fhir", "schema", "embedded", "access", "audit", "search", "store", "server", "fuzz"];

/// Crates without I/O, and what would bring it.
const PURE: [&str; 5] = ["fhir", "schema", "access", "audit", "search"];
const IMPURE: [&str; 7] = [
    "tokio",
    "actix-web",
    "tokio-postgres",
    "deadpool-postgres",
    "diesel-async",
    "reqwest",
    "futures-util",
];

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    for manifest in manifests.filter(|manifest| manifest.path != "fuzz/libfuzzer/Cargo.toml") {
        findings.extend(layers(manifest));
        let folder = manifest.path.trim_end_matches("Cargo.toml");
        let readme = format!("{folder}README.md");
        if !files.iter().any(|file| file.path == readme) {
            findings.push(Finding::new(&manifest.path, 1, "the crate has no README.md"));
        }
        for (needed, text) in [
            ("description = ", "the crate has no description"),
            ("[lints]\nworkspace = true", "the crate does not take the lints of the workspace"),
        ] {
            if !manifest.text.contains(needed) {
                findings.push(Finding::new(&manifest.path, 1, text));
            }
        }
    }
    findings.extend(migrations(files));
    findings
}

fn layers(manifest: &File) -> Vec<Finding> {
    let value =
        |line: &str| line.strip_prefix("name = ").map(|name| name.trim_matches('"').to_owned());
    let name = manifest.text.lines().find_map(value).unwrap_or_default();
    let allowed = LAYERS.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
    let mut findings = Vec::new();
    let mut is_dependencies = false;
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            is_dependencies = line == "[dependencies]";
        }
        let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if !is_dependencies || dependency.is_empty() {
            continue;
        }
        if let Some(allowed) = allowed
            && OURS.contains(&dependency)
            && !allowed.contains(&dependency)
        {
            findings.push(Finding::new(
                &manifest.path,
                number,
                format!("{name} may not use {dependency}"),
            ));
        }
        if PURE.contains(&name.as_str()) && IMPURE.contains(&dependency) {
            findings.push(Finding::new(
                &manifest.path,
                number,
                format!("{name} is pure and may not use {dependency}"),
            ));
        }
    }
    findings
}

/// Each folder of migrations has a way up and a way down.
fn migrations(files: &[File]) -> Vec<Finding> {
    let has = |path: &str| files.iter().any(|file| file.path == path);
    let ups = files
        .iter()
        .filter(|file| file.path.starts_with("migrations/") && file.path.ends_with("/up.sql"));
    ups.filter(|up| !has(&up.path.replace("/up.sql", "/down.sql")))
        .map(|up| Finding::new(&up.path, 1, "there is no down.sql beside it"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::File;

    fn findings(dependency: &str) -> Vec<String> {
        let text = format!(
            "[package]\nname = \"search\"\ndescription = \"x\"\n[lints]\nworkspace = true\n[dependencies]\n{dependency}.workspace = true\n"
        );
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let files = [file("crates/search/Cargo.toml", &text), file("crates/search/README.md", "")];
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn layers_hold() {
        assert_eq!(findings("fhir"), Vec::<String>::new());
        assert_eq!(findings("store"), ["crates/search/Cargo.toml:7: search may not use store"]);
        assert_eq!(
            findings("tokio"),
            ["crates/search/Cargo.toml:7: search is pure and may not use tokio"]
        );
    }
}
