//! What a query must find, in memory, one resource after the other.

use super::parameters::{COMPARTMENTS, Kind, elements, parameter};
use super::query::{Base, Criterion, Filter, Include, Modifier, Query};
use super::values::{canonical, holds, local, number, plain, span, texts, tokens};
use super::world::{UCUM, World};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn kind_of(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap()
}

pub(super) fn name_of(resource: &Value) -> String {
    format!("{}/{}", kind_of(resource), resource["id"].as_str().unwrap())
}

/// The resources that match, as `Type/id`.
pub(super) fn matches(world: &World, query: &Query) -> BTreeSet<String> {
    let is_match = |resource: &&Value| {
        is_in_base(resource, &query.base)
            && query.criteria.iter().all(|criterion| is_so(world, resource, criterion))
    };
    world.resources.iter().filter(is_match).map(name_of).collect()
}

fn is_in_base(resource: &Value, base: &Base) -> bool {
    match base {
        Base::Kind(kind) => kind_of(resource) == *kind,
        Base::Kinds(kinds) => kinds.contains(&kind_of(resource)),
        Base::Compartment { of, id, kind } => {
            let row = COMPARTMENTS.iter().find(|row| row.0 == *of && row.1 == *kind).unwrap();
            kind_of(resource) == *kind
                && row.2.iter().any(|name| {
                    references(resource, name).contains(&((*of).to_owned(), id.clone()))
                })
        }
    }
}

/// Where a resource refers to by a parameter, on this server.
fn references(resource: &Value, name: &str) -> Vec<(String, String)> {
    let Some(parameter) = parameter(kind_of(resource), name) else { return Vec::new() };
    let elements = elements(resource, parameter);
    let local = elements.iter().filter_map(local);
    local.map(|(kind, id)| (kind.to_owned(), id.to_owned())).collect()
}

fn is_so(world: &World, resource: &Value, criterion: &Criterion) -> bool {
    match criterion {
        Criterion::Value { name, modifier, operands } => {
            let Some(parameter) = parameter(kind_of(resource), name) else { return false };
            let elements = elements(resource, parameter);
            let has = elements.iter().any(|element| {
                operands.iter().any(|operand| holds(element, parameter, *modifier, operand))
            });
            if *modifier == Modifier::Not { !has } else { has }
        }
        Criterion::Missing { name, is_missing } => {
            let Some(parameter) = parameter(kind_of(resource), name) else { return false };
            elements(resource, parameter).is_empty() == *is_missing
        }
        Criterion::Chain { reference, kind, then } => {
            let to = references(resource, reference);
            to.iter()
                .filter(|(to, _)| kind.is_none_or(|kind| kind == to))
                .any(|(to, id)| world.get(to, id).is_some_and(|target| is_so(world, target, then)))
        }
        Criterion::Has { kind, by, then } => {
            let own = (kind_of(resource).to_owned(), resource["id"].as_str().unwrap().to_owned());
            world
                .of(kind)
                .any(|other| references(other, by).contains(&own) && is_so(world, other, then))
        }
        Criterion::Filter(filter) => is_filtered(world, resource, filter),
        Criterion::Id(ids) => ids.iter().any(|id| resource["id"] == **id),
        Criterion::List(id) => world.get("List", id).is_some_and(|list| {
            let entries = list["entry"].as_array().unwrap();
            entries.iter().any(|entry| {
                local(&entry["item"])
                    .is_some_and(|(kind, id)| kind == kind_of(resource) && resource["id"] == *id)
            })
        }),
    }
}

fn is_filtered(world: &World, resource: &Value, filter: &Filter) -> bool {
    match filter {
        Filter::And(left, right) => {
            is_filtered(world, resource, left) && is_filtered(world, resource, right)
        }
        Filter::Or(left, right) => {
            is_filtered(world, resource, left) || is_filtered(world, resource, right)
        }
        Filter::Not(inner) => !is_filtered(world, resource, inner),
        Filter::Is(criterion) => is_so(world, resource, criterion),
    }
}

