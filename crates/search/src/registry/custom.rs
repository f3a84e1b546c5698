//! Search parameters that a server's users define (searchparameter.html), beside those of the standard.
//!
//! A definition is checked when it is stored. What a process works with is a `Custom`: all definitions of one epoch, of which
//! writers make entries from then on, and which searches may use once all resources have them.

use super::{Parameter, Place, Rule, kinds, understood};
use crate::error::{Error, shown};
use crate::key::{joined, parts_key};
use crate::program::{Program, compile};
use fhir::definitions::{ParameterKind, Type, r4};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Of one type.
pub const PARAMETERS_MAX: usize = 64;
const CODE_BYTES_MAX: usize = 64;
const EXPRESSION_BYTES_MAX: usize = 4_096;

/// What of a SearchParameter says how it is searched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub code: String,
    kind: ParameterKind,
    expression: String,
    /// Of a reference: the types it may point at; none is any.
    targets: Vec<&'static str>,
    /// The concrete types it is for.
    pub bases: Vec<&'static str>,
}

/// Of one moment.
#[derive(Clone, Debug, Default)]
pub struct Custom {
    /// Rises with each change of what is defined.
    pub epoch: i64,
    parameters: HashMap<&'static str, Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The id of its SearchParameter.
    owner: String,
    parameter: &'static Parameter,
    is_ready: bool,
}

impl Definition {
    /// None where it is not to be put to work: one that is not active, or that the standard has.
    pub fn read(resource: &Value) -> Result<Option<Definition>, Error> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        let is_active = text("status") == Some("active");
        let is_standard = text("url").is_some_and(|url| {
            let id = url.strip_prefix("http://hl7.org/fhir/SearchParameter/");
            r4().search_parameters().iter().any(|known| Some(known.id) == id)
        });
        if !is_active || is_standard {
            return Ok(None);
        }
        Definition::new(resource).map(Some)
    }

    fn new(resource: &Value) -> Result<Definition, Error> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default();
        let texts = |name: &str| {
            let items = resource.get(name).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).collect::<Vec<_>>()
        };
        let code = text("code");
        let is_name = code.len() <= CODE_BYTES_MAX
            && code.starts_with(|first: char| first.is_ascii_alphabetic())
            && code.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
        if !is_name {
            return Err(refuse(
                "code",
                "a code begins with a letter, and has letters, digits and `-`",
            ));
        }
        let kind = kind(text("type"))?;
        if !["", "normal"].contains(&text("xpathUsage")) {
            return Err(refuse("xpathUsage", "only `normal` is supported"));
        }
        let mut bases = Vec::new();
        for base in texts("base") {
            if !["Resource", "DomainResource"].contains(&base) && r4().resource(base).is_none() {
                return Err(refuse("base", &format!("`{}` is no resource type", shown(base))));
            }
            bases.extend(
                r4().resources().map(|found| found.name).filter(|name| r4().is_a(name, base)),
            );
        }
        bases.sort_unstable();
        bases.dedup();
        let mut targets = Vec::new();
        for target in texts("target") {
            let known = r4().resource(target).map(|known| known.name);
            targets.push(known.ok_or_else(|| {
                refuse("target", &format!("`{}` is no resource type", shown(target)))
            })?);
        }
        let expression = text("expression").to_owned();
        let definition = Definition { code: code.to_owned(), kind, expression, targets, bases };
        for base in &definition.bases {
            if super::find(base, code).is_some() {
                let reason =
                    format!("{base} has a parameter `{code}` of the standard; choose another");
                return Err(refuse("code", &reason));
            }
            definition.program(base)?;
        }
        Ok(definition)
    }

    fn program(&self, base: &'static str) -> Result<Program, Error> {
        let resource = r4().resource(base).ok_or(Error::UnknownType)?;
        if self.expression.is_empty() || self.expression.len() > EXPRESSION_BYTES_MAX {
            let reason = format!("an expression of 1 to {EXPRESSION_BYTES_MAX} bytes is needed");
            return Err(refuse("expression", &reason));
        }
        let parsed = fhir::path::parse(&self.expression)
            .map_err(|error| refuse("expression", &error.to_string()))?;
        let program = compile(parsed.term(), resource)
            .map_err(|error| refuse("expression", &format!("of {base}: {error}")))?;
        let found: Vec<&str> = program.walks().iter().map(|walk| walk.end.kind).collect();
        let program = understood(program.clone(), self.kind);
        if program.walks().is_empty() {
            let able = kinds(self.kind).unwrap_or_default().join(", ");
            let kind = self.kind.code();
            let reason = match found.is_empty() {
                true => format!("it finds nothing in {base}"),
                false => format!(
                    "of {base} it finds {}; a parameter of the type {kind} reads: {able}",
                    found.join(", ")
                ),
            };
            return Err(refuse("expression", &reason));
        }
        Ok(program)
    }

    /// As it is kept for all replicas, the same for the same meaning.
    pub fn text(&self) -> String {
        let Definition { code, kind, expression, targets, bases: _ } = self;
        json!({ "code": code, "type": kind.code(), "expression": expression, "target": targets })
            .to_string()
    }

    /// What `text` gave.
    pub fn of_text(text: &str, base: &'static str) -> Result<Definition, Error> {
        let mut resource: Value =
            serde_json::from_str(text).map_err(|error| refuse("definition", &error.to_string()))?;
        resource["base"] = json!([base]);
        Definition::new(&resource)
    }

    fn parameter(self, base: &'static str, generation: i64) -> Result<Parameter, Error> {
        let resource: &'static Type = r4().resource(base).ok_or(Error::UnknownType)?;
        let program = self.program(base)?;
        let rule = match self.kind {
            ParameterKind::Token => Rule::Token,
            ParameterKind::Reference => Rule::Reference,
            ParameterKind::Uri => Rule::Uri,
            ParameterKind::String => Rule::String,
            ParameterKind::Date => Rule::Date,
            ParameterKind::Number => Rule::Number,
            ParameterKind::Quantity => Rule::Quantity,
            ParameterKind::Composite | ParameterKind::Special => {
                Rule::Unsupported("such a parameter")
            }
        };
        let salt = joined(parts_key(&["custom", resource.name, &self.code]), generation);
        // Once for each definition of this process; see `NAMES`.
        let code = name(self.code);
        let parameter = Parameter::new(code, self.kind, &self.targets, salt, program, rule);
        Ok(Parameter { place: Place::Entries, ..parameter })
    }
}

