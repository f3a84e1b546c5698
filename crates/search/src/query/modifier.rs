//! Modifiers (search.html#modifiers), and what values mean under them.

use super::hierarchy::part_of;
use super::{Context, Hierarchy, Wanted};
use crate::error::{Error, shown};
use crate::parameter::string::How;
use crate::parameter::token::Spelling;
use crate::parameter::{
    composite, date, last_updated, near, number, quantity, reference, string, token, uri,
};
use crate::query::text::unescape;
use crate::registry::{Parameter, Rule};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Modifier {
    None,
    Missing,
    Not,
    Exact,
    Contains,
    Text,
    Above,
    Below,
    /// Codes that were looked up.
    Codes(Hierarchy),
    NotIn,
    OfType,
    Identifier,
    /// `subject:Patient=1`
    Kind(&'static str),
}

impl Modifier {
    pub(super) fn parse(parameter: &Parameter, text: Option<&str>) -> Result<Modifier, Error> {
        let Some(text) = text else { return Ok(Modifier::None) };
        let kinds = || parameter.program.walks().iter().map(|walk| walk.end.kind);
        match (text, &parameter.rule) {
            ("missing", Rule::Id | Rule::LastUpdated | Rule::Words(_)) => {}
            ("missing", _) => return Ok(Modifier::Missing),
            ("not", Rule::Token) => return Ok(Modifier::Not),
            ("not", Rule::Either(codes)) if codes.iter().all(|code| !code.contains('$')) => {
                return Ok(Modifier::Not);
            }
            ("in", Rule::Token | Rule::Either(_)) => return Ok(Modifier::Codes(Hierarchy::In)),
            ("not-in", Rule::Token | Rule::Either(_)) => return Ok(Modifier::NotIn),
            ("above", Rule::Token | Rule::Either(_)) => {
                return Ok(Modifier::Codes(Hierarchy::Above));
            }
            ("below", Rule::Token | Rule::Either(_)) => {
                return Ok(Modifier::Codes(Hierarchy::Below));
            }
            ("text", Rule::Token) if parameter.has_texts() => return Ok(Modifier::Text),
            ("text", Rule::Either(codes)) if codes.iter().all(|code| !code.contains('$')) => {
                return Ok(Modifier::Text);
            }
            ("exact", Rule::String) => return Ok(Modifier::Exact),
            ("contains", Rule::String) => return Ok(Modifier::Contains),
            ("above", Rule::Uri) => return Ok(Modifier::Above),
            ("below", Rule::Uri) => return Ok(Modifier::Below),
            ("of-type", Rule::Token) if kinds().any(|kind| kind == "Identifier") => {
                return Ok(Modifier::OfType);
            }
            ("above" | "below", Rule::Reference)
                if parameter.targets.iter().any(|target| part_of(target).is_some()) =>
            {
                let is_above = text == "above";
                let hierarchy = if is_above { Hierarchy::Above } else { Hierarchy::Below };
                return Ok(Modifier::Codes(hierarchy));
            }
            ("identifier", Rule::Reference) if kinds().any(|kind| kind == "Reference") => {
                return Ok(Modifier::Identifier);
            }
            (kind, Rule::Reference) => {
                if let Some(kind) = parameter.targets.iter().find(|target| **target == kind) {
                    return Ok(Modifier::Kind(kind));
                }
            }
            _ => {}
        }
        Err(Error::NotSupported {
            what: format!("the modifier `:{}` of `{}`", shown(text), parameter.code),
            instead: format!("it takes: {}", Modifier::names(parameter).join(", ")),
        })
    }

    /// What a parameter takes, for a refusal.
    fn names(parameter: &Parameter) -> Vec<String> {
        let own: &[&str] = match parameter.rule {
            Rule::Id | Rule::LastUpdated | Rule::Words(_) => return vec!["no modifier".to_owned()],
            Rule::Token => {
                &[":not", ":in", ":not-in", ":above", ":below", ":of-type (identifiers)", ":text"]
            }
            Rule::Either(_) => &[":not", ":text", ":in", ":not-in", ":above", ":below"],
            Rule::String => &[":exact", ":contains"],
            Rule::Uri => &[":above", ":below"],
            Rule::Reference => &[":identifier", ":above and :below (what has parts)", "a type"],
            Rule::Date
            | Rule::Number
            | Rule::Quantity
            | Rule::Composite(_)
            | Rule::Near
            | Rule::Unsupported(_) => &[],
        };
        [":missing"].iter().chain(own).map(|name| (*name).to_owned()).collect()
    }
}

/// What is wanted by values of a parameter that is searched by itself.
pub(super) fn wanted(
    parameter: &'static Parameter,
    modifier: &Modifier,
    values: &[&str],
    context: &Context,
) -> Result<Wanted, Error> {
    let code = parameter.code;
    Ok(match &parameter.rule {
        Rule::Id => Wanted::Ids(each(values, id)?),
        Rule::LastUpdated => {
            let ranges = each(values, |value| last_updated::parse(value, context))?;
            Wanted::LastUpdated(last_updated::union(ranges.into_iter().flatten().collect()))
        }
        Rule::Token if *modifier == Modifier::OfType => {
            let parse = |value| {
                let wanted = token::parse_of_type(value, code)?;
                Ok(context.veil.asked(wanted, parameter.spelling))
            };
            Wanted::Tokens(all(values, parse)?)
        }
        Rule::Token if matches!(modifier, Modifier::Codes(_)) => {
            Wanted::Tokens(codes(parameter, modifier, values, context)?)
        }
        Rule::Token if *modifier == Modifier::Text => {
            let parse = |value| string::Wanted::parse(value, code, How::Starts, false);
            Wanted::Texts(all(values, parse)?)
        }
        Rule::Token => {
            let parse = |value| {
                let wanted = token::parse(value, code, parameter.spelling)?;
                Ok(context.veil.asked(wanted, parameter.spelling))
            };
            Wanted::Tokens(all(values, parse)?)
        }
        Rule::Reference if *modifier == Modifier::Identifier => {
            let parse = |value| {
                let wanted = token::parse(value, code, Spelling::Exact)?;
                Ok(context.veil.asked(wanted, Spelling::Exact))
            };
            Wanted::Identifiers(all(values, parse)?)
        }
        Rule::Reference if matches!(modifier, Modifier::Codes(_)) => {
            Wanted::References(parts(parameter, modifier, values, context)?)
        }
        Rule::Reference => {
            let one;
            let targets = match modifier {
                Modifier::Kind(kind) => {
                    one = [*kind];
                    one.as_slice()
                }
                _ => parameter.targets.as_slice(),
            };
            let parse = |value| reference::parse(value, code, targets, context.base_url);
            let wanted = each(values, parse)?;
            check_keys(&wanted, code)?;
            Wanted::References(wanted.into_iter().map(|wanted| wanted.among(targets)).collect())
        }
        Rule::Uri => match modifier {
            Modifier::Below => Wanted::UrisBelow(each(values, |value| {
                let text = uri::parse(value, code)?;
                uri::stored(&text).ok_or_else(|| too_long(code))
            })?),
            Modifier::Above => {
                let texts = each(values, |value| uri::parse(value, code))?;
                if texts.iter().map(String::len).sum::<usize>() > super::TEXT_BYTES_MAX / 16 {
                    return Err(too_long(code));
                }
                Wanted::Uris(texts.iter().flat_map(|text| uri::above(text)).collect())
            }
            _ => Wanted::Uris(each(values, |value| uri::parse(value, code))?),
        },
        Rule::String => {
            let how = match modifier {
                Modifier::Exact => How::Exact,
                Modifier::Contains => How::Contains,
                _ => How::Starts,
            };
            let is_name = parameter.is_name();
            Wanted::Strings(all(values, |value| string::Wanted::parse(value, code, how, is_name))?)
        }
        Rule::Date => Wanted::Dates(all(values, |value| date::parse(value, code, context))?),
        Rule::Number => Wanted::Numbers(all(values, |value| number::parse(value, code))?),
        Rule::Quantity => Wanted::Quantities(each(values, |value| quantity::parse(value, code))?),
        Rule::Composite(composite) => Wanted::Composites(all(values, |value| {
            composite::parse(value, code, composite.parts(), context)
        })?),
        Rule::Near => Wanted::Near(each(values, |value| near::parse(value, code))?),
        Rule::Either(_) | Rule::Words(_) | Rule::Unsupported(_) => {
            let what = format!("`{code}`");
            return Err(Error::NotSupported { what, instead: "leave it out".to_owned() });
        }
    })
}

/// The codes that the values stand for; none of a value set that is empty.
fn codes(
    parameter: &Parameter,
    modifier: &Modifier,
    values: &[&str],
    context: &Context,
) -> Result<Vec<token::Wanted>, Error> {
    let Modifier::Codes(hierarchy) = modifier else { return Ok(Vec::new()) };
    let mut wanted = Vec::new();
    for value in values {
        let codes = context.codes.get(&(*hierarchy, (*value).to_owned()));
        let codes = codes.ok_or_else(|| Error::Value {
            parameter: parameter.code.to_owned(),
            reason: format!(
                "`{}` cannot be looked up here; write a value set's URL, or system|code for :above and :below, in a search",
                shown(value)
            ),
        })?;
        let form =
            |(system, code): &(String, String)| token::coded(system, code, parameter.spelling);
        wanted.extend(codes.iter().map(form));
    }
    Ok(wanted)
}

/// The resources that the values stand for, with their parts or their wholes.
fn parts(
    parameter: &Parameter,
    modifier: &Modifier,
    values: &[&str],
    context: &Context,
) -> Result<Vec<reference::Wanted>, Error> {
    let Modifier::Codes(hierarchy) = modifier else { return Ok(Vec::new()) };
    let mut wanted = Vec::new();
    for value in values {
        let found = context.codes.get(&(*hierarchy, (*value).to_owned()));
        let found = found.ok_or_else(|| Error::Value {
            parameter: parameter.code.to_owned(),
            reason: format!(
                "`{}` cannot be looked up here; write Type/id of something that has parts, as Location/1",
                shown(value)
            ),
        })?;
        for (kind, id) in found {
            let kinds = parameter.targets.iter().copied().filter(|target| target == kind);
            let kinds: Vec<&'static str> = kinds.collect();
            if kinds.is_empty() {
                let reason = format!("it does not refer to `{}`", shown(kind));
                return Err(Error::Value { parameter: parameter.code.to_owned(), reason });
            }
            wanted.push(reference::Wanted::Local { kinds, id: id.clone() });
        }
    }
    Ok(wanted)
}

fn each<'a, T>(
    values: &[&'a str],
    parse: impl Fn(&'a str) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    values.iter().map(|value| parse(value)).collect()
}

fn all<'a, T>(
    values: &[&'a str],
    parse: impl Fn(&'a str) -> Result<Vec<T>, Error>,
) -> Result<Vec<T>, Error> {
    Ok(each(values, parse)?.into_iter().flatten().collect())
}

fn too_long(parameter: &str) -> Error {
    Error::Value {
        parameter: parameter.to_owned(),
        reason: "the URL is too long to be looked up by a part of it".to_owned(),
    }
}

fn id(text: &str) -> Result<String, Error> {
    let text = unescape(text, "_id")?;
    if reference::is_id(&text) {
        return Ok(text);
    }
    let reason =
        format!("`{}` is no id: letters, digits, `-` and `.`, at most 64 of them", shown(&text));
    Err(Error::Value { parameter: "_id".to_owned(), reason })
}

/// An id alone stands for as many keys as there are types it may be of.
fn check_keys(wanted: &[reference::Wanted], parameter: &str) -> Result<(), Error> {
    const KEYS_MAX: usize = 10_000;
    let count: usize = wanted.iter().map(reference::Wanted::keys_len).sum();
    if count > KEYS_MAX {
        let what = format!("`{parameter}` has ids that may be of too many types; write Type/id");
        return Err(Error::TooMany { what, max: KEYS_MAX });
    }
    Ok(())
}
