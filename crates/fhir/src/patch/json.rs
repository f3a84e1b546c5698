//! JSON Patch (RFC 6902). Written here and not taken from a library: properties have to keep their order, decimals compare
//! by value, and the work of a hostile patch has to be bounded.

use super::pointer::{find, find_mut, index, parse};
use super::{DEPTH_MAX, Error, Failure, OPERATIONS_MAX, WORK_MAX, measure, prune};
use crate::path::item::decimal;
use serde_json::{Map, Value};

pub(super) fn apply(resource: &Value, operations: &Value) -> Result<Value, Error> {
    let Value::Array(operations) = operations else {
        return Err(Error::Malformed { text: "a JSON Patch is an array of operations".to_owned() });
    };
    if operations.len() > OPERATIONS_MAX {
        let text = format!("a patch has at most {OPERATIONS_MAX} operations");
        return Err(Error::Malformed { text });
    }
    let mut patcher = Patcher { document: resource.clone(), work: WORK_MAX, has_removed: false };
    for (place, operation) in operations.iter().enumerate() {
        patcher.apply(operation).map_err(|failure| failure.at(place))?;
    }
    if patcher.has_removed {
        prune(&mut patcher.document);
    }
    Ok(patcher.document)
}

struct Patcher {
    document: Value,
    /// What may still be spent.
    work: u64,
    has_removed: bool,
}

/// A pointer with its text, for messages.
struct Path<'a> {
    text: &'a str,
    tokens: Vec<String>,
}

impl Path<'_> {
    fn fails(&self, text: impl Into<String>) -> Failure {
        Failure::NotApplicable { path: self.text.to_owned(), text: text.into() }
    }
}

fn path<'a>(operation: &'a Map<String, Value>, name: &str) -> Result<Path<'a>, Failure> {
    let Some(text) = operation.get(name).and_then(Value::as_str) else {
        return Err(Failure::Malformed(format!("`{name}` is missing or no text")));
    };
    match parse(text) {
        Some(tokens) if tokens.len() <= DEPTH_MAX => Ok(Path { text, tokens }),
        _ => Err(Failure::Malformed(format!("`{name}` is no JSON Pointer"))),
    }
}

fn value(operation: &Map<String, Value>) -> Result<&Value, Failure> {
    operation.get("value").ok_or_else(|| Failure::Malformed("`value` is missing".to_owned()))
}

impl Patcher {
    fn apply(&mut self, operation: &Value) -> Result<(), Failure> {
        let Value::Object(operation) = operation else {
            return Err(Failure::Malformed("an operation is an object".to_owned()));
        };
        let target = path(operation, "path")?;
        match operation.get("op").and_then(Value::as_str) {
            Some("add") => self.add(&target, value(operation)?.clone()),
            Some("remove") => self.remove(&target).map(drop),
            Some("replace") => self.replace(&target, value(operation)?),
            Some("move") => self.relocate(&path(operation, "from")?, &target),
            Some("copy") => self.copy(&path(operation, "from")?, &target),
            Some("test") => self.test(&target, value(operation)?),
            _ => Err(Failure::Malformed(
                "`op` is one of add, remove, replace, move, copy and test".to_owned(),
            )),
        }
    }

    fn spend(&mut self, work: u64) -> Result<(), Failure> {
        self.work = self.work.checked_sub(work).ok_or(Failure::TooCostly)?;
        Ok(())
    }

    fn spend_items(&mut self, items: usize) -> Result<(), Failure> {
        self.spend(u64::try_from(items).unwrap_or(u64::MAX))
    }

    /// What a value costs to handle, and whether it may stand at this depth.
    fn admit(&mut self, path: &Path, value: &Value) -> Result<(), Failure> {
        let (count, depth) = measure(value);
        self.spend(count)?;
        if path.tokens.len() + depth > DEPTH_MAX {
            return Err(path.fails(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok(())
    }

    fn found(&self, path: &Path) -> Result<&Value, Failure> {
        find(&self.document, &path.tokens).ok_or_else(|| path.fails("there is nothing"))
    }

    fn add(&mut self, path: &Path, value: Value) -> Result<(), Failure> {
        self.admit(path, &value)?;
        let Some((name, parents)) = path.tokens.split_last() else {
            self.document = value;
            return Ok(());
        };
        let parent = find_mut(&mut self.document, parents)
            .ok_or_else(|| path.fails("what would hold it does not exist"))?;
        match parent {
            Value::Object(properties) => {
                properties.insert(name.clone(), value);
                Ok(())
            }
            Value::Array(items) => {
                let length = items.len();
                let place = if name == "-" { Some(length) } else { index(name) };
                let Some(place) = place.filter(|place| *place <= length) else {
                    return Err(path.fails(format!("the array has {length} items")));
                };
                items.insert(place, value);
                self.spend_items(length - place)
            }
            _ => Err(path.fails("what would hold it is neither an object nor an array")),
        }
    }

    fn remove(&mut self, path: &Path) -> Result<Value, Failure> {
        self.has_removed = true;
        let Some((name, parents)) = path.tokens.split_last() else {
            return Err(path.fails("a resource is deleted, not removed"));
        };
        let (removed, length) = match find_mut(&mut self.document, parents) {
            Some(Value::Object(properties)) => (properties.shift_remove(name), properties.len()),
            Some(Value::Array(items)) => {
                let place = index(name).filter(|place| *place < items.len());
                (place.map(|place| items.remove(place)), items.len())
            }
            _ => (None, 0),
        };
        self.spend_items(length)?;
        removed.ok_or_else(|| path.fails("there is nothing to remove"))
    }

    fn replace(&mut self, path: &Path, value: &Value) -> Result<(), Failure> {
        self.admit(path, value)?;
        match find_mut(&mut self.document, &path.tokens) {
            Some(place) => {
                *place = value.clone();
                Ok(())
            }
            None => Err(path.fails("there is nothing to replace")),
        }
    }

    fn relocate(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        self.found(from)?;
        if to.tokens == from.tokens {
            return Ok(());
        }
        if to.tokens.starts_with(&from.tokens) {
            return Err(to.fails("a value cannot be moved into itself"));
        }
        let value = self.remove(from)?;
        self.add(to, value)
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let (count, _) = measure(self.found(from)?);
        self.spend(count)?;
        let value = self.found(from)?.clone();
        self.add(to, value)
    }

    fn test(&mut self, path: &Path, value: &Value) -> Result<(), Failure> {
        let (count, _) = measure(value);
        self.spend(count)?;
        if is_same(self.found(path)?, value) {
            Ok(())
        } else {
            Err(Failure::TestFailed { path: path.text.to_owned() })
        }
    }
}

/// Numbers are the same when their values are: 1.0 and 1.00.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            match (decimal(left.as_str()), decimal(right.as_str())) {
                (Some(left), Some(right)) => left == right,
                _ => left == right,
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, value)| right.get(name).is_some_and(|other| is_same(value, other)))
        }
        (left, right) => left == right,
    }
}

