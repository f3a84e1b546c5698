//! What a caller may see, in memory, one resource after the other: written from the rules, it knows nothing of the server.

use super::Hospital;
use super::evaluate::{kind_of, name_of};
use super::parameters::{COMPARTMENTS, elements, parameter};
use super::query::{Base, Query};
use super::random::Random;
use super::values::local;
use super::world::{HERE, World};
use crate::harness::{City, HOSPITALS, TestServer, entry, options, transaction};
use crate::walls;
use access::{Purposes, Token};
use search::reader::Reader;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    /// Who treats patients at the second hospital.
    Doctor,
    /// The same, with a right to few types.
    Narrow,
    /// One who is at the second hospital, for no purpose.
    Idle,
    /// The first patient.
    Patient,
}

pub(super) const CALLERS: [Caller; 4] =
    [Caller::Doctor, Caller::Narrow, Caller::Idle, Caller::Patient];

const NARROW: [&str; 3] = ["Observation", "Patient", "ValueSet"];
const PUBLIC: [&str; 3] = ["Organization", "Practitioner", "ValueSet"];
const HOSPITAL: &str = "hb";

/// What a patient said, as far as the caller is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stance {
    /// Nothing: who treats sees what is not sensitive.
    Silent,
    Nobody,
    /// All, psychiatry only to the second hospital.
    PsychiatryHere,
    /// Only research.
    Research,
    /// Nothing to the third hospital.
    NotThird,
    /// What lies in one year.
    OneYear,
    /// All but what the first hospital wrote.
    NotFirst,
}

const STANCES: [Stance; 7] = [
    Stance::Silent,
    Stance::Nobody,
    Stance::PsychiatryHere,
    Stance::Research,
    Stance::NotThird,
    Stance::OneYear,
    Stance::NotFirst,
];

/// A world of several hospitals.
pub(super) struct Shared {
    pub(super) world: World,
    /// Of each resource, by its place.
    custodians: Vec<&'static str>,
    /// Of patients, by their number.
    stances: Vec<Stance>,
    /// Of each resource, by its name, its own labels and those that reached it.
    labels: HashMap<String, BTreeSet<&'static str>>,
}

