//! Bundles of stored resources, put together from their texts without reading them again (bundle.html).

use serde_json::{Value, json};

/// A Bundle in the making.
pub struct Bundle {
    kind: &'static str,
    total: Option<i64>,
    links: Vec<(&'static str, String)>,
    entries: Vec<Vec<u8>>,
}

/// A property of an entry beside its resource.
pub struct Entry<'a> {
    pub full_url: Option<String>,
    pub resource: Option<&'a [u8]>,
    /// `search`, `request`, `response`.
    pub details: Vec<(&'static str, Value)>,
}

impl Bundle {
    pub fn new(kind: &'static str) -> Bundle {
        Bundle { kind, total: None, links: Vec::new(), entries: Vec::new() }
    }

    pub fn total(&mut self, total: i64) {
        self.total = Some(total);
    }

    pub fn link(&mut self, relation: &'static str, url: String) {
        self.links.push((relation, url));
    }

    pub fn add(&mut self, entry: Entry) {
        let mut text = Vec::with_capacity(256 + entry.resource.map_or(0, <[u8]>::len));
        text.push(b'{');
        if let Some(url) = entry.full_url {
            property(&mut text, "fullUrl", &Value::String(url));
        }
        if let Some(resource) = entry.resource {
            name(&mut text, "resource");
            text.extend_from_slice(resource);
        }
        for (key, value) in &entry.details {
            property(&mut text, key, value);
        }
        text.push(b'}');
        self.entries.push(text);
    }

    pub fn into_text(self) -> Vec<u8> {
        let size: usize = self.entries.iter().map(|entry| entry.len() + 1).sum();
        let mut text = Vec::with_capacity(size + 512);
        text.push(b'{');
        property(&mut text, "resourceType", &json!("Bundle"));
        property(&mut text, "type", &json!(self.kind));
        if let Some(total) = self.total {
            property(&mut text, "total", &json!(total));
        }
        if !self.links.is_empty() {
            let links: Vec<Value> = self
                .links
                .iter()
                .map(|(relation, url)| json!({ "relation": relation, "url": url }))
                .collect();
            property(&mut text, "link", &Value::Array(links));
        }
        if !self.entries.is_empty() {
            name(&mut text, "entry");
            text.push(b'[');
            for (index, entry) in self.entries.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                text.extend_from_slice(entry);
            }
            text.push(b']');
        }
        text.push(b'}');
        text
    }
}

fn name(text: &mut Vec<u8>, key: &str) {
    if text.last() != Some(&b'{') {
        text.push(b',');
    }
    text.push(b'"');
    text.extend_from_slice(key.as_bytes());
    text.extend_from_slice(b"\":");
}

fn property(text: &mut Vec<u8>, key: &str, value: &Value) {
    name(text, key);
    text.extend_from_slice(&fhir::json::write(value));
}

#[cfg(test)]
mod tests {
    use super::{Bundle, Entry};
    use serde_json::json;

    #[test]
    fn texts_are_spliced_into_a_valid_bundle() {
        let mut bundle = Bundle::new("searchset");
        bundle.total(1);
        bundle.link("self", "http://a/Patient?x=\"".to_owned());
        bundle.add(Entry {
            full_url: Some("http://a/Patient/1".to_owned()),
            resource: Some(br#"{"resourceType":"Patient","id":"1"}"#),
            details: vec![("search", json!({ "mode": "match" }))],
        });
        let found: serde_json::Value = serde_json::from_slice(&bundle.into_text()).unwrap();
        let expected = json!({
            "resourceType": "Bundle", "type": "searchset", "total": 1,
            "link": [{ "relation": "self", "url": "http://a/Patient?x=\"" }],
            "entry": [{
                "fullUrl": "http://a/Patient/1",
                "resource": { "resourceType": "Patient", "id": "1" },
                "search": { "mode": "match" },
            }],
        });
        assert_eq!(found, expected);
        assert_eq!(
            Bundle::new("history").into_text(),
            br#"{"resourceType":"Bundle","type":"history"}"#
        );
    }
}
