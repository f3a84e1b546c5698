//! What a search asks (search.html): the text of a query becomes clauses that all must hold.
//!
//! Whatever is not supported is refused, and a name that is unknown, reported: nothing is left out in silence.

pub mod compartment;
mod contained;
mod filter;
pub mod hierarchy;
pub(crate) mod modifier;
mod names;
pub mod text;
mod words;

use crate::compare::Span;
use crate::date;
use crate::error::{Error, shown};
use crate::parameter::{composite, near, quantity, reference, string, token};
use crate::registry::{self, Custom, Parameter, Place, Rule};
use crate::veil::Veil;
use fhir::definitions::r4;
use jiff::tz::TimeZone;
use modifier::Modifier;
use names::{closest, refused};
use std::collections::HashMap;
use std::sync::Arc;

const CLAUSES_MAX: usize = 64;
/// Values of one clause.
pub(crate) const VALUES_MAX: usize = 1_000;
/// Of a name and its values.
const TEXT_BYTES_MAX: usize = 64 * 1_024;
/// Hops of a chain, `_has` included.
const HOPS_MAX: usize = 8;
/// Types that a chain without a type may lead to.
const KINDS_MAX: usize = 12;

/// What to do about a parameter that does not exist (search.html#errors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    Refuse,
    Report,
}

/// What the meaning of a text depends on.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Of this server, without a slash at the end: references that begin with it are local.
    pub base_url: &'a str,
    /// Of dates without an offset.
    pub time_zone: &'a TimeZone,
    /// Microseconds since 1970, for what is approximately now.
    pub now_micros: i64,
    pub unknown: Unknown,
    /// The codes that modifiers of terminology stand for, looked up before.
    pub codes: &'a Codes,
    /// Parameters beside those of the standard.
    pub custom: Arc<Custom>,
    /// What hides the numbers of people in entries.
    pub veil: &'a Veil,
}

/// What a modifier and its value stand for: `in` and a value set, `below` and a code – or a resource, whose parts are given as
/// type and id.
pub type Codes = HashMap<(Hierarchy, String), Vec<(String, String)>>;

/// Which codes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hierarchy {
    /// Those of a value set (`:in`, `:not-in`).
    In,
    /// A code and what it is a kind of (`:above`).
    Above,
    /// A code and its kinds (`:below`).
    Below,
}

/// The values that have to be looked up before a query can be parsed.
pub fn terminology(pairs: &[(String, String)]) -> Vec<(Hierarchy, String)> {
    let of_filters = pairs.iter().filter(|(name, _)| name == "_filter");
    let of_filters = of_filters.flat_map(|(_, text)| filter::terminology(text));
    let asked = pairs.iter().filter_map(|(name, text)| {
        let hierarchy = match name.rsplit(':').next()? {
            "in" | "not-in" => Hierarchy::In,
            "above" => Hierarchy::Above,
            "below" => Hierarchy::Below,
            _ => return None,
        };
        Some(
            text::split(text, ',').take(VALUES_MAX).map(move |value| (hierarchy, value.to_owned())),
        )
    });
    asked.flatten().chain(of_filters).collect()
}

#[derive(Clone, Debug)]
pub struct Query {
    pub resource: &'static str,
    /// Names that do not exist, and were left out as the caller preferred.
    pub ignored: Vec<String>,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Clone, Debug)]
pub(crate) struct Clause {
    /// As they were sent, escapes included; a clause that nobody wrote has none.
    pub(crate) text: Option<(String, String)>,
    pub(crate) asked: Asked,
}

