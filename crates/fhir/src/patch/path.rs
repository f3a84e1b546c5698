//! FHIRPath Patch (fhirpatch.html).

use super::place::{Place, place_of, pointer_to};
use super::pointer::find_mut;
use super::value::{Given, read};
use super::{DEPTH_MAX, Error, Failure, list, measure, prune};
use crate::definitions::{Element, Type};
use crate::path::budget::Limits;
use crate::path::context::Context;
use crate::path::item::Item;
use crate::path::node::Node;
use crate::path::{self, Expression};
use serde_json::{Map, Value};

/// Operations of one patch: each looks through the resource.
const OPERATIONS_MAX: usize = 1_000;
/// Steps of all expressions together, and what each may take at least.
const STEPS_MAX: u64 = 20_000_000;
const STEPS_MIN: u64 = 20_000;

pub(super) fn apply(resource: &Value, parameters: &Value) -> Result<Value, Error> {
    let malformed = |text: String| Error::Malformed { text };
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(malformed("a FHIRPath Patch is a Parameters resource".to_owned()));
    }
    let operations = match parameters.get("parameter") {
        None => &[],
        Some(Value::Array(operations)) => operations.as_slice(),
        Some(_) => return Err(malformed("`parameter` is an array".to_owned())),
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(malformed(format!("a patch has at most {OPERATIONS_MAX} operations")));
    }
    let count = u64::try_from(operations.len().max(1)).unwrap_or(u64::MAX);
    let limits = Limits { steps_max: (STEPS_MAX / count).max(STEPS_MIN), ..Limits::default() };
    let mut patcher = Patcher { document: resource.clone(), limits, has_removed: false };
    for (index, operation) in operations.iter().enumerate() {
        let read = Operation::read(operation).map_err(Failure::Malformed);
        let done = read.and_then(|operation| patcher.apply(&operation));
        done.map_err(|failure| failure.at(index))?;
    }
    if patcher.has_removed {
        prune(&mut patcher.document);
    }
    Ok(patcher.document)
}

struct Operation<'a> {
    path: &'a str,
    expression: Expression,
    change: Change<'a>,
}

enum Change<'a> {
    Add { name: &'a str, value: &'a Map<String, Value> },
    Insert { index: usize, value: &'a Map<String, Value> },
    Delete,
    Replace { value: &'a Map<String, Value> },
    Move { source: usize, destination: usize },
}

/// The parts of one `operation` parameter.
struct Parts<'a>(Vec<(&'a str, &'a Map<String, Value>)>);

impl<'a> Parts<'a> {
    fn read(operation: &'a Value) -> Result<Parts<'a>, String> {
        if operation.get("name").and_then(Value::as_str) != Some("operation") {
            return Err("a parameter of a patch is called `operation`".to_owned());
        }
        let parts = operation.get("part").and_then(Value::as_array);
        let mut found: Vec<(&str, &Map<String, Value>)> = Vec::new();
        for part in parts.into_iter().flatten() {
            let own = part.as_object().ok_or_else(|| "a part is an object".to_owned())?;
            let name = own.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| "a part without a name".to_owned())?;
            let known =
                ["type", "path", "name", "value", "index", "source", "destination"].contains(&name);
            if !known || found.iter().any(|(other, _)| *other == name) {
                let start: String = name.chars().take(40).collect();
                return Err(format!("the part `{start}` is unknown or there twice"));
            }
            found.push((name, own));
        }
        Ok(Parts(found))
    }

    fn get(&self, name: &str) -> Result<&'a Map<String, Value>, String> {
        let part = self.0.iter().find(|(other, _)| *other == name);
        part.map(|(_, part)| *part).ok_or_else(|| format!("the part `{name}` is missing"))
    }

    /// Any primitive that is written as a text: the standard's own examples use code and string alike.
    fn text(&self, name: &str) -> Result<&'a str, String> {
        let values = self.get(name)?.iter().filter(|(key, _)| key.starts_with("value"));
        values
            .filter_map(|(_, value)| value.as_str())
            .next()
            .ok_or_else(|| format!("the part `{name}` has no text"))
    }

    fn place(&self, name: &str) -> Result<usize, String> {
        let place = self.get(name)?.get("valueInteger").and_then(Value::as_u64);
        place
            .and_then(|place| usize::try_from(place).ok())
            .ok_or_else(|| format!("the part `{name}` has no valueInteger of 0 or more"))
    }
}

