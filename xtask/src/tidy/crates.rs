//! Which crate may know which (ARCHITECTURE.md), and what every crate has.

use super::{File, Finding};
use std::collections::BTreeSet;

/// The workspace crates that a crate may use.
const LAYERS: [(&str, &[&str]); 9] = [
    ("fhir", &[]),
    ("schema", &[]),
    ("embedded", &[]),
    ("city", &[]),
    ("access", &["fhir", "schema"]),
    ("audit", &["fhir", "schema", "access"]),
    ("search", &["fhir", "schema", "access"]),
    ("store", &["fhir", "schema", "access", "audit", "search"]),
    ("server", &["fhir", "schema", "access", "audit", "search", "store", "embedded", "city"]),
];

/// Crates that are not shipped may use all, and no layer may use them.
const UNSHIPPED: [&str; 5] = ["tests", "conformance", "benches", "fuzz", "xtask"];

/// Crates without I/O, and what would bring it.
const PURE: [&str; 6] = ["fhir", "schema", "access", "audit", "search", "city"];
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
    let name = manifest.text.lines().find_map(|line| line.strip_prefix("name = "));
    let name = name.unwrap_or_default().trim_matches('"');
    if UNSHIPPED.contains(&name) {
        return Vec::new();
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(known, _)| *known == name) else {
        return vec![Finding::new(&manifest.path, 1, format!("`{name}` has no layer yet"))];
    };
    let is_ours = |dependency: &str| {
        UNSHIPPED.contains(&dependency) || LAYERS.iter().any(|(known, _)| *known == dependency)
    };
    let mut findings = Vec::new();
    for (number, dependency) in dependencies(manifest) {
        if is_ours(dependency) && !allowed.contains(&dependency) {
            let text = format!("{name} may not use {dependency}");
            findings.push(Finding::new(&manifest.path, number, text));
        }
        if PURE.contains(&name) && IMPURE.contains(&dependency) {
            let text = format!("{name} is pure and may not use {dependency}");
            findings.push(Finding::new(&manifest.path, number, text));
        }
    }
    findings
}

/// What the crate itself is built with, on any target; its tests may use more.
fn dependencies(manifest: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_list = false;
    for (number, line) in manifest.lines() {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end().trim_end_matches(']');
            let is_ours = |table: &str| {
                table == "dependencies"
                    || table == "build-dependencies"
                    || (table.starts_with("target.") && table.ends_with(".dependencies"))
            };
            is_list = is_ours(table);
            // [dependencies.tokio]
            if let Some((list, dependency)) = table.rsplit_once('.')
                && is_ours(list)
            {
                found.push((number, dependency));
            }
        } else if is_list && !line.starts_with('#') {
            // The name of a renamed crate is what counts: clock = { package = "tokio" }.
            let renamed =
                line.split_once("package = \"").and_then(|(_, rest)| rest.split('"').next());
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            found.push((number, renamed.unwrap_or(dependency)));
        }
    }
    found
}

/// Each folder of migrations has a way up and a way down.
fn migrations(files: &[File]) -> Vec<Finding> {
    let folder = |file: &File| {
        let inside = file.path.strip_prefix("migrations/")?;
        inside.split_once('/').map(|(folder, _)| format!("migrations/{folder}"))
    };
    let folders: BTreeSet<String> = files.iter().filter_map(folder).collect();
    let mut findings = Vec::new();
    for folder in folders {
        for script in ["up.sql", "down.sql"] {
            let path = format!("{folder}/{script}");
            if !files.iter().any(|file| file.path == path) {
                findings.push(Finding::new(&path, 1, format!("the migration has no {script}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{check, migrations};
    use crate::tidy::File;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn findings(name: &str, rest: &str) -> Vec<String> {
        let head = format!(
            "[package]\nname = \"{name}\"\ndescription = \"x\"\n[lints]\nworkspace = true\n"
        );
        let files = [file("x/Cargo.toml", &(head + rest)), file("x/README.md", "")];
        check(&files)
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.text))
            .collect()
    }

    #[test]
    fn layers_hold() {
        for (rest, found) in [
            ("[dependencies]\nfhir.workspace = true\nregex = \"1\"", None),
            ("[dev-dependencies]\ntokio.workspace = true", None),
            ("[dependencies]\nstore.workspace = true", Some("7: search may not use store")),
            ("[dependencies]\nfuzz.workspace = true", Some("7: search may not use fuzz")),
            ("[dependencies]\ntokio = \"1\"", Some("7: search is pure and may not use tokio")),
            (
                "[dependencies.tokio]\nversion = \"1\"",
                Some("6: search is pure and may not use tokio"),
            ),
            (
                "[target.'cfg(unix)'.dependencies]\nclock = { package = \"tokio\" }",
                Some("7: search is pure and may not use tokio"),
            ),
            ("[build-dependencies]\nserver.workspace = true", Some("7: search may not use server")),
        ] {
            assert_eq!(findings("search", rest), Vec::from_iter(found), "{rest}");
        }
        assert_eq!(
            findings("schema", "[dependencies]\ndiesel.workspace = true"),
            Vec::<String>::new()
        );
        assert_eq!(
            findings("xtask", "[dependencies]\nserver.workspace = true"),
            Vec::<String>::new()
        );
        assert_eq!(findings("matching", ""), ["1: `matching` has no layer yet"]);
    }

    #[test]
    fn a_crate_has_a_readme_a_description_and_the_lints() {
        assert_eq!(check(&[file("x/Cargo.toml", "name = \"fhir\"")]).len(), 3);
        assert_eq!(findings("fhir", ""), Vec::<String>::new());
    }

    #[test]
    fn a_migration_goes_both_ways() {
        let up = || file("migrations/a/up.sql", "");
        let down = || file("migrations/a/down.sql", "");
        assert_eq!(migrations(&[up(), down(), file("migrations/README.md", "")]), []);
        for files in [[up()], [down()]] {
            assert_eq!(migrations(&files).len(), 1);
        }
    }
}
