//! Dates, numbers, quantities, composites, texts and their modifiers.

use super::{check, concept, observation, quantity, reference, server};
use serde_json::json;

const UCUM: &str = "http://unitsofmeasure.org";

#[tokio::test]
async fn dates_mean_all_that_their_precision_leaves_open() {
    let encounter = |id: &str, start: Option<&str>, end: Option<&str>| {
        let mut period = json!({});
        start.into_iter().for_each(|start| period["start"] = json!(start));
        end.into_iter().for_each(|end| period["end"] = json!(end));
        let class =
            json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" });
        json!({ "resourceType": "Encounter", "id": id, "status": "finished", "class": class, "period": period })
    };
    let server = server(&[
        encounter("visit", Some("2026-03-02T09:00:00+08:00"), Some("2026-03-02T09:30:00+08:00")),
        encounter("stay", Some("2026-01-10"), Some("2026-04-01")),
        encounter("open", Some("2026-02-01"), None),
        encounter("ended", None, Some("2025-12-31")),
        json!({ "resourceType": "Patient", "id": "year", "birthDate": "1980" }),
        json!({ "resourceType": "Patient", "id": "day", "birthDate": "1980-06-15", "deceasedDateTime": "2020-01-01T00:30:00+08:00" }),
        json!({ "resourceType": "Patient", "id": "none" }),
    ])
    .await;
    check(&server, "Encounter?date=2026-03-02", &["visit"]).await;
    check(&server, "Encounter?date=2026", &["stay", "visit"]).await;
    check(&server, "Encounter?date=ge2026-03-02", &["open", "stay", "visit"]).await;
    check(&server, "Encounter?date=gt2026-03-02", &["open", "stay"]).await;
    check(&server, "Encounter?date=sa2026-01-10", &["open", "visit"]).await;
    check(&server, "Encounter?date=eb2026-01-01", &["ended"]).await;
    check(&server, "Encounter?date=lt2026-02-01", &["ended", "stay"]).await;
    check(&server, "Encounter?date=ge2026-03-02&date=le2026-03-02", &["open", "stay", "visit"])
        .await;
    check(&server, "Encounter?date=sa2026-03-01&date=eb2026-03-03", &["visit"]).await;
    check(&server, "Encounter?date=ne2026", &["ended", "open"]).await;
    check(&server, "Patient?birthdate=1980", &["day", "year"]).await;
    check(&server, "Patient?birthdate=1980-06", &["day"]).await;
    check(&server, "Patient?birthdate=gt1980-06-15", &["year"]).await;
    check(&server, "Patient?birthdate=1980-06-15,1980", &["day", "year"]).await;
    check(&server, "Patient?birthdate=le1980-06-15T12:00", &["day", "year"]).await;
    check(&server, "Patient?birthdate:missing=true", &["none"]).await;
    check(&server, "Patient?birthdate:missing=false", &["day", "year"]).await;
    check(&server, "Patient?death-date=2020-01-01", &["day"]).await;
    check(&server, "Patient?death-date=2019-12-31T16:30Z", &["day"]).await;
    check(&server, "Patient?death-date=ge2020-01-02", &[]).await;
    for refused in ["2026-13", "gt", "xx2026", "2026-03-02T09", "yesterday"] {
        server.get(&format!("Encounter?date={refused}")).await.refused(400, "date");
    }
}

