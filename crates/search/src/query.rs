//! From the text of a search to what was asked (search.html).
//!
//! A query is the conjunction of its clauses; a clause asks for one of its values. Whatever is not understood is refused, or,
//! where the caller prefers leniency and the name is unknown, reported: nothing is left out in silence.

mod names;
pub mod text;

use crate::date;
use crate::error::{Error, shown};
use crate::parameter::{last_updated, reference, string, token, uri};
use crate::registry::{self, Parameter, Rule};
use jiff::tz::TimeZone;
use names::{closest, refused};

const CLAUSES_MAX: usize = 64;
/// Values of one clause.
const VALUES_MAX: usize = 1_000;
/// Of a name and its values.
const TEXT_BYTES_MAX: usize = 64 * 1_024;

/// What to do about a parameter that does not exist (search.html#errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Refuse,
    Report,
}

/// What the meaning of a text depends on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Of this server, without a slash at the end: references that begin with it are local.
    pub base_url: &'a str,
    /// Of dates without an offset.
    pub time_zone: &'a TimeZone,
    pub unknown: Unknown,
}

#[derive(Clone, Debug)]
pub struct Query {
    pub resource: &'static str,
    /// The version key of the last match of the page before.
    pub after: Option<i64>,
    /// Names that do not exist, and were left out as the caller preferred.
    pub ignored: Vec<String>,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub(crate) parameter: &'static Parameter,
    /// As it was sent, escapes included.
    text: String,
    pub(crate) wanted: Wanted,
}

/// One of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Ids(Vec<String>),
    /// In order, apart from each other.
    LastUpdated(Vec<date::Range>),
    Tokens(Vec<token::Wanted>),
    References(Vec<reference::Wanted>),
    Uris(Vec<String>),
    Strings(Vec<String>),
}

