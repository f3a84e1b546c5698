//! From an expression and a focus to a collection (FHIRPath sections 3 and 5).

use super::Error;
use super::budget::Budget;
use super::collection::Collection;
use super::context::Context;
use super::equality::{Sameness, same_collection};
use super::function::Function;
use super::item::{Item, ItemType};
use super::node::{Node, is_kind};
use super::operators;
use super::syntax::{Name, NamedType, Operator, Step, SystemType, Term, TypeName};
use crate::definitions::{Kind, r4};
use std::borrow::Cow;
use std::cmp::Ordering;

/// One evaluation. What it makes borrows from the resource and from the expression.
pub(super) struct Evaluator<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    /// `%context`
    pub(super) focus: Node<'a>,
    pub(super) budget: Budget,
    pub(super) manner: Manner,
}

/// How a question about nothing is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// With nothing, as the specification of FHIRPath has it.
    Strict,
    /// With no. The invariants of R4 count on it: `reference.startsWith('#').not()` has to hold for a Reference without a
    /// reference, and `answer is Boolean` for a FHIR boolean.
    Invariant,
}

/// What `$this`, `$index` and `$total` stand for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s, 'a> {
    pub(super) this: &'s [Item<'a>],
    pub(super) index: usize,
    pub(super) total: &'s [Item<'a>],
}

