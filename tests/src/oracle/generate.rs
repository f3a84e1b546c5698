//! Random queries, mostly about values that are there.

use super::parameters::{
    COMPARTMENTS, KINDS, Kind, PARAMETERS, Parameter, elements, parameter, parameters,
};
use super::query::{Base, Criterion, Filter, Include, Modifier, Operand, Prefix, Query, Unit};
use super::random::Random;
use super::values::{plain, said, texts, tokens};
use super::world::{
    CODES, ELSEWHERE, HERE, IDENTIFIERS, MOMENTS, NAMES, SYSTEMS, TYPES, UCUM, URLS, World,
};
use serde_json::Value;

/// Words for strings that no resource has to the letter.
const WORDS: [&str; 6] = ["mull", "JOS", "ann", "bri", "zz", "dr"];
/// Finer and coarser than what resources have, and between.
const ASKED: [&str; 14] = [
    "1986",
    "1986-07",
    "1989-12-31",
    "2023",
    "2023-11-05T16:00",
    "2023-12-31T16:00:00Z",
    "2024",
    "2024-01-01",
    "2024-02",
    "2024-03-01",
    "2024-03-01T00:00",
    "2024-03-02T12:30+08:00",
    "2024-12-31T23:59:59",
    "2025-06-01",
];

pub(super) fn query(random: &mut Random, world: &World) -> Query {
    let base = base(random, world);
    let kind = match &base {
        Base::Kind(kind) | Base::Compartment { kind, .. } => *kind,
        Base::Kinds(kinds) => return across(random, world, kinds.clone()),
    };
    let count = *random.pick(&[0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3]);
    let mut criteria: Vec<Criterion> =
        (0..count).map(|_| criterion(random, world, kind, 2)).collect();
    if random.percent(12) {
        criteria.push(Criterion::Filter(filter(random, world, kind, 2)));
    }
    // The same parameter once more: both must be so.
    if let Some(Criterion::Value { name, .. }) = criteria.first()
        && random.percent(15)
    {
        let again = parameter(kind, name).unwrap();
        criteria.push(value(random, world, kind, again));
    }
    let sort = if random.percent(35) { sort(random, kind, &criteria) } else { Vec::new() };
    let includes = if random.percent(40) { includes(random, kind) } else { Vec::new() };
    Query { base, criteria, sort, includes }
}

fn base(random: &mut Random, world: &World) -> Base {
    match random.below(12) {
        0 => {
            let (of, kind, _) = *random.pick(COMPARTMENTS);
            let owners: Vec<&Value> = world.of(of).collect();
            let id = random.pick(&owners)["id"].as_str().unwrap().to_owned();
            Base::Compartment { of, id, kind }
        }
        1 => {
            let count = 1 + random.below(3);
            Base::Kinds(random.some(&KINDS, count))
        }
        2..=4 => Base::Kind("Patient"),
        5..=8 => Base::Kind("Observation"),
        _ => Base::Kind(random.pick::<&str>(&KINDS)),
    }
}

/// Over several types: only what all of them know.
fn across(random: &mut Random, world: &World, kinds: Vec<&'static str>) -> Query {
    let known = parameters(kinds[0]);
    let is_common = |one: &&'static Parameter| {
        kinds.iter().all(|kind| {
            parameter(kind, one.name).is_some_and(|other| {
                other.kind == one.kind
                    && other.implied == one.implied
                    && other.targets == one.targets
            })
        })
    };
    let common: Vec<&'static Parameter> = known.into_iter().filter(is_common).collect();
    let mut criteria = Vec::new();
    if random.percent(50) {
        let one = *random.pick(&common);
        criteria.push(value(random, world, kinds[0], one));
    }
    if random.percent(40) {
        criteria.push(ids(random, world));
    }
    // Several types are ordered by nothing else.
    let is_sorted = random.percent(30);
    let sort = is_sorted.then(|| ("_lastUpdated".to_owned(), random.percent(50)));
    let sort = sort.into_iter().collect();
    Query { base: Base::Kinds(kinds), criteria, sort, includes: Vec::new() }
}

