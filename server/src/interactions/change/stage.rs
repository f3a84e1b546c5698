//! From a decision to the rows that the store writes.

use super::custodian;
use crate::app::App;
use crate::http::answer::stored;
use crate::http::etag::instant;
use crate::http::failure::Failure;
use access::Grant;
use fhir::outcome::Code;
use schema::resource::Table;
use search::extract::Entries;
use search::key::resource_key;
use serde_json::{Map, Value};
use store::clock::micros;
use store::row::{Method, Version};
use store::write::stage::{Deletion, Previous, Put, shard_of};

/// What stood there before a write: a version, a deletion, or nothing.
pub(super) struct Before<'a> {
    version: Option<&'a Version>,
    tree: Option<Value>,
}

impl<'a> Before<'a> {
    pub(super) fn nothing() -> Before<'a> {
        Before { version: None, tree: None }
    }

    pub(super) fn read(version: Option<&'a Version>) -> Result<Before<'a>, Failure> {
        let json = version.and_then(|version| version.json.as_deref());
        Ok(Before { version, tree: json.map(stored).transpose()? })
    }

    /// The version, unless it is a deletion.
    pub(super) fn current(&self) -> Option<&'a Version> {
        self.version.filter(|version| version.json.is_some())
    }

    pub(super) fn tree(&self) -> Option<&Value> {
        self.tree.as_ref()
    }
}

/// The new version of a resource: the server's id and meta set, the entries it is found by extracted.
pub(super) fn put(
    app: &App,
    grant: &Grant,
    table: &'static Table,
    id: String,
    mut resource: Value,
    before: &Before<'_>,
    method: Method,
) -> Result<Put, Failure> {
    let version = before.version.map_or(1, |version| version.version.saturating_add(1));
    let version_key =
        app.store.clock().next(before.version.map_or(0, |version| version.version_key));
    stamp(&mut resource, &id, version, version_key);
    let custodian = custodian(grant)?;
    let entries = entries(app, &resource, custodian)?;
    let previous = match (before.current(), before.tree(), before.version) {
        (Some(version), Some(tree), _) => Previous::Version {
            version: version.version,
            entries: Box::new(entries_of_stored(app, tree, version.hospital)?),
        },
        (_, _, Some(_)) => Previous::Deletion,
        (_, _, None) => Previous::Nothing,
    };
    let shard = match (before.version, &entries.patient, method) {
        (Some(version), _, _) => version.shard,
        // The server made this id, and put the shard in it.
        (None, _, Method::Post) => shard_of(&id),
        (None, Some(patient), _) => shard_of(&patient.id),
        (None, None, _) => shard_of(&id),
    };
    Ok(Put {
        table,
        key: resource_key(table.resource, &id),
        id,
        shard,
        version,
        version_key,
        hospital: custodian,
        entries,
        // What was sensitive stays so, whatever a client leaves out.
        kept_labels: before.version.map_or(0, |version| version.labels),
        method,
        json: fhir::json::write(&resource),
        previous,
    })
}

pub(super) fn deletion(app: &App, grant: &Grant, version: &Version) -> Result<Deletion, Failure> {
    let tree = stored(version.json.as_deref().unwrap_or_default())?;
    Ok(Deletion {
        table: version.table,
        id: version.id.clone(),
        shard: version.shard,
        key: resource_key(version.table.resource, &version.id),
        version: version.version.saturating_add(1),
        version_key: app.store.clock().next(version.version_key),
        hospital: custodian(grant)?,
        patient: version.patient,
        labels: version.labels,
        entries: entries_of_stored(app, &tree, version.hospital)?,
    })
}

fn entries(app: &App, resource: &Value, hospital: i32) -> Result<Entries, Failure> {
    app.extractor
        .stored(resource, hospital)
        .map_err(|error| Failure::new(422, Code::TooLong, error.to_string()))
}

fn entries_of_stored(app: &App, resource: &Value, hospital: i32) -> Result<Entries, Failure> {
    app.extractor.stored(resource, hospital).map_err(|error| {
        tracing::error!(%error, "the entries of a stored resource cannot be extracted");
        Failure::new(
            500,
            Code::Exception,
            "a stored resource cannot be indexed; it is in the server's log",
        )
    })
}

/// `id` and `meta.versionId`, `meta.lastUpdated` are the server's; where the client had them their place is kept, else they come
/// right after `resourceType`.
fn stamp(resource: &mut Value, id: &str, version: i32, version_key: i64) {
    let Value::Object(properties) = resource else { return };
    let place = usize::from(properties.contains_key("resourceType"));
    put_at(properties, place, "id", Value::String(id.to_owned()));
    if !properties.get("meta").is_some_and(Value::is_object) {
        let after_id = properties.keys().position(|name| name == "id").map_or(0, |place| place + 1);
        properties.shift_remove("meta");
        properties.shift_insert(after_id, "meta".to_owned(), Value::Object(Map::new()));
    }
    if let Some(Value::Object(meta)) = properties.get_mut("meta") {
        put_at(meta, 0, "versionId", Value::String(version.to_string()));
        put_at(meta, 1, "lastUpdated", Value::String(instant(micros(version_key))));
    }
}

fn put_at(properties: &mut Map<String, Value>, place: usize, name: &str, value: Value) {
    match properties.get_mut(name) {
        Some(existing) => *existing = value,
        None => {
            properties.shift_insert(place.min(properties.len()), name.to_owned(), value);
        }
    }
}

/// Whether the new content is the old content, but for what the server sets.
pub(super) fn is_same(old: &Value, new: &Value) -> bool {
    bare(old) == bare(new)
}

fn bare(resource: &Value) -> Value {
    let mut bare = resource.clone();
    if let Value::Object(properties) = &mut bare {
        properties.remove("id");
        if let Some(Value::Object(meta)) = properties.get_mut("meta") {
            meta.remove("versionId");
            meta.remove("lastUpdated");
            if meta.is_empty() {
                properties.remove("meta");
            }
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::{is_same, stamp};
    use serde_json::{Value, json};

    fn check(resource: &str, expected: &str) {
        let mut resource: Value = serde_json::from_str(resource).unwrap();
        stamp(&mut resource, "7", 2, 1_763_884_800_123_456 << 11);
        assert_eq!(resource.to_string(), expected);
    }

    #[test]
    fn the_server_sets_id_and_meta_and_keeps_the_order() {
        let meta = r#""meta":{"versionId":"2","lastUpdated":"2025-11-23T08:00:00.123Z""#;
        check(
            r#"{"resourceType":"Patient","active":true}"#,
            &format!(r#"{{"resourceType":"Patient","id":"7",{meta}}},"active":true}}"#),
        );
        check(
            r#"{"active":true,"meta":{"tag":[]},"id":"x","resourceType":"Patient"}"#,
            &format!(r#"{{"active":true,{meta},"tag":[]}},"id":"7","resourceType":"Patient"}}"#),
        );
    }

    #[test]
    fn what_the_server_sets_makes_no_difference() {
        let old =
            json!({ "id": "1", "meta": { "versionId": "4", "lastUpdated": "x" }, "active": true });
        assert!(is_same(&old, &json!({ "active": true })));
        assert!(!is_same(&old, &json!({ "active": false })));
        assert!(!is_same(&old, &json!({ "active": true, "meta": { "tag": [{ "code": "a" }] } })));
        let decimals: Vec<Value> =
            ["1.0", "1.00"].iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert!(!is_same(&json!({ "a": decimals[0] }), &json!({ "a": decimals[1] })));
    }
}
