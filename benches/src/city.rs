//! A seeded city: patients, their encounters, observations, conditions and appointments. The same number of patients is the same
//! city, everywhere.

use serde_json::{Value, json};
use std::ops::Range;

const FAMILIES: [&str; 12] =
    ["Wang", "Li", "Zhang", "Liu", "Chen", "Yang", "Zhao", "Huang", "Zhou", "Wu", "王", "李"];
const GIVEN: [&str; 8] = ["Wei", "Fang", "Na", "Min", "Jing", "Lei", "小明", "丽"];
const CODES: [(&str, &str, &str); 8] = [
    ("8480-6", "Systolic blood pressure", "mm[Hg]"),
    ("8462-4", "Diastolic blood pressure", "mm[Hg]"),
    ("8867-4", "Heart rate", "/min"),
    ("8310-5", "Body temperature", "Cel"),
    ("2345-7", "Glucose", "mg/dL"),
    ("718-7", "Hemoglobin", "g/dL"),
    ("2160-0", "Creatinine", "mg/dL"),
    ("29463-7", "Body weight", "kg"),
];

/// Resources a patient brings.
pub(crate) const A_PATIENT: u32 = 20;

pub(crate) fn resources(patients: Range<u32>) -> impl Iterator<Item = Value> {
    patients.flat_map(patient)
}

/// Numbers that look random and are always the same (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides.max(1)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let place = usize::try_from(self.roll(items.len() as u64)).unwrap_or(0);
        items.get(place).copied()
    }

    fn date(&mut self, year: u64, years: u64) -> String {
        let (year, month, day) = (year + self.roll(years), 1 + self.roll(12), 1 + self.roll(28));
        format!("{year:04}-{month:02}-{day:02}")
    }
}

fn patient(number: u32) -> Vec<Value> {
    let mut dice = Dice(u64::from(number).wrapping_mul(7_919));
    let id = format!("p{number:07}");
    let family = dice.pick(&FAMILIES).unwrap_or_default();
    let given = dice.pick(&GIVEN).unwrap_or_default();
    let mut resources = vec![json!({
        "resourceType": "Patient",
        "id": id,
        "identifier": [
            { "use": "official", "system": "urn:oid:2.16.156.10011.1.3", "value": format!("31010{:012}", number) },
            { "system": format!("urn:bund:hospital:{}", dice.roll(50)), "value": format!("MR{number:08}") },
        ],
        "active": true,
        "name": [{ "use": "official", "text": format!("{family} {given}"), "family": family, "given": [given] }],
        "telecom": [{ "system": "phone", "value": format!("138{:08}", dice.roll(100_000_000)), "use": "mobile" }],
        "gender": if dice.roll(2) == 0 { "female" } else { "male" },
        "birthDate": dice.date(1930, 95),
        "address": [{ "use": "home", "city": "Shanghai", "district": format!("District {}", dice.roll(16)), "country": "CN" }],
    })];
    for visit in 0..3 {
        resources.push(encounter(&mut dice, &id, visit));
    }
    for place in 0..14 {
        resources.push(observation(&mut dice, &id, place));
    }
    resources.push(condition(&mut dice, &id));
    resources.push(appointment(&mut dice, &id));
    resources
}

fn encounter(dice: &mut Dice, patient: &str, visit: u32) -> Value {
    let date = dice.date(2020, 6);
    json!({
        "resourceType": "Encounter",
        "id": format!("e-{patient}-{visit}"),
        "status": "finished",
        "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory" },
        "type": [{ "coding": [{ "system": "http://snomed.info/sct", "code": "185349003", "display": "Encounter for check up" }] }],
        "subject": { "reference": format!("Patient/{patient}") },
        "period": { "start": format!("{date}T08:30:00+08:00"), "end": format!("{date}T09:00:00+08:00") },
        "serviceProvider": { "reference": format!("Organization/h{}", dice.roll(50)) },
    })
}

fn observation(dice: &mut Dice, patient: &str, place: u32) -> Value {
    let (code, display, unit) = dice.pick(&CODES).unwrap_or_default();
    let date = dice.date(2020, 6);
    let value: Value = serde_json::from_str(&format!("{}.{}", 40 + dice.roll(120), dice.roll(10)))
        .unwrap_or_default();
    json!({
        "resourceType": "Observation",
        "id": format!("o-{patient}-{place}"),
        "status": "final",
        "category": [{ "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory", "display": "Laboratory",
        }] }],
        "code": { "coding": [{ "system": "http://loinc.org", "code": code, "display": display }], "text": display },
        "subject": { "reference": format!("Patient/{patient}") },
        "encounter": { "reference": format!("Encounter/e-{patient}-{}", dice.roll(3)) },
        "effectiveDateTime": format!("{date}T08:{:02}:00+08:00", dice.roll(60)),
        "issued": format!("{date}T10:00:00.000+08:00"),
        "performer": [{ "reference": format!("Organization/h{}", dice.roll(50)) }],
        "valueQuantity": { "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit },
    })
}

fn condition(dice: &mut Dice, patient: &str) -> Value {
    json!({
        "resourceType": "Condition",
        "id": format!("c-{patient}"),
        "clinicalStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active" }] },
        "verificationStatus": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed" }] },
        "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": format!("I{}", 10 + dice.roll(60)) }] },
        "subject": { "reference": format!("Patient/{patient}") },
        "onsetDateTime": dice.date(2005, 20),
    })
}

fn appointment(dice: &mut Dice, patient: &str) -> Value {
    let date = dice.date(2026, 2);
    json!({
        "resourceType": "Appointment",
        "id": format!("a-{patient}"),
        "status": "booked",
        "description": "Follow-up",
        "start": format!("{date}T14:00:00+08:00"),
        "end": format!("{date}T14:15:00+08:00"),
        "participant": [
            { "actor": { "reference": format!("Patient/{patient}") }, "status": "accepted" },
            { "actor": { "reference": format!("Practitioner/d{}", dice.roll(500)) }, "status": "accepted" },
        ],
    })
}
