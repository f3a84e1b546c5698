//! Order, pages, and what happens to them while others write.

use super::{observation, quantity, server};
use crate::harness::TestServer;
use serde_json::{Value, json};

/// The ids and versions of all pages, in order; `between` is done after the first.
async fn walk(server: &TestServer, search: &str, between: impl AsyncFn()) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut next = Some(search.to_owned());
    let mut is_first = true;
    while let Some(path) = next {
        let page = server.get(&path).await.expect(200);
        let bundle = page.json();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            all.push((text(&resource["id"]), text(&resource["meta"]["versionId"])));
        }
        next = page.next();
        if is_first {
            between().await;
            is_first = false;
        }
    }
    all
}

async fn ids(server: &TestServer, search: &str) -> Vec<String> {
    walk(server, search, async || {}).await.into_iter().map(|(id, _)| id).collect()
}

#[tokio::test]
async fn matches_come_in_the_order_that_is_asked_for() {
    let patient = |id: &str, family: Option<&str>, birth: Option<&str>| {
        let mut patient = json!({ "resourceType": "Patient", "id": id });
        family.into_iter().for_each(|family| patient["name"] = json!([{ "family": family }]));
        birth.into_iter().for_each(|birth| patient["birthDate"] = json!(birth));
        patient
    };
    let server = server(&[
        patient("a", Some("Chen"), Some("1990-01-01")),
        patient("b", Some("bai"), None),
        patient("c", None, Some("1970")),
        patient("d", Some("An"), Some("1990-01-01")),
        patient("e", Some("Chen"), Some("1980-05-05")),
    ])
    .await;
    for (sort, expected) in [
        ("_lastUpdated", ["a", "b", "c", "d", "e"]),
        ("-_lastUpdated", ["e", "d", "c", "b", "a"]),
        ("birthdate", ["c", "e", "a", "d", "b"]),
        ("-birthdate", ["d", "a", "e", "c", "b"]),
        ("family", ["d", "b", "a", "e", "c"]),
        ("-family", ["a", "e", "b", "d", "c"]),
        ("family,birthdate", ["d", "b", "e", "a", "c"]),
        ("-_id", ["e", "d", "c", "b", "a"]),
    ] {
        for count in [1, 2, 10] {
            let found = ids(&server, &format!("Patient?_sort={sort}&_count={count}")).await;
            assert_eq!(found, expected, "{sort} {count}");
        }
    }
    server.get("Patient?_sort=nmae").await.refused(400, "no search parameter `nmae`");
    server.get("Patient?_sort=").await.refused(400, "_sort");
}

#[tokio::test]
async fn a_walk_loses_nothing_and_repeats_no_version() {
    for (search, is_by_date) in [
        ("Observation?code=g&_sort=date&_count=2", true),
        ("Observation?code=g&_sort=-date&_count=2", true),
        ("Observation?code=g&_count=2", true),
        ("Observation?_count=2", false),
        ("Observation?patient=p&_count=2", false),
        ("Observation?_sort=value-quantity&_count=2", false),
    ] {
        let resource = |number: u32, date: &str| {
            observation(&format!("o{number}"), "g", "p", date, &quantity(f64::from(number), "mg"))
        };
        let resources: Vec<Value> =
            (0..8).map(|number| resource(number, &format!("2026-01-{:02}", number + 1))).collect();
        let server = server(&resources).await;
        let seen = walk(&server, search, async || {
            // One moves from the far end to the near one, one the other way, one goes, one comes.
            server.put("Observation/o7", &resource(7, "2025-01-01")).await.expect(200);
            server.put("Observation/o0", &resource(0, "2027-01-01")).await.expect(200);
            server.delete("Observation/o4").await.expect(204);
            server.put("Observation/o9", &resource(9, "2026-01-04")).await.expect(201);
        })
        .await;
        let mut versions = seen.clone();
        versions.sort();
        versions.dedup();
        assert_eq!(versions.len(), seen.len(), "{search} repeats a version: {seen:?}");
        for id in ["o1", "o2", "o3", "o5", "o6", "o9"] {
            assert!(seen.iter().any(|(found, _)| found == id), "{search} loses {id}: {seen:?}");
        }
        for id in ["o0", "o7"] {
            assert!(
                seen.contains(&(id.to_owned(), "2".to_owned())),
                "{search} loses {id}: {seen:?}"
            );
        }
        assert!(is_by_date || seen.len() >= 8, "{search}: {seen:?}");
    }
}

#[tokio::test]
async fn includes_that_do_not_fit_come_on_a_page_of_their_own() {
    let options = crate::harness::options(&[("BUND_PAGE_SIZE_MAX", "5")]);
    let server = TestServer::start_with(options).await;
    server.put("Patient/p", &json!({ "resourceType": "Patient", "id": "p" })).await.expect(201);
    server.put("Patient/q", &json!({ "resourceType": "Patient", "id": "q" })).await.expect(201);
    for number in 0..12 {
        let resource =
            observation(&format!("o{number:02}"), "g", "p", "2026-01-01", &quantity(1.0, "mg"));
        server.put(&format!("Observation/o{number:02}"), &resource).await.expect(201);
    }
    let found = ids(&server, "Patient?_revinclude=Observation:patient&_count=1").await;
    let expected: Vec<String> = ["p".to_owned()]
        .into_iter()
        .chain((0..12).map(|number| format!("o{number:02}")))
        .chain(["q".to_owned()])
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_page_link_is_good_for_its_own_search_only() {
    let resources: Vec<Value> =
        (0..3).map(|number| json!({ "resourceType": "Patient", "id": format!("p{number}"), "gender": "male" })).collect();
    let server = server(&resources).await;
    let page = server.get("Patient?gender=male&_count=1").await.expect(200);
    let next = page.next().unwrap();
    server.get(&next).await.expect(200);
    // Another replica knows it too.
    let replica = server.replica().await;
    let path = next.strip_prefix(&format!("{}/", server.base)).unwrap_or(&next);
    replica.get(path).await.expect(200);
    let cursor = next.split("_cursor=").nth(1).unwrap().to_owned();
    for forged in [
        format!("Patient?_count=1&_cursor={cursor}"),
        format!("Practitioner?_count=1&_cursor={cursor}"),
        format!("Patient?gender=male&_cursor={cursor}A"),
        format!("Patient?gender=male&_cursor={}", cursor.replacen(&cursor[..2], "AA", 1)),
        "Patient?gender=male&_cursor=..".to_owned(),
        format!("Patient?gender=male&_cursor={}", "A".repeat(20_000)),
    ] {
        server.get(&forged).await.refused(404, "_cursor");
    }
}
