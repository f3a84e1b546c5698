//! Whether an expression can make sense on a type, before it meets a resource (FHIRPath section 10, strict evaluation).
//!
//! Only what is certainly wrong is refused: a name that no possible type has, or an order where there is none.

use super::function::Function;
use super::node::is_kind;
use super::syntax::{Name, Operator, Step, Term, TypeName};
use super::{Error, Expression};
use crate::definitions::{Kind, TypeId, r4};

/// What a term may find.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Types {
    /// Anything: nothing can be said of its children.
    Any,
    /// Elements of these types of FHIR.
    Known(Vec<TypeId>),
}

impl Types {
    fn or(self, other: Types) -> Types {
        match (self, other) {
            (Types::Known(mut types), Types::Known(others)) => {
                for kind in others {
                    if !types.contains(&kind) {
                        types.push(kind);
                    }
                }
                Types::Known(types)
            }
            _ => Types::Any,
        }
    }
}

/// Refuses an expression that asks elements of `focus` for children they never have.
pub fn check(expression: &Expression, focus: TypeId) -> Result<(), Error> {
    term(expression.term(), &Types::Known(vec![focus])).map(drop)
}

fn term(term_: &Term, focus: &Types) -> Result<Types, Error> {
    Ok(match term_ {
        Term::Focus | Term::This => focus.clone(),
        Term::Path { start, steps } => return path(start, steps, focus),
        Term::Binary { operator, left, right } => {
            let (left, right) = (term(left, focus)?, term(right, focus)?);
            if *operator == Operator::Union { left.or(right) } else { Types::Any }
        }
        Term::Negative(operand) | Term::Positive(operand) | Term::Is { operand, .. } => {
            term(operand, focus)?;
            Types::Any
        }
        Term::As { operand, name } => narrowed(term(operand, focus)?, name),
        Term::Empty => Types::Known(Vec::new()),
        Term::Boolean(_)
        | Term::String(_)
        | Term::Pattern(_)
        | Term::Integer(_)
        | Term::Decimal(_)
        | Term::Date(_)
        | Term::DateTime(_)
        | Term::Time(_)
        | Term::Quantity(_)
        | Term::Index
        | Term::Total
        | Term::Variable(_) => Types::Any,
    })
}

fn path(start: &Term, steps: &[Step], focus: &Types) -> Result<Types, Error> {
    let mut found = term(start, focus)?;
    let mut is_unordered = false;
    for (place, step) in steps.iter().enumerate() {
        if is_unordered && asks_for_order(step) {
            return Err(Error::evaluation("children have no order to count in"));
        }
        is_unordered =
            matches!(step, Step::Call { function: Function::Children | Function::Descendants, .. });
        found = match step {
            Step::Member(name) => {
                let is_type = place == 0 && *start == Term::Focus && names_focus(name, &found);
                if is_type { found } else { member(&found, name)? }
            }
            Step::Call { function, arguments } => call(*function, arguments, found, focus)?,
            Step::Is(_) => Types::Any,
            Step::As(name) | Step::OfType(name) => narrowed(found, name),
            Step::At(index) => {
                term(index, focus)?;
                found
            }
        };
    }
    Ok(found)
}

fn asks_for_order(step: &Step) -> bool {
    match step {
        Step::At(_) => true,
        Step::Call { function, .. } => matches!(
            function,
            Function::First | Function::Last | Function::Tail | Function::Skip | Function::Take
        ),
        Step::Member(_) | Step::Is(_) | Step::As(_) | Step::OfType(_) => false,
    }
}

/// `Patient` where a Patient is, or where a resource of any type may be.
fn names_focus(name: &Name, focus: &Types) -> bool {
    match (name.kind, focus) {
        (Some(kind), Types::Known(types)) => {
            types.iter().any(|own| is_kind(*own, kind) || is_kind(kind, *own))
        }
        _ => false,
    }
}

fn member(found: &Types, name: &Name) -> Result<Types, Error> {
    let Types::Known(types) = found else { return Ok(Types::Any) };
    let mut children = Types::Known(Vec::new());
    let mut is_known = types.is_empty();
    for kind in types {
        let kind = r4().get(*kind);
        match kind.element(&name.text) {
            Some(element) => {
                is_known = true;
                let types = element.types.iter().map(|kind| kind.id).collect();
                children = children.or(Types::Known(types));
            }
            // The resource itself says later which type it is.
            None if kind.kind == Kind::Resource && kind.is_abstract => return Ok(Types::Any),
            None => {}
        }
    }
    if is_known {
        return Ok(children);
    }
    let names: Vec<&str> = types.iter().take(3).map(|kind| r4().get(*kind).name).collect();
    let name: String = name.text.chars().take(64).collect();
    Err(Error::evaluation(format!("{} has no element `{name}`", names.join(", "))))
}