impl Shared {
    pub(super) fn of(mut world: World, random: &mut Random) -> Shared {
        // The servers of a city have different addresses here.
        for resource in &mut world.resources {
            *resource = serde_json::from_str(&resource.to_string().replace(HERE, "")).unwrap();
        }
        let patients = world.of("Patient").count();
        let reason = |random: &mut Random| {
            let code = *random.pick(&["F20.1", "B20", "F10.2", "I10"]);
            json!([{ "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": code }] }])
        };
        for resource in &mut world.resources {
            if kind_of(resource) == "Encounter" {
                resource["reasonCode"] = reason(random);
            }
        }
        for number in 1..=patients {
            let subject = json!({ "reference": format!("Patient/p{number}") });
            let code = *random.pick(&["F20.1", "B20", "I10", "F10.2"]);
            world.resources.push(json!({
                "resourceType": "Condition", "id": format!("s{number}"), "subject": subject,
                "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": code }] },
            }));
            if random.percent(70) {
                world.resources.push(json!({
                    "resourceType": "Encounter", "id": format!("care{number}"), "status": "in-progress",
                    "class": { "system": "urn:a", "code": "Hb" }, "subject": subject,
                    "reasonCode": reason(random),
                }));
            }
            // What was measured in the patient's own visits, the second because of the first.
            let visits: Vec<Value> = world
                .of("Encounter")
                .filter(|visit| visit["subject"] == subject)
                .cloned()
                .collect();
            let mut measured = json!({
                "resourceType": "Observation", "id": format!("x{number}"), "status": "final", "subject": subject,
                "code": { "coding": [{ "system": "urn:a", "code": "Hb" }] },
            });
            if !visits.is_empty() {
                let visit = random.pick(&visits);
                measured["encounter"] = json!({ "reference": name_of(visit) });
            }
            let mut next = measured.clone();
            next["id"] = json!(format!("y{number}"));
            next.as_object_mut().unwrap().remove("encounter");
            next["hasMember"] = json!([{ "reference": format!("Observation/x{number}") }]);
            // The later is written first by half of them.
            let both = if number % 2 == 0 { [next, measured] } else { [measured, next] };
            world.resources.extend(both);
        }
        let custodians = world.resources.iter().map(|resource| {
            let is_care = resource["id"].as_str().unwrap().starts_with("care");
            if is_care || random.percent(30) { HOSPITALS[1] } else { HOSPITALS[0] }
        });
        let custodians = custodians.collect();
        let stances = (0..patients).map(|number| {
            let is_child = world.resources.iter().any(|resource| is_child(resource, number + 1));
            // Children say nothing themselves.
            if is_child { Stance::Silent } else { STANCES[number % STANCES.len()] }
        });
        let stances = stances.collect();
        let labels = reach(&world);
        Shared { world, custodians, stances, labels }
    }

    /// How many resources have a label that is not their own.
    pub(super) fn reached(&self) -> usize {
        let own = |resource: &Value| labels(resource).into_iter().collect::<BTreeSet<_>>();
        let resources = self.world.resources.iter();
        resources.filter(|resource| own(resource) != self.labels[&name_of(resource)]).count()
    }

    fn kept(&self) -> impl Iterator<Item = (&Value, &'static str)> {
        self.world.resources.iter().zip(self.custodians.iter().copied())
    }

    pub(super) fn visible(&self, caller: Caller) -> World {
        let open =
            self.kept().filter(|(resource, custodian)| self.is_open(resource, custodian, caller));
        World { resources: open.map(|(resource, _)| resource.clone()).collect() }
    }

    /// Whether it belongs to no patient's record.
    pub(super) fn is_nobodys(&self, name: &str) -> bool {
        let mut all = self.world.resources.iter();
        all.any(|resource| name_of(resource) == name && record_of(resource).is_none())
    }

    fn is_open(&self, resource: &Value, custodian: &str, caller: Caller) -> bool {
        let kind = kind_of(resource);
        let is_public = PUBLIC.contains(&kind);
        match caller {
            Caller::Patient => is_public || is_of_patient(resource, "p1"),
            Caller::Narrow if !NARROW.contains(&kind) => false,
            Caller::Idle => is_public || custodian == HOSPITAL,
            Caller::Doctor | Caller::Narrow => {
                is_public
                    || custodian == HOSPITAL
                    || record_of(resource)
                        .is_some_and(|id| self.is_shared(resource, custodian, &id))
            }
        }
    }

    /// Whether the second hospital sees what another one wrote about this patient.
    fn is_shared(&self, resource: &Value, custodian: &str, id: &str) -> bool {
        self.is_treated(id) && self.is_permitted(resource, custodian, id)
    }

    fn is_treated(&self, id: &str) -> bool {
        self.kept().any(|(resource, custodian)| {
            let status = resource["status"].as_str().unwrap_or_default();
            kind_of(resource) == "Encounter"
                && custodian == HOSPITAL
                && ["arrived", "triaged", "in-progress", "onleave"].contains(&status)
                && resource["period"]["end"].is_null()
                && patients(resource).contains(id)
        })
    }

    fn is_permitted(&self, resource: &Value, custodian: &str, id: &str) -> bool {
        let number: usize = id.trim_start_matches('p').parse().unwrap();
        let labels = &self.labels[&name_of(resource)];
        let is_normal = labels.is_empty();
        let stance = number.checked_sub(1).and_then(|place| self.stances.get(place));
        match stance.copied().unwrap_or(Stance::Silent) {
            Stance::Silent | Stance::NotThird => is_normal,
            Stance::Nobody | Stance::Research => false,
            Stance::PsychiatryHere => labels.iter().all(|label| *label == "PSY"),
            Stance::OneYear => is_normal && is_in_year(resource),
            Stance::NotFirst => is_normal && custodian != HOSPITALS[0],
        }
    }
}

