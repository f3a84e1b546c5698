//! What a write stores and what a search asks agree with what the values say: for resources and searches made at random out of
//! few words, a plan over the stored entries selects what `Query::holds` says.

use crate::condition::{Code, Column, Condition, Row};
use crate::date;
use crate::extract::Entries;
use crate::extract::tests::extractor;
use crate::key::{resource_key, version_key_at};
use crate::plan::{Lead, Plan, plan};
use crate::query::tests::parse;
use crate::registry::Rule;
use access::{Caller, HospitalId, Interaction, Wish, decide};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the database would know of a resource.
struct Stored {
    id: String,
    version_key: i64,
    entries: Entries,
}

fn stored(resource: &Value) -> Stored {
    let text = resource["meta"]["lastUpdated"].as_str().unwrap();
    let moment = date::parse(text, &TimeZone::UTC).unwrap();
    Stored {
        id: resource["id"].as_str().unwrap().to_owned(),
        version_key: version_key_at(moment.low) | 5,
        entries: extractor().entries(resource).unwrap(),
    }
}

impl Stored {
    /// As the statements of `render` mean it.
    fn is_selected(&self, plan: &Plan) -> bool {
        let row = Row { id: &self.id, version_key: self.version_key, entries: &self.entries };
        let entries = &self.entries;
        let has_code = |code: &Code| Condition::Codes(vec![*code]).meets(row) == Some(true);
        let leads = match &plan.lead {
            Lead::Walk | Lead::Dates => true,
            Lead::Patient(key) => entries.patient.as_ref().is_some_and(|found| found.key == *key),
            Lead::Tokens(keys) => keys.iter().all(|key| entries.tokens.contains(key)),
            Lead::Actor(key) => entries.references.iter().any(|found| found.target_key == *key),
            Lead::Code(code) => has_code(code),
            Lead::Measured { code, scale, spans } => {
                let column = Column::Quantity;
                let quantity = Condition::Quantity { column, scale: *scale, spans: spans.clone() };
                has_code(code) && quantity.meets(row) == Some(true)
            }
            Lead::Text { parameter, text } => {
                let texts = vec![text.clone()];
                Condition::Strings { parameter: *parameter, texts }.meets(row) == Some(true)
            }
            Lead::Found(condition) => condition.meets(row) == Some(true),
        };
        leads && plan.rest.iter().all(|condition| condition.meets(row) == Some(true))
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

fn date() -> impl Strategy<Value = Option<(&'static str, Value)>> {
    prop::sample::select(vec![
        None,
        Some(("effectiveDateTime", json!("2025-12-31"))),
        Some(("effectiveDateTime", json!("2026"))),
        Some(("effectiveDateTime", json!("2026-01-01T10:00:00+08:00"))),
        Some(("effectivePeriod", json!({ "start": "2025-12-31T10:00:00Z" }))),
        Some(("effectivePeriod", json!({ "start": "2025-12-31", "end": "2026-06-01" }))),
    ])
}

fn quantity() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({ "value": 5, "unit": "mg" }),
        json!({ "value": 5, "system": "http://unitsofmeasure.org", "code": "mg" }),
        json!({ "value": 0.005, "system": "http://unitsofmeasure.org", "code": "g" }),
        json!({ "value": 5, "system": "urn:a", "code": "mg" }),
        json!({}),
    ])
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
    let observation = (meta(), concept(), concept(), reference(), reference(), canonical(), date(), quantity()).prop_map(
        |(meta, code, category, subject, performer, url, date, quantity)| {
            let mut observation = json!({
                "resourceType": "Observation", "id": "2", "meta": meta, "status": "final", "code": code,
                "category": [category], "subject": subject, "performer": [performer],
                "component": [
                    { "code": code, "valueCodeableConcept": category },
                    { "code": category, "valueQuantity": quantity.clone() },
                ],
                "instantiatesCanonical": url,
                "valueQuantity": quantity,
            });
            date.into_iter().for_each(|(name, date)| observation[name] = date);
            observation
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
            "code-value-quantity",
            "combo-code",
            "combo-code-value-quantity",
            "component-code-value-quantity",
            "component-value-concept",
            "component-value-quantity",
            "date",
            "value-quantity",
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
    match &crate::registry::find(resource, code).unwrap().rule {
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
        Rule::Either(codes) => value(resource, codes[0]),
        Rule::Date => one_of(&[
            "2026",
            "ge2026-01-01",
            "lt2026-01-01",
            "ap2025",
            "ne2025-12-31",
            "sa2025",
            "eb2026",
            "gt2025-12-31T10:00",
            "le2026",
        ])
        .prop_map(str::to_owned)
        .boxed(),
        Rule::Quantity => one_of(&[
            "5",
            "gt4",
            "5||mg",
            "le5|http://unitsofmeasure.org|mg",
            "0.005|http://unitsofmeasure.org|g",
            "ne5|http://unitsofmeasure.org|mg",
            "5|urn:a|mg",
            "ap5.2",
        ])
        .prop_map(str::to_owned)
        .boxed(),
        Rule::Composite(_) => (one_of(&["a", "b", "urn:a|a"]), one_of(&["5", "gt4||mg", "a"]))
            .prop_map(|(code, value)| format!("{code}${value}"))
            .boxed(),
        Rule::Number | Rule::Near | Rule::Words(_) | Rule::Unsupported(_) => {
            Just(String::new()).boxed()
        }
    }
}

fn clause(resource: String) -> impl Strategy<Value = String> {
    let modifier = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        ":not",
        ":exact",
        ":contains",
        ":below",
        ":Patient",
        ":missing",
    ]);
    (prop::sample::select(codes(&resource)), modifier).prop_flat_map(move |(code, modifier)| {
        let values = prop::collection::vec(value(&resource, code), 1..3);
        values.prop_map(move |values| match modifier {
            ":missing" => format!("{code}:missing=true"),
            modifier => format!("{code}{modifier}={}", values.join(",")),
        })
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
            let wish = Wish::new(Interaction::Search, Some(query.resource));
            let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
            let plan = plan(&query, &grant).unwrap();
            prop_assert_eq!(stored(&resource).is_selected(&plan), query.holds(&resource, &extractor()), "{}", text);
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
    for _ in 0..6_000 {
        let (resource, text) = pair().new_tree(&mut runner).unwrap().current();
        if let Ok(query) = parse(&text) {
            asked += 1;
            held += usize::from(query.holds(&resource, &extractor()));
        }
    }
    assert!(asked > 2_000 && held > 400, "{asked} asked, {held} held");
}

#[test]
fn a_reference_to_the_one_patient_is_in_its_column_alone() {
    let resource =
        json!({ "resourceType": "Observation", "subject": { "reference": "Patient/1" } });
    let entries = extractor().entries(&resource).unwrap();
    let patient = entries.patient.unwrap();
    assert_eq!((patient.key, patient.id.as_str()), (resource_key("Patient", "1"), "1"));
    assert_eq!((entries.tokens, entries.filters), (Vec::new(), Vec::new()));
}
