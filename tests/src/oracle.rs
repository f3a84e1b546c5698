//! Random searches of random resources, against an evaluator that is slow and obvious (search.html).
//!
//! The evaluator is written from the specification and knows nothing of the server. A run is the same every time;
//! `BUND_ORACLE_CASES` asks for more queries of each hospital, and `BUND_ORACLE_SEED` for another hospital.

mod evaluate;
mod generate;
mod parameters;
mod policy;
mod query;
mod random;
mod values;
mod world;

use crate::harness::{TestServer, entry, settings, transaction};
use crate::walls;
use evaluate::{disorder, included, kind_of, matches, name_of};
use query::{Base, Query};
use random::Random;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use store::Store;
use world::{HERE, World};

/// Hospitals that have shown something, and others.
const SEEDS: [u64; 4] = [1, 77, 4_004, 20_261_124];
const CASES: usize = 300;

/// What the server is known to answer otherwise, by pieces of the address: left out until it is mended.
const KNOWN: [&[&str]; 2] = [
    // `system|` in the composites of components is refused: "not supported yet; name the code".
    &["component-code-value-quantity", "%7C%24"],
    &["combo-code-value-quantity", "%7C%24"],
];

struct Hospital {
    server: TestServer,
    world: World,
}

impl Hospital {
    async fn open(world: World) -> Hospital {
        let server = TestServer::start().await;
        let put = |resource: &Value| {
            let text = resource.to_string().replace(HERE, &format!("{}/", server.base));
            entry("PUT", &name_of(resource), Some(serde_json::from_str(&text).unwrap()))
        };
        let entries = world.resources.iter().map(put).collect();
        server.post("", &transaction(entries)).await.expect(200);
        Hospital { server, world }
    }
}

/// A hospital and what is asked of it: the same for the same seed.
fn scene(seed: u64, count: usize) -> (World, Vec<Query>) {
    let mut random = Random(seed);
    let world = World::random(&mut random);
    let mut queries = Vec::new();
    while queries.len() < count {
        let query = generate::query(&mut random, &world);
        let address = query.address("BASE");
        let is_known = KNOWN.iter().any(|known| known.iter().all(|piece| address.contains(piece)));
        // Half of those that find nothing would teach nothing.
        let is_empty = matches(&world, &query).is_empty() && random.percent(50);
        if !is_known && !is_empty {
            queries.push(query);
        }
    }
    (world, queries)
}

fn cases() -> usize {
    std::env::var("BUND_ORACLE_CASES").map_or(CASES, |text| text.parse().unwrap())
}

fn seeds() -> Vec<u64> {
    std::env::var("BUND_ORACLE_SEED").map_or(SEEDS.to_vec(), |text| vec![text.parse().unwrap()])
}

