//! Reference parameters (search.html#reference).
//!
//! A reference to a resource of this server has the same key however it is written: `Patient/1`, its absolute URL, one of its
//! versions. Any other is kept as a whole; a canonical is found with and without its version. Contained resources are not
//! found from outside.

use crate::error::{Error, shown};
use crate::key::{hash, resource_key};
use crate::program::End;
use crate::query::text::unescape;
use fhir::definitions::r4;
use serde_json::Value;

/// The types it reads.
pub(crate) const KINDS: [&str; 4] = ["Reference", "canonical", "uri", "Resource"];

/// What a reference points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A resource of this server.
    Local { kind: &'static str, id: &'a str },
    /// An absolute URL or URN.
    Whole(&'a str),
}

/// The same, asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One of the kinds, as `subject=1` does not say which.
    Local {
        kinds: Vec<&'static str>,
        id: String,
    },
    Whole(String),
}

impl Target<'_> {
    pub(crate) fn key(&self) -> i64 {
        match self {
            Target::Local { kind, id } => resource_key(kind, id),
            Target::Whole(url) => hash(url.as_bytes()),
        }
    }
}

/// Hands on what a value points at: of a canonical with a version, both with and without it.
pub(crate) fn each<'a>(
    value: &'a Value,
    end: &End,
    base_url: &str,
    mut visit: impl FnMut(Target<'a>),
) {
    match end.kind {
        "Reference" => {
            let text = value.get("reference").and_then(Value::as_str);
            text.and_then(|text| target(text, base_url)).map(visit);
        }
        "canonical" => {
            let Some(text) = value.as_str() else { return };
            if let Some((url, _)) = text.split_once('|') {
                target(url, base_url).map(&mut visit);
                whole(text).map(visit);
            } else {
                target(text, base_url).map(visit);
            }
        }
        "Resource" => {
            let kind = value.get("resourceType").and_then(Value::as_str).and_then(resource_kind);
            let id = value.get("id").and_then(Value::as_str).filter(|id| is_id(id));
            if let (Some(kind), Some(id)) = (kind, id) {
                visit(Target::Local { kind, id });
            }
        }
        _ => {
            value.as_str().and_then(|text| target(text, base_url)).map(visit);
        }
    }
}

/// The type of the resource that a Reference points at, as far as it says so.
pub(crate) fn kind(value: &Value) -> Option<&'static str> {
    let text = value.get("reference").and_then(Value::as_str).unwrap_or_default();
    let mut parts = without_version(text).rsplit('/');
    let (id, kind) = (parts.next(), parts.next());
    let told = || value.get("type").and_then(Value::as_str).and_then(resource_kind);
    id.zip(kind).and_then(|(_, kind)| resource_kind(kind)).or_else(told)
}

pub(crate) fn target<'a>(text: &'a str, base_url: &str) -> Option<Target<'a>> {
    let own = text.strip_prefix(base_url).and_then(|rest| rest.strip_prefix('/'));
    local(own.unwrap_or(text)).or_else(|| whole(without_version(text)))
}

/// `Patient/1` and `Patient/1/_history/2`.
fn local(text: &str) -> Option<Target<'_>> {
    let (kind, id) = without_version(text).split_once('/')?;
    let kind = resource_kind(kind)?;
    is_id(id).then_some(Target::Local { kind, id })
}

fn whole(text: &str) -> Option<Target<'_>> {
    (text.contains(':') && !text.starts_with('#')).then_some(Target::Whole(text))
}

fn without_version(text: &str) -> &str {
    match text.rsplit_once("/_history/") {
        Some((resource, version)) if is_id(version) => resource,
        Some(_) | None => text,
    }
}

fn resource_kind(name: &str) -> Option<&'static str> {
    r4().resource(name).map(|kind| kind.name)
}

