//! Token parameters (search.html#token).
//!
//! A coding is stored as `system|code`, as the code alone, as the system alone, and as `|code` when it has no system.
//! Codes are compared without regard to case, as search.html asks when in doubt; identifiers exactly, as
//! datatypes.html#Identifier asks, but for those of residents (`veil.rs`); numbers and addresses of a ContactPoint without their punctuation.

use crate::error::Error;
use crate::key::hash;
use crate::program::End;
use crate::query::text::{split, unescape};
use fhir::definitions::r4;
use serde_json::Value;

const BOOLEAN_SYSTEM: &str = "http://hl7.org/fhir/special-values";

/// The types it reads.
pub(crate) const KINDS: [&str; 9] = [
    "CodeableConcept",
    "Coding",
    "Identifier",
    "ContactPoint",
    "code",
    "boolean",
    "string",
    "uri",
    "id",
];

/// How the codes of a parameter are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    Exact,
    Folded,
    Contact,
}

/// What is stored of a value, and what can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<T> {
    /// `code`: whatever its system.
    Code(T),
    /// `system|code`
    Coded { system: T, code: T },
    /// `|code`: without a system.
    NoSystem(T),
    /// `system|`: whatever its code.
    System(T),
    /// The type of an identifier, and its value (`:of-type`).
    OfType { system: T, code: T, value: T },
}

/// Asked for; the code is spelt as stored ones are.
pub(crate) type Wanted = Form<String>;

/// Hands on the forms of a value.
pub(crate) fn each<'a>(value: &'a Value, end: &End, mut visit: impl FnMut(Form<&'a str>)) {
    match end.kind {
        "CodeableConcept" => {
            let codings = value.get("coding").and_then(Value::as_array);
            for coding in codings.into_iter().flatten() {
                forms(property(coding, "system"), property(coding, "code"), &mut visit);
            }
        }
        "Coding" => forms(property(value, "system"), property(value, "code"), &mut visit),
        "Identifier" => identifier(value, visit),
        "ContactPoint" => {
            forms(property(value, "system"), property(value, "value"), &mut visit);
        }
        "boolean" => {
            if let Some(is_true) = value.as_bool() {
                truth(is_true, visit);
            }
        }
        "code" => bound_code(value, end, &mut visit),
        _ => forms(None, value.as_str(), &mut visit),
    }
}

pub(crate) fn truth<'a>(is_true: bool, mut visit: impl FnMut(Form<&'a str>)) {
    forms(Some(BOOLEAN_SYSTEM), Some(if is_true { "true" } else { "false" }), &mut visit);
}

pub(crate) fn identifier<'a>(value: &'a Value, mut visit: impl FnMut(Form<&'a str>)) {
    forms(property(value, "system"), property(value, "value"), &mut visit);
    of_type(value, &mut visit);
}

fn of_type<'a>(identifier: &'a Value, visit: &mut impl FnMut(Form<&'a str>)) {
    let Some(value) = property(identifier, "value") else { return };
    let codings =
        identifier.get("type").and_then(|kind| kind.get("coding")).and_then(Value::as_array);
    for coding in codings.into_iter().flatten() {
        if let Some(code) = property(coding, "code") {
            visit(Form::OfType {
                system: property(coding, "system").unwrap_or_default(),
                code,
                value,
            });
        }
    }
}

/// Hands on the texts that say what a value means (`:text`), with the code that they stand with.
pub(crate) fn texts<'a>(
    value: &'a Value,
    end: &End,
    mut visit: impl FnMut(&'a str, Option<&'a str>),
) {
    match end.kind {
        "CodeableConcept" => {
            let codings = value.get("coding").and_then(Value::as_array);
            let codings = || codings.into_iter().flatten();
            let code = codings().find_map(|coding| code(coding));
            let displays = codings().filter_map(|coding| property(coding, "display"));
            displays.chain(property(value, "text")).for_each(|text| visit(text, code));
        }
        "Coding" => {
            if let Some(display) = property(value, "display") {
                visit(display, code(value));
            }
        }
        "Identifier" => {
            if let Some(text) = value.get("type").and_then(|kind| property(kind, "text")) {
                visit(text, None);
            }
        }
        _ => {}
    }
}

