//! Parts of a resource: `_summary` and `_elements` (search.html#summary, search.html#elements).

use crate::definitions::{Type, r4};
use serde_json::{Map, Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subset {
    /// `_summary=true`: the elements marked as summary.
    Summary,
    /// `_summary=text`: text, id, meta and what is mandatory.
    Text,
    /// `_summary=data`: everything but text.
    Data,
    /// `_elements=`: these top-level elements and what is mandatory.
    Elements(Vec<String>),
}

/// The part, marked as such with the tag SUBSETTED.
pub fn subset(resource: &Value, subset: &Subset) -> Value {
    let (Value::Object(properties), Some(owner)) = (resource, type_of(resource)) else {
        return resource.clone();
    };
    let mut part = Map::new();
    for (name, value) in properties {
        let bare = name.strip_prefix('_').unwrap_or(name);
        if bare == "resourceType" || keeps(owner, bare, subset) {
            let value = match subset {
                Subset::Summary => summarised(owner, bare, value),
                Subset::Text | Subset::Data | Subset::Elements(_) => value.clone(),
            };
            part.insert(name.clone(), value);
        }
    }
    mark(&mut part);
    Value::Object(part)
}

fn type_of(resource: &Value) -> Option<&'static Type> {
    r4().resource(resource.get("resourceType")?.as_str()?)
}

fn keeps(owner: &Type, name: &str, subset: &Subset) -> bool {
    let Some((element, _)) = owner.property(name) else { return false };
    // A reader must not take a part for the whole: what changes the meaning stays.
    let is_needed = element.min > 0 || element.is_modifier || matches!(element.name, "id" | "meta");
    match subset {
        Subset::Summary => is_needed || element.is_summary,
        Subset::Text => is_needed || element.name == "text",
        Subset::Data => element.name != "text",
        Subset::Elements(names) => {
            let is_named = names.iter().any(|wanted| wanted == element.name || wanted == name);
            is_needed || is_named
        }
    }
}

/// Inside groups, too, only what is marked as summary; data types are kept whole.
fn summarised(owner: &Type, name: &str, value: &Value) -> Value {
    let children = owner.property(name).map(|(_, kind)| r4().get(kind.id));
    let Some(group) = children.filter(|children| children.kind == crate::definitions::Kind::Group)
    else {
        return value.clone();
    };
    match value {
        Value::Array(items) => items.iter().map(|item| summarised(owner, name, item)).collect(),
        Value::Object(properties) => {
            let kept = properties.iter().filter(|(name, _)| {
                let bare = name.strip_prefix('_').unwrap_or(name);
                keeps(group, bare, &Subset::Summary)
            });
            kept.map(|(name, value)| {
                let bare = name.strip_prefix('_').unwrap_or(name);
                (name.clone(), summarised(group, bare, value))
            })
            .collect::<Map<_, _>>()
            .into()
        }
        other => other.clone(),
    }
}

fn mark(part: &mut Map<String, Value>) {
    let tag = json!({
        "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
        "code": "SUBSETTED",
    });
    let meta = part.entry("meta").or_insert_with(|| json!({}));
    match meta.get_mut("tag") {
        Some(Value::Array(tags)) => tags.push(tag),
        _ => {
            if let Value::Object(meta) = meta {
                meta.insert("tag".to_owned(), json!([tag]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subset, subset};
    use serde_json::json;

    fn names(part: &serde_json::Value) -> Vec<&str> {
        part.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_part_keeps_what_is_asked_for_and_what_is_needed() {
        let resource = json!({
            "resourceType": "Observation",
            "id": "1",
            "meta": { "versionId": "1" },
            "text": { "status": "generated", "div": "<div/>" },
            "status": "final",
            "code": { "text": "x" },
            "_issued": { "id": "a" },
            "note": [{ "text": "n" }],
            "component": [{ "code": { "text": "y" }, "interpretation": [{ "text": "z" }] }],
        });
        let check = |wanted: Subset, expected: &[&str]| {
            let part = subset(&resource, &wanted);
            assert_eq!(names(&part), expected, "{wanted:?}");
            assert_eq!(part["meta"]["tag"][0]["code"], "SUBSETTED");
        };
        check(Subset::Text, &["resourceType", "id", "meta", "text", "status", "code"]);
        check(
            Subset::Data,
            &["resourceType", "id", "meta", "status", "code", "_issued", "note", "component"],
        );
        check(
            Subset::Summary,
            &["resourceType", "id", "meta", "status", "code", "_issued", "component"],
        );
        let elements = Subset::Elements(vec!["note".to_owned()]);
        check(elements, &["resourceType", "id", "meta", "status", "code", "note"]);
        let summary = subset(&resource, &Subset::Summary);
        assert_eq!(summary["component"], json!([{ "code": { "text": "y" } }]));
    }
}
