//! Rules about single lines and names of files.

use super::{File, Finding};
use std::path::Path;

/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["utils", "util", "helpers", "common", "misc", "manager", "impl", "mod"];

pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let stem = Path::new(&file.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if file.is("rs") && EMPTY_NAMES.contains(&stem) {
        findings.push(Finding::new(&file.path, 1, format!("`{stem}` does not say what is inside")));
    }
    // Data, and the rules themselves.
    if file.path.starts_with("crates/fhir/definitions/")
        || file.path.starts_with("xtask/src/tidy")
        || file.path == "Cargo.lock"
    {
        return findings;
    }
    for (number, line) in file.lines() {
        for (is_bad, text) in line_rules(file, line) {
            if is_bad {
                findings.push(Finding::new(&file.path, number, text));
            }
        }
    }
    findings
}

fn line_rules(file: &File, line: &str) -> Vec<(bool, &'static str)> {
    let code = line.split("//").next().unwrap_or_default();
    let is_rust = file.is("rs");
    let is_text = ["rs", "md", "sql", "toml"].iter().any(|extension| file.is(extension));
    let is_test = file.path.starts_with("tests/");
    let has_any = |words: &[&str]| words.iter().any(|word| line.contains(word));
    vec![
        (is_text && line.ends_with([' ', '\t']), "white space at the end of a line"),
        (is_rust && line.contains('\t'), "a tab"),
        (
            is_rust && (code.contains("#[allow(") || code.contains("#![allow(")),
            "`allow`: write `expect` with a reason",
        ),
        (
            is_rust && (code.contains("todo!(") || code.contains("unimplemented!(")),
            "a promise instead of code",
        ),
        (is_rust && code.contains("#[ignore"), "an ignored test"),
        (
            is_test && (code.contains("thread::sleep") || code.contains("time::sleep")),
            "a test that sleeps: wait for what it waits for",
        ),
        (has_any(&["/work/", "/home/", "/root/", "/farm/"]), "the path of a machine"),
        (
            has_any(&[
                "crates.io/api",
                "index.crates.io",
                "registry.npmjs",
                "pypi.org",
                "proxy.golang",
            ]),
            "the host of a package registry",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::File;

    fn findings(path: &str, text: &str) -> usize {
        check(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        for (path, bad, good) in [
            ("a/b.rs", "let a = 1; ", "let a = 1;"),
            ("a/b.rs", "\tlet a;", "    let a;"),
            ("a/b.rs", "#[allow(x)]", "#[expect(x, reason = \"y\")]"),
            ("a/b.rs", "todo!()", "// todo!() is not used"),
            ("a/b.rs", "#[ignore]", "#[test]"),
            ("tests/src/a.rs", "tokio::time::sleep(x).await", "x.await"),
            ("docs/a.md", "see /home/me/x", "see docs/x"),
            ("docs/a.md", "a \t", "a"),
        ] {
            assert_eq!((findings(path, bad), findings(path, good)), (1, 0), "{bad}");
        }
        assert_eq!(findings("a/utils.rs", ""), 1);
        assert_eq!(findings("a/page.rs", ""), 0);
    }
}
