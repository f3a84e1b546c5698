//! From a resource to the entries it is found by.

use crate::chinese;
use crate::compare::{UNBOUNDED, WIDE};
use crate::error::Error;
use crate::key::{hash, joined, resource_key, salt};
use crate::parameter::composite::{self, Last};
use crate::parameter::quantity::Scale;
use crate::parameter::reference::Target;
use crate::parameter::{date, near, number, quantity, reference, string, token, uri};
use crate::program::{Program, Walk};
use crate::registry::{self, Custom, Kind, Parameter, Place, Rule as How};
use crate::sharing::consent::{self, Reading, Rule};
use crate::sharing::{self, Relations};
use crate::veil::Veil;
use access::Labels;
use fhir::definitions::ParameterKind;
use fhir::texts;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// More than this is no resource that anybody searches for; it would make its row and its index too large.
const ENTRIES_MAX: usize = 100_000;

/// Of a code's text that is kept as a whole; the words of a longer one, which no other resource has, are kept alone.
const CONCEPT_BYTES_MAX: usize = 240;

/// What a row holds to be found by, and the rows of the entry tables. All sorted, each there once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    pub patient: Option<Patient>,
    /// Keys of the first two codes of the type's leading parameter.
    pub code: Option<i64>,
    pub code2: Option<i64>,
    /// The leading date: its first and its last microsecond.
    pub date: Option<(i64, i64)>,
    /// The leading quantity: in base units, where it has any, and as it is written.
    pub quantity: Option<i64>,
    pub number: Option<i64>,
    /// A bit for each parameter that has a value.
    pub present: i64,
    pub tokens: Vec<i64>,
    pub filters: Vec<i64>,
    pub strings: Vec<StringEntry>,
    pub ranges: Vec<RangeEntry>,
    pub references: Vec<ReferenceEntry>,
    /// Texts of codes: what is said of all resources that have them, not of this one alone.
    pub concepts: Vec<Concept>,
    /// How sensitive it is by itself, as bits.
    pub labels: i64,
    /// Keys of what it refers to, wherever it does, that may have labels which reach it; the filters have them too.
    pub links: Vec<i64>,
    /// What the patient consents to.
    pub rules: Vec<Rule>,
}

impl Entries {
    fn check(&self) -> Result<(), Error> {
        let count = self.tokens.len()
            + self.filters.len()
            + self.strings.len()
            + self.ranges.len()
            + self.references.len()
            + self.concepts.len();
        if count > ENTRIES_MAX {
            let what = "the resource has too many values and words to be found by".to_owned();
            return Err(Error::TooMany { what, max: ENTRIES_MAX });
        }
        Ok(())
    }
}

/// A text that stands with a code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Concept {
    pub parameter_key: i64,
    /// Normalised, if it is found by its beginning; as it is written, if by its words.
    pub value: String,
    pub is_words: bool,
    /// What an index finds the resources by that have the text: a code, or the text where there is none.
    pub lead_key: i64,
    /// Among the filters of the resources that have it.
    pub text_key: i64,
}

impl Concept {
    /// The keys of its words, if it is found by them.
    pub fn words(&self) -> Vec<i64> {
        let mut words = Vec::new();
        if self.is_words {
            chinese::words(&self.value, |word| {
                words.push(hash(word.as_bytes()) ^ self.parameter_key)
            });
        }
        settle(&mut words);
        words
    }
}

/// A normalised text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StringEntry {
    pub parameter_key: i64,
    pub value: String,
    /// Of the text as it is written; 0 of a spelling that nobody wrote.
    pub exact: i64,
}

/// A date, a number or a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RangeEntry {
    pub parameter_key: i64,
    pub low: i64,
    pub high: i64,
}

/// A reference, or a code beyond the second, that is looked up together with the date of the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferenceEntry {
    pub target_key: i64,
    pub date_low: i64,
}

/// The patient that a resource is about, where its type has one place for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    pub key: i64,
    pub id: String,
}

/// Knows which references are of this server, and the zone of dates without an offset.
#[derive(Clone, Debug)]
pub struct Extractor {
    base_url: String,
    zone: TimeZone,
    custom: Arc<RwLock<Arc<Custom>>>,
    hospitals: Arc<RwLock<Hospitals>>,
    veil: Arc<Veil>,
}

/// Hospitals by the ids of their organisations, which are their codes.
pub type Hospitals = HashMap<String, i32>;

