//! Strings (FHIRPath section 5.6). Positions and lengths count characters.

use super::Call;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, single};
use crate::path::function::Function;
use crate::path::item::Item;
use crate::path::pattern::{self, Extent};
use crate::path::syntax::Term;
use regex::{Captures, Regex};
use serde_json::Value;
use std::borrow::Cow;

/// A text, or a FHIR primitive that JSON writes as one.
pub(super) fn text<'a>(found: &Collection<'a>) -> Result<Option<Cow<'a, str>>, Error> {
    let Some(item) = single(found)? else { return Ok(None) };
    let text = match item {
        Item::Node(node) => node.value().and_then(Value::as_str).map(Cow::Borrowed),
        other => other.to_text(),
    };
    text.map(Some).ok_or_else(|| Error::evaluation("a text is expected"))
}

fn found_text<'a>(text: impl Into<Cow<'a, str>>) -> Collection<'a> {
    Collection::One(Item::String(text.into()))
}

fn found_count<'a>(count: usize) -> Found<'a> {
    i32::try_from(count)
        .map(|count| Collection::One(Item::Integer(count)))
        .map_err(|_| Error::TooCostly)
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn text_argument(
        &self,
        call: Call<'_, 'a>,
        place: usize,
    ) -> Result<Option<Cow<'a, str>>, Error> {
        text(&self.argument(call, place)?)
    }

    /// The functions whose result is no longer than their input.
    pub(super) fn text_function(
        &self,
        function: Function,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Found<'a> {
        let Some(input) = text(input)? else {
            return Ok(match function {
                Function::StartsWith | Function::EndsWith | Function::Contains => {
                    self.about_nothing()
                }
                _ => Collection::Empty,
            });
        };
        self.budget.text(input.len())?;
        match function {
            Function::Upper => return Ok(found_text(input.to_uppercase())),
            Function::Lower => return Ok(found_text(input.to_lowercase())),
            Function::Trim => return Ok(found_text(input.trim().to_owned())),
            Function::Length => return found_count(input.chars().count()),
            Function::ToChars => {
                self.budget.items(input.len())?;
                return Ok(input
                    .chars()
                    .map(|next| Item::String(next.to_string().into()))
                    .collect());
            }
            Function::Substring => return self.substring(&input, call),
            _ => {}
        }
        let Some(other) = self.text_argument(call, 0)? else { return Ok(Collection::Empty) };
        let other = other.as_ref();
        Ok(match function {
            Function::StartsWith => Collection::boolean(input.starts_with(other)),
            Function::EndsWith => Collection::boolean(input.ends_with(other)),
            Function::Contains => Collection::boolean(input.contains(other)),
            _ => match input.split_once(other) {
                Some((before, _)) => found_count(before.chars().count())?,
                None => Collection::One(Item::Integer(-1)),
            },
        })
    }

    /// Nothing when it starts outside the text.
    fn substring(&self, input: &str, call: Call<'_, 'a>) -> Found<'a> {
        let Some(start) = self.integer_if_any(call, 0)? else { return Ok(Collection::Empty) };
        let length = match call.arguments.get(1) {
            Some(_) => self.integer_if_any(call, 1)?,
            None => None,
        };
        let Ok(start) = usize::try_from(start) else { return Ok(Collection::Empty) };
        let Some((place, _)) = input.char_indices().nth(start) else {
            return Ok(Collection::Empty);
        };
        let rest = input.get(place..).unwrap_or_default();
        let length = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
        Ok(found_text(rest.chars().take(length).collect::<String>()))
    }

    pub(super) fn replace(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let input = text(input)?;
        let (pattern, substitution) = (self.text_argument(call, 0)?, self.text_argument(call, 1)?);
        let (Some(input), Some(pattern), Some(substitution)) = (input, pattern, substitution)
        else {
            return Ok(Collection::Empty);
        };
        let count = input.matches(pattern.as_ref()).count();
        self.budget.text(input.len().saturating_add(count.saturating_mul(substitution.len())))?;
        Ok(found_text(input.replace(pattern.as_ref(), &substitution)))
    }

    /// Runs with the regular expression of the first argument: compiled before, when it was written as a literal.
    fn with_regex<T>(
        &self,
        call: Call<'_, 'a>,
        extent: Extent,
        run: impl FnOnce(&Regex) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if let Some(Term::Pattern(pattern)) = call.first() {
            return run(pattern.regex(extent)?).map(Some);
        }
        let Some(text) = self.text_argument(call, 0)? else { return Ok(None) };
        // Compiling is the dearest thing an expression can ask for.
        self.budget.spend(1_000 + 10 * text.len())?;
        run(&pattern::compile(&text, extent)?).map(Some)
    }

    pub(super) fn matches(
        &self,
        function: Function,
        input: &Collection<'a>,
        call: Call<'_, 'a>,
    ) -> Found<'a> {
        let Some(input) = text(input)? else { return Ok(self.about_nothing()) };
        self.budget.text(input.len())?;
        let extent = if function == Function::MatchesFull { Extent::Full } else { Extent::Partial };
        let matches = self.with_regex(call, extent, |regex| Ok(regex.is_match(&input)))?;
        Ok(Collection::maybe(matches.map(Item::Boolean)))
    }

    /// In the substitution `$1` stands for what the first group matched.
    pub(super) fn replace_matches(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let (input, substitution) = (text(input)?, self.text_argument(call, 1)?);
        let (Some(input), Some(substitution)) = (input, substitution) else {
            return Ok(Collection::Empty);
        };
        if let Some(Term::Pattern(pattern)) = call.first()
            && pattern.text().is_empty()
        {
            return Ok(Collection::One(Item::String(input)));
        }
        let replaced = self.with_regex(call, Extent::Partial, |regex| {
            let mut result = String::new();
            let mut end = 0;
            for captures in regex.captures_iter(&input) {
                let Some(whole) = captures.get(0) else { continue };
                result.push_str(input.get(end..whole.start()).unwrap_or_default());
                substitute(&mut result, &substitution, &captures);
                end = whole.end();
                self.budget.text(result.len())?;
            }
            result.push_str(input.get(end..).unwrap_or_default());
            Ok(result)
        })?;
        Ok(Collection::maybe(replaced.map(|text| Item::String(text.into()))))
    }

    pub(super) fn split(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let (input, separator) = (text(input)?, self.text_argument(call, 0)?);
        let (Some(input), Some(separator)) = (input, separator) else {
            return Ok(Collection::Empty);
        };
        if separator.is_empty() {
            return Ok(Collection::One(Item::String(input)));
        }
        self.budget.items(input.len() / separator.len())?;
        Ok(input
            .split(separator.as_ref())
            .map(|part| Item::String(Cow::Owned(part.to_owned())))
            .collect())
    }

    pub(super) fn join(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let separator = self.text_argument(call, 0)?.unwrap_or_default();
        let mut parts = Vec::with_capacity(input.len());
        let mut bytes = 0_usize;
        for item in input.as_slice() {
            let Some(part) = item.to_text() else {
                return Err(Error::evaluation("`join` takes texts"));
            };
            bytes = bytes.saturating_add(part.len()).saturating_add(separator.len());
            parts.push(part);
        }
        self.budget.text(bytes)?;
        if parts.is_empty() {
            return Ok(Collection::Empty);
        }
        Ok(found_text(parts.join(&separator)))
    }
}

