//! Rules about documents: what they name exists.

use super::{File, Finding};
use std::path::Path;

/// Top-level folders: a path in a document that begins with one is a path of the repository.
const FOLDERS: [&str; 14] = [
    "server/",
    "schema/",
    "migrations/",
    "crates/",
    "conformance/",
    "tests/",
    "benches/",
    "docs/",
    "xtask/",
    "fuzz/",
    ".ci/",
    "helm/",
    "portal/",
    ".cargo/",
];

pub(super) fn check(file: &File, root: &Path) -> Vec<Finding> {
    if !file.is("md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        for path in paths(line) {
            let beside = Path::new(&file.path).parent().map(|folder| root.join(folder).join(path));
            let exists = root.join(path).exists() || beside.is_some_and(|beside| beside.exists());
            if !exists {
                findings.push(Finding::new(&file.path, number, format!("`{path}` does not exist")));
            }
        }
    }
    if file.path == "CHANGELOG.md" && !file.text.contains("## Unreleased") {
        findings.push(Finding::new(&file.path, 1, "there is no heading `## Unreleased`"));
    }
    findings
}

/// What stands between backticks or in the target of a link and looks like a path of ours.
fn paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let plain = |path: &&str| {
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    };
    let linked = linked.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let linked = linked.map(|target| target.split('#').next().unwrap_or_default());
    quoted
        .filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)))
        .chain(linked)
        .filter(plain)
        .filter(|path| !path.is_empty() && !path.starts_with("fuzz/found"))
        .collect()
}

/// docs/settings.md has a row for each setting, and none for what is no setting.
pub(super) fn check_settings(files: &[File]) -> Vec<Finding> {
    let text =
        |path: &str| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let (Some(code), Some(document)) =
        (text("server/src/settings/source.rs"), text("docs/settings.md"))
    else {
        return vec![Finding::new("docs/settings.md", 1, "the list of settings is missing")];
    };
    let in_code: Vec<&str> =
        code.split("name(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let rows: Vec<&str> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `BUND_"))
        .filter_map(|rest| rest.split('`').next())
        .collect();
    let documented = |name: &&str| rows.iter().any(|row| name.strip_prefix("BUND_") == Some(row));
    let missing = in_code.iter().filter(|name| !documented(name));
    missing
        .map(|name| Finding::new("docs/settings.md", 1, format!("`{name}` has no row")))
        .chain(rows.iter().filter(|row| !KNOWN_OTHERS.contains(row)).filter_map(|row| {
            let is_setting = in_code.iter().any(|name| name.strip_prefix("BUND_") == Some(row));
            (!is_setting)
                .then(|| Finding::new("docs/settings.md", 1, format!("`BUND_{row}` is no setting")))
        }))
        .collect()
}

/// Variables that are read, but are no settings of the server.
const KNOWN_OTHERS: [&str; 4] = ["CONFIG", "POSTGRES_BIN", "CONFORMANCE_DATA", "DEMO_DIR"];

#[cfg(test)]
mod tests {
    use super::{check_settings, paths};
    use crate::tidy::File;

    #[test]
    fn paths_of_the_repository_are_recognised() {
        let line = "see `server/src/app.rs`, `Patient/1`, [x](docs/a.md#b), [y](https://a/b) and `cargo test`";
        assert_eq!(paths(line), ["server/src/app.rs", "docs/a.md"]);
    }

    #[test]
    fn settings_and_their_document_agree() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let code = "name(\"BUND_A\", \"a\", None), name(\"BUND_B\", \"b\", None)";
        let files = [
            file("server/src/settings/source.rs", code),
            file("docs/settings.md", "| `BUND_A` | a |\n| `BUND_C` | c |\n| `BUND_CONFIG` | d |"),
        ];
        let found: Vec<String> =
            check_settings(&files).into_iter().map(|finding| finding.text).collect();
        assert_eq!(found, ["`BUND_B` has no row", "`BUND_C` is no setting"]);
    }
}
