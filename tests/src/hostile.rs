//! Bodies and headers that nobody should send: each a clear refusal, and the server alive after all of them.

use crate::harness::{TestServer, options, patient};
use serde_json::{Value, json};
use std::time::Duration;
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
    let server = TestServer::start_with(options(&[("BUND_REQUEST_TIMEOUT_MS", "1500")])).await;
    let address = server.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
    alive(&server).await;
}

/// The beginning of what is answered to these bytes, and whether the connection is closed then.
async fn raw(server: &TestServer, bytes: &[u8]) -> String {
    let address = server.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who is refused early may have hung up before all is sent.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn dos_08_headers_that_never_end_are_given_up() {
    let server = TestServer::start_with(options(&[("BUND_REQUEST_TIMEOUT_MS", "1500")])).await;
    let answer = raw(&server, b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // A connection on which nothing is asked any more is closed, too.
    let answer = raw(&server, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive\n"), "{answer}");
    alive(&server).await;
}

#[tokio::test]
async fn dos_08_headers_are_bounded_in_number_and_size() {
    let server = TestServer::start().await;
    let get = |address: &str, headers: &[(String, String)]| {
        let mut request = server.request("GET", address);
        for (name, value) in headers {
            request = request.header(name.as_str(), value.as_str());
        }
        server.send(request)
    };
    let many = |number: usize, bytes: usize| -> Vec<(String, String)> {
        (0..number).map(|place| (format!("x-{place}"), "y".repeat(bytes))).collect()
    };
    get("metadata", &many(50, 10)).await.expect(200);
    get("metadata", &many(70, 10)).await.refused(431, "headers");
    get("metadata", &many(10, 4_000)).await.expect(200);
    get("metadata", &many(10, 6_000)).await.refused(431, "headers");
    // What HTTP itself does not take is answered without a word.
    assert_eq!(get("metadata", &many(200, 10)).await.status, 431);
    let flood =
        format!("GET /fhir/metadata HTTP/1.1\r\nHost: x\r\nX-Flood: {}", "y".repeat(200_000));
    let answer = raw(&server, flood.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = |bytes: usize| format!("Patient?identifier={}", "1".repeat(bytes));
    get(&long(30_000), &[]).await.expect(200);
    get(&long(34_000), &[]).await.refused(414, "POST the parameters to _search");
    let longer = format!("GET /fhir/{} HTTP/1.1\r\nHost: x\r\n\r\n", long(66_000));
    assert!(raw(&server, longer.as_bytes()).await.starts_with("HTTP/1.1 400"));
    alive(&server).await;
}

#[tokio::test]
async fn scope_11_a_token_may_have_16_kilobytes() {
    let server = TestServer::start().await;
    let with = |bytes: usize| {
        let value = format!("Bearer {}", "a".repeat(bytes - "Bearer ".len()));
        server.send(server.request("GET", "metadata").header("authorization", value))
    };
    with(16 << 10).await.expect(200);
    with((16 << 10) + 1).await.refused(431, "Authorization");
    alive(&server).await;
}

/// HTTP/2 is left to the proxy in front: there are no streams here, so none can be opened and reset in a flood.
#[tokio::test]
async fn dos_08_no_streams_can_be_reset() {
    let server = TestServer::start().await;
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS, and a thousand resets of streams.
    preface.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for stream in 0..1_000_u32 {
        preface.extend([0, 0, 4, 3, 0]);
        preface.extend((stream * 2 + 1).to_be_bytes());
        preface.extend([0, 0, 0, 8]);
    }
    let answer = raw(&server, &preface).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    let upgrade = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = raw(&server, upgrade.as_bytes()).await;
    assert!(!answer.starts_with("HTTP/1.1 101"), "{answer}");
    alive(&server).await;
}

#[tokio::test]
async fn dos_08_connections_are_bounded_and_freed() {
    let server = TestServer::start_with(options(&[("BUND_CONNECTIONS_MAX", "16")])).await;
    let address = server.base.trim_start_matches("http://").trim_end_matches("/fhir");
    let ask = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut answer = vec![0; 12];
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ask).await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        open.push(stream);
    }
    let mut outside = TcpStream::connect(address).await.unwrap();
    outside.write_all(ask).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(200), outside.read(&mut answer)).await;
    assert!(waited.is_err(), "one more was let in");
    open.clear();
    outside.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
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
