//! What is known of a person beside their visits: who they are, allergies, immunizations, consents, appointments.

use crate::calendar::{Day, Moment, TODAY};
use crate::dice::Dice;
use crate::name::Writing;
use crate::person::{Person, Record};
use crate::term::{SNOMED, concept, hl7};
use serde_json::{Value, json};

/// SNOMED CT code, display, what the hospital calls it, category.
type Allergen = (&'static str, &'static str, &'static str, &'static str);

const ALLERGENS: [Allergen; 8] = [
    ("764146007", "Penicillin", "青霉素", "medication"),
    ("387406002", "Sulfonamide", "磺胺类", "medication"),
    ("387458008", "Aspirin", "阿司匹林", "medication"),
    ("44027008", "Seafood", "海鲜", "food"),
    ("762952008", "Peanut", "花生", "food"),
    ("102263004", "Eggs", "鸡蛋", "food"),
    ("260147004", "House dust mite", "尘螨", "environment"),
    ("256277009", "Grass pollen", "花粉", "environment"),
];

const REACTIONS: [(&str, &str, &str); 4] = [
    ("271807003", "Eruption of skin", "皮疹"),
    ("126485001", "Urticaria", "荨麻疹"),
    ("267036007", "Dyspnea", "呼吸困难"),
    ("418363000", "Itching of skin", "皮肤瘙痒"),
];

