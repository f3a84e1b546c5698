//! Vital signs and what else is asked at the desk (observation-vitalsigns.html).

use crate::dice::Dice;
use crate::person::Sex;
use crate::term::{LOINC, SNOMED, concept, decimal, hl7, quantity};
use crate::visit::Visit;
use serde_json::{Value, json};

/// The Observations of a visit that no laboratory makes.
pub(crate) fn observations(visit: &Visit, dice: &mut Dice) -> Vec<Value> {
    let age = visit.person.age(visit.start.day);
    let mut found = Vec::new();
    if age >= 3 {
        found.push(("vital-signs", blood_pressure(visit, age, dice)));
    }
    let rate = match age {
        0..3 => 125,
        3..12 => 95,
        _ => 76,
    };
    let is_feverish = !visit.disease.is_chronic && dice.chance(35);
    let temperature = if is_feverish { 38_300 } else { 36_600 };
    for (code, display, text, unit, mean, width, places, percent) in [
        ("8867-4", "Heart rate", "心率", "/min", rate * 1_000, 18_000, 0, 100),
        ("8310-5", "Body temperature", "体温", "Cel", temperature, 500, 1, 90),
        ("9279-1", "Respiratory rate", "呼吸频率", "/min", 17_000, 4_000, 0, 60),
        (
            "59408-5",
            "Oxygen saturation in Arterial blood by Pulse oximetry",
            "血氧饱和度",
            "%",
            97_500,
            1_600,
            0,
            45,
        ),
    ] {
        if dice.chance(percent) {
            let value = quantity(decimal(dice.about(mean, width), places), unit);
            let code = concept(LOINC, code, display, text);
            found.push(("vital-signs", json!({ "code": code, "valueQuantity": value })));
        }
    }
    if dice.chance(60) {
        found.extend(body(visit, age, dice).map(|body| ("vital-signs", body)));
    }
    if age >= 18 && dice.chance(20) {
        found.push(("social-history", smoking(visit, dice)));
    }
    if dice.chance(8) {
        found.push(("laboratory", blood_group(visit)));
    }
    let numbered = found.into_iter().enumerate().map(|(place, (category, own))| {
        let mut head = visit.observation(place + 1, category, "final", visit.start.plus(5));
        if let (Value::Object(head), Value::Object(own)) = (&mut head, own) {
            head.extend(own);
        }
        head
    });
    numbered.collect()
}

fn blood_pressure(visit: &Visit, age: i64, dice: &mut Dice) -> Value {
    let is_high = visit.disease.code == "I10" && dice.chance(75);
    let systolic = match age {
        0..12 => 98,
        _ if is_high => 152,
        12..50 => 118,
        _ => 129,
    };
    let systolic = dice.about(systolic, 15);
    let diastolic = (systolic * 62 / 100 + dice.between(-6, 8)).min(systolic - 15);
    let component = |code: &str, display: &str, text: &str, value: i64| {
        json!({
            "code": concept(LOINC, code, display, text),
            "valueQuantity": quantity(decimal(value * 1_000, 0), "mm[Hg]"),
        })
    };
    let interpretation = if systolic >= 140 || diastolic >= 90 { "H" } else { "N" };
    json!({
        "code": concept(LOINC, "85354-9", "Blood pressure panel with all children optional", "血压"),
        "interpretation": [hl7("v3-ObservationInterpretation", interpretation)],
        "bodySite": concept(SNOMED, "368208006", "Left upper arm structure", "左上臂"),
        "component": [
            component("8480-6", "Systolic blood pressure", "收缩压", systolic),
            component("8462-4", "Diastolic blood pressure", "舒张压", diastolic),
        ],
    })
}

/// Height, weight and the index made of them.
fn body(visit: &Visit, age: i64, dice: &mut Dice) -> [Value; 3] {
    // A person is always as tall, whatever the scale says today.
    let mut own = Dice::new(0, 9, visit.person.birth.0.unsigned_abs());
    let adult = if visit.person.sex == Sex::Male { 1_715 } else { 1_595 };
    let tall = own.about(adult, 80);
    let millimetres = if age >= 18 { tall } else { 560 + (tall - 560) * age.max(0) / 18 };
    let index = if age >= 18 { dice.about(23_800, 3_500) } else { dice.about(16_500, 1_500) };
    let grams = millimetres * millimetres / 1_000 * index / 1_000;
    let of = |code: &str, display: &str, text: &str, value: i64, unit: &str| {
        json!({
            "code": concept(LOINC, code, display, text),
            "valueQuantity": quantity(decimal(value, 1), unit),
        })
    };
    [
        of("8302-2", "Body height", "身高", millimetres * 100, "cm"),
        of("29463-7", "Body weight", "体重", grams, "kg"),
        of("39156-5", "Body mass index (BMI) [Ratio]", "体质指数", index, "kg/m2"),
    ]
}

fn smoking(visit: &Visit, dice: &mut Dice) -> Value {
    let smokes = if visit.person.sex == Sex::Male { 40 } else { 3 };
    let (code, display, text) = match dice.roll(100) {
        roll if roll < smokes => ("77176002", "Smoker", "吸烟"),
        roll if roll < smokes + smokes / 3 => ("8517006", "Ex-smoker", "已戒烟"),
        _ => ("266919005", "Never smoked tobacco", "从不吸烟"),
    };
    json!({
        "code": concept(LOINC, "72166-2", "Tobacco smoking status", "吸烟状况"),
        "valueCodeableConcept": concept(SNOMED, code, display, text),
    })
}

fn blood_group(visit: &Visit) -> Value {
    // Always the same of one person.
    let mut own = Dice::new(1, 9, visit.person.birth.0.unsigned_abs());
    let groups = [
        (("112144000", "Blood group A", "A型"), 31),
        (("112149005", "Blood group B", "B型"), 28),
        (("58460004", "Blood group O", "O型"), 32),
        (("165743006", "Blood group AB", "AB型"), 9),
    ];
    let ((code, display, text), _) = own.weigh(&groups, |group| group.1);
    json!({
        "code": concept(LOINC, "883-9", "ABO group [Type] in Blood", "ABO血型"),
        "valueCodeableConcept": concept(SNOMED, code, display, text),
    })
}
