//! The expressions of SearchParameters, compiled to straight lines through the JSON of one resource type.
//!
//! The standard's 1,372 expressions use six constructs: names, `as`, `where(resolve() is X)`, `where(name='literal')`, an index,
//! and `exists() and … != false`. Choices are spelt out when compiling, so that running is only looking up properties.

use fhir::definitions::{Definitions, TypeId, r4};
use fhir::path::function::Function;
use fhir::path::syntax::{Operator, Step, Term};
use serde_json::Value;

/// A line from a resource to the values of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub hops: Vec<Hop>,
    /// What stands at the end.
    pub kind: TypeId,
    /// The value set bound as required to the last element.
    pub binding: Option<&'static str>,
    /// `where(resolve() is Patient)`: only references to that type.
    pub target: Option<String>,
    /// Whether an element on the way can repeat.
    pub repeats: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    pub property: String,
    /// `where(system='phone')`
    pub only: Option<(String, String)>,
    /// `[0]`
    pub index: Option<usize>,
}

/// What a parameter's expression means for one resource type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    Paths(Vec<Path>),
    /// `X.exists() and X != false`: one boolean a resource.
    IsTrue(Vec<Path>),
}

impl Program {
    pub fn paths(&self) -> &[Path] {
        match self {
            Program::Paths(paths) | Program::IsTrue(paths) => paths,
        }
    }
}

/// Compiles the branches that concern this resource type; `None` when the expression uses another construct.
pub fn compile(term: &Term, resource: &str) -> Option<Program> {
    if let Term::Binary { operator: Operator::And, left, right: _ } = term {
        return is_true(left, resource).map(Program::IsTrue);
    }
    let mut paths = Vec::new();
    branches(term, resource, &mut paths)?;
    Some(Program::Paths(paths))
}

/// `X.exists()` of `X.exists() and X != false`.
fn is_true(left: &Term, resource: &str) -> Option<Vec<Path>> {
    let Term::Path { start, steps } = left else { return None };
    let (last, rest) = steps.split_last()?;
    match last {
        Step::Call { function: Function::Exists, arguments } if arguments.is_empty() => {
            walk(start, rest, resource)
        }
        _ => None,
    }
}