/// datatypes.html#id
pub(crate) fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// `targets` are the types that an id alone may be of.
pub(crate) fn parse(
    text: &str,
    parameter: &'static str,
    targets: &[&'static str],
    base_url: &str,
) -> Result<Wanted, Error> {
    let text = unescape(text, parameter)?;
    let refuse = |reason: String| Error::Value { parameter: parameter.to_owned(), reason };
    if text.starts_with('#') {
        return Err(refuse("contained resources cannot be searched for".to_owned()));
    }
    if is_id(&text) {
        return Ok(Wanted::Local { kinds: targets.to_vec(), id: text });
    }
    match target(&text, base_url) {
        Some(Target::Local { kind, id }) => {
            Ok(Wanted::Local { kinds: vec![kind], id: id.to_owned() })
        }
        Some(Target::Whole(url)) => Ok(Wanted::Whole(url.to_owned())),
        None => Err(refuse(format!(
            "`{}` is no reference; use an id, a type and an id as in Patient/1, or a URL",
            shown(&text)
        ))),
    }
}

impl Wanted {
    /// Only of the types that the parameter refers to: of others there is nothing to find.
    pub(crate) fn among(self, targets: &[&'static str]) -> Wanted {
        match self {
            Wanted::Local { mut kinds, id } => {
                kinds.retain(|kind| targets.contains(kind));
                Wanted::Local { kinds, id }
            }
            Wanted::Whole(url) => Wanted::Whole(url),
        }
    }

    pub(crate) fn keys(&self) -> Vec<i64> {
        match self {
            Wanted::Local { kinds, id } => {
                kinds.iter().map(|kind| resource_key(kind, id)).collect()
            }
            Wanted::Whole(url) => vec![hash(url.as_bytes())],
        }
    }

    pub(crate) fn keys_len(&self) -> usize {
        match self {
            Wanted::Local { kinds, .. } => kinds.len(),
            Wanted::Whole(_) => 1,
        }
    }

    pub(crate) fn matches(&self, target: &Target) -> bool {
        match (self, target) {
            (Wanted::Local { kinds, id }, Target::Local { kind, id: found }) => {
                id == found && kinds.contains(kind)
            }
            (Wanted::Whole(url), Target::Whole(found)) => url == found,
            (Wanted::Local { .. }, Target::Whole(_)) | (Wanted::Whole(_), Target::Local { .. }) => {
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, Wanted, each, kind, parse};
    use crate::program::End;
    use serde_json::{Value, json};

    const BASE: &str = "https://hub.test/fhir";

    fn check(kind: &'static str, value: &Value, expected: &[Target]) {
        let end = End { kind, targets: &[], binding: None };
        let mut found = Vec::new();
        each(value, &end, BASE, |target| found.push(target));
        assert_eq!(found, expected, "{value}");
    }

    #[test]
    fn a_resource_of_this_server_is_one_target_however_it_is_written() {
        let patient = [Target::Local { kind: "Patient", id: "1" }];
        for text in [
            "Patient/1",
            "Patient/1/_history/3",
            "https://hub.test/fhir/Patient/1",
            "https://hub.test/fhir/Patient/1/_history/3",
        ] {
            check("Reference", &json!({ "reference": text }), &patient);
            check("canonical", &json!(text), &patient);
        }
        check("Resource", &json!({ "resourceType": "Patient", "id": "1" }), &patient);
    }

    #[test]
    fn any_other_is_kept_whole() {
        for text in
            ["urn:uuid:7f", "https://other.test/fhir/Patient/1", "https://hub.test/fhirx/Patient/1"]
        {
            check("Reference", &json!({ "reference": text }), &[Target::Whole(text)]);
        }
        let versioned = "https://other.test/fhir/Patient/1/_history/2";
        let unversioned = [Target::Whole("https://other.test/fhir/Patient/1")];
        check("Reference", &json!({ "reference": versioned }), &unversioned);
    }

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        let both = [Target::Whole("http://x.test/q"), Target::Whole("http://x.test/q|2")];
        check("canonical", &json!("http://x.test/q|2"), &both);
    }

    #[test]
    fn what_points_nowhere_is_not_stored() {
        for text in
            ["#a", "", "Patient", "Nothing/1", "Patient/a b", "Patient?identifier=1", "/", "#urn:x"]
        {
            check("Reference", &json!({ "reference": text }), &[]);
        }
        check("Reference", &json!({ "display": "x" }), &[]);
        check("Reference", &json!("Patient/1"), &[]);
    }

    #[test]
    fn the_type_of_a_target_is_in_its_text_or_beside_it() {
        assert_eq!(
            kind(&json!({ "reference": "https://other.test/fhir/Patient/1" })),
            Some("Patient")
        );
        assert_eq!(kind(&json!({ "reference": "Patient/1/_history/1" })), Some("Patient"));
        assert_eq!(kind(&json!({ "reference": "urn:uuid:7f", "type": "Group" })), Some("Group"));
        assert_eq!(kind(&json!({ "reference": "urn:uuid:7f" })), None);
    }

    #[test]
    fn an_id_alone_may_be_of_any_target_type() {
        let local =
            |kinds: &[&'static str]| Wanted::Local { kinds: kinds.to_vec(), id: "1".to_owned() };
        let read = |text| parse(text, "subject", &["Patient", "Group"], BASE);
        assert_eq!(read("1"), Ok(local(&["Patient", "Group"])));
        assert_eq!(read("Group/1"), Ok(local(&["Group"])));
        assert_eq!(read("https://hub.test/fhir/Device/1"), Ok(local(&["Device"])));
        assert_eq!(read("http://x.test/q\\|2"), Ok(Wanted::Whole("http://x.test/q|2".to_owned())));
        for text in ["#1", "Patient/", "a b", "Nothing/1"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
