//! From the syntax tree of an expression to the walks of one resource type.

use super::{End, Program, Step, Test, Walk};
use fhir::definitions::{Element, ElementType, Type, TypeId, r4};
use fhir::path::function::Function;
use fhir::path::syntax::{self, Name, Operator, Term, TypeName};

/// Why an expression is no walk. FHIRPath says more than a walk can do; search parameters of the standard do not need it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncompiled {
    #[error("{0} has no place in a search expression of this server")]
    Unsupported(String),
    #[error("{kind} has no element `{name}`")]
    UnknownElement { kind: &'static str, name: String },
    #[error("nothing here is of the type {0}")]
    UnknownType(String),
}

/// The program of an expression for one resource type. Parts about other types are left out.
pub(crate) fn compile(term: &Term, resource: &'static Type) -> Result<Program, Uncompiled> {
    match term {
        Term::Binary { operator: Operator::And, left, right } => truth(left, right, resource),
        _ => Ok(Program::Values(walks(term, resource)?)),
    }
}

/// `x.exists() and x != false`
fn truth(left: &Term, right: &Term, resource: &'static Type) -> Result<Program, Uncompiled> {
    let unsupported = || Uncompiled::Unsupported("this `and`".to_owned());
    let Term::Path { start, steps } = left else { return Err(unsupported()) };
    let Some((syntax::Step::Call { function: Function::Exists, arguments }, steps)) =
        steps.split_last()
    else {
        return Err(unsupported());
    };
    let Term::Binary { operator: Operator::NotEqual, left: other, right: literal } = right else {
        return Err(unsupported());
    };
    let existing = Term::Path { start: start.clone(), steps: steps.to_vec() };
    let is_same = existing == **other && arguments.is_empty();
    if !is_same || **literal != Term::Boolean(false) {
        return Err(unsupported());
    }
    Ok(Program::Truth(walks(&existing, resource)?))
}

/// The same for an expression that begins at the end of a walk: the part of a composite.
pub(crate) fn compile_below(term: &Term, base: &Walk) -> Result<Program, Uncompiled> {
    let id = base.id.ok_or_else(|| Uncompiled::UnknownType(base.end.kind.to_owned()))?;
    let walk = Walk { steps: Vec::new(), is_repeating: false, ..base.clone() };
    let found = below(term, &Cursor { walk, id })?;
    Ok(Program::Values(found.into_iter().map(|cursor| cursor.walk).collect()))
}

fn below(term: &Term, base: &Cursor) -> Result<Vec<Cursor>, Uncompiled> {
    match term {
        Term::Binary { operator: Operator::Union, left, right } => {
            let mut all = below(left, base)?;
            all.extend(below(right, base)?);
            Ok(all)
        }
        Term::Path { start, steps } if matches!(**start, Term::Focus) => {
            follow(vec![base.clone()], steps)
        }
        _ => Err(Uncompiled::Unsupported("this part".to_owned())),
    }
}

fn walks(term: &Term, resource: &'static Type) -> Result<Vec<Walk>, Uncompiled> {
    Ok(cursors(term, resource)?.into_iter().map(|cursor| cursor.walk).collect())
}

/// A walk in the making.
#[derive(Clone)]
struct Cursor {
    walk: Walk,
    id: TypeId,
}

/// The parser bounds how deep terms nest.
fn cursors(term: &Term, resource: &'static Type) -> Result<Vec<Cursor>, Uncompiled> {
    match term {
        Term::Binary { operator: Operator::Union, left, right } => {
            let mut all = cursors(left, resource)?;
            all.extend(cursors(right, resource)?);
            Ok(all)
        }
        Term::As { operand, name } => narrow(cursors(operand, resource)?, name),
        Term::Path { start, steps } => path(start, steps, resource),
        _ => Err(Uncompiled::Unsupported("this term".to_owned())),
    }
}

fn path(
    start: &Term,
    steps: &[syntax::Step],
    resource: &'static Type,
) -> Result<Vec<Cursor>, Uncompiled> {
    let (found, steps) = match (start, steps.split_first()) {
        (Term::Focus, Some((syntax::Step::Member(name), rest))) => (root(name, resource)?, rest),
        (Term::Focus, _) => return Err(Uncompiled::Unsupported("this start".to_owned())),
        (start, _) => (cursors(start, resource)?, steps),
    };
    follow(found, steps)
}

fn follow(mut found: Vec<Cursor>, steps: &[syntax::Step]) -> Result<Vec<Cursor>, Uncompiled> {
    for step in steps {
        found = match step {
            syntax::Step::Member(name) => children(&found, &name.text)?,
            syntax::Step::As(name) | syntax::Step::OfType(name) => narrow(found, name)?,
            syntax::Step::At(Term::Integer(index)) => at(found, *index)?,
            syntax::Step::Call { function: Function::Where, arguments } => {
                filtered(found, arguments)?
            }
            syntax::Step::Call { function: Function::Extension, arguments } => {
                extension(&found, arguments)?
            }
            syntax::Step::Call { function, .. } => {
                return Err(Uncompiled::Unsupported(format!("`{}()`", function.name())));
            }
            syntax::Step::Is(_) | syntax::Step::At(_) => {
                return Err(Uncompiled::Unsupported("this step".to_owned()));
            }
        };
    }
    Ok(found)
}