fn branches(term: &Term, resource: &str, paths: &mut Vec<Path>) -> Option<()> {
    match term {
        Term::Binary { operator: Operator::Union, left, right } => {
            branches(left, resource, paths)?;
            branches(right, resource, paths)
        }
        other => {
            for path in line(other, resource)? {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            Some(())
        }
    }
}

fn line(term: &Term, resource: &str) -> Option<Vec<Path>> {
    match term {
        Term::As { operand, name } => {
            let paths = line(operand, resource)?;
            Some(cast(paths, name.kind.fhir))
        }
        Term::Path { start, steps } => walk(start, steps, resource),
        _ => None,
    }
}

fn walk(start: &Term, steps: &[Step], resource: &str) -> Option<Vec<Path>> {
    let definitions = r4();
    let root = Path {
        hops: Vec::new(),
        kind: definitions.id(resource)?,
        binding: None,
        target: None,
        repeats: false,
    };
    let (mut paths, steps) = match (start, steps) {
        (Term::Focus, [Step::Member(first), rest @ ..]) if first.kind.is_some() => {
            if !definitions.is_a(resource, &first.text) {
                return Some(Vec::new());
            }
            (vec![root], rest)
        }
        // A few leave the type out: `name | alias`.
        (Term::Focus, steps) => (vec![root], steps),
        (Term::As { .. }, steps) => (line(start, resource)?, steps),
        _ => return None,
    };
    for step in steps {
        paths = follow(definitions, paths, step)?;
    }
    Some(paths)
}

fn follow(definitions: &Definitions, paths: Vec<Path>, step: &Step) -> Option<Vec<Path>> {
    match step {
        Step::Member(name) => {
            let mut next = Vec::new();
            for path in paths {
                member(definitions, &path, &name.text, &mut next);
            }
            Some(next)
        }
        Step::As(name) | Step::OfType(name) => Some(cast(paths, name.kind.fhir)),
        Step::At(Term::Integer(index)) => {
            let index = usize::try_from(*index).ok()?;
            Some(
                paths
                    .into_iter()
                    .map(|path| on_last_hop(path, |hop| hop.index = Some(index)))
                    .collect(),
            )
        }
        Step::Call { function: Function::Where, arguments } => filter(paths, arguments.first()?),
        Step::Is(_) | Step::At(_) | Step::Call { .. } => None,
    }
}

fn member(definitions: &Definitions, path: &Path, name: &str, next: &mut Vec<Path>) {
    let Some(element) = definitions.get(path.kind).element(name) else { return };
    for kind in &element.types {
        let mut hops = path.hops.clone();
        hops.push(Hop { property: kind.property.clone(), only: None, index: None });
        next.push(Path {
            hops,
            kind: kind.id,
            binding: element.binding,
            target: None,
            repeats: path.repeats || element.is_repeating(),
        });
    }
}

/// The lines whose end is of the type: `(Observation.value as Quantity)`.
fn cast(paths: Vec<Path>, kind: Option<TypeId>) -> Vec<Path> {
    let definitions = r4();
    let Some(name) = kind.map(|kind| definitions.get(kind).name) else { return Vec::new() };
    paths
        .into_iter()
        .filter(|path| definitions.is_a(definitions.get(path.kind).name, name))
        .collect()
}

fn filter(paths: Vec<Path>, condition: &Term) -> Option<Vec<Path>> {
    match condition {
        Term::Is { operand, name } => {
            let Term::Path { steps, .. } = operand.as_ref() else { return None };
            let [Step::Call { function: Function::Resolve, .. }] = steps.as_slice() else {
                return None;
            };
            let set = |path: Path| Path { target: Some(name.text.to_string()), ..path };
            Some(paths.into_iter().map(set).collect())
        }
        Term::Binary { operator: Operator::Equal, left, right } => {
            let (Term::Path { steps, .. }, Term::String(literal)) = (left.as_ref(), right.as_ref())
            else {
                return None;
            };
            let [Step::Member(name)] = steps.as_slice() else { return None };
            let only = (name.text.to_string(), literal.to_string());
            Some(
                paths
                    .into_iter()
                    .map(|path| on_last_hop(path, |hop| hop.only = Some(only.clone())))
                    .collect(),
            )
        }
        _ => None,
    }
}

fn on_last_hop(mut path: Path, change: impl FnOnce(&mut Hop)) -> Path {
    if let Some(hop) = path.hops.last_mut() {
        change(hop);
    }
    path
}

impl Path {
    /// Visits every value at the end of the line.
    pub fn visit<'a>(&self, resource: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
        step(&self.hops, resource, visit);
    }
}

fn step<'a>(hops: &[Hop], value: &'a Value, visit: &mut dyn FnMut(&'a Value)) {
    let Some((hop, rest)) = hops.split_first() else { return visit(value) };
    match value.get(&hop.property) {
        None => {}
        Some(Value::Array(items)) => {
            let chosen = items.iter().enumerate().filter(|(index, item)| {
                hop.index.is_none_or(|wanted| wanted == *index) && hop.admits(item)
            });
            for (_, item) in chosen {
                step(rest, item, visit);
            }
        }
        Some(item) if hop.index.is_none_or(|wanted| wanted == 0) && hop.admits(item) => {
            step(rest, item, visit);
        }
        Some(_) => {}
    }
}

impl Hop {
    fn admits(&self, item: &Value) -> bool {
        match &self.only {
            None => !item.is_null(),
            Some((property, literal)) => {
                item.get(property).and_then(Value::as_str) == Some(literal)
            }
        }
    }
}
