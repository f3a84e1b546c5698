//! Rules about single lines.

use super::{File, Finding};

/// Where a machine keeps its checkouts and its people. In pieces, because this file is checked too.
const MACHINES: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];

const REGISTRIES: [&str; 9] = [
    concat!("crates", ".io/api"),
    concat!("index.", "crates", ".io"),
    concat!("static.", "crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("yarnpkg", ".com"),
    concat!("pypi", ".org"),
    concat!("python", "hosted.org"),
    concat!("proxy.", "golang.org"),
    concat!("packages.", "fhir.org"),
];

pub(super) fn check(file: &File) -> Vec<Finding> {
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let rules = [spaces, attributes, promises, sleeps, places];
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        let texts = rules.iter().filter_map(|rule| rule(file, line));
        findings.extend(texts.map(|text| Finding::new(&file.path, number, text)));
    }
    findings
}

fn spaces(file: &File, line: &str) -> Option<&'static str> {
    if !["rs", "md", "sql", "toml"].iter().any(|extension| file.is(extension)) {
        return None;
    }
    if line.ends_with([' ', '\t']) {
        return Some("white space at the end of a line");
    }
    line.contains('\t').then_some("a tab")
}

fn attributes(file: &File, line: &str) -> Option<&'static str> {
    let code = code(file, line);
    let is_conditional = code.contains("cfg_attr(") && code.contains(concat!(" al", "low("));
    let is_plain =
        code.contains(concat!("#[al", "low(")) || code.contains(concat!("#![al", "low("));
    (is_plain || is_conditional).then_some("`allow`: write `expect` with a reason")
}

fn promises(file: &File, line: &str) -> Option<&'static str> {
    let code = code(file, line);
    if code.contains(concat!("to", "do!")) || code.contains(concat!("unimpl", "emented!")) {
        return Some("a promise instead of code");
    }
    code.contains(concat!("#[ig", "nore")).then_some("an ignored test")
}

fn sleeps(file: &File, line: &str) -> Option<&'static str> {
    let code = code(file, line);
    let is_imported = code.contains("time::{") && code.contains("sleep");
    let is_sleep = code.contains("thread::sleep") || code.contains("time::sleep") || is_imported;
    (file.path.starts_with("tests/") && is_sleep)
        .then_some("a test that sleeps: wait for what it waits for")
}

fn places(_file: &File, line: &str) -> Option<&'static str> {
    let is_path = |place: &&str| {
        // A longer path or an address may go through a folder of that name.
        line.match_indices(*place).any(|(at, _)| {
            let before = line.get(..at).and_then(|before| before.chars().next_back());
            !before.is_some_and(|before| before.is_alphanumeric() || "._-}".contains(before))
        })
    };
    if MACHINES.iter().any(is_path) {
        return Some("the path of a machine");
    }
    REGISTRIES.iter().any(|host| line.contains(host)).then_some("the host of a package registry")
}

/// A line of Rust without its comment; nothing of other files.
fn code<'a>(file: &File, line: &'a str) -> &'a str {
    if file.is("rs") { line.split("//").next().unwrap_or_default() } else { "" }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::File;

    /// `~` keeps the bad examples from being findings themselves.
    fn findings(path: &str, text: &str) -> usize {
        check(&File { path: path.to_owned(), text: text.replace('~', "") }).len()
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        for (path, bad, good) in [
            ("a/b.rs", "let a = 1; ", "let a = 1;"),
            ("a/b.rs", "\tlet a;", "    let a;"),
            ("docs/a.md", "a \t", "a"),
            ("docs/a.md", "a\tb", "a b"),
            ("a/b.sql", "\tSELECT 1", "    SELECT 1"),
            ("a/b.rs", "#[~allow(x)]", "#[expect(x, reason = \"y\")]"),
            ("a/b.rs", "#![~allow(x)]", "#![expect(x, reason = \"y\")]"),
            ("a/b.rs", "#[cfg_attr(test, ~allow(x))]", "#[cfg_attr(test, expect(x))]"),
            ("a/b.rs", "to~do!()", "// to~do!() is not used"),
            ("a/b.rs", "#[ig~nore]", "#[test]"),
            ("tests/src/a.rs", "tokio::time::sleep(x).await", "x.await"),
            ("tests/src/a.rs", "use tokio::time::{Duration, sleep};", "use tokio::time::Duration;"),
            ("docs/a.md", "see /ho~me/me/x", "see docs/x"),
            ("dev", "cd /wo~rk/x", "cd a/wo~rk/x"),
            ("docs/a.md", "https://npmjs~.org/x", "https://hl7.org/x"),
        ] {
            assert_eq!((findings(path, bad), findings(path, good)), (1, 0), "{bad}");
        }
    }

    #[test]
    fn data_may_have_tabs_and_the_server_may_sleep() {
        assert_eq!(findings("crates/fhir/definitions/a.txt", "a\tb "), 0);
        assert_eq!(findings("server/src/a.rs", "tokio::time::sleep(x).await"), 0);
    }
}