impl Extractor {
    /// `base_url` is without a slash at the end.
    pub fn new(base_url: &str, zone: TimeZone, veil: Arc<Veil>) -> Extractor {
        registry::warm();
        let base_url = base_url.trim_end_matches('/').to_owned();
        Extractor { base_url, zone, custom: Arc::default(), hospitals: Arc::default(), veil }
    }

    /// The parameters that were defined here, as they are now.
    pub fn custom(&self) -> Arc<Custom> {
        Arc::clone(&self.custom.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, custom: Custom) {
        *self.custom.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(custom);
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What hides the numbers of people in entries.
    pub fn veil(&self) -> &Veil {
        &self.veil
    }

    /// All that is stored of a resource that this hospital keeps: what it is found by, and what it says about sharing.
    pub fn stored(&self, resource: &Value, hospital: i32) -> Result<Entries, Error> {
        let mut entries = self.entries(resource)?;
        let hospitals = self.hospitals.read().unwrap_or_else(PoisonError::into_inner);
        let find = |code: &str| hospitals.get(code).copied();
        let (base_url, zone) = (self.base_url.as_str(), &self.zone);
        let relations = Relations { resource, hospital, base_url, zone, find: &find };
        entries.ranges.extend(relations.entries());
        settle(&mut entries.ranges);
        if resource["resourceType"] == "Consent" {
            let reading = Reading { base_url, zone, find: &find };
            // What was refused is not stored; what became so since denies nothing and permits nothing.
            entries.rules = consent::rules(resource, &reading).unwrap_or_default();
        }
        Ok(entries)
    }

    /// Whether a Consent can be enforced.
    pub fn check_consent(&self, consent: &Value) -> Result<(), consent::Refusal> {
        let hospitals = self.hospitals.read().unwrap_or_else(PoisonError::into_inner);
        let find = |code: &str| hospitals.get(code).copied();
        let reading = Reading { base_url: &self.base_url, zone: &self.zone, find: &find };
        consent::rules(consent, &reading).map(|_| ())
    }

    /// The hospital whose organisation has this id.
    pub fn hospital(&self, code: &str) -> Option<i32> {
        self.hospitals.read().unwrap_or_else(PoisonError::into_inner).get(code).copied()
    }

    pub fn set_hospitals(&self, hospitals: Hospitals) {
        *self.hospitals.write().unwrap_or_else(PoisonError::into_inner) = hospitals;
    }

    pub fn entries(&self, resource: &Value) -> Result<Entries, Error> {
        let mut entries = self.own(resource)?;
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let kind = registry::kind(name).ok_or(Error::UnknownType)?;
        self.share(kind, resource, &mut entries);
        entries.check()?;
        self.contained(resource, &mut entries)?;
        Ok(entries)
    }

    /// Whose record it is, and how sensitive.
    fn share(&self, kind: &Kind, resource: &Value, entries: &mut Entries) {
        let mut labels = sharing::labels(resource);
        if kind.name != "Patient" {
            let patients = sharing::patients(resource, &self.base_url);
            let mut only = patients.iter();
            match (only.next(), only.next()) {
                // Where the type has a place for it, only what stands there is searched for.
                (Some(id), None) if kind.patient.is_none() => {
                    let key = resource_key("Patient", id);
                    entries.patient = Some(Patient { key, id: (*id).to_owned() });
                }
                (Some(_), Some(_)) => labels = labels.with(Labels::SEVERAL),
                (_, None) => {}
                (None, Some(_)) => {}
            }
        }
        entries.labels = labels.bits();
        if kind.name != "Patient" {
            entries.links = sharing::links(resource, &self.base_url);
            entries.filters.extend(entries.links.iter().map(|key| key ^ sharing::link_salt()));
            settle(&mut entries.filters);
        }
    }

    /// Keys that say what may be found among the contained resources.
    fn contained(&self, resource: &Value, entries: &mut Entries) -> Result<(), Error> {
        let Some(contained) = resource.get("contained").and_then(Value::as_array) else {
            return Ok(());
        };
        for resource in contained {
            let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
            if registry::kind(name).is_none() {
                continue;
            }
            let own = self.own(resource)?;
            let keys = own.patient.iter().map(|patient| patient.key);
            let keys = keys.chain(own.code).chain(own.code2).chain(own.tokens).chain(own.filters);
            entries.tokens.push(contained_kind(name));
            entries.tokens.extend(keys.map(of_contained));
            entries.check()?;
        }
        settle(&mut entries.tokens);
        Ok(())
    }

    /// Of the resource itself.
    fn own(&self, resource: &Value) -> Result<Entries, Error> {
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        let kind = registry::kind(name).ok_or(Error::UnknownType)?;
        let mut found = Found { extractor: self, entries: Entries::default(), buffer: Vec::new() };
        found.entries.patient = patient(kind, resource, &self.base_url);
        let custom = self.custom();
        for parameter in kind.parameters.iter().chain(custom.indexed(kind.name)) {
            found.parameter(parameter, resource);
            found.entries.check()?;
        }
        found.words(kind, resource)?;
        let mut entries = found.entries;
        let date = entries.date.map_or(UNBOUNDED, |(low, _)| low);
        for reference in &mut entries.references {
            reference.date_low = date;
        }
        settle(&mut entries.tokens);
        settle(&mut entries.filters);
        settle(&mut entries.strings);
        settle(&mut entries.ranges);
        settle(&mut entries.references);
        settle(&mut entries.concepts);
        Ok(entries)
    }
}

fn settle<T: Ord>(values: &mut Vec<T>) {
    values.sort_unstable();
    values.dedup();
}

fn patient(kind: &Kind, resource: &Value, base_url: &str) -> Option<Patient> {
    if kind.name == "Patient" {
        let id = resource.get("id").and_then(Value::as_str)?;
        return Some(Patient { key: resource_key("Patient", id), id: id.to_owned() });
    }
    let walk = kind.patient.as_ref()?;
    let mut patient = None;
    walk.each(resource, |value| {
        reference::each(value, &walk.end, base_url, |target| {
            if let Target::Local { kind: "Patient", id } = target {
                patient = Some(Patient { key: resource_key("Patient", id), id: id.to_owned() });
            }
        });
    });
    patient
}

/// Sets the keys of a reference's identifier apart from those of the reference.
pub(crate) fn identifier_salt(parameter: &Parameter) -> i64 {
    joined(parameter.salt, 1)
}

/// The filter that says that there is a value, where no bit does.
pub(crate) fn present_key(parameter: &Parameter) -> i64 {
    joined(parameter.salt, 4)
}

/// The token of what contains a resource of the type.
pub(crate) fn contained_kind(resource: &str) -> i64 {
    salt(resource, "_contained")
}

/// The token of what contains a resource with this key.
pub(crate) fn of_contained(key: i64) -> i64 {
    joined(key, 5)
}

/// Sets the words of a type apart, by where they stand.
pub(crate) fn words_salt(resource: &str, place: texts::Place) -> i64 {
    salt(
        resource,
        match place {
            texts::Place::Narrative => "_text",
            texts::Place::Concept | texts::Place::Element => "_content",
        },
    )
}

/// Sets the texts of a parameter's codes apart.
pub(crate) fn text_salt(parameter: &Parameter) -> i64 {
    joined(parameter.salt, 3)
}

/// The key that a wide range is looked up by.
pub(crate) fn wide(parameter_key: i64) -> i64 {
    joined(parameter_key, 2)
}

/// The key that numbers of one scale are looked up by.
pub(crate) fn scaled(parameter: &Parameter, scale: Scale) -> i64 {
    parameter.salt ^ scale.key()
}

struct Found<'a> {
    extractor: &'a Extractor,
    entries: Entries,
    buffer: Vec<u8>,
}

impl Found<'_> {
    fn words(&mut self, kind: &Kind, resource: &Value) -> Result<(), Error> {
        let parameter_key = words_salt(kind.name, texts::Place::Concept);
        let mut concepts = HashSet::new();
        let mut words = HashSet::new();
        let veil = &self.extractor.veil;
        texts::visit(resource, &mut |place, text| {
            if place == texts::Place::Concept && text.len() <= CONCEPT_BYTES_MAX {
                concepts.insert(text.replace(char::is_control, " "));
                return;
            }
            let salt = words_salt(kind.name, place);
            chinese::words(text, |word| {
                if words.len() <= ENTRIES_MAX {
                    words.insert(hash(veil.cover(word).as_bytes()) ^ salt);
                }
            });
        });
        self.entries.tokens.extend(words);
        for value in concepts {
            let text_key = hash(value.as_bytes()) ^ parameter_key;
            self.key(text_key, kind.is_voluminous());
            let lead_key = text_key;
            let concept = Concept { parameter_key, value, is_words: true, lead_key, text_key };
            self.entries.concepts.push(concept);
        }
        self.entries.check()
    }

