//! Consents are given by the patient, or by those who decide for a child: looked up under the locks of the transaction, among what it
//! writes itself and what the caller may see.

use super::{Decided, Stop, in_entry};
use crate::app::App;
use crate::http::answer::stored;
use crate::http::failure::Failure;
use ::search::sharing::guardian::{Known, Performers, check, performers};
use access::Grant;
use fhir::outcome::{Code, Issue};
use schema::resource::{Table, find};
use serde_json::Value;
use std::collections::HashMap;
use store::clock::now_micros;
use store::read::Found;
use store::write::Transaction;

/// Resources by type and id.
type Resources = HashMap<(&'static str, String), Value>;

pub(super) async fn check_all(
    app: &App,
    grant: &Grant,
    transaction: &mut Transaction,
    decided: &Decided,
) -> Result<(), Stop> {
    let mut consents: Vec<(Performers, &str)> = Vec::new();
    for put in decided.staged.puts.iter().filter(|put| !put.entries.rules.is_empty()) {
        consents.push((performers(&stored(&put.json)?, app.extractor.base_url()), &put.id));
    }
    if consents.is_empty() {
        return Ok(());
    }
    let (Some(patients), Some(related)) = (find("Patient"), find("RelatedPerson")) else {
        return Ok(());
    };
    let mut wanted: Vec<(&'static Table, String)> = Vec::new();
    for (performers, _) in &consents {
        wanted.extend(performers.patient.iter().map(|id| (patients, id.clone())));
        wanted.extend(performers.related.iter().map(|(_, id)| (related, id.clone())));
    }
    let mut known = Resources::new();
    for (key, found) in transaction.current(grant, &wanted).await? {
        if let Found::Current(version) = found {
            known.insert(key, stored(version.json.as_deref().unwrap_or_default())?);
        }
    }
    for put in &decided.staged.puts {
        let key = (put.table.resource, put.id.clone());
        if wanted.iter().any(|(table, id)| (table.resource, id) == (key.0, &key.1)) {
            known.insert(key, stored(&put.json)?);
        }
    }
    for (performers, id) in consents {
        let get = |kind: &'static str, id: &String| known.get(&(kind, id.clone()));
        let people = Known {
            patient: performers.patient.as_ref().and_then(|id| get("Patient", id)),
            related: performers.related.iter().map(|(_, id)| get("RelatedPerson", id)).collect(),
        };
        let (base, zone) = (app.extractor.base_url(), app.extractor.zone());
        if let Err(refusal) = check(&performers, &people, base, zone, now_micros()) {
            let issue = Issue::error(Code::BusinessRule, refusal.to_string()).at(refusal.path);
            let changed = decided.changed.iter();
            let entry = changed
                .filter(|changed| changed.table.resource == "Consent" && changed.id == id)
                .find_map(|changed| changed.entry);
            return Err(in_entry(Failure::of(422, vec![issue]), entry).into());
        }
    }
    Ok(())
}