fn criterion(random: &mut Random, world: &World, kind: &'static str, hops: usize) -> Criterion {
    if hops > 0 {
        match random.below(10) {
            0 | 1 => {
                if let Some(chain) = chain(random, world, kind, hops) {
                    return chain;
                }
            }
            2 => {
                if let Some(has) = has(random, world, kind, hops) {
                    return has;
                }
            }
            _ => {}
        }
    }
    if hops == 2 && random.percent(6) {
        return ids(random, world);
    }
    if hops == 2 && random.percent(4) && ["Patient", "Observation"].contains(&kind) {
        return Criterion::List(random.pick(&["l1", "l2", "l3"]).to_string());
    }
    let known = parameters(kind);
    let one = *random.pick(&known);
    value(random, world, kind, one)
}

fn filter(random: &mut Random, world: &World, kind: &'static str, depth: usize) -> Filter {
    let inner = |random: &mut Random| Box::new(filter(random, world, kind, depth - 1));
    match random.below(if depth == 0 { 3 } else { 6 }) {
        3 => {
            let left = inner(random);
            Filter::And(left, inner(random))
        }
        4 => {
            let left = inner(random);
            Filter::Or(left, inner(random))
        }
        5 => Filter::Not(inner(random)),
        _ => Filter::Is(Box::new(compared(random, world, kind))),
    }
}

/// A criterion that a comparison can say.
fn compared(random: &mut Random, world: &World, kind: &'static str) -> Criterion {
    loop {
        let found = criterion(random, world, kind, 1);
        let is_said = |modifier: &Modifier| {
            matches!(modifier, Modifier::None | Modifier::Contains | Modifier::Below)
        };
        let simple = match &found {
            Criterion::Chain { kind: None, then, .. } => then,
            _ => &found,
        };
        match simple {
            Criterion::Value { name, modifier, operands }
                if is_said(modifier)
                    && operands.len() == 1
                    && !matches!(operands[0], Operand::Composite(..))
                    && name != "_tag" =>
            {
                return found;
            }
            Criterion::Missing { .. } => return found,
            _ => {}
        }
    }
}

fn ids(random: &mut Random, world: &World) -> Criterion {
    let count = 1 + random.below(4);
    let mut id = || match random.below(10) {
        0 => "nobody".to_owned(),
        _ => random.pick(&world.resources)["id"].as_str().unwrap().to_owned(),
    };
    Criterion::Id((0..count).map(|_| id()).collect())
}

/// The type that is searched for, of the types that a reference goes to.
fn target(random: &mut Random, parameter: &Parameter) -> Option<&'static str> {
    let searched = |kind: &&'static str| *kind == "Group" || KINDS.contains(kind);
    let targets: Vec<&'static str> =
        parameter.targets.iter().copied().filter(|kind| searched(kind)).collect();
    if targets.is_empty() { None } else { Some(*random.pick(&targets)) }
}

fn chain(random: &mut Random, world: &World, kind: &'static str, hops: usize) -> Option<Criterion> {
    let known = parameters(kind);
    let references: Vec<_> = known.into_iter().filter(|one| one.kind == Kind::Reference).collect();
    if references.is_empty() {
        return None;
    }
    let reference = *random.pick(&references);
    let to = target(random, reference)?;
    let then = Box::new(criterion(random, world, to, hops - 1));
    // `_has` names what refers to one type, so the type must be clear.
    let is_named = reference.targets.len() > 1
        && (matches!(*then, Criterion::Has { .. }) || random.percent(60))
        || random.percent(30);
    let kind = is_named.then_some(to);
    Some(Criterion::Chain { reference: reference.name.to_owned(), kind, then })
}

fn has(random: &mut Random, world: &World, kind: &'static str, hops: usize) -> Option<Criterion> {
    let referring: Vec<&Parameter> =
        PARAMETERS.iter().filter(|one| one.targets.contains(&kind)).collect();
    if referring.is_empty() {
        return None;
    }
    let by = *random.pick(&referring);
    let then = Box::new(criterion(random, world, by.on, hops - 1));
    Some(Criterion::Has { kind: by.on, by: by.name.to_owned(), then })
}

