//! Names that say nothing of what is inside, for files, folders and modules.

use super::{File, Finding};

const EMPTY: [&str; 10] = [
    "utils", "util", "helpers", "helper", "common", "misc", "manager", "service", "impl", "r#impl",
];

/// The settings of the service itself, as the settings file calls them.
const EXCEPTION: &str = "server/src/settings/service.rs";

pub(super) fn check(file: &File) -> Vec<Finding> {
    if !file.is("rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    if file.path.ends_with("/mod.rs") {
        let text = "`page.rs` stands beside `page/`; there is no mod.rs";
        findings.push(Finding::new(&file.path, 1, text));
    }
    let parts = file.path.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| EMPTY.contains(part) && file.path != EXCEPTION) {
        findings.push(Finding::new(&file.path, 1, says_nothing(part)));
    }
    let beside = file.path.trim_end_matches(".rs");
    for (number, line) in file.lines() {
        if let Some(name) = module(line)
            && EMPTY.contains(&name)
            && format!("{beside}/{name}.rs") != EXCEPTION
        {
            findings.push(Finding::new(&file.path, number, says_nothing(name)));
        }
    }
    findings
}

fn says_nothing(name: &str) -> String {
    format!("`{name}` does not say what is inside")
}

/// The name in `mod name;`, `pub(crate) mod name {`.
fn module(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let (before, after) = line.split_once("mod ")?;
    let is_visibility = before.is_empty() || (before.starts_with("pub") && before.ends_with(' '));
    let (name, _) = after.split_once([';', ' ', '{'])?;
    is_visibility.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::File;

    fn findings(path: &str, text: &str) -> usize {
        check(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn names_say_what_is_inside() {
        for (path, text, found) in [
            ("a/src/page.rs", "mod key;\npub mod sort {", 0),
            ("a/src/utils.rs", "", 1),
            ("a/src/helpers/page.rs", "", 1),
            ("a/src/page/mod.rs", "", 1),
            ("a/src/page.rs", "mod misc;", 1),
            ("a/src/page.rs", "pub(crate) mod common {", 1),
            ("a/src/page.rs", "// the mod common to all", 0),
            ("docs/common.md", "", 0),
        ] {
            assert_eq!(findings(path, text), found, "{path} {text}");
        }
    }

    #[test]
    fn the_settings_of_the_service_are_called_so() {
        assert_eq!(findings("server/src/settings/service.rs", ""), 0);
        assert_eq!(findings("server/src/settings.rs", "mod service;"), 0);
        assert_eq!(findings("server/src/service.rs", ""), 1);
        assert_eq!(findings("server/src/app.rs", "mod service;"), 1);
    }
}