fn narrowed(found: Types, name: &TypeName) -> Types {
    match (name.kind.fhir, found) {
        (Some(kind), _) => Types::Known(vec![kind]),
        (None, found) => found,
    }
}

fn call(
    function: Function,
    arguments: &[Term],
    input: Types,
    focus: &Types,
) -> Result<Types, Error> {
    let is_each = matches!(
        function,
        Function::Where
            | Function::Exists
            | Function::All
            | Function::Select
            | Function::Repeat
            | Function::Sort
            | Function::Iif
            | Function::Aggregate
    );
    let mut found = Vec::with_capacity(arguments.len());
    for argument in arguments {
        // What `repeat` and `aggregate` find becomes their focus in turn.
        let around = match function {
            Function::Repeat | Function::Aggregate => &Types::Any,
            // A projection of `trace` is for a log that is not kept.
            _ if is_each || function == Function::Trace => &input,
            _ => focus,
        };
        found.push(term(argument, around)?);
    }
    Ok(match function {
        Function::Where
        | Function::First
        | Function::Last
        | Function::Tail
        | Function::Skip
        | Function::Take
        | Function::Single
        | Function::Distinct
        | Function::Intersect
        | Function::Exclude
        | Function::Sort
        | Function::Trace => input,
        Function::Select => found.into_iter().next().unwrap_or(Types::Any),
        Function::Union | Function::Combine => found.into_iter().fold(input, Types::or),
        Function::Iif => found.into_iter().skip(1).fold(Types::Known(Vec::new()), Types::or),
        Function::Extension => {
            r4().id("Extension").map_or(Types::Any, |kind| Types::Known(vec![kind]))
        }
        _ => Types::Any,
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::definitions::r4;
    use crate::path::parse;

    fn checked(kind: &str, expression: &str) -> Result<(), String> {
        let expression = parse(expression).unwrap();
        check(&expression, r4().id(kind).unwrap()).map_err(|error| error.to_string())
    }

    fn passes(kind: &str, expression: &str) {
        assert_eq!(checked(kind, expression), Ok(()), "{expression}");
    }

    fn fails(kind: &str, expression: &str, part: &str) {
        let error = checked(kind, expression).unwrap_err();
        assert!(error.contains(part), "{error} has no {part}");
    }

    #[test]
    fn names_that_no_type_has_are_refused() {
        passes("Patient", "Patient.name.given.extension('u').value.code");
        fails("Patient", "name.given1", "HumanName has no element `given1`");
        fails("Patient", "Encounter.name", "Patient has no element `Encounter`");
        fails("Observation", "valueQuantity.unit", "no element `valueQuantity`");
        fails("Patient", "name.where(usage = 'x')", "HumanName has no element `usage`");
        fails("Patient", "active and nmae.exists()", "no element `nmae`");
    }

    #[test]
    fn a_type_narrows_a_choice() {
        passes("Observation", "value.unit | value.ofType(Period).start");
        fails("Observation", "(value as Period).unit", "Period has no element `unit`");
        fails("Patient", "name.select(period).given", "Period has no element `given`");
    }

    #[test]
    fn what_is_only_known_later_passes() {
        passes("Bundle", "entry.resource.name.first() | entry.resource.ofType(Patient).active");
        passes("Patient", "link.other.resolve().anything");
        passes("Patient", "descendants().reference | %resource.anything");
        passes("Questionnaire", "repeat(item).linkId");
    }

    #[test]
    fn children_are_not_counted() {
        fails("Patient", "children().skip(1)", "no order");
        fails("Patient", "descendants()[0]", "no order");
        passes("Patient", "children().name.first()");
    }

    #[test]
    fn the_invariants_of_the_standard_pass() {
        let mut wrong = Vec::new();
        for kind in r4().types() {
            let own = kind.constraints.iter().map(|constraint| (vec![kind.name], constraint));
            let inner = kind.elements.iter().flat_map(|element| {
                let names = element.types.iter().map(|kind| r4().get(kind.id).name);
                let names: Vec<&str> = names.collect();
                element.constraints.iter().map(move |constraint| (names.clone(), constraint))
            });
            for (names, constraint) in own.chain(inner) {
                if names.iter().all(|name| checked(name, constraint.expression).is_err()) {
                    wrong.push(constraint.key);
                }
            }
        }
        // An error of the standard: a ChargeItemDefinition has no name.
        assert_eq!(wrong, ["cid-0"]);
    }

    #[test]
    fn the_search_parameters_of_the_standard_pass() {
        let mut wrong = Vec::new();
        for parameter in r4().search_parameters() {
            let expression = parameter.expression;
            let is_wrong = |base: &&str| checked(base, expression).is_err();
            // One for many types names them all: a type finds its own in it.
            if !expression.is_empty()
                && parameter.bases.len() == 1
                && parameter.bases.iter().any(is_wrong)
            {
                wrong.push(parameter.id);
            }
        }
        assert_eq!(wrong, [""; 0]);
    }
}
