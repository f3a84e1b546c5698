//! A person, and the Patient resources by which hospitals know them.

use crate::City;
use crate::calendar::{Day, FIRST, Moment, TODAY};
use crate::dice::Dice;
use crate::hospital::Hospital;
use crate::name::{Name, Writing};
use crate::place::Home;
use crate::resident;
use crate::term::hl7;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
}

impl Sex {
    pub(crate) fn roll(dice: &mut Dice) -> Sex {
        if dice.chance(54) { Sex::Female } else { Sex::Male }
    }

    pub(crate) fn letter(self) -> char {
        match self {
            Sex::Female => 'f',
            Sex::Male => 'm',
        }
    }

    pub(crate) fn code(self) -> &'static str {
        match self {
            Sex::Female => "female",
            Sex::Male => "male",
        }
    }
}

pub(crate) struct Person<'a> {
    /// The id of the first of their Patient resources, and how the ids of all that is theirs begin.
    pub(crate) id: String,
    pub(crate) sex: Sex,
    pub(crate) name: Name,
    pub(crate) birth: Day,
    pub(crate) death: Option<Moment>,
    resident_id: String,
    home: Home,
    phone: String,
    /// The hospitals that know them; the first knows them best.
    pub(crate) records: Vec<Record<'a>>,
}

/// A person as one hospital knows them.
pub(crate) struct Record<'a> {
    pub(crate) patient: String,
    pub(crate) hospital: &'a Hospital,
}

impl Record<'_> {
    pub(crate) fn subject(&self) -> Value {
        json!({ "reference": format!("Patient/{}", self.patient) })
    }
}

