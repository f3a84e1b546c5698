//! What a resource says about sharing: whose record it belongs to, how sensitive it is, who is treating whom, what a patient
//! consents to.

pub mod consent;
pub mod guardian;
mod label;

pub(crate) use label::labels;

use crate::date;
use crate::extract::RangeEntry;
use crate::key::{resource_key, salt};
use crate::parameter::reference::{Target, target};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::collections::BTreeSet;

const DAY: i64 = 86_400_000_000;
/// How long care goes on giving access after it ended, or after it was last heard of.
const CARE: i64 = 90 * DAY;
const BEFORE_APPOINTMENT: i64 = 30 * DAY;
const AFTER_APPOINTMENT: i64 = 7 * DAY;

/// The key under which a hospital's relations of care are kept: of a patient, set apart from the patient's own.
pub(crate) fn relation_salt(hospital: i32) -> i64 {
    salt("relation", &hospital.to_string())
}

/// Sets the keys apart by which resources are found that refer to another, whatever element does.
pub fn link_salt() -> i64 {
    salt("*", "_link")
}

/// The key of the lock under which labels reach the record of a patient.
pub fn label_lock(patient: i64) -> i64 {
    patient ^ label_lock_salt()
}

pub fn label_lock_salt() -> i64 {
    salt("*", "_labels")
}

/// The keys of what a resource refers to, wherever it does, as far as it may have labels: the patient has none that reach others,
/// and what is public has none at all.
pub(crate) fn links(resource: &Value, base_url: &str) -> Vec<i64> {
    let mut found = BTreeSet::new();
    each_reference(resource, &mut |text| {
        if let Some(Target::Local { kind, id }) = target(text, base_url)
            && kind != "Patient"
            && !access::is_public(kind)
        {
            found.insert(resource_key(kind, id));
        }
    });
    found.into_iter().collect()
}

/// The ids of the patients that a resource refers to, wherever it does.
pub(crate) fn patients<'a>(resource: &'a Value, base_url: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    each_reference(resource, &mut |text| {
        if let Some(Target::Local { kind: "Patient", id }) = target(text, base_url) {
            found.insert(id);
        }
    });
    found
}

fn each_reference<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str)) {
    match value {
        Value::Object(properties) => {
            for (name, value) in properties {
                match value {
                    Value::String(text) if name == "reference" => visit(text),
                    Value::Object(_) | Value::Array(_) => each_reference(value, visit),
                    _ => {}
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| each_reference(value, visit)),
        _ => {}
    }
}

/// Who treats whom, and from when to when that lets a hospital see what others wrote.
pub(crate) struct Relations<'a> {
    pub(crate) resource: &'a Value,
    /// The custodian.
    pub(crate) hospital: i32,
    pub(crate) base_url: &'a str,
    pub(crate) zone: &'a TimeZone,
    pub(crate) find: &'a dyn Fn(&str) -> Option<i32>,
}

impl Relations<'_> {
    pub(crate) fn entries(&self) -> Vec<RangeEntry> {
        let told = match self.resource["resourceType"].as_str() {
            Some("Encounter") => self.encounter(),
            Some("Appointment") => self.appointment(),
            Some("ServiceRequest") => self.referral(),
            _ => None,
        };
        let Some((hospital, low, high)) = told else { return Vec::new() };
        let patients = patients(self.resource, self.base_url);
        let entry = |id: &str| RangeEntry {
            parameter_key: resource_key("Patient", id) ^ relation_salt(hospital),
            low,
            high,
        };
        patients.into_iter().map(entry).collect()
    }

    fn status(&self) -> &str {
        self.resource["status"].as_str().unwrap_or_default()
    }

    fn range(&self, text: &Value) -> Option<date::Range> {
        date::parse(text.as_str()?, self.zone).ok()
    }

    /// When it was heard of.
    fn recorded(&self) -> Option<i64> {
        self.range(&self.resource["meta"]["lastUpdated"]).map(|range| range.low)
    }

    fn encounter(&self) -> Option<(i32, i64, i64)> {
        let period = &self.resource["period"];
        let (start, end) = (self.range(&period["start"]), self.range(&period["end"]));
        let is_open = matches!(self.status(), "arrived" | "triaged" | "in-progress" | "onleave");
        if !is_open && self.status() != "finished" {
            return None;
        }
        let recorded = self.recorded();
        let from = start.map(|start| start.low).or(recorded)?;
        let last = match (end, is_open) {
            (Some(end), _) => end.high,
            (None, true) => recorded.unwrap_or(from).max(from),
            (None, false) => start.map_or(from, |start| start.high),
        };
        Some((self.hospital, from, last.saturating_add(CARE)))
    }

    fn appointment(&self) -> Option<(i32, i64, i64)> {
        if !matches!(self.status(), "booked" | "arrived" | "checked-in" | "fulfilled") {
            return None;
        }
        let start = self.range(&self.resource["start"])?;
        let (from, until) = (start.low - BEFORE_APPOINTMENT, start.low + AFTER_APPOINTMENT);
        Some((self.hospital, from, until))
    }

    /// To the hospital that is asked to do something, not from the one that asks.
    fn referral(&self) -> Option<(i32, i64, i64)> {
        if self.status() != "active" {
            return None;
        }
        let performers = self.resource["performer"].as_array()?.iter();
        let codes = performers
            .filter_map(|performer| organization(performer["reference"].as_str()?, self.base_url));
        let hospital = codes.filter_map(self.find).next()?;
        let from = self.range(&self.resource["authoredOn"]).map(|range| range.low);
        let from = from.or(self.recorded())?;
        Some((hospital, from, from.saturating_add(CARE)))
    }
}