pub(super) type Found<'a> = Result<Collection<'a>, Error>;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn term(&self, term: &'a Term, scope: Scope<'_, 'a>) -> Found<'a> {
        self.budget.spend(1)?;
        Ok(match term {
            Term::Empty => Collection::Empty,
            Term::Boolean(value) => Collection::boolean(*value),
            Term::String(text) => Collection::One(Item::String(Cow::Borrowed(text))),
            Term::Pattern(pattern) => Collection::One(Item::String(Cow::Borrowed(pattern.text()))),
            Term::Integer(number) => Collection::One(Item::Integer(*number)),
            Term::Decimal(number) => Collection::One(Item::Decimal(*number)),
            Term::Date(date) => Collection::One(Item::Date(*date)),
            Term::DateTime(moment) => Collection::One(Item::DateTime(*moment)),
            Term::Time(time) => Collection::One(Item::Time(*time)),
            Term::Quantity(quantity) => Collection::One(Item::Quantity(quantity.clone())),
            Term::Focus | Term::This => scope.this.iter().cloned().collect(),
            Term::Index => {
                let index = i32::try_from(scope.index).map_err(|_| Error::TooCostly)?;
                Collection::One(Item::Integer(index))
            }
            Term::Total => scope.total.iter().cloned().collect(),
            Term::Variable(name) => self.variable(name)?,
            Term::Path { start, steps } => return self.path(start, steps, scope),
            Term::Negative(operand) => self.negative(operand, scope)?,
            Term::Positive(operand) => self.term(operand, scope)?,
            Term::Binary { operator, left, right } => {
                return self.binary(*operator, left, right, scope);
            }
            Term::Is { operand, name } => self.is(self.term(operand, scope)?, name)?,
            Term::As { operand, name } => self.of_type(self.term(operand, scope)?, name)?,
        })
    }

    /// A collection where one Boolean is wanted: nothing is unknown, and any other single item is true.
    pub(super) fn truth(
        &self,
        term: &'a Term,
        scope: Scope<'_, 'a>,
    ) -> Result<Option<bool>, Error> {
        if let Term::Binary { operator, left, right } = term
            && let Operator::And | Operator::Or | Operator::Xor | Operator::Implies = operator
        {
            return self.logic(*operator, left, right, scope);
        }
        let found = self.term(term, scope)?;
        Ok(single(&found)?.map(|item| item.as_bool().unwrap_or(true)))
    }

    /// Three-valued, and the right side only where the left does not decide.
    fn logic(
        &self,
        operator: Operator,
        left: &'a Term,
        right: &'a Term,
        scope: Scope<'_, 'a>,
    ) -> Result<Option<bool>, Error> {
        let left = self.truth(left, scope)?;
        match (operator, left) {
            (Operator::And | Operator::Implies, Some(false)) => {
                return Ok(Some(operator == Operator::Implies));
            }
            (Operator::Or, Some(true)) => return Ok(Some(true)),
            _ => {}
        }
        let right = self.truth(right, scope)?;
        Ok(match operator {
            Operator::And => match (left, right) {
                (_, Some(false)) => Some(false),
                (Some(true), right) => right,
                _ => None,
            },
            Operator::Or => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(false), right) => right,
                _ => None,
            },
            Operator::Implies => match (left, right) {
                (_, Some(true)) => Some(true),
                (Some(true), right) => right,
                _ => None,
            },
            _ => left.zip(right).map(|(left, right)| left != right),
        })
    }

    fn path(&self, start: &'a Term, steps: &'a [Step], scope: Scope<'_, 'a>) -> Found<'a> {
        let (mut found, mut rest) = match (start, steps) {
            // Most paths start with a child of the focus: no need to copy the focus first.
            (Term::Focus, [Step::Member(name), rest @ ..]) => {
                (self.first_member(scope.this, name)?, rest)
            }
            _ => (self.term(start, scope)?, steps),
        };
        while let [step, after @ ..] = rest {
            rest = after;
            if let (
                Step::Call { function: Function::Where, arguments },
                [Step::Call { function, arguments: none }, after @ ..],
            ) = (step, after)
                && let Function::Exists | Function::Empty = function
                && let ([criterion], []) = (arguments.as_slice(), none.as_slice())
            {
                let any = self.any(&found, criterion, scope)?;
                found = Collection::boolean(any == (*function == Function::Exists));
                rest = after;
                continue;
            }
            found = self.step(found, step, scope)?;
            self.budget.items(found.len())?;
        }
        Ok(found)
    }

    /// A name at the start may be that of the focus's own type: `Patient.name` on a Patient.
    fn first_member(&self, this: &[Item<'a>], name: &'a Name) -> Found<'a> {
        if let (Some(kind), [Item::Node(node)]) = (name.kind, this)
            && is_kind(node.kind(), kind)
        {
            return Ok(Collection::One(Item::Node(*node)));
        }
        self.member(this, name)
    }

    fn member(&self, items: &[Item<'a>], name: &'a Name) -> Found<'a> {
        let mut found = Collection::Empty;
        for item in items {
            match item {
                Item::Node(node) => {
                    self.budget.spend(1 + node.object().map_or(0, serde_json::Map::len) / 16)?;
                    node.members(name, &mut found);
                }
                Item::Quantity(quantity) => found.append(quantity_member(quantity, name)),
                Item::Type(kind) => found.append(type_member(*kind, name)),
                _ => {}
            }
        }
        Ok(found)
    }

    fn step(&self, found: Collection<'a>, step: &'a Step, scope: Scope<'_, 'a>) -> Found<'a> {
        match step {
            Step::Member(name) => self.member(found.as_slice(), name),
            Step::Call { function, arguments } => self.call(*function, arguments, found, scope),
            Step::Is(name) => self.is(found, name),
            Step::As(name) | Step::OfType(name) => self.of_type(found, name),
            Step::At(index) => {
                let index = self.term(index, scope)?;
                let Some(index) = single(&index)? else { return Ok(Collection::Empty) };
                let Item::Integer(index) = &*index.simple() else {
                    return Err(Error::evaluation("an index has to be an Integer"));
                };
                let place = usize::try_from(*index).ok();
                Ok(Collection::maybe(place.and_then(|place| found.as_slice().get(place)).cloned()))
            }
        }
    }

    fn variable(&self, name: &str) -> Found<'a> {
        let node = |node: Option<Node<'a>>| Collection::maybe(node.map(Item::Node));
        let text = |text: String| Collection::One(Item::String(Cow::Owned(text)));
        Ok(match name {
            "resource" => node(self.context.resource),
            "rootResource" => node(self.context.root),
            "context" => node(Some(self.focus)),
            "ucum" => text(super::item::UCUM.to_owned()),
            "sct" => text("http://snomed.info/sct".to_owned()),
            "loinc" => text("http://loinc.org".to_owned()),
            _ => {
                if let Some(id) = name.strip_prefix("vs-") {
                    text(format!("http://hl7.org/fhir/ValueSet/{id}"))
                } else if let Some(id) = name.strip_prefix("ext-") {
                    text(format!("http://hl7.org/fhir/StructureDefinition/{id}"))
                } else {
                    return Err(Error::evaluation(format!("there is no variable %{name}")));
                }
            }
        })
    }

    fn negative(&self, operand: &'a Term, scope: Scope<'_, 'a>) -> Found<'a> {
        let found = self.term(operand, scope)?;
        let Some(item) = single(&found)? else { return Ok(Collection::Empty) };
        Ok(Collection::maybe(Some(match &*item.simple() {
            Item::Integer(number) => match number.checked_neg() {
                Some(number) => Item::Integer(number),
                None => return Ok(Collection::Empty),
            },
            Item::Decimal(number) => Item::Decimal(-number),
            Item::Quantity(quantity) => {
                let mut quantity = quantity.clone();
                quantity.value = -quantity.value;
                Item::Quantity(quantity)
            }
            _ => return Err(Error::evaluation("only numbers and quantities have a sign")),
        })))
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Term,
        right: &'a Term,
        scope: Scope<'_, 'a>,
    ) -> Found<'a> {
        match operator {
            Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
                let truth = self.logic(operator, left, right, scope)?;
                return Ok(Collection::maybe(truth.map(Item::Boolean)));
            }
            _ => {}
        }
        let (left, right) = (self.term(left, scope)?, self.term(right, scope)?);
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if left.is_empty() || right.is_empty() {
                    return Ok(Collection::Empty);
                }
                let same = self.same_collection(&left, &right, Sameness::Equal)?;
                let wanted = operator == Operator::Equal;
                Ok(Collection::maybe(same.map(|same| Item::Boolean(same == wanted))))
            }
            Operator::Equivalent | Operator::NotEquivalent => {
                let same = self.same_collection(&left, &right, Sameness::Equivalent)?;
                let wanted = operator == Operator::Equivalent;
                Ok(Collection::boolean((same == Some(true)) == wanted))
            }
            Operator::Union => self.union(left, right),
            Operator::In => self.contains(&right, &left),
            Operator::Contains => self.contains(&left, &right),
            Operator::Join => self.join_texts(&left, &right),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => compare(operator, &left, &right),
            Operator::Multiply
            | Operator::Divide
            | Operator::Quotient
            | Operator::Remainder
            | Operator::Add
            | Operator::Subtract
            | Operator::And
            | Operator::Or
            | Operator::Xor
            | Operator::Implies => {
                let (Some(left), Some(right)) = (single(&left)?, single(&right)?) else {
                    return Ok(Collection::Empty);
                };
                let bytes = |item: &Item| item.as_str().map_or(0, str::len);
                self.budget.text(bytes(left).saturating_add(bytes(right)))?;
                Ok(Collection::maybe(operators::compute(operator, left, right)?))
            }
        }
    }

    pub(super) fn same_collection(
        &self,
        left: &Collection<'a>,
        right: &Collection<'a>,
        sameness: Sameness,
    ) -> Result<Option<bool>, Error> {
        let same = same_collection(left.as_slice(), right.as_slice(), sameness, &self.budget);
        // The comparison stops early when the budget is spent: then its answer means nothing.
        self.budget.spend(1)?;
        Ok(same)
    }

    /// `in` and `contains`: one item, or nothing, among others.
    fn contains(&self, items: &Collection<'a>, item: &Collection<'a>) -> Found<'a> {
        let Some(item) = single(item)? else { return Ok(Collection::Empty) };
        Ok(Collection::boolean(self.has(items.as_slice(), item)?))
    }

    /// `&`: what is not a text is shown as one, and nothing as the empty text.
    fn join_texts(&self, left: &Collection<'a>, right: &Collection<'a>) -> Found<'a> {
        let text = |side: &Collection<'a>| match single(side)? {
            None => Ok(Cow::Borrowed("")),
            Some(item) => match item.to_text().or_else(|| super::functions::shown(item)) {
                Some(text) => Ok(text),
                None => Err(Error::evaluation("`&` takes texts")),
            },
        };
        let (left, right) = (text(left)?, text(right)?);
        self.budget.text(left.len().saturating_add(right.len()))?;
        Ok(Collection::One(Item::String(Cow::Owned(format!("{left}{right}")))))
    }

    fn is(&self, found: Collection<'a>, name: &TypeName) -> Found<'a> {
        let Some(item) = single(&found)? else { return Ok(self.about_nothing()) };
        // `System.Patient` is no type, but what it would say is clear.
        if name.kind.fhir.is_none() && name.kind.system.is_none() && !name.text.contains('.') {
            return Err(unknown_type(name));
        }
        let is_meant = self.manner == Manner::Invariant && is_named(&item.simple(), name.kind);
        Ok(Collection::boolean(is_meant || is_named(item, name.kind)))
    }

    pub(super) fn about_nothing(&self) -> Collection<'a> {
        match self.manner {
            Manner::Strict => Collection::Empty,
            Manner::Invariant => Collection::boolean(false),
        }
    }

    /// `as` keeps what `ofType` keeps: the standard's own expressions use it on whole collections.
    fn of_type(&self, found: Collection<'a>, name: &TypeName) -> Found<'a> {
        if name.kind.fhir.is_none() && name.kind.system.is_none() {
            return Err(unknown_type(name));
        }
        let keeps = |item: &Item| match (item, name.kind.fhir) {
            // Of primitives only the very type: a code is a string, but not `as string`.
            (Item::Node(node), Some(fhir)) if node.is_primitive() => node.kind() == fhir,
            _ => is_named(item, name.kind),
        };
        Ok(match found {
            Collection::Empty => Collection::Empty,
            Collection::One(item) => Collection::maybe(Some(item).filter(keeps)),
            Collection::Many(mut items) => {
                items.retain(keeps);
                Collection::Many(items)
            }
        })
    }
}

