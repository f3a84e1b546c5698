//! XML to the tree.

use super::{Error, FHIR, XHTML};
use crate::definitions::{Definitions, ElementType, Kind, Type, r4};
use crate::json::Limits;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::reader::NsReader;
use serde_json::{Map, Number, Value};
use std::str::FromStr;
use strsim::damerau_levenshtein;

/// Reads one resource.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.valid_up_to()))?;
    if text.trim().is_empty() {
        return Err(Error::Empty);
    }
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document { text, reader, definitions: r4(), limits, nodes: 0 };
    let resource = match document.next()? {
        Some(Token::Open(tag)) => document.resource(&tag, 0)?,
        Some(Token::Close) | None => return Err(document.error("there is no resource")),
    };
    match document.next()? {
        None => Ok(resource),
        Some(_) => Err(document.error("nothing can come after the resource")),
    }
}

struct Document<'a> {
    text: &'a str,
    reader: NsReader<&'a [u8]>,
    definitions: &'static Definitions,
    limits: &'a Limits,
    nodes: u32,
}

enum Token<'a> {
    Open(Tag<'a>),
    Close,
}

struct Tag<'a> {
    name: String,
    is_xhtml: bool,
    start: BytesStart<'a>,
    /// Where it begins in the text.
    offset: usize,
}

/// Values of one element as they come: a primitive's, and what stands beside it.
#[derive(Default)]
struct Collected {
    values: Vec<Option<Value>>,
    siblings: Vec<Option<Value>>,
}

