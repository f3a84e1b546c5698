//! A query as it is generated: its parts, and how they are written in an address.

use std::fmt::Write;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Prefix {
    pub(super) const EXACT: [Prefix; 8] = [
        Prefix::Eq,
        Prefix::Ne,
        Prefix::Gt,
        Prefix::Lt,
        Prefix::Ge,
        Prefix::Le,
        Prefix::Sa,
        Prefix::Eb,
    ];

    fn text(self) -> &'static str {
        match self {
            Prefix::Eq => "eq",
            Prefix::Ne => "ne",
            Prefix::Gt => "gt",
            Prefix::Lt => "lt",
            Prefix::Ge => "ge",
            Prefix::Le => "le",
            Prefix::Sa => "sa",
            Prefix::Eb => "eb",
            Prefix::Ap => "ap",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Modifier {
    None,
    Exact,
    Contains,
    Text,
    Not,
    Identifier,
    OfType,
    Kind(&'static str),
    Above,
    Below,
}

impl Modifier {
    fn text(self) -> &'static str {
        match self {
            Modifier::None => "",
            Modifier::Exact => "exact",
            Modifier::Contains => "contains",
            Modifier::Text => "text",
            Modifier::Not => "not",
            Modifier::Identifier => "identifier",
            Modifier::OfType => "of-type",
            Modifier::Kind(kind) => kind,
            Modifier::Above => "above",
            Modifier::Below => "below",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Unit {
    Any,
    Plain(String),
    Coded(String, String),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text(String),
    /// No system: any; an empty one: none may be there.
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    OfType {
        system: String,
        code: String,
        value: String,
    },
    Reference {
        kind: Option<&'static str>,
        id: String,
        is_absolute: bool,
    },
    Url(String),
    /// `eq` may be left out.
    Date {
        prefix: Prefix,
        text: String,
    },
    Number {
        prefix: Prefix,
        digits: String,
    },
    Quantity {
        prefix: Prefix,
        digits: String,
        unit: Unit,
    },
    Uri(String),
    Composite(Box<Operand>, Box<Operand>),
}

#[derive(Clone, Debug)]
pub(super) enum Criterion {
    /// One of the operands.
    Value {
        name: String,
        modifier: Modifier,
        operands: Vec<Operand>,
    },
    Missing {
        name: String,
        is_missing: bool,
    },
    Chain {
        reference: String,
        kind: Option<&'static str>,
        then: Box<Criterion>,
    },
    Has {
        kind: &'static str,
        by: String,
        then: Box<Criterion>,
    },
    Id(Vec<String>),
    List(String),
    /// `_filter`
    Filter(Filter),
}

#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Is(Box<Criterion>),
}

impl Filter {
    fn text(&self, server: &str) -> String {
        match self {
            Filter::And(left, right) => {
                format!("({} and {})", left.text(server), right.text(server))
            }
            Filter::Or(left, right) => format!("({} or {})", left.text(server), right.text(server)),
            Filter::Not(inner) => format!("not ({})", inner.text(server)),
            Filter::Is(criterion) => criterion.comparison(server),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Base {
    Kind(&'static str),
    Compartment { of: &'static str, id: String, kind: &'static str },
    Kinds(Vec<&'static str>),
}

#[derive(Clone, Debug)]
pub(super) struct Include {
    pub(super) kind: &'static str,
    pub(super) by: String,
    pub(super) target: Option<&'static str>,
    pub(super) is_reverse: bool,
    pub(super) is_repeated: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) base: Base,
    pub(super) criteria: Vec<Criterion>,
    /// The parameter, and whether it descends.
    pub(super) sort: Vec<(String, bool)>,
    pub(super) includes: Vec<Include>,
}

impl Query {
    /// Only these criteria, with neither order nor includes.
    pub(super) fn only(&self, criterion: Criterion) -> Query {
        Query {
            base: self.base.clone(),
            criteria: vec![criterion],
            sort: Vec::new(),
            includes: Vec::new(),
        }
    }

    /// Relative to the base of the server.
    pub(super) fn address(&self, server: &str) -> String {
        let mut pairs = Vec::new();
        let path = match &self.base {
            Base::Kind(kind) => (*kind).to_owned(),
            Base::Compartment { of, id, kind } => format!("{of}/{id}/{kind}"),
            Base::Kinds(kinds) => {
                pairs.push(("_type".to_owned(), kinds.join(",")));
                String::new()
            }
        };
        pairs.extend(self.criteria.iter().map(|criterion| criterion.pair(server)));
        for include in &self.includes {
            let name = if include.is_reverse { "_revinclude" } else { "_include" };
            let repeated = if include.is_repeated { ":iterate" } else { "" };
            let target = include.target.map(|target| format!(":{target}")).unwrap_or_default();
            pairs.push((
                format!("{name}{repeated}"),
                format!("{}:{}{target}", include.kind, include.by),
            ));
        }
        if !self.sort.is_empty() {
            let key = |(name, descends): &(String, bool)| {
                format!("{}{name}", if *descends { "-" } else { "" })
            };
            pairs.push((
                "_sort".to_owned(),
                self.sort.iter().map(key).collect::<Vec<_>>().join(","),
            ));
        }
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        format!("{path}?{}", pairs.join("&"))
    }
}

impl Criterion {
    /// As a clause of a `_filter`; of what such a clause can say.
    fn comparison(&self, server: &str) -> String {
        match self {
            Criterion::Value { name, modifier, operands } => {
                let operand = &operands[0];
                let operator = match (operand, modifier) {
                    (Operand::Text(_), Modifier::Contains) => "co",
                    (Operand::Text(_), _) | (_, Modifier::Below) => "sw",
                    (Operand::Date { prefix, .. }, _) => prefix.text(),
                    (Operand::Number { prefix, .. }, _) => prefix.text(),
                    (Operand::Quantity { prefix, .. }, _) => prefix.text(),
                    _ => "eq",
                };
                let mut text = operand.text(server);
                for escaped in [',', '$', '\\'] {
                    text = text.replace(&format!("\\{escaped}"), &escaped.to_string());
                }
                let prefixed = matches!(
                    operand,
                    Operand::Date { .. } | Operand::Number { .. } | Operand::Quantity { .. }
                );
                let value = match text.strip_prefix(operator) {
                    Some(bare) if prefixed => bare,
                    _ => &text,
                };
                format!("{name} {operator} {}", serde_json::json!(value))
            }
            Criterion::Missing { name, is_missing } => format!("{name} pr {}", !is_missing),
            Criterion::Chain { reference, then, .. } => {
                format!("{reference}.{}", then.comparison(server))
            }
            _ => unreachable!("no comparison says {self:?}"),
        }
    }

    fn pair(&self, server: &str) -> (String, String) {
        match self {
            Criterion::Value { name, modifier, operands } => {
                let colon = if *modifier == Modifier::None { "" } else { ":" };
                let values: Vec<String> =
                    operands.iter().map(|operand| operand.text(server)).collect();
                (format!("{name}{colon}{}", modifier.text()), values.join(","))
            }
            Criterion::Missing { name, is_missing } => {
                (format!("{name}:missing"), is_missing.to_string())
            }
            Criterion::Chain { reference, kind, then } => {
                let (name, value) = then.pair(server);
                let kind = kind.map(|kind| format!(":{kind}")).unwrap_or_default();
                (format!("{reference}{kind}.{name}"), value)
            }
            Criterion::Has { kind, by, then } => {
                let (name, value) = then.pair(server);
                (format!("_has:{kind}:{by}:{name}"), value)
            }
            Criterion::Filter(filter) => ("_filter".to_owned(), filter.text(server)),
            Criterion::Id(ids) => ("_id".to_owned(), ids.join(",")),
            Criterion::List(id) => ("_list".to_owned(), id.clone()),
        }
    }
}

impl Operand {
    fn text(&self, server: &str) -> String {
        match self {
            Operand::Text(text) | Operand::Uri(text) | Operand::Url(text) => literal(text),
            Operand::Token { system, code } => {
                let code = literal(code.as_deref().unwrap_or_default());
                system.as_ref().map_or(code.clone(), |system| format!("{}|{code}", literal(system)))
            }
            Operand::OfType { system, code, value } => {
                format!("{system}|{code}|{}", literal(value))
            }
            Operand::Reference { kind, id, is_absolute } => {
                let base = if *is_absolute { format!("{server}/") } else { String::new() };
                let kind = kind.map(|kind| format!("{kind}/")).unwrap_or_default();
                format!("{base}{kind}{id}")
            }
            // `eq` is what is meant where nothing stands: written now and then.
            Operand::Date { prefix: Prefix::Eq, text } if !text.contains('T') => text.clone(),
            Operand::Date { prefix, text } => format!("{}{text}", prefix.text()),
            Operand::Number { prefix: Prefix::Eq, digits } => digits.clone(),
            Operand::Number { prefix, digits } => format!("{}{digits}", prefix.text()),
            Operand::Quantity { prefix, digits, unit } => {
                let unit = match unit {
                    Unit::Any => String::new(),
                    Unit::Plain(text) => format!("||{text}"),
                    Unit::Coded(system, code) => format!("|{system}|{code}"),
                };
                format!("{}{digits}{unit}", prefix.text())
            }
            Operand::Composite(first, second) => {
                format!("{}${}", first.text(server), second.text(server))
            }
        }
    }
}

/// With the characters that divide values escaped.
fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn escaped(text: &str) -> String {
    let mut address = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte) {
            address.push(char::from(byte));
        } else {
            write!(address, "%{byte:02X}").unwrap();
        }
    }
    address
}
