//! Coded values as they are written.

use serde_json::{Value, json};

pub(crate) const SNOMED: &str = "http://snomed.info/sct";
pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

/// A CodeableConcept: the display of the code system, the text of the hospital.
pub(crate) fn concept(system: &str, code: &str, display: &str, text: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }], "text": text })
}

/// A CodeableConcept of a code system of HL7's terminology.
pub(crate) fn hl7(system: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// A number of so many thousandths, written with so many decimals.
pub(crate) fn decimal(thousandths: i64, places: usize) -> Value {
    let sign = if thousandths < 0 { "-" } else { "" };
    let thousandths = thousandths.unsigned_abs();
    let fraction = format!("{:03}", thousandths % 1_000);
    let text = match fraction.get(..places).unwrap_or_default() {
        "" => format!("{sign}{}", thousandths / 1_000),
        fraction => format!("{sign}{}.{fraction}", thousandths / 1_000),
    };
    serde_json::from_str(&text).unwrap_or_default()
}

pub(crate) fn quantity(value: Value, unit: &str) -> Value {
    // What UCUM writes in brackets people write without.
    let plain = match unit {
        "mm[Hg]" => "mmHg",
        "Cel" => "℃",
        "10*9/L" => "10^9/L",
        "10*12/L" => "10^12/L",
        "umol/L" => "μmol/L",
        unit => unit,
    };
    json!({ "value": value, "unit": plain, "system": UCUM, "code": unit })
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimals_keep_their_places() {
        for (thousandths, places, text) in
            [(36_500, 1, "36.5"), (120_000, 0, "120"), (5_600, 2, "5.60"), (40, 3, "0.040")]
        {
            assert_eq!(decimal(thousandths, places).to_string(), text);
        }
    }
}