impl<'a> Document<'a> {
    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(self.text.len())
    }

    fn error(&self, text: impl Into<String>) -> Error {
        let before = self.text.get(..self.position()).unwrap_or(self.text);
        Error::Syntax { line: before.matches('\n').count() + 1, text: text.into() }
    }

    fn count(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes_max {
            return Err(self.error(format!("more than {} values", self.limits.nodes_max)));
        }
        Ok(())
    }

    /// The next tag; white space and comments are passed over, everything else is refused.
    fn next(&mut self) -> Result<Option<Token<'a>>, Error> {
        loop {
            let offset = self.position();
            let (namespace, event) = match self.reader.read_resolved_event() {
                Ok(read) => read,
                Err(error) => {
                    let text = error.to_string();
                    return Err(self.error(text));
                }
            };
            match event {
                Event::Start(start) => {
                    let is_xhtml = namespace == ResolveResult::Bound(Namespace(XHTML));
                    if !is_xhtml && namespace != ResolveResult::Bound(Namespace(FHIR)) {
                        return Err(
                            self.error(format!("every element must be in the namespace {FHIR}"))
                        );
                    }
                    let name = start.local_name().as_ref().to_owned();
                    return Ok(Some(Token::Open(Tag { name, is_xhtml, start, offset })));
                }
                Event::End(_) => return Ok(Some(Token::Close)),
                Event::Eof => return Ok(None),
                Event::Text(text) if text.trim().is_empty() => {}
                Event::Comment(_) | Event::Decl(_) => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(
                        self.error("text outside of attributes and narrative has no meaning")
                    );
                }
                Event::DocType(_) => return Err(self.error("a document type is not allowed")),
                Event::PI(_) => return Err(self.error("a processing instruction is not allowed")),
                Event::Empty(_) => {}
            }
        }
    }

    fn resource(&mut self, tag: &Tag<'a>, depth: u32) -> Result<Value, Error> {
        let name: String = tag.name.chars().take(64).collect();
        let owner = self
            .definitions
            .resource(&tag.name)
            .filter(|_| !tag.is_xhtml)
            .ok_or_else(|| self.error(format!("`{name}` is not a resource type of FHIR R4")))?;
        self.attributes(tag, &[])?;
        let mut properties = Map::new();
        properties.insert("resourceType".to_owned(), Value::String(tag.name.clone()));
        self.children(owner, &mut properties, depth)?;
        Ok(Value::Object(properties))
    }

    /// The elements inside, up to the closing tag.
    fn children(
        &mut self,
        owner: &'static Type,
        properties: &mut Map<String, Value>,
        depth: u32,
    ) -> Result<(), Error> {
        if depth >= self.limits.depth_max {
            return Err(self.error(format!("nested deeper than {} levels", self.limits.depth_max)));
        }
        let mut order: Vec<(&'static str, bool, Collected)> = Vec::new();
        loop {
            let tag = match self.next()? {
                Some(Token::Open(tag)) => tag,
                Some(Token::Close) => break,
                None => return Err(self.error("an element is not closed")),
            };
            let Some((element, kind)) = owner.property(&tag.name) else {
                return Err(self.unknown(owner, &tag.name));
            };
            self.count()?;
            let (value, sibling) = self.element(kind, &tag, depth + 1)?;
            let property = kind.property.as_str();
            let repeats = element.is_repeating();
            let place = order.iter().position(|(name, _, _)| *name == property);
            let collected = match place {
                Some(_) if !repeats => {
                    return Err(self.error(format!("`{property}` appears more than once")));
                }
                Some(place) => order.get_mut(place),
                None => {
                    order.push((property, repeats, Collected::default()));
                    order.last_mut()
                }
            };
            if let Some((_, _, collected)) = collected {
                collected.values.push(value);
                collected.siblings.push(sibling);
            }
        }
        for (property, repeats, collected) in order {
            insert(properties, property, repeats, collected.values);
            insert(properties, &format!("_{property}"), repeats, collected.siblings);
        }
        Ok(())
    }

    fn unknown(&self, owner: &Type, name: &str) -> Error {
        let mut known: Vec<&str> = owner.properties().collect();
        known.sort_by_key(|known| (damerau_levenshtein(known, name), *known));
        known.truncate(3);
        let name: String = name.chars().take(64).collect();
        self.error(format!(
            "`{name}` is no element of {}; did you mean {}?",
            owner.name,
            known.join(", ")
        ))
    }

    /// The value, and what stands beside a primitive.
    fn element(
        &mut self,
        kind: &'static ElementType,
        tag: &Tag<'a>,
        depth: u32,
    ) -> Result<(Option<Value>, Option<Value>), Error> {
        let children = self.definitions.get(kind.id);
        match (children.kind, kind.code) {
            (_, "xhtml") => Ok((Some(self.narrative(tag)?), None)),
            _ if tag.is_xhtml => {
                Err(self.error(format!("`{}` must be in the namespace {FHIR}", tag.name)))
            }
            (Kind::Primitive, _) => self.primitive(kind, children, tag, depth),
            (Kind::Resource, _) => {
                self.attributes(tag, &[])?;
                let resource = match self.next()? {
                    Some(Token::Open(inner)) => self.resource(&inner, depth)?,
                    Some(Token::Close) | None => {
                        return Err(self.error(format!("`{}` is empty", tag.name)));
                    }
                };
                match self.next()? {
                    Some(Token::Close) => Ok((Some(resource), None)),
                    Some(Token::Open(_)) | None => {
                        Err(self.error(format!("`{}` holds one resource", tag.name)))
                    }
                }
            }
            (Kind::Complex | Kind::Group, code) => {
                let allowed: &[&str] = if code == "Extension" { &["id", "url"] } else { &["id"] };
                let mut properties = self.attributes(tag, allowed)?;
                self.children(children, &mut properties, depth)?;
                Ok((Some(Value::Object(properties)), None))
            }
        }
    }

    fn primitive(
        &mut self,
        kind: &ElementType,
        children: &'static Type,
        tag: &Tag<'a>,
        depth: u32,
    ) -> Result<(Option<Value>, Option<Value>), Error> {
        let mut sibling = self.attributes(tag, &["id", "value"])?;
        let value = match sibling.shift_remove("value") {
            Some(Value::String(text)) => Some(typed(kind.code, text)),
            _ => None,
        };
        self.children(children, &mut sibling, depth)?;
        Ok((
            value,
            Some(Value::Object(sibling))
                .filter(|sibling| sibling.as_object().is_some_and(|map| !map.is_empty())),
        ))
    }

    /// The text of the div exactly as it stands.
    fn narrative(&mut self, tag: &Tag<'a>) -> Result<Value, Error> {
        if !tag.is_xhtml {
            return Err(
                self.error(format!("the div of a narrative must be in the namespace {XHTML}"))
            );
        }
        let declares =
            tag.start.attributes().flatten().any(|attribute| attribute.key.as_ref() == "xmlns");
        if !declares {
            return Err(self.error(
                "the div of a narrative must declare its namespace itself, without a prefix",
            ));
        }
        let end = tag.start.to_end().into_owned();
        if let Err(error) = self.reader.read_to_end(end.name()) {
            let text = error.to_string();
            return Err(self.error(text));
        }
        let text = self.text.get(tag.offset..self.position()).unwrap_or_default();
        Ok(Value::String(text.to_owned()))
    }

    /// The attributes allowed here; those about namespaces and schemas are passed over.
    fn attributes(&self, tag: &Tag<'a>, allowed: &[&str]) -> Result<Map<String, Value>, Error> {
        let mut found = Map::new();
        for attribute in tag.start.attributes() {
            let attribute = attribute.map_err(|error| self.error(error.to_string()))?;
            let name = attribute.key.as_ref();
            if name == "xmlns" || name.starts_with("xmlns:") || name.starts_with("xsi:") {
                continue;
            }
            if !allowed.contains(&name) {
                let name: String = name.chars().take(64).collect();
                return Err(
                    self.error(format!("the attribute `{name}` has no place on `{}`", tag.name))
                );
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.error(error.to_string()))?;
            found.insert(name.to_owned(), Value::String(value.into_owned()));
        }
        Ok(found)
    }
}

fn insert(
    properties: &mut Map<String, Value>,
    name: &str,
    repeats: bool,
    items: Vec<Option<Value>>,
) {
    if items.iter().all(Option::is_none) {
        return;
    }
    let mut items = items.into_iter().map(Option::unwrap_or_default);
    let value = if repeats { Some(items.collect()) } else { items.next() };
    properties.extend(value.map(|value| (name.to_owned(), value)));
}

/// What JSON would have: what is no boolean or number stays text, for the validator to refuse.
fn typed(code: &str, text: String) -> Value {
    match (code, text.as_str()) {
        ("boolean", "true") => Value::Bool(true),
        ("boolean", "false") => Value::Bool(false),
        ("integer" | "unsignedInt" | "positiveInt" | "decimal", number) => {
            Number::from_str(number).map_or(Value::String(text), Value::Number)
        }
        _ => Value::String(text),
    }
}
