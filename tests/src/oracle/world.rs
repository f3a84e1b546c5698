//! A small hospital of random resources, from vocabularies so small that values collide.

use super::random::Random;
use serde_json::{Map, Value, json};

pub(super) struct World {
    pub(super) resources: Vec<Value>,
}

pub(super) const NAMES: [&str; 16] = [
    "Müller",
    "Muller",
    "MÜLLER",
    "Jose\u{301}",
    "José",
    "Joseph",
    "王",
    "王小明",
    "小明",
    "O'Brien",
    "Obrien",
    "Anne-Marie",
    "Annemarie",
    "van  der Berg",
    "Van der Berg",
    "Smith, Jr.",
];
pub(super) const SYSTEMS: [&str; 3] = ["http://loinc.org", "urn:a", "http://example.org/codes"];
pub(super) const CODES: [&str; 6] = ["8480-6", "glu", "GLU", "Hb", "x$1", "a|b"];
pub(super) const IDENTIFIERS: [&str; 5] = ["1", "12", "A1", "a1", "B,2"];
pub(super) const URLS: [&str; 7] = [
    "http://example.org/fhir",
    "http://example.org/fhir/ValueSet/v1",
    "http://example.org/fhir/ValueSet/v10",
    "http://example.org/fhir/ValueSet/V1",
    "http://example.org/other/ValueSet/v1",
    "https://example.org/fhir/ValueSet/v1",
    "urn:oid:1.2.3",
];
/// In the order of time; two that are three apart make a period, wherever the clock stands.
pub(super) const MOMENTS: [&str; 14] = [
    "1972",
    "1986-05",
    "1986-07-01",
    "1989-12-31T23:59:59+08:00",
    "2023-11-05T08:00:00Z",
    "2023-12-31",
    "2024-01-01T00:00:00+08:00",
    "2024-01",
    "2024-02-29",
    "2024-02-29T16:00:00Z",
    "2024-03-01T00:00:01.250+08:00",
    "2024-03-01T23:30:00-05:00",
    "2024-12-31T23:59:59.999+08:00",
    "2025",
];
pub(super) const TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
pub(super) const UCUM: &str = "http://unitsofmeasure.org";
/// The address of the server, which is known when it runs.
pub(super) const HERE: &str = "http://here.example/fhir/";
pub(super) const ELSEWHERE: &str = "http://elsewhere.example/fhir/Practitioner/d1";

impl World {
    pub(super) fn random(random: &mut Random) -> World {
        let mut resources = vec![
            json!({ "resourceType": "Group", "id": "p1", "type": "person", "actual": true, "identifier": [identifier(random)] }),
            json!({ "resourceType": "Group", "id": "p2", "type": "animal", "actual": false }),
        ];
        let mut make =
            |count: usize, prefix: &str, one: fn(&mut Random, &mut Map<String, Value>)| {
                for number in 1..=count {
                    let mut resource = Map::new();
                    resource.insert("id".to_owned(), json!(format!("{prefix}{number}")));
                    if random.percent(15) {
                        let tag = json!({ "system": "urn:a", "code": *random.pick(&CODES) });
                        resource.insert("meta".to_owned(), json!({ "tag": [tag] }));
                    }
                    one(random, &mut resource);
                    resources.push(Value::Object(resource));
                }
            };
        make(4, "h", organization);
        make(4, "d", practitioner);
        make(14, "p", patient);
        make(8, "e", encounter);
        make(8, "a", appointment);
        make(24, "o", observation);
        make(8, "c", condition);
        make(6, "r", risk);
        make(7, "v", value_set);
        make(2, "l", list);
        World { resources }
    }

    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Value> {
        self.of(kind).find(|resource| resource["id"] == id)
    }

    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.resources.iter().filter(move |resource| resource["resourceType"] == kind)
    }
}

type Resource = Map<String, Value>;

fn set(resource: &mut Resource, name: &str, value: Value) {
    resource.insert(name.to_owned(), value);
}

fn kind(resource: &mut Resource, kind: &str) {
    resource.shift_insert(0, "resourceType".to_owned(), json!(kind));
}

/// A reference to one of so many; the last of them do not exist.
fn refer(random: &mut Random, kind: &str, prefix: &str, count: usize) -> Value {
    let base = if random.percent(5) { HERE } else { "" };
    json!({ "reference": format!("{base}{kind}/{prefix}{}", 1 + random.below(count)) })
}

