//! References against the types they may point at (references.html).

use super::place::Place;
use super::{Around, Walk};
use crate::definitions::{Definitions, ElementType};
use crate::outcome::Code;
use serde_json::{Map, Value};

pub(super) fn check(
    walk: &mut Walk,
    kind: &ElementType,
    properties: &Map<String, Value>,
    place: &Place,
    around: Around,
) {
    let Some(text) = properties.get("reference").and_then(Value::as_str) else { return };
    let place = place.property("reference");
    let target = match text.strip_prefix('#') {
        Some("") => around.root["resourceType"].as_str(),
        Some(id) => match contained(around.root, id) {
            Some(resource) => resource["resourceType"].as_str(),
            None => {
                let text = format!("nothing contained has the id `{id}`");
                return walk.error(Code::Invariant, &place, text);
            }
        },
        None => target_type(walk.definitions, text),
    };
    let Some(target) = target else { return };
    let is_any = kind.targets.is_empty() || kind.targets.contains(&"Resource");
    if !is_any && !kind.targets.contains(&target) {
        let text = format!("points at a {target}; it may point at: {}", kind.targets.join(", "));
        walk.error(Code::Value, &place, text);
    }
}

fn contained<'a>(root: &'a Value, id: &str) -> Option<&'a Value> {
    root["contained"].as_array()?.iter().find(|resource| resource["id"] == id)
}

/// The type that a reference names, where it names one: `Patient/1`, `http://…/Patient/1/_history/2`, `Patient?identifier=…`.
fn target_type<'a>(definitions: &Definitions, text: &'a str) -> Option<&'a str> {
    let is_type = |name: &&str| definitions.resource(name).is_some();
    if let Some((name, _)) = text.split_once('?')
        && !name.contains('/')
    {
        return Some(name).filter(is_type);
    }
    let path = text.split_once("/_history/").map_or(text, |(path, _)| path);
    let mut parts = path.rsplit('/');
    parts.next()?;
    parts.next().filter(is_type)
}
