//! Changes to a resource: JSON Patch (RFC 6902) and FHIRPath Patch (http.html#patch, fhirpatch.html).
//!
//! A patch is applied whole or not at all. The order of properties and the digits of numbers stay; a list or an object that
//! a removal left empty is removed too, for FHIR has no empty ones.

mod json;
mod list;
mod path;
mod place;
mod pointer;
mod value;

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The body is no patch of its kind.
    #[error("{text}")]
    Malformed { text: String },
    /// One operation is not well formed.
    #[error("operation {index}: {text}")]
    MalformedOperation { index: usize, text: String },
    /// An operation does not fit the resource.
    #[error("operation {index} at `{path}`: {text}")]
    NotApplicable { index: usize, path: String, text: String },
    /// The `test` of a JSON Patch found another value.
    #[error("operation {index}: the value at `{path}` is another one")]
    TestFailed { index: usize, path: String },
    #[error("a patch cannot change `{name}`")]
    Fixed { name: &'static str },
    #[error("the patch asks for too much work")]
    TooCostly,
}

/// Operations of one patch.
const OPERATIONS_MAX: usize = 10_000;
/// Values copied, compared and moved by all operations together.
const WORK_MAX: u64 = 5_000_000;
/// Nested objects and arrays of the result: what the reader of JSON allows.
const DEPTH_MAX: usize = 100;

/// What is wrong with one operation, before it is known which one it is.
enum Failure {
    Malformed(String),
    NotApplicable { path: String, text: String },
    TestFailed { path: String },
    TooCostly,
}

impl Failure {
    fn at(self, index: usize) -> Error {
        match self {
            Failure::Malformed(text) => Error::MalformedOperation { index, text },
            Failure::NotApplicable { path, text } => Error::NotApplicable { index, path, text },
            Failure::TestFailed { path } => Error::TestFailed { index, path },
            Failure::TooCostly => Error::TooCostly,
        }
    }
}

/// Applies the operations of a JSON Patch, in their order.
pub fn apply_json(resource: &Value, operations: &Value) -> Result<Value, Error> {
    let patched = json::apply(resource, operations)?;
    keep_identity(resource, &patched)?;
    Ok(patched)
}

/// Applies the operations of a Parameters resource, in their order.
pub fn apply_path(resource: &Value, parameters: &Value) -> Result<Value, Error> {
    let patched = path::apply(resource, parameters)?;
    keep_identity(resource, &patched)?;
    Ok(patched)
}

/// Another type or id would be another resource.
fn keep_identity(before: &Value, after: &Value) -> Result<(), Error> {
    match ["resourceType", "id"].into_iter().find(|name| before.get(name) != after.get(name)) {
        Some(name) => Err(Error::Fixed { name }),
        None => Ok(()),
    }
}

/// Removes what is empty below the root. The depth of a tree is bounded, so is this recursion.
fn prune(value: &mut Value) {
    match value {
        Value::Object(properties) => {
            for (name, value) in properties.iter_mut() {
                prune(value);
                let Value::Array(items) = value else { continue };
                if !name.starts_with('_') {
                    items.retain(|item| !is_empty(item));
                    continue;
                }
                // Siblings stand beside their values: what is empty keeps its place.
                items.iter_mut().filter(|item| is_empty(item)).for_each(|item| *item = Value::Null);
                if items.iter().all(Value::is_null) {
                    items.clear();
                }
            }
            properties.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(prune);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(properties) => properties.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// How many values a tree has, and how deep it is.
fn measure(value: &Value) -> (u64, usize) {
    let mut count = 0;
    let mut depth = 0;
    let mut open = vec![(value, 0)];
    while let Some((value, level)) = open.pop() {
        count += 1;
        match value {
            Value::Object(properties) => {
                depth = depth.max(level + 1);
                open.extend(properties.values().map(|value| (value, level + 1)));
            }
            Value::Array(items) => {
                depth = depth.max(level + 1);
                open.extend(items.iter().map(|value| (value, level + 1)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    (count, depth)
}