fn value(
    random: &mut Random,
    world: &World,
    kind: &'static str,
    parameter: &'static Parameter,
) -> Criterion {
    let name = parameter.name.to_owned();
    if random.percent(12) && !matches!(parameter.kind, Kind::Composite(..)) {
        return Criterion::Missing { name, is_missing: random.percent(50) };
    }
    let is_identifier = name == "identifier";
    let modifier = match (parameter.kind, random.below(10)) {
        (Kind::Text, 0 | 1) => Modifier::Exact,
        (Kind::Text, 2 | 3) => Modifier::Contains,
        (Kind::Token, 0 | 1) => Modifier::Not,
        (Kind::Token, 2 | 3) if is_identifier => Modifier::OfType,
        (Kind::Token, 2 | 3) if parameter.implied.is_none() => Modifier::Text,
        (Kind::Reference, 0) => Modifier::Identifier,
        (Kind::Reference, 1 | 2) => Modifier::Kind(random.pick::<&str>(parameter.targets)),
        (Kind::Uri, 0..=2) => Modifier::Below,
        (Kind::Uri, 3..=5) => Modifier::Above,
        _ => Modifier::None,
    };
    let all: Vec<Value> =
        world.of(kind).flat_map(|resource| elements(resource, parameter)).collect();
    let count = *random.pick(&[1, 1, 1, 1, 2, 2, 3]);
    let operands = (0..count)
        .map(|_| {
            let example = if all.is_empty() { None } else { Some(random.pick(&all).clone()) };
            operand(random, parameter, modifier, example.as_ref())
        })
        .collect();
    Criterion::Value { name, modifier, operands }
}

fn operand(
    random: &mut Random,
    parameter: &Parameter,
    modifier: Modifier,
    example: Option<&Value>,
) -> Operand {
    match parameter.kind {
        Kind::Text => {
            Operand::Text(words(random, modifier, example.map(texts).unwrap_or_default()))
        }
        Kind::Token if modifier == Modifier::OfType => Operand::OfType {
            system: TYPES.to_owned(),
            code: random.pick(&["MR", "SS"]).to_string(),
            value: random.pick(&IDENTIFIERS).to_string(),
        },
        Kind::Token if modifier == Modifier::Text => {
            Operand::Text(words(random, modifier, example.map(said).unwrap_or_default()))
        }
        Kind::Token => token(random, parameter.implied, example),
        Kind::Reference if modifier == Modifier::Identifier => {
            let identifier = example.map(|element| &element["identifier"]);
            token(random, None, identifier.filter(|identifier| identifier.is_object()))
        }
        Kind::Reference => reference(random, parameter, modifier, example),
        Kind::Date => {
            let moments = if random.percent(50) { &MOMENTS } else { &ASKED };
            let text = *random.pick(moments);
            Operand::Date { prefix: prefix(random), text: text.to_owned() }
        }
        Kind::Number => {
            if random.percent(10) {
                return Operand::Number { prefix: Prefix::Ap, digits: "29".to_owned() };
            }
            let digits = random.pick(&[
                "0.25", "0.3", "0.30", "0.2", "1", "0.245", "30.0", "0.250", "2.5e-1", "3.0e1",
            ]);
            Operand::Number { prefix: prefix(random), digits: digits.to_string() }
        }
        Kind::Quantity if parameter.name == "onset-age" => age(random),
        Kind::Quantity => quantity(random, example),
        Kind::Uri => uri(random, modifier),
        Kind::Composite(first, second) => {
            let mut part = |of: &'static Parameter| {
                let elements = example.map(|example| elements(example, of)).unwrap_or_default();
                operand(random, of, Modifier::None, elements.first())
            };
            Operand::Composite(Box::new(part(first)), Box::new(part(second)))
        }
    }
}

fn prefix(random: &mut Random) -> Prefix {
    if random.percent(25) { Prefix::Eq } else { *random.pick(&Prefix::EXACT) }
}

