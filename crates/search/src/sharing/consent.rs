//! Consents as rules (IHE Privacy Consent on FHIR): what can be enforced of a Consent, and why the rest cannot.

use super::organization;
use crate::date;
use crate::key::resource_key;
use crate::parameter::reference::{Target, target};
use access::{Labels, Purposes};
use jiff::tz::TimeZone;
use serde_json::Value;

/// Who may see what, for what, from when to when; None and nothing are "any".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    pub patient: i64,
    pub is_permit: bool,
    /// The more of it is said, the more it counts.
    pub specificity: i16,
    pub hospital: Option<i32>,
    pub purposes: i32,
    pub labels: i64,
    pub custodian: Option<i32>,
    pub resource_key: Option<i64>,
    /// When what it is about happened.
    pub data: Option<(i64, i64)>,
    /// When it holds.
    pub valid: (i64, i64),
}

/// What cannot be enforced, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Refusal {
    pub path: String,
    pub reason: String,
}

/// What a Consent is read with.
pub struct Reading<'a> {
    pub base_url: &'a str,
    pub zone: &'a TimeZone,
    /// The hospital whose organisation has this id.
    pub find: &'a dyn Fn(&str) -> Option<i32>,
}

const RULES_MAX: usize = 200;
const IN_FORCE: &str = "active";
const PRIVACY: &str = "patient-privacy";

/// The rules of a Consent that is in force; none of any other.
pub fn rules(consent: &Value, reading: &Reading<'_>) -> Result<Vec<Rule>, Refusal> {
    let scope = consent["scope"]["coding"].as_array().into_iter().flatten();
    let is_privacy = scope.filter_map(|coding| coding["code"].as_str()).any(|code| code == PRIVACY);
    if consent["status"] != IN_FORCE || !is_privacy {
        return Ok(Vec::new());
    }
    let patient = consent["patient"]["reference"].as_str().unwrap_or_default();
    let Some(Target::Local { kind: "Patient", id }) = target(patient, reading.base_url) else {
        return Err(refuse("Consent.patient", "must refer to a patient of this server"));
    };
    if consent.get("verification").is_some() {
        return Err(refuse("Consent.verification", "is not taken; leave it out"));
    }
    let path = "Consent.provision";
    let provision = &consent["provision"];
    if !provision.is_object() {
        return Err(refuse(path, "is missing: it says what is permitted or denied"));
    }
    let base = Rule {
        patient: resource_key("Patient", id),
        is_permit: true,
        specificity: 0,
        hospital: None,
        purposes: 0,
        labels: 0,
        custodian: None,
        resource_key: None,
        data: None,
        valid: (i64::MIN, i64::MAX),
    };
    let mut all = Vec::new();
    let outer = read(provision, path, &base, reading)?;
    all.extend(outer.iter().cloned());
    let inner = provision["provision"].as_array().into_iter().flatten();
    for (index, provision) in inner.enumerate() {
        let path = format!("{path}.provision[{index}]");
        if provision.get("provision").is_some() {
            let at = format!("{path}.provision");
            return Err(refuse(&at, "exceptions of exceptions are not taken"));
        }
        // What an exception leaves open is as it is outside of it.
        let parents: &[Rule] = if outer.is_empty() { std::slice::from_ref(&base) } else { &outer };
        for parent in parents {
            all.extend(read(provision, &path, parent, reading)?);
        }
    }
    if all.len() > RULES_MAX {
        return Err(refuse(path, "says more than 200 things; say fewer"));
    }
    for rule in &mut all {
        rule.specificity = rule.specificity.saturating_add(rule.said());
    }
    all.sort();
    all.dedup();
    Ok(all)
}

impl Rule {
    /// How many things it is particular about.
    fn said(&self) -> i16 {
        let each = [
            self.hospital.is_some(),
            self.purposes != 0,
            self.labels != 0,
            self.custodian.is_some(),
            self.resource_key.is_some(),
            self.data.is_some(),
        ];
        i16::try_from(each.into_iter().filter(|is_said| *is_said).count()).unwrap_or(i16::MAX)
    }
}

pub(super) fn refuse(path: &str, reason: &str) -> Refusal {
    Refusal { path: path.to_owned(), reason: reason.to_owned() }
}