fn refuse(element: &str, reason: &str) -> Error {
    Error::Value { parameter: format!("SearchParameter.{element}"), reason: reason.to_owned() }
}

fn kind(text: &str) -> Result<ParameterKind, Error> {
    use ParameterKind::{Date, Number, Quantity, Reference, String, Token, Uri};
    let kinds = [Number, Date, String, Token, Reference, Quantity, Uri];
    kinds.into_iter().find(|kind| kind.code() == text).ok_or_else(|| {
        let known = kinds.map(ParameterKind::code).join(", ");
        refuse("type", &format!("`{}` is not supported; these are: {known}", shown(text)))
    })
}

/// A definition, the type that it is for, and its generation.
type Meaning = (String, &'static str, i64);

/// What was made so far: parameters live as long as the process, so each is made once, however often its definition is read.
static MADE: LazyLock<Mutex<HashMap<Meaning, &'static Parameter>>> = LazyLock::new(Mutex::default);
/// The same of codes.
static NAMES: LazyLock<Mutex<HashMap<String, &'static str>>> = LazyLock::new(Mutex::default);

fn name(code: String) -> &'static str {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.entry(code).or_insert_with_key(|code| Box::leak(code.clone().into_boxed_str()))
}

impl Custom {
    pub fn new(epoch: i64) -> Custom {
        Custom { epoch, parameters: HashMap::new() }
    }

    /// `generation` sets its entries apart from those of all other definitions, of earlier ones of the same code too.
    pub fn add(
        &mut self,
        base: &'static str,
        owner: &str,
        text: &str,
        generation: i64,
        is_ready: bool,
    ) -> Result<(), Error> {
        let key = (text.to_owned(), base, generation);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let parameter = match made.get(&key) {
            Some(parameter) => *parameter,
            None => {
                let parameter = Definition::of_text(text, base)?.parameter(base, generation)?;
                let parameter: &'static Parameter = Box::leak(Box::new(parameter));
                made.insert(key, parameter);
                parameter
            }
        };
        self.parameters.entry(base).or_default().push(Entry {
            owner: owner.to_owned(),
            parameter,
            is_ready,
        });
        Ok(())
    }