fn unknown_type(name: &TypeName) -> Error {
    Error::evaluation(format!("there is no type `{}`", name.text))
}

fn is_named(item: &Item, name: NamedType) -> bool {
    match item.kind() {
        Some(ItemType::Fhir(kind)) => name.fhir.is_some_and(|fhir| is_kind(kind, fhir)),
        Some(ItemType::System(kind)) => {
            name.system.is_some_and(|system| system == kind || system == SystemType::Any)
        }
        None => false,
    }
}

/// The only item, or none; more are an error.
pub(super) fn single<'s, 'a>(found: &'s Collection<'a>) -> Result<Option<&'s Item<'a>>, Error> {
    match found.as_slice() {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        items => Err(Error::evaluation(format!("{} items where one is expected", items.len()))),
    }
}

fn compare<'a>(operator: Operator, left: &Collection<'a>, right: &Collection<'a>) -> Found<'a> {
    let (Some(left), Some(right)) = (single(left)?, single(right)?) else {
        return Ok(Collection::Empty);
    };
    let holds = |order: Ordering| match operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    };
    let order = operators::order(left, right)?;
    Ok(Collection::maybe(order.map(|order| Item::Boolean(holds(order)))))
}

fn quantity_member<'a>(quantity: &super::quantity::Quantity, name: &Name) -> Collection<'a> {
    Collection::maybe(match &*name.text {
        "value" => Some(Item::Decimal(quantity.value)),
        "unit" => Some(Item::String(Cow::Owned(quantity.unit.name().to_owned()))),
        _ => None,
    })
}