fn code(coding: &Value) -> Option<&str> {
    property(coding, "code").filter(|code| !code.is_empty())
}

fn property<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn forms<'a>(
    system: Option<&'a str>,
    code: Option<&'a str>,
    visit: &mut impl FnMut(Form<&'a str>),
) {
    let system = system.filter(|system| !system.is_empty());
    let code = code.filter(|code| !code.is_empty());
    if let Some(system) = system {
        visit(Form::System(system));
    }
    let Some(code) = code else { return };
    visit(Form::Code(code));
    match system {
        Some(system) => visit(Form::Coded { system, code }),
        None => visit(Form::NoSystem(code)),
    }
}

/// A `code` says no system: its value set does, and rarely has more than one for a code.
fn bound_code<'a>(value: &'a Value, end: &End, visit: &mut impl FnMut(Form<&'a str>)) {
    let Some(code) = value.as_str().filter(|code| !code.is_empty()) else { return };
    let value_set = end.binding.and_then(|url| r4().value_set(url));
    let systems = value_set.into_iter().flat_map(|set| set.codes.iter());
    let mut has_system = false;
    visit(Form::Code(code));
    for (system, _) in systems.filter(|(_, codes)| codes.contains(code)) {
        has_system = true;
        visit(Form::System(system));
        visit(Form::Coded { system, code });
    }
    if !has_system {
        visit(Form::NoSystem(code));
    }
}

impl Spelling {
    /// Of all the ends of a parameter: exact, unless all agree that it need not be.
    pub(crate) fn of(ends: &[&End]) -> Spelling {
        let are =
            |kinds: &[&str]| !ends.is_empty() && ends.iter().all(|end| kinds.contains(&end.kind));
        if are(&["code", "boolean", "Coding", "CodeableConcept"]) {
            Spelling::Folded
        } else if are(&["ContactPoint"]) {
            Spelling::Contact
        } else {
            Spelling::Exact
        }
    }

    fn spell(self, code: &str, out: &mut Vec<u8>) {
        let mut push = |character: char| {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        };
        match self {
            Spelling::Exact => out.extend_from_slice(code.as_bytes()),
            Spelling::Folded if code.is_ascii() => {
                out.extend(code.bytes().map(|byte| byte.to_ascii_lowercase()));
            }
            Spelling::Folded => code.chars().flat_map(char::to_lowercase).for_each(push),
            Spelling::Contact => {
                // An e-mail or web address has punctuation that counts.
                let is_address = code.contains(['@', ':']);
                code.chars()
                    .filter(|character| is_address || !" -().\u{a0}/".contains(*character))
                    .flat_map(char::to_lowercase)
                    .for_each(&mut push);
            }
        }
    }

    fn spelt(self, code: &str) -> String {
        let mut out = Vec::with_capacity(code.len());
        self.spell(code, &mut out);
        String::from_utf8(out).unwrap_or_default()
    }
}

impl<T: AsRef<str>> Form<T> {
    /// `buffer` is only there to be used again. The first byte keeps the forms apart, 0xFF is in no UTF-8.
    pub(crate) fn key(&self, spelling: Spelling, buffer: &mut Vec<u8>) -> i64 {
        buffer.clear();
        match self {
            Form::Code(code) => {
                buffer.push(0);
                spelling.spell(code.as_ref(), buffer);
            }
            Form::Coded { system, code } => {
                buffer.push(1);
                buffer.extend_from_slice(system.as_ref().as_bytes());
                buffer.push(0xff);
                spelling.spell(code.as_ref(), buffer);
            }
            Form::NoSystem(code) => {
                buffer.push(2);
                spelling.spell(code.as_ref(), buffer);
            }
            Form::System(system) => {
                buffer.push(3);
                buffer.extend_from_slice(system.as_ref().as_bytes());
            }
            Form::OfType { system, code, value } => {
                buffer.push(4);
                for part in [system, code, value] {
                    buffer.extend_from_slice(part.as_ref().as_bytes());
                    buffer.push(0xff);
                }
            }
        }
        hash(buffer)
    }

