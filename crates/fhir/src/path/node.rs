//! Elements of a resource as FHIRPath sees them: JSON with the type that the definitions give it (json.html, fhirpath.html).

use super::collection::Collection;
use super::item::Item;
use super::syntax::Name;
use crate::definitions::{ElementType, Kind, Type, TypeId, r4};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// An element: a value, for a primitive also the sibling property with its id and extensions, and the type.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    kind: TypeId,
}

/// Types that the evaluator itself has to recognise.
pub(super) struct Known {
    pub(super) resource: Option<TypeId>,
    pub(super) decimal: Option<TypeId>,
    pub(super) date: Option<TypeId>,
    pub(super) date_time: Option<TypeId>,
    pub(super) instant: Option<TypeId>,
    pub(super) time: Option<TypeId>,
    pub(super) quantity: Option<TypeId>,
}

pub(super) fn known() -> &'static Known {
    static KNOWN: LazyLock<Known> = LazyLock::new(|| Known {
        resource: r4().id("Resource"),
        decimal: r4().id("decimal"),
        date: r4().id("date"),
        date_time: r4().id("dateTime"),
        instant: r4().id("instant"),
        time: r4().id("time"),
        quantity: r4().id("Quantity"),
    });
    &KNOWN
}

/// The type that a resource says it is.
fn resource_kind(value: &Value) -> Option<TypeId> {
    let id = r4().id(value.get("resourceType")?.as_str()?)?;
    (r4().get(id).kind == Kind::Resource).then_some(id)
}

/// Whether a type is `ancestor` or specialises it.
pub(super) fn is_kind(kind: TypeId, ancestor: TypeId) -> bool {
    kind == ancestor || r4().is_a(r4().get(kind).name, r4().get(ancestor).name)
}

impl<'a> Node<'a> {
    /// A resource; none when `resourceType` names no type of FHIR.
    pub fn root(resource: &'a Value) -> Option<Node<'a>> {
        Some(Node { value: Some(resource), sibling: None, kind: resource_kind(resource)? })
    }

    /// An element as a walk over the tree finds it: of a primitive the value, the `_` property beside it, or both. Where
    /// the definitions only say `Resource`, the type is the one that the resource names.
    pub fn new(value: Option<&'a Value>, sibling: Option<&'a Value>, kind: TypeId) -> Node<'a> {
        let kind = match value {
            Some(value) if Some(kind) == known().resource => resource_kind(value).unwrap_or(kind),
            _ => kind,
        };
        Node { value, sibling, kind }
    }

    /// What is known of the target of a reference that cannot be followed.
    pub(super) fn of_type(kind: TypeId) -> Node<'a> {
        Node { value: None, sibling: None, kind }
    }

    pub fn value(self) -> Option<&'a Value> {
        self.value
    }

    pub fn sibling(self) -> Option<&'a Value> {
        self.sibling
    }

    pub fn kind(self) -> TypeId {
        self.kind
    }

    pub fn definition(self) -> &'static Type {
        r4().get(self.kind)
    }

    pub fn is_primitive(self) -> bool {
        self.definition().kind == Kind::Primitive
    }

    /// What holds the children: of a primitive the sibling.
    pub(crate) fn object(self) -> Option<&'a Map<String, Value>> {
        self.value.and_then(Value::as_object).or_else(|| self.sibling.and_then(Value::as_object))
    }

    /// A text directly below, without looking at its type.
    pub(super) fn text(self, property: &str) -> Option<&'a str> {
        self.object()?.get(property)?.as_str()
    }

    /// The children called so: of the choice `value[x]` those called `value`.
    pub(super) fn members(self, name: &'a Name, found: &mut Collection<'a>) {
        let Some(object) = self.object() else { return };
        let mut place: Option<(&str, &'static ElementType)> = None;
        let mut value = None;
        let mut sibling = None;
        // Objects are small: one look at every property is cheaper than hashing each name a choice could have.
        for (property, inner) in object {
            let (stem, is_sibling) = match property.strip_prefix('_') {
                Some(stem) => (stem, true),
                None => (property.as_str(), false),
            };
            if !could_be(stem, &name.text) {
                continue;
            }
            if place.is_none() {
                place = self.kind_of(stem, &name.text).map(|kind| (stem, kind));
            }
            if place.is_some_and(|(place, _)| place == stem) {
                *(if is_sibling { &mut sibling } else { &mut value }) = Some(inner);
            }
        }
        if let Some((_, kind)) = place {
            expand(value, sibling, kind, found);
        }
    }

    fn kind_of(self, property: &str, name: &str) -> Option<&'static ElementType> {
        let (element, kind) = self.definition().property(property)?;
        (element.name == name).then_some(kind)
    }

    /// Every child, in the order of the document.
    pub(super) fn children(self, found: &mut Collection<'a>) {
        let Some(object) = self.object() else { return };
        for (property, value) in object {
            let (stem, value, sibling) = match property.strip_prefix('_') {
                // Seen together with its value.
                Some(stem) if object.contains_key(stem) => continue,
                Some(stem) => (stem, None, Some(value)),
                None => (property.as_str(), Some(value), sibling_of(object, property, value)),
            };
            if let Some((_, kind)) = self.definition().property(stem) {
                expand(value, sibling, kind, found);
            }
        }
    }
}

/// The name itself, or the name with a type behind it.
fn could_be(property: &str, name: &str) -> bool {
    match property.strip_prefix(name) {
        Some("") => true,
        Some(suffix) => suffix.starts_with(|first: char| first.is_ascii_uppercase()),
        None => false,
    }
}

/// Objects have no sibling: only the properties of primitives are looked up.
fn sibling_of<'a>(
    object: &'a Map<String, Value>,
    property: &str,
    value: &Value,
) -> Option<&'a Value> {
    let first = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    if first.is_object() { None } else { object.get(&format!("_{property}")) }
}

/// One node for each item; an array of siblings runs beside the array of values.
fn expand<'a>(
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
    kind: &ElementType,
    found: &mut Collection<'a>,
) {
    let values = value.map(items).unwrap_or_default();
    let siblings = sibling.map(items).unwrap_or_default();
    for place in 0..values.len().max(siblings.len()) {
        let value = values.get(place).filter(|value| !value.is_null());
        let sibling = siblings.get(place).filter(|sibling| !sibling.is_null());
        if value.is_some() || sibling.is_some() {
            found.push(Item::Node(Node::new(value, sibling, kind.id)));
        }
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        other => std::slice::from_ref(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::{check, fails};

    #[test]
    fn children_are_found_with_their_siblings() {
        check("name.given", "Ann, Bo");
        check("Patient.name.given.extension.value", "x");
        check("birthDate.id", "b");
        check("Patient.name[1].given", "");
        check("Observation.value.code", "mm[Hg]");
        check("Observation.valueQuantity", "");
        check("deceased.extension.value", "true");
        check("deceased.hasValue()", "false");
    }

    #[test]
    fn a_type_at_the_start_is_the_focus_when_it_fits() {
        check("Patient.id", "p1");
        check("DomainResource.id", "p1");
        check("Encounter.id", "");
        check("$this.Patient", "");
    }

    #[test]
    fn contained_resources_have_their_own_type() {
        check("contained.name", "Clinic");
        check("contained is Organization", "true");
        check("contained.type().name", "Organization");
    }

    #[test]
    fn every_child_is_a_child_and_a_descendant() {
        check("name[0].children()", "usual, Ann, Bo");
        check("name.descendants().count()", "8");
        check("birthDate.children()", "b");
        fails("descendants().single()", "items where one is expected");
    }
}
