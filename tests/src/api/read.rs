//! read and vread (http.html#read, #vread, #cread).

use crate::harness::{TestServer, patient};
use serde_json::json;

#[tokio::test]
async fn what_was_never_there_is_404_and_what_was_deleted_is_410() {
    let server = TestServer::start().await;
    server.get("Patient/none").await.refused(404, "Patient/none is not known");
    let address = server.create(&patient("Zhao")).await;
    server.delete(&address).await.expect(204);
    server.get(&address).await.refused(410, "deleted");
    server.get(&format!("{address}/_history/1")).await.expect(200);
    server.get(&format!("{address}/_history/2")).await.refused(410, "deleted");
    server.get(&format!("{address}/_history/3")).await.refused(404, "not known");
    server.get(&format!("{address}/_history/x")).await.refused(404, "not known");
}

#[tokio::test]
async fn every_version_can_be_read() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Qian")).await;
    let id = address.split('/').nth(1).unwrap();
    for family in ["Sun", "Li"] {
        let mut next = patient(family);
        next["id"] = json!(id);
        server.put(&address, &next).await.expect(200);
    }
    for (version, family) in [(1, "Qian"), (2, "Sun"), (3, "Li")] {
        let found = server.get(&format!("{address}/_history/{version}")).await.expect(200);
        assert_eq!(found.json()["name"][0]["family"], family);
        assert_eq!(found.json()["meta"]["versionId"], version.to_string());
        assert_eq!(found.header("etag"), Some(format!("W/\"{version}\"").as_str()));
    }
}

#[tokio::test]
async fn a_client_that_has_the_version_gets_304() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Zhou")).await;
    let read = server.get(&address).await.expect(200);
    let modified = read.header("last-modified").unwrap().to_owned();
    for (name, value, status) in [
        ("if-none-match", "W/\"1\"", 304),
        ("if-none-match", "W/\"2\"", 200),
        ("if-modified-since", modified.as_str(), 304),
        ("if-modified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("if-modified-since", "no date", 200),
    ] {
        let answer = server.send(server.request("GET", &address).header(name, value)).await;
        assert_eq!(answer.status, status, "{name}: {value}");
        assert_eq!(answer.text.is_empty(), status == 304);
        assert_eq!(answer.header("etag"), Some("W/\"1\""));
    }
    let malformed = server.request("GET", &address).header("if-none-match", "1");
    server.send(malformed).await.refused(400, "not an entity tag");
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_names_the_methods() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Wu")).await;
    let head = server.send(server.request("HEAD", &address)).await.expect(200);
    assert_eq!((head.text.as_str(), head.header("etag")), ("", Some("W/\"1\"")));
    let options = server.send(server.request("OPTIONS", &address)).await.expect(204);
    assert_eq!(options.header("allow"), Some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
    let post = server.post(&address, &patient("Wu")).await;
    post.refused(405, "GET, HEAD, PUT");
    assert_eq!(post.header("allow"), Some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
}

#[tokio::test]
async fn parts_can_be_asked_for() {
    let server = TestServer::start().await;
    let mut resource = patient("Zheng");
    resource["text"] = json!({ "status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">Z</div>" });
    let address = server.create(&resource).await;
    let elements = server.get(&format!("{address}?_elements=gender")).await.expect(200).json();
    assert_eq!(elements["gender"], "female");
    assert_eq!(elements["birthDate"], json!(null));
    assert_eq!(elements["meta"]["tag"][0]["code"], "SUBSETTED");
    let data = server.get(&format!("{address}?_summary=data")).await.expect(200).json();
    assert_eq!((&data["text"], &data["gender"]), (&json!(null), &json!("female")));
    let text = server.get(&format!("{address}?_summary=text")).await.expect(200).json();
    assert_eq!((&text["text"]["status"], &text["gender"]), (&json!("generated"), &json!(null)));
    server.get(&format!("{address}?_summary=some")).await.refused(400, "_summary=some");
}

#[tokio::test]
async fn an_address_that_is_nothing_says_so() {
    let server = TestServer::start().await;
    server.get("Patient/a_b").await.refused(400, "not an id");
    server.get("Organization/1/Observation").await.refused(404, "compartment");
    server.get("Patient/1/$nothing").await.refused(404, "$nothing");
    server.get("Patient/%E7%8E").await.refused(400, "percent-encoding");
    server.get("Patient/1?x=1").await.refused(400, "unknown parameter `x`");
    server.get_outside("elsewhere").await.refused(404, "under /fhir");
    assert_eq!(server.get_outside("livez").await.status, 200);
    assert_eq!(server.get_outside("readyz").await.status, 200);
}
