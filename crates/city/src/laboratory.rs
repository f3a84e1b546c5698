//! Laboratory panels: the tests of each (LOINC, UCUM), their ranges, and results.

use crate::dice::Dice;
use crate::term::{LOINC, SNOMED, concept, decimal, hl7, quantity};
use crate::visit::Visit;
use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Panel {
    Blood,
    Liver,
    Kidney,
    Lipids,
    Glucose,
    Thyroid,
    Urine,
    Heart,
}

/// A test: LOINC code, its display, what the laboratory calls it, unit, range in thousandths, decimals.
struct Test(&'static str, &'static str, &'static str, &'static str, (i64, i64), usize);

const BLOOD: [Test; 8] = [
    Test("6690-2", "Leukocytes [#/volume] in Blood", "白细胞计数", "10*9/L", (3_500, 9_500), 1),
    Test("789-8", "Erythrocytes [#/volume] in Blood", "红细胞计数", "10*12/L", (3_800, 5_800), 2),
    Test("718-7", "Hemoglobin [Mass/volume] in Blood", "血红蛋白", "g/L", (115_000, 175_000), 0),
    Test("4544-3", "Hematocrit [Volume Fraction] of Blood", "红细胞压积", "%", (35_000, 50_000), 1),
    Test("777-3", "Platelets [#/volume] in Blood", "血小板计数", "10*9/L", (125_000, 350_000), 0),
    Test(
        "770-8",
        "Neutrophils/100 leukocytes in Blood",
        "中性粒细胞百分比",
        "%",
        (40_000, 75_000),
        1,
    ),
    Test(
        "736-9",
        "Lymphocytes/100 leukocytes in Blood",
        "淋巴细胞百分比",
        "%",
        (20_000, 50_000),
        1,
    ),
    Test(
        "1988-5",
        "C reactive protein [Mass/volume] in Serum or Plasma",
        "C反应蛋白",
        "mg/L",
        (0, 10_000),
        1,
    ),
];

const LIVER: [Test; 5] = [
    Test(
        "1742-6",
        "Alanine aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
        "丙氨酸氨基转移酶",
        "U/L",
        (9_000, 50_000),
        0,
    ),
    Test(
        "1920-8",
        "Aspartate aminotransferase [Enzymatic activity/volume] in Serum or Plasma",
        "天冬氨酸氨基转移酶",
        "U/L",
        (15_000, 40_000),
        0,
    ),
    Test(
        "14631-6",
        "Bilirubin.total [Moles/volume] in Serum or Plasma",
        "总胆红素",
        "umol/L",
        (3_400, 20_500),
        1,
    ),
    Test(
        "1751-7",
        "Albumin [Mass/volume] in Serum or Plasma",
        "白蛋白",
        "g/L",
        (40_000, 55_000),
        1,
    ),
    Test(
        "2324-2",
        "Gamma glutamyl transferase [Enzymatic activity/volume] in Serum or Plasma",
        "γ-谷氨酰转移酶",
        "U/L",
        (10_000, 60_000),
        0,
    ),
];

const KIDNEY: [Test; 5] = [
    Test(
        "14682-9",
        "Creatinine [Moles/volume] in Serum or Plasma",
        "肌酐",
        "umol/L",
        (57_000, 111_000),
        0,
    ),
    Test("22664-7", "Urea [Moles/volume] in Serum or Plasma", "尿素", "mmol/L", (3_100, 8_000), 1),
    Test(
        "14933-6",
        "Urate [Moles/volume] in Serum or Plasma",
        "尿酸",
        "umol/L",
        (155_000, 428_000),
        0,
    ),
    Test(
        "2823-3",
        "Potassium [Moles/volume] in Serum or Plasma",
        "钾",
        "mmol/L",
        (3_500, 5_300),
        2,
    ),
    Test(
        "2951-2",
        "Sodium [Moles/volume] in Serum or Plasma",
        "钠",
        "mmol/L",
        (137_000, 147_000),
        0,
    ),
];