impl Caller {
    pub(super) fn may_ask(self, query: &Query) -> bool {
        let kinds = match &query.base {
            Base::Kind(kind) | Base::Compartment { kind, .. } => vec![*kind],
            Base::Kinds(kinds) => kinds.clone(),
        };
        match self {
            Caller::Narrow => kinds.iter().all(|kind| NARROW.contains(kind)),
            Caller::Doctor | Caller::Idle | Caller::Patient => true,
        }
    }

    /// As the database is told; None of who is told apart by scopes alone, which it does not know.
    pub(super) fn reader(self, hospitals: &HashMap<String, i32>) -> Option<Reader> {
        let hospital = hospitals[HOSPITAL];
        let token = match self {
            Caller::Doctor => walls::at(hospital, Purposes::TREATMENT),
            Caller::Narrow => return None,
            Caller::Idle => walls::at(hospital, Purposes::default()),
            Caller::Patient => Token { patient: Some("p1".to_owned()), ..Token::default() },
        };
        Some(walls::reader(token))
    }

    fn token(self, city: &City) -> String {
        match self {
            Caller::Doctor => city.doctor(HOSPITAL),
            Caller::Narrow => {
                let scopes = NARROW.map(|kind| format!("user/{kind}.rs"));
                city.with_scope(HOSPITAL, &scopes.join(" "))
            }
            Caller::Idle => city.token(HOSPITAL, |claims| {
                claims["extensions"]["ihe_iua"]["purpose_of_use"] = json!([]);
            }),
            Caller::Patient => city.patient("p1", "patient/*.rs"),
        }
    }
}

/// The patients that a resource refers to, wherever it does.
fn patients(resource: &Value) -> BTreeSet<String> {
    let patients = targets(resource).into_iter().filter(|(kind, _)| kind == "Patient");
    patients.map(|(_, id)| id).collect()
}

/// Types and ids of what it refers to, wherever it does.
fn targets(resource: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![resource];
    while let Some(value) = waiting.pop() {
        if let Some((kind, id)) = local(value) {
            found.insert((kind.to_owned(), id.split('/').next().unwrap().to_owned()));
        }
        match value {
            Value::Object(properties) => waiting.extend(properties.values()),
            Value::Array(values) => waiting.extend(values),
            _ => {}
        }
    }
    found
}

/// The one patient whose record it belongs to.
fn record_of(resource: &Value) -> Option<String> {
    if kind_of(resource) == "Patient" {
        return resource["id"].as_str().map(str::to_owned);
    }
    let patients = patients(resource);
    let only = patients.first().filter(|_| patients.len() == 1)?;
    match kind_of(resource) {
        "Observation" | "Encounter" | "Condition" | "RiskAssessment" | "List" => {
            (local(&resource["subject"]) == Some(("Patient", only))).then(|| only.clone())
        }
        _ => Some(only.clone()),
    }
}

/// Whether it is in the compartment of a patient, and of no other.
fn is_of_patient(resource: &Value, id: &str) -> bool {
    let kind = kind_of(resource);
    if kind == "Patient" {
        return resource["id"] == id;
    }
    let mut names: Vec<&str> = COMPARTMENTS
        .iter()
        .filter(|row| row.0 == "Patient" && row.1 == kind)
        .flat_map(|row| row.2.iter().copied())
        .collect();
    names.sort_unstable();
    let is_in = names.iter().any(|name| {
        let parameter = parameter(kind, name).unwrap();
        elements(resource, parameter).iter().any(|element| local(element) == Some(("Patient", id)))
    });
    is_in && patients(resource).len() == 1
}

/// What reaches whom: a label reaches what refers to its bearer, of the same patient, and from there on – but not through a
/// diagnosis, which passes on nothing but its own.
fn reach(world: &World) -> HashMap<String, BTreeSet<&'static str>> {
    let own = |resource: &Value| (name_of(resource), labels(resource).into_iter().collect());
    let mut all: HashMap<String, BTreeSet<&'static str>> =
        world.resources.iter().map(own).collect();
    let mut is_more = true;
    while is_more {
        is_more = false;
        for resource in &world.resources {
            let Some(patient) = patient_of(resource) else { continue };
            if kind_of(resource) == "Patient" {
                continue;
            }
            let mut reached = all[&name_of(resource)].clone();
            for (kind, id) in targets(resource) {
                let Some(target) = world.get(&kind, &id) else { continue };
                if PUBLIC.contains(&kind.as_str()) || patient_of(target) != Some(patient.clone()) {
                    continue;
                }
                match kind.as_str() {
                    "Patient" => {}
                    "Condition" => reached.extend(labels(target)),
                    _ => reached.extend(all[&name_of(target)].iter().copied()),
                }
            }
            is_more |= reached != all[&name_of(resource)];
            all.insert(name_of(resource), reached);
        }
    }
    all
}