/// The rules of one provision: one for each of its actors and resources.
fn read(
    provision: &Value,
    path: &str,
    outer: &Rule,
    reading: &Reading<'_>,
) -> Result<Vec<Rule>, Refusal> {
    for name in ["action", "class", "code"] {
        if provision.get(name).is_some() {
            return Err(refuse(&format!("{path}.{name}"), "is not enforced here; leave it out"));
        }
    }
    // Of another provision than the outermost it is more than all that an outer one can say.
    const INNER: i16 = 16;
    let is_inner = path.ends_with(']');
    let mut rule = Rule {
        is_permit: match provision["type"].as_str() {
            Some("permit") => true,
            Some("deny") => false,
            _ => return Err(refuse(&format!("{path}.type"), "must be permit or deny")),
        },
        specificity: if is_inner { INNER } else { 0 },
        ..outer.clone()
    };
    let mut purposes = Purposes::default();
    for (index, coding) in each(provision, "purpose") {
        let code = coding["code"].as_str().unwrap_or_default();
        let purpose = Purposes::parse(code);
        let at = format!("{path}.purpose[{index}]");
        purposes = purposes
            .with(purpose.ok_or_else(|| refuse(&at, "is not a purpose that is known here"))?);
    }
    if !purposes.is_empty() {
        rule.purposes = purposes.bits();
    }
    if let Some(labels) = labels(provision, path)? {
        rule.labels = labels.bits();
    }
    if let Some(period) = period(provision, "period", path, reading)? {
        rule.valid = (rule.valid.0.max(period.0), rule.valid.1.min(period.1));
    }
    rule.data = period(provision, "dataPeriod", path, reading)?.or(rule.data);
    let mut rules = vec![rule];
    let (viewers, authors) = actors(provision, path, reading)?;
    rules = spread(rules, &viewers, |rule, hospital| rule.hospital = Some(hospital));
    rules = spread(rules, &authors, |rule, hospital| rule.custodian = Some(hospital));
    let data = data(provision, path, reading)?;
    Ok(spread(rules, &data, |rule, key| rule.resource_key = Some(key)))
}

/// Each rule for each of the values; as it is where there is none.
fn spread<T: Copy>(rules: Vec<Rule>, values: &[T], set: impl Fn(&mut Rule, T)) -> Vec<Rule> {
    if values.is_empty() {
        return rules;
    }
    let each = rules.iter().flat_map(|rule| {
        values.iter().map(|value| {
            let mut rule = rule.clone();
            set(&mut rule, *value);
            rule
        })
    });
    each.collect()
}

fn each<'a>(provision: &'a Value, name: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    provision[name].as_array().into_iter().flatten().enumerate()
}

fn labels(provision: &Value, path: &str) -> Result<Option<Labels>, Refusal> {
    let mut all: Option<Labels> = None;
    for (index, coding) in each(provision, "securityLabel") {
        let text = |name: &str| coding[name].as_str().unwrap_or_default();
        let label = match (text("system"), text("code")) {
            ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "N") => Labels::NORMAL,
            ("http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "R") => Labels::SENSITIVE,
            (system, code) => Labels::parse(system, code)
                .filter(|label| *label != Labels::VERY_RESTRICTED)
                .ok_or_else(|| {
                    let at = format!("{path}.securityLabel[{index}]");
                    refuse(&at, "is not a label that is enforced here")
                })?,
        };
        all = Some(all.unwrap_or_default().with(label));
    }
    Ok(all)
}

fn period(
    provision: &Value,
    name: &str,
    path: &str,
    reading: &Reading<'_>,
) -> Result<Option<(i64, i64)>, Refusal> {
    let period = &provision[name];
    if !period.is_object() {
        return Ok(None);
    }
    let bound = |bound: &str| match period[bound].as_str() {
        None => Ok(None),
        Some(text) => date::parse(text, reading.zone)
            .map(Some)
            .map_err(|error| refuse(&format!("{path}.{name}.{bound}"), &error.to_string())),
    };
    let low = bound("start")?.map_or(i64::MIN, |range| range.low);
    let high = bound("end")?.map_or(i64::MAX, |range| range.high);
    Ok(Some((low, high)))
}

/// Hospitals that may look, and those that wrote.
fn actors(
    provision: &Value,
    path: &str,
    reading: &Reading<'_>,
) -> Result<(Vec<i32>, Vec<i32>), Refusal> {
    let (mut viewers, mut authors) = (Vec::new(), Vec::new());
    for (index, actor) in each(provision, "actor") {
        let at = format!("{path}.actor[{index}]");
        let role = actor["role"]["coding"][0]["code"].as_str().unwrap_or_default();
        let text = actor["reference"]["reference"].as_str().unwrap_or_default();
        let hospital = organization(text, reading.base_url).and_then(reading.find);
        let hospital = hospital.ok_or_else(|| {
            refuse(
                &format!("{at}.reference"),
                "must be the Organization of a hospital that takes part",
            )
        })?;
        match role {
            "IRCP" => viewers.push(hospital),
            "AUT" | "CST" => authors.push(hospital),
            _ => {
                let reason = "must be IRCP, who looks, or AUT or CST, who wrote";
                return Err(refuse(&format!("{at}.role"), reason));
            }
        }
    }
    Ok((viewers, authors))
}

