//! The functions (FHIRPath section 5, fhirpath.html): which one a call means. Each theme is a file below.

mod boundary;
mod combining;
mod convert;
mod encode;
mod existence;
mod fhir;
mod filtering;
mod maths;
mod sort;
mod strings;
mod utility;

use super::Error;
use super::collection::Collection;
use super::evaluate::{Evaluator, Found, Scope, single};
use super::function::Function;
use super::item::Item;
use super::syntax::Term;
use super::temporal::DateTime;
use super::temporal::boundary::Side;
use convert::Target;
pub(super) use convert::shown;
use maths::Curve;

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn call(
        &self,
        function: Function,
        arguments: &'a [Term],
        input: Collection<'a>,
        scope: Scope<'_, 'a>,
    ) -> Found<'a> {
        let call = Call { arguments, scope };
        match function {
            Function::Empty => Ok(Collection::boolean(input.is_empty())),
            Function::Exists => self.exists(input, call),
            Function::All => self.all(input, call),
            Function::AllTrue => every(&input, true),
            Function::AllFalse => every(&input, false),
            Function::AnyTrue => some(&input, true),
            Function::AnyFalse => some(&input, false),
            Function::SubsetOf => self.subset_of(&input, call),
            Function::SupersetOf => self.superset_of(&input, call),
            Function::Count => existence::count(&input),
            Function::Distinct => self.distinct(input),
            Function::IsDistinct => self.is_distinct(input),
            Function::Where => self.filter(input, call),
            Function::Select => self.select(input, call),
            Function::Repeat => self.repeat(input, call),
            Function::Single => single(&input).map(|item| Collection::maybe(item.cloned())),
            Function::First => Ok(Collection::maybe(input.first().cloned())),
            Function::Last => Ok(Collection::maybe(input.as_slice().last().cloned())),
            Function::Tail => Ok(filtering::skip(input, 1)),
            Function::Skip => Ok(filtering::skip(input, self.integer(call, 0)?)),
            Function::Take => Ok(filtering::take(input, self.integer(call, 0)?)),
            Function::Intersect => self.intersect(input, call),
            Function::Exclude => self.exclude(input, call),
            Function::Union => {
                let other = self.argument(call, 0)?;
                self.union(input, other)
            }
            Function::Combine => self.combine(input, call),
            Function::Sort => self.sort(input, call),
            Function::Iif => self.iif(&input, call),
            Function::ToBoolean => self.convert(&input, call, Target::Boolean),
            Function::ToInteger => self.convert(&input, call, Target::Integer),
            Function::ToDecimal => self.convert(&input, call, Target::Decimal),
            Function::ToString => self.convert(&input, call, Target::String),
            Function::ToDate => self.convert(&input, call, Target::Date),
            Function::ToDateTime => self.convert(&input, call, Target::DateTime),
            Function::ToTime => self.convert(&input, call, Target::Time),
            Function::ToQuantity => self.convert(&input, call, Target::Quantity),
            Function::ConvertsToBoolean => self.converts(&input, call, Target::Boolean),
            Function::ConvertsToInteger => self.converts(&input, call, Target::Integer),
            Function::ConvertsToDecimal => self.converts(&input, call, Target::Decimal),
            Function::ConvertsToString => self.converts(&input, call, Target::String),
            Function::ConvertsToDate => self.converts(&input, call, Target::Date),
            Function::ConvertsToDateTime => self.converts(&input, call, Target::DateTime),
            Function::ConvertsToTime => self.converts(&input, call, Target::Time),
            Function::ConvertsToQuantity => self.converts(&input, call, Target::Quantity),
            Function::IndexOf
            | Function::Substring
            | Function::StartsWith
            | Function::EndsWith
            | Function::Contains
            | Function::Upper
            | Function::Lower
            | Function::Length
            | Function::ToChars
            | Function::Trim => self.text_function(function, &input, call),
            Function::Replace => self.replace(&input, call),
            Function::Matches | Function::MatchesFull => self.matches(function, &input, call),
            Function::ReplaceMatches => self.replace_matches(&input, call),
            Function::Split => self.split(&input, call),
            Function::Join => self.join(&input, call),
            Function::Encode | Function::Decode | Function::Escape | Function::Unescape => {
                self.encoding(function, &input, call)
            }
            Function::Abs => maths::abs(&input),
            Function::Ceiling => maths::whole(&input, |number| number.ceil()),
            Function::Floor => maths::whole(&input, |number| number.floor()),
            Function::Truncate => maths::whole(&input, |number| number.trunc()),
            Function::Round => self.round(&input, call),
            Function::Exp => maths::curve(&input, Curve::Exponential),
            Function::Ln => maths::curve(&input, Curve::Logarithm),
            Function::Sqrt => maths::curve(&input, Curve::Root),
            Function::Log => self.log(&input, call),
            Function::Power => self.power(&input, call),
            Function::LowBoundary => self.boundary(&input, call, Side::Low),
            Function::HighBoundary => self.boundary(&input, call, Side::High),
            Function::Precision => boundary::precision(&input),
            Function::Comparable => self.comparable(&input, call),
            Function::Children => self.children(&input),
            Function::Descendants => self.descendants(&input),
            Function::Not => utility::not(&input),
            Function::Type => Ok(utility::types(&input)),
            // What was asked to be traced could name a patient: it is not written anywhere.
            Function::Trace => Ok(input),
            Function::Now => Ok(Collection::One(Item::DateTime(self.now()?))),
            Function::Today => Ok(Collection::One(Item::Date(self.now()?.date))),
            Function::TimeOfDay => Ok(Collection::maybe(self.now()?.time.map(Item::Time))),
            Function::Aggregate => self.aggregate(&input, call),
            Function::Extension => self.extension(&input, call),
            Function::HasValue => fhir::has_value(&input),
            Function::GetValue => fhir::get_value(&input),
            Function::Resolve => self.resolve(&input),
            Function::MemberOf => self.member_of(&input, call),
            Function::ConformsTo => self.conforms_to(&input, call),
            Function::HtmlChecks => fhir::html_checks(&input),
        }
    }

    fn now(&self) -> Result<DateTime, Error> {
        self.context.now.ok_or_else(|| Error::evaluation("the time is not known here"))
    }

    /// An argument that is evaluated once, on what the call stands in.
    fn argument(&self, call: Call<'_, 'a>, place: usize) -> Found<'a> {
        match call.arguments.get(place) {
            Some(term) => self.term(term, call.scope),
            None => Ok(Collection::Empty),
        }
    }

    fn integer(&self, call: Call<'_, 'a>, place: usize) -> Result<i32, Error> {
        self.integer_if_any(call, place)?
            .ok_or_else(|| Error::evaluation("an Integer is expected, and nothing was found"))
    }

    fn integer_if_any(&self, call: Call<'_, 'a>, place: usize) -> Result<Option<i32>, Error> {
        let found = self.argument(call, place)?;
        match single(&found)?.map(Item::simple).as_deref() {
            None => Ok(None),
            Some(Item::Integer(number)) => Ok(Some(*number)),
            Some(_) => Err(Error::evaluation("the argument has to be an Integer")),
        }
    }
}