/// Whether it is the patient of this number, and under 14 for years to come.
fn is_child(resource: &Value, number: usize) -> bool {
    let born: Option<u32> =
        resource["birthDate"].as_str().and_then(|text| text.get(..4)?.parse().ok());
    name_of(resource) == format!("Patient/p{number}") && born.is_some_and(|year| year >= 2020)
}

/// The patient in whose record it is, whoever else is in it.
fn patient_of(resource: &Value) -> Option<String> {
    match kind_of(resource) {
        "Observation" | "Encounter" | "Condition" | "RiskAssessment" | "List" => {
            let (kind, id) = local(&resource["subject"])?;
            (kind == "Patient").then(|| id.split('/').next().unwrap().to_owned())
        }
        _ => record_of(resource),
    }
}

fn labels(resource: &Value) -> Vec<&'static str> {
    let reasons = resource["reasonCode"].as_array().into_iter().flatten();
    let concepts = reasons.chain([&resource["code"]]);
    let codings = concepts.flat_map(|concept| concept["coding"].as_array().into_iter().flatten());
    let diagnoses = codings.filter(|coding| coding["system"] == "http://hl7.org/fhir/sid/icd-10");
    let label = |coding: &Value| match coding["code"].as_str().unwrap() {
        "F20.1" => Some("PSY"),
        "F10.2" => Some("ETH"),
        "B20" => Some("HIV"),
        _ => None,
    };
    diagnoses.filter_map(label).collect()
}

/// Whether all of its leading date lies in 2024, as hospitals here write it.
fn is_in_year(resource: &Value) -> bool {
    let of = |name: &str| parameter(kind_of(resource), name).map(|one| elements(resource, one));
    let name = match kind_of(resource) {
        "Observation" | "Encounter" | "Appointment" => "date",
        "Patient" => "birthdate",
        "Condition" => "onset-date",
        _ => return false,
    };
    let elements = of(name).unwrap_or_default();
    let Some(element) = elements.first() else { return false };
    let (low, high) = super::values::span(element);
    let (from, _) = super::values::moments("2024");
    let (until, _) = super::values::moments("2025");
    low >= from && high <= until
}

/// The same searches of a server with everything, and of one with what is open and nothing else.
pub(super) struct Pair {
    pub(super) whole: Hospital,
    rest: TestServer,
    _cities: [City; 2],
}

pub(super) async fn open(shared: &Shared, caller: Caller) -> Pair {
    let world = shared.visible(caller);
    let names: BTreeSet<String> = world.resources.iter().map(name_of).collect();
    let whole = fill(shared, |_| true).await;
    // What decides stays: whom the hospital treats, and what patients said.
    let decides = |resource: &Value| kind_of(resource) == "Encounter";
    let rest =
        fill(shared, |resource| names.contains(&name_of(resource)) || decides(resource)).await;
    let mut servers = Vec::new();
    for city in [&whole, &rest] {
        let mut server = city.replica().await;
        let audience = server.base.clone();
        let claims = caller.token(city);
        server.token = Some(city.readdressed(&claims, &audience));
        servers.push(server);
    }
    let rest_server = servers.pop().unwrap();
    let server = servers.pop().unwrap();
    Pair { whole: Hospital { server, world }, rest: rest_server, _cities: [whole, rest] }
}

