//! JSON text to a tree and back, keeping what FHIR keeps: property order and the digits of decimals (json.html).
//!
//! The tree is `serde_json::Value` with arbitrary precision; duplicate properties, too deep and too large documents are
//! refused while reading, before they cost anything.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;
use std::str::FromStr;

/// Bounds on a document. Bytes are bounded where they arrive.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nested objects and arrays.
    pub depth_max: u32,
    /// Values of all kinds: what decides how much memory a tree takes.
    pub nodes_max: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth_max: 100, nodes_max: 5_000_000 }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the body is empty; send a resource")]
    Empty,
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    #[error("{0}")]
    Syntax(String),
}

/// How `serde_json` hands over a number with arbitrary precision; as a property of a client it would be taken for one.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

/// Reads one JSON document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.valid_up_to()))?;
    if text.trim_start().is_empty() {
        return Err(Error::Empty);
    }
    if text.contains(NUMBER_TOKEN) {
        return Err(Error::Syntax(reserved()));
    }
    let nodes = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_str(text);
    let seed = Tree { limits, nodes: &nodes, depth: 0 };
    let value = seed.deserialize(&mut reader).map_err(syntax)?;
    reader.end().map_err(syntax)?;
    Ok(value)
}

/// The shortest text of the tree: no white space between values.
pub fn write(value: &Value) -> Vec<u8> {
    // A tree of strings, numbers and maps with string keys has no way to fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Indented by two spaces, for `_pretty=true`.
pub fn write_pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

fn reserved() -> String {
    format!("the property `{NUMBER_TOKEN}` is reserved")
}

fn syntax(error: serde_json::Error) -> Error {
    Error::Syntax(format!("not valid JSON: {error}"))
}

#[derive(Clone, Copy)]
struct Tree<'a> {
    limits: &'a Limits,
    nodes: &'a Cell<u32>,
    depth: u32,
}

impl Tree<'_> {
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let nodes = self.nodes.get() + 1;
        self.nodes.set(nodes);
        if nodes > self.limits.nodes_max {
            return Err(E::custom(format!("more than {} values", self.limits.nodes_max)));
        }
        Ok(())
    }

    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= self.limits.depth_max {
            return Err(E::custom(format!("nested deeper than {} levels", self.limits.depth_max)));
        }
        Ok(Tree { depth: self.depth + 1, ..*self })
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.count()?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(property) = properties.next_key_seed(PropertyVisitor)? {
            let name = match property {
                Property::Named(name) => name,
                Property::NumberFollows => {
                    let text: String = properties.next_value()?;
                    return Number::from_str(&text).map(Value::Number).map_err(A::Error::custom);
                }
            };
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("the property `{name}` appears twice")));
            }
            let value = properties.next_value_seed(self.deeper()?)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

enum Property {
    Named(String),
    NumberFollows,
}

/// The token is lent by `serde_json` itself; one that a client spelt with escapes is a copy, and refused.
struct PropertyVisitor;

impl<'de> DeserializeSeed<'de> for PropertyVisitor {
    type Value = Property;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Property, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for PropertyVisitor {
    type Value = Property;

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("the name of a property")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Property, E> {
        if name == NUMBER_TOKEN { Ok(Property::NumberFollows) } else { self.visit_str(name) }
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Property, E> {
        if name == NUMBER_TOKEN {
            Err(E::custom(reserved()))
        } else {
            Ok(Property::Named(name.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, parse, write};

    fn check(text: &str, expected: Result<&str, &str>) {
        let limits = Limits { depth_max: 4, nodes_max: 12 };
        let found = parse(text.as_bytes(), &limits);
        match (found, expected) {
            (Ok(value), Ok(expected)) => {
                assert_eq!(String::from_utf8(write(&value)).unwrap(), expected)
            }
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} has no {part}");
            }
            (found, expected) => panic!("{text}: found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn digits_and_order_are_kept() {
        check(r#"{ "b": 1.50, "a": [0.0, 100, -1e-3] }"#, Ok(r#"{"b":1.50,"a":[0.0,100,-1e-3]}"#));
        check("123456789012345678901234567890.123", Ok("123456789012345678901234567890.123"));
    }

    #[test]
    fn duplicates_are_refused() {
        check(r#"{"a": 1, "a": 2}"#, Err("`a` appears twice"));
        check(r#"{"x": {"a": 1, "\u0061": 2}}"#, Err("`a` appears twice"));
    }

    #[test]
    fn bounds_hold() {
        check("[[[[1]]]]", Ok("[[[[1]]]]"));
        check("[[[[[1]]]]]", Err("deeper than 4"));
        check("[1,2,3,4,5,6,7,8,9,10,11,12]", Err("more than 12 values"));
    }

    #[test]
    fn malformed_text_is_refused() {
        check("", Err("empty"));
        check("{\"a\": }", Err("line 1 column 7"));
        check("{} {}", Err("trailing characters"));
        check(r#"{"$serde_json::private::Number": "1"}"#, Err("reserved"));
        check(r#"{"\u0024serde_json::private::Number": "1"}"#, Err("reserved"));
        assert!(parse(b"{\"a\": \"\xff\"}", &Limits::default()).is_err());
    }
}