/// CVX code, display, what the clinic calls it, from which age to which.
type Vaccine = (&'static str, &'static str, &'static str, (i64, i64));

const VACCINES: [Vaccine; 10] = [
    ("08", "Hep B, adolescent or pediatric", "乙肝疫苗", (0, 1)),
    ("19", "BCG", "卡介苗", (0, 1)),
    ("10", "IPV", "脊髓灰质炎灭活疫苗", (0, 2)),
    ("20", "DTaP", "百白破疫苗", (0, 6)),
    ("03", "MMR", "麻腮风疫苗", (0, 7)),
    ("21", "varicella", "水痘疫苗", (1, 12)),
    ("62", "HPV, quadrivalent", "四价人乳头瘤病毒疫苗", (9, 45)),
    ("88", "influenza, unspecified formulation", "流感疫苗", (3, 120)),
    ("33", "pneumococcal polysaccharide PPV23", "23价肺炎球菌多糖疫苗", (60, 120)),
    ("510", "COVID-19 IV Non-US Vaccine (BIBP, Sinopharm)", "新型冠状病毒灭活疫苗", (3, 120)),
];

pub(crate) fn resources(person: &Person, dice: &mut Dice) -> Vec<Value> {
    let mut resources = person.patients(dice);
    let Some(record) = person.records.first() else { return resources };
    if dice.chance(17) {
        for number in 1..=1 + dice.roll(2) {
            resources.push(allergy(person, record, number, dice));
        }
    }
    for number in 1..=dice.roll(3) {
        resources.extend(immunization(person, record, number, dice));
    }
    for (number, record) in (1..).zip(&person.records) {
        if dice.chance(25) {
            resources.push(consent(person, record, number, dice));
        }
        if dice.chance(30) {
            resources.extend(appointment(person, record, number, dice));
        }
    }
    resources
}

fn some_day(person: &Person, dice: &mut Dice) -> Day {
    let (first, last) = person.days();
    Day(dice.between(first.0, last.0.max(first.0)))
}

fn in_working_hours(day: Day, dice: &mut Dice) -> Moment {
    let day = if day.is_weekend() { day.plus(-2) } else { day };
    let (from, to) = if dice.chance(65) { (32, 45) } else { (52, 67) };
    Moment::of(day, 15 * dice.between(from, to))
}

fn allergy(person: &Person, record: &Record, number: u32, dice: &mut Dice) -> Value {
    let (code, display, text, category) = dice.pick(&ALLERGENS);
    let (sign, sign_display, sign_text) = dice.pick(&REACTIONS);
    let is_certain = dice.chance(85);
    json!({
        "resourceType": "AllergyIntolerance",
        "id": format!("{}-a{number}", person.id),
        "clinicalStatus": hl7("allergyintolerance-clinical", "active"),
        "verificationStatus": hl7(
            "allergyintolerance-verification",
            if is_certain { "confirmed" } else { "unconfirmed" },
        ),
        "type": "allergy",
        "category": [category],
        "criticality": dice.pick(&["low", "high", "unable-to-assess"]),
        "code": concept(SNOMED, code, display, text),
        "patient": record.subject(),
        "recordedDate": some_day(person, dice).to_string(),
        "reaction": [{
            "manifestation": [concept(SNOMED, sign, sign_display, sign_text)],
            "severity": dice.pick(&["mild", "moderate", "severe"]),
        }],
    })
}

fn immunization(person: &Person, record: &Record, number: u32, dice: &mut Dice) -> Option<Value> {
    let day = some_day(person, dice);
    let age = person.age(day);
    let (code, display, text, (from, to)) = dice.pick(&VACCINES);
    if !(from..=to).contains(&age) {
        return None;
    }
    let hospital = record.hospital;
    let doctor = hospital.practitioner(hospital.department("general"), dice);
    let mut immunization = json!({
        "resourceType": "Immunization",
        "id": format!("{}-v{number}", person.id),
        "status": "completed",
        "vaccineCode": concept("http://hl7.org/fhir/sid/cvx", code, display, text),
        "patient": record.subject(),
        "occurrenceDateTime": in_working_hours(day, dice).to_string(),
        "primarySource": true,
        "location": { "reference": format!("Location/{}", hospital.id) },
        "performer": [{ "actor": { "reference": format!("Practitioner/{doctor}") } }],
    });
    if dice.chance(4) {
        immunization["status"] = json!("not-done");
        immunization["statusReason"] = hl7("v3-ActReason", "PATOBJ");
    } else {
        immunization["lotNumber"] = json!(format!("{}{:05}", day.civil().0, dice.roll(100_000)));
        immunization["site"] = hl7("v3-ActSite", "LA");
        immunization["protocolApplied"] = json!([{ "doseNumberPositiveInt": 1 + dice.roll(3) }]);
    }
    Some(immunization)
}

fn consent(person: &Person, record: &Record, number: u32, dice: &mut Dice) -> Value {
    let day = some_day(person, dice);
    let is_permitted = dice.chance(88);
    let (mut status, kind) = match (dice.chance(93), is_permitted) {
        (false, _) => ("inactive", "permit"),
        (true, true) => ("active", "permit"),
        (true, false) => ("active", "deny"),
    };
    // A child's waits for those who decide for it; some of the records make it a year or two older than it is.
    if person.age(TODAY) < 16 {
        status = "proposed";
    }
    let rule = if kind == "permit" { "OPTIN" } else { "OPTOUT" };
    json!({
        "resourceType": "Consent",
        "id": format!("{}-k{number}", person.id),
        "status": status,
        "scope": hl7("consentscope", "patient-privacy"),
        "category": [concept(crate::term::LOINC, "59284-0", "Consent Document", "患者知情同意书")],
        "patient": record.subject(),
        "dateTime": in_working_hours(day, dice).to_string(),
        "performer": [record.subject()],
        "organization": [{ "reference": format!("Organization/{}", record.hospital.id) }],
        "policyRule": hl7("v3-ActCode", rule),
        "provision": {
            "type": kind,
            "period": { "start": day.to_string(), "end": day.plus(3_650).to_string() },
        },
    })
}

/// An appointment of the past or of the coming weeks; those to come keep a slot busy.
fn appointment(person: &Person, record: &Record, number: u32, dice: &mut Dice) -> Vec<Value> {
    let hospital = record.hospital;
    let patients: Vec<_> =
        hospital.departments.iter().copied().filter(|it| it.sees_patients()).collect();
    let department = dice.pick(&patients);
    let place = hospital.of_department(department);
    let doctor = hospital.practitioner(department, dice);
    let id = format!("{}-s{number}", person.id);
    let is_to_come = person.death.is_none() && dice.chance(70);
    let day = if is_to_come { TODAY.plus(dice.between(3, 60)) } else { some_day(person, dice) };
    let start = in_working_hours(day, dice);
    let status = match is_to_come {
        true => dice.weigh(&[("booked", 85), ("pending", 8), ("cancelled", 7)], |it| it.1).0,
        false => dice.weigh(&[("fulfilled", 82), ("noshow", 10), ("cancelled", 8)], |it| it.1).0,
    };
    let accepted = if status == "pending" { "needs-action" } else { "accepted" };
    let mut actor = record.subject();
    actor["display"] = json!(person.name.text(Writing::Simplified));
    let mut appointment = json!({
        "resourceType": "Appointment",
        "id": id,
        "status": status,
        "serviceType": [{ "text": format!("{}门诊", department.name) }],
        "appointmentType": hl7("v2-0276", if dice.chance(60) { "FOLLOWUP" } else { "ROUTINE" }),
        "description": format!("{}就诊", department.name),
        "start": start.to_string(),
        "end": start.plus(15).to_string(),
        "minutesDuration": 15,
        "created": start.plus(-1_440 * dice.between(1, 20)).to_string(),
        "participant": [
            { "actor": actor, "required": "required", "status": accepted },
            { "actor": { "reference": format!("Practitioner/{doctor}") }, "required": "required", "status": "accepted" },
            { "actor": { "reference": format!("Location/{place}") }, "required": "required", "status": "accepted" },
        ],
    });
    if status == "cancelled" {
        appointment["cancelationReason"] = hl7("appointment-cancellation-reason", "pat");
    }
    if !is_to_come || status == "cancelled" {
        return vec![appointment];
    }
    let slot = json!({
        "resourceType": "Slot",
        "id": id,
        "schedule": { "reference": format!("Schedule/{doctor}") },
        "status": if status == "booked" { "busy" } else { "busy-tentative" },
        "start": start.to_string(),
        "end": start.plus(15).to_string(),
    });
    appointment["slot"] = json!([{ "reference": format!("Slot/{id}") }]);
    vec![slot, appointment]
}