/// Resources that it is about.
fn data(provision: &Value, path: &str, reading: &Reading<'_>) -> Result<Vec<i64>, Refusal> {
    let mut keys = Vec::new();
    for (index, data) in each(provision, "data") {
        let at = format!("{path}.data[{index}]");
        if data["meaning"] != "instance" {
            return Err(refuse(
                &format!("{at}.meaning"),
                "must be instance; others are not enforced",
            ));
        }
        let text = data["reference"]["reference"].as_str().unwrap_or_default();
        match target(text, reading.base_url) {
            Some(Target::Local { kind, id }) => keys.push(resource_key(kind, id)),
            _ => {
                let reason = "must refer to a resource of this server";
                return Err(refuse(&format!("{at}.reference"), reason));
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::{Reading, Rule, rules};
    use jiff::tz::TimeZone;
    use serde_json::{Value, json};

    fn read(consent: &Value) -> Result<Vec<Rule>, String> {
        let find = |code: &str| (code == "smhc").then_some(7);
        let reading =
            Reading { base_url: "https://hub.test/fhir", zone: &TimeZone::UTC, find: &find };
        rules(consent, &reading).map_err(|refusal| refusal.to_string())
    }

    fn consent(provision: Value) -> Value {
        json!({
            "resourceType": "Consent", "status": "active", "patient": { "reference": "Patient/p" },
            "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
            "provision": provision,
        })
    }

    fn psychiatry() -> Value {
        json!([{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PSY" }])
    }

    #[test]
    fn exceptions_count_more_the_more_they_say() {
        let actor = json!([{ "role": { "coding": [{ "code": "IRCP" }] }, "reference": { "reference": "Organization/smhc" } }]);
        let rules = read(&consent(json!({
            "type": "permit",
            "purpose": [{ "code": "TREAT" }],
            "provision": [
                { "type": "deny", "securityLabel": psychiatry() },
                { "type": "permit", "securityLabel": psychiatry(), "actor": actor },
            ],
        })))
        .unwrap();
        let facts: Vec<_> = rules
            .iter()
            .map(|rule| (rule.is_permit, rule.specificity, rule.hospital, rule.labels))
            .collect();
        assert_eq!(facts, [(false, 18, None, 2), (true, 1, None, 0), (true, 19, Some(7), 2)]);
    }

    #[test]
    fn cons_03_what_cannot_be_enforced_is_named() {
        for (provision, expected) in [
            (json!({ "type": "permit", "action": [{}] }), "Consent.provision.action"),
            (json!({ "type": "permit", "class": [{}] }), "Consent.provision.class"),
            (json!({ "type": "permit", "code": [{}] }), "Consent.provision.code"),
            (json!({}), "Consent.provision.type"),
            (
                json!({ "type": "permit", "purpose": [{ "code": "FUN" }] }),
                "Consent.provision.purpose[0]",
            ),
            (
                json!({ "type": "deny", "securityLabel": [{ "code": "X" }] }),
                "Consent.provision.securityLabel[0]",
            ),
            (
                json!({ "type": "permit", "provision": [{ "type": "deny", "provision": [{ "type": "permit" }] }] }),
                "Consent.provision.provision[0].provision",
            ),
            (
                json!({ "type": "deny", "data": [{ "meaning": "related", "reference": { "reference": "Encounter/1" } }] }),
                "Consent.provision.data[0].meaning",
            ),
            (json!(null), "Consent.provision"),
        ] {
            let refused = read(&consent(provision)).unwrap_err();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }

    #[test]
    fn only_what_is_active_is_in_force() {
        for status in ["draft", "proposed", "rejected", "inactive", "entered-in-error"] {
            let mut consent = consent(json!({ "type": "deny" }));
            consent["status"] = json!(status);
            assert_eq!(read(&consent).unwrap(), [], "{status}");
        }
        assert_eq!(read(&consent(json!({ "type": "deny" }))).unwrap().len(), 1);
    }
}