    fn parameter(&mut self, parameter: &Parameter, resource: &Value) {
        let mut values: Vec<(&Walk, &Value)> = Vec::new();
        for walk in parameter.program.walks() {
            walk.each(resource, |value| values.push((walk, value)));
        }
        if parameter.keeps_targets() && matches!(parameter.rule, How::Reference) {
            // For others too, which may see what this one does not.
            self.targets(parameter, resource);
        }
        // Whether there is one is itself the value of some: they always have one.
        let is_truth = matches!(parameter.program, Program::Truth(_));
        if values.is_empty() && !is_truth {
            return;
        }
        match parameter.bit {
            Some(bit) => self.entries.present |= 1 << bit,
            None => self.entries.filters.push(present_key(parameter)),
        }
        match &parameter.rule {
            How::Token if is_truth => {
                let is_true = values.iter().any(|(_, value)| **value != Value::Bool(false));
                token::truth(is_true, |form| self.token(parameter, form));
            }
            How::Token => {
                for (walk, value) in values {
                    token::each(value, &walk.end, |form| self.token(parameter, form));
                    token::texts(value, &walk.end, |text, code| {
                        self.concept(parameter, text, code);
                    });
                }
            }
            How::Reference => self.references(parameter, &values),
            How::Uri => self.uris(parameter, &values),
            How::String => {
                let is_name = parameter.is_name();
                for (walk, value) in values {
                    string::each_spelling(value, &walk.end, is_name, |value, exact| {
                        let parameter_key = parameter.salt;
                        self.entries.strings.push(StringEntry { parameter_key, value, exact });
                    });
                }
            }
            How::Date => self.dates(parameter, &values),
            How::Number => {
                for (_, value) in values {
                    number::each(value, |low, high| self.range(parameter.salt, low, high));
                }
            }
            How::Quantity => {
                for (_, value) in values {
                    quantity::each(value, |scale, low, high| {
                        self.quantity(parameter, scale, low, high);
                    });
                }
            }
            How::Composite(composite) => self.composites(parameter, composite, resource),
            How::Near => {
                for (latitude, longitude) in
                    values.iter().filter_map(|(_, value)| near::position(value))
                {
                    self.range(parameter.salt, latitude, longitude);
                }
            }
            // The row itself has them, or other parameters do, or all that the resource says.
            How::Words(_) | How::Id | How::LastUpdated | How::Either(_) | How::Unsupported(_) => {}
        }
    }