/// What a clause asks of a resource.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    All(Vec<Asked>),
    Any(Vec<Asked>),
    Not(Box<Asked>),
    /// One of these values.
    Value {
        parameter: &'static Parameter,
        wanted: Wanted,
    },
    /// That there is no value.
    Missing(&'static Parameter),
    /// That it has one of these tokens.
    Tokens(Vec<i64>),
    /// That a resource it refers to, of one of these types, is as asked.
    Refers {
        parameter: &'static Parameter,
        targets: Vec<(&'static str, Asked)>,
    },
    /// That a resource of type `by` refers to it by this parameter and is as asked.
    Referred {
        resource: &'static str,
        by: &'static str,
        parameter: &'static Parameter,
        asked: Box<Asked>,
    },
}

/// One of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Ids(Vec<String>),
    /// In order, apart from each other.
    LastUpdated(Vec<date::Range>),
    Tokens(Vec<token::Wanted>),
    /// That have a code with one of these texts.
    Texts(Vec<string::Wanted>),
    References(Vec<reference::Wanted>),
    /// Identifiers of what is referred to.
    Identifiers(Vec<token::Wanted>),
    Uris(Vec<String>),
    /// That begin with one of these.
    UrisBelow(Vec<String>),
    Strings(Vec<string::Wanted>),
    Dates(Vec<Span>),
    Numbers(Vec<Span>),
    Quantities(Vec<quantity::Wanted>),
    Composites(Vec<composite::Wanted>),
    Near(Vec<near::Wanted>),
    /// One word.
    Word {
        /// Of the word, in the places where it may stand.
        keys: Vec<i64>,
        /// Of the word in the texts of codes.
        of_concepts: Option<i64>,
        /// Whether the type has the keys of such texts among its filters.
        is_voluminous: bool,
    },
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
        let mut query = Query { resource, ignored: Vec::new(), clauses: Vec::new() };
        for (name, text) in pairs {
            check_text(name, text)?;
            match Asked::parse(resource, name, text, context, 0) {
                Ok(asked) => {
                    let text = Some((name.clone(), text.clone()));
                    query.clauses.push(Clause { text, asked });
                }
                Err(Error::UnknownParameter { .. }) if context.unknown == Unknown::Report => {
                    query.ignored.push(shown(name));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(query)
    }

    /// All of a type that is in the compartment of a resource.
    /// None where the type has no place in the compartment.
    pub fn of_compartment(resource: &'static str, compartment: &str, id: &str) -> Option<Query> {
        Query { resource, ignored: Vec::new(), clauses: Vec::new() }.within(compartment, id).ok()
    }

    /// Only what is in the compartment of a resource.
    pub fn within(mut self, compartment: &str, id: &str) -> Result<Query, Error> {
        let asked = compartment::asked(self.resource, compartment, id)?;
        self.clauses.push(Clause { text: None, asked });
        Ok(self)
    }

    /// Only what its leading date says is of this time; what has none is of any.
    pub fn during(
        mut self,
        start: Option<&str>,
        end: Option<&str>,
        context: &Context,
    ) -> Result<Query, Error> {
        let kind = registry::kind(self.resource).ok_or(Error::UnknownType)?;
        // Of a patient it would be the birth date.
        let parameter = kind.at(Place::Date).filter(|_| self.resource != "Patient");
        let mut all = Vec::new();
        for (name, prefix, text) in [("start", "ge", start), ("end", "le", end)] {
            let Some(text) = text else { continue };
            let spans = crate::parameter::date::parse(&format!("{prefix}{text}"), name, context)?;
            all.extend(
                parameter.map(|parameter| Asked::Value { parameter, wanted: Wanted::Dates(spans) }),
            );
        }
        if let Some(parameter) = parameter
            && !all.is_empty()
        {
            let asked = Asked::Any(vec![Asked::Missing(parameter), Asked::All(all)]);
            self.clauses.push(Clause { text: None, asked });
        }
        Ok(self)
    }

    /// Whether it asks for parameters that are defined here.
    pub fn is_custom(&self) -> bool {
        self.clauses.iter().any(|clause| clause.asked.is_custom())
    }

    /// Whether every resource of the type matches.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// The text of the clauses, percent-encoded: the search as it was understood.
    pub fn canonical(&self) -> String {
        let clauses = self.clauses.iter().filter_map(|clause| clause.text.as_ref());
        let clauses = clauses.map(|(name, text)| format!("{}={}", encode(name), encode(text)));
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

impl Asked {
    fn is_custom(&self) -> bool {
        match self {
            Asked::All(each) | Asked::Any(each) => each.iter().any(Asked::is_custom),
            Asked::Not(asked) => asked.is_custom(),
            Asked::Value { parameter, .. } | Asked::Missing(parameter) => parameter.bit.is_none(),
            Asked::Refers { parameter, targets } => {
                parameter.bit.is_none() || targets.iter().any(|(_, asked)| asked.is_custom())
            }
            Asked::Referred { parameter, asked, .. } => {
                parameter.bit.is_none() || asked.is_custom()
            }
            Asked::Tokens(_) => false,
        }
    }

    /// `hops` is how many lie behind.
    fn parse(
        resource: &'static str,
        name: &str,
        text: &str,
        context: &Context,
        hops: usize,
    ) -> Result<Asked, Error> {
        if hops > HOPS_MAX {
            let what = format!("`{}` goes through too many resources", shown(name));
            return Err(Error::TooMany { what, max: HOPS_MAX });
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return Asked::referred(resource, rest, text, context, hops);
        }
        if name == "_list" {
            return Asked::listed(resource, text, context);
        }
        if name == "_filter" {
            return filter::parse(resource, text, context, hops);
        }
        if let Some(error) = refused(name) {
            return Err(error);
        }
        let (head, rest) = match name.split_once('.') {
            Some((head, rest)) => (head, Some(rest)),
            None => (name, None),
        };
        let (code, modifier) = match head.split_once(':') {
            Some((code, modifier)) => (code, Some(modifier)),
            None => (head, None),
        };
        let parameter = parameter(resource, code, &context.custom)?;
        match rest {
            Some(rest) => Asked::chain(parameter, modifier, rest, text, context, hops),
            None => {
                let modifier = Modifier::parse(parameter, modifier)?;
                Asked::value(resource, parameter, modifier, text, context)
            }
        }
    }

    /// `subject:Patient.name`, `subject.name`
    fn chain(
        parameter: &'static Parameter,
        kind: Option<&str>,
        rest: &str,
        text: &str,
        context: &Context,
        hops: usize,
    ) -> Result<Asked, Error> {
        Asked::refers(parameter, kind, rest, |kind| {
            Asked::parse(kind, rest, text, context, hops + 1)
        })
    }

    /// What is asked of the resources that a reference leads to; `rest` is what follows its name.
    fn refers(
        parameter: &'static Parameter,
        kind: Option<&str>,
        rest: &str,
        asked: impl Fn(&'static str) -> Result<Asked, Error>,
    ) -> Result<Asked, Error> {
        let code = parameter.code;
        let refuse = |reason: String| Error::Value { parameter: code.to_owned(), reason };
        if !matches!(parameter.rule, Rule::Reference) {
            return Err(refuse("only a reference can be followed".to_owned()));
        }
        let mut targets = Vec::new();
        if let Some(kind) = kind {
            let known = parameter.targets.iter().copied().find(|target| *target == kind);
            let kind = known.ok_or_else(|| {
                let targets = parameter.targets.join(", ");
                refuse(format!("it does not refer to `{}` but to: {targets}", shown(kind)))
            })?;
            targets.push((kind, asked(kind)?));
        } else {
            let mut refusal = None;
            for kind in parameter.targets.iter().copied() {
                match asked(kind) {
                    Ok(asked) => targets.push((kind, asked)),
                    // Where the types have no such parameter it is not meant; where one has, its refusal says more.
                    Err(error @ Error::UnknownParameter { .. }) => {
                        refusal = refusal.or(Some(error));
                    }
                    Err(error) => refusal = Some(error),
                }
            }
            if targets.is_empty() {
                return Err(refusal.unwrap_or_else(|| refuse("it refers to nothing".to_owned())));
            }
            if targets.len() > KINDS_MAX {
                let example = targets.first().map_or("Patient", |(kind, _)| kind);
                return Err(refuse(format!(
                    "it refers to {} types that have `{}`; name one, as in {code}:{example}",
                    targets.len(),
                    shown(rest)
                )));
            }
        }
        Ok(Asked::Refers { parameter, targets })
    }

    /// What follows `_has:`.
    fn referred(
        resource: &'static str,
        name: &str,
        text: &str,
        context: &Context,
        hops: usize,
    ) -> Result<Asked, Error> {
        let refuse = |reason: String| Error::Value { parameter: "_has".to_owned(), reason };
        let mut parts = name.splitn(3, ':');
        let (Some(kind), Some(code), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(refuse(
                "write _has:Type:reference:parameter, for example _has:Observation:patient:code"
                    .to_owned(),
            ));
        };
        let kind = r4()
            .resource(kind)
            .ok_or_else(|| refuse(format!("`{}` is no resource type", shown(kind))))?
            .name;
        let parameter = parameter(kind, code, &context.custom)?;
        if !matches!(parameter.rule, Rule::Reference) || !parameter.targets.contains(&resource) {
            return Err(refuse(format!("`{code}` of {kind} does not refer to {resource}")));
        }
        let asked = Box::new(Asked::parse(kind, rest, text, context, hops + 1)?);
        Ok(Asked::Referred { resource, by: kind, parameter, asked })
    }

    /// `_list`: what a List has as an item.
    fn listed(resource: &'static str, text: &str, context: &Context) -> Result<Asked, Error> {
        if text.starts_with('$') {
            return Err(Error::NotSupported {
                what: format!("the list `{}`", shown(text)),
                instead: "use the id of a List".to_owned(),
            });
        }
        let item = registry::find("List", "item").filter(|item| item.targets.contains(&resource));
        let parameter = item.ok_or(Error::UnknownType)?;
        let asked = Box::new(Asked::parse("List", "_id", text, context, 1)?);
        Ok(Asked::Referred { resource, by: "List", parameter, asked })
    }

    fn value(
        resource: &'static str,
        parameter: &'static Parameter,
        modifier: Modifier,
        text: &str,
        context: &Context,
    ) -> Result<Asked, Error> {
        match (&modifier, &parameter.rule) {
            (Modifier::Missing, Rule::Either(codes)) => {
                let each = each_either(resource, codes, context, |parameter| {
                    Asked::value(resource, parameter, Modifier::Missing, "true", context)
                })?;
                let missing = Asked::All(each);
                return Ok(if truth(parameter.code, text)? {
                    missing
                } else {
                    Asked::Not(Box::new(missing))
                });
            }
            (Modifier::Missing, _) => {
                let missing = Asked::Missing(parameter);
                return Ok(if truth(parameter.code, text)? {
                    missing
                } else {
                    Asked::Not(Box::new(missing))
                });
            }
            (Modifier::NotIn, _) => {
                let within = Modifier::Codes(Hierarchy::In);
                let asked = Asked::value(resource, parameter, within, text, context)?;
                return Ok(Asked::Not(Box::new(asked)));
            }
            (Modifier::Not, _) => {
                let asked = Asked::value(resource, parameter, Modifier::None, text, context)?;
                return Ok(Asked::Not(Box::new(asked)));
            }
            (_, Rule::Either(codes)) => {
                let each = each_either(resource, codes, context, |parameter| {
                    Asked::value(resource, parameter, modifier.clone(), text, context)
                })?;
                return Ok(Asked::Any(each));
            }
            _ => {}
        }
        let values = values(parameter.code, text)?;
        if let Rule::Composite(registry::composite::Composite::Parts(codes)) = &parameter.rule {
            let each = values.iter().map(|text| {
                let pieces = composite::pieces(text, parameter.code, codes.len())?;
                let parts = codes.iter().zip(pieces).map(|(code, text)| {
                    let part = self::parameter(resource, code, &context.custom)?;
                    Asked::value(resource, part, Modifier::None, text, context)
                });
                Ok(Asked::All(parts.collect::<Result<_, Error>>()?))
            });
            return Ok(Asked::Any(each.collect::<Result<_, Error>>()?));
        }
        if let Rule::Words(places) = &parameter.rule {
            let each = values
                .iter()
                .map(|text| words::parse(resource, parameter, places, text, context.veil));
            return Ok(Asked::Any(each.collect::<Result<_, Error>>()?));
        }
        let wanted = modifier::wanted(parameter, &modifier, &values, context)?;
        Ok(Asked::Value { parameter, wanted })
    }
}

fn each_either(
    resource: &'static str,
    codes: &[&'static str],
    context: &Context,
    asked: impl Fn(&'static Parameter) -> Result<Asked, Error>,
) -> Result<Vec<Asked>, Error> {
    codes.iter().map(|code| asked(parameter(resource, code, &context.custom)?)).collect()
}

fn truth(parameter: &str, text: &str) -> Result<bool, Error> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::Value {
            parameter: parameter.to_owned(),
            reason: "`:missing` takes true or false".to_owned(),
        }),
    }
}

/// The parameter of a name that can be searched by.
fn parameter(
    resource: &'static str,
    code: &str,
    custom: &Custom,
) -> Result<&'static Parameter, Error> {
    let found = match custom.find(resource, code) {
        Some(found) => found,
        None if custom.is_awaited(resource, code) => {
            return Err(Error::NotReady { resource, name: code.to_owned() });
        }
        None => return Err(unknown(resource, code, custom)),
    };
    match found.rule {
        Rule::Unsupported(what) => Err(Error::NotSupported {
            what: format!("{what} (`{code}`)"),
            instead: format!("{resource} can be searched by: {}", names(resource, custom)),
        }),
        _ => Ok(found),
    }
}

fn unknown(resource: &'static str, name: &str, custom: &Custom) -> Error {
    let codes = || custom.supported(resource).map(|parameter| parameter.code);
    let mut known: Vec<&str> = closest(name, codes()).into_iter().collect();
    let meant = known.first().copied();
    known.extend(codes().filter(|code| Some(*code) != meant));
    Error::UnknownParameter { resource, name: shown(name), known: known.join(", ") }
}

fn names(resource: &str, custom: &Custom) -> String {
    custom.supported(resource).map(|parameter| parameter.code).collect::<Vec<_>>().join(", ")
}

/// The values between the commas.
fn values<'a>(code: &str, text: &'a str) -> Result<Vec<&'a str>, Error> {
    let max = VALUES_MAX;
    let values: Vec<&str> = text::split(text, ',').take(max.saturating_add(1)).collect();
    if values.len() > max {
        return Err(Error::TooMany { what: format!("`{code}` has too many values"), max });
    }
    if values.iter().any(|value| value.is_empty()) {
        let reason = "a value is missing between commas".to_owned();
        return Err(Error::Value { parameter: code.to_owned(), reason });
    }
    Ok(values)
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
    use super::{CLAUSES_MAX, Codes, Context, Query, TEXT_BYTES_MAX, Unknown, VALUES_MAX};
    use crate::error::Error;
    use crate::veil::Veil;
    use fhir::definitions::r4;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use std::sync::Arc;

    pub(crate) const BASE: &str = "https://hub.test/fhir";
    /// 2026-11-23T00:00:00Z
    pub(crate) const NOW: i64 = 1_795_392_000_000_000;

    /// `Patient?name=a&active=true`, without percent-encoding.
    pub(crate) fn parse_with(search: &str, unknown: Unknown) -> Result<Query, Error> {
        parse_in(search, unknown, &Veil::new(b""))
    }

    pub(crate) fn parse_veiled(search: &str, veil: &Veil) -> Result<Query, Error> {
        parse_in(search, Unknown::Refuse, veil)
    }

    fn parse_in(search: &str, unknown: Unknown, veil: &Veil) -> Result<Query, Error> {
        let (resource, text) = search.split_once('?').unwrap();
        let pairs: Vec<(String, String)> = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let context = Context {
            base_url: BASE,
            time_zone: &zone,
            now_micros: NOW,
            unknown,
            codes: &Codes::new(),
            custom: Arc::default(),
            veil,
        };
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
            "Patient?name:above=a",
            "Patient?name:text=a",
            "Patient?birthdate:exact=2020",
            "Observation?subject:Device2=1",
            "Patient?_id:missing=true",
            "Patient?_list=$current",
            "Patient?_sort=name",
            "Patient?_include=Patient:organization",
            "Patient?_include:iterate=Patient:organization",
            "Patient?_count=1",
            "Patient?_query=a",
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
        let expected = "unknown parameter `nmae`; Patient has: name, _content,";
        check_refused("Patient?nmae=a", expected);
        check_refused("Patient?zzzzzz=a", "unknown parameter `zzzzzz`; Patient has: _content,");
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
        check_refused("Patient?_lastUpdated=xx2020", "prefix");
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
                    now_micros: NOW,
                    codes: &Codes::new(),
                    custom: Arc::default(),
                    veil: &Veil::new(b""),
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