fn patient_or_group(random: &mut Random) -> Value {
    let mut subject = match random.below(5) {
        0 => refer(random, "Group", "p", 3),
        _ => refer(random, "Patient", "p", 8),
    };
    if random.percent(20) {
        subject["identifier"] = identifier(random);
    }
    subject
}

fn identifier(random: &mut Random) -> Value {
    let mut identifier = json!({ "value": *random.pick(&IDENTIFIERS) });
    if random.percent(70) {
        identifier["system"] = json!(random.pick(&["urn:id", "urn:ID", "urn:a"]));
    }
    if random.percent(40) {
        let code = random.pick(&["MR", "SS"]);
        identifier["type"] = json!({ "coding": [{ "system": TYPES, "code": code }] });
    }
    identifier
}

fn coding(random: &mut Random) -> Value {
    let mut coding = json!({ "code": *random.pick(&CODES) });
    if random.percent(70) {
        coding["system"] = json!(*random.pick(&SYSTEMS));
    }
    if random.percent(40) {
        coding["display"] = json!(*random.pick(&NAMES));
    }
    coding
}

fn concept(random: &mut Random) -> Value {
    let count = *random.pick(&[0, 1, 1, 1, 2, 3]);
    let codings: Vec<Value> = (0..count).map(|_| coding(random)).collect();
    if codings.is_empty() {
        return json!({ "text": *random.pick(&NAMES) });
    }
    let mut concept = json!({ "coding": codings });
    if random.percent(20) {
        concept["text"] = json!(*random.pick(&NAMES));
    }
    concept
}

fn name(random: &mut Random) -> Value {
    let mut name = Map::new();
    if random.percent(75) {
        set(&mut name, "family", json!(*random.pick(&NAMES)));
    }
    if random.percent(50) {
        let count = 1 + random.below(2);
        set(&mut name, "given", json!(random.some(&NAMES, count)));
    }
    if random.percent(20) {
        set(&mut name, "prefix", json!(["Dr."]));
    }
    if random.percent(20) {
        set(&mut name, "suffix", json!(["jr"]));
    }
    if random.percent(20) || name.is_empty() {
        set(&mut name, "text", json!(*random.pick(&NAMES)));
    }
    Value::Object(name)
}

fn address(random: &mut Random) -> Value {
    json!({ "city": *random.pick(&["Shanghai", "上海", "Saint-Étienne"]), "line": ["Ruijin Er Lu 197"], "country": *random.pick(&["CN", "FR"]) })
}

fn period(random: &mut Random) -> Value {
    let first = random.below(MOMENTS.len() - 3);
    let last = first + 3 + random.below(MOMENTS.len() - 3 - first);
    match random.below(4) {
        0 => json!({ "start": MOMENTS[first] }),
        1 => json!({ "end": MOMENTS[last] }),
        _ => json!({ "start": MOMENTS[first], "end": MOMENTS[last] }),
    }
}

fn number(random: &mut Random, of: &[&str]) -> Value {
    serde_json::from_str(random.pick::<&str>(of)).unwrap()
}

fn quantity(random: &mut Random) -> Value {
    let value = |random: &mut Random| {
        number(random, &["5", "5.0", "4.5", "5.5", "4.49", "500", "0.5", "-5"])
    };
    match random.below(10) {
        0..=2 => json!({ "value": value(random), "unit": "mg", "system": UCUM, "code": "mg" }),
        3..=5 => {
            let value = number(random, &["0.005", "0.0045", "0.5", "5", "0.0055", "5000"]);
            json!({ "value": value, "unit": "gram", "system": UCUM, "code": "g" })
        }
        6 => {
            let value = number(random, &["0.000005", "0.005", "5"]);
            json!({ "value": value, "unit": "kg", "system": UCUM, "code": "kg" })
        }
        7 => json!({ "value": value(random), "unit": "mmHg", "system": UCUM, "code": "mm[Hg]" }),
        8 => json!({ "value": value(random), "unit": "mg" }),
        _ => json!({ "value": value(random), "unit": "pill", "system": "urn:a", "code": "mg" }),
    }
}

fn organization(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Organization");
    set(resource, "name", json!(*random.pick(&NAMES)));
    if random.percent(30) {
        set(resource, "alias", json!([*random.pick(&NAMES)]));
    }
    if random.percent(60) {
        set(resource, "partOf", refer(random, "Organization", "h", 5));
    }
    if random.percent(40) {
        set(resource, "identifier", json!([identifier(random)]));
    }
    if random.percent(40) {
        set(resource, "active", json!(random.percent(60)));
        set(resource, "address", json!([address(random)]));
    }
}