    fn key(&mut self, key: i64, is_dominant: bool) {
        if is_dominant {
            self.entries.filters.push(key);
        } else {
            self.entries.tokens.push(key);
        }
    }

    fn token(&mut self, parameter: &Parameter, form: token::Form<&str>) {
        let veil = &self.extractor.veil;
        veil.stored(form, parameter.spelling, |form| self.stored_token(parameter, form));
    }

    fn stored_token(&mut self, parameter: &Parameter, form: token::Form<&str>) {
        let key = form.key(parameter.spelling, &mut self.buffer) ^ parameter.salt;
        if parameter.place != Place::Code {
            return self.key(key, parameter.is_dominant || form.is_system());
        }
        match form {
            token::Form::Code(_) => self.code(key),
            _ => self.entries.filters.push(key),
        }
    }

    fn code(&mut self, key: i64) {
        let entries = &mut self.entries;
        match (entries.code, entries.code2) {
            (Some(code), _) | (_, Some(code)) if code == key => {}
            (None, _) => entries.code = Some(key),
            (Some(_), None) => entries.code2 = Some(key),
            (Some(_), Some(_)) => {
                entries.filters.push(key);
                entries.references.push(ReferenceEntry { target_key: key, date_low: 0 });
            }
        }
    }

    fn concept(&mut self, parameter: &Parameter, text: &str, code: Option<&str>) {
        let value = string::normalise(text);
        if value.is_empty() {
            return;
        }
        let parameter_key = text_salt(parameter);
        let text_key = hash(value.as_bytes()) ^ parameter_key;
        self.entries.filters.push(text_key);
        let lead_key = match code {
            Some(code) => {
                let covered = match parameter.spelling {
                    token::Spelling::Exact => self.extractor.veil.cover(code),
                    token::Spelling::Folded | token::Spelling::Contact => Cow::Borrowed(code),
                };
                let form = token::Form::Code(covered.as_ref());
                form.key(parameter.spelling, &mut self.buffer) ^ parameter.salt
            }
            None if parameter.place == Place::Code => {
                self.code(text_key);
                text_key
            }
            None => {
                if parameter.leads_texts() {
                    self.entries.tokens.push(text_key);
                }
                text_key
            }
        };
        let concept = Concept { parameter_key, value, is_words: false, lead_key, text_key };
        self.entries.concepts.push(concept);
    }

