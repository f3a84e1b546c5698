//! Bodies and headers that nobody should send: each a clear refusal, and the server alive after all of them.

use crate::harness::{TestServer, options, patient};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn alive(server: &TestServer) {
    server.post("Patient", &patient("Alive")).await.expect(201);
}

#[tokio::test]
async fn dos_02_malformed_bodies_are_refused() {
    let server = TestServer::start().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let nested = format!(
        "{{\"resourceType\":\"Patient\",\"contact\":{}{}}}",
        "[".repeat(200),
        "]".repeat(200)
    );
    for (body, reason) in [
        (&b""[..], "empty"),
        (b"   ", "empty"),
        (b"{", "EOF"),
        (b"{\"resourceType\":\"Patient\"", "EOF"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b"{\"resourceType\":\"Patient\",\"resourceType\":\"Patient\"}", "appears twice"),
        (deep.as_bytes(), "nested deeper"),
        (nested.as_bytes(), "nested deeper"),
        (b"[]", "resourceType"),
        (b"null", "resourceType"),
        (b"\"text\"", "resourceType"),
        (b"{\"resourceType\":5}", "resourceType"),
    ] {
        let request =
            server.request("POST", "Patient").header("content-type", "application/fhir+json");
        server.send(request.body(body.to_vec())).await.refused(400, reason);
    }
    alive(&server).await;
}

#[tokio::test]
async fn dos_03_malformed_xml_is_refused() {
    let server = TestServer::start().await;
    for body in [
        "<Patient",
        "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"></Patient>",
        "<!DOCTYPE x [<!ENTITY e \"ee\">]><Patient xmlns=\"http://hl7.org/fhir\"><id value=\"&e;\"/></Patient>",
        "<Patient xmlns=\"urn:other\"/>",
        "<Patient xmlns=\"http://hl7.org/fhir\"><nothing value=\"1\"/></Patient>",
        "not xml",
    ] {
        let request =
            server.request("POST", "Patient").header("content-type", "application/fhir+xml");
        let answer = server.send(request.body(body)).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(!answer.diagnostics().is_empty());
    }
    alive(&server).await;
}

#[tokio::test]
async fn dos_01_a_body_that_is_too_large_is_refused() {
    let server = TestServer::start_with(options(&[("BUND_BODY_BYTES_MAX", "2000")])).await;
    let request = server.request("POST", "Patient").header("content-type", "application/fhir+json");
    server.send(request.body(" ".repeat(3_000))).await.refused(413, "2000 bytes");
    alive(&server).await;
}

#[tokio::test]
async fn dos_08_a_body_that_never_comes_is_given_up() {
    let server = TestServer::start_with(options(&[("BUND_REQUEST_TIMEOUT_MS", "300")])).await;
    let address = server.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    alive(&server).await;
}

#[tokio::test]
async fn absurd_headers_are_refused() {
    let server = TestServer::start().await;
    for (name, value, status) in [
        ("if-match", "abc", 400),
        ("if-none-match", "W/\"", 400),
        ("accept", "nothing", 406),
        ("content-type", "application/fhir+json; charset=latin1", 415),
    ] {
        let request = server.json(
            "PUT",
            "Patient/1",
            &serde_json::json!({ "resourceType": "Patient", "id": "1" }),
        );
        let answer = server.send_with(request, name, value).await;
        assert_eq!(answer.status, status, "{name}: {value}: {}", answer.text);
        answer.diagnostics();
    }
    let raw = server.request("GET", "Patient/1").header("if-none-match", &b"\xff\xfe"[..]);
    server.send(raw).await.refused(400, "not ASCII");
    alive(&server).await;
}

