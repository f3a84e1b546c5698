//! Where in the document an element stands that an expression found.

use super::pointer;
use crate::definitions::{Element, Kind, Type, TypeId, r4};
use crate::path::node::Node;
use serde_json::Value;

/// An element: a property of an object, and in a list the item.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The pointer of the object.
    pub(super) parent: Vec<String>,
    pub(super) parent_kind: TypeId,
    /// In JSON, without the underscore of a sibling.
    pub(super) property: String,
    /// None where the property is no array.
    pub(super) index: Option<usize>,
}

impl Place {
    pub(super) fn parent_type(&self) -> &'static Type {
        r4().get(self.parent_kind)
    }

    pub(super) fn element(&self) -> Option<&'static Element> {
        self.parent_type().property(&self.property).map(|(element, _)| element)
    }
}

/// The pointer to the value of a node, or to its sibling when it has no value. Nodes are lent from the document, so that
/// the very address tells them apart.
pub(super) fn pointer_to(document: &Value, node: Node) -> Option<Vec<String>> {
    let wanted: *const Value = node.value().or(node.sibling())?;
    let mut tokens = Vec::new();
    find(document, wanted, &mut tokens).then_some(tokens)
}

/// The document is no deeper than the reader of JSON allows, so is this recursion.
fn find(value: &Value, wanted: *const Value, tokens: &mut Vec<String>) -> bool {
    if std::ptr::eq(value, wanted) {
        return true;
    }
    match value {
        Value::Object(properties) => properties.iter().any(|(name, inner)| {
            tokens.push(name.clone());
            let found = find(inner, wanted, tokens);
            if !found {
                tokens.pop();
            }
            found
        }),
        Value::Array(items) => items.iter().enumerate().any(|(index, inner)| {
            tokens.push(index.to_string());
            let found = find(inner, wanted, tokens);
            if !found {
                tokens.pop();
            }
            found
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The place of a node that is not the resource itself.
pub(super) fn place_of(document: &Value, node: Node) -> Option<Place> {
    let mut tokens = pointer_to(document, node)?;
    let last = tokens.pop()?;
    let (property, index) = match tokens.last().map(|_| pointer::index(&last)) {
        Some(Some(index)) if pointer::find(document, &tokens).is_some_and(Value::is_array) => {
            (tokens.pop()?, Some(index))
        }
        _ => (last, None),
    };
    let property = property.strip_prefix('_').map(str::to_owned).unwrap_or(property);
    let parent_kind = kind_of(document, &tokens)?;
    Some(Place { parent: tokens, parent_kind, property, index })
}

/// The type of the object that a pointer leads to. The sibling of a primitive has the type of the primitive.
pub(super) fn kind_of(document: &Value, tokens: &[String]) -> Option<TypeId> {
    let mut kind = Node::root(document)?.kind();
    let mut value = document;
    for token in tokens {
        match value {
            Value::Array(items) => value = items.get(pointer::index(token)?)?,
            _ => {
                let property = token.strip_prefix('_').unwrap_or(token);
                kind = r4().get(kind).property(property)?.1.id;
                value = value.get(token)?;
            }
        }
        if r4().get(kind).kind == Kind::Resource && value.is_object() {
            kind = Node::root(value)?.kind();
        }
    }
    Some(kind)
}