    fn references(&mut self, parameter: &Parameter, values: &[(&Walk, &Value)]) {
        let base_url = &self.extractor.base_url;
        let entries = &mut self.entries;
        for (walk, value) in values {
            reference::each(value, &walk.end, base_url, |target| match target {
                Target::Local { .. } => {}
                Target::Whole(_) => entries.tokens.push(target.key() ^ parameter.salt),
            });
            let Some(identifier) = value.get("identifier") else { continue };
            let mut stored = |form: token::Form<&str>| {
                let key = form.key(token::Spelling::Exact, &mut self.buffer);
                let key = key ^ identifier_salt(parameter);
                if form.is_system() {
                    entries.filters.push(key);
                } else {
                    entries.tokens.push(key);
                }
            };
            token::identifier(identifier, |form| {
                self.extractor.veil.stored(form, token::Spelling::Exact, &mut stored);
            });
        }
    }

    fn targets(&mut self, parameter: &Parameter, resource: &Value) {
        let base_url = &self.extractor.base_url;
        let entries = &mut self.entries;
        for walk in parameter.elements() {
            walk.each(resource, |value| {
                reference::each(value, &walk.end, base_url, |target| {
                    let Target::Local { kind, .. } = target else { return };
                    let key = target.key() ^ parameter.target_salt;
                    match parameter.place {
                        Place::Patient if kind == "Patient" => {}
                        Place::Actor => {
                            entries.filters.push(key);
                            let entry = ReferenceEntry { target_key: key, date_low: 0 };
                            entries.references.push(entry);
                        }
                        _ => entries.tokens.push(key),
                    }
                });
            });
        }
    }

    fn uris(&mut self, parameter: &Parameter, values: &[(&Walk, &Value)]) {
        for (walk, value) in values {
            uri::each(value, &walk.end, |text| {
                self.key(uri::key(text) ^ parameter.salt, parameter.is_dominant);
                // For `:below`, letter for letter.
                if let Some(value) = uri::stored(text) {
                    let entry = StringEntry { parameter_key: parameter.salt, value, exact: 0 };
                    self.entries.strings.push(entry);
                }
            });
        }
    }

    fn range(&mut self, parameter_key: i64, low: i64, high: i64) {
        let is_wide = high.saturating_sub(low) > WIDE;
        let parameter_key = if is_wide { wide(parameter_key) } else { parameter_key };
        self.entries.ranges.push(RangeEntry { parameter_key, low, high });
    }

    fn dates(&mut self, parameter: &Parameter, values: &[(&Walk, &Value)]) {
        let zone = &self.extractor.zone;
        for (_, value) in values {
            date::each(value, zone, |low, high| {
                if parameter.place == Place::Date {
                    self.entries.date = Some((low, high));
                } else {
                    self.range(parameter.salt, low, high);
                }
            });
        }
    }

    fn quantity(&mut self, parameter: &Parameter, scale: Scale, low: i64, high: i64) {
        if parameter.place != Place::Quantity {
            return self.range(scaled(parameter, scale), low, high);
        }
        let entries = &mut self.entries;
        entries.filters.push(scaled(parameter, scale));
        match scale {
            Scale::Bare => entries.number = Some(low),
            // A unit without base units, as of pH, is its own.
            Scale::Canonical(_) | Scale::Coded(_) => entries.quantity = Some(low),
            Scale::Unit(_) => {}
        }
    }

    fn composites(
        &mut self,
        parameter: &Parameter,
        composite: &registry::composite::Composite,
        resource: &Value,
    ) {
        let extractor = self.extractor;
        each_composite(composite, resource, &extractor.base_url, &extractor.zone, |found| {
            let key = parameter.salt ^ found.key;
            match found.last {
                Last::Nothing => self.entries.tokens.push(key),
                Last::Range((low, high)) => self.range(key, low, high),
                Last::Text((value, exact)) => {
                    self.entries.strings.push(StringEntry { parameter_key: key, value, exact });
                }
            }
        });
    }
}