/// The id in a reference to an organisation of this server: a hospital's is its code.
fn organization<'a>(text: &'a str, base_url: &str) -> Option<&'a str> {
    match target(text, base_url) {
        Some(Target::Local { kind: "Organization", id }) => Some(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{CARE, DAY, Relations, patients};
    use crate::date;
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    fn check(resource: &Value, expected: Option<(&str, i64, i64)>) {
        let find = |code: &str| (code == "other").then_some(2);
        let zone = TimeZone::UTC;
        let relations = Relations {
            resource,
            hospital: 1,
            base_url: "https://hub.test/fhir",
            zone: &zone,
            find: &find,
        };
        let at = |text: &str| date::parse(text, &zone).unwrap().low;
        let entries = relations.entries();
        let found = entries.first().map(|entry| (entry.low, entry.high));
        let expected =
            expected.map(|(from, shift, length)| (at(from) + shift, at(from) + shift + length));
        assert_eq!(found, expected, "{resource}");
    }

    #[test]
    fn own_04_care_opens_the_record_for_a_while() {
        let subject = json!({ "reference": "Patient/p" });
        let encounter = |status: &str, period: Value| {
            json!({ "resourceType": "Encounter", "status": status, "subject": subject, "period": period,
                "meta": { "lastUpdated": "2026-11-20T00:00:00Z" } })
        };
        check(
            &encounter(
                "finished",
                json!({ "start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z" }),
            ),
            Some(("2026-01-01T00:00:00Z", 0, CARE + 1_000_000)),
        );
        check(&encounter("cancelled", json!({ "start": "2026-01-01" })), None);
        check(&encounter("planned", json!({ "start": "2026-01-01" })), None);
        check(&encounter("in-progress", Value::Null), Some(("2026-11-20T00:00:00Z", 0, CARE)));
        let appointment = json!({ "resourceType": "Appointment", "status": "booked", "start": "2026-01-31T00:00:00Z",
            "participant": [{ "actor": subject }] });
        check(&appointment, Some(("2026-01-31T00:00:00Z", -30 * DAY, 37 * DAY)));
        let referral = json!({ "resourceType": "ServiceRequest", "status": "active", "subject": subject,
            "authoredOn": "2026-01-01T00:00:00Z", "performer": [{ "reference": "Organization/other" }] });
        check(&referral, Some(("2026-01-01T00:00:00Z", 0, CARE)));
        check(&json!({ "resourceType": "Observation", "subject": subject }), None);
    }

    #[test]
    fn obj_09_patients_are_found_wherever_they_are() {
        let resource = json!({
            "resourceType": "Task",
            "for": { "reference": "Patient/a" },
            "input": [{ "valueReference": { "reference": "https://hub.test/fhir/Patient/b/_history/2" } }],
            "extension": [{ "valueReference": { "reference": "Patient/c" } }],
            "contained": [{ "resourceType": "Observation", "subject": { "reference": "Patient/d" } }],
            "owner": { "reference": "Practitioner/e" },
        });
        let found: Vec<&str> = patients(&resource, "https://hub.test/fhir").into_iter().collect();
        assert_eq!(found, ["a", "b", "c", "d"]);
    }
}
