//! How sensitive a resource is: by its diagnoses, and by what its author says.

use access::Labels;
use serde_json::Value;

/// ICD-10, as it is and as countries have it.
const DIAGNOSES: [&str; 4] = [
    "http://hl7.org/fhir/sid/icd-10",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10-cn",
    "urn:oid:2.16.156.10011.2.3.3.11",
];

/// From a category of ICD-10 up to another, and what they are.
const CATEGORIES: [(&str, &str, Labels); 12] = [
    ("B20", "B24", HIV),
    ("F10", "F19", ETH),
    ("F20", "F99", PSY),
    ("N96", "N97", SEX),
    ("O03", "O08", SEX),
    ("T74.2", "T74.2", SDV),
    ("Y05", "Y05", SDV),
    ("Z21", "Z21", HIV),
    ("Z30", "Z31", SEX),
    ("Z64.0", "Z64.0", SEX),
    ("Z71.4", "Z71.5", ETH),
    ("Z72.2", "Z72.2", ETH),
];

const ETH: Labels = Labels::ADDICTION;
const PSY: Labels = Labels::PSYCHIATRY;
const HIV: Labels = Labels::HIV;
const SDV: Labels = Labels::SEXUAL_VIOLENCE;
const SEX: Labels = Labels::REPRODUCTION;

/// Those that its codes have, and those of `meta.security`.
pub(crate) fn labels(resource: &Value) -> Labels {
    let mut labels = Labels::default();
    each_coding(resource, &mut |system, code| {
        if DIAGNOSES.contains(&system) {
            labels = labels.with(of_diagnosis(code));
        }
    });
    let told = resource["meta"]["security"].as_array().into_iter().flatten();
    for coding in told {
        if let (Some(system), Some(code)) = (coding["system"].as_str(), coding["code"].as_str()) {
            labels = labels.with(Labels::parse(system, code).unwrap_or_default());
        }
    }
    labels
}

fn of_diagnosis(code: &str) -> Labels {
    let code = code.to_ascii_uppercase();
    let mut labels = Labels::default();
    for (first, last, label) in CATEGORIES {
        // As far as the category is told: `F20.1` is within `F20` and `F99`.
        let prefix = code.get(..first.len()).unwrap_or(&code);
        if (first..=last).contains(&prefix) {
            labels = labels.with(label);
        }
    }
    labels
}

fn each_coding<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a str)) {
    match value {
        Value::Object(properties) => {
            let text = |name: &str| properties.get(name).and_then(Value::as_str);
            if let (Some(system), Some(code)) = (text("system"), text("code")) {
                visit(system, code);
            }
            let nested = |value: &&Value| matches!(value, Value::Object(_) | Value::Array(_));
            properties.values().filter(nested).for_each(|value| each_coding(value, visit));
        }
        Value::Array(values) => values.iter().for_each(|value| each_coding(value, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Labels, labels};
    use serde_json::json;

    fn check(code: &str, expected: Labels) {
        let condition = json!({ "resourceType": "Condition",
            "code": { "coding": [{ "system": "http://hl7.org/fhir/sid/icd-10", "code": code }] } });
        assert_eq!(labels(&condition), expected, "{code}");
    }

    #[test]
    fn cons_07_diagnoses_say_how_sensitive_they_are() {
        check("F20.1", Labels::PSYCHIATRY);
        check("f32", Labels::PSYCHIATRY);
        check("F10.2", Labels::ADDICTION);
        check("F19", Labels::ADDICTION);
        check("F09", Labels::default());
        check("B20", Labels::HIV);
        check("B24.9", Labels::HIV);
        check("B25", Labels::default());
        check("Z21", Labels::HIV);
        check("T74.2", Labels::SEXUAL_VIOLENCE);
        check("T74.1", Labels::default());
        check("O04.9", Labels::REPRODUCTION);
        check("I10", Labels::default());
        check("", Labels::default());
    }

    #[test]
    fn what_an_author_says_counts() {
        let told = json!({ "resourceType": "Observation", "meta": { "security": [
            { "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "V" },
            { "system": "urn:other", "code": "PSY" },
        ] } });
        assert_eq!(labels(&told), Labels::VERY_RESTRICTED);
    }
}
