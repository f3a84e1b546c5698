//! The tables of the specification's search page as data: `scenarios/*.json`, each a section with resources, and searches with what
//! they have to find. Against this server, or against the one at BUND_SCENARIOS_URL.
//!
//! Resources carry a tag of their section, and each search asks for it, so that what else a server holds is not in the way.

use crate::harness::TestServer;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

const TAGS: &str = "urn:bund:scenarios";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    section: String,
    resources: Vec<Value>,
    searches: Vec<Search>,
}

/// One of `find`, `order`, `total` and `status` says what is right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What follows the base; `{base}` stands for it.
    ask: String,
    /// The ids of the matches of all pages.
    find: Option<BTreeSet<String>>,
    /// The same, in this order.
    order: Option<Vec<String>>,
    /// The ids of what comes with them.
    include: Option<BTreeSet<String>>,
    total: Option<u64>,
    status: Option<u16>,
    #[serde(default)]
    strict: bool,
}

struct Asker {
    base: String,
    client: Client,
}

/// What a search answers, over all its pages.
#[derive(Default)]
struct Found {
    matches: Vec<String>,
    included: BTreeSet<String>,
    total: Option<u64>,
}

enum Outcome {
    Right,
    /// The server says that it does not support this.
    Refused(String),
    Wrong(String),
}

fn sections() -> Vec<Section> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).map_err(|error| (path.clone(), error)).unwrap()
    };
    paths.iter().map(read).collect()
}

#[tokio::test]
async fn the_tables_of_the_search_page_are_kept() {
    let sections = sections();
    let elsewhere = std::env::var("BUND_SCENARIOS_URL").ok().filter(|url| !url.is_empty());
    let own = match &elsewhere {
        Some(_) => None,
        None => Some(TestServer::start().await),
    };
    let base =
        elsewhere.unwrap_or_else(|| own.as_ref().map_or(String::new(), |own| own.base.clone()));
    let client = Client::builder().no_proxy().build().unwrap();
    let asker = Asker { base: base.trim_end_matches('/').to_owned(), client };
    let (mut report, mut right, mut refused, mut wrong) = (String::new(), 0, 0, 0);
    for section in &sections {
        let tag = section.section.replace(['.', '#'], "-");
        asker.store(section, &tag).await;
        let mut counts = [0; 3];
        for search in &section.searches {
            let (place, text) = match asker.check(search, &tag).await {
                Outcome::Right => (0, None),
                Outcome::Refused(text) => (1, Some(("refused", text))),
                Outcome::Wrong(text) => (2, Some(("WRONG", text))),
            };
            counts[place] += 1;
            if let Some((what, text)) = text {
                writeln!(report, "{} {what} {}: {text}", section.section, search.ask).unwrap();
            }
        }
        let [of_right, of_refused, of_wrong] = counts;
        writeln!(
            report,
            "{}: {of_right} right, {of_refused} refused, {of_wrong} wrong",
            section.section
        )
        .unwrap();
        right += of_right;
        refused += of_refused;
        wrong += of_wrong;
    }
    writeln!(report, "scenarios: {right} right, {refused} refused, {wrong} wrong").unwrap();
    println!("{report}");
    assert!(wrong == 0 && (own.is_none() || refused == 0), "{report}");
    assert!(right + refused >= 150, "{report}");
}

impl Asker {
    async fn store(&self, section: &Section, tag: &str) {
        for resource in &section.resources {
            let mut resource = resource.clone();
            resource["meta"] = json!({ "tag": [{ "system": TAGS, "code": tag }] });
            let (kind, id) = (&resource["resourceType"], &resource["id"]);
            let url = format!("{}/{}/{}", self.base, kind.as_str().unwrap(), id.as_str().unwrap());
            let request = self.client.put(&url).header("content-type", "application/fhir+json");
            let answer = request.body(resource.to_string()).send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            assert!(matches!(status, 200 | 201), "PUT {url}: {status} {text}");
        }
    }

    async fn check(&self, search: &Search, tag: &str) -> Outcome {
        match self.walk(search, tag).await {
            Ok(found) => search.compare(&found),
            Err((status, _)) if search.status == Some(status) => Outcome::Right,
            Err((status, text)) => {
                let is_refusal = matches!(status, 400 | 501) && text.contains("not-supported");
                let told = format!("{status} {text}");
                if is_refusal && search.status.is_none() {
                    Outcome::Refused(told)
                } else {
                    Outcome::Wrong(told)
                }
            }
        }
    }

    /// The status and the body of an answer that is no Bundle.
    async fn walk(&self, search: &Search, tag: &str) -> Result<Found, (u16, String)> {
        let ask = search.ask.replace("{base}", &self.base);
        let separator = if ask.contains('?') { '&' } else { '?' };
        let mut next = Some(format!("{}/{ask}{separator}_tag={TAGS}|{tag}", self.base));
        let mut found = Found::default();
        while let Some(url) = next.take() {
            let mut request = self.client.get(&url).header("accept", "application/fhir+json");
            if search.strict {
                request = request.header("prefer", "handling=strict");
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let text = answer.text().await.unwrap();
            if status != 200 {
                return Err((status, text));
            }
            let bundle: Value = serde_json::from_str(&text).map_err(|_| (status, text))?;
            found.total = found.total.or(bundle["total"].as_u64());
            for entry in bundle["entry"].as_array().into_iter().flatten() {
                let id = entry["resource"]["id"].as_str().unwrap_or_default().to_owned();
                match entry["search"]["mode"].as_str() {
                    Some("include") => {
                        found.included.insert(id);
                    }
                    Some("outcome") => {}
                    _ => found.matches.push(id),
                }
            }
            let links = bundle["link"].as_array().into_iter().flatten();
            let link = links.into_iter().find(|link| link["relation"] == "next");
            next = link.and_then(|link| link["url"].as_str()).map(str::to_owned);
        }
        Ok(found)
    }
}

impl Search {
    fn compare(&self, found: &Found) -> Outcome {
        if let Some(status) = self.status {
            return Outcome::Wrong(format!("200, and not {status}"));
        }
        let matches: BTreeSet<String> = found.matches.iter().cloned().collect();
        let is_right = self.find.as_ref().is_none_or(|find| *find == matches)
            && matches.len() == found.matches.len()
            && self.order.as_ref().is_none_or(|order| *order == found.matches)
            && self.include.as_ref().is_none_or(|include| *include == found.included)
            && self.total.is_none_or(|total| found.total == Some(total));
        match is_right {
            true => Outcome::Right,
            false => Outcome::Wrong(format!(
                "found {:?} with {:?}, total {:?}",
                found.matches, found.included, found.total
            )),
        }
    }
}
