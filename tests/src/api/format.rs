//! JSON and XML, pretty or not (http.html#mime-type).

use crate::harness::{TestServer, patient};

#[tokio::test]
async fn a_resource_goes_in_as_xml_and_comes_out_as_either() {
    let server = TestServer::start().await;
    let xml = r#"<Patient xmlns="http://hl7.org/fhir"><active value="true"/><name><family value="Tao"/></name></Patient>"#;
    let request = server.request("POST", "Patient").header("content-type", "application/fhir+xml");
    let created =
        server.send(request.header("accept", "application/fhir+xml").body(xml)).await.expect(201);
    assert_eq!(created.header("content-type"), Some("application/fhir+xml; charset=utf-8"));
    assert!(created.text.contains(r#"<family value="Tao"/>"#), "{}", created.text);
    let id = created.header("location").unwrap().split('/').rev().nth(2).unwrap().to_owned();
    let json = server.get(&format!("Patient/{id}")).await.expect(200);
    assert_eq!(json.header("content-type"), Some("application/fhir+json; charset=utf-8"));
    assert_eq!(json.json()["name"][0]["family"], "Tao");
    let bundle = server.get("Patient?_format=xml").await.expect(200);
    assert!(bundle.text.contains("<Bundle xmlns=\"http://hl7.org/fhir\">"), "{}", bundle.text);
}

#[tokio::test]
async fn errors_have_the_format_asked_for() {
    let server = TestServer::start().await;
    let answer = server.get("Patient/none?_format=xml").await.expect(404);
    assert!(answer.text.starts_with("<?xml") || answer.text.starts_with("<OperationOutcome"));
    server.get("Patient?_format=ttl").await.refused(406, "_format=ttl");
    let request = server.request("GET", "Patient").header("accept", "text/csv");
    server.send(request).await.refused(406, "text/csv");
}

#[tokio::test]
async fn a_pretty_answer_is_indented() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Qi")).await;
    let pretty = server.get(&format!("{address}?_pretty=true")).await.expect(200);
    let plain = server.get(&address).await.expect(200);
    assert!(pretty.text.contains("\n  \"gender\": \"female\""));
    assert_eq!(pretty.json(), plain.json());
    server.get(&format!("{address}?_pretty=yes")).await.refused(400, "_pretty=yes");
}

#[tokio::test]
async fn a_body_without_a_known_type_is_refused() {
    let server = TestServer::start().await;
    for (kind, reason) in
        [("text/plain", "text/plain"), ("application/fhir+json; fhirVersion=3.0", "4.0")]
    {
        let request = server.request("POST", "Patient").header("content-type", kind);
        server.send(request.body(patient("Xie").to_string())).await.refused(415, reason);
    }
    let bare = server.request("POST", "Patient").body(patient("Xie").to_string());
    server.send(bare).await.refused(415, "Content-Type");
}

#[tokio::test]
async fn large_answers_are_compressed_for_clients_that_ask() {
    let server = TestServer::start().await;
    for number in 0..40 {
        server.create(&patient(&format!("P{number}"))).await;
    }
    let request = server.request("GET", "Patient").header("accept-encoding", "gzip");
    let large = server.send_raw(request).await;
    assert_eq!(large.header("content-encoding"), Some("gzip"));
    let request = server.request("GET", "Patient?_count=1").header("accept-encoding", "gzip");
    assert_ne!(server.send_raw(request).await.header("content-encoding"), Some("gzip"));
}
