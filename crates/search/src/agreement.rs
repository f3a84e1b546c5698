//! What a write stores and what a search asks agree with what the values say: for resources and searches made at random out of
//! few words, a plan over the stored entries selects what `Query::holds` says.

use crate::date;
use crate::extract::{Entries, Extractor};
use crate::key::{resource_key, version_key_at};
use crate::plan::{Condition, Drive, Plan, plan};
use crate::query::tests::{BASE, parse};
use crate::registry::Rule;
use access::{Caller, HospitalId, Interaction, Wish, decide};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the database would know of a resource.
struct Row {
    id: String,
    version_key: i64,
    entries: Entries,
}

fn row(resource: &Value) -> Row {
    let text = resource["meta"]["lastUpdated"].as_str().unwrap();
    let moment = date::parse(text, &TimeZone::UTC).unwrap();
    Row {
        id: resource["id"].as_str().unwrap().to_owned(),
        version_key: version_key_at(moment.low) | 5,
        entries: Extractor::new(BASE).entries(resource).unwrap(),
    }
}

impl Row {
    /// As the statements of `render` mean it.
    fn is_selected(&self, plan: &Plan) -> bool {
        let entries = &self.entries;
        let drives = match &plan.drive {
            Drive::Walk { patient: None } => true,
            Drive::Walk { patient } => entries.patient.as_ref().map(|found| found.key) == *patient,
            Drive::Tokens(keys) => keys.iter().all(|key| entries.tokens.contains(key)),
            Drive::Any(condition) => self.meets(condition),
        };
        let is_of_time = plan.versions.as_ref().is_none_or(|ranges| {
            ranges.iter().any(|range| (range.low..range.high).contains(&self.version_key))
        });
        drives && is_of_time && plan.rest.iter().all(|condition| self.meets(condition))
    }

    fn meets(&self, condition: &Condition) -> bool {
        let entries = &self.entries;
        match condition {
            Condition::Ids(ids) => ids.contains(&self.id),
            Condition::Keys { patients, tokens, filters } => {
                entries.patient.as_ref().is_some_and(|patient| patients.contains(&patient.key))
                    || tokens.iter().any(|key| entries.tokens.contains(key))
                    || filters.iter().any(|key| entries.filters.contains(key))
            }
            Condition::Strings { parameter, prefixes } => {
                entries.strings.iter().any(|(key, text)| {
                    let is_between = prefixes.iter().any(|prefix| {
                        *text >= prefix.low && prefix.high.as_ref().is_none_or(|high| text < high)
                    });
                    key == parameter && is_between
                })
            }
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "A", "b", "ab", "é", "e", "1", "a|b", "王", "a b", "true"])
        .prop_map(str::to_owned)
}

fn system() -> impl Strategy<Value = Option<String>> {
    prop::sample::select(vec![None, Some("urn:a"), Some("urn:A"), Some("urn:a|b")])
        .prop_map(|system| system.map(str::to_owned))
}

fn coding(code: &'static str) -> impl Strategy<Value = Value> {
    (system(), prop::option::of(word())).prop_map(move |(system, word)| {
        let mut coding = json!({ "display": "x" });
        system.into_iter().for_each(|system| coding["system"] = json!(system));
        word.into_iter().for_each(|word| coding[code] = json!(word));
        coding
    })
}

fn concept() -> impl Strategy<Value = Value> {
    prop::collection::vec(coding("code"), 0..3).prop_map(|codings| json!({ "coding": codings }))
}

const REFERENCES: [&str; 12] = [
    "Patient/1",
    "Patient/2",
    "Group/1",
    "Practitioner/1",
    "https://hub.test/fhir/Patient/1",
    "https://other.test/fhir/Patient/1",
    "Patient/1/_history/2",
    "urn:uuid:1",
    "#1",
    "http://q.test/q",
    "http://q.test/q|1",
    "nothing",
];

fn reference() -> impl Strategy<Value = Value> {
    prop::sample::select(REFERENCES.to_vec()).prop_map(|text| json!({ "reference": text }))
}

fn canonical() -> impl Strategy<Value = Value> {
    prop::sample::select(REFERENCES.to_vec()).prop_map(|text| json!(text))
}

fn meta() -> impl Strategy<Value = Value> {
    let times =
        ["2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z", "2026-06-01T12:00:00.000Z"];
    (prop::sample::select(times.to_vec()), canonical(), coding("code")).prop_map(
        |(time, profile, tag)| json!({ "lastUpdated": time, "profile": [profile], "tag": [tag] }),
    )
}

fn resource() -> impl Strategy<Value = Value> {
    let patient = (meta(), coding("value"), word(), word(), any::<bool>(), reference(), coding("value"))
        .prop_map(|(meta, identifier, family, given, is_true, reference, telecom)| {
            json!({
                "resourceType": "Patient", "id": "1", "meta": meta, "identifier": [identifier],
                "name": [{ "family": family, "given": [given] }], "active": is_true,
                "deceasedBoolean": !is_true, "generalPractitioner": [reference], "telecom": [telecom],
                "gender": if is_true { "female" } else { "male" },
            })
        });
    let observation = (meta(), concept(), concept(), reference(), reference(), canonical()).prop_map(
        |(meta, code, category, subject, performer, url)| {
            json!({
                "resourceType": "Observation", "id": "2", "meta": meta, "status": "final", "code": code,
                "category": [category], "subject": subject, "performer": [performer],
                "component": [{ "code": code, "valueCodeableConcept": category }],
                "instantiatesCanonical": url,
            })
        },
    );
    let appointment = (meta(), reference(), reference()).prop_map(|(meta, one, other)| {
        let actors = json!([{ "actor": one, "status": "accepted" }, { "actor": other }]);
        json!({ "resourceType": "Appointment", "id": "1", "meta": meta, "participant": actors })
    });
    let plan = (meta(), canonical(), canonical(), word()).prop_map(|(meta, url, library, title)| {
        json!({
            "resourceType": "PlanDefinition", "id": "1", "meta": meta, "url": url, "title": title,
            "library": [library],
        })
    });
    prop_oneof![patient, observation, appointment, plan]
}

