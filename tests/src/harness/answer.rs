//! An HTTP answer, read whole.

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(super) async fn read(response: Response) -> Answer {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Answer { status, headers, text }
    }

    pub(super) fn without_body(response: &Response) -> Answer {
        let status = response.status().as_u16();
        Answer { status, headers: response.headers().clone(), text: String::new() }
    }

    /// Fails with the whole answer when the status is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The texts of an OperationOutcome, one a line.
    #[track_caller]
    pub(crate) fn diagnostics(&self) -> String {
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{}", self.text);
        let issues = outcome["issue"].as_array().unwrap().iter();
        issues.map(|issue| issue["diagnostics"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Refused with this status, for a reason that contains this text.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        let diagnostics = self.diagnostics();
        assert!(diagnostics.contains(text), "`{diagnostics}` does not contain `{text}`");
    }

    /// The ids of a bundle's resources, in order.
    #[track_caller]
    pub(crate) fn ids(&self) -> Vec<String> {
        let bundle = self.json();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned))
            .collect()
    }

    /// The address of the next page, relative to the base.
    #[track_caller]
    pub(crate) fn next(&self) -> Option<String> {
        let bundle = self.json();
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let next = links.iter().find(|link| link["relation"] == "next")?;
        let (_, path) = next["url"].as_str().unwrap().split_once("/fhir").unwrap();
        Some(path.trim_start_matches('/').to_owned())
    }
}