fn type_member<'a>(kind: ItemType, name: &Name) -> Collection<'a> {
    let text = match &*name.text {
        "namespace" => kind.namespace(),
        "name" => kind.name(),
        _ => return Collection::Empty,
    };
    Collection::One(Item::String(Cow::Borrowed(text)))
}

/// Whether a URL names a type that a resource of this kind conforms to; none when it names no type of FHIR.
pub(super) fn conforms(node: Node, url: &str) -> Option<bool> {
    let name = url.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?;
    let kind = r4().id(name).filter(|id| r4().get(*id).kind != Kind::Group)?;
    Some(is_kind(node.kind(), kind))
}

#[cfg(test)]
mod tests {
    use super::super::probe::{check, fails};

    #[test]
    fn logic_has_three_values() {
        check("true and {}", "");
        check("false and {}", "false");
        check("{} or true", "true");
        check("{} or false", "");
        check("{} implies true", "true");
        check("{} xor true", "");
        check("name.first() and true", "true");
        fails("name and true", "2 items where one is expected");
    }

    #[test]
    fn what_is_decided_is_not_evaluated_further() {
        check("false and (1 | 2)", "false");
        check("true or (1 | 2)", "true");
        check("iif(true, 1, (1 | 2).single())", "1");
    }

    #[test]
    fn types_are_told_apart() {
        check("gender is code", "true");
        check("gender is string", "true");
        check("gender.ofType(string)", "");
        check("active is Boolean", "false");
        check("active is boolean", "true");
        check("true is Boolean", "true");
        check("true is boolean", "false");
        check("extension.value is Quantity", "true");
        check("extension.value is Age", "true");
        check("Patient is System.Patient", "false");
        check("(1 | 'a' | 1.5).ofType(Integer)", "1");
        fails("gender is strnig", "there is no type `strnig`");
        fails("gender.as(strnig)", "there is no type `strnig`");
    }

    #[test]
    fn variables_are_known() {
        check("name.first().select(%resource.id | %rootResource.id | %context.id)", "p1");
        check(
            "%`vs-x` | %`ext-y` | %ucum",
            "http://hl7.org/fhir/ValueSet/x, http://hl7.org/fhir/StructureDefinition/y, http://unitsofmeasure.org",
        );
        fails("%nothing", "there is no variable %nothing");
    }

    #[test]
    fn an_index_is_a_place() {
        check("name.given[1]", "Bo");
        check("name.given[5]", "");
        check("name.given[-1]", "");
        check("name.select($index)", "0, 1");
        fails("name['a']", "an index has to be an Integer");
    }

    #[test]
    fn work_is_bounded() {
        let many = "(1|2|3|4|5|6|7|8|9)";
        let nested = format!(
            "{many}.select({many}.select({many}.select({many}.select({many}.select({many})))))"
        );
        fails(&nested, "too much work");
        fails(
            &format!(
                "{many}.aggregate($total & $total & $total & $total & $total & $total & $total & $total, 'aaaaaaaaaaaaaaaa')"
            ),
            "too much work",
        );
        check("repeat($this).count()", "1");
        fails("'a'.repeat($this & 'a')", "too much work");
    }
}