#[cfg(test)]
mod tests {
    use super::super::apply_json;
    use crate::json::{Limits, parse};

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"given":["Ann"]}],"multipleBirthInteger":2,"extension":[{"url":"u","valueDecimal":1.50}]}"#;

    fn check(operations: &str, expected: Result<&str, &str>) {
        let read = |text: &str| parse(text.as_bytes(), &Limits::default()).unwrap();
        let found = apply_json(&read(PATIENT), &read(operations));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.to_string(), expected),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} has no {part}");
            }
            (found, expected) => panic!("{operations}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn order_and_digits_stay() {
        check(
            r#"[{"op":"remove","path":"/active"},{"op":"replace","path":"/name/0/given/0","value":"Bo"}]"#,
            Ok(
                r#"{"resourceType":"Patient","id":"a","name":[{"given":["Bo"]}],"multipleBirthInteger":2,"extension":[{"url":"u","valueDecimal":1.50}]}"#,
            ),
        );
    }

    #[test]
    fn what_a_removal_empties_is_removed() {
        check(
            r#"[{"op":"remove","path":"/name/0/given/0"},{"op":"remove","path":"/extension/0"}]"#,
            Ok(r#"{"resourceType":"Patient","id":"a","active":true,"multipleBirthInteger":2}"#),
        );
        check(
            r#"[{"op":"remove","path":"/name/0/given/0"},{"op":"add","path":"/name/0/given/-","value":"Bo"},{"op":"remove","path":"/extension"}]"#,
            Ok(
                r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"given":["Bo"]}],"multipleBirthInteger":2}"#,
            ),
        );
    }

    #[test]
    fn a_test_compares_values() {
        check(r#"[{"op":"test","path":"/extension/0/valueDecimal","value":1.5}]"#, Ok(PATIENT));
        check(
            r#"[{"op":"test","path":"/multipleBirthInteger","value":"2"}]"#,
            Err("operation 0: the value at `/multipleBirthInteger` is another one"),
        );
    }

    #[test]
    fn type_and_id_stay() {
        check(r#"[{"op":"replace","path":"/id","value":"b"}]"#, Err("cannot change `id`"));
        check(r#"[{"op":"remove","path":"/resourceType"}]"#, Err("cannot change `resourceType`"));
        check(r#"[{"op":"replace","path":"","value":{}}]"#, Err("cannot change"));
        check(r#"[{"op":"remove","path":""}]"#, Err("deleted, not removed"));
    }

    #[test]
    fn an_error_names_the_operation_and_the_place() {
        check(
            r#"[{"op":"test","path":"/id","value":"a"},{"op":"remove","path":"/photo/0"}]"#,
            Err("operation 1 at `/photo/0`: there is nothing to remove"),
        );
        check(r#"[{"op":"add","path":"/name/2","value":{}}]"#, Err("the array has 1 items"));
        check(r#"[{"op":"add","path":"/name/01","value":{}}]"#, Err("the array has 1 items"));
        check(r#"[{"op":"add","path":"/active/x","value":1}]"#, Err("neither an object nor"));
        check(r#"[{"op":"move","from":"/name","path":"/name/0"}]"#, Err("into itself"));
        check(r#"[{"op":"jump","path":""}]"#, Err("operation 0: `op` is one of"));
        check(r#"[{"op":"add","path":"name","value":1}]"#, Err("no JSON Pointer"));
        check(r#"[{"op":"add","path":"/name"}]"#, Err("`value` is missing"));
        check(r#"{"op":"add"}"#, Err("an array of operations"));
    }

    #[test]
    fn growth_is_bounded() {
        let copies = |path: &str, count: usize| {
            let operation = format!(r#"{{"op":"copy","from":"","path":"{path}"}}"#);
            format!("[{}]", vec![operation; count].join(","))
        };
        check(&copies("/x", 200), Err("nested deeper than 100"));
        check(&copies("/name/-", 60), Err("too much work"));
        let adds = vec![r#"{"op":"test","path":"/id","value":"a"}"#; 10_001].join(",");
        check(&format!("[{adds}]"), Err("at most 10000"));
        let doubling: Vec<String> = (0..40)
            .map(|_| r#"{"op":"copy","from":"/name","path":"/name/-"}"#.to_owned())
            .collect();
        check(&format!("[{}]", doubling.join(",")), Err("too much work"));
    }
}