fn words(random: &mut Random, modifier: Modifier, examples: Vec<&str>) -> String {
    let text = match examples.is_empty() || random.percent(25) {
        true => *random.pick(&[NAMES.as_slice(), &WORDS].concat()),
        false => *random.pick(&examples),
    };
    let letters: Vec<char> = text.chars().collect();
    let changed = match random.below(7) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 | 3 if modifier != Modifier::Exact => {
            let from = if modifier == Modifier::Contains { random.below(letters.len()) } else { 0 };
            let length = 1 + random.below(letters.len() - from);
            letters[from..from + length].iter().collect()
        }
        4 => plain(text),
        5 => format!("{text}e"),
        _ => text.to_owned(),
    };
    // What is nothing but punctuation asks for nothing.
    if plain(&changed).is_empty() { text.to_owned() } else { changed.trim().to_owned() }
}

fn token(random: &mut Random, implied: Option<&str>, example: Option<&Value>) -> Operand {
    let examples = example.map(|element| tokens(element, implied)).unwrap_or_default();
    if examples.is_empty() || random.percent(10) {
        let any = [Some(""), None, Some("urn:a"), Some("http://loinc.org")];
        let system = random.pick(&any).filter(|_| implied.is_none()).map(str::to_owned);
        let codes = [CODES.as_slice(), &["true", "1", "male"]].concat();
        let code = random.pick(&codes).to_string();
        return Operand::Token { system, code: Some(code) };
    }
    let one = random.pick(&examples);
    let code = match random.below(4) {
        0 if !one.is_identifier => one.code.to_uppercase(),
        1 if !one.is_identifier => one.code.to_lowercase(),
        _ => one.code.clone(),
    };
    // A flag is asked for as it is written.
    let code = if ["TRUE", "FALSE"].contains(&code.as_str()) { one.code.clone() } else { code };
    let (system, code) = match (&one.system, random.below(8)) {
        (Some(system), 0..=2) => (Some(system.clone()), Some(code)),
        (Some(system), 3) if implied.is_none() => (Some(system.clone()), None),
        (Some(_), 4) if implied.is_none() => (Some(String::new()), Some(code)),
        (Some(_), 5) => (Some(random.pick(&SYSTEMS).to_string()), Some(code)),
        (None, 0..=3) if example.is_some_and(Value::is_object) => (Some(String::new()), Some(code)),
        _ => (None, Some(code)),
    };
    Operand::Token { system, code }
}

fn reference(
    random: &mut Random,
    parameter: &Parameter,
    modifier: Modifier,
    example: Option<&Value>,
) -> Operand {
    let text = example.and_then(|element| element["reference"].as_str());
    let text = text.map(|text| text.strip_prefix(HERE).unwrap_or(text));
    if text == Some(ELSEWHERE) && modifier == Modifier::None && random.percent(60) {
        return Operand::Url(ELSEWHERE.to_owned());
    }
    let Some((kind, id)) = text.and_then(|text| text.split_once('/')) else {
        return Operand::Reference { kind: None, id: "p1".to_owned(), is_absolute: false };
    };
    let id = if id.contains('/') { "d1" } else { id }.to_owned();
    let kind = parameter.targets.iter().copied().find(|target| *target == kind);
    let kind = kind.filter(|_| modifier == Modifier::None && random.percent(60));
    let is_absolute = kind.is_some() && random.percent(25);
    Operand::Reference { kind, id, is_absolute }
}

fn quantity(random: &mut Random, example: Option<&Value>) -> Operand {
    let coded = |system: &str, code: &str| Unit::Coded(system.to_owned(), code.to_owned());
    if random.percent(8) {
        let (digits, unit) = random
            .pick(&[("490", Unit::Any), ("490", coded(UCUM, "mg")), ("0.49", coded(UCUM, "g"))])
            .clone();
        return Operand::Quantity { prefix: Prefix::Ap, digits: digits.to_owned(), unit };
    }
    let numbers = [
        "5",
        "5.0",
        "4.5",
        "500",
        "0.005",
        "0.0050",
        "0.5",
        "5000",
        "-5",
        "0.00000500",
        "5.0e-3",
        "5.00e2",
    ];
    let mut digits = random.pick(&numbers).to_string();
    let unit = match (random.below(10), example) {
        (0..=2, Some(example)) => {
            digits = example["value"].to_string();
            let text = |name: &str| example[name].as_str().unwrap_or_default();
            match example["system"].is_string() && random.percent(60) {
                true => coded(text("system"), text("code")),
                false => Unit::Plain(text("unit").to_owned()),
            }
        }
        (3, _) => Unit::Any,
        (4, _) => {
            Unit::Plain(random.pick(&["mg", "g", "pill", "mmHg", "mm[Hg]", "MG"]).to_string())
        }
        (5, _) => coded("urn:a", "mg"),
        _ => coded(UCUM, random.pick::<&str>(&["mg", "mg", "g", "g", "kg", "ug", "mm[Hg]"])),
    };
    Operand::Quantity { prefix: prefix(random), digits, unit }
}

