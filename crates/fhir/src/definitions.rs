//! The FHIR R4 definitions: types, elements, value sets, search parameters, compartments.
//!
//! Read once from the embedded extract (`crates/fhir/definitions/README.md` describes it); everything borrows from it.

mod extract;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The definitions of FHIR 4.0.1.
pub fn r4() -> &'static Definitions {
    static R4: LazyLock<Definitions> = LazyLock::new(extract::read);
    &R4
}

pub struct Definitions {
    types: Vec<Type>,
    by_name: HashMap<&'static str, TypeId>,
    value_sets: HashMap<&'static str, ValueSet>,
    parameters: Vec<SearchParameter>,
    compartments: HashMap<(&'static str, &'static str), Vec<&'static str>>,
}

/// The place of a type in `Definitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TypeId(u16);

/// A primitive, a data type, a resource, or a group of children defined in place (`Patient.contact`).
#[derive(Debug)]
pub struct Type {
    pub name: &'static str,
    pub kind: Kind,
    /// The type it specialises: `DomainResource` for `Patient`; `BackboneElement` for most groups.
    pub base: Option<&'static str>,
    pub is_abstract: bool,
    /// What the text of a primitive has to match, without anchors; empty when there is none.
    pub regex: &'static str,
    /// In the order of the specification, which is the order of XML; inherited elements included.
    pub elements: Vec<Element>,
    /// Of this type alone: those of its bases are found there.
    pub constraints: Vec<Constraint>,
    names: HashMap<String, (u16, u16)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Primitive,
    Complex,
    Resource,
    Group,
}

#[derive(Debug)]
pub struct Element {
    /// Without the `[x]` of a choice.
    pub name: &'static str,
    pub is_choice: bool,
    pub min: u32,
    /// `None` is `*`.
    pub max: Option<u32>,
    pub is_summary: bool,
    pub is_modifier: bool,
    pub types: Vec<ElementType>,
    /// URL of the value set bound as `required`.
    pub binding: Option<&'static str>,
    pub constraints: Vec<Constraint>,
}

#[derive(Debug)]
pub struct ElementType {
    /// As FHIR names it: `Reference`, `Quantity` (also where the profile SimpleQuantity is asked), `BackboneElement`.
    pub code: &'static str,
    /// What its children are: the profile where one is asked, the group where the children are defined in place.
    pub id: TypeId,
    /// The resource types a Reference or canonical may point at; empty or `Resource` is any.
    pub targets: Vec<&'static str>,
    /// The property's name in JSON and XML: `valueQuantity` for the choice `value[x]`.
    pub property: String,
}

#[derive(Debug)]
pub struct Constraint {
    pub key: &'static str,
    pub is_error: bool,
    pub expression: &'static str,
    pub human: &'static str,
}

/// The codes of an enumerable value set, by code system.
#[derive(Debug, Default)]
pub struct ValueSet {
    pub codes: HashMap<&'static str, HashSet<&'static str>>,
}

impl ValueSet {
    /// A `code` carries no system: any system of the set may have it.
    pub fn has_code(&self, code: &str) -> bool {
        self.codes.values().any(|codes| codes.contains(code))
    }

    pub fn has_coding(&self, system: &str, code: &str) -> bool {
        self.codes.get(system).is_some_and(|codes| codes.contains(code))
    }
}

/// A SearchParameter of the standard.
#[derive(Debug)]
pub struct SearchParameter {
    /// The last part of its canonical URL: `Patient-identifier`, `clinical-code`.
    pub id: &'static str,
    pub code: &'static str,
    pub kind: ParameterKind,
    /// The types it searches; `Resource` and `DomainResource` stand for all of theirs.
    pub bases: Vec<&'static str>,
    pub targets: Vec<&'static str>,
    pub expression: &'static str,
    /// Of a composite: the parameter's id and the expression relative to this parameter's own.
    pub components: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParameterKind {
    String,
    Token,
    Reference,
    Date,
    Number,
    Quantity,
    Uri,
    Composite,
    Special,
}

impl ParameterKind {
    /// The code of <http://hl7.org/fhir/search-param-type>.
    pub fn code(self) -> &'static str {
        match self {
            ParameterKind::String => "string",
            ParameterKind::Token => "token",
            ParameterKind::Reference => "reference",
            ParameterKind::Date => "date",
            ParameterKind::Number => "number",
            ParameterKind::Quantity => "quantity",
            ParameterKind::Uri => "uri",
            ParameterKind::Composite => "composite",
            ParameterKind::Special => "special",
        }
    }
}

