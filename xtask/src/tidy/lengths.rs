//! Notes, not errors: a long file or function is a question worth asking.

use super::{File, Finding};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 100;

pub(super) fn notes(file: &File) -> Vec<Finding> {
    if !file.is("rs") {
        return Vec::new();
    }
    let mut notes = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        notes.push(Finding::new(&file.path, 1, format!("a file of {lines} lines")));
    }
    // rustfmt closes a function with a brace under its first letter.
    let mut open: Option<(usize, usize, &str)> = None;
    for (number, line) in file.lines() {
        let indent = line.len() - line.trim_start().len();
        match open {
            None => open = function(line).map(|name| (number, indent, name)),
            Some((start, depth, name)) if line.trim_end() == format!("{:depth$}}}", "") => {
                let lines = number - start + 1;
                if lines > FUNCTION_LINES_MAX {
                    let text = format!("the function {name} has {lines} lines");
                    notes.push(Finding::new(&file.path, start, text));
                }
                open = None;
            }
            Some(_) => {}
        }
    }
    notes
}

/// The name of the function that begins in a line and does not end there.
fn function(line: &str) -> Option<&str> {
    let words = line.trim_start();
    let (before, after) = words.split_once("fn ")?;
    let is_start = before.split_whitespace().all(|word| {
        word.starts_with("pub") || ["const", "async", "unsafe", "extern"].contains(&word)
    });
    let is_whole = words.ends_with(';') || words.ends_with('}');
    let name = after.split(['(', '<']).next()?;
    (is_start && !is_whole).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::notes;
    use crate::tidy::File;

    fn found(text: String) -> Vec<String> {
        let notes = notes(&File { path: "a.rs".to_owned(), text });
        notes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn long_functions_are_noted_and_short_ones_are_not() {
        let function = |lines: usize| {
            format!(
                "fn a() {{}}\n    pub async fn long() {{\n{}    }}\n",
                "        x;\n".repeat(lines)
            )
        };
        assert_eq!(found(function(98)), Vec::<String>::new());
        assert_eq!(found(function(99)), ["a.rs:2: the function long has 101 lines"]);
    }

    #[test]
    fn long_files_are_noted() {
        assert_eq!(found("x\n".repeat(600)), Vec::<String>::new());
        assert_eq!(found("x\n".repeat(601)), ["a.rs:1: a file of 601 lines"]);
    }
}
