//! The value of an operation: `value[x]`, or parts that name the children of a complex one (fhirpatch.html).

use super::list;
use crate::definitions::{Kind, Type, TypeId, r4};
use serde_json::{Map, Value};

/// A value, and beside a primitive its id and extensions.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) value: Option<Value>,
    pub(super) sibling: Option<Value>,
    /// Said by `valueString`; not by parts, whose type the element decides.
    kind: Option<TypeId>,
}

/// Levels of parts.
const DEPTH_MAX: usize = 50;

/// The value that a parameter called `value` carries, for an element that is called `name` in `owner`.
pub(super) fn read(
    parameter: &Map<String, Value>,
    owner: &Type,
    name: &str,
) -> Result<(String, Given), String> {
    read_to(parameter, owner, name, DEPTH_MAX)
}

/// Answers the property of JSON too: for a choice it depends on the value.
fn read_to(
    parameter: &Map<String, Value>,
    owner: &Type,
    name: &str,
    depth: usize,
) -> Result<(String, Given), String> {
    let depth = depth.checked_sub(1).ok_or_else(|| "parts are nested too deep".to_owned())?;
    let given = typed(parameter)?;
    let property = property_of(owner, name, given.as_ref().and_then(|given| given.kind))?;
    let (_, kind) = owner.property(&property).ok_or_else(|| unknown(owner, name))?;
    let target = r4().get(kind.id);
    let Some(given) = given else {
        let parts = parameter.get("part").and_then(Value::as_array);
        let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
            return Err(format!("there is no value for `{name}`"));
        };
        if target.kind == Kind::Primitive || target.kind == Kind::Resource {
            return Err(format!("`{name}` has no parts"));
        }
        let value = Some(Value::Object(object(parts, target, depth)?));
        return Ok((property, Given { value, sibling: None, kind: Some(kind.id) }));
    };
    if fits(&given, target) {
        Ok((property, given))
    } else {
        Err(format!("the value for `{name}` is no {}", target.name))
    }
}

/// `value[x]` with its sibling, or `resource`; none where there are parts instead.
fn typed(parameter: &Map<String, Value>) -> Result<Option<Given>, String> {
    let mut property = None;
    for name in parameter.keys() {
        let stem = name.strip_prefix('_').unwrap_or(name);
        let is_value = stem.starts_with("value") || stem == "resource";
        if is_value && property.is_some_and(|known| known != stem) {
            return Err("there are two values where one is expected".to_owned());
        }
        if is_value {
            property = Some(stem);
        }
    }
    let Some(property) = property else { return Ok(None) };
    let (_, kind) = r4()
        .find("Parameters.parameter")
        .and_then(|parameter| parameter.property(property))
        .ok_or_else(|| format!("`{property}` is no value of Parameters"))?;
    let sibling = parameter.get(&format!("_{property}")).cloned();
    Ok(Some(Given { value: parameter.get(property).cloned(), sibling, kind: Some(kind.id) }))
}

fn unknown(owner: &Type, name: &str) -> String {
    format!("{} has no element `{name}`", owner.name)
}

/// `valueQuantity` for the element `value` and a Quantity.
fn property_of(owner: &Type, name: &str, given: Option<TypeId>) -> Result<String, String> {
    let element = owner.element(name).ok_or_else(|| unknown(owner, name))?;
    let fitting = element.types.iter().find(|kind| {
        Some(kind.id) == given || given.is_some_and(|id| r4().get(id).name == kind.code)
    });
    match (fitting, element.types.as_slice()) {
        (Some(kind), _) | (None, [kind]) => Ok(kind.property.clone()),
        _ => match given {
            Some(given) => Err(format!("`{name}` is no {}", r4().get(given).name)),
            None => Err(format!("say the type of `{name}` with value[x]")),
        },
    }
}

/// A primitive may be given as any other that JSON writes alike: many clients send every code as `valueString`.
fn fits(given: &Given, target: &Type) -> bool {
    let Some(kind) = given.kind.map(|kind| r4().get(kind)) else { return true };
    match (target.kind, kind.kind) {
        (Kind::Primitive, Kind::Primitive) => {
            let form = |name: &str| match name {
                "boolean" => 0,
                "integer" | "decimal" | "unsignedInt" | "positiveInt" => 1,
                _ => 2,
            };
            form(target.name) == form(kind.name)
        }
        (Kind::Primitive, _) | (_, Kind::Primitive) => false,
        _ => r4().is_a(kind.name, target.name) || r4().is_a(target.name, kind.name),
    }
}

/// The children that parts name, in the order they are given.
fn object(parts: &[Value], owner: &Type, depth: usize) -> Result<Map<String, Value>, String> {
    let mut object = Map::new();
    for part in parts {
        let part = part.as_object().ok_or_else(|| "a part is an object".to_owned())?;
        let name = part.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| "a part without a name".to_owned())?;
        let (property, given) = read_to(part, owner, name, depth)?;
        let repeats = owner.element(name).is_some_and(|element| element.is_repeating());
        if !repeats && list::has(&object, &property) {
            return Err(format!("`{name}` does not repeat"));
        }
        list::append(&mut object, &property, given, repeats);
    }
    Ok(object)
}
