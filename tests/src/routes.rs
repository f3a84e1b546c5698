//! Every address that is served, asked by everybody who should not get anything there.

use crate::harness::{Answer, City, TestServer, options};
use access::Operation;
use serde_json::json;
use server::http::target::Target;
use server::routes::{Policy, ROUTES, What};

/// An address of each kind, so that a kind that is added asks for one.
fn addresses() -> Vec<&'static str> {
    let all = vec![
        "",
        "_search",
        "metadata",
        "_history",
        "Patient",
        "Patient/_search",
        "Patient/_history",
        "Patient/1",
        "Patient/1/_history",
        "Patient/1/_history/1",
        "Patient/1/Observation",
        "Patient/1/*",
        "AuditEvent",
        "AuditEvent/1",
        "Patient/1/$everything",
        "Encounter/1/$everything",
        "Observation/$lastn",
        "$reindex",
        "Patient/$reindex",
        "Patient/1/$break-glass",
        "$break-glass",
        "$review",
        "Patient/1/$sharing-preview",
        "Patient/1/$access-log",
        "Patient/1/$disclosures",
        "$consent-review",
    ];
    let mut kinds = [false; 12];
    let mut operations = [false; 10];
    for path in &all {
        let place = match Target::parse(path).unwrap() {
            Target::Base => 0,
            Target::SystemSearch => 1,
            Target::Capabilities => 2,
            Target::SystemHistory => 3,
            Target::Type(_) => 4,
            Target::TypeSearch(_) => 5,
            Target::TypeHistory(_) => 6,
            Target::Instance(..) => 7,
            Target::InstanceHistory(..) => 8,
            Target::Version(..) => 9,
            Target::Compartment(..) => 10,
            Target::Operation(operation, _, _) => {
                let place = match operation {
                    Operation::Everything => 0,
                    Operation::LastN => 1,
                    Operation::Reindex => 2,
                    Operation::BreakGlass => 3,
                    Operation::Openings => 4,
                    Operation::Review => 5,
                    Operation::SharingPreview => 6,
                    Operation::AccessLog => 7,
                    Operation::Disclosures => 8,
                    Operation::ConsentReview => 9,
                };
                operations[place] = true;
                11
            }
        };
        kinds[place] = true;
    }
    assert!(kinds.iter().chain(&operations).all(|is_there| *is_there));
    all
}

/// Each address with each method that it takes.
async fn everywhere(city: &City, token: Option<&str>) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    for path in addresses() {
        for method in Target::parse(path).unwrap().allow().split(", ") {
            let mut request = city.server.request(method, path);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            answers.push((format!("{method} {path}"), city.server.send(request).await));
        }
    }
    answers
}

fn is_for_anyone(what: &str) -> bool {
    what.starts_with("OPTIONS ") || ["GET metadata", "HEAD metadata"].contains(&what)
}

#[tokio::test]
async fn func_01_nothing_is_answered_without_a_token_but_what_says_so() {
    let city = City::start_with(&[("BUND_RATE_ADDRESS", "0")]).await;
    for route in &ROUTES {
        match (route.what, route.policy) {
            (What::Ready, _) => {
                city.server.is_ready(200).await;
            }
            (What::Alive | What::Figures, _) => {
                city.server.get_outside(route.path.trim_start_matches('/')).await.expect(200);
            }
            (What::Smart, Policy::Anyone) => {
                let answer = city.server.get(".well-known/smart-configuration").await;
                assert!([200, 503].contains(&answer.status), "{}", answer.text);
            }
            (What::Checkpoint | What::Consistency, Policy::Anyone) => {
                let answer = city.server.get_outside(route.path.trim_start_matches('/')).await;
                assert!([200, 400, 404].contains(&answer.status), "{}", answer.text);
            }
            (What::Inclusion, Policy::Decided) => {
                city.server.get_outside("audit/inclusion?event=0000000000000000").await.expect(401);
            }
            (What::Fhir, Policy::Decided) => {}
            (_, policy) => panic!("{}: {policy:?}", route.path),
        }
    }
    for (what, answer) in everywhere(&city, None).await {
        let expected = match is_for_anyone(&what) {
            true => [200, 204],
            false => [401, 401],
        };
        assert!(expected.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    }
}

#[tokio::test]
async fn func_01_no_role_without_a_scope_is_answered_anything() {
    let city = City::start_with(&[("BUND_RATE_PRINCIPAL", "0")]).await;
    for role in ["doctor", "operator", "auditor", "security-administrator", "btg-authorised"] {
        let token = city.token("ha", |claims| {
            claims["scope"] = json!("openid");
            claims["extensions"]["ihe_iua"]["subject_role"] = json!([{ "code": role }]);
        });
        for (what, answer) in everywhere(&city, Some(&token)).await {
            if is_for_anyone(&what) {
                continue;
            }
            // Those who run the server may see how its indexes are, which is about nobody.
            let is_own = match role {
                "operator" => what.contains("$reindex"),
                "auditor" if what.ends_with(" $consent-review") => true,
                "security-administrator" | "auditor" => what.ends_with(" $break-glass"),
                _ => false,
            };
            let is_refused = (400..500).contains(&answer.status);
            assert!(is_refused || is_own, "{role}: {what}: {} {}", answer.status, answer.text);
        }
    }
}

#[tokio::test]
async fn func_01_what_is_not_served_is_404() {
    let city = City::start().await;
    for path in [
        "",
        "admin",
        "config",
        "metrics/x",
        "metric",
        "livez/",
        "FHIR",
        "fhir2",
        "readyz/../metrics",
        "debug/pprof",
        ".env",
        "fhir/Nothing",
        "fhir/$shutdown",
        "fhir/metadata/x/y/z",
    ] {
        let answer = city.server.get_outside(path).await;
        let is_absent = [401, 404].contains(&answer.status) && path.starts_with("fhir/");
        // `..` never leaves the client.
        let is_figures = path.ends_with("/../metrics");
        assert!(is_absent || is_figures || answer.status == 404, "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn func_01_figures_are_for_this_machine() {
    let server = TestServer::start().await;
    server.get_outside("metrics").await.expect(200);
    let address = format!("{}/metrics", server.base.trim_end_matches("/fhir"));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for header in ["x-forwarded-for", "forwarded"] {
        let answer = client.get(&address).header(header, "for=127.0.0.1").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{header}");
    }
}

#[tokio::test]
async fn func_01_figures_have_a_listener_of_their_own() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let server = TestServer::start_with(options(&[("BUND_METRICS_LISTEN", &address)])).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let status = async |path: &str| {
        client.get(format!("http://{address}/{path}")).send().await.unwrap().status().as_u16()
    };
    for (path, expected) in [
        ("metrics", 200),
        ("livez", 200),
        ("readyz", 200),
        ("fhir/metadata", 404),
        ("fhir/Patient", 404),
        ("fhir/.well-known/smart-configuration", 404),
    ] {
        assert_eq!(status(path).await, expected, "{path}");
    }
    server.get_outside("metrics").await.expect(404);
    server.get_outside("livez").await.expect(200);
    server.get("metadata").await.expect(200);
}