    /// A system alone is shared by many resources, whatever the parameter.
    pub(crate) fn is_system(&self) -> bool {
        matches!(self, Form::System(_))
    }

    /// What a person could be named by: its code, or the value of an identifier.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Form::Code(text)
            | Form::Coded { code: text, .. }
            | Form::NoSystem(text)
            | Form::OfType { value: text, .. } => Some(text.as_ref()),
            Form::System(_) => None,
        }
    }

    /// Whatever the system of its code.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Form::Code(code) | Form::Coded { code, .. } | Form::NoSystem(code) => {
                Some(code.as_ref())
            }
            Form::System(_) | Form::OfType { .. } => None,
        }
    }
}

impl Form<&str> {
    /// As it would be asked for.
    pub(crate) fn spelt(&self, spelling: Spelling) -> Wanted {
        match self {
            Form::Code(code) => Form::Code(spelling.spelt(code)),
            Form::NoSystem(code) => Form::NoSystem(spelling.spelt(code)),
            Form::System(system) => Form::System((*system).to_owned()),
            Form::Coded { system, code } => {
                Form::Coded { system: (*system).to_owned(), code: spelling.spelt(code) }
            }
            Form::OfType { system, code, value } => {
                let [system, code, value] = [*system, *code, *value].map(str::to_owned);
                Form::OfType { system, code, value }
            }
        }
    }
}

/// `code`, `system|code`, `|code` or `system|`.
pub(crate) fn parse(
    text: &str,
    parameter: &'static str,
    spelling: Spelling,
) -> Result<Wanted, Error> {
    let refuse =
        |reason: &str| Error::Value { parameter: parameter.to_owned(), reason: reason.to_owned() };
    let parts: Vec<String> =
        split(text, '|').take(3).map(|part| unescape(part, parameter)).collect::<Result<_, _>>()?;
    let wanted = match parts.as_slice() {
        [code] => Form::Code(spelling.spelt(code)),
        [system, code] if system.is_empty() => Form::NoSystem(spelling.spelt(code)),
        [system, code] if code.is_empty() => Form::System(system.clone()),
        [system, code] => Form::Coded { system: system.clone(), code: spelling.spelt(code) },
        _ => {
            return Err(refuse(
                "there is more than one `|`; write `\\|` where it belongs to the value",
            ));
        }
    };
    match wanted.code() {
        Some("") => Err(refuse("a value is missing; use code, system|code, |code or system|")),
        Some(_) | None => Ok(wanted),
    }
}

/// A code of a system, as it is asked for.
pub(crate) fn coded(system: &str, code: &str, spelling: Spelling) -> Wanted {
    match system {
        "" => Form::NoSystem(spelling.spelt(code)),
        system => Form::Coded { system: system.to_owned(), code: spelling.spelt(code) },
    }
}

