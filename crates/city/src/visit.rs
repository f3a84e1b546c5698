//! Visits: the encounter, what it was for, what was measured, ordered, found and prescribed.

use crate::calendar::{Day, Moment};
use crate::dice::Dice;
use crate::disease::{COLD, DISEASES, Disease, Medicine};
use crate::hospital::Department;
use crate::imaging;
use crate::laboratory;
use crate::person::{Person, Record};
use crate::term::{LOINC, concept, decimal, hl7, quantity};
use crate::vital;
use serde_json::{Value, json};

pub(crate) struct Visit<'a> {
    pub(crate) person: &'a Person<'a>,
    pub(crate) record: &'a Record<'a>,
    pub(crate) start: Moment,
    pub(crate) disease: &'static Disease,
    /// `p0000001-e1`: how the ids of all that belongs to it begin.
    id: String,
    class: Class,
    department: Department,
    practitioner: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Class {
    #[default]
    Ambulatory,
    Emergency,
    Inpatient,
}

/// What happened at each visit, in time.
pub(crate) fn groups(person: &Person, dice: &mut Dice) -> Vec<Vec<Value>> {
    let visits = dice.weigh(&[(1, 40), (2, 30), (3, 18), (4, 8), (6, 4)], |choice| choice.1).0;
    let (first, last) = person.days();
    let mut days: Vec<Day> =
        (0..visits).map(|_| Day(dice.between(first.0, last.0.max(first.0)))).collect();
    days.sort_unstable();
    let mut last: Option<&'static Disease> = None;
    let mut groups = Vec::with_capacity(days.len());
    for (place, day) in days.into_iter().enumerate() {
        // Most go where they went before.
        let record = match dice.roll(3) {
            0 => person.records.get(place % person.records.len().max(1)),
            _ => person.records.first(),
        };
        let Some(record) = record else { continue };
        let again = last.filter(|disease| disease.is_chronic && dice.chance(60));
        let disease = again.unwrap_or_else(|| choose(person, record, day, dice));
        last = Some(disease);
        let number = place + 1;
        groups.push(Visit::roll(person, record, number, day, disease, dice).resources(dice));
    }
    groups
}

/// Something of this age and sex, if need be of what the hospital has a department for.
fn choose(person: &Person, record: &Record, day: Day, dice: &mut Dice) -> &'static Disease {
    let (age, letter) = (person.age(day), person.sex.letter());
    let is_any = record.hospital.has("general") || record.hospital.has("internal");
    let possible: Vec<Option<&'static Disease>> = DISEASES
        .iter()
        .filter(|disease| disease.is_of(age, letter))
        .filter(|disease| is_any || age < 15 || record.hospital.has(disease.department))
        .map(Some)
        .collect();
    dice.weigh(&possible, |disease| disease.map_or(0, |disease| disease.weight)).unwrap_or(&COLD)
}

