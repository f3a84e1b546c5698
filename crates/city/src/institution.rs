//! The resources of a hospital: what it is, where, who works there, and when.

use crate::calendar::{Day, Moment, TODAY};
use crate::dice::Dice;
use crate::hospital::{Department, Hospital};
use crate::name::{Name, Writing};
use crate::person::Sex;
use crate::place::of_institution;
use crate::term::{SNOMED, concept};
use serde_json::{Value, json};

const TITLES: [&str; 4] = ["主任医师", "副主任医师", "主治医师", "住院医师"];

/// Naming systems of the health administration: institutions, departments, staff.
const INSTITUTIONS: &str = "urn:oid:2.16.156.10011.1.5";
const DEPARTMENTS: &str = "urn:oid:2.16.156.10011.1.26";
const STAFF: &str = "urn:oid:2.16.156.10011.1.4";

pub(crate) fn resources(seed: u64, hospital: &Hospital) -> Vec<Value> {
    let mut dice = Dice::new(seed, 2, u64::from(hospital.number));
    let address = of_institution(&mut dice, hospital.district);
    let phone = phone(&mut dice);
    let mut resources = vec![
        organization(hospital, &address, &phone),
        json!({
            "resourceType": "Location",
            "id": hospital.id,
            "status": "active",
            "name": hospital.name,
            "mode": "instance",
            "type": [concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "HOSP", "Hospital", "医院")],
            "address": address,
            "managingOrganization": { "reference": format!("Organization/{}", hospital.id) },
        }),
        json!({
            "resourceType": "Endpoint",
            "id": format!("{}-imaging", hospital.id),
            "status": "active",
            "connectionType": {
                "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                "code": "dicom-wado-rs",
            },
            "name": format!("{}影像", hospital.name),
            "managingOrganization": { "reference": format!("Organization/{}", hospital.id) },
            "payloadType": [{ "text": "DICOM" }],
            "payloadMimeType": ["application/dicom"],
            "address": format!("https://{}.example.org/dicom-web", hospital.id),
        }),
    ];
    for department in &hospital.departments {
        resources.extend(of_department(&mut dice, hospital, *department, &phone));
        for number in 1..=department.practitioners {
            resources.extend(of_practitioner(&mut dice, hospital, *department, number));
        }
    }
    resources
}

fn phone(dice: &mut Dice) -> Value {
    let number = format!("021-{:08}", 50_000_000 + dice.roll(19_000_000));
    json!({ "system": "phone", "value": number, "use": "work" })
}

fn organization(hospital: &Hospital, address: &Value, phone: &Value) -> Value {
    json!({
        "resourceType": "Organization",
        "id": hospital.id,
        "identifier": [{
            "use": "official",
            "system": INSTITUTIONS,
            "value": format!("{}{:05}", hospital.district.0, hospital.number),
        }],
        "active": true,
        "type": [concept(
            "http://terminology.hl7.org/CodeSystem/organization-type", "prov", "Healthcare Provider", "医疗机构",
        )],
        "name": hospital.name,
        "alias": [hospital.english],
        "telecom": [phone],
        "address": [address],
        "endpoint": [{ "reference": format!("Endpoint/{}-imaging", hospital.id) }],
    })
}

fn of_department(
    dice: &mut Dice,
    hospital: &Hospital,
    department: Department,
    phone: &Value,
) -> [Value; 3] {
    let id = hospital.of_department(department);
    let here =
        json!({ "reference": format!("Organization/{}", hospital.id), "display": hospital.name });
    let specialty = concept(SNOMED, department.specialty, department.english, department.name);
    [
        json!({
            "resourceType": "Organization",
            "id": id,
            "identifier": [{ "system": DEPARTMENTS, "value": id.to_uppercase() }],
            "active": true,
            "type": [concept(
                "http://terminology.hl7.org/CodeSystem/organization-type",
                "dept",
                "Hospital Department",
                "科室",
            )],
            "name": department.name,
            "alias": [department.english],
            "partOf": here,
        }),
        json!({
            "resourceType": "Location",
            "id": id,
            "status": "active",
            "name": format!("门诊楼{}层 {}", 1 + dice.roll(9), department.name),
            "mode": "instance",
            "managingOrganization": { "reference": format!("Organization/{id}") },
            "partOf": { "reference": format!("Location/{}", hospital.id) },
        }),
        json!({
            "resourceType": "HealthcareService",
            "id": id,
            "active": true,
            "providedBy": here,
            "specialty": [specialty],
            "location": [{ "reference": format!("Location/{id}") }],
            "name": format!("{}门诊", department.name),
            "telecom": [phone],
            "availableTime": [{
                "daysOfWeek": ["mon", "tue", "wed", "thu", "fri"],
                "availableStartTime": "08:00:00",
                "availableEndTime": "17:00:00",
            }],
        }),
    ]
}

fn of_practitioner(
    dice: &mut Dice,
    hospital: &Hospital,
    department: Department,
    number: u32,
) -> Vec<Value> {
    let place = hospital.of_department(department);
    let id = format!("{place}-{number}");
    let sex = Sex::roll(dice);
    let name = Name::roll(dice, sex);
    let title = dice.pick(&TITLES);
    let birth = Day::of(1962, 1, 1).plus(dice.between(0, 33 * 365));
    let role = concept(
        "http://terminology.hl7.org/CodeSystem/practitioner-role",
        "doctor",
        "Doctor",
        title,
    );
    let specialty = concept(SNOMED, department.specialty, department.english, department.name);
    let mut resources = vec![
        json!({
            "resourceType": "Practitioner",
            "id": id,
            "identifier": [{ "system": STAFF, "value": format!("{}-{:05}", hospital.id, dice.roll(100_000)) }],
            "active": true,
            "name": name.both(),
            "gender": sex.code(),
            "birthDate": birth.to_string(),
            "qualification": [{ "code": { "text": title } }],
        }),
        json!({
            "resourceType": "PractitionerRole",
            "id": id,
            "active": true,
            "practitioner": { "reference": format!("Practitioner/{id}") },
            "organization": { "reference": format!("Organization/{place}") },
            "code": [role],
            "specialty": [specialty],
            "location": [{ "reference": format!("Location/{place}") }],
            "healthcareService": [{ "reference": format!("HealthcareService/{place}") }],
        }),
    ];
    if department.sees_patients() {
        resources.extend(hours(dice, &place, &id, &name));
    }
    resources
}

/// A schedule of the next weeks and a few of its free slots.
fn hours(dice: &mut Dice, place: &str, practitioner: &str, name: &Name) -> Vec<Value> {
    let begins = Moment::of(TODAY, 8 * 60);
    let mut resources = vec![json!({
        "resourceType": "Schedule",
        "id": practitioner,
        "active": true,
        "actor": [
            {
                "reference": format!("Practitioner/{practitioner}"),
                "display": name.text(Writing::Simplified),
            },
            { "reference": format!("Location/{place}") },
        ],
        "planningHorizon": { "start": begins.to_string(), "end": Moment::of(TODAY.plus(90), 17 * 60).to_string() },
    })];
    for number in 1..=2 + dice.roll(2) {
        let day = TODAY.plus(dice.between(1, 60));
        let day = if day.is_weekend() { day.plus(2) } else { day };
        let start = Moment::of(day, 13 * 60 + 15 * dice.between(0, 15));
        resources.push(json!({
            "resourceType": "Slot",
            "id": format!("{practitioner}-free-{number}"),
            "schedule": { "reference": format!("Schedule/{practitioner}") },
            "status": "free",
            "start": start.to_string(),
            "end": start.plus(15).to_string(),
        }));
    }
    resources
}
