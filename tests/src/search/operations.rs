//! `$everything` and `$lastn`.

use super::{concept, found, observation, quantity, reference, server};
use serde_json::json;

#[tokio::test]
async fn everything_is_the_record_and_who_it_names() {
    let server = server(&[
        json!({ "resourceType": "Organization", "id": "h", "name": "H" }),
        json!({ "resourceType": "Practitioner", "id": "d" }),
        json!({ "resourceType": "Patient", "id": "p", "birthDate": "1950-01-01", "managingOrganization": reference("Organization/h") }),
        json!({ "resourceType": "Patient", "id": "q" }),
        observation("old", "g", "p", "2019-01-01", &quantity(1.0, "mg")),
        observation("new", "g", "p", "2026-01-01", &quantity(1.0, "mg")),
        observation("other", "g", "q", "2026-01-01", &quantity(1.0, "mg")),
        json!({ "resourceType": "Condition", "id": "c", "subject": reference("Patient/p"), "asserter": reference("Practitioner/d") }),
        json!({ "resourceType": "Encounter", "id": "e", "status": "finished", "subject": reference("Patient/p"),
            "class": { "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB" } }),
        json!({ "resourceType": "Procedure", "id": "op", "status": "completed", "subject": reference("Patient/p"),
            "encounter": reference("Encounter/e") }),
    ])
    .await;
    let everything = "Patient/p/$everything";
    assert_eq!(found(&server, everything).await, ["c", "d", "e", "h", "new", "old", "op", "p"]);
    let since = format!("{everything}?start=2025-01-01&end=2027");
    assert_eq!(found(&server, &since).await, ["c", "d", "e", "h", "new", "op", "p"]);
    let typed = format!("{everything}?_type=Observation,Condition");
    assert_eq!(found(&server, &typed).await, ["c", "d", "new", "old"]);
    assert_eq!(found(&server, &format!("{everything}?_since=2999")).await, Vec::<String>::new());
    assert_eq!(found(&server, "Encounter/e/$everything").await, ["e", "op"]);
    // Page by page it is the same.
    let mut next = Some(format!("{everything}?_count=2"));
    let mut all = Vec::new();
    while let Some(path) = next {
        let page = server.get(&path).await.expect(200);
        all.extend(page.ids());
        next = page.next();
    }
    all.sort();
    assert_eq!(all, ["c", "d", "e", "h", "new", "old", "op", "p"]);
    let inputs = json!({ "resourceType": "Parameters", "parameter": [{ "name": "_type", "valueCode": "Condition" }] });
    let posted = server.post(everything, &inputs).await.expect(200);
    assert_eq!(posted.ids(), ["c", "d"]);
    server.get("Patient/nobody/$everything").await.refused(404, "Patient/nobody");
    server.get("Patient/p/$everything?nmae=x").await.refused(400, "unknown parameter `nmae`");
    server.get("Patient/p/$everything?start=soon").await.refused(400, "start");
    server.get("Practitioner/d/$everything").await.refused(404, "$everything");
    server.delete("Patient/q").await.expect(204);
    server.get("Patient/q/$everything").await.refused(410, "deleted");
}

#[tokio::test]
async fn the_latest_of_each_code_is_answered() {
    let mut both = observation("both", "a", "p", "2026-03-01", &quantity(1.0, "mg"));
    both["code"] = json!({ "coding": [
        { "system": "http://loinc.org", "code": "a" }, { "system": "urn:own", "code": "alpha" },
    ] });
    let mut vital = observation("v", "b", "p", "2026-01-05", &quantity(1.0, "mg"));
    vital["category"] = json!([concept("urn:category", "vital-signs")]);
    let server = server(&[
        observation("a1", "a", "p", "2026-01-01", &quantity(1.0, "mg")),
        observation("a2", "a", "p", "2026-02-01", &quantity(1.0, "mg")),
        both,
        vital,
        observation("q", "a", "q", "2027-01-01", &quantity(1.0, "mg")),
    ])
    .await;
    let latest = async |inputs: &str| found(&server, &format!("Observation/$lastn?{inputs}")).await;
    assert_eq!(latest("patient=p&code=a,b").await, ["both", "v"]);
    assert_eq!(latest("max=2&patient=Patient/p&code=a,b").await, ["a2", "both", "v"]);
    assert_eq!(latest("subject=Patient/p&category=vital-signs").await, ["v"]);
    server.get("Observation/$lastn?code=a").await.refused(400, "needs patient");
    server.get("Observation/$lastn?patient=p").await.refused(400, "code or category");
    server.get("Observation/$lastn?patient=p&code=a&max=0").await.refused(400, "max is a number");
}
