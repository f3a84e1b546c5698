//! What a resource says in words: its narrative (narrative.html), and every string and markdown within it.

use crate::definitions::{Kind, Type, r4};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Narrative,
    /// The text of a code or a unit, or the name of what is referred to unless it is a person's: many resources have it.
    Concept,
    Element,
}

/// Deeper than any document that the reader lets in.
const DEPTH_MAX: u32 = 128;

/// Elements that do not part the words around them.
const INLINE: [&str; 22] = [
    "a", "abbr", "acronym", "b", "bdo", "big", "cite", "code", "dfn", "em", "font", "i", "kbd",
    "q", "samp", "small", "span", "strong", "sub", "sup", "tt", "var",
];

/// Shows every text, of contained resources too. Codes, addresses, dates and what a Reference points at are none.
pub fn visit(resource: &Value, visit: &mut dyn FnMut(Place, &str)) {
    if let (Some(owner), Value::Object(properties)) = (type_of(resource), resource) {
        visit_object(owner, properties, visit, 0);
    }
}

fn type_of(resource: &Value) -> Option<&'static Type> {
    r4().resource(resource.get("resourceType")?.as_str()?)
}

fn visit_object(
    owner: &Type,
    properties: &Map<String, Value>,
    visit: &mut dyn FnMut(Place, &str),
    depth: u32,
) {
    if depth > DEPTH_MAX {
        return;
    }
    for (name, value) in properties {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        let (code, children) = match owner.property(name) {
            Some((_, kind)) if owner.name == "Reference" && kind.property == "reference" => {
                continue;
            }
            Some((_, kind)) => (kind.code, Some(r4().get(kind.id))),
            None if name.starts_with('_') => ("Element", r4().find("Element")),
            None => continue,
        };
        for item in items {
            match (code, item) {
                ("string" | "markdown", Value::String(text)) => {
                    visit(place(owner, name, properties), text)
                }
                ("xhtml", Value::String(text)) => visit(Place::Narrative, &plain(text)),
                ("Resource", Value::Object(inner)) => {
                    if let Some(children) = type_of(item) {
                        visit_object(children, inner, visit, depth + 1);
                    }
                }
                (_, Value::Object(inner)) => {
                    if let Some(children) = children.filter(|kind| kind.kind != Kind::Primitive) {
                        visit_object(children, inner, visit, depth + 1);
                    }
                }
                _ => {}
            }
        }
    }
}

fn place(owner: &Type, name: &str, properties: &Map<String, Value>) -> Place {
    let is_concept = match name {
        "display" if owner.name == "Reference" => {
            let target = properties.get("reference").and_then(Value::as_str).unwrap_or_default();
            let is_person = |kind: &&str| target.contains(*kind);
            !["Patient/", "Person/"].iter().any(is_person)
        }
        "display" => owner.name == "Coding",
        "text" => owner.name == "CodeableConcept",
        "unit" => r4().is_a(owner.name, "Quantity"),
        _ => false,
    };
    if is_concept { Place::Concept } else { Place::Element }
}

/// The text of XHTML as it is read: up to where it is no XHTML any more.
fn plain(xhtml: &str) -> String {
    let mut reader = Reader::from_str(xhtml);
    let mut text = String::new();
    let part = |text: &mut String, name: &[u8]| {
        if !INLINE.iter().any(|inline| inline.as_bytes() == name) {
            text.push(' ');
        }
    };
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(tag) | Event::Empty(tag) => part(&mut text, tag.name().as_ref().as_ref()),
            Event::End(tag) => part(&mut text, tag.name().as_ref().as_ref()),
            Event::Text(inside) => text.push_str(&inside),
            Event::GeneralRef(reference) => {
                let numbered = reference.resolve_char_ref().ok().flatten();
                text.push(numbered.unwrap_or_else(|| named(&reference)));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    text
}

/// Those of XML; all others part words.
fn named(name: &str) -> char {
    match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "apos" => '\'',
        "quot" => '"',
        _ => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, plain, visit};
    use serde_json::json;

    fn check_plain(xhtml: &str, expected: &str) {
        assert_eq!(plain(xhtml).split_whitespace().collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn a_narrative_is_read_as_it_is_shown() {
        check_plain("<div>Gl<b>uco</b>se</div>", "Glucose");
        check_plain("<div><p>one</p><p>two</p>three<br/>four</div>", "one two three four");
        check_plain("<table><tr><td>a</td><td>b</td></tr></table>", "a b");
        check_plain(
            "<div title=\"no\">a &lt; b&#233;&#x4e2d;&nbsp;c<!-- no --></div>",
            "a < bé中 c",
        );
        check_plain("<div>as far as <p>it </q> goes", "as far as it");
    }

    #[test]
    fn every_text_of_a_resource_is_shown() {
        let resource = json!({
            "resourceType": "Observation",
            "id": "no",
            "meta": { "lastUpdated": "2026-11-23T08:00:00Z", "profile": ["http://no.test"], "tag": [{ "display": "tagged" }] },
            "text": { "status": "generated", "div": "<div>told</div>" },
            "contained": [{ "resourceType": "Patient", "id": "no", "name": [{ "family": "held" }] }],
            "extension": [{ "url": "http://no.test", "valueString": "extended" }],
            "status": "final",
            "_status": { "extension": [{ "url": "http://no.test", "valueMarkdown": "beside" }] },
            "code": { "coding": [{ "system": "http://no.test", "code": "coded", "display": "shown" }], "text": "said" },
            "subject": { "reference": "Patient/no", "display": "called" },
            "valueQuantity": { "value": 1, "unit": "measured" },
            "performer": [{ "display": "employed" }],
            "note": [{ "authorString": "written", "text": "noted" }],
        });
        let (mut narrative, mut concepts, mut elements) = (Vec::new(), Vec::new(), Vec::new());
        visit(&resource, &mut |place, text| {
            let list = match place {
                Place::Narrative => &mut narrative,
                Place::Concept => &mut concepts,
                Place::Element => &mut elements,
            };
            list.push(text.trim().to_owned());
        });
        elements.sort_unstable();
        concepts.sort_unstable();
        assert_eq!(narrative, ["told"]);
        assert_eq!(concepts, ["employed", "measured", "said", "shown", "tagged"]);
        assert_eq!(elements, ["beside", "called", "extended", "held", "noted", "written"]);
    }
}