fn practitioner(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Practitioner");
    if random.percent(85) {
        set(resource, "name", json!([name(random)]));
    }
    if random.percent(50) {
        set(resource, "gender", json!(random.pick(&["male", "female"])));
    }
    if random.percent(40) {
        set(resource, "identifier", json!([identifier(random)]));
    }
    if random.percent(40) {
        set(resource, "active", json!(random.percent(60)));
        set(resource, "address", json!([address(random)]));
    }
}

fn patient(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Patient");
    let count = *random.pick(&[0, 1, 1, 2]);
    if count > 0 {
        set(resource, "name", (0..count).map(|_| name(random)).collect());
        set(resource, "identifier", (0..count).map(|_| identifier(random)).collect());
    }
    if random.percent(70) {
        set(resource, "gender", json!(random.pick(&["male", "female", "other"])));
    }
    if random.percent(75) {
        let birth =
            random.pick(&["1972", "1986", "1986-05", "1986-07-01", "1986-07-02", "2023-12-31"]);
        set(resource, "birthDate", json!(birth));
    }
    match random.below(4) {
        0 => set(resource, "deceasedBoolean", json!(random.percent(50))),
        1 => set(resource, "deceasedDateTime", json!(*random.pick(&MOMENTS))),
        _ => {}
    }
    if random.percent(60) {
        set(resource, "active", json!(random.percent(60)));
    }
    match random.below(5) {
        0 => set(resource, "managingOrganization", json!({ "identifier": identifier(random) })),
        1..=3 => set(resource, "managingOrganization", refer(random, "Organization", "h", 5)),
        _ => {}
    }
    if random.percent(60) {
        let mut doctors = vec![refer(random, "Practitioner", "d", 5)];
        if random.percent(40) {
            doctors.push(refer(random, "Organization", "h", 4));
        }
        set(resource, "generalPractitioner", json!(doctors));
    }
    if random.percent(35) {
        let link = json!({ "other": refer(random, "Patient", "p", 9), "type": "seealso" });
        set(resource, "link", json!([link]));
    }
    if random.percent(40) {
        set(resource, "address", json!([address(random)]));
    }
}

fn encounter(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Encounter");
    set(resource, "status", json!(random.pick(&["planned", "finished", "in-progress"])));
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    set(resource, "class", json!({ "system": system, "code": random.pick(&["AMB", "IMP"]) }));
    if random.percent(85) {
        set(resource, "subject", patient_or_group(random));
    }
    if random.percent(60) {
        let participant = json!({ "individual": refer(random, "Practitioner", "d", 5) });
        set(resource, "participant", json!([participant]));
    }
    if random.percent(85) {
        set(resource, "period", period(random));
    }
    if random.percent(60) {
        set(resource, "serviceProvider", refer(random, "Organization", "h", 5));
    }
}

fn appointment(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Appointment");
    let instants: Vec<&str> = MOMENTS.into_iter().filter(|moment| moment.contains('T')).collect();
    if random.percent(75) {
        set(resource, "status", json!(random.pick(&["booked", "arrived"])));
        let first = random.below(instants.len() - 1);
        set(resource, "start", json!(instants[first]));
        set(resource, "end", json!(instants[first + 1]));
    } else {
        set(resource, "status", json!("proposed"));
    }
    let mut participants = Vec::new();
    let mut attend = |actor: Value, random: &mut Random| {
        let status = random.pick(&["accepted", "tentative"]);
        participants.push(json!({ "actor": actor, "status": status }));
    };
    let patient = refer(random, "Patient", "p", 8);
    attend(patient, random);
    if random.percent(70) {
        let doctor = refer(random, "Practitioner", "d", 5);
        attend(doctor, random);
    }
    set(resource, "participant", json!(participants));
}

