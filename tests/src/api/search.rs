//! search in its plain form (search.html).

use crate::harness::{TestServer, observation, patient};
use serde_json::json;

async fn count(server: &TestServer, query: &str) -> usize {
    server.get(query).await.expect(200).ids().len()
}

#[tokio::test]
async fn tokens_strings_references_and_uris_find_their_resources() {
    let server = TestServer::start().await;
    let mut resource = patient("Müller");
    resource["meta"] = json!({ "tag": [{ "system": "urn:tags", "code": "vip" }], "profile": ["http://example.org/p"] });
    resource["name"][0]["text"] = json!("王小明");
    resource["telecom"] =
        json!([{ "system": "phone", "value": "021-1" }, { "system": "email", "value": "a@b" }]);
    resource["link"] = json!([{ "other": { "reference": "Patient/other" }, "type": "seealso" }]);
    let address = server.create(&resource).await;
    let about = server.create(&observation(&address)).await;
    let id = address.strip_prefix("Patient/").unwrap();
    for (query, expected) in [
        ("Patient?identifier=urn:test|M%C3%BCller", 1),
        ("Patient?identifier=M%C3%BCller", 1),
        ("Patient?identifier=urn:test|", 1),
        ("Patient?identifier=|M%C3%BCller", 0),
        ("Patient?identifier=urn:other|M%C3%BCller", 0),
        ("Patient?gender=female", 1),
        ("Patient?gender=http://hl7.org/fhir/administrative-gender|female", 1),
        ("Patient?gender=male,female", 1),
        ("Patient?gender=male", 0),
        ("Patient?family=mull", 1),
        ("Patient?name=%E7%8E%8B", 1),
        ("Patient?name=ann&gender=female", 1),
        ("Patient?name=nobody,ann", 1),
        ("Patient?family=uller", 0),
        ("Patient?phone=021-1", 1),
        ("Patient?email=021-1", 0),
        ("Patient?deceased=false", 1),
        ("Patient?deceased=true", 0),
        ("Patient?_tag=urn:tags|vip", 1),
        ("Patient?_profile=http://example.org/p", 1),
        ("Patient?link=Patient/other", 1),
        ("Patient?link=other", 1),
        ("Patient?_lastUpdated=ge2020&_lastUpdated=lt2999", 1),
        ("Patient?_lastUpdated=2020", 0),
        ("Patient?_lastUpdated=ne2020", 1),
        ("Observation?code=http://loinc.org|8480-6", 1),
        ("Observation?code=8480-6&status=final", 1),
        ("Observation?subject=Group/1", 0),
        ("Basic?code=x", 0),
    ] {
        assert_eq!(count(&server, query).await, expected, "{query}");
    }
    for form in [id.to_owned(), address.clone(), format!("{}/{address}", server.base)] {
        assert_eq!(
            server.get(&format!("Observation?subject={form}")).await.ids().len(),
            1,
            "{form}"
        );
        assert_eq!(
            server.get(&format!("Observation?patient={form}&code=8480-6")).await.ids().len(),
            1,
            "{form}"
        );
    }
    assert_eq!(server.get(&format!("Patient?_id={id},none")).await.ids(), [id]);
    server.delete(&about).await.expect(204);
    assert_eq!(count(&server, "Observation?code=8480-6").await, 0);
}

#[tokio::test]
async fn an_update_is_found_by_its_new_values_only() {
    let server = TestServer::start().await;
    let address = server.create(&patient("Old")).await;
    let mut resource = server.get(&address).await.json();
    resource["name"][0]["family"] = json!("New");
    resource["identifier"][0]["value"] = json!("New");
    server.put(&address, &resource).await.expect(200);
    for (query, expected) in [
        ("Patient?family=old", 0),
        ("Patient?family=new", 1),
        ("Patient?given=ann", 1),
        ("Patient?identifier=Old", 0),
        ("Patient?identifier=New", 1),
    ] {
        assert_eq!(count(&server, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_lose_nothing() {
    let server = TestServer::start().await;
    for number in 0..11 {
        server.create(&patient(&format!("P{number}"))).await;
    }
    for query in ["Patient?_count=3", "Patient?gender=female&_count=4", "Patient?family=p&_count=5"]
    {
        let mut found = Vec::new();
        let mut next = Some(query.to_owned());
        while let Some(path) = next {
            let page = server.get(&path).await.expect(200);
            found.extend(page.ids());
            next = page.next();
        }
        assert_eq!(found.len(), 11, "{query}");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 11, "{query}");
    }
    let counted = server.get("Patient?family=p1&_summary=count").await.expect(200).json();
    assert_eq!((&counted["total"], &counted["entry"]), (&json!(2), &json!(null)));
    let total = server.get("Patient?_count=2&_total=accurate").await.expect(200).json();
    assert_eq!((&total["total"], total["entry"].as_array().unwrap().len()), (&json!(11), 2));
    server.get("Patient?_count=0").await.expect(200);
    server.get("Patient?_count=x").await.refused(400, "_count=x");
    server.get("Patient?_cursor=x").await.refused(404, "_cursor");
}

#[tokio::test]
async fn a_form_can_be_posted() {
    let server = TestServer::start().await;
    server.create(&patient("Form")).await;
    let request = server.request("POST", "Patient/_search?gender=female");
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body("family=form");
    let found = server.send(request).await.expect(200);
    assert_eq!(found.ids().len(), 1);
    let link = found.json()["link"][0]["url"].as_str().unwrap().to_owned();
    assert!(link.ends_with("Patient?gender=female&family=form"), "{link}");
    server.post("Patient/_search", &json!({})).await.refused(415, "takes a form");
}

#[tokio::test]
async fn what_is_unknown_is_never_silently_ignored() {
    let server = TestServer::start().await;
    server.create(&patient("Lenient")).await;
    let lenient = server.get("Patient?nmae=x&gender=female").await.expect(200).json();
    assert!(lenient["link"][0]["url"].as_str().unwrap().ends_with("Patient?gender=female"));
    let outcome = &lenient["entry"][1];
    assert_eq!(outcome["search"]["mode"], "outcome");
    assert!(outcome["resource"]["issue"][0]["diagnostics"].as_str().unwrap().contains("nmae"));
    let strict = server.request("GET", "Patient?nmae=x").header("prefer", "handling=strict");
    server.send(strict).await.refused(400, "unknown parameter `nmae`; Patient has: name");
    for query in ["_query=x", "name:above=x", "gender:text=x", "_list=$current"] {
        server.get(&format!("Patient?{query}")).await.refused(400, "not supported");
    }
    server.get("Patient?identifier=").await.refused(400, "a value is missing");
}