impl<'a> Operation<'a> {
    fn read(operation: &'a Value) -> Result<Operation<'a>, String> {
        let parts = Parts::read(operation)?;
        let change = match parts.text("type")? {
            "add" => Change::Add { name: parts.text("name")?, value: parts.get("value")? },
            "insert" => Change::Insert { index: parts.place("index")?, value: parts.get("value")? },
            "delete" => Change::Delete,
            "replace" => Change::Replace { value: parts.get("value")? },
            "move" => Change::Move {
                source: parts.place("source")?,
                destination: parts.place("destination")?,
            },
            _ => return Err("`type` is one of add, insert, delete, replace and move".to_owned()),
        };
        let path = parts.text("path")?;
        let expression = path::parse(path).map_err(|error| error.to_string())?;
        Ok(Operation { path, expression, change })
    }

    fn fails(&self, text: impl Into<String>) -> Failure {
        let path: String = self.path.chars().take(200).collect();
        Failure::NotApplicable { path, text: text.into() }
    }
}

struct Patcher {
    document: Value,
    limits: Limits,
    has_removed: bool,
}

/// A repeating element of one object.
struct List {
    parent: Vec<String>,
    owner: &'static Type,
    element: &'static Element,
    property: String,
    length: usize,
}

impl Patcher {
    fn apply(&mut self, operation: &Operation) -> Result<(), Failure> {
        match &operation.change {
            Change::Add { name, value } => self.add(operation, name, value),
            Change::Insert { index, value } => self.insert(operation, *index, value),
            Change::Delete => self.delete(operation),
            Change::Replace { value } => self.replace(operation, value),
            Change::Move { source, destination } => self.relocate(operation, *source, *destination),
        }
    }