/// The arguments of a call, and what its surroundings are.
#[derive(Clone, Copy)]
struct Call<'s, 'a> {
    arguments: &'a [Term],
    scope: Scope<'s, 'a>,
}

impl<'s, 'a> Call<'s, 'a> {
    fn first(&self) -> Option<&'a Term> {
        self.arguments.first()
    }

    /// The surroundings of an argument that is evaluated for each item.
    fn each(&self, item: &'s Item<'a>, index: usize) -> Scope<'s, 'a> {
        Scope { this: std::slice::from_ref(item), index, total: self.scope.total }
    }
}

fn booleans<'s>(input: &'s Collection<'_>) -> impl Iterator<Item = Result<bool, Error>> + 's {
    input.as_slice().iter().map(|item| {
        item.as_bool().ok_or_else(|| Error::evaluation("all items have to be Booleans"))
    })
}

fn every<'a>(input: &Collection<'a>, wanted: bool) -> Found<'a> {
    let values: Vec<bool> = booleans(input).collect::<Result<_, _>>()?;
    Ok(Collection::boolean(values.iter().all(|value| *value == wanted)))
}

fn some<'a>(input: &Collection<'a>, wanted: bool) -> Found<'a> {
    let values: Vec<bool> = booleans(input).collect::<Result<_, _>>()?;
    Ok(Collection::boolean(values.contains(&wanted)))
}