const LIPIDS: [Test; 4] = [
    Test(
        "14647-2",
        "Cholesterol [Moles/volume] in Serum or Plasma",
        "总胆固醇",
        "mmol/L",
        (2_800, 5_200),
        2,
    ),
    Test(
        "14927-8",
        "Triglyceride [Moles/volume] in Serum or Plasma",
        "甘油三酯",
        "mmol/L",
        (400, 1_700),
        2,
    ),
    Test(
        "14646-4",
        "Cholesterol in HDL [Moles/volume] in Serum or Plasma",
        "高密度脂蛋白胆固醇",
        "mmol/L",
        (1_040, 1_550),
        2,
    ),
    Test(
        "22748-8",
        "Cholesterol in LDL [Moles/volume] in Serum or Plasma",
        "低密度脂蛋白胆固醇",
        "mmol/L",
        (1_800, 3_400),
        2,
    ),
];

/// Some hospitals measure glucose in mmol/L, some in mg/dL.
const GLUCOSE: [Test; 2] = [
    Test(
        "2345-7",
        "Glucose [Mass/volume] in Serum or Plasma",
        "葡萄糖",
        "mmol/L",
        (3_900, 6_100),
        2,
    ),
    Test(
        "4548-4",
        "Hemoglobin A1c/Hemoglobin.total in Blood",
        "糖化血红蛋白",
        "%",
        (4_000, 6_000),
        1,
    ),
];
const GLUCOSE_MASS: [Test; 2] = [
    Test(
        "2345-7",
        "Glucose [Mass/volume] in Serum or Plasma",
        "葡萄糖",
        "mg/dL",
        (70_000, 110_000),
        0,
    ),
    Test(
        "4548-4",
        "Hemoglobin A1c/Hemoglobin.total in Blood",
        "糖化血红蛋白",
        "%",
        (4_000, 6_000),
        1,
    ),
];

const THYROID: [Test; 3] = [
    Test(
        "3016-3",
        "Thyrotropin [Units/volume] in Serum or Plasma",
        "促甲状腺激素",
        "m[IU]/L",
        (270, 4_200),
        2,
    ),
    Test(
        "14920-3",
        "Thyroxine (T4) free [Moles/volume] in Serum or Plasma",
        "游离甲状腺素",
        "pmol/L",
        (12_000, 22_000),
        1,
    ),
    Test(
        "14928-6",
        "Triiodothyronine (T3) free [Moles/volume] in Serum or Plasma",
        "游离三碘甲状腺原氨酸",
        "pmol/L",
        (3_100, 6_800),
        2,
    ),
];

const URINE: [Test; 2] = [
    Test("5803-2", "pH of Urine by Test strip", "尿酸碱度", "[pH]", (5_000, 8_000), 1),
    Test("5811-5", "Specific gravity of Urine by Test strip", "尿比重", "1", (1_005, 1_030), 3),
];

const HEART: [Test; 3] = [
    Test(
        "10839-9",
        "Troponin I.cardiac [Mass/volume] in Serum or Plasma",
        "肌钙蛋白I",
        "ug/L",
        (0, 40),
        3,
    ),
    Test(
        "2157-6",
        "Creatine kinase [Enzymatic activity/volume] in Serum or Plasma",
        "肌酸激酶",
        "U/L",
        (50_000, 310_000),
        0,
    ),
    Test("5902-2", "Prothrombin time (PT)", "凝血酶原时间", "s", (11_000, 14_500), 1),
];

/// Found or not: LOINC code, its display, what the laboratory calls it.
const STRIPS: [(&str, &str, &str); 3] = [
    ("20454-5", "Protein [Presence] in Urine by Test strip", "尿蛋白"),
    ("25428-4", "Glucose [Presence] in Urine by Test strip", "尿糖"),
    ("5794-3", "Hemoglobin [Presence] in Urine by Test strip", "尿隐血"),
];

