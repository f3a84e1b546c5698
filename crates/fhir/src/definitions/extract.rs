//! Reads the embedded extract. It is ours and tested, so a malformed line is skipped rather than reported.

use super::{
    Constraint, Definitions, Element, ElementType, Kind, ParameterKind, SearchParameter, Type,
    TypeId, ValueSet,
};
use std::collections::HashMap;

const TYPES: &str = include_str!("../../definitions/types.txt");
const VALUE_SETS: &str = include_str!("../../definitions/value_sets.txt");
const SEARCH_PARAMETERS: &str = include_str!("../../definitions/search_parameters.txt");
const COMPARTMENTS: &str = include_str!("../../definitions/compartments.txt");

pub(super) fn read() -> Definitions {
    let by_name: HashMap<&'static str, TypeId> = TYPES
        .lines()
        .filter_map(|line| line.strip_prefix("type\t")?.split('\t').next())
        .enumerate()
        .map(|(place, name)| (name, TypeId(u16::try_from(place).unwrap_or(u16::MAX))))
        .collect();
    Definitions {
        types: types(&by_name),
        by_name,
        value_sets: value_sets(),
        parameters: SEARCH_PARAMETERS.lines().filter_map(parameter).collect(),
        compartments: COMPARTMENTS.lines().filter_map(compartment).collect(),
    }
}

fn types(by_name: &HashMap<&'static str, TypeId>) -> Vec<Type> {
    let mut types: Vec<Type> = Vec::new();
    for line in TYPES.lines() {
        let columns: Vec<&'static str> = line.split('\t').collect();
        match columns.as_slice() {
            ["type", name, kind, base, is_abstract, regex] => types.push(Type {
                name,
                kind: parse_kind(kind),
                base: Some(*base).filter(|base| !base.is_empty()),
                is_abstract: *is_abstract == "abstract",
                regex,
                elements: Vec::new(),
                constraints: Vec::new(),
                names: HashMap::new(),
            }),
            ["element", name, min, max, flags, kinds, binding] => {
                let Some(owner) = types.last_mut() else { continue };
                let (name, is_choice) = match name.strip_suffix("[x]") {
                    Some(stem) => (stem, true),
                    None => (*name, false),
                };
                owner.elements.push(Element {
                    name,
                    is_choice,
                    min: min.parse().unwrap_or(0),
                    max: max.parse().ok(),
                    is_summary: flags.contains('s'),
                    is_modifier: flags.contains('m'),
                    types: kinds
                        .split(',')
                        .filter_map(|kind| element_type(kind, name, is_choice, by_name))
                        .collect(),
                    binding: Some(*binding).filter(|binding| !binding.is_empty()),
                    constraints: Vec::new(),
                });
            }
            ["constraint", key, severity, expression, human] => {
                let Some(owner) = types.last_mut() else { continue };
                let constraint =
                    Constraint { key, is_error: *severity == "error", expression, human };
                match owner.elements.last_mut() {
                    Some(element) => element.constraints.push(constraint),
                    None => owner.constraints.push(constraint),
                }
            }
            _ => {}
        }
    }
    types.into_iter().map(with_names).collect()
}

fn with_names(mut owner: Type) -> Type {
    for (place, element) in (0u16..).zip(&owner.elements) {
        for (which, kind) in (0u16..).zip(&element.types) {
            owner.names.insert(kind.property.clone(), (place, which));
        }
    }
    owner
}

/// `Reference(Patient Group)`, `Quantity:SimpleQuantity`, `@Patient.contact`, `string`.
fn element_type(
    text: &'static str,
    name: &'static str,
    is_choice: bool,
    by_name: &HashMap<&'static str, TypeId>,
) -> Option<ElementType> {
    let (code, children, targets) = if let Some(group) = text.strip_prefix('@') {
        ("BackboneElement", group, "")
    } else if let Some((code, profile)) = text.split_once(':') {
        (code, profile, "")
    } else if let Some((code, rest)) = text.split_once('(') {
        (code, code, rest.trim_end_matches(')'))
    } else {
        (text, text, "")
    };
    let property = if is_choice { format!("{name}{}", capitalised(code)) } else { name.to_owned() };
    Some(ElementType {
        code,
        id: by_name.get(children).copied()?,
        targets: targets.split_whitespace().collect(),
        property,
    })
}

fn capitalised(code: &str) -> String {
    let mut characters = code.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn parse_kind(text: &str) -> Kind {
    match text {
        "primitive-type" => Kind::Primitive,
        "resource" => Kind::Resource,
        "group" => Kind::Group,
        _ => Kind::Complex,
    }
}

fn value_sets() -> HashMap<&'static str, ValueSet> {
    let mut sets: HashMap<&'static str, ValueSet> = HashMap::new();
    let mut current = "";
    for line in VALUE_SETS.lines() {
        let mut columns = line.split('\t');
        match (columns.next(), columns) {
            (Some("value_set"), mut rest) => current = rest.next().unwrap_or_default(),
            (Some(system), rest) => {
                sets.entry(current).or_default().codes.insert(system, rest.collect());
            }
            (None, _) => {}
        }
    }
    sets
}

fn parameter(line: &'static str) -> Option<SearchParameter> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [id, code, kind, bases, targets, expression, components] = columns.as_slice() else {
        return None;
    };
    Some(SearchParameter {
        id,
        code,
        kind: parameter_kind(kind)?,
        bases: bases.split_whitespace().collect(),
        targets: targets.split_whitespace().collect(),
        expression,
        components: components.split(';').filter_map(|part| part.split_once('=')).collect(),
    })
}

fn parameter_kind(text: &str) -> Option<ParameterKind> {
    Some(match text {
        "string" => ParameterKind::String,
        "token" => ParameterKind::Token,
        "reference" => ParameterKind::Reference,
        "date" => ParameterKind::Date,
        "number" => ParameterKind::Number,
        "quantity" => ParameterKind::Quantity,
        "uri" => ParameterKind::Uri,
        "composite" => ParameterKind::Composite,
        "special" => ParameterKind::Special,
        _ => return None,
    })
}

type Compartment = ((&'static str, &'static str), Vec<&'static str>);

fn compartment(line: &'static str) -> Option<Compartment> {
    let mut columns = line.split('\t');
    let key = (columns.next()?, columns.next()?);
    Some((key, columns.next()?.split_whitespace().collect()))
}