/// What comes with the matches.
pub(super) fn included(
    world: &World,
    query: &Query,
    matches: &BTreeSet<String>,
) -> BTreeSet<String> {
    let of = |names: &BTreeSet<String>, include: &Include| -> BTreeSet<String> {
        let sources = names.iter().filter_map(|name| name.split_once('/'));
        let resources: Vec<&Value> = sources.filter_map(|(kind, id)| world.get(kind, id)).collect();
        let is_target = |kind: &str| include.target.is_none_or(|target| target == kind);
        if include.is_reverse {
            let refers = |other: &&Value| {
                references(other, &include.by)
                    .iter()
                    .any(|(kind, id)| is_target(kind) && names.contains(&format!("{kind}/{id}")))
            };
            return world.of(include.kind).filter(refers).map(name_of).collect();
        }
        let to = resources
            .into_iter()
            .filter(|resource| kind_of(resource) == include.kind)
            .flat_map(|resource| references(resource, &include.by));
        to.filter(|(kind, id)| is_target(kind) && world.get(kind, id).is_some())
            .map(|(kind, id)| format!("{kind}/{id}"))
            .collect()
    };
    let mut all = matches.clone();
    for include in &query.includes {
        all.extend(of(matches, include));
    }
    loop {
        let before = all.len();
        for include in query.includes.iter().filter(|include| include.is_repeated) {
            all.extend(of(&all, include));
        }
        if all.len() == before {
            return all.difference(matches).cloned().collect();
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    Text(String),
    Number(i128),
}

/// What the specification leaves open: which end of a range counts, and whether units do.
#[derive(Clone, Copy)]
struct Reading {
    is_by_end: bool,
    is_as_written: bool,
}

/// What a resource is ordered by: of several values the one that comes first.
fn key(resource: &Value, name: &str, descends: bool, reading: Reading) -> Option<Key> {
    if name == "_id" {
        return Some(Key::Text(resource["id"].as_str().unwrap().to_owned()));
    }
    if name == "_lastUpdated" {
        return Some(Key::Text(resource["meta"]["lastUpdated"].as_str().unwrap().to_owned()));
    }
    let parameter = parameter(kind_of(resource), name)?;
    let elements = elements(resource, parameter);
    let keys = elements.iter().flat_map(|element| match parameter.kind {
        Kind::Text => texts(element).into_iter().map(|text| Key::Text(plain(text))).collect(),
        Kind::Token => {
            tokens(element, None).into_iter().map(|token| Key::Text(token.code)).collect()
        }
        Kind::Date => {
            let (start, end) = span(element);
            vec![Key::Number(i128::from(if reading.is_by_end { end } else { start }))]
        }
        Kind::Number => vec![Key::Number(number(element))],
        Kind::Quantity => {
            let multiple = match element["code"].as_str() {
                Some(code) if element["system"] == UCUM && !reading.is_as_written => {
                    canonical(code).1
                }
                _ => 1,
            };
            vec![Key::Number(number(&element["value"]) * multiple)]
        }
        Kind::Uri => vec![Key::Text(element.as_str().unwrap().to_owned())],
        Kind::Reference | Kind::Composite(..) => Vec::new(),
    });
    if descends { keys.max() } else { keys.min() }
}

/// The first two neighbours that stand in the wrong order, in whatever way it is read.
pub(super) fn disorder(resources: &[Value], sort: &[(String, bool)]) -> Option<String> {
    let check = |reading: Reading| {
        let keys = |resource: &Value| -> Vec<Option<Key>> {
            sort.iter().map(|(name, descends)| key(resource, name, *descends, reading)).collect()
        };
        resources.windows(2).find_map(|pair| {
            let (first, second) = (keys(&pair[0]), keys(&pair[1]));
            let names = (name_of(&pair[0]), name_of(&pair[1]));
            let wrong = format!("{} {first:?} before {} {second:?}", names.0, names.1);
            is_after(&first, &second, sort).then_some(wrong)
        })
    };
    let readings = [(false, false), (false, true), (true, false), (true, true)];
    let mut wrongs = Vec::new();
    for (is_by_end, is_as_written) in readings {
        wrongs.push(check(Reading { is_by_end, is_as_written })?);
    }
    wrongs.into_iter().next()
}

fn is_after(first: &[Option<Key>], second: &[Option<Key>], sort: &[(String, bool)]) -> bool {
    for ((first, second), (name, descends)) in first.iter().zip(second).zip(sort) {
        // The specification does not say how names made of parts are put in order, nor Chinese: others test what was chosen.
        let is_open = |key: &Option<Key>| matches!(key, Some(Key::Text(text)) if !text.is_ascii());
        if ["name", "phonetic"].contains(&name.as_str()) || is_open(first) || is_open(second) {
            return false;
        }
        match (first, second) {
            (None, Some(_)) => return true,
            (Some(_), None) => return false,
            (Some(first), Some(second)) if first != second => {
                return if *descends { first < second } else { first > second };
            }
            _ => {}
        }
    }
    false
}
