//! The places in a resource where another resource is named (http.html#trules): Reference.reference, elements of type uri, url, oid,
//! uuid and canonical, and links and images in narrative.

use crate::definitions::{Definitions, ElementType, Type, r4};
use serde_json::{Map, Value};

/// What kind of place a name was found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Reference,
    Uri,
    /// `href` and `src` in the XHTML of a narrative.
    NarrativeLink,
}

/// Shows every name.
pub fn visit(resource: &Value, visit: &mut dyn FnMut(Kind, &str)) {
    let Some(owner) = type_of(resource) else { return };
    if let Value::Object(properties) = resource {
        visit_object(r4(), owner, properties, visit, 0);
    }
}

/// Replaces every name for which the function has another.
pub fn rewrite(resource: &mut Value, replace: &mut dyn FnMut(Kind, &str) -> Option<String>) {
    let Some(owner) = type_of(resource) else { return };
    if let Value::Object(properties) = resource {
        rewrite_object(r4(), owner, properties, replace, 0);
    }
}

/// Deeper than any document that the reader lets in.
const DEPTH_MAX: u32 = 128;

fn type_of(resource: &Value) -> Option<&'static Type> {
    r4().resource(resource.get("resourceType")?.as_str()?)
}

/// What a property of this type holds, as far as names are concerned.
enum Holds {
    Name(Kind),
    Narrative,
    Children(&'static Type),
    Resource,
    Nothing,
}

fn holds(definitions: &'static Definitions, owner: &Type, kind: &ElementType) -> Holds {
    match kind.code {
        "string" if owner.name == "Reference" && kind.property == "reference" => {
            Holds::Name(Kind::Reference)
        }
        "uri" | "url" | "oid" | "uuid" | "canonical" => Holds::Name(Kind::Uri),
        "xhtml" => Holds::Narrative,
        "Resource" => Holds::Resource,
        _ => {
            let children = definitions.get(kind.id);
            if children.kind == crate::definitions::Kind::Primitive {
                Holds::Nothing
            } else {
                Holds::Children(children)
            }
        }
    }
}

fn visit_object(
    definitions: &'static Definitions,
    owner: &Type,
    properties: &Map<String, Value>,
    visit: &mut dyn FnMut(Kind, &str),
    depth: u32,
) {
    if depth > DEPTH_MAX {
        return;
    }
    for (name, value) in properties {
        let Some(holds) = of_property(definitions, owner, name) else { continue };
        let items = match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            match (&holds, item) {
                (Holds::Name(kind), Value::String(text)) => visit(*kind, text),
                (Holds::Narrative, Value::String(text)) => {
                    for (_, link) in links(text) {
                        visit(Kind::NarrativeLink, link);
                    }
                }
                (Holds::Children(children), Value::Object(inner)) => {
                    visit_object(definitions, children, inner, visit, depth + 1);
                }
                (Holds::Resource, Value::Object(inner)) => {
                    if let Some(children) = type_of(item) {
                        visit_object(definitions, children, inner, visit, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }
}

fn rewrite_object(
    definitions: &'static Definitions,
    owner: &Type,
    properties: &mut Map<String, Value>,
    replace: &mut dyn FnMut(Kind, &str) -> Option<String>,
    depth: u32,
) {
    if depth > DEPTH_MAX {
        return;
    }
    for (name, value) in properties.iter_mut() {
        let Some(holds) = of_property(definitions, owner, name) else { continue };
        let items = match value {
            Value::Array(items) => items.as_mut_slice(),
            single => std::slice::from_mut(single),
        };
        for item in items {
            let inner_type = type_of(item);
            match (&holds, item) {
                (Holds::Name(kind), Value::String(text)) => {
                    if let Some(other) = replace(*kind, text) {
                        *text = other;
                    }
                }
                (Holds::Narrative, Value::String(text)) => {
                    if let Some(other) = rewrite_links(text, replace) {
                        *text = other;
                    }
                }
                (Holds::Children(children), Value::Object(inner)) => {
                    rewrite_object(definitions, children, inner, replace, depth + 1);
                }
                (Holds::Resource, Value::Object(inner)) => {
                    if let Some(children) = inner_type {
                        rewrite_object(definitions, children, inner, replace, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The extensions of a primitive stand beside it: `_birthDate` holds what an Element holds.
fn of_property(definitions: &'static Definitions, owner: &Type, name: &str) -> Option<Holds> {
    if name.starts_with('_') {
        return definitions.find("Element").map(Holds::Children);
    }
    owner.property(name).map(|(_, kind)| holds(definitions, owner, kind))
}

/// The values of `href` and `src`, with their places.
fn links(xhtml: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for attribute in ["href=", "src="] {
        for (place, _) in xhtml.match_indices(attribute) {
            let start = place + attribute.len();
            let Some(rest) = xhtml.get(start..) else { continue };
            let Some(quote) = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))
            else {
                continue;
            };
            let inside = rest.get(1..).unwrap_or_default();
            if let Some(end) = inside.find(quote) {
                found.push((start + 1, inside.get(..end).unwrap_or_default()));
            }
        }
    }
    found.sort_unstable();
    found
}

fn rewrite_links(
    xhtml: &str,
    replace: &mut dyn FnMut(Kind, &str) -> Option<String>,
) -> Option<String> {
    let mut out = String::new();
    let mut done = 0;
    for (place, link) in links(xhtml) {
        if let Some(other) = replace(Kind::NarrativeLink, link) {
            out.push_str(xhtml.get(done..place)?);
            out.push_str(
                &other
                    .replace('&', "&amp;")
                    .replace('"', "&quot;")
                    .replace('\'', "&apos;")
                    .replace('<', "&lt;"),
            );
            done = place + link.len();
        }
    }
    if done == 0 {
        return None;
    }
    out.push_str(xhtml.get(done..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{Kind, rewrite, visit};
    use serde_json::json;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let resource = json!({
            "resourceType": "Observation",
            "text": { "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:1\">x</a><img src='urn:uuid:2'/></div>" },
            "contained": [{ "resourceType": "Patient", "managingOrganization": { "reference": "urn:uuid:3" } }],
            "_status": { "extension": [{ "url": "urn:e", "valueReference": { "reference": "urn:uuid:4" } }] },
            "instantiatesUri": ["urn:uuid:none"],
            "subject": { "reference": "urn:uuid:5", "display": "urn:uuid:6" },
            "extension": [{ "url": "urn:f", "valueUri": "urn:uuid:7" }],
        });
        let mut found = Vec::new();
        visit(&resource, &mut |kind, text| {
            if text.starts_with("urn:uuid") {
                found.push((kind, text.to_owned()));
            }
        });
        let expected = [
            (Kind::NarrativeLink, "1"),
            (Kind::NarrativeLink, "2"),
            (Kind::Reference, "3"),
            (Kind::Reference, "4"),
            (Kind::Reference, "5"),
            (Kind::Uri, "7"),
        ];
        assert_eq!(found, expected.map(|(kind, number)| (kind, format!("urn:uuid:{number}"))));
    }

    #[test]
    fn names_are_replaced_where_they_stand() {
        let mut resource = json!({
            "resourceType": "Patient",
            "text": { "div": "<div><a href=\"urn:uuid:1\">urn:uuid:1</a></div>" },
            "generalPractitioner": [{ "reference": "urn:uuid:1" }, { "reference": "Practitioner/2" }],
        });
        rewrite(&mut resource, &mut |_, text| {
            (text == "urn:uuid:1").then(|| "Practitioner/1".to_owned())
        });
        assert_eq!(resource["text"]["div"], "<div><a href=\"Practitioner/1\">urn:uuid:1</a></div>");
        assert_eq!(
            resource["generalPractitioner"],
            json!([{ "reference": "Practitioner/1" }, { "reference": "Practitioner/2" }])
        );
    }
}
