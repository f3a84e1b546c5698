//! The tree to XML.

use super::{Error, FHIR};
use crate::definitions::{Kind, Type, r4};
use serde_json::{Map, Value};

pub fn write(resource: &Value, pretty: bool) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        out: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"),
        pretty,
        depth: 0,
    };
    writer.resource(resource, true)?;
    if pretty {
        writer.out.push('\n');
    }
    Ok(writer.out.into_bytes())
}

struct Writer {
    out: String,
    pretty: bool,
    depth: usize,
}

impl Writer {
    fn resource(&mut self, resource: &Value, is_root: bool) -> Result<(), Error> {
        let name = resource["resourceType"].as_str().unwrap_or_default();
        let unwritable = || Error::Unwritable { place: name.chars().take(64).collect() };
        let owner = r4().resource(name).ok_or_else(unwritable)?;
        let properties = resource.as_object().ok_or_else(unwritable)?;
        let namespace = if is_root { format!(" xmlns=\"{FHIR}\"") } else { String::new() };
        self.open(name, &namespace);
        self.children(owner, properties, "resourceType")?;
        self.close(name);
        Ok(())
    }

    /// In the order of the definitions. `attribute` names what is written elsewhere.
    fn children(
        &mut self,
        owner: &Type,
        properties: &Map<String, Value>,
        attribute: &str,
    ) -> Result<(), Error> {
        let is_attribute =
            |name: &str| name == attribute || (name == "id" && owner.kind != Kind::Resource);
        let unknown = properties.keys().find(|name| {
            let bare = name.strip_prefix('_').unwrap_or(name);
            !is_attribute(name) && owner.property(bare).is_none()
        });
        if let Some(name) = unknown {
            return Err(Error::Unwritable { place: format!("{}.{name}", owner.name) });
        }
        for element in &owner.elements {
            for kind in &element.types {
                let name = kind.property.as_str();
                if is_attribute(name) {
                    continue;
                }
                let value = properties.get(name);
                let sibling = properties.get(&format!("_{name}"));
                if value.is_none() && sibling.is_none() {
                    continue;
                }
                let (values, siblings) = (items(value), items(sibling));
                for index in 0..values.len().max(siblings.len()) {
                    let present = |value: &&Value| !value.is_null();
                    let value = values.get(index).filter(present);
                    let sibling = siblings.get(index).filter(present);
                    self.element(name, r4().get(kind.id), value, sibling)?;
                }
            }
        }
        Ok(())
    }

    fn element(
        &mut self,
        name: &str,
        kind: &Type,
        value: Option<&Value>,
        sibling: Option<&Value>,
    ) -> Result<(), Error> {
        match (kind.kind, value) {
            (Kind::Primitive, Some(Value::String(text))) if kind.name == "xhtml" => {
                self.line();
                self.out.push_str(text);
                Ok(())
            }
            (Kind::Primitive, value) => self.primitive(name, kind, value, sibling),
            (Kind::Resource, Some(value)) => {
                self.open(name, "");
                self.resource(value, false)?;
                self.close(name);
                Ok(())
            }
            (Kind::Complex | Kind::Group, Some(Value::Object(properties))) => {
                let mut attributes = attribute("id", properties.get("id"));
                let is_extension = kind.name == "Extension";
                if is_extension {
                    attributes.push_str(&attribute("url", properties.get("url")));
                }
                self.open(name, &attributes);
                self.children(kind, properties, if is_extension { "url" } else { "id" })?;
                self.close(name);
                Ok(())
            }
            (Kind::Resource, None) => Ok(()),
            (Kind::Complex | Kind::Group, _) => Err(Error::Unwritable { place: name.to_owned() }),
        }
    }

    fn primitive(
        &mut self,
        name: &str,
        kind: &Type,
        value: Option<&Value>,
        sibling: Option<&Value>,
    ) -> Result<(), Error> {
        let beside = sibling.and_then(Value::as_object);
        let mut attributes = attribute("id", beside.and_then(|beside| beside.get("id")));
        attributes.push_str(&attribute("value", value));
        match beside.filter(|beside| beside.contains_key("extension")) {
            Some(beside) => {
                self.open(name, &attributes);
                self.children(kind, beside, "id")?;
                self.close(name);
            }
            None => {
                self.line();
                self.out.push_str(&format!("<{name}{attributes}/>"));
            }
        }
        Ok(())
    }

    fn open(&mut self, name: &str, attributes: &str) {
        self.line();
        self.out.push_str(&format!("<{name}{attributes}>"));
        self.depth += 1;
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        let open = format!("<{name}");
        // Nothing inside: the tag closes itself.
        let start = self.out.rfind('<').unwrap_or(0);
        let is_empty = self.out.ends_with('>')
            && self.out.get(start..).is_some_and(|tag| {
                let rest = tag.strip_prefix(&open);
                rest.is_some_and(|rest| rest.starts_with([' ', '>']) && !rest.ends_with("/>"))
            });
        if is_empty {
            self.out.pop();
            self.out.push_str("/>");
        } else {
            self.line();
            self.out.push_str(&format!("</{name}>"));
        }
    }

    fn line(&mut self) {
        if self.pretty {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", self.depth));
        }
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(single) => std::slice::from_ref(single),
    }
}

fn attribute(name: &str, value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => return String::new(),
    };
    let mut out = format!(" {name}=\"");
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A reader turns these into spaces when they stand for themselves.
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