#[tokio::test]
async fn the_server_finds_what_the_oracle_finds() {
    let mut report = String::new();
    for seed in seeds() {
        let (world, queries) = scene(seed, cases());
        let hospital = Hospital::open(world).await;
        for (query, count) in queries.iter().zip([1, 2, 100, 3, 5, 10].into_iter().cycle()) {
            if let Err(wrong) = compare(&hospital, query, count).await {
                write!(report, "\n\nseed {seed}: {wrong}").unwrap();
                for criterion in query.criteria.iter().filter(|_| query.criteria.len() > 1) {
                    let alone = query.only(criterion.clone());
                    if let Err(wrong) = compare(&hospital, &alone, 100).await {
                        write!(report, "\n  and so alone: {wrong}").unwrap();
                    }
                }
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn the_queries_are_not_in_vain() {
    for seed in SEEDS {
        let (world, queries) = scene(seed, CASES);
        let mut found = 0;
        let mut excluded = 0;
        let mut both = 0;
        let mut included_any = 0;
        for query in &queries {
            let matches = matches(&world, query);
            let everything = Query { criteria: Vec::new(), ..query.clone() };
            let is_less = matches.len() < evaluate::matches(&world, &everything).len();
            found += usize::from(!matches.is_empty());
            excluded += usize::from(is_less);
            both += usize::from(is_less && !matches.is_empty());
            included_any += usize::from(!included(&world, query, &matches).is_empty());
        }
        let told = format!(
            "seed {seed}: of {} queries {found} find, {excluded} exclude, {both} do both, {included_any} include",
            queries.len()
        );
        let is_much = |count: usize, percent: usize| count * 100 >= queries.len() * percent;
        let is_good = is_much(found, 50) && is_much(excluded, 60) && is_much(both, 30);
        assert!(is_good && is_much(included_any, 8), "{told}");
    }
}

/// The pages of a search, put together.
struct Walk {
    matches: Vec<Value>,
    included: BTreeSet<String>,
    total: Option<u64>,
}

async fn walk(server: &TestServer, address: &str) -> Result<Walk, String> {
    let mut walk = Walk { matches: Vec::new(), included: BTreeSet::new(), total: None };
    let mut next = Some(address.to_owned());
    let mut is_first = true;
    while let Some(path) = next {
        let page = server.get(&path).await;
        if page.status != 200 {
            return Err(format!("{} {}", page.status, page.text));
        }
        let bundle = page.json();
        if is_first {
            walk.total = bundle["total"].as_u64();
            is_first = false;
        }
        let mut on_page = BTreeSet::new();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let Some(mode) = entry["search"]["mode"].as_str() else {
                return Err(format!("an entry without a mode: {}", page.text));
            };
            if mode == "outcome" {
                return Err(format!("an outcome: {resource}"));
            }
            if !on_page.insert(name_of(resource)) {
                return Err(format!("{} twice on one page", name_of(resource)));
            }
            if mode == "match" {
                walk.matches.push(resource.clone());
            } else {
                walk.included.insert(name_of(resource));
            }
        }
        // The link of a search over several types has no path after the base.
        let link =
            bundle["link"].as_array().into_iter().flatten().find(|link| link["relation"] == "next");
        next = link.map(|link| {
            let path = link["url"].as_str().unwrap().strip_prefix(&server.base).unwrap();
            path.trim_start_matches('/').to_owned()
        });
    }
    Ok(walk)
}

/// OBJ-01: what a caller may not see makes no difference. The policy, in memory, says what is left of the world for each caller;
/// the server has to find in all of it what the oracle finds in that – and to answer, letter for letter, as a server does that has
/// nothing else.
#[tokio::test]
async fn obj_01_what_is_not_open_makes_no_difference() {
    let mut report = String::new();
    for seed in seeds() {
        let (world, _) = scene(seed, 0);
        let mut random = Random(seed);
        let shared = policy::Shared::of(world, &mut random);
        for caller in policy::CALLERS {
            let pair = policy::open(&shared, caller).await;
            let mut queries = Vec::new();
            while queries.len() < cases() / 2 {
                let query = generate::query(&mut random, &shared.world);
                let address = query.address("BASE");
                let is_known =
                    KNOWN.iter().any(|known| known.iter().all(|piece| address.contains(piece)));
                // Of names written in Chinese, the middle of their pinyin is found too, which the oracle does not know.
                let is_pinyin = address.contains(":contains");
                if !is_known && !is_pinyin && caller.may_ask(&query) {
                    queries.push(query);
                }
            }
            for (query, count) in queries.iter().zip([1, 2, 100, 3].into_iter().cycle()) {
                // A row that is stopped on its way out, as AUTHZ-02 has it, would be 500 here.
                let outcome = match compare(&pair.whole, query, count).await {
                    Ok(()) => pair.differs(query, count).await,
                    wrong => wrong,
                };
                if let Err(wrong) = outcome {
                    write!(report, "\n\nseed {seed}, {caller:?}: {wrong}").unwrap();
                }
            }
        }
    }
    assert!(report.is_empty(), "{report}");
    authz_02_nothing_was_stopped().await;
}

/// Of all servers of this process.
async fn authz_02_nothing_was_stopped() {
    let metrics = TestServer::start().await.get_outside("metrics").await.text;
    let stopped = metrics.lines().find(|line| line.starts_with("bund_access_mismatches_total"));
    assert!(stopped.is_none_or(|line| line.ends_with(" 0")), "{stopped:?}");
}

/// SQL-02: with the walls of the statements taken away, the database opens to each caller what the policy in memory opens.
#[tokio::test]
async fn sql_02_without_walls_in_statements_the_database_shows_what_the_policy_opens() {
    let mut hidden = 0;
    for seed in seeds() {
        let (world, _) = scene(seed, 0);
        let shared = policy::Shared::of(world, &mut Random(seed));
        let city = policy::fill(&shared, |_| true).await;
        let store = Store::open(&settings(&city.server.database.url)).await.unwrap();
        let hospitals = store.hospitals().await.unwrap();
        for caller in policy::CALLERS {
            let Some(reader) = caller.reader(&hospitals) else { continue };
            let expected: BTreeSet<String> =
                shared.visible(caller).resources.iter().map(name_of).collect();
            let kinds: BTreeSet<&str> = shared.world.resources.iter().map(kind_of).collect();
            let mut shown = BTreeSet::new();
            for kind in kinds {
                shown.extend(walls::shown(&store, kind, &reader).await.unwrap());
            }
            hidden += shared.world.resources.len() - shown.len();
            // What belongs to no patient's record the database leaves to the statement.
            if matches!(caller, policy::Caller::Patient) {
                assert!(shown.is_superset(&expected), "seed {seed}, {caller:?}");
                let strange = shown.difference(&expected).filter(|name| !shared.is_nobodys(name));
                assert_eq!(strange.collect::<Vec<_>>(), Vec::<&String>::new(), "seed {seed}");
            } else {
                assert_eq!(shown, expected, "seed {seed}, {caller:?}");
            }
        }
    }
    assert!(hidden > 100, "{hidden}");
}

#[test]
fn labels_reach_others_in_these_worlds() {
    for seed in SEEDS {
        let (world, _) = scene(seed, 0);
        let shared = policy::Shared::of(world, &mut Random(seed));
        assert!(shared.reached() >= 5, "seed {seed}: {}", shared.reached());
    }
}

async fn compare(hospital: &Hospital, query: &Query, count: usize) -> Result<(), String> {
    let world = &hospital.world;
    let address = query.address(&hospital.server.base);
    let separator = if address.ends_with('?') { "" } else { "&" };
    let expected = matches(world, query);
    let expected_included = included(world, query, &expected);
    let said = |what: &str| format!("{address}\n  {what}");
    // No more than some seven pages.
    let count = count.max(expected.len() / 6);
    let searched = format!("{address}{separator}_count={count}&_total=accurate");
    let walk = walk(&hospital.server, &searched).await.map_err(|wrong| said(&wrong))?;

    let found: Vec<String> = walk.matches.iter().map(name_of).collect();
    let unique: BTreeSet<String> = found.iter().cloned().collect();
    if unique != expected {
        let mut wrong = format!("expected {expected:?}\n  found    {unique:?}");
        for name in unique.symmetric_difference(&expected).take(2) {
            let (kind, id) = name.split_once('/').unwrap();
            let by = if expected.contains(name) { "not found" } else { "found wrongly" };
            write!(wrong, "\n  {by}: {}", world.get(kind, id).unwrap()).unwrap();
        }
        return Err(said(&wrong));
    }
    if unique.len() != found.len() {
        return Err(said(&format!("one is found twice: {found:?}")));
    }
    if walk.total != Some(u64::try_from(expected.len()).unwrap()) {
        return Err(said(&format!("_total is {:?} for {}", walk.total, expected.len())));
    }
    // A match of another page may be brought along by one of this page.
    let others: BTreeSet<String> = walk.included.difference(&expected).cloned().collect();
    if others != expected_included {
        return Err(said(&format!(
            "expected to include {expected_included:?}\n  included {others:?}"
        )));
    }
    if let Some(wrong) = disorder(&walk.matches, &query.sort) {
        return Err(said(&format!("out of order: {wrong}")));
    }
    // Counted by a form where there is one.
    let counted = match (&query.base, address.split_once('?').unwrap()) {
        (Base::Compartment { .. }, _) => {
            hospital.server.get(&format!("{address}&_summary=count")).await
        }
        (_, (path, asked)) => {
            let path = format!("{path}/_search");
            let form = hospital.server.request("POST", path.trim_start_matches('/'));
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            hospital.server.send(form.body(format!("{asked}{separator}_summary=count"))).await
        }
    };
    if counted.status != 200 || counted.json()["total"] != expected.len() {
        return Err(said(&format!("_summary=count is {}", counted.text)));
    }
    Ok(())
}