impl Definitions {
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[usize::from(id.0)]
    }

    pub fn id(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    pub fn find(&self, name: &str) -> Option<&Type> {
        self.id(name).map(|id| self.get(id))
    }

    /// A resource type that instances can have: not abstract.
    pub fn resource(&self, name: &str) -> Option<&Type> {
        self.find(name).filter(|found| found.kind == Kind::Resource && !found.is_abstract)
    }

    pub fn types(&self) -> impl Iterator<Item = &Type> {
        self.types.iter()
    }

    /// Resource types that instances can have, in alphabetical order.
    pub fn resources(&self) -> impl Iterator<Item = &Type> {
        self.types.iter().filter(|found| found.kind == Kind::Resource && !found.is_abstract)
    }

    /// Whether `name` is `ancestor` or specialises it.
    pub fn is_a(&self, name: &str, ancestor: &str) -> bool {
        let mut current = Some(name);
        while let Some(name) = current {
            if name == ancestor {
                return true;
            }
            current = self.find(name).and_then(|found| found.base);
        }
        false
    }

    pub fn value_set(&self, url: &str) -> Option<&ValueSet> {
        self.value_sets.get(url)
    }

    pub fn search_parameters(&self) -> &[SearchParameter] {
        &self.parameters
    }

    /// The search parameters that place a resource of this type in a compartment.
    pub fn compartment(&self, compartment: &str, resource: &str) -> &[&'static str] {
        self.compartments
            .iter()
            .find(|((name, kind), _)| *name == compartment && *kind == resource)
            .map(|(_, parameters)| parameters.as_slice())
            .unwrap_or_default()
    }
}

impl Type {
    /// The element and the type that a JSON or XML property stands for: `valueQuantity`, not `value`.
    pub fn property(&self, name: &str) -> Option<(&Element, &ElementType)> {
        let (element, kind) = self.names.get(name)?;
        let element = &self.elements[usize::from(*element)];
        Some((element, &element.types[usize::from(*kind)]))
    }

    /// The properties that JSON and XML may have.
    pub fn properties(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The element by its name in FHIRPath: `value` for the choice `value[x]`.
    pub fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }
}

impl Element {
    pub fn is_repeating(&self) -> bool {
        self.max != Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, r4};

    #[test]
    fn the_extract_is_whole() {
        assert_eq!(r4().resources().count(), 146);
        assert_eq!(r4().search_parameters().len(), 1375);
        assert!(
            r4().types()
                .all(|found| found.elements.iter().all(|element| !element.types.is_empty()))
        );
    }

    #[test]
    fn a_choice_is_found_by_its_property() {
        let observation = r4().find("Observation").unwrap();
        let (element, kind) = observation.property("valueQuantity").unwrap();
        assert_eq!((element.name, element.is_choice, kind.code), ("value", true, "Quantity"));
        assert!(observation.property("value").is_none());
    }

    #[test]
    fn children_defined_elsewhere_are_followed() {
        let (_, kind) =
            r4().find("Observation.component").unwrap().property("referenceRange").unwrap();
        assert_eq!(r4().get(kind.id).name, "Observation.referenceRange");
        assert_eq!(r4().get(kind.id).kind, Kind::Group);
        assert_eq!(kind.code, "BackboneElement");
    }

    #[test]
    fn inheritance_is_known() {
        assert!(r4().is_a("Patient", "DomainResource"));
        assert!(r4().is_a("Age", "Quantity"));
        assert!(!r4().is_a("Bundle", "DomainResource"));
    }

    #[test]
    fn required_codes_are_enumerated() {
        let genders = r4().value_set("http://hl7.org/fhir/ValueSet/administrative-gender").unwrap();
        assert!(genders.has_code("female"));
        assert!(!genders.has_code("f"));
    }
}