fn age(random: &mut Random) -> Operand {
    let (digits, unit) = *random.pick(&[
        ("24", "mo"),
        ("2", "a"),
        ("2.0", "a"),
        ("3", "a"),
        ("730", "d"),
        ("36.0", "mo"),
    ]);
    let (prefix, digits) = if random.percent(10) && unit == "mo" {
        (Prefix::Ap, "25")
    } else {
        (prefix(random), digits)
    };
    let unit = Unit::Coded(UCUM.to_owned(), unit.to_owned());
    Operand::Quantity { prefix, digits: digits.to_owned(), unit }
}

fn uri(random: &mut Random, modifier: Modifier) -> Operand {
    let text = random.pick(&URLS).to_string();
    // What is above or below is asked of addresses only, not of names.
    let is_name = text.starts_with("urn:");
    Operand::Uri(match modifier {
        Modifier::Above if !is_name && random.percent(70) => format!("{text}/more"),
        Modifier::Below if !is_name => text[..text.len() - random.below(14)].to_owned(),
        Modifier::Above | Modifier::Below if is_name => URLS[0].to_owned(),
        _ => text,
    })
}

fn sort(random: &mut Random, kind: &'static str, criteria: &[Criterion]) -> Vec<(String, bool)> {
    // Quantities have an order where all are of one dimension.
    let is_mass = criteria.iter().any(|criterion| match criterion {
        Criterion::Value { name, operands, .. } if name == "value-quantity" => {
            operands.iter().all(|operand| match operand {
                Operand::Quantity { prefix, unit: Unit::Coded(system, code), .. } => {
                    system == UCUM && code.ends_with('g') && *prefix != Prefix::Ne
                }
                _ => false,
            })
        }
        _ => false,
    });
    let mut names = vec!["_id", "_lastUpdated"];
    for one in PARAMETERS.iter().filter(|one| one.on == kind) {
        let has_order = match one.kind {
            Kind::Text | Kind::Date | Kind::Uri | Kind::Number => true,
            Kind::Token => one.implied.is_some(),
            Kind::Quantity => one.name == "onset-age" || (one.name == "value-quantity" && is_mass),
            Kind::Reference | Kind::Composite(..) => false,
        };
        if has_order {
            names.push(one.name);
        }
    }
    let count = 1 + random.below(2);
    let chosen = random.some(&names, count);
    chosen.into_iter().map(|name| (name.to_owned(), random.percent(50))).collect()
}

fn includes(random: &mut Random, kind: &'static str) -> Vec<Include> {
    let mut list = Vec::new();
    let forward: Vec<&Parameter> =
        PARAMETERS.iter().filter(|one| one.on == kind && one.kind == Kind::Reference).collect();
    let reverse: Vec<&Parameter> =
        PARAMETERS.iter().filter(|one| one.targets.contains(&kind)).collect();
    for (of, is_reverse) in [(forward, false), (reverse, true)] {
        if of.is_empty() || random.percent(40) {
            continue;
        }
        let one = *random.pick(&of);
        let target = target(random, one).filter(|_| random.percent(30));
        let target = if is_reverse { target.map(|_| kind) } else { target };
        let is_repeated = random.percent(20);
        list.push(Include {
            kind: one.on,
            by: one.name.to_owned(),
            target,
            is_reverse,
            is_repeated,
        });
    }
    if random.percent(30) && !list.is_empty() {
        let further = [
            ("Patient", "organization"),
            ("Organization", "partof"),
            ("Observation", "has-member"),
            ("Patient", "link"),
        ];
        let (kind, by) = *random.pick(&further);
        list.push(Include {
            kind,
            by: by.to_owned(),
            target: None,
            is_reverse: false,
            is_repeated: true,
        });
    }
    list
}
