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

/// What files of ours are called at the end.
const EXTENSIONS: [&str; 7] = [".rs", ".md", ".sql", ".toml", ".tsv", ".yaml", ".sh"];

pub(super) fn check(files: &[File], root: &Path) -> Vec<Finding> {
    let documents = files.iter().filter(|file| file.is("md"));
    let mut findings: Vec<Finding> =
        documents.flat_map(|document| check_paths(document, files, root)).collect();
    findings.extend(check_changelog(files));
    findings.extend(check_settings(files));
    findings
}

fn check_paths(document: &File, files: &[File], root: &Path) -> Vec<Finding> {
    let folder = Path::new(&document.path).parent().map(|folder| root.join(folder));
    let mut findings = Vec::new();
    for (number, line) in document.lines() {
        for path in paths(line) {
            let exists = root.join(path).exists()
                || folder.as_ref().is_some_and(|folder| folder.join(path).exists())
                // Near the code a path may leave out where the crate is: `path/functions.rs`.
                || files.iter().any(|file| file.path.ends_with(&format!("/{path}")));
            if !exists {
                let text = format!("`{path}` does not exist");
                findings.push(Finding::new(&document.path, number, text));
            }
        }
    }
    findings
}

/// What stands between backticks or in the target of a link and looks like a path of ours.
fn paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let quoted = quoted.filter(|text| {
        let is_file = text.contains('/') && EXTENSIONS.iter().any(|end| text.ends_with(end));
        is_file || FOLDERS.iter().any(|folder| text.starts_with(folder))
    });
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let linked = linked.filter(|target| !target.contains("://") && !target.starts_with('#'));
    let linked = linked.map(|target| target.split('#').next().unwrap_or_default());
    let is_plain = |path: &&str| {
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte))
    };
    quoted
        .chain(linked)
        .filter(is_plain)
        // An absolute path is not ours, and what fuzzing finds is not kept.
        .filter(|path| !path.is_empty() && !path.starts_with('/'))
        .filter(|path| !path.starts_with("fuzz/found"))
        .collect()
}

fn check_changelog(files: &[File]) -> Option<Finding> {
    let changelog = files.iter().find(|file| file.path == "CHANGELOG.md");
    let has_heading = |file: &File| {
        file.text.lines().any(|line| line.trim_matches(['#', ' ', '[', ']']) == "Unreleased")
    };
    let text = "there is no heading `## Unreleased`";
    (!changelog.is_some_and(has_heading)).then(|| Finding::new("CHANGELOG.md", 1, text))
}

/// docs/settings.md has a row for each setting, and none for what is no setting.
fn check_settings(files: &[File]) -> Vec<Finding> {
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
const KNOWN_OTHERS: [&str; 5] =
    ["CONFIG", "POSTGRES_BIN", "CONFORMANCE_DATA", "DEMO_DIR", "KEYCLOAK_HOME"];

#[cfg(test)]
mod tests {
    use super::{check_changelog, check_paths, check_settings, paths};
    use crate::tidy::File;
    use std::path::Path;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn paths_of_the_repository_are_recognised() {
        let line = "see `server/src/app.rs`, `http/a.rs`, `a.rs`, `Patient/1`, [x](docs/a.md#b), [y](https://a/b) and `cargo test`";
        assert_eq!(paths(line), ["server/src/app.rs", "http/a.rs", "docs/a.md"]);
        assert_eq!(paths("`/etc/x.toml`, `fuzz/found/`, `docs/<name>.md`"), Vec::<&str>::new());
    }

    #[test]
    fn a_path_may_be_short_but_not_wrong() {
        let files = [file("server/src/http/failure.rs", "")];
        let text = "`http/failure.rs`\n`http/answer.rs` and `server/src/gone.rs`";
        let found = check_paths(&file("STYLE.md", text), &files, Path::new("nowhere"));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "STYLE.md:2: `http/answer.rs` does not exist",
                "STYLE.md:2: `server/src/gone.rs` does not exist"
            ]
        );
    }

    #[test]
    fn the_changelog_says_what_is_not_released() {
        assert_eq!(
            check_changelog(&[file("CHANGELOG.md", "# Changelog\n\n## Unreleased\n")]),
            None
        );
        assert!(check_changelog(&[file("CHANGELOG.md", "# Changelog\n")]).is_some());
        assert!(check_changelog(&[]).is_some());
    }

    #[test]
    fn settings_and_their_document_agree() {
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