#[tokio::test]
async fn what_is_just_not_too_deep_is_stored_and_read_in_both_formats() {
    let server = TestServer::start().await;
    let mut inner = serde_json::json!({ "url": "urn:x", "valueString": "deep" });
    for _ in 0..47 {
        inner = serde_json::json!({ "url": "urn:x", "extension": [inner] });
    }
    let mut resource = patient("Deep");
    resource["extension"] = serde_json::json!([inner]);
    let address = server.create(&resource).await;
    let read = server.get(&address).await.expect(200);
    assert_eq!(read.json()["extension"], resource["extension"]);
    server.get(&format!("{address}?_format=xml")).await.expect(200);
    alive(&server).await;
}

#[tokio::test]
async fn sql_01_quotes_and_wildcards_are_only_text() {
    let server = TestServer::start().await;
    alive(&server).await;
    for value in ["'", "';DROP TABLE patient;--", "%25", "_", "*", "\\", "$1", "%00", "%7F"] {
        for parameter in
            ["name", "identifier", "_id", "general-practitioner", "_profile", "_lastUpdated"]
        {
            let answer = server.get(&format!("Patient?{parameter}={value}")).await;
            assert!([200, 400].contains(&answer.status), "{parameter}={value}: {}", answer.text);
            if answer.status == 200 {
                assert_eq!(answer.ids().len(), 0, "{parameter}={value}");
            }
        }
    }
    alive(&server).await;
}

/// A transaction of entries that create, each with its `fullUrl`.
fn transaction(entries: impl Iterator<Item = (String, Value)>) -> Value {
    let entries: Vec<Value> = entries
        .map(|(url, resource)| {
            let kind = resource["resourceType"].as_str().unwrap();
            json!({ "fullUrl": url, "request": { "method": "POST", "url": kind }, "resource": resource })
        })
        .collect();
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn urn(number: u32) -> String {
    format!("urn:uuid:00000000-0000-4000-8000-{number:012x}")
}

#[tokio::test]
async fn dos_04_bundles_have_bounds() {
    let server = TestServer::start().await;
    let many = transaction((0..5_001).map(|number| (urn(number), patient("Many"))));
    server.post("", &many).await.refused(413, "has 5001 entries");
    // In a circle, each refers to the next.
    let circle = transaction((0..200).map(|number| {
        let mut resource = patient("Circle");
        resource["link"] =
            json!([{ "other": { "reference": urn((number + 1) % 200) }, "type": "seealso" }]);
        (urn(number), resource)
    }));
    let made = server.post("", &circle).await.expect(200);
    assert_eq!(made.json()["entry"].as_array().unwrap().len(), 200);
    // References by criteria that mean nothing: refused, and nothing is left of the others.
    let vague = transaction((0..5_000).map(|number| {
        let mut resource = patient("Vague");
        let to = |place| json!({ "other": { "reference": format!("Patient?identifier=urn:none|{number}-{place}") }, "type": "seealso" });
        resource["link"] = json!([to(0), to(1)]);
        (urn(number), resource)
    }));
    let answer = server.post("", &vague).await;
    assert_eq!(answer.status, 412, "{}", answer.text.chars().take(400).collect::<String>());
    assert_eq!(server.get("Patient?name=Vague").await.expect(200).ids().len(), 0);
    alive(&server).await;
}

#[tokio::test]
async fn dos_05_searches_have_bounds() {
    let server = TestServer::start().await;
    for (search, reason) in [
        (format!("Patient?name={}", vec!["a"; 1_001].join(",")), "at most 1000"),
        (format!("Patient?{}_id=x", "gender=male&".repeat(64)), "at most 64"),
        (format!("Patient?_sort={}", ["name"; 9].join(",")), "at most 8"),
        (format!("Patient?_include={}", ["Patient:link"; 33].join(",")), "more than 32"),
        (format!("Patient?{}name=x", "link.".repeat(20)), "too many resources"),
        (format!("Patient?_filter={}", "(".repeat(500)), ""),
    ] {
        server.get(&search).await.refused(400, reason);
    }
    // More than the largest page is the largest page.
    let page = server.get("Patient?_count=1000000").await.expect(200).json();
    assert!(page["link"][0]["url"].as_str().unwrap().contains("_count=1000"), "{page}");
    alive(&server).await;
}