impl Query {
    /// `pairs` are decoded names and values, without those that are not about which resources match (`_count`, `_format`, …).
    pub fn parse(
        resource: &'static str,
        pairs: &[(String, String)],
        context: &Context,
    ) -> Result<Query, Error> {
        if pairs.len() > CLAUSES_MAX {
            let what = "there are too many search parameters".to_owned();
            return Err(Error::TooMany { what, max: CLAUSES_MAX });
        }
        let mut query = Query { resource, after: None, ignored: Vec::new(), clauses: Vec::new() };
        for (name, text) in pairs {
            check_text(name, text)?;
            match parameter(resource, name) {
                Ok(parameter) => query.clauses.push(Clause::parse(parameter, text, context)?),
                Err(Error::UnknownParameter { .. }) if context.unknown == Unknown::Report => {
                    query.ignored.push(shown(name));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(query)
    }

    /// Whether every resource of the type matches.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The text of the clauses, percent-encoded: the search as it was understood.
    pub fn canonical(&self) -> String {
        let clauses = self
            .clauses
            .iter()
            .map(|clause| format!("{}={}", clause.parameter.code, encode(&clause.text)));
        clauses.collect::<Vec<_>>().join("&")
    }
}

fn check_text(name: &str, text: &str) -> Result<(), Error> {
    let refuse =
        |reason: &str| Err(Error::Value { parameter: shown(name), reason: reason.to_owned() });
    if name.len().saturating_add(text.len()) > TEXT_BYTES_MAX {
        return Err(Error::TooMany {
            what: format!("`{}` is too long in bytes", shown(name)),
            max: TEXT_BYTES_MAX,
        });
    }
    if name.chars().chain(text.chars()).any(char::is_control) {
        return refuse("control characters cannot be searched for");
    }
    if text.is_empty() {
        return refuse("a value is missing");
    }
    Ok(())
}

/// The parameter of a name that can be searched by.
fn parameter(resource: &'static str, name: &str) -> Result<&'static Parameter, Error> {
    if let Some(error) = refused(name) {
        return Err(error);
    }
    let (path, modifier) = match name.split_once(':') {
        Some((path, modifier)) => (path, Some(modifier)),
        None => (name, None),
    };
    let chain = path.split_once('.').or(modifier.and_then(|modifier| modifier.split_once('.')));
    let code = path.split('.').next().unwrap_or(path);
    let found = registry::find(resource, code).ok_or_else(|| unknown(resource, code))?;
    let not_supported = |what: String, instead: &str| {
        Err(Error::NotSupported { what, instead: instead.to_owned() })
    };
    match (chain, modifier, found.rule) {
        (Some(_), _, _) => not_supported(
            format!("the chain `{}`", shown(name)),
            "search for the referred resources first and use their ids",
        ),
        (None, Some(modifier), _) => not_supported(
            format!("the modifier `:{}` of `{code}`", shown(modifier)),
            "use the parameter without a modifier",
        ),
        (None, None, Rule::Unsupported(what)) => {
            let names = names(resource);
            not_supported(
                format!("{what} (`{code}`)"),
                &format!("{resource} can be searched by: {names}"),
            )
        }
        (None, None, _) => Ok(found),
    }
}

fn unknown(resource: &'static str, name: &str) -> Error {
    let codes = || registry::supported(resource).map(|parameter| parameter.code);
    let mut known: Vec<&str> = closest(name, codes()).into_iter().collect();
    let meant = known.first().copied();
    known.extend(codes().filter(|code| Some(*code) != meant));
    Error::UnknownParameter { resource, name: shown(name), known: known.join(", ") }
}

fn names(resource: &str) -> String {
    registry::supported(resource).map(|parameter| parameter.code).collect::<Vec<_>>().join(", ")
}

impl Clause {
    fn parse(
        parameter: &'static Parameter,
        text: &str,
        context: &Context,
    ) -> Result<Clause, Error> {
        let max = VALUES_MAX;
        let code = parameter.code;
        let values: Vec<&str> = text::split(text, ',').take(max.saturating_add(1)).collect();
        if values.len() > max {
            return Err(Error::TooMany { what: format!("`{code}` has too many values"), max });
        }
        if values.iter().any(|value| value.is_empty()) {
            let reason = "a value is missing between commas".to_owned();
            return Err(Error::Value { parameter: code.to_owned(), reason });
        }
        let wanted = match parameter.rule {
            Rule::Id => Wanted::Ids(each(&values, id)?),
            Rule::LastUpdated => {
                let ranges = each(&values, |value| last_updated::parse(value, context.time_zone))?;
                Wanted::LastUpdated(last_updated::union(ranges.into_iter().flatten().collect()))
            }
            Rule::Token => Wanted::Tokens(each(&values, |value| {
                token::parse(value, code, parameter.spelling)
            })?),
            Rule::Reference => {
                let parse =
                    |value| reference::parse(value, code, &parameter.targets, context.base_url);
                let wanted = each(&values, parse)?;
                check_keys(&wanted, code)?;
                Wanted::References(wanted)
            }
            Rule::Uri => Wanted::Uris(each(&values, |value| uri::parse(value, code))?),
            Rule::String => Wanted::Strings(each(&values, |value| string::parse(value, code))?),
            Rule::Unsupported(what) => {
                let what = format!("{what} (`{code}`)");
                return Err(Error::NotSupported { what, instead: "leave it out".to_owned() });
            }
        };
        Ok(Clause { parameter, text: text.to_owned(), wanted })
    }
}

fn each<'a, T>(
    values: &[&'a str],
    parse: impl Fn(&'a str) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    values.iter().map(|value| parse(value)).collect()
}

fn id(text: &str) -> Result<String, Error> {
    if reference::is_id(text) {
        return Ok(text.to_owned());
    }
    let reason =
        format!("`{}` is no id: letters, digits, `-` and `.`, at most 64 of them", shown(text));
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

/// As a link has it: what reads well in a query stays.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,:/$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{CLAUSES_MAX, Context, Query, TEXT_BYTES_MAX, Unknown, VALUES_MAX};
    use crate::error::Error;
    use fhir::definitions::r4;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    pub(crate) const BASE: &str = "https://hub.test/fhir";

    /// `Patient?name=a&active=true`, without percent-encoding.
    pub(crate) fn parse_with(search: &str, unknown: Unknown) -> Result<Query, Error> {
        let (resource, text) = search.split_once('?').unwrap();
        let pairs: Vec<(String, String)> = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let context = Context { base_url: BASE, time_zone: &zone, unknown };
        Query::parse(r4().resource(resource).unwrap().name, &pairs, &context)
    }

    pub(crate) fn parse(search: &str) -> Result<Query, Error> {
        parse_with(search, Unknown::Refuse)
    }

    fn check_refused(search: &str, expected: &str) {
        let error = parse(search).unwrap_err();
        assert!(error.to_string().contains(expected), "{search}: {error}");
    }

    #[test]
    fn a_search_comes_back_as_it_was_understood() {
        let search = "Patient?identifier=urn:a|1,2&name=王 é&name=b\\\\,c";
        let canonical = "identifier=urn:a%7C1,2&name=%E7%8E%8B%20%C3%A9&name=b%5C%5C,c";
        assert_eq!(parse(search).unwrap().canonical(), canonical);
        assert!(parse("Patient?").unwrap().is_empty());
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for search in [
            "Patient?name:exact=a",
            "Patient?name:missing=true",
            "Observation?subject:Patient=1",
            "Observation?subject:Patient.name=a",
            "Observation?subject.name=a",
            "Patient?_has:Observation:patient:code=a",
            "Patient?_sort=name",
            "Patient?_include=Patient:organization",
            "Patient?_include:iterate=Patient:organization",
            "Patient?_count=1",
            "Patient?_text=a",
            "Patient?_content=a",
            "Patient?_filter=a",
            "Patient?_query=a",
            "Patient?_list=a",
            "Patient?birthdate=2020",
            "Patient?phonetic=a",
            "Observation?value-quantity=1",
            "Observation?code-value-quantity=a$1",
            "Location?near=1|2",
        ] {
            for unknown in [Unknown::Refuse, Unknown::Report] {
                let error = parse_with(search, unknown).unwrap_err();
                assert!(matches!(error, Error::NotSupported { .. }), "{search}: {error}");
                assert!(error.is_unsupported());
            }
        }
    }

    #[test]
    fn an_unknown_name_is_refused_or_reported() {
        let expected = "unknown parameter `nmae`; Patient has: name, _id,";
        check_refused("Patient?nmae=a", expected);
        check_refused("Patient?zzzzzz=a", "unknown parameter `zzzzzz`; Patient has: _id,");
        check_refused("Patient?zzzzzz:exact=a", "unknown parameter");
        let lenient = parse_with("Patient?nmae=a&active=true", Unknown::Report);
        let query = lenient.unwrap();
        assert_eq!((query.ignored.as_slice(), query.clauses.len()), (&["nmae".to_owned()][..], 1));
    }

    #[test]
    fn a_value_that_says_nothing_is_refused() {
        check_refused("Patient?name=", "a value is missing");
        check_refused("Patient?name=a,,b", "between commas");
        check_refused("Patient?name=a\u{0}", "control characters");
        check_refused("Patient?name=a\\b", "stands only before");
        check_refused("Patient?_id=a b", "is no id");
        check_refused("Patient?_lastUpdated=gt", "is no date");
        check_refused("Patient?_lastUpdated=ap2020", "not supported");
        check_refused("Patient?identifier=|", "a value is missing");
        check_refused("Observation?subject=a b", "is no reference");
    }

    #[test]
    fn a_search_has_bounds() {
        let check = |search: &str, is_accepted: bool| {
            assert_eq!(parse(search).is_ok(), is_accepted, "{} bytes", search.len());
        };
        let clauses = |count: usize| format!("Patient?{}", "name=a&".repeat(count));
        check(&clauses(CLAUSES_MAX), true);
        check(&clauses(CLAUSES_MAX + 1), false);
        let values = |count: usize| format!("Patient?name={}", vec!["a"; count].join(","));
        check(&values(VALUES_MAX), true);
        check(&values(VALUES_MAX + 1), false);
        let text = |length: usize| format!("Patient?identifier={}", "a".repeat(length));
        check(&text(TEXT_BYTES_MAX - "identifier".len()), true);
        check(&text(TEXT_BYTES_MAX - "identifier".len() + 1), false);
        let ids = vec!["1"; 100].join(",");
        check_refused(&format!("Observation?focus={ids}"), "Type/id");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(
            name in "[a-z_:.]{0,12}|identifier|name|_lastUpdated|subject|url|_id",
            value in ".{0,30}",
        ) {
            for resource in ["Patient", "Observation", "ValueSet"] {
                let pairs = vec![(name.clone(), value.clone())];
                let context = Context {
                    base_url: BASE,
                    time_zone: &TimeZone::UTC,
                    unknown: Unknown::Report,
                };
                let resource = r4().resource(resource).unwrap().name;
                if let Ok(query) = Query::parse(resource, &pairs, &context) {
                    prop_assert_eq!(query.clauses.len() + query.ignored.len(), 1);
                }
            }
        }
    }
}
