//! Who may consent: the patient, or for a child those who decide for it (personal information of children under 14 is their
//! guardians' to decide about).

use super::consent::{Refusal, refuse};
use crate::date;
use crate::parameter::reference::{Target, target};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Relationships that may decide for a patient (v3-RoleCode).
const DECIDING: [&str; 14] = [
    "ADOPTF", "ADOPTM", "FTH", "GUADLTM", "GUARD", "HPOWATT", "MTH", "NFTH", "NMTH", "POWATT",
    "PRN", "PRNFOST", "SGUARD", "SPOWATT",
];
const ROLES: &str = "http://terminology.hl7.org/CodeSystem/v3-RoleCode";
/// Years.
const CHILD_UNDER: i64 = 14;

/// Who said it, as ids by their places; others than patients and related persons are no concern here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Performers {
    pub patient: Option<String>,
    pub related: Vec<(usize, String)>,
}

/// Whether somebody gave it for the patient.
pub fn is_of_guardian(consent: &Value) -> bool {
    let performers = consent["performer"].as_array().into_iter().flatten();
    performers
        .filter_map(|one| one["reference"].as_str())
        .any(|text| text.split('/').any(|part| part == "RelatedPerson"))
}

pub fn performers(consent: &Value, base_url: &str) -> Performers {
    let text = |value: &'_ Value| value["reference"].as_str().unwrap_or_default().to_owned();
    let mut performers = Performers::default();
    if let Some(Target::Local { kind: "Patient", id }) =
        target(&text(&consent["patient"]), base_url)
    {
        performers.patient = Some(id.to_owned());
    }
    for (place, performer) in consent["performer"].as_array().into_iter().flatten().enumerate() {
        if let Some(Target::Local { kind: "RelatedPerson", id }) =
            target(&text(performer), base_url)
        {
            performers.related.push((place, id.to_owned()));
        }
    }
    performers
}

/// What is known of those who have a part in a consent: the patient, and related persons in the order of `Performers`.
pub struct Known<'a> {
    pub patient: Option<&'a Value>,
    pub related: Vec<Option<&'a Value>>,
}

/// Refuses one that was given by somebody who may not.
pub fn check(
    performers: &Performers,
    known: &Known<'_>,
    base_url: &str,
    zone: &TimeZone,
    now_micros: i64,
) -> Result<(), Refusal> {
    for ((place, _), person) in performers.related.iter().zip(&known.related) {
        let path = format!("Consent.performer[{place}]");
        let person = person.ok_or_else(|| {
            refuse(&path, "must be a RelatedPerson that is stored here and that you may see")
        })?;
        let of = person["patient"]["reference"].as_str().unwrap_or_default();
        let is_theirs = matches!(target(of, base_url), Some(Target::Local { kind: "Patient", id })
            if Some(id) == performers.patient.as_deref());
        if !is_theirs || person["active"] == false {
            return Err(refuse(&path, "must be an active RelatedPerson of this patient"));
        }
        if !may_decide(person) {
            let reason = format!(
                "has no relationship that decides for the patient; these do: {}",
                DECIDING.join(", ")
            );
            return Err(refuse(&path, &reason));
        }
    }
    let is_child = known.patient.is_some_and(|patient| is_child(patient, zone, now_micros));
    if is_child && performers.related.is_empty() {
        let reason =
            "must be a RelatedPerson who decides for the patient: a child under 14 does not itself";
        return Err(refuse("Consent.performer", reason));
    }
    Ok(())
}

fn may_decide(person: &Value) -> bool {
    let concepts = person["relationship"].as_array().into_iter().flatten();
    let mut codings =
        concepts.flat_map(|concept| concept["coding"].as_array().into_iter().flatten());
    codings.any(|coding| {
        coding["system"] == ROLES
            && coding["code"].as_str().is_some_and(|code| DECIDING.contains(&code))
    })
}

/// As far as the date of birth is told; of a year or a month it is the first day that counts.
fn is_child(patient: &Value, zone: &TimeZone, now_micros: i64) -> bool {
    let born = patient["birthDate"].as_str().and_then(|text| date::parse(text, zone).ok());
    let born = born.and_then(|born| jiff::Timestamp::from_microsecond(born.low).ok());
    let of_age = born.and_then(|born| {
        let birthday = born.to_zoned(zone.clone()).checked_add(CHILD_UNDER.years()).ok()?;
        Some(birthday.timestamp().as_microsecond())
    });
    of_age.is_some_and(|of_age| now_micros < of_age)
}

#[cfg(test)]
mod tests {
    use super::{Known, check, performers};
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    const BASE: &str = "https://hub.test/fhir";

    /// What is refused, if anything, on 28 November 2026.
    fn refused(born: &str, by: &Value, related: &Value) -> Option<String> {
        let consent = json!({ "patient": { "reference": "Patient/p" }, "performer": by });
        let performers = performers(&consent, BASE);
        let patient = json!({ "birthDate": born });
        let known = Known {
            patient: Some(&patient),
            related: performers
                .related
                .iter()
                .map(|_| related.is_object().then_some(related))
                .collect(),
        };
        let outcome = check(&performers, &known, BASE, &TimeZone::UTC, 1_795_824_000_000_000);
        outcome.err().map(|refusal| refusal.path)
    }

    #[test]
    fn cons_13_who_decides_for_a_child_is_known() {
        let person = |code: &str, of: &str| {
            json!({ "patient": { "reference": of },
                "relationship": [{ "coding": [{ "system": super::ROLES, "code": code }] }] })
        };
        let mother = person("MTH", "Patient/p");
        let itself = json!([{ "reference": "Patient/p" }]);
        let by = json!([{ "reference": "RelatedPerson/m" }]);
        let first = Some("Consent.performer[0]".to_owned());
        let whole = Some("Consent.performer".to_owned());
        assert_eq!(refused("2014-01-01", &by, &mother), None);
        assert_eq!(refused("2014-01-01", &by, &person("SIB", "Patient/p")), first);
        assert_eq!(refused("2014-01-01", &by, &person("MTH", "Patient/q")), first);
        assert_eq!(refused("2014-01-01", &by, &Value::Null), first);
        assert_eq!(refused("2014-01-01", &itself, &Value::Null), whole);
        assert_eq!(refused("2014-01-01", &json!([]), &Value::Null), whole);
        assert_eq!(refused("2012-11-29", &itself, &Value::Null), whole);
        assert_eq!(refused("2012-11-28", &itself, &Value::Null), None);
        assert_eq!(refused("1980", &itself, &Value::Null), None);
        assert_eq!(refused("1980", &by, &mother), None);
    }
}
