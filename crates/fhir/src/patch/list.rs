//! A property and the one beside it: `given` and `_given` are one list in two arrays (json.html#primitive).

use super::value::Given;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

pub(super) fn sibling_of(property: &str) -> String {
    format!("_{property}")
}

/// How many items the list has; a single value counts as one.
pub(super) fn length(object: &Object, property: &str) -> usize {
    let count = |name: &str| match object.get(name) {
        None => 0,
        Some(Value::Array(items)) => items.len(),
        Some(_) => 1,
    };
    count(property).max(count(&sibling_of(property)))
}

pub(super) fn has(object: &Object, property: &str) -> bool {
    object.contains_key(property) || object.contains_key(&sibling_of(property))
}

pub(super) fn append(object: &mut Object, property: &str, given: Given, repeats: bool) {
    if repeats {
        insert(object, property, length(object, property), given);
        return;
    }
    if let Some(value) = given.value {
        object.insert(property.to_owned(), value);
    }
    if let Some(sibling) = given.sibling {
        object.insert(sibling_of(property), sibling);
    }
}

/// Both arrays grow if there are both; a missing one is made when it gets something to hold.
pub(super) fn insert(object: &mut Object, property: &str, index: usize, given: Given) {
    let length = length(object, property);
    for (name, value) in [(property.to_owned(), given.value), (sibling_of(property), given.sibling)]
    {
        if value.is_some() || object.contains_key(&name) {
            edit(object, &name, length, |items| {
                items.insert(index.min(items.len()), value.unwrap_or(Value::Null));
            });
        }
    }
}

/// An element, or an item of the list.
pub(super) fn remove(object: &mut Object, property: &str, index: Option<usize>) {
    let length = length(object, property);
    for name in [property.to_owned(), sibling_of(property)] {
        match index {
            None => drop(object.shift_remove(&name)),
            Some(index) if object.contains_key(&name) => edit(object, &name, length, |items| {
                if index < items.len() {
                    items.remove(index);
                }
            }),
            Some(_) => {}
        }
    }
}

/// An item of the list.
pub(super) fn replace_item(object: &mut Object, property: &str, index: usize, given: Given) {
    let length = length(object, property);
    for (name, value) in [(property.to_owned(), given.value), (sibling_of(property), given.sibling)]
    {
        if value.is_some() || object.contains_key(&name) {
            edit(object, &name, length, |items| {
                if let Some(item) = items.get_mut(index) {
                    *item = value.unwrap_or(Value::Null);
                }
            });
        }
    }
}

/// An element that does not repeat, where the old one stood; of a choice the name may change with the type.
pub(super) fn replace(object: &mut Object, old: &str, property: &str, given: Given) {
    let old_sibling = sibling_of(old);
    let mut given = Some(given);
    let mut rebuilt = Map::with_capacity(object.len());
    for (name, value) in std::mem::take(object) {
        if name != old && name != old_sibling {
            rebuilt.insert(name, value);
        } else if let Some(given) = given.take() {
            append(&mut rebuilt, property, given, false);
        }
    }
    *object = rebuilt;
}

pub(super) fn relocate(object: &mut Object, property: &str, from: usize, to: usize) {
    let length = length(object, property);
    for name in [property.to_owned(), sibling_of(property)] {
        if object.contains_key(&name) {
            edit(object, &name, length, |items| {
                if from < items.len() {
                    let item = items.remove(from);
                    items.insert(to.min(items.len()), item);
                }
            });
        }
    }
}

/// The sibling of a primitive, made when there is none, and what leads from the object to it.
pub(super) fn make_sibling(
    object: &mut Object,
    property: &str,
    index: Option<usize>,
) -> Vec<String> {
    let name = sibling_of(property);
    let empty = || Value::Object(Map::new());
    let Some(index) = index else {
        object.entry(name.clone()).or_insert_with(empty);
        return vec![name];
    };
    let length = length(object, property);
    edit(object, &name, length, |items| {
        if let Some(item) = items.get_mut(index)
            && item.is_null()
        {
            *item = empty();
        }
    });
    vec![name, index.to_string()]
}

/// The array under a name, filled up with nulls to `length`; it stays where it stands in the object, and goes when nothing
/// is in it.
fn edit(object: &mut Object, name: &str, length: usize, change: impl FnOnce(&mut Vec<Value>)) {
    let mut items = match object.get_mut(name).map(Value::take) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => vec![other],
    };
    items.resize(length.max(items.len()), Value::Null);
    change(&mut items);
    if items.iter().all(Value::is_null) {
        object.shift_remove(name);
    } else {
        object.insert(name.to_owned(), Value::Array(items));
    }
}