#[tokio::test]
async fn quantities_are_compared_in_canonical_units() {
    let glucose = "2345-7";
    let date = "2026-03-02";
    let panel = json!({
        "resourceType": "Observation", "id": "pressure", "status": "final",
        "code": concept("http://loinc.org", "85354-9"),
        "component": [
            { "code": concept("http://loinc.org", "8480-6"), "valueQuantity": quantity(142.0, "mm[Hg]") },
            { "code": concept("http://loinc.org", "8462-4"), "valueQuantity": quantity(88.0, "mm[Hg]") },
        ],
    });
    let server = server(&[
        observation("high", glucose, "1", date, &quantity(12.5, "mmol/L")),
        observation("low", glucose, "1", date, &quantity(4100.0, "umol/L")),
        observation("mass", glucose, "2", date, &quantity(90.0, "mg/dL")),
        observation("plain", "x", "2", date, &json!({ "value": 12.5, "unit": "Einheit" })),
        panel,
        json!({ "resourceType": "RiskAssessment", "id": "risk", "status": "final", "subject": reference("Patient/1"),
            "prediction": [{ "probabilityDecimal": 0.25 }] }),
    ])
    .await;
    check(&server, &format!("Observation?value-quantity=gt10|{UCUM}|mmol/L"), &["high"]).await;
    check(&server, &format!("Observation?value-quantity=4.1|{UCUM}|mmol/L"), &["low"]).await;
    check(
        &server,
        &format!("Observation?code={glucose}&value-quantity=lt10|{UCUM}|mmol/L"),
        &["low"],
    )
    .await;
    check(&server, &format!("Observation?code={glucose}&value-quantity=0.9|{UCUM}|g/L"), &["mass"])
        .await;
    check(&server, "Observation?value-quantity=12.5", &["high", "plain"]).await;
    check(&server, "Observation?value-quantity=12.5||Einheit", &["plain"]).await;
    check(&server, "Observation?value-quantity=12.5||mmol/L", &["high"]).await;
    check(&server, "Observation?value-quantity=gt100,lt5", &["low"]).await;
    check(&server, "Observation?value-quantity=gt1000", &["low"]).await;
    check(&server, "Observation?component-value-quantity=gt140", &["pressure"]).await;
    check(&server, "Observation?combo-value-quantity=88||mm[Hg]", &["pressure"]).await;
    check(&server, "Observation?component-code-value-quantity=8480-6$gt140", &["pressure"]).await;
    check(&server, "Observation?component-code-value-quantity=8462-4$gt140", &[]).await;
    check(
        &server,
        &format!(
            "Observation?component-code-value-quantity=http://loinc.org|8480-6$18.9|{UCUM}|kPa"
        ),
        &["pressure"],
    )
    .await;
    check(
        &server,
        &format!("Observation?code-value-quantity={glucose}$gt10|{UCUM}|mmol/L"),
        &["high"],
    )
    .await;
    check(
        &server,
        &format!("Observation?combo-code-value-quantity={glucose}$gt10|{UCUM}|mmol/L,8462-4$88"),
        &["high", "pressure"],
    )
    .await;
    check(&server, "Observation?combo-code=8480-6,x", &["plain", "pressure"]).await;
    check(&server, "RiskAssessment?probability=0.25", &["risk"]).await;
    check(&server, "RiskAssessment?probability=gt0.2&probability=lt0.3", &["risk"]).await;
    check(&server, "RiskAssessment?probability=ap0.24", &["risk"]).await;
    check(&server, "RiskAssessment?probability=le0.2", &[]).await;
    server
        .get("RiskAssessment?probability=many")
        .await
        .refused(400, "does not begin with a prefix");
    server.get("Observation?value-quantity=5|mg").await.refused(400, "a quantity is");
    server.get("Observation?code-value-quantity=5").await.refused(400, "with a `$` between");
}