impl<'a> Person<'a> {
    pub(crate) fn roll(city: &'a City, number: u32, dice: &mut Dice) -> Person<'a> {
        let sex = Sex::roll(dice);
        let (birth, resident_id) = resident::resident(city.seed, u64::from(number), sex);
        let name = Name::roll(dice, sex);
        let home = Home::roll(dice);
        let id = format!("p{number:07}");
        let mut records: Vec<Record> = Vec::new();
        let known_to = dice.weigh(&[(1, 62), (2, 24), (3, 10), (4, 4)], |choice| choice.1).0;
        for _ in 0..known_to {
            let Some(hospital) = choose(city, dice, &home, birth, sex) else { continue };
            if records.iter().any(|record| record.hospital.number == hospital.number) {
                continue;
            }
            let patient =
                if records.is_empty() { id.clone() } else { format!("{id}-{}", hospital.id) };
            records.push(Record { patient, hospital });
        }
        let death = death(dice, birth);
        Person { id, sex, name, birth, death, resident_id, home, phone: phone(dice), records }
    }

    pub(crate) fn age(&self, day: Day) -> i64 {
        self.birth.years_to(day)
    }

    /// The days on which something can have happened to them.
    pub(crate) fn days(&self) -> (Day, Day) {
        let last = self.death.map_or(TODAY, |death| death.day).min(TODAY).plus(-1);
        (FIRST.max(self.birth.plus(1)), last)
    }

    /// Their Patient resources: one complete, the others each a little different.
    pub(crate) fn patients(&self, dice: &mut Dice) -> Vec<Value> {
        let mut records = self.records.iter();
        let mut patients: Vec<Value> =
            records.next().map(|record| self.complete(record, dice)).into_iter().collect();
        patients.extend(records.map(|record| self.different(record, dice)));
        patients
    }

    fn complete(&self, record: &Record, dice: &mut Dice) -> Value {
        let mut patient =
            self.patient(record, Some(&self.resident_id), &self.home, &self.phone, dice);
        patient["name"] = self.name.both();
        patient["birthDate"] = json!(self.birth.to_string());
        patient["contact"] = json!([self.contact(dice)]);
        if self.age(TODAY) >= 20 {
            let status = dice.weigh(&[("M", 7), ("S", 2), ("D", 1)], |choice| choice.1).0;
            patient["maritalStatus"] = hl7("v3-MaritalStatus", status);
        }
        let doctor = record.hospital.department("general");
        let doctor = record.hospital.practitioner(doctor, dice);
        patient["generalPractitioner"] = json!([{ "reference": format!("Practitioner/{doctor}") }]);
        patient
    }

    /// What another front desk typed in another year.
    fn different(&self, record: &Record, dice: &mut Dice) -> Value {
        let resident_id = (!dice.chance(22)).then_some(self.resident_id.as_str());
        let home = if dice.chance(45) { self.home.mistyped(dice) } else { self.home };
        let phone = if dice.chance(40) { phone(dice) } else { self.phone.clone() };
        let mut patient = self.patient(record, resident_id, &home, &phone, dice);
        patient["name"] = match dice.roll(4) {
            0 => json!([self.name.human(Writing::Traditional)]),
            1 => json!([self.name.human(Writing::Pinyin)]),
            2 => json!([self.name.human(Writing::Simplified)]),
            _ => self.name.both(),
        };
        let (year, month, _) = self.birth.civil();
        patient["birthDate"] = match dice.roll(12) {
            0 => json!(format!("{year:04}-{month:02}")),
            1 => json!(format!("{year:04}")),
            _ => json!(self.birth.to_string()),
        };
        if let Value::Object(properties) = &mut patient
            && dice.chance(20)
        {
            properties.shift_remove("address");
        }
        patient
    }

    fn patient(
        &self,
        record: &Record,
        resident_id: Option<&str>,
        home: &Home,
        phone: &str,
        dice: &mut Dice,
    ) -> Value {
        let hospital = &record.hospital.id;
        let here = json!({ "reference": format!("Organization/{hospital}"), "display": record.hospital.name });
        let mut identifiers = Vec::new();
        if let Some(number) = resident_id {
            let kind = hl7("v2-0203", "NI");
            identifiers.push(json!({ "use": "official", "type": kind, "system": resident::SYSTEM, "value": number }));
        }
        identifiers.push(json!({
            "use": "usual",
            "type": hl7("v2-0203", "MR"),
            "system": format!("https://{hospital}.example.org/medical-record-number"),
            "value": format!("{:08}", dice.roll(100_000_000)),
            "assigner": here,
        }));
        let mut patient = json!({
            "resourceType": "Patient",
            "id": record.patient,
            "identifier": identifiers,
            "active": true,
            "name": null,
            "telecom": [{ "system": "phone", "value": phone, "use": "mobile" }],
            "gender": self.sex.code(),
            "birthDate": null,
            "address": [home.address()],
            "communication": [{ "language": { "coding": [{ "system": "urn:ietf:bcp:47", "code": "zh-CN" }] }, "preferred": true }],
            "managingOrganization": here,
        });
        if let Some(death) = self.death {
            patient["deceasedDateTime"] = json!(death.to_string());
        }
        patient
    }

    fn contact(&self, dice: &mut Dice) -> Value {
        let sex = Sex::roll(dice);
        let is_child = self.age(TODAY) < 18;
        let name = if is_child || dice.chance(50) {
            self.name.relative(dice, sex)
        } else {
            Name::roll(dice, sex)
        };
        let text = match (is_child, sex) {
            (true, Sex::Female) => "母亲",
            (true, Sex::Male) => "父亲",
            (false, _) => dice.pick(&["配偶", "子女", "兄弟姐妹", "其他亲属"]),
        };
        let mut relationship = hl7("v2-0131", "N");
        relationship["text"] = json!(text);
        json!({
            "relationship": [relationship],
            "name": name.human(Writing::Simplified),
            "telecom": [{ "system": "phone", "value": phone(dice), "use": "mobile" }],
            "gender": sex.code(),
        })
    }
}

/// A hospital that takes people of this age and sex, of the own district rather than of another.
fn choose<'a>(
    city: &'a City,
    dice: &mut Dice,
    home: &Home,
    birth: Day,
    sex: Sex,
) -> Option<&'a Hospital> {
    let is_child = birth.years_to(TODAY) < 15;
    let mut chosen = None;
    for _ in 0..12 {
        let place = usize::try_from(dice.roll(city.weight)).ok()?;
        let hospital = city.by_weight.get(place).and_then(|place| city.hospitals.get(*place))?;
        let takes = match sex {
            _ if is_child => hospital.has("paediatrics"),
            Sex::Female => !hospital.is_for_children(),
            Sex::Male => !hospital.is_for_children() && !hospital.is_for_mothers(),
        };
        if takes {
            chosen = Some(hospital);
            if hospital.district.1 == home.district_name() {
                break;
            }
        }
    }
    chosen.or(city.hospitals.first())
}

fn death(dice: &mut Dice, birth: Day) -> Option<Moment> {
    let percent = match birth.years_to(TODAY) {
        90.. => 35,
        80.. => 15,
        65.. => 5,
        30.. => 1,
        _ => 0,
    };
    let is_dead = dice.chance(percent);
    let day = FIRST.plus(dice.between(400, TODAY.0 - FIRST.0 - 1));
    let moment = Moment::of(day, dice.between(0, 1_439));
    is_dead.then_some(moment)
}

fn phone(dice: &mut Dice) -> String {
    let prefix = dice.pick(&[
        "130", "133", "135", "136", "138", "139", "150", "158", "177", "186", "189", "199",
    ]);
    format!("{prefix}{:08}", dice.roll(100_000_000))
}