/// `system|code|value` of `:of-type`.
pub(crate) fn parse_of_type(text: &str, parameter: &'static str) -> Result<Wanted, Error> {
    let parts: Vec<String> =
        split(text, '|').take(4).map(|part| unescape(part, parameter)).collect::<Result<_, _>>()?;
    match parts.as_slice() {
        [system, code, value] if !code.is_empty() && !value.is_empty() => {
            Ok(Form::OfType { system: system.clone(), code: code.clone(), value: value.clone() })
        }
        _ => Err(Error::Value {
            parameter: parameter.to_owned(),
            reason: "an identifier of a type is asked for as system|code|value".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Spelling, Wanted, each, parse};
    use crate::program::End;
    use serde_json::{Value, json};

    const GENDER: &str = "http://hl7.org/fhir/administrative-gender";

    fn end(kind: &'static str) -> End {
        End {
            kind,
            targets: &[],
            binding: Some("http://hl7.org/fhir/ValueSet/administrative-gender"),
        }
    }

    /// Whether the text finds the value.
    fn check(kind: &'static str, value: &Value, text: &str, expected: bool) {
        let end = end(kind);
        let spelling = Spelling::of(&[&end]);
        let wanted = parse(text, "x", spelling).unwrap();
        let (mut by_text, mut by_key) = (false, false);
        let mut buffer = Vec::new();
        let key = wanted.key(spelling, &mut buffer);
        each(value, &end, |form| {
            by_text |= wanted == form.spelt(spelling);
            by_key |= form.key(spelling, &mut buffer) == key;
        });
        assert_eq!((by_text, by_key), (expected, expected), "{kind} {value} {text}");
    }

    #[test]
    fn a_coding_is_found_by_system_and_code() {
        let coding = json!({ "system": "http://a.test", "code": "B" });
        for (text, expected) in [
            ("b", true),
            ("B", true),
            ("http://a.test|b", true),
            ("http://a.test|", true),
            ("|b", false),
            ("http://A.test|b", false),
            ("http://a.test|c", false),
            ("http://c.test|b", false),
            ("http://c.test|", false),
        ] {
            check("Coding", &coding, text, expected);
            check("CodeableConcept", &json!({ "coding": [{}, coding] }), text, expected);
        }
        check("Coding", &json!({ "code": "B" }), "|b", true);
        check("Coding", &json!({ "code": "B" }), "b", true);
        check("CodeableConcept", &json!({ "text": "b" }), "b", false);
    }

    #[test]
    fn an_identifier_is_found_letter_for_letter() {
        let identifier = json!({ "system": "urn:a", "value": "Ab|c" });
        check("Identifier", &identifier, "urn:a|Ab\\|c", true);
        check("Identifier", &identifier, "Ab\\|c", true);
        check("Identifier", &identifier, "ab\\|c", false);
    }

    #[test]
    fn a_code_has_the_system_of_its_value_set() {
        check("code", &json!("male"), &format!("{GENDER}|male"), true);
        check("code", &json!("male"), &format!("{GENDER}|"), true);
        check("code", &json!("male"), "MALE", true);
        check("code", &json!("male"), "|male", false);
        check("code", &json!("none-of-these"), "|none-of-these", true);
    }

    #[test]
    fn truth_is_a_code() {
        check("boolean", &json!(true), "true", true);
        check("boolean", &json!(true), "http://hl7.org/fhir/special-values|true", true);
        check("boolean", &json!(false), "true", false);
    }

    #[test]
    fn a_contact_is_found_without_its_punctuation() {
        let phone = json!({ "system": "phone", "value": "+86 (10) 6532-1234" });
        check("ContactPoint", &phone, "+861065321234", true);
        check("ContactPoint", &phone, "phone|+86-10-65321234", true);
        check("ContactPoint", &phone, "+86106532", false);
        let email = json!({ "system": "email", "value": "Ann.B@a.test" });
        check("ContactPoint", &email, "ann.b@a.test", true);
        check("ContactPoint", &email, "annb@a.test", false);
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for text in ["|", "a|b|c", "a\\", "--"] {
            assert!(parse(text, "x", Spelling::Contact).is_err(), "{text}");
        }
        let escaped = Wanted::Coded { system: "a|b".to_owned(), code: "c".to_owned() };
        assert_eq!(parse("a\\|b|c", "x", Spelling::Exact), Ok(escaped));
        assert_eq!(parse("a|", "x", Spelling::Exact), Ok(Form::System("a".to_owned())));
    }

    #[test]
    fn no_form_is_taken_for_another() {
        let mut buffer = Vec::new();
        let mut key = |form: Form<&str>| form.key(Spelling::Exact, &mut buffer);
        let keys = [
            key(Form::Code("a|b")),
            key(Form::Coded { system: "a", code: "b" }),
            key(Form::NoSystem("a|b")),
            key(Form::System("a|b")),
            key(Form::Code("b")),
            key(Form::NoSystem("b")),
        ];
        let mut distinct = keys.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), keys.len());
    }
}
