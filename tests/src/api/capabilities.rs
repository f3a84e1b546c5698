//! capabilities (http.html#capabilities).

use crate::harness::TestServer;
use crate::search::sample;

#[tokio::test]
async fn inv_01_the_statement_is_a_valid_resource_and_true() {
    let server = TestServer::start().await;
    let statement = server.get("metadata").await.expect(200).json();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let issues = fhir_errors(&statement);
    assert_eq!(issues, Vec::<String>::new());
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    assert_eq!(resources.len(), 145);
    // Every search parameter claimed is one that a search takes.
    for resource in resources {
        let kind = resource["type"].as_str().unwrap();
        let parameters = resource["searchParam"].as_array().unwrap();
        let query: Vec<String> = parameters
            .iter()
            .map(|parameter| {
                let (name, of) = (&parameter["name"], &parameter["type"]);
                let (name, of) = (name.as_str().unwrap(), of.as_str().unwrap());
                format!("{name}={}", sample(name, of))
            })
            .collect();
        let request = server.request("GET", &format!("{kind}?{}", query.join("&")));
        server.send(request.header("prefer", "handling=strict")).await.expect(200);
    }
}

fn fhir_errors(resource: &serde_json::Value) -> Vec<String> {
    let issues = fhir::validate::resource(resource);
    let errors =
        issues.into_iter().filter(|issue| issue.severity == fhir::outcome::Severity::Error);
    errors.map(|issue| issue.text).collect()
}

#[tokio::test]
async fn another_mode_is_refused() {
    let server = TestServer::start().await;
    server.get("metadata?mode=full").await.expect(200);
    server.get("metadata?mode=terminology").await.refused(400, "mode=terminology");
}
