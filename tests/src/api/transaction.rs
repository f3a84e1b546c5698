//! transaction (http.html#transaction).

use crate::harness::{TestServer, entry, observation, options, patient, transaction};
use serde_json::{Value, json};

fn named(url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(url);
    entry
}

fn statuses(answer: &Value) -> Vec<String> {
    let entries = answer["entry"].as_array().unwrap();
    entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn entries_refer_to_each_other_by_full_url() {
    let server = TestServer::start().await;
    let mut about = observation("urn:uuid:0193-p");
    about["text"] = json!({
        "status": "generated",
        "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"urn:uuid:0193-p\">who</a></div>",
    });
    about["extension"] = json!([{ "url": "http://example.org/e", "valueUri": "urn:uuid:0193-p" }]);
    let bundle = transaction(vec![
        named("urn:uuid:0193-o", entry("POST", "Observation", Some(about))),
        named("urn:uuid:0193-p", entry("POST", "Patient", Some(patient("Jia")))),
    ]);
    let answer = server.post("", &bundle).await.expect(200).json();
    assert_eq!(answer["type"], "transaction-response");
    assert_eq!(statuses(&answer), ["201 Created", "201 Created"]);
    let address = format!("Patient/{}", answer["entry"][1]["resource"]["id"].as_str().unwrap());
    let stored = &answer["entry"][0]["resource"];
    assert_eq!(stored["subject"]["reference"], address.as_str());
    assert_eq!(stored["extension"][0]["valueUri"], address.as_str());
    assert!(stored["text"]["div"].as_str().unwrap().contains(&format!("href=\"{address}\"")));
    let found = server.get(&format!("Observation?subject={address}")).await.ids();
    assert_eq!(found, [stored["id"].as_str().unwrap()]);
}

#[tokio::test]
async fn references_relative_to_the_full_url_are_followed() {
    let server = TestServer::start().await;
    let bundle = transaction(vec![
        named(
            "http://old.example.org/fhir/Patient/7",
            entry("POST", "Patient", Some(patient("Lu"))),
        ),
        named(
            "http://old.example.org/fhir/Observation/8",
            entry("POST", "Observation", Some(observation("Patient/7"))),
        ),
    ]);
    let answer = server.post("", &bundle).await.expect(200).json();
    let address = format!("Patient/{}", answer["entry"][0]["resource"]["id"].as_str().unwrap());
    assert_eq!(answer["entry"][1]["resource"]["subject"]["reference"], address.as_str());
}

#[tokio::test]
async fn entries_may_refer_to_themselves_and_in_circles() {
    let server = TestServer::start().await;
    let person = |name: &str, other: &str| {
        let mut resource = patient(name);
        resource["link"] = json!([{ "other": { "reference": other }, "type": "seealso" }]);
        entry("POST", "Patient", Some(resource))
    };
    let bundle = transaction(vec![
        named("urn:uuid:a", person("A", "urn:uuid:a")),
        named("urn:uuid:b", person("B", "urn:uuid:c")),
        named("urn:uuid:c", person("C", "urn:uuid:b")),
    ]);
    let answer = server.post("", &bundle).await.expect(200).json();
    let address = |place: usize| {
        json!(format!("Patient/{}", answer["entry"][place]["resource"]["id"].as_str().unwrap()))
    };
    let link =
        |place: usize| answer["entry"][place]["resource"]["link"][0]["other"]["reference"].clone();
    assert_eq!((link(0), link(1), link(2)), (address(0), address(2), address(1)));
}

#[tokio::test]
async fn conditional_references_mean_exactly_one_resource() {
    let server = TestServer::start().await;
    let known = server.create(&patient("Jiang")).await;
    let about = |name: &str| {
        entry(
            "POST",
            "Observation",
            Some(observation(&format!("Patient?identifier=urn:test|{name}"))),
        )
    };
    let answer = server.post("", &transaction(vec![about("Jiang")])).await.expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["subject"]["reference"], known.as_str());

    // A resource of the same bundle is found as well.
    let both = transaction(vec![about("Tong"), entry("POST", "Patient", Some(patient("Tong")))]);
    let answer = server.post("", &both).await.expect(200).json();
    let address = format!("Patient/{}", answer["entry"][1]["resource"]["id"].as_str().unwrap());
    assert_eq!(answer["entry"][0]["resource"]["subject"]["reference"], address.as_str());

    server.post("", &transaction(vec![about("nobody")])).await.refused(412, "no resource matches");
    server.create(&patient("Jiang")).await;
    server
        .post("", &transaction(vec![about("Jiang")]))
        .await
        .refused(412, "several resources match");
}

#[tokio::test]
async fn all_or_nothing() {
    let server = TestServer::start().await;
    let kept = server.create(&patient("Yan")).await;
    let mut invalid = patient("Guo");
    invalid["gender"] = json!("f");
    invalid["unknown"] = json!(1);
    let bundle = transaction(vec![
        entry("POST", "Patient", Some(patient("Mei"))),
        entry("DELETE", &kept, None),
        entry("POST", "Patient", Some(invalid)),
        entry("POST", "Observation", Some(json!({ "resourceType": "Observation" }))),
    ]);
    let refused = server.post("", &bundle).await.expect(422);
    let places: Vec<String> = refused.json()["issue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["expression"][0].as_str().unwrap().to_owned())
        .collect();
    assert!(places.contains(&"Bundle.entry[2].resource.gender".to_owned()), "{places:?}");
    assert!(places.iter().any(|place| place.starts_with("Bundle.entry[3].resource")), "{places:?}");
    server.get(&kept).await.expect(200);
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}

#[tokio::test]
async fn a_failed_precondition_undoes_everything() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Lin")).await;
    let mut resource = server.get(&address).await.json();
    resource["gender"] = json!("male");
    let mut guarded = entry("PUT", &address, Some(resource));
    guarded["request"]["ifMatch"] = json!("W/\"5\"");
    let bundle = transaction(vec![entry("POST", "Patient", Some(patient("Diao"))), guarded]);
    let refused = server.post("", &bundle).await;
    refused.refused(412, "current version is 1");
    assert_eq!(refused.json()["issue"][0]["expression"][0], "Bundle.entry[1]");
    assert_eq!(server.get("Patient").await.ids().len(), 1);
}