impl<'a> Visit<'a> {
    fn roll(
        person: &'a Person,
        record: &'a Record,
        number: usize,
        day: Day,
        disease: &'static Disease,
        dice: &mut Dice,
    ) -> Visit<'a> {
        let key = if person.age(day) < 15 { "paediatrics" } else { disease.department };
        let mut class = Class::Ambulatory;
        if record.hospital.has("emergency") {
            let is_acute = !disease.is_chronic;
            let emergency = if is_acute { 25 } else { 4 };
            let choices = [
                (Class::Emergency, emergency),
                (Class::Inpatient, 9),
                (Class::Ambulatory, 91 - emergency),
            ];
            class = dice.weigh(&choices, |choice| choice.1).0;
        }
        let key = if class == Class::Emergency { "emergency" } else { key };
        let department = record.hospital.department(key);
        Visit {
            person,
            record,
            start: start(day, class, dice),
            disease,
            id: format!("{}-e{number}", person.id),
            class,
            department,
            practitioner: record.hospital.practitioner(department, dice),
        }
    }

    fn resources(&self, dice: &mut Dice) -> Vec<Value> {
        if dice.chance(3) {
            return vec![self.cancelled()];
        }
        let mut resources = vec![self.encounter_resource(dice), self.condition(dice)];
        resources.extend(vital::observations(self, dice));
        let mut number = 11;
        for (place, panel) in self.disease.panels.iter().enumerate() {
            if !dice.chance(if self.class == Class::Ambulatory { 62 } else { 95 }) {
                continue;
            }
            let (code, display, text) = panel.code();
            let code = concept(LOINC, code, display, text);
            let results = laboratory::observations(self, *panel, number, dice);
            number += 10;
            let references: Vec<Value> = results
                .iter()
                .filter_map(|result| result["id"].as_str())
                .map(|id| json!({ "reference": format!("Observation/{id}") }))
                .collect();
            resources.push(self.order("l", place + 1, "laboratory", &code));
            resources.extend(results);
            let mut report = self.report("l", place + 1, "LAB", &code);
            report["result"] = json!(references);
            resources.push(report);
        }
        if let Some(study) = self.disease.study
            && dice.chance(45)
        {
            resources.extend(imaging::resources(self, study, dice));
        }
        for (place, medicine) in self.disease.medicines.iter().enumerate() {
            if dice.chance(65) {
                resources.push(self.medication(place + 1, medicine, dice));
            }
        }
        resources
    }

    pub(crate) fn id(&self, letter: &str, number: usize) -> String {
        format!("{}-{letter}{number}", self.id)
    }

    pub(crate) fn encounter(&self) -> Value {
        json!({ "reference": format!("Encounter/{}", self.id) })
    }

    pub(crate) fn doctor(&self) -> Value {
        json!({ "reference": format!("Practitioner/{}", self.practitioner) })
    }

    pub(crate) fn location(&self) -> Value {
        let place = self.record.hospital.of_department(self.department);
        json!({ "reference": format!("Location/{place}") })
    }

    fn hospital(&self) -> Value {
        let hospital = self.record.hospital;
        json!({ "reference": format!("Organization/{}", hospital.id), "display": hospital.name })
    }

    /// What all Observations of a visit have; what was observed is added.
    pub(crate) fn observation(
        &self,
        number: usize,
        category: &str,
        status: &str,
        at: Moment,
    ) -> Value {
        let performer = if category == "laboratory" { self.hospital() } else { self.doctor() };
        json!({
            "resourceType": "Observation",
            "id": format!("{}-o{number:02}", self.id),
            "status": status,
            "category": [hl7("observation-category", category)],
            "subject": self.record.subject(),
            "encounter": self.encounter(),
            "effectiveDateTime": at.to_string(),
            "issued": at.plus(30).to_string(),
            "performer": [performer],
        })
    }

    /// A ServiceRequest that has been done.
    pub(crate) fn order(&self, letter: &str, number: usize, category: &str, code: &Value) -> Value {
        let (category, text) = match category {
            "imaging" => ("363679005", "影像检查"),
            _ => ("108252007", "检验"),
        };
        let priority = if self.class == Class::Emergency { "stat" } else { "routine" };
        json!({
            "resourceType": "ServiceRequest",
            "id": self.id(letter, number),
            "status": "completed",
            "intent": "order",
            "category": [{ "coding": [{ "system": crate::term::SNOMED, "code": category }], "text": text }],
            "priority": priority,
            "code": code,
            "subject": self.record.subject(),
            "encounter": self.encounter(),
            "authoredOn": self.start.plus(10).to_string(),
            "requester": self.doctor(),
            "performer": [self.hospital()],
            "reasonReference": [{ "reference": format!("Condition/{}", self.id("c", 1)) }],
        })
    }

    /// A DiagnosticReport on the order of the same number.
    pub(crate) fn report(&self, letter: &str, number: usize, section: &str, code: &Value) -> Value {
        let id = self.id(letter, number);
        json!({
            "resourceType": "DiagnosticReport",
            "id": id,
            "basedOn": [{ "reference": format!("ServiceRequest/{id}") }],
            "status": "final",
            "category": [hl7("v2-0074", section)],
            "code": code,
            "subject": self.record.subject(),
            "encounter": self.encounter(),
            "effectiveDateTime": self.start.plus(25).to_string(),
            "issued": self.start.plus(90).to_string(),
            "performer": [self.hospital()],
        })
    }

    fn class(&self) -> Value {
        let (code, display) = match self.class {
            Class::Ambulatory => ("AMB", "ambulatory"),
            Class::Emergency => ("EMER", "emergency"),
            Class::Inpatient => ("IMP", "inpatient encounter"),
        };
        json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code, "display": display })
    }

    fn cancelled(&self) -> Value {
        json!({
            "resourceType": "Encounter",
            "id": self.id,
            "status": "cancelled",
            "class": self.class(),
            "subject": self.record.subject(),
            "period": { "start": self.start.to_string() },
            "serviceProvider": self.hospital(),
        })
    }

    fn encounter_resource(&self, dice: &mut Dice) -> Value {
        let minutes = match self.class {
            Class::Ambulatory => dice.between(10, 40),
            Class::Emergency => dice.between(60, 600),
            Class::Inpatient => dice.between(2, 14) * 1_440 + dice.between(-120, 300),
        };
        let mut encounter = json!({
            "resourceType": "Encounter",
            "id": self.id,
            "identifier": [{
                "system": format!("https://{}.example.org/visit-number", self.record.hospital.id),
                "value": format!("{}{:06}", self.start.day.civil().0, dice.roll(1_000_000)),
            }],
            "status": "finished",
            "class": self.class(),
            "serviceType": { "text": self.department.name },
            "subject": self.record.subject(),
            "participant": [{
                "type": [hl7("v3-ParticipationType", "ATND")],
                "individual": self.doctor(),
            }],
            "period": { "start": self.start.to_string(), "end": self.start.plus(minutes).to_string() },
            "reasonCode": [{ "text": self.disease.display }],
            "diagnosis": [{
                "condition": { "reference": format!("Condition/{}", self.id("c", 1)) },
                "use": hl7("diagnosis-role", "DD"),
                "rank": 1,
            }],
            "location": [{ "location": self.location() }],
            "serviceProvider": self.hospital(),
        });
        if self.class == Class::Inpatient {
            encounter["hospitalization"] = json!({
                "admitSource": hl7("admit-source", "outp"),
                "dischargeDisposition": hl7("discharge-disposition", "home"),
            });
        }
        encounter
    }

    fn condition(&self, dice: &mut Dice) -> Value {
        let is_over = !self.disease.is_chronic;
        let clinical = if is_over { "resolved" } else { "active" };
        let certainty = if dice.chance(90) { "confirmed" } else { "provisional" };
        let before = if is_over { dice.between(0, 6) } else { dice.between(0, 2_000) };
        let onset = self.start.day.plus(-before).max(self.person.birth);
        let mut condition = json!({
            "resourceType": "Condition",
            "id": self.id("c", 1),
            "clinicalStatus": hl7("condition-clinical", clinical),
            "verificationStatus": hl7("condition-ver-status", certainty),
            "category": [hl7("condition-category", "encounter-diagnosis")],
            "code": concept("http://hl7.org/fhir/sid/icd-10", self.disease.code, self.disease.display, self.disease.display),
            "subject": self.record.subject(),
            "encounter": self.encounter(),
            "onsetDateTime": onset.to_string(),
        });
        if is_over {
            let days = dice.between(3, 15);
            condition["abatementDateTime"] = json!(self.start.day.plus(days).to_string());
        }
        condition["recordedDate"] = json!(self.start.plus(15).to_string());
        condition["recorder"] = self.doctor();
        condition
    }

    fn medication(&self, number: usize, medicine: &Medicine, dice: &mut Dice) -> Value {
        let (code, name, dose, unit, times) = *medicine;
        let status = match self.disease.is_chronic {
            true => dice.weigh(&[("active", 70), ("stopped", 10), ("completed", 20)], |it| it.1).0,
            false => "completed",
        };
        let days = if self.disease.is_chronic { 28 } else { 7 };
        json!({
            "resourceType": "MedicationRequest",
            "id": self.id("m", number),
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": concept("http://www.whocc.no/atc", code, name, name),
            "subject": self.record.subject(),
            "encounter": self.encounter(),
            "authoredOn": self.start.plus(20).to_string(),
            "requester": self.doctor(),
            "reasonReference": [{ "reference": format!("Condition/{}", self.id("c", 1)) }],
            "dosageInstruction": [{
                "text": format!("口服，每次{dose}{unit}，每日{times}次"),
                "timing": { "repeat": { "frequency": times, "period": 1, "periodUnit": "d" } },
                "route": concept(crate::term::SNOMED, "26643006", "Oral route", "口服"),
                "doseAndRate": [{ "doseQuantity": quantity(decimal(dose * 1_000, 0), unit) }],
            }],
            "dispenseRequest": { "expectedSupplyDuration": quantity(decimal(days * 1_000, 0), "d") },
        })
    }
}

/// The clinics are full in the morning; emergencies come at any hour.
fn start(day: Day, class: Class, dice: &mut Dice) -> Moment {
    if class == Class::Emergency {
        return Moment::of(day, dice.between(0, 1_439));
    }
    let day = if day.is_weekend() && dice.chance(75) { day.plus(-2) } else { day };
    let (from, to) = dice
        .weigh(
            &[((8 * 60, 11 * 60 + 30), 62), ((13 * 60, 16 * 60 + 30), 33), ((17 * 60, 20 * 60), 5)],
            |choice| choice.1,
        )
        .0;
    Moment::of(day, dice.between(from, to))
}