    fn find<'d>(
        &'d self,
        operation: &Operation,
        expression: &'d Expression,
    ) -> Result<Vec<Node<'d>>, Failure> {
        let root = Node::root(&self.document)
            .ok_or_else(|| operation.fails("the resource has no known type"))?;
        let context = Context { limits: self.limits, ..Context::new(Some(root), None) };
        let found = path::evaluate(expression, root, &context).map_err(|error| match error {
            path::Error::TooCostly => Failure::TooCostly,
            other => operation.fails(other.to_string()),
        })?;
        found
            .iter()
            .map(|item| match item {
                Item::Node(node) if node.value().or(node.sibling()).is_some() => Ok(*node),
                _ => Err(operation.fails("the path finds a value, not an element of the resource")),
            })
            .collect()
    }

    /// The one element that the path has to find.
    fn find_one<'d>(
        &'d self,
        operation: &Operation,
        expression: &'d Expression,
    ) -> Result<Node<'d>, Failure> {
        match self.find(operation, expression)?.as_slice() {
            [node] => Ok(*node),
            [] => Err(operation.fails("the path finds nothing")),
            nodes => Err(operation.fails(format!("the path finds {} elements", nodes.len()))),
        }
    }

    fn place(&self, operation: &Operation, node: Node) -> Result<Place, Failure> {
        place_of(&self.document, node)
            .ok_or_else(|| operation.fails("the path finds no element inside the resource"))
    }

    fn object(
        &mut self,
        operation: &Operation,
        tokens: &[String],
    ) -> Result<&mut Map<String, Value>, Failure> {
        find_mut(&mut self.document, tokens)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| operation.fails("what would hold the element is no object"))
    }

    fn value(
        operation: &Operation,
        value: &Map<String, Value>,
        owner: &Type,
        name: &str,
        level: usize,
    ) -> Result<(String, Given), Failure> {
        let (property, given) = read(value, owner, name).map_err(|text| operation.fails(text))?;
        let depth = given.value.as_ref().map_or(0, |value| measure(value).1);
        let sibling_depth = given.sibling.as_ref().map_or(0, |value| measure(value).1);
        if level + 2 + depth.max(sibling_depth) > DEPTH_MAX {
            return Err(operation.fails(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        Ok((property, given))
    }

    fn add(
        &mut self,
        operation: &Operation,
        name: &str,
        value: &Map<String, Value>,
    ) -> Result<(), Failure> {
        let node = self.find_one(operation, &operation.expression)?;
        let owner = node.definition();
        let holder = if node.is_primitive() { Some(self.place(operation, node)?) } else { None };
        let mut tokens = match &holder {
            Some(place) => place.parent.clone(),
            None => pointer_to(&self.document, node)
                .ok_or_else(|| operation.fails("the path finds no element inside the resource"))?,
        };
        let (property, given) = Self::value(operation, value, owner, name, tokens.len())?;
        let element = owner.element(name);
        if let Some(place) = holder {
            let object = self.object(operation, &tokens)?;
            tokens.extend(list::make_sibling(object, &place.property, place.index));
        }
        let repeats = element.is_some_and(Element::is_repeating);
        let exists = element.into_iter().flat_map(|element| &element.types);
        let object = self.object(operation, &tokens)?;
        if !repeats && exists.into_iter().any(|kind| list::has(object, &kind.property)) {
            return Err(operation.fails(format!("`{name}` is there and does not repeat")));
        }
        list::append(object, &property, given, repeats);
        Ok(())
    }

    /// A path to a list ends in its name: only so can an empty list be found.
    fn list(&self, operation: &Operation) -> Result<List, Failure> {
        let Some((holder, name)) = operation.expression.split_last() else {
            return Err(operation.fails("the path has to end in the name of a list"));
        };
        let node = self.find_one(operation, &holder)?;
        let owner = node.definition();
        let element = owner.element(name).filter(|element| element.is_repeating());
        let element =
            element.ok_or_else(|| operation.fails(format!("`{name}` does not repeat")))?;
        let parent = pointer_to(&self.document, node);
        let parent = parent.filter(|_| !node.is_primitive());
        let parent = parent.ok_or_else(|| operation.fails("the path finds no list"))?;
        let property = element.types.first().map(|kind| kind.property.clone()).unwrap_or_default();
        let length = node.object().map_or(0, |object| list::length(object, &property));
        Ok(List { parent, owner, element, property, length })
    }

    fn insert(
        &mut self,
        operation: &Operation,
        index: usize,
        value: &Map<String, Value>,
    ) -> Result<(), Failure> {
        let found = self.list(operation)?;
        if index > found.length {
            return Err(operation.fails(format!("the list has {} items", found.length)));
        }
        let (name, level) = (found.element.name, found.parent.len());
        let (property, given) = Self::value(operation, value, found.owner, name, level)?;
        let object = self.object(operation, &found.parent)?;
        list::insert(object, &property, index, given);
        Ok(())
    }

    /// Nothing to delete is no error; more than one element is.
    fn delete(&mut self, operation: &Operation) -> Result<(), Failure> {
        let nodes = self.find(operation, &operation.expression)?;
        let node = match nodes.as_slice() {
            [] => return Ok(()),
            [node] => *node,
            nodes => {
                return Err(operation.fails(format!("the path finds {} elements", nodes.len())));
            }
        };
        let place = self.place(operation, node)?;
        let object = self.object(operation, &place.parent)?;
        list::remove(object, &place.property, place.index);
        self.has_removed = true;
        Ok(())
    }

    fn replace(
        &mut self,
        operation: &Operation,
        value: &Map<String, Value>,
    ) -> Result<(), Failure> {
        let node = self.find_one(operation, &operation.expression)?;
        let place = self.place(operation, node)?;
        let owner = place.parent_type();
        let name = place.element().map(|element| element.name);
        let name = name.ok_or_else(|| operation.fails("the path finds no known element"))?;
        let (property, given) = Self::value(operation, value, owner, name, place.parent.len())?;
        let object = self.object(operation, &place.parent)?;
        match place.index {
            Some(index) => list::replace_item(object, &property, index, given),
            None => list::replace(object, &place.property, &property, given),
        }
        Ok(())
    }

    fn relocate(
        &mut self,
        operation: &Operation,
        source: usize,
        destination: usize,
    ) -> Result<(), Failure> {
        let found = self.list(operation)?;
        if source.max(destination) >= found.length {
            return Err(operation.fails(format!("the list has {} items", found.length)));
        }
        let object = self.object(operation, &found.parent)?;
        list::relocate(object, &found.property, source, destination);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Error, apply_path};
    use crate::json::{Limits, parse};
    use serde_json::{Value, json};

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"use":"usual","given":["Ann","Bo"]},{"use":"old","given":["Cy"]}],"_birthDate":{"id":"b"},"birthDate":"1974-12-25","multipleBirthInteger":2,"contact":[{"gender":"male"}]}"#;

    fn read(text: &str) -> Value {
        parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn apply(operations: Value) -> Result<Value, Error> {
        let operations = operations.as_array().unwrap().iter().map(|parts| {
            let parts = parts.as_object().unwrap().iter().map(|(name, value)| {
                match (name.as_str(), value) {
                    ("value", Value::Object(value)) => {
                        let mut part = json!({"name": "value"});
                        part.as_object_mut().unwrap().extend(value.clone());
                        part
                    }
                    ("type", value) => json!({"name": "type", "valueCode": value}),
                    (name, Value::Number(value)) => json!({"name": name, "valueInteger": value}),
                    (name, value) => json!({"name": name, "valueString": value}),
                }
            });
            json!({"name": "operation", "part": parts.collect::<Vec<_>>()})
        });
        let parameters =
            json!({"resourceType": "Parameters", "parameter": operations.collect::<Vec<_>>()});
        apply_path(&read(PATIENT), &read(&parameters.to_string()))
    }

    /// The patient with one piece of its text exchanged.
    fn check(operations: Value, old: &str, new: &str) {
        assert!(PATIENT.contains(old), "{old}");
        let expected = PATIENT.replacen(old, new, 1);
        assert_eq!(apply(operations).unwrap().to_string(), expected);
    }

    fn fails(operations: Value, part: &str) {
        let error = apply(operations).unwrap_err().to_string();
        assert!(error.contains(part), "{error} has no {part}");
    }

    #[test]
    fn elements_are_added() {
        let contact = "\"contact\":[{\"gender\":\"male\"}]";
        check(
            json!([{"type": "add", "path": "Patient", "name": "maritalStatus", "value": {"valueCodeableConcept": {"text": "m"}}}]),
            contact,
            &format!("{contact},\"maritalStatus\":{{\"text\":\"m\"}}"),
        );
        check(
            json!([{"type": "add", "path": "Patient.name[1]", "name": "given", "value": {"valueString": "Di"}}]),
            "[\"Cy\"]",
            "[\"Cy\",\"Di\"]",
        );
        check(
            json!([{"type": "add", "path": "Patient.birthDate", "name": "extension", "value": {"part": [{"name": "url", "valueUri": "u"}, {"name": "value", "valueDecimal": 1}]}}]),
            "{\"id\":\"b\"}",
            "{\"id\":\"b\",\"extension\":[{\"url\":\"u\",\"valueDecimal\":1}]}",
        );
        check(
            json!([{"type": "add", "path": "Patient.name[0].given[1]", "name": "id", "value": {"valueString": "x"}}]),
            "\"given\":[\"Ann\",\"Bo\"]",
            "\"given\":[\"Ann\",\"Bo\"],\"_given\":[null,{\"id\":\"x\"}]",
        );
    }

    #[test]
    fn complex_values_are_built_from_parts() {
        check(
            json!([{"type": "add", "path": "Patient", "name": "contact", "value": {"part": [
                {"name": "name", "part": [
                    {"name": "family", "valueString": "Fu"},
                    {"name": "given", "valueString": "Gu"},
                    {"name": "given", "valueString": "Hu", "_valueString": {"id": "h"}}
                ]},
                {"name": "gender", "valueString": "female"}
            ]}}]),
            "[{\"gender\":\"male\"}]",
            "[{\"gender\":\"male\"},{\"name\":{\"family\":\"Fu\",\"given\":[\"Gu\",\"Hu\"],\"_given\":[null,{\"id\":\"h\"}]},\"gender\":\"female\"}]",
        );
    }

    #[test]
    fn lists_are_changed_by_place() {
        check(
            json!([{"type": "insert", "path": "Patient.name[0].given", "index": 1, "value": {"valueString": "Ax"}}]),
            "\"Ann\",",
            "\"Ann\",\"Ax\",",
        );
        check(
            json!([{"type": "insert", "path": "Patient.contact[0].telecom", "index": 0, "value": {"valueContactPoint": {"value": "1"}}}]),
            "\"male\"",
            "\"male\",\"telecom\":[{\"value\":\"1\"}]",
        );
        check(
            json!([{"type": "move", "path": "Patient.name[0].given", "source": 1, "destination": 0}]),
            "\"Ann\",\"Bo\"",
            "\"Bo\",\"Ann\"",
        );
    }

    #[test]
    fn elements_are_replaced_where_they_stand() {
        check(
            json!([{"type": "replace", "path": "Patient.name.where(use = 'old').given", "value": {"valueString": "Ci"}}]),
            "Cy",
            "Ci",
        );
        check(
            json!([{"type": "replace", "path": "Patient.multipleBirth", "value": {"valueBoolean": true}}]),
            "\"multipleBirthInteger\":2",
            "\"multipleBirthBoolean\":true",
        );
        check(
            json!([{"type": "replace", "path": "Patient.birthDate", "value": {"valueDate": "2000"}}]),
            "\"_birthDate\":{\"id\":\"b\"},\"birthDate\":\"1974-12-25\"",
            "\"birthDate\":\"2000\"",
        );
    }

    #[test]
    fn what_a_deletion_empties_goes_too() {
        check(json!([{"type": "delete", "path": "Patient.photo"}]), "true", "true");
        check(json!([{"type": "delete", "path": "Patient.name[0].given[0]"}]), "\"Ann\",", "");
        check(
            json!([{"type": "delete", "path": "Patient.contact.gender"}]),
            ",\"contact\":[{\"gender\":\"male\"}]",
            "",
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let value = json!({"valueString": "x"});
        let add = |path: &str, name: &str| json!([{"type": "add", "path": path, "name": name, "value": value}]);
        fails(add("Patient", "birthDate"), "`birthDate` is there and does not repeat");
        fails(add("Patient", "multipleBirth"), "`multipleBirth` is no string");
        fails(add("Patient", "nmae"), "Patient has no element `nmae`");
        fails(add("Patient.name", "family"), "the path finds 2 elements");
        fails(add("Patient.photo", "title"), "the path finds nothing");
        fails(add("Patient.name.count()", "x"), "finds a value, not an element");
        fails(add("Patient", "name"), "the value for `name` is no HumanName");
        fails(add("Patient.", "x"), "operation 0: unexpected the end");
        let replace = |path: &str| json!([{"type": "replace", "path": path, "value": value}]);
        fails(replace("Patient.name.given"), "the path finds 3 elements");
        fails(replace("Patient.photo"), "finds nothing");
        fails(replace("Patient"), "no element inside");
        fails(
            json!([{"type": "replace", "path": "Patient.id", "value": {"valueId": "z"}}]),
            "cannot change `id`",
        );
        fails(json!([{"type": "delete", "path": "Patient.name"}]), "the path finds 2 elements");
        fails(json!([{"type": "delete", "path": "Patient"}]), "no element inside");
        let insert = |index: i32| json!([{"type": "insert", "path": "Patient.name", "index": index, "value": {"valueHumanName": {"text": "x"}}}]);
        fails(insert(3), "operation 0 at `Patient.name`: the list has 2 items");
        fails(insert(-1), "no valueInteger of 0 or more");
        fails(
            json!([{"type": "move", "path": "Patient.name", "source": 0, "destination": 2}]),
            "the list has 2 items",
        );
        fails(
            json!([{"type": "move", "path": "Patient.active", "source": 0, "destination": 0}]),
            "`active` does not repeat",
        );
        fails(json!([{"type": "jump", "path": "Patient"}]), "`type` is one of");
        fails(json!([{"type": "add", "path": "Patient"}]), "the part `name` is missing");
    }

    #[test]
    fn a_failure_leaves_nothing_done_and_says_which() {
        let operations = json!([
            {"type": "delete", "path": "Patient.active"},
            {"type": "add", "path": "Patient.photo", "name": "title", "value": {"valueString": "x"}}
        ]);
        fails(operations, "operation 1 at `Patient.photo`");
        let patient = read(PATIENT);
        assert!(apply_path(&patient, &patient).is_err());
    }
}