#[tokio::test]
async fn modifiers_say_how_values_are_compared() {
    let server = server(&[
        json!({ "resourceType": "Patient", "id": "a", "name": [{ "family": "Müller", "given": ["Ann"] }], "gender": "female",
            "identifier": [{ "system": "urn:a", "value": "1",
                "type": concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MR") }] }),
        json!({ "resourceType": "Patient", "id": "b", "name": [{ "family": "Muller", "given": ["Annegret"] }], "gender": "male",
            "managingOrganization": { "identifier": { "system": "urn:o", "value": "9" } } }),
        json!({ "resourceType": "Patient", "id": "c" }),
        json!({ "resourceType": "ValueSet", "id": "v", "status": "active", "url": "http://example.org/fhir/ValueSet/v" }),
        json!({ "resourceType": "Observation", "id": "g", "status": "final", "code": concept("http://loinc.org", "1"),
            "subject": reference("Group/1") }),
        json!({ "resourceType": "Observation", "id": "p", "status": "final",
            "code": { "coding": [{ "code": "1" }, { "system": "urn:x", "code": "2" }, { "system": "urn:y", "code": "3" }] },
            "subject": reference("Patient/1") }),
    ])
    .await;
    check(&server, "Patient?family:exact=Müller", &["a"]).await;
    check(&server, "Patient?family:exact=müller", &[]).await;
    check(&server, "Patient?family=muller", &["a", "b"]).await;
    check(&server, "Patient?given:contains=negr", &["b"]).await;
    check(&server, "Patient?name:contains=ULL", &["a", "b"]).await;
    check(&server, "Patient?gender:not=male", &["a", "c"]).await;
    check(&server, "Patient?gender:not=male,female", &["c"]).await;
    check(&server, "Patient?gender:missing=true", &["c"]).await;
    check(&server, "Patient?name:missing=false&gender=male", &["b"]).await;
    check(
        &server,
        "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|1",
        &["a"],
    )
    .await;
    check(
        &server,
        "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|SS|1",
        &[],
    )
    .await;
    check(&server, "Patient?organization:identifier=urn:o|9", &["b"]).await;
    check(&server, "Patient?organization:missing=true", &["a", "c"]).await;
    check(&server, "ValueSet?url:below=http://example.org/fhir", &["v"]).await;
    check(&server, "ValueSet?url:above=http://example.org/fhir/ValueSet/v/more", &["v"]).await;
    check(&server, "ValueSet?url:below=http://example.com", &[]).await;
    check(&server, "Observation?subject:Patient=1", &["p"]).await;
    check(&server, "Observation?subject:Group=1", &["g"]).await;
    check(&server, "Observation?subject=1", &["g", "p"]).await;
    check(&server, "Observation?patient=1", &["p"]).await;
    check(&server, "Observation?patient:missing=true", &["g"]).await;
    check(&server, "Observation?code=3", &["p"]).await;
    check(&server, "Observation?code=urn:y|3", &["p"]).await;
    check(&server, "Observation?code=|1", &["p"]).await;
    check(&server, "Observation?code=http://loinc.org|1", &["g"]).await;
    check(&server, "Observation?code=http://loinc.org|", &["g"]).await;
    check(&server, "Observation?code=2,http://loinc.org|1", &["g", "p"]).await;
    check(&server, "Observation?code:not=2", &["g"]).await;
    check(&server, "Observation?code=1&code=2", &["p"]).await;
    server.get("Patient?gender:exact=male").await.refused(400, "it takes: :missing, :not");
    server.get("Patient?birthdate:not=2000").await.refused(400, "modifier");
}

#[tokio::test]
async fn places_are_found_by_their_distance() {
    let location = |id: &str, latitude: f64, longitude: f64| json!({ "resourceType": "Location", "id": id, "position": { "latitude": latitude, "longitude": longitude } });
    let server = server(&[
        location("ruijin", 31.2133, 121.4678),
        location("zhongshan", 31.1988, 121.4436),
        location("beijing", 39.9042, 116.4074),
    ])
    .await;
    check(&server, "Location?near=31.2133|121.4678|1|km", &["ruijin"]).await;
    check(&server, "Location?near=31.2133|121.4678|3|km", &["ruijin", "zhongshan"]).await;
    check(&server, "Location?near=39.9|116.4", &["beijing"]).await;
    check(&server, "Location?near:missing=true", &[]).await;
    server.get("Location?near=here").await.refused(400, "latitude|longitude");
}

#[tokio::test]
async fn chinese_names_are_found_as_people_write_them() {
    let patient = |id: &str, text: &str, family: &str, given: &str| {
        let name = json!([{ "text": text, "family": family, "given": [given] }]);
        json!({ "resourceType": "Patient", "id": id, "name": name })
    };
    let server = server(&[
        patient("wang", "王小明", "王", "小明"),
        patient("chen", "陳麗華", "陳", "麗華"),
        patient("shan", "单田芳", "单", "田芳"),
        patient("latin", "Wang Xiaoming", "Wang", "Xiaoming"),
        patient("lv", "吕布", "吕", "布"),
        json!({ "resourceType": "Patient", "id": "parts", "name": [{ "family": "赵", "given": ["子龙"] }] }),
        json!({ "resourceType": "Patient", "id": "western", "name": [{ "family": "Müller", "given": ["Ann", "Eva"] }] }),
    ])
    .await;
    for (name, expected) in [
        ("王小明", &["wang"][..]),
        ("小明", &["wang"]),
        ("wangxiaoming", &["latin", "wang"]),
        ("wang xiaoming", &["latin", "wang"]),
        ("ｗａｎｇｘｉａｏ", &["latin", "wang"]),
        ("wxm", &["wang"]),
        ("陈丽华", &["chen"]),
        ("陳麗華", &["chen"]),
        ("chenlihua", &["chen"]),
        ("shantianfang", &["shan"]),
        ("dantianfang", &["shan"]),
        ("lvbu", &["lv"]),
        ("lubu", &["lv"]),
        ("zhang", &[]),
        ("赵子龙", &["parts"]),
        ("zhaozilong", &["parts"]),
        ("zzl", &["parts"]),
        ("muller ann", &["western"]),
        ("Ann Eva Müller", &["western"]),
        ("annevamuller", &["western"]),
    ] {
        check(&server, &format!("Patient?name={name}"), expected).await;
    }
    check(&server, "Patient?name:exact=陳麗華", &["chen"]).await;
    check(&server, "Patient?name:exact=陈丽华", &[]).await;
    check(&server, "Patient?name:contains=ming", &["latin", "wang"]).await;
    let sorted = server.get("Patient?_sort=name").await.expect(200).ids();
    assert_eq!(sorted, ["chen", "lv", "western", "shan", "latin", "wang", "parts"]);
    let sorted = server.get("Patient?_sort=family&_id=chen,lv,shan,wang").await.expect(200).ids();
    assert_eq!(sorted, ["chen", "lv", "shan", "wang"]);
}

#[tokio::test]
async fn what_asks_too_much_or_nothing_is_refused_at_once() {
    let server = server(&[]).await;
    for (search, reason) in [
        (format!("Patient?name={}", vec!["a"; 10_000].join(",")), "at most 1000"),
        (format!("Patient?{}", "gender=male&".repeat(65)), "at most 64"),
        (format!("Patient?_include={}", ["Patient:link"; 40].join(",")), "more than 32"),
        (format!("Patient?_sort={}", ["name"; 9].join(",")), "at most 8"),
        (format!("Patient?{}_id=x", "_has:Patient:link:".repeat(40)), "too many resources"),
        ("Patient?_count=-1".to_owned(), "_count"),
        ("Patient?_count=1e9".to_owned(), "_count"),
        ("Patient?_total=perhaps".to_owned(), "_total"),
        ("Patient?_summary=maybe".to_owned(), "_summary"),
        ("Patient?_explain=perhaps".to_owned(), "_explain"),
        ("Patient?name=%00".to_owned(), "control characters"),
        ("Patient?name=a%5C".to_owned(), "`\\`"),
        ("Patient?name=,".to_owned(), "between commas"),
        ("Patient?birthdate=ge".to_owned(), "no date"),
        ("Patient?birthdate=99999-01-01".to_owned(), "no date"),
        ("Patient?:missing=true".to_owned(), ""),
        ("Patient?name:missing=yes".to_owned(), "true or false"),
        ("Patient?_has::::=x".to_owned(), "_has"),
        ("Patient?.=x".to_owned(), ""),
        ("Patient?link..name=x".to_owned(), ""),
        ("Observation?value-quantity=gt1|a|b|c".to_owned(), "a quantity is"),
        ("Observation?value-quantity=1e99999".to_owned(), "number"),
        ("Observation?code-value-quantity=a$b$c".to_owned(), "with a `$` between"),
        ("Location?near=91|0".to_owned(), "latitude"),
    ] {
        let request = server.request("GET", &search).header("prefer", "handling=strict");
        server.send(request).await.refused(400, reason);
    }
    // More than the largest page is the largest page.
    server.get("Patient?_count=1000000000").await.expect(200);
    for text in ["'", "\"", "%25", "_", "%3B--", "$1", "*", "(", "%5C%5C", "{}", "%E2%80%AE"] {
        for name in [
            "name",
            "identifier",
            "_id",
            "general-practitioner",
            "birthdate",
            "name:contains",
            "_tag",
            "link.name",
        ] {
            let answer = server.get(&format!("Patient?{name}={text}")).await;
            assert!([200, 400].contains(&answer.status), "{name}={text}: {}", answer.status);
        }
    }
}