pub(crate) fn each_token<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(token::Form<&'a str>),
) {
    match &parameter.program {
        Program::Values(walks) => {
            for walk in walks {
                walk.each(resource, |value| token::each(value, &walk.end, &mut visit));
            }
        }
        Program::Truth(walks) => {
            let mut is_true = false;
            for walk in walks {
                walk.each(resource, |value| is_true |= *value != Value::Bool(false));
            }
            token::truth(is_true, visit);
        }
    }
}

/// Each text that stands with a value of a token.
pub(crate) fn each_text<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(&'a str),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| token::texts(value, &walk.end, |text, _| visit(text)));
    }
}

/// Each target that the parameter may point at: `patient` of a type finds only patients.
pub(crate) fn each_reference<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    base_url: &str,
    mut visit: impl FnMut(Target<'a>),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| {
            reference::each(value, &walk.end, base_url, |target| {
                let is_allowed = match target {
                    Target::Local { kind, .. } => parameter.targets.contains(&kind),
                    Target::Whole(_) => true,
                };
                if is_allowed {
                    visit(target);
                }
            });
        });
    }
}

pub(crate) fn each_uri<'a>(
    parameter: &Parameter,
    resource: &'a Value,
    mut visit: impl FnMut(&'a str),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| uri::each(value, &walk.end, &mut visit));
    }
}

pub(crate) fn each_spelling(
    parameter: &Parameter,
    resource: &Value,
    mut visit: impl FnMut(String, i64),
) {
    let is_name = parameter.is_name();
    for walk in parameter.program.walks() {
        walk.each(resource, |value| {
            string::each_spelling(value, &walk.end, is_name, &mut visit);
        });
    }
}

pub(crate) fn each_date(
    parameter: &Parameter,
    resource: &Value,
    zone: &TimeZone,
    mut visit: impl FnMut(i64, i64),
) {
    debug_assert_eq!(parameter.kind, ParameterKind::Date);
    for walk in parameter.program.walks() {
        walk.each(resource, |value| date::each(value, zone, &mut visit));
    }
}

pub(crate) fn each_number(
    parameter: &Parameter,
    resource: &Value,
    mut visit: impl FnMut(i64, i64),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| number::each(value, &mut visit));
    }
}

pub(crate) fn each_quantity(
    parameter: &Parameter,
    resource: &Value,
    mut visit: impl FnMut(Scale, i64, i64),
) {
    for walk in parameter.program.walks() {
        walk.each(resource, |value| quantity::each(value, &mut visit));
    }
}

fn each_composite(
    composite: &registry::composite::Composite,
    resource: &Value,
    base_url: &str,
    zone: &TimeZone,
    mut visit: impl FnMut(composite::Found),
) {
    if let registry::composite::Composite::Elements(elements) = composite {
        for element in elements {
            composite::each(element, resource, base_url, zone, &mut visit);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Extractor;
    use crate::query::tests::BASE;
    use crate::veil::Veil;
    use jiff::tz::TimeZone;
    use serde_json::json;
    use std::sync::Arc;

    pub(crate) fn extractor() -> Extractor {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Extractor::new(BASE, zone, Arc::new(Veil::new(b"")))
    }

    #[test]
    fn a_laboratory_value_is_in_its_row_alone() {
        let entries = extractor()
            .entries(&json!({
                "resourceType": "Observation",
                "status": "final",
                "code": { "coding": [{ "system": "http://loinc.org", "code": "2345-7" }] },
                "subject": { "reference": "Patient/1" },
                "effectiveDateTime": "2026-11-23T08:00:00+08:00",
                "valueQuantity": { "value": 5.4, "system": "http://unitsofmeasure.org", "code": "mmol/L" },
            }))
            .unwrap();
        assert!(entries.patient.is_some() && entries.code.is_some() && entries.code2.is_none());
        assert!(entries.date.is_some() && entries.quantity.is_some() && entries.number.is_some());
        assert!(entries.strings.is_empty() && entries.ranges.is_empty(), "{entries:?}");
        assert_eq!(entries.tokens, Vec::<i64>::new());
    }

    #[test]
    fn actors_are_looked_up_with_the_date() {
        let entries = extractor()
            .entries(&json!({
                "resourceType": "Appointment",
                "start": "1970-01-01T00:00:00Z",
                "participant": [
                    { "actor": { "reference": "Patient/1" } },
                    { "actor": { "reference": "Practitioner/1" } },
                ],
            }))
            .unwrap();
        assert_eq!(entries.references.len(), 2);
        assert!(entries.references.iter().all(|reference| reference.date_low == 0));
    }
}
