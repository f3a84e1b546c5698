//! `$reindex`: POST asks that index entries be made anew, of one type or of all; GET says how far that is, and which search
//! parameters that were defined here can be searched by.

use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Method;
use crate::indexing;
use crate::interactions::look::{Looked, Reader, record};
use access::Grant;
use schema::resource::{TABLES, Table};
use serde_json::{Value, json};
use store::reindex::Progress;
use store::trail::Sealed;

pub(super) async fn look(
    app: &App,
    reader: &Reader<'_>,
    grant: &Grant,
    request: &Request,
    table: Option<&'static Table>,
) -> Result<Looked, Failure> {
    if matches!(reader, Reader::Transaction(_)) {
        return Err(Failure::bad_request("$reindex cannot be part of a transaction"));
    }
    if let Some((name, _)) = request.query.iter().find(|(name, _)| !name.starts_with('_')) {
        let name: String = name.chars().take(64).collect();
        return Err(Failure::bad_request(format!("$reindex has no input `{name}`")));
    }
    let begins = request.method == Method::Post;
    if begins {
        let tables: Vec<&'static Table> = match table {
            Some(table) => vec![table],
            None => TABLES.iter().collect(),
        };
        app.store.begin_reindex(grant, &tables, true).await?;
        app.parameters_changed.notify_one();
    }
    let is_asked = |code: i16| table.is_none_or(|table| table.code == code);
    let progress = app.store.reindex_progress().await?;
    let mut parameters: Vec<Value> = progress
        .iter()
        .filter(|progress| is_asked(progress.resource_type))
        .filter_map(type_of)
        .collect();
    let definitions = app.store.definitions().await?;
    for working in definitions.working {
        let Some(table) = indexing::table(working.defined.resource_type) else { continue };
        if !is_asked(table.code) {
            continue;
        }
        let reference = format!("SearchParameter/{}", working.defined.id);
        parameters.push(json!({ "name": "parameter", "part": [
            { "name": "definition", "valueReference": { "reference": reference } },
            { "name": "type", "valueCode": table.resource },
            { "name": "ready", "valueBoolean": working.is_ready },
        ] }));
    }
    let mut answer = json!({ "resourceType": "Parameters" });
    if !parameters.is_empty() {
        answer["parameter"] = Value::Array(parameters);
    }
    let status = if begins { 202 } else { 200 };
    let record = record(grant, request, status, Vec::new());
    let answer = Answer::new(status, Content::Tree(answer));
    Ok(Looked { record, answer: Sealed::without_rows(Ok(answer)) })
}

fn type_of(progress: &Progress) -> Option<Value> {
    let table = indexing::table(progress.resource_type)?;
    // A type that nothing is stored of says nothing.
    if progress.is_finished && progress.done == 0 {
        return None;
    }
    Some(json!({ "name": "type", "part": [
        { "name": "code", "valueCode": table.resource },
        { "name": "done", "valueDecimal": progress.done },
        { "name": "estimate", "valueDecimal": progress.total.max(progress.done) },
        { "name": "finished", "valueBoolean": progress.is_finished },
    ] }))
}
