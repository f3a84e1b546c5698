//! What collections hold: elements, and values of the types of FHIRPath itself (FHIRPath section 4).

use super::node::{Node, known};
use super::quantity::{Calendar, Quantity, Unit};
use super::syntax::SystemType;
use super::temporal::{Date, DateTime, Time};
use crate::definitions::{Kind, TypeId, r4};
use rust_decimal::Decimal;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::str::FromStr;

#[derive(Clone, Debug)]
pub enum Item<'a> {
    Node(Node<'a>),
    Boolean(bool),
    String(Cow<'a, str>),
    Integer(i32),
    Decimal(Decimal),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    Quantity(Box<Quantity>),
    /// What `type()` answers.
    Type(ItemType),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemType {
    System(SystemType),
    Fhir(TypeId),
}

impl ItemType {
    pub fn namespace(self) -> &'static str {
        match self {
            ItemType::System(_) => "System",
            ItemType::Fhir(_) => "FHIR",
        }
    }

    /// Groups of children have no name of their own: they are what they specialise.
    pub fn name(self) -> &'static str {
        match self {
            ItemType::System(kind) => kind.name(),
            ItemType::Fhir(id) => {
                let kind = r4().get(id);
                match kind.kind {
                    Kind::Group => kind.base.unwrap_or("Element"),
                    Kind::Primitive | Kind::Complex | Kind::Resource => kind.name,
                }
            }
        }
    }
}

impl<'a> Item<'a> {
    pub fn node(&self) -> Option<Node<'a>> {
        match self {
            Item::Node(node) => Some(*node),
            _ => None,
        }
    }

    /// None for what `type()` answers: that has no type to speak of.
    pub fn kind(&self) -> Option<ItemType> {
        Some(ItemType::System(match self {
            Item::Node(node) => return Some(ItemType::Fhir(node.kind())),
            Item::Boolean(_) => SystemType::Boolean,
            Item::String(_) => SystemType::String,
            Item::Integer(_) => SystemType::Integer,
            Item::Decimal(_) => SystemType::Decimal,
            Item::Date(_) => SystemType::Date,
            Item::DateTime(_) => SystemType::DateTime,
            Item::Time(_) => SystemType::Time,
            Item::Quantity(_) => SystemType::Quantity,
            Item::Type(_) => return None,
        }))
    }

    /// The value of a primitive or a Quantity as FHIRPath computes with it; other items stay what they are.
    pub fn simple(&self) -> Cow<'_, Item<'a>> {
        match self {
            Item::Node(node) => node.simple().map_or(Cow::Borrowed(self), Cow::Owned),
            _ => Cow::Borrowed(self),
        }
    }

    /// The text of a string, a code, a uri … of either world.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Item::String(text) => Some(text),
            Item::Node(node) => node.as_str(),
            _ => None,
        }
    }

    /// Like `as_str`, for as long as the resource lives.
    pub(super) fn to_text(&self) -> Option<Cow<'a, str>> {
        match self {
            Item::String(text) => Some(text.clone()),
            Item::Node(node) => node.as_str().map(Cow::Borrowed),
            _ => None,
        }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Item::Boolean(value) => Some(*value),
            Item::Node(node) => node.value().and_then(Value::as_bool),
            _ => None,
        }
    }

    /// As `toString()` writes it; none for what has no value of its own.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        super::functions::shown(self)
    }

    /// As JSON writes it.
    pub fn to_json(&self) -> Option<Value> {
        Some(match self {
            Item::Node(node) => return node.value().cloned(),
            Item::Boolean(value) => Value::Bool(*value),
            Item::String(text) => Value::String(text.to_string()),
            Item::Integer(number) => Value::from(*number),
            Item::Decimal(number) => Value::Number(Number::from_str(&number.to_string()).ok()?),
            Item::Date(date) => Value::String(date.to_string()),
            Item::DateTime(moment) => Value::String(moment.to_string()),
            Item::Time(time) => Value::String(time.to_string()),
            Item::Quantity(_) | Item::Type(_) => return None,
        })
    }
}

impl<'a> Node<'a> {
    /// Dates are no strings: they compare by the calendar.
    pub(super) fn as_str(self) -> Option<&'a str> {
        let text = self.value()?.as_str()?;
        (!self.is_moment()).then_some(text)
    }

    fn is_moment(self) -> bool {
        let (known, kind) = (known(), Some(self.kind()));
        kind == known.date || kind == known.date_time || kind == known.instant || kind == known.time
    }

    fn simple(self) -> Option<Item<'a>> {
        match self.value()? {
            Value::Bool(value) => Some(Item::Boolean(*value)),
            Value::String(text) => Some(self.text_item(text)),
            Value::Number(number) => self.number(number),
            Value::Object(_) => self.quantity().map(|quantity| Item::Quantity(Box::new(quantity))),
            Value::Null | Value::Array(_) => None,
        }
    }

    /// A text that is no date although its type says so stays a text: it is equal to itself, and in no order.
    fn text_item(self, text: &'a str) -> Item<'a> {
        let (known, kind) = (known(), Some(self.kind()));
        let moment = if kind == known.date {
            Date::parse(text).map(Item::Date)
        } else if kind == known.date_time || kind == known.instant {
            DateTime::parse(text).map(Item::DateTime)
        } else if kind == known.time {
            Time::parse(text).map(Item::Time)
        } else {
            None
        };
        moment.unwrap_or(Item::String(Cow::Borrowed(text)))
    }

    fn number(self, number: &Number) -> Option<Item<'a>> {
        let text = number.as_str();
        if Some(self.kind()) != known().decimal
            && let Ok(integer) = text.parse()
        {
            return Some(Item::Integer(integer));
        }
        decimal(text).map(Item::Decimal)
    }

    /// With a comparator the value is not known.
    fn quantity(self) -> Option<Quantity> {
        let object = self.value()?.as_object()?;
        let number = object.get("value")?.as_number()?;
        let kind = known().quantity?;
        if !super::node::is_kind(self.kind(), kind) || object.contains_key("comparator") {
            return None;
        }
        let value = decimal(number.as_str())?;
        let system = self.text("system");
        let unit = self.text("code").or_else(|| self.text("unit")).unwrap_or("1");
        let unit = match (system, calendar_of(unit)) {
            (Some(UCUM), Some(calendar)) => Unit::Calendar(calendar),
            (Some(UCUM) | None, _) => Unit::Ucum(unit.into()),
            (Some(_), _) => Unit::Foreign(unit.into()),
        };
        Some(Quantity { value, unit })
    }
}

pub(super) const UCUM: &str = "http://unitsofmeasure.org";

/// Of a FHIR Quantity these codes are units of the calendar (fhirpath.html#quantity).
fn calendar_of(code: &str) -> Option<Calendar> {
    Some(match code {
        "a" => Calendar::Year,
        "mo" => Calendar::Month,
        "d" => Calendar::Day,
        "h" => Calendar::Hour,
        "min" => Calendar::Minute,
        "s" => Calendar::Second,
        _ => return None,
    })
}

/// A number as JSON writes it; digits past what a decimal holds are rounded, too large numbers are none.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    if text.contains(['e', 'E']) {
        Decimal::from_scientific(text).ok()
    } else {
        Decimal::from_str(text).ok()
    }
}