/// What an expression begins with: the resource's own type, one it specialises, another one, of which nothing is found here,
/// or an element of the resource.
fn root(name: &Name, resource: &'static Type) -> Result<Vec<Cursor>, Uncompiled> {
    let is_other = name.kind.is_some() && !r4().is_a(resource.name, &name.text);
    let Some(id) = r4().id(resource.name).filter(|_| !is_other) else { return Ok(Vec::new()) };
    let end = End { kind: resource.name, targets: &[], binding: None };
    let walk = Walk { steps: Vec::new(), end, id: Some(id), is_repeating: false };
    let cursor = Cursor { walk, id };
    match name.kind {
        Some(_) => Ok(vec![cursor]),
        None => children(&[cursor], &name.text),
    }
}

fn children(found: &[Cursor], name: &str) -> Result<Vec<Cursor>, Uncompiled> {
    let mut below = Vec::new();
    for cursor in found {
        let owner = r4().get(cursor.id);
        let element = owner.element(name).ok_or_else(|| Uncompiled::UnknownElement {
            kind: owner.name,
            name: name.to_owned(),
        })?;
        below.extend(element.types.iter().map(|kind| cursor.child(element, kind)));
    }
    Ok(below)
}

impl Cursor {
    fn child(&self, element: &'static Element, kind: &'static ElementType) -> Cursor {
        let mut walk = self.walk.clone();
        walk.steps.push(Step::Property { name: &kind.property, at: None });
        walk.end = End { kind: kind.code, targets: &kind.targets, binding: element.binding };
        walk.id = Some(kind.id);
        walk.is_repeating |= element.is_repeating();
        Cursor { walk, id: kind.id }
    }
}

fn narrow(found: Vec<Cursor>, name: &TypeName) -> Result<Vec<Cursor>, Uncompiled> {
    let was_empty = found.is_empty();
    let found: Vec<Cursor> =
        found.into_iter().filter(|cursor| is_named(cursor.walk.end.kind, &name.text)).collect();
    if found.is_empty() && !was_empty {
        return Err(Uncompiled::UnknownType(name.text.to_string()));
    }
    Ok(found)
}

/// R4 writes `DateTime` in one place.
fn is_named(kind: &str, name: &str) -> bool {
    kind == name || (name == "DateTime" && kind == "dateTime")
}

fn at(mut found: Vec<Cursor>, index: i32) -> Result<Vec<Cursor>, Uncompiled> {
    let index = usize::try_from(index)
        .map_err(|_| Uncompiled::Unsupported("an index below 0".to_owned()))?;
    for cursor in &mut found {
        match cursor.walk.steps.last_mut() {
            Some(Step::Property { at: at @ None, .. }) => *at = Some(index),
            Some(Step::Property { .. } | Step::Where(_)) | None => {
                return Err(Uncompiled::Unsupported("this index".to_owned()));
            }
        }
    }
    Ok(found)
}

fn filtered(mut found: Vec<Cursor>, arguments: &[Term]) -> Result<Vec<Cursor>, Uncompiled> {
    for cursor in &mut found {
        let test = test(arguments, r4().get(cursor.id))?;
        cursor.walk.steps.push(Step::Where(test));
    }
    Ok(found)
}

/// `extension('url')` is `extension.where(url = 'url')`.
fn extension(found: &[Cursor], arguments: &[Term]) -> Result<Vec<Cursor>, Uncompiled> {
    let [Term::String(url)] = arguments else {
        return Err(Uncompiled::Unsupported("this `extension`".to_owned()));
    };
    let mut below = children(found, "extension")?;
    for cursor in &mut below {
        cursor.walk.steps.push(Step::Where(Test::Equals { property: "url", text: url.clone() }));
    }
    Ok(below)
}

fn test(arguments: &[Term], owner: &'static Type) -> Result<Test, Uncompiled> {
    let unsupported = || Uncompiled::Unsupported("this `where`".to_owned());
    match arguments {
        [Term::Is { operand, name }] if is_resolve(operand) => {
            let kind = r4().resource(&name.text);
            let kind = kind.ok_or_else(|| Uncompiled::UnknownType(name.text.to_string()))?;
            Ok(Test::ResolvesTo(kind.name))
        }
        [Term::Binary { operator: Operator::Equal, left, right }] => {
            let (Term::Path { start, steps }, Term::String(text)) = (&**left, &**right) else {
                return Err(unsupported());
            };
            let ([syntax::Step::Member(name)], Term::Focus) = (steps.as_slice(), &**start) else {
                return Err(unsupported());
            };
            let (_, kind) = owner.property(&name.text).ok_or_else(unsupported)?;
            Ok(Test::Equals { property: &kind.property, text: text.clone() })
        }
        _ => Err(unsupported()),
    }
}

fn is_resolve(term: &Term) -> bool {
    let Term::Path { start, steps } = term else { return false };
    matches!(**start, Term::Focus)
        && matches!(steps.as_slice(), [syntax::Step::Call { function: Function::Resolve, .. }])
}