/// The parameters that ask about what is made above.
fn codes(resource: &str) -> Vec<&'static str> {
    let asked: &[&str] = match resource {
        "Patient" => &[
            "_id",
            "_lastUpdated",
            "_profile",
            "_tag",
            "active",
            "deceased",
            "family",
            "gender",
            "given",
            "general-practitioner",
            "identifier",
            "name",
            "telecom",
        ],
        "Observation" => &[
            "_id",
            "_lastUpdated",
            "_profile",
            "category",
            "code",
            "combo-code",
            "component-value-concept",
            "patient",
            "performer",
            "status",
            "subject",
        ],
        "Appointment" => &["_id", "actor", "location", "part-status", "patient", "practitioner"],
        _ => &["_lastUpdated", "_tag", "depends-on", "title", "url"],
    };
    crate::registry::supported(resource)
        .map(|found| found.code)
        .filter(|code| asked.contains(code))
        .collect()
}

/// A value that may be asked of the parameter, escaped.
fn value(resource: &str, code: &str) -> BoxedStrategy<String> {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace(',', "\\,");
    let one_of = |texts: &[&'static str]| prop::sample::select(texts.to_vec());
    match crate::registry::find(resource, code).unwrap().rule {
        Rule::Id => one_of(&["1", "2"]).prop_map(str::to_owned).boxed(),
        Rule::LastUpdated => {
            one_of(&["2026", "ne2026", "gt2026-01", "le2026-01-01", "2025-12-31", "lt2026"])
                .prop_map(str::to_owned)
                .boxed()
        }
        Rule::Token => {
            let coded = (system(), prop::option::of(word())).prop_map(move |(system, word)| {
                let code = word.as_deref().map(escape).unwrap_or_default();
                format!("{}|{code}", system.as_deref().map(escape).unwrap_or_default())
            });
            let code = prop_oneof![
                word(),
                one_of(&["female", "final", "accepted"]).prop_map(str::to_owned)
            ];
            prop_oneof![code.prop_map(move |code| escape(&code)), coded].boxed()
        }
        Rule::Reference => {
            prop_oneof![one_of(&REFERENCES).prop_map(escape), Just("1".to_owned())].boxed()
        }
        Rule::Uri => one_of(&REFERENCES).prop_map(escape).boxed(),
        Rule::String => word().prop_map(move |word| escape(&word)).boxed(),
        Rule::Unsupported(_) => Just(String::new()).boxed(),
    }
}

fn clause(resource: String) -> impl Strategy<Value = String> {
    prop::sample::select(codes(&resource)).prop_flat_map(move |code| {
        let values = prop::collection::vec(value(&resource, code), 1..3);
        values.prop_map(move |values| format!("{code}={}", values.join(",")))
    })
}

fn pair() -> impl Strategy<Value = (Value, String)> {
    resource().prop_flat_map(|resource| {
        let kind = resource["resourceType"].as_str().unwrap().to_owned();
        let clauses = prop::collection::vec(clause(kind.clone()), 1..3);
        let text = clauses.prop_map(move |clauses| format!("{kind}?{}", clauses.join("&")));
        (Just(resource), text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_selects_what_holds((resource, text) in pair()) {
        // What is refused asks nothing.
        if let Ok(query) = parse(&text) {
            let wish = Wish { interaction: Interaction::Search, resource: Some(query.resource) };
            let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
            let plan = plan(&query, &grant).unwrap();
            prop_assert_eq!(row(&resource).is_selected(&plan), query.holds(&resource, BASE), "{}", text);
        }
    }
}

/// Counts what the property above could not tell if every search were in vain.
#[test]
fn searches_at_random_are_not_in_vain() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut asked, mut held) = (0, 0);
    for _ in 0..2_000 {
        let (resource, text) = pair().new_tree(&mut runner).unwrap().current();
        if let Ok(query) = parse(&text) {
            asked += 1;
            held += usize::from(query.holds(&resource, BASE));
        }
    }
    assert!(asked > 1_000 && held > 200, "{asked} asked, {held} held");
}

#[test]
fn a_reference_to_the_one_patient_is_in_its_column_alone() {
    let resource =
        json!({ "resourceType": "Observation", "subject": { "reference": "Patient/1" } });
    let entries = Extractor::new(BASE).entries(&resource).unwrap();
    let patient = entries.patient.unwrap();
    assert_eq!((patient.key, patient.id.as_str()), (resource_key("Patient", "1"), "1"));
    assert_eq!((entries.tokens, entries.filters), (Vec::new(), Vec::new()));
}