    /// Those that entries are made for.
    pub(crate) fn indexed(&self, resource: &str) -> impl Iterator<Item = &'static Parameter> {
        self.entries(resource).iter().map(|entry| entry.parameter)
    }

    /// Those that can be searched by, of the standard and defined here.
    pub fn supported(&self, resource: &str) -> impl Iterator<Item = &'static Parameter> {
        let ready = self.entries(resource).iter().filter(|entry| entry.is_ready);
        super::supported(resource).chain(ready.map(|entry| entry.parameter))
    }

    /// The codes of the references that `_include` follows.
    pub fn references(&self, resource: &str) -> impl Iterator<Item = &'static str> {
        let is_reference = |parameter: &&Parameter| matches!(parameter.rule, Rule::Reference);
        self.supported(resource).filter(is_reference).map(|parameter| parameter.code)
    }

    pub(crate) fn find(&self, resource: &str, code: &str) -> Option<&'static Parameter> {
        super::find(resource, code).or_else(|| {
            let ready = self.entries(resource).iter().filter(|entry| entry.is_ready);
            ready.map(|entry| entry.parameter).find(|parameter| parameter.code == code)
        })
    }

    /// The id of the SearchParameter that defines a code.
    pub fn owner(&self, resource: &str, code: &str) -> Option<&str> {
        let mut entries = self.entries(resource).iter();
        entries.find(|entry| entry.parameter.code == code).map(|entry| entry.owner.as_str())
    }

    /// Whether there will be such a parameter when all resources have their entries.
    pub(crate) fn is_awaited(&self, resource: &str, code: &str) -> bool {
        let mut entries = self.entries(resource).iter();
        entries.any(|entry| !entry.is_ready && entry.parameter.code == code)
    }

    fn entries(&self, resource: &str) -> &[Entry] {
        self.parameters.get(resource).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Custom, Definition};
    use crate::extract::tests::extractor;
    use serde_json::{Value, json};

    fn definition(changes: Value) -> Value {
        let mut resource = json!({
            "resourceType": "SearchParameter",
            "url": "http://hospital.test/SearchParameter/blood",
            "status": "active",
            "code": "blood",
            "base": ["Patient"],
            "type": "token",
            "expression": "Patient.extension.where(url = 'http://hospital.test/blood').value",
        });
        for (name, value) in changes.as_object().unwrap() {
            resource[name] = value.clone();
        }
        resource
    }

    fn check_refused(changes: Value, expected: &str) {
        let error = Definition::read(&definition(changes)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_cannot_be_put_to_work_is_refused() {
        check_refused(json!({ "code": "_blood" }), "begins with a letter");
        check_refused(json!({ "code": "name" }), "of the standard");
        check_refused(json!({ "base": ["Patent"] }), "no resource type");
        check_refused(json!({ "type": "composite" }), "not supported");
        check_refused(json!({ "xpathUsage": "phonetic" }), "normal");
        check_refused(
            json!({ "expression": "Patient.extension.where(" }),
            "SearchParameter.expression",
        );
        check_refused(json!({ "expression": "Patient.colour" }), "no element `colour`");
        check_refused(json!({ "expression": "Observation.code" }), "finds nothing in Patient");
        check_refused(json!({ "expression": "Patient.name" }), "of Patient it finds HumanName");
        check_refused(json!({ "expression": "Patient.name.count()" }), "`count()`");
        check_refused(json!({ "type": "reference", "target": ["X"] }), "no resource type");
    }

    #[test]
    fn drafts_and_the_standards_own_are_not_put_to_work() {
        let url = "http://hl7.org/fhir/SearchParameter/individual-gender";
        for changes in [json!({ "status": "draft" }), json!({ "url": url })] {
            assert_eq!(Definition::read(&definition(changes)), Ok(None));
        }
    }

    #[test]
    fn a_definition_comes_back_as_it_was_kept() {
        let resource =
            definition(json!({ "base": ["DomainResource"], "expression": "extension.value" }));
        let read = Definition::read(&resource).unwrap().unwrap();
        assert!(read.bases.len() > 100);
        let again = Definition::of_text(&read.text(), "Patient").unwrap();
        assert_eq!(again.text(), read.text());
    }

    #[test]
    fn entries_of_another_generation_are_others() {
        let read = Definition::read(&definition(json!({}))).unwrap().unwrap();
        let patient = json!({ "resourceType": "Patient", "extension": [
            { "url": "http://hospital.test/blood", "valueCode": "A" },
            { "url": "http://hospital.test/other", "valueCode": "B" },
        ] });
        let entries = |generation| {
            let mut custom = Custom::new(1);
            custom.add("Patient", "blood", &read.text(), generation, true).unwrap();
            let extractor = extractor();
            extractor.replace(custom);
            extractor.entries(&patient).unwrap()
        };
        let plain = extractor().entries(&patient).unwrap();
        let (one, two) = (entries(1), entries(2));
        assert!(one.tokens.len() > plain.tokens.len());
        assert_ne!(one.tokens, two.tokens);
        assert_eq!(one, entries(1));
    }
}