/// `$1` and `$name` would be ambiguous before letters as the regex crate reads them: only digits are read here.
fn substitute(result: &mut String, substitution: &str, captures: &Captures) {
    let mut rest = substitution;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count().min(2);
        let (number, after) = after.split_at_checked(digits).unwrap_or(("", after));
        match number.parse::<usize>() {
            Ok(group) => {
                result.push_str(captures.get(group).map_or("", |found| found.as_str()));
            }
            Err(_) => result.push('$'),
        }
        rest = after;
    }
    result.push_str(rest);
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn characters_are_counted_not_bytes() {
        check("'aé漢'.length() | 'aé漢'.indexOf('漢') | 'x'.indexOf('y')", "3, 2, -1");
        check("'aé漢z'.substring(1, 2) | 'aé漢z'.substring(3)", "é漢, z");
        check("'ab'.substring(2) | 'ab'.substring(-1) | 'ab'.substring(0, -1)", "");
        check("'é漢'.toChars()", "é, 漢");
        check("'ab'.substring({})", "");
    }

    #[test]
    fn texts_are_searched_and_changed() {
        check("'abc'.contains('b') and 'abc'.startsWith('') and 'abc'.endsWith('c')", "true");
        check("'aXbX'.replace('X', '--') | 'ab'.replace('', '-')", "a--b--, -a-b-");
        check("'a,b,,c'.split(',').join('+') | 'ab'.split('')", "a+b++c, ab");
        check("' a '.trim() | 'é'.upper()", "a, É");
        check("birthDate.startsWith('1974')", "true");
        fails("1.startsWith('1')", "a text is expected");
        fails("name.given.upper()", "2 items where one is expected");
    }

    #[test]
    fn regular_expressions_match_parts() {
        check("'a\\nb'.matches('a.b') and 'abc'.matches('^b').not()", "true");
        check("'abc'.matchesFull('b') | 'abc'.matchesFull('a.c')", "false, true");
        check("'2020-12'.replaceMatches('([0-9]+)-([0-9]+)', '$2/$1')", "12/2020");
        check("'ab'.replaceMatches('b', '$$9$x')", "a$$x");
        check("'ab'.replaceMatches('', 'x') | 'ab'.matches('a' & 'b').toString()", "ab, true");
        fails("'a'.matches('(')", "no regular expression");
        fails("'a'.matches('((a{500}){500}){500}')", "no regular expression");
    }
}