impl Panel {
    /// LOINC code, its display, what the laboratory calls it.
    pub(crate) fn code(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Panel::Blood => ("58410-2", "CBC panel - Blood by Automated count", "血常规"),
            Panel::Liver => ("24325-3", "Hepatic function 2000 panel - Serum or Plasma", "肝功能"),
            Panel::Kidney => {
                ("24362-6", "Renal function 2000 panel - Serum or Plasma", "肾功能电解质")
            }
            Panel::Lipids => ("57698-3", "Lipid panel with direct LDL - Serum or Plasma", "血脂"),
            Panel::Glucose => ("55399-0", "Diabetes tracking panel", "血糖及糖化血红蛋白"),
            Panel::Thyroid => ("24348-5", "Thyroid panel - Serum or Plasma", "甲状腺功能"),
            Panel::Urine => ("24357-6", "Urinalysis macro (dipstick) panel - Urine", "尿常规"),
            Panel::Heart => ("89577-1", "Cardiac biomarkers panel - Serum or Plasma", "心肌标志物"),
        }
    }

    fn tests(self, is_mass: bool) -> &'static [Test] {
        match self {
            Panel::Blood => &BLOOD,
            Panel::Liver => &LIVER,
            Panel::Kidney => &KIDNEY,
            Panel::Lipids => &LIPIDS,
            Panel::Glucose if is_mass => &GLUCOSE_MASS,
            Panel::Glucose => &GLUCOSE,
            Panel::Thyroid => &THYROID,
            Panel::Urine => &URINE,
            Panel::Heart => &HEART,
        }
    }
}

/// The Observations of a panel, numbered from `number` on.
pub(crate) fn observations(
    visit: &Visit,
    panel: Panel,
    number: usize,
    dice: &mut Dice,
) -> Vec<Value> {
    let is_mass = visit.record.hospital.number % 4 == 3;
    let status = dice
        .weigh(&[("final", 94), ("amended", 2), ("corrected", 2), ("preliminary", 2)], |choice| {
            choice.1
        });
    let mut results: Vec<Value> =
        panel.tests(is_mass).iter().map(|test| measured(visit, test, dice)).collect();
    if panel == Panel::Urine {
        results.extend(STRIPS.iter().map(|strip| found(strip, dice)));
    }
    for (place, result) in results.iter_mut().enumerate() {
        let head = visit.observation(number + place, "laboratory", status.0, visit.start.plus(25));
        let own = std::mem::replace(result, head);
        if let (Value::Object(result), Value::Object(own)) = (result, own) {
            result.extend(own);
        }
    }
    results
}

fn measured(visit: &Visit, test: &Test, dice: &mut Dice) -> Value {
    let Test(code, display, text, unit, (low, high), places) = *test;
    let width = high - low;
    let is_raised = visit.disease.raised.contains(&code) && dice.chance(70);
    let middle = if is_raised { high + width / 3 } else { low + width / 2 };
    let value = dice.about(middle, width * 11 / 20).max(low / 3);
    let (interpretation, meaning) = match value {
        value if value > high + width => ("HH", "显著偏高"),
        value if value > high => ("H", "偏高"),
        value if value < low => ("L", "偏低"),
        _ => ("N", "正常"),
    };
    let mut interpretation = hl7("v3-ObservationInterpretation", interpretation);
    interpretation["text"] = json!(meaning);
    let mut range = json!({});
    if low > 0 {
        range["low"] = quantity(decimal(low, places), unit);
    }
    range["high"] = quantity(decimal(high, places), unit);
    json!({
        "code": concept(LOINC, code, display, text),
        "valueQuantity": quantity(decimal(value, places), unit),
        "interpretation": [interpretation],
        "referenceRange": [range],
    })
}

fn found(strip: &(&str, &str, &str), dice: &mut Dice) -> Value {
    let (code, display, text) = *strip;
    let value = if dice.chance(85) {
        concept(SNOMED, "260385009", "Negative", "阴性")
    } else {
        concept(SNOMED, "10828004", "Positive", "阳性")
    };
    json!({ "code": concept(LOINC, code, display, text), "valueCodeableConcept": value })
}