/// A city of these resources – and in any case of what patients said, which nobody here may read.
pub(super) async fn fill(shared: &Shared, is_wanted: impl Fn(&Value) -> bool) -> City {
    let city = City::start().await;
    for hospital in [HOSPITALS[0], HOSPITALS[1]] {
        let writer = city.writer(&options(&[("BUND_HOSPITAL", hospital)])).await;
        let own = shared
            .kept()
            .filter(|(resource, custodian)| *custodian == hospital && is_wanted(resource));
        let mut entries: Vec<Value> = own
            .map(|(resource, _)| entry("PUT", &name_of(resource), Some(resource.clone())))
            .collect();
        if hospital == HOSPITALS[0] {
            let consents = shared.stances.iter().enumerate();
            entries.extend(consents.filter_map(|(place, stance)| consent(place + 1, *stance)));
        }
        writer.post("", &transaction(entries)).await.expect(200);
    }
    city
}

fn consent(number: usize, stance: Stance) -> Option<Value> {
    let psychiatry =
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }]);
    let actor = |role: &str, code: &str| json!([{ "role": { "coding": [{ "code": role }] }, "reference": { "reference": format!("Organization/{code}") } }]);
    let provision = match stance {
        Stance::Silent => return None,
        Stance::Nobody => json!({ "type": "deny" }),
        Stance::PsychiatryHere => json!({ "type": "permit", "provision": [
            { "type": "deny", "securityLabel": psychiatry },
            { "type": "permit", "securityLabel": psychiatry, "actor": actor("IRCP", HOSPITAL) },
        ] }),
        Stance::Research => json!({ "type": "permit", "purpose": [
            { "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH" },
        ] }),
        Stance::NotThird => json!({ "type": "deny", "actor": actor("IRCP", HOSPITALS[2]) }),
        Stance::OneYear => {
            json!({ "type": "permit", "dataPeriod": { "start": "2024", "end": "2024" } })
        }
        Stance::NotFirst => json!({ "type": "permit", "provision": [
            { "type": "deny", "actor": actor("CST", HOSPITALS[0]) },
        ] }),
    };
    let id = format!("k{number}");
    let consent = json!({
        "resourceType": "Consent", "id": id, "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{ "coding": [{ "system": "http://loinc.org", "code": "59284-0" }] }],
        "patient": { "reference": format!("Patient/p{number}") }, "dateTime": "2026-11-20",
        "policy": [{ "uri": "https://profiles.ihe.net/ITI/PCF/Policy-basic-normal" }],
        "provision": provision,
    });
    Some(entry("PUT", &format!("Consent/{id}"), Some(consent)))
}

impl Pair {
    /// Page for page, but for the moments and the addresses.
    pub(super) async fn differs(&self, query: &Query, count: usize) -> Result<(), String> {
        // Milliseconds of two runs fall otherwise.
        if query.sort.iter().any(|(name, _)| name == "_lastUpdated") {
            return Ok(());
        }
        let mut answers = Vec::new();
        for server in [&self.whole.server, &self.rest] {
            let address = query.address(&server.base);
            let mut next = Some(format!("{address}&_count={count}&_total=accurate"));
            let mut pages = Vec::new();
            while let Some(path) = next.take().filter(|_| pages.len() < 8) {
                let page = server.get(&path).await;
                next = page.next();
                pages.push((page.status, masked(&page.text, &server.base)));
            }
            answers.push(pages);
        }
        let differing = answers[0].iter().zip(&answers[1]).find(|(one, other)| one != other);
        match differing {
            Some((one, other)) => Err(format!(
                "{}\n  with all:     {one:?}\n  without rest: {other:?}",
                query.address("")
            )),
            None if answers[0].len() == answers[1].len() => Ok(()),
            None => Err(format!("{}: other pages", query.address(""))),
        }
    }
}

/// Without what differs between any two servers: the address, the moment of a write, what is opaque in links.
fn masked(text: &str, base: &str) -> String {
    let mut text = text.replace(base, "BASE");
    for (before, after) in [("\"lastUpdated\":\"", '"'), ("_cursor=", '"')] {
        let mut rest = text.as_str();
        let mut whole = String::new();
        while let Some((head, tail)) = rest.split_once(before) {
            whole.push_str(head);
            whole.push_str(before);
            rest = tail.split_once(after).map_or("", |_| &tail[tail.find(after).unwrap()..]);
        }
        whole.push_str(rest);
        text = whole;
    }
    text
}