#[tokio::test]
async fn every_interaction_can_be_an_entry_and_reads_see_the_changes() {
    let server = TestServer::start().await;
    let gone = server.create(&patient("Xu")).await;
    let patched = server.create(&patient("Qiu")).await;
    let mut chosen = patient("Luo");
    chosen["id"] = json!("luo");
    let patch = json!({
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        // [{"op":"replace","path":"/gender","value":"male"}]
        "data": "W3sib3AiOiJyZXBsYWNlIiwicGF0aCI6Ii9nZW5kZXIiLCJ2YWx1ZSI6Im1hbGUifV0=",
    });
    let mut once = entry("POST", "Patient", Some(patient("Gao")));
    once["request"]["ifNoneExist"] = json!("identifier=urn:test|Gao");
    let bundle = transaction(vec![
        entry("GET", "Patient/luo", None),
        entry("GET", "Patient?identifier=urn:test|Gao", None),
        entry("PUT", "Patient/luo", Some(chosen)),
        entry("PATCH", &patched, Some(patch)),
        once.clone(),
        entry("DELETE", &gone, None),
        entry("GET", &format!("{patched}/_history/1"), None),
    ]);
    let answer = server.post("", &bundle).await.expect(200).json();
    assert_eq!(
        statuses(&answer),
        ["200 OK", "200 OK", "201 Created", "200 OK", "201 Created", "204 No Content", "200 OK"]
    );
    assert_eq!(answer["entry"][0]["resource"]["id"], "luo");
    assert_eq!(answer["entry"][1]["resource"]["entry"].as_array().unwrap().len(), 1);
    assert_eq!(answer["entry"][3]["resource"]["gender"], "male");
    server.get(&gone).await.expect(410);
    let again = server.post("", &transaction(vec![once])).await.expect(200).json();
    assert_eq!(statuses(&again), ["200 OK"]);
    let missing = transaction(vec![
        entry("POST", "Patient", Some(patient("Xia"))),
        entry("GET", "Patient/none", None),
    ]);
    server.post("", &missing).await.refused(404, "not known");
}

#[tokio::test]
async fn a_resource_is_changed_once() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Cai")).await;
    let resource = server.get(&address).await.json();
    let twice =
        transaction(vec![entry("DELETE", &address, None), entry("PUT", &address, Some(resource))]);
    server.post("", &twice).await.refused(400, "changed more than once");
    let by_criteria = transaction(vec![
        entry("DELETE", &address, None),
        entry("DELETE", "Patient?identifier=urn:test|Cai", None),
    ]);
    server.post("", &by_criteria).await.expect(200);
    let same_name =
        |family: &str| named("urn:uuid:1", entry("POST", "Patient", Some(patient(family))));
    server
        .post("", &transaction(vec![same_name("A"), same_name("B")]))
        .await
        .refused(400, "given to two entries");
}

#[tokio::test]
async fn the_answer_can_be_short() {
    let server = TestServer::start().await;
    let bundle = transaction(vec![entry("POST", "Patient", Some(patient("Tian")))]);
    let request = server.json("POST", "", &bundle).header("prefer", "return=minimal");
    let answer = server.send(request).await.expect(200).json();
    assert_eq!(answer["entry"][0]["resource"], json!(null));
    assert!(answer["entry"][0]["response"]["location"].as_str().unwrap().ends_with("/_history/1"));
    let request = server.json("POST", "", &bundle).header("prefer", "return=OperationOutcome");
    let answer = server.send(request).await.expect(200).json();
    assert_eq!(answer["entry"][0]["response"]["outcome"]["resourceType"], "OperationOutcome");
}

#[tokio::test]
async fn a_bundle_that_makes_no_sense_is_refused() {
    let server = TestServer::start_with(options(&[("BUND_BUNDLE_ENTRIES_MAX", "3")])).await;
    server.post("", &patient("Fan")).await.refused(400, "takes a Bundle");
    server
        .post("", &json!({ "resourceType": "Bundle", "type": "searchset" }))
        .await
        .refused(400, "cannot be processed");
    server
        .post("", &json!({ "resourceType": "Bundle", "type": "transaction", "entry": 5 }))
        .await
        .refused(400, "must be an array");
    let many = (0..4).map(|_| entry("POST", "Patient", Some(patient("x")))).collect();
    server.post("", &transaction(many)).await.refused(413, "has 4 entries");
    for (broken, reason) in [
        (json!({}), "request.method"),
        (json!({ "request": { "method": "EAT", "url": "Patient" } }), "request.method"),
        (json!({ "request": { "method": "GET" } }), "request.url"),
        (json!({ "request": { "method": "POST", "url": "" } }), "cannot be an entry"),
        (json!({ "request": { "method": "GET", "url": "metadata" } }), "cannot be an entry"),
        (json!({ "request": { "method": "POST", "url": "Patient" } }), "body is empty"),
    ] {
        server.post("", &transaction(vec![broken])).await.refused(400, reason);
    }
    server.post("", &transaction(vec![])).await.expect(200);
}