fn observation(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Observation");
    set(resource, "status", json!(random.pick(&["final", "preliminary", "amended"])));
    if random.percent(50) {
        set(resource, "category", json!([concept(random)]));
    }
    set(resource, "code", concept(random));
    if random.percent(85) {
        set(resource, "subject", patient_or_group(random));
    }
    if random.percent(40) {
        set(resource, "encounter", refer(random, "Encounter", "e", 9));
    }
    let instant = |random: &mut Random| {
        let instants: Vec<&str> = MOMENTS.into_iter().filter(|text| text.contains('T')).collect();
        json!(*random.pick(&instants))
    };
    match random.below(8) {
        0 | 1 => set(resource, "effectivePeriod", period(random)),
        2 => {}
        3 => set(resource, "effectiveInstant", instant(random)),
        4 => {
            let events = [instant(random), instant(random)];
            set(resource, "effectiveTiming", json!({ "event": events }));
        }
        _ => set(resource, "effectiveDateTime", json!(*random.pick(&MOMENTS))),
    }
    if random.percent(60) {
        let mut performers = vec![match random.below(6) {
            0 => json!({ "reference": ELSEWHERE }),
            1 => refer(random, "Patient", "p", 8),
            2 => refer(random, "Organization", "h", 5),
            _ => refer(random, "Practitioner", "d", 5),
        }];
        if random.percent(25) {
            performers.push(refer(random, "Practitioner", "d", 5));
        }
        set(resource, "performer", json!(performers));
    }
    match random.below(10) {
        0..=5 => set(resource, "valueQuantity", quantity(random)),
        6 => set(resource, "valueCodeableConcept", concept(random)),
        7 | 8 => set(resource, "valueString", json!(*random.pick(&NAMES))),
        _ => {}
    }
    if random.percent(35) {
        let count = 1 + random.below(2);
        // One that has a value may not repeat its own code in a component (obs-7).
        let has_value = resource.keys().any(|name| name.starts_with("value"));
        let component = |random: &mut Random| {
            let mut code = concept(random);
            for coding in code
                .get_mut("coding")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
                .filter(|_| has_value)
            {
                coding["code"] = json!(random.pick(&["sys", "SYS", "dia", "x$2"]));
            }
            json!({ "code": code, "valueQuantity": quantity(random) })
        };
        set(resource, "component", (0..count).map(|_| component(random)).collect());
    }
    if random.percent(20) {
        let members =
            vec![refer(random, "Observation", "o", 26), refer(random, "Observation", "o", 9)];
        set(resource, "hasMember", json!(members));
    }
}

fn condition(random: &mut Random, resource: &mut Resource) {
    kind(resource, "Condition");
    if random.percent(80) {
        set(resource, "code", concept(random));
    }
    set(resource, "subject", patient_or_group(random));
    if random.percent(30) {
        set(resource, "encounter", refer(random, "Encounter", "e", 9));
    }
    match random.below(5) {
        0 | 1 => set(resource, "onsetDateTime", json!(*random.pick(&MOMENTS))),
        2 | 3 => {
            let (value, unit) =
                *random.pick(&[(24, "mo"), (2, "a"), (36, "mo"), (3, "a"), (730, "d")]);
            set(
                resource,
                "onsetAge",
                json!({ "value": value, "unit": unit, "system": UCUM, "code": unit }),
            );
        }
        _ => {}
    }
    if random.percent(70) {
        set(resource, "recordedDate", json!(*random.pick(&MOMENTS)));
    }
    if random.percent(40) {
        set(resource, "asserter", refer(random, "Practitioner", "d", 5));
    }
}

fn risk(random: &mut Random, resource: &mut Resource) {
    kind(resource, "RiskAssessment");
    set(resource, "status", json!("final"));
    set(resource, "subject", patient_or_group(random));
    let count = 1 + random.below(2);
    let prediction = |random: &mut Random| {
        let value = number(random, &["0.25", "0.3", "0.245", "0.250", "0.255", "1", "30"]);
        json!({ "probabilityDecimal": value })
    };
    set(resource, "prediction", (0..count).map(|_| prediction(random)).collect());
}

fn value_set(random: &mut Random, resource: &mut Resource) {
    kind(resource, "ValueSet");
    set(resource, "status", json!(random.pick(&["active", "draft"])));
    if random.percent(90) {
        set(resource, "url", json!(*random.pick(&URLS)));
    }
}

fn list(random: &mut Random, resource: &mut Resource) {
    kind(resource, "List");
    set(resource, "status", json!("current"));
    set(resource, "mode", json!("working"));
    let mut entries = Vec::new();
    for _ in 0..6 {
        entries.push(json!({ "item": refer(random, "Patient", "p", 16) }));
        entries.push(json!({ "item": refer(random, "Observation", "o", 26) }));
    }
    set(resource, "entry", json!(entries));
}
