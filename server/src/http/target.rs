//! What an address means: the URL table of `/fhir`, for HTTP requests and for bundle entries alike (http.html#summary).

use super::failure::Failure;
use access::{Interaction, Operation};
use fhir::outcome::Code;
use schema::resource::{self, Table};
use search::query::compartment;

/// The methods of HTTP that FHIR uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub fn parse(text: &str) -> Option<Method> {
        Some(match text {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            _ => return None,
        })
    }
}

/// An address below the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Base,
    SystemSearch,
    Capabilities,
    SystemHistory,
    Type(&'static Table),
    TypeSearch(&'static Table),
    TypeHistory(&'static Table),
    Instance(&'static Table, String),
    InstanceHistory(&'static Table, String),
    Version(&'static Table, String, i32),
    /// The resources of one type, or of all, that belong to a resource.
    Compartment(&'static Table, String, Option<&'static Table>),
    /// An operation on the system, on a type, or on a resource.
    Operation(Operation, Option<&'static Table>, Option<String>),
}

fn operation(name: &str, table: Option<&Table>, has_id: bool) -> Result<Operation, Failure> {
    match (name, table.map(|table| table.resource), has_id) {
        ("$everything", Some("Patient" | "Encounter"), true) => Ok(Operation::Everything),
        ("$lastn", Some("Observation"), false) => Ok(Operation::LastN),
        ("$reindex", _, false) => Ok(Operation::Reindex),
        ("$break-glass", Some("Patient"), true) => Ok(Operation::BreakGlass),
        ("$break-glass", None, false) => Ok(Operation::Openings),
        ("$review", None, false) => Ok(Operation::Review),
        ("$sharing-preview", Some("Patient"), true) => Ok(Operation::SharingPreview),
        ("$access-log", Some("Patient"), true) => Ok(Operation::AccessLog),
        ("$disclosures", Some("Patient"), true) => Ok(Operation::Disclosures),
        ("$consent-review", None, false) => Ok(Operation::ConsentReview),
        _ => Err(no_operation(name)),
    }
}

impl Target {
    /// The operation, where it is one.
    pub fn operation(&self) -> Option<Operation> {
        match self {
            Target::Operation(operation, _, _) => Some(*operation),
            _ => None,
        }
    }

    /// `path` is relative to the base and percent-decoded: `Patient/1/_history/2`.
    pub fn parse(path: &str) -> Result<Target, Failure> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        match parts.as_slice() {
            [] => Ok(Target::Base),
            ["metadata"] => Ok(Target::Capabilities),
            ["_history"] => Ok(Target::SystemHistory),
            ["_search"] => Ok(Target::SystemSearch),
            [name] if name.starts_with('$') => {
                Ok(Target::Operation(operation(name, None, false)?, None, None))
            }
            [kind] => Ok(Target::Type(table(kind)?)),
            [kind, "_search"] => Ok(Target::TypeSearch(table(kind)?)),
            [kind, "_history"] => Ok(Target::TypeHistory(table(kind)?)),
            [kind, name] if name.starts_with('$') => {
                let table = Some(table(kind)?);
                Ok(Target::Operation(operation(name, table, false)?, table, None))
            }
            [kind, id] => Ok(Target::Instance(table(kind)?, identifier(id)?)),
            [kind, id, "_history"] => Ok(Target::InstanceHistory(table(kind)?, identifier(id)?)),
            [kind, id, "_history", version] => {
                let (table, id) = (table(kind)?, identifier(id)?);
                // A version id that is no number of ours is a version that never was.
                let number = version.parse().ok().filter(|number| *number > 0);
                let missing = || Failure::not_found(&format!("{kind}/{id}/_history/{version}"));
                Ok(Target::Version(table, id.clone(), number.ok_or_else(missing)?))
            }
            [kind, id, name] if name.starts_with('$') => {
                let (table, id) = (Some(table(kind)?), identifier(id)?);
                Ok(Target::Operation(operation(name, table, true)?, table, Some(id)))
            }
            [kind, id, other] | [kind, id, other, "_search"] => {
                let (table, id) = (table(kind)?, identifier(id)?);
                let other = match *other {
                    "*" => None,
                    other => Some(self::table(other)?),
                };
                if !compartment::KINDS.contains(kind) {
                    let text = format!(
                        "{kind} has no compartment; those of {} can be searched",
                        compartment::KINDS.join(", ")
                    );
                    return Err(Failure::new(404, Code::NotSupported, text));
                }
                Ok(Target::Compartment(table, id, other))
            }
            [kind, id, other, ..] => {
                table(kind)?;
                identifier(id)?;
                let other: String = other.chars().take(64).collect();
                let text = format!(
                    "`{other}/…` is nothing under {kind}/{id}; versions are under _history"
                );
                Err(Failure::new(404, Code::NotSupported, text))
            }
        }
    }

    /// The methods this address takes.
    pub fn allow(&self) -> &'static str {
        match self {
            Target::Base => "GET, HEAD, POST, OPTIONS",
            Target::SystemSearch => "POST, OPTIONS",
            Target::Compartment(..) | Target::Operation(..) => "GET, HEAD, POST, OPTIONS",
            Target::Capabilities | Target::SystemHistory | Target::TypeHistory(_) => {
                "GET, HEAD, OPTIONS"
            }
            Target::Type(_) => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            Target::TypeSearch(_) => "POST, OPTIONS",
            Target::Instance(..) => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
            Target::InstanceHistory(..) | Target::Version(..) => "GET, HEAD, OPTIONS",
        }
    }

    /// What the method asks of the address.
    pub fn interaction(&self, method: Method) -> Result<Interaction, Failure> {
        use Method::{Delete, Get, Head, Patch, Post, Put};
        match (self, method) {
            (Target::Base, Post) => Ok(Interaction::Transaction),
            (Target::Base, Get | Head) | (Target::SystemSearch, Post) => {
                Ok(Interaction::SearchSystem)
            }
            (Target::Operation(..), Get | Head | Post) => Ok(Interaction::Operation),
            (Target::Compartment(_, _, Some(_)), Get | Head | Post) => Ok(Interaction::Search),
            (Target::Compartment(_, _, None), Get | Head | Post) => Ok(Interaction::SearchSystem),
            (Target::Capabilities, Get | Head) => Ok(Interaction::Capabilities),
            (Target::SystemHistory, Get | Head) => Ok(Interaction::HistorySystem),
            (Target::TypeHistory(_), Get | Head) => Ok(Interaction::HistoryType),
            (Target::InstanceHistory(..), Get | Head) => Ok(Interaction::HistoryInstance),
            (Target::Version(..), Get | Head) => Ok(Interaction::Vread),
            (Target::Type(_), Get | Head) | (Target::TypeSearch(_), Post) => {
                Ok(Interaction::Search)
            }
            (Target::Type(_), Post) => Ok(Interaction::Create),
            (Target::Type(_) | Target::Instance(..), Put) => Ok(Interaction::Update),
            (Target::Type(_) | Target::Instance(..), Patch) => Ok(Interaction::Patch),
            (Target::Type(_) | Target::Instance(..), Delete) => Ok(Interaction::Delete),
            (Target::Instance(..), Get | Head) => Ok(Interaction::Read),
            (Target::Base | Target::SystemSearch, _)
            | (Target::Compartment(..) | Target::Operation(..), _)
            | (Target::Capabilities | Target::SystemHistory, _)
            | (Target::TypeSearch(_) | Target::TypeHistory(_), _)
            | (Target::Type(_), Method::Options)
            | (Target::Instance(..) | Target::InstanceHistory(..) | Target::Version(..), _) => {
                Err(Failure::method(self.allow()))
            }
        }
    }

    pub fn table(&self) -> Option<&'static Table> {
        match self {
            Target::Base | Target::SystemSearch | Target::Capabilities | Target::SystemHistory => {
                None
            }
            Target::Compartment(_, _, table) => *table,
            Target::Operation(_, table, _) => *table,
            Target::Type(table) | Target::TypeSearch(table) | Target::TypeHistory(table) => {
                Some(table)
            }
            Target::Instance(table, _)
            | Target::InstanceHistory(table, _)
            | Target::Version(table, ..) => Some(table),
        }
    }
}

fn no_operation(name: &str) -> Failure {
    Failure::new(404, Code::NotSupported, format!("the operation {name} is not supported here"))
}

fn table(kind: &str) -> Result<&'static Table, Failure> {
    resource::find(kind).ok_or_else(|| {
        let text = if kind == "Parameters" {
            "Parameters are exchanged with operations, not stored".to_owned()
        } else {
            let kind: String = kind.chars().take(64).collect();
            format!("`{kind}` is not a resource type of FHIR R4")
        };
        Failure::new(404, Code::NotSupported, text)
    })
}

/// datatypes.html#id: 1 to 64 letters, digits, `-` and `.`.
pub fn identifier(text: &str) -> Result<String, Failure> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    let text: String = text.chars().take(80).collect();
    let text = format!("`{text}` is not an id: 1 to 64 letters, digits, `-` and `.`");
    Err(Failure::new(400, Code::Value, text))
}

#[cfg(test)]
mod tests {
    use super::{Method, Target};
    use access::Interaction;

    fn check(method: Method, path: &str, expected: Result<Interaction, u16>) {
        let found = Target::parse(path).and_then(|target| target.interaction(method));
        assert_eq!(found.map_err(|failure| failure.status), expected, "{method:?} {path}");
    }

    #[test]
    fn addresses_and_methods_become_interactions() {
        check(Method::Get, "metadata", Ok(Interaction::Capabilities));
        check(Method::Post, "", Ok(Interaction::Transaction));
        check(Method::Get, "Patient", Ok(Interaction::Search));
        check(Method::Post, "Patient/_search", Ok(Interaction::Search));
        check(Method::Post, "Patient", Ok(Interaction::Create));
        check(Method::Delete, "Patient", Ok(Interaction::Delete));
        check(Method::Head, "Patient/1", Ok(Interaction::Read));
        check(Method::Get, "Patient/1/_history", Ok(Interaction::HistoryInstance));
        check(Method::Get, "Patient/1/_history/2", Ok(Interaction::Vread));
        check(Method::Get, "_history", Ok(Interaction::HistorySystem));
        check(Method::Get, "", Ok(Interaction::SearchSystem));
        check(Method::Post, "_search", Ok(Interaction::SearchSystem));
        check(Method::Get, "Patient/1/Observation", Ok(Interaction::Search));
        check(Method::Get, "Patient/1/*", Ok(Interaction::SearchSystem));
        check(Method::Get, "Patient/1/$everything", Ok(Interaction::Operation));
        check(Method::Post, "Observation/$lastn", Ok(Interaction::Operation));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        check(Method::Post, "Patient/1", Err(405));
        check(Method::Put, "metadata", Err(405));
        check(Method::Get, "Patent/1", Err(404));
        check(Method::Get, "Parameters/1", Err(404));
        check(Method::Get, "Patient/a_b", Err(400));
        check(Method::Get, "Patient/1/_history/x", Err(404));
        check(Method::Get, "Patient/1/Nothing", Err(404));
        check(Method::Get, "Practitioner/1/$everything", Err(404));
        check(Method::Delete, "Patient/1/$everything", Err(405));
        check(Method::Get, "Organization/1/Patient", Err(404));
        check(Method::Put, "Patient/1/Observation", Err(405));
        check(Method::Post, "Patient/$match", Err(404));
    }
}
