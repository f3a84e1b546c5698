//! The syntax tree of a FHIRPath expression (<https://hl7.org/fhirpath/N1/>, section 9).

use super::function::Function;
use super::pattern::Pattern;
use super::quantity::Quantity;
use super::temporal::{Date, DateTime, Time};
use crate::definitions::{TypeId, r4};
use rust_decimal::Decimal;

/// A term, with what it is made of. Precedence is settled: a tree is evaluated from the inside out.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// `{}`
    Empty,
    Boolean(bool),
    String(Box<str>),
    /// A text that is the regular expression of `matches`, `matchesFull` or `replaceMatches`.
    Pattern(Pattern),
    Integer(i32),
    Decimal(Decimal),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    Quantity(Box<Quantity>),
    /// What a path starts from that starts with a name or a function: `$this` unsaid. Only here may a name be a type.
    Focus,
    /// `$this`
    This,
    /// `$index`
    Index,
    /// `$total`
    Total,
    /// `%resource`, without the `%`.
    Variable(Box<str>),
    /// `start.step.step[step]`: at least one step.
    Path {
        start: Box<Term>,
        steps: Vec<Step>,
    },
    /// `-operand`
    Negative(Box<Term>),
    /// `+operand`
    Positive(Box<Term>),
    Binary {
        operator: Operator,
        left: Box<Term>,
        right: Box<Term>,
    },
    /// `operand is Quantity`
    Is {
        operand: Box<Term>,
        name: TypeName,
    },
    /// `operand as Quantity`
    As {
        operand: Box<Term>,
        name: TypeName,
    },
}

/// What follows a dot, or an index in brackets.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Member(Name),
    Call {
        function: Function,
        arguments: Vec<Term>,
    },
    /// `is(Quantity)`
    Is(TypeName),
    /// `as(Quantity)`
    As(TypeName),
    /// `ofType(Quantity)`
    OfType(TypeName),
    /// `[0]`
    At(Term),
}

/// The name of a child, or at the start of a path of a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: Box<str>,
    /// The JSON property that holds the id and the extensions of a primitive: `_birthDate`.
    pub sibling: Box<str>,
    /// When a type is called so.
    pub kind: Option<TypeId>,
}

impl Name {
    pub fn new(text: &str) -> Name {
        Name {
            text: text.into(),
            sibling: format!("_{text}").into(),
            kind: r4().id(text).filter(|_| text.starts_with(|first: char| first.is_uppercase())),
        }
    }
}

/// The type behind `is`, `as` and `ofType`.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    /// As written: `Quantity`, `FHIR.Quantity`, `System.String`.
    pub text: Box<str>,
    pub kind: NamedType,
}

/// An unqualified name can mean both: `Quantity` is a type of FHIR and of FHIRPath itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedType {
    pub fhir: Option<TypeId>,
    pub system: Option<SystemType>,
}

/// The types of FHIRPath itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemType {
    Any,
    Boolean,
    String,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl SystemType {
    pub fn parse(name: &str) -> Option<SystemType> {
        Some(match name {
            "Any" => SystemType::Any,
            "Boolean" => SystemType::Boolean,
            "String" => SystemType::String,
            "Integer" => SystemType::Integer,
            "Decimal" => SystemType::Decimal,
            "Date" => SystemType::Date,
            "DateTime" => SystemType::DateTime,
            "Time" => SystemType::Time,
            "Quantity" => SystemType::Quantity,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            SystemType::Any => "Any",
            SystemType::Boolean => "Boolean",
            SystemType::String => "String",
            SystemType::Integer => "Integer",
            SystemType::Decimal => "Decimal",
            SystemType::Date => "Date",
            SystemType::DateTime => "DateTime",
            SystemType::Time => "Time",
            SystemType::Quantity => "Quantity",
        }
    }
}

impl TypeName {
    /// A name of no known type has neither: the evaluator says so when it is asked.
    pub fn new(namespace: Option<&str>, name: &str) -> TypeName {
        let text = match namespace {
            Some(namespace) => format!("{namespace}.{name}"),
            None => name.to_owned(),
        };
        let fhir = r4().id(name).filter(|_| namespace.is_none_or(|namespace| namespace == "FHIR"));
        let system =
            SystemType::parse(name).filter(|_| namespace.is_none_or(|space| space == "System"));
        TypeName { text: text.into(), kind: NamedType { fhir, system } }
    }
}

/// From the tightest to the loosest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Multiply,
    Divide,
    /// `div`
    Quotient,
    /// `mod`
    Remainder,
    Add,
    Subtract,
    /// `&`: strings, with nothing as the empty string.
    Join,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    /// `~`
    Equivalent,
    /// `!~`
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

impl Operator {
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Quotient => "div",
            Operator::Remainder => "mod",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Join => "&",
            Operator::Union => "|",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Equivalent => "~",
            Operator::NotEquivalent => "!~",
            Operator::In => "in",
            Operator::Contains => "contains",
            Operator::And => "and",
            Operator::Or => "or",
            Operator::Xor => "xor",
            Operator::Implies => "implies",
        }
    }

    /// How tightly it binds: more is tighter. `is` and `as` stand between `|` and `+`.
    pub(super) fn strength(self) -> u8 {
        match self {
            Operator::Multiply | Operator::Divide | Operator::Quotient | Operator::Remainder => 9,
            Operator::Add | Operator::Subtract | Operator::Join => 8,
            Operator::Union => 6,
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => 5,
            Operator::Equal
            | Operator::NotEqual
            | Operator::Equivalent
            | Operator::NotEquivalent => 4,
            Operator::In | Operator::Contains => 3,
            Operator::And => 2,
            Operator::Or | Operator::Xor => 1,
            Operator::Implies => 0,
        }
    }
}
