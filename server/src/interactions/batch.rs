//! batch: the entries of a bundle, each for itself (http.html#batch).

use super::refusal;
use super::transaction::{Parsed, Slot, bundle, parse};
use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::failure::Failure;
use crate::http::preferences::Return;
use crate::http::request::Request;
use access::Interaction;
use futures_util::stream::{self, StreamExt};
use serde_json::Value;

/// Entries in progress at a time, so that one batch leaves connections to others.
const AT_ONCE: usize = 4;

pub async fn answer(app: &App, request: &Request, entries: Vec<Value>) -> Result<Answer, Failure> {
    let base = &app.settings.service.base_url;
    let preference = request.headers.preferences.r#return;
    let answers = stream::iter(entries.into_iter().enumerate())
        .map(|(index, entry)| async move {
            let answer = perform(app, request, entry, index).await;
            let answer = answer.map_err(|failure| failure.in_entry(index));
            let is_change = answer.as_ref().is_ok_and(|(changes, _)| *changes);
            let answer = answer.map(|(_, answer)| match preference {
                Return::Minimal | Return::OperationOutcome if is_change => {
                    Answer { content: Content::Nothing, ..answer }
                }
                Return::Minimal | Return::Representation | Return::OperationOutcome => answer,
            });
            Some(Slot::of_answer(base, answer))
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(bundle("batch-response", answers))
}

/// Whether the entry changes something, and what it answers.
async fn perform(
    app: &App,
    request: &Request,
    entry: Value,
    index: usize,
) -> Result<(bool, Answer), Failure> {
    let Parsed { request: mut inner, full_url: _ } = parse(request, entry, index)?;
    if matches!(inner.interaction, Interaction::Transaction | Interaction::Batch) {
        return Err(Failure::bad_request("a bundle cannot be an entry of a batch"));
    }
    if inner.interaction == Interaction::Create {
        // Each entry is a request of its own, and its retry is known by its place.
        inner.headers.idempotency_key =
            request.headers.idempotency_key.as_ref().map(|key| format!("{key}/{index}"));
    }
    let changes = matches!(
        inner.interaction,
        Interaction::Create | Interaction::Update | Interaction::Patch | Interaction::Delete
    );
    let asked = inner.clone();
    match Box::pin(super::perform(app, inner)).await {
        Ok(answer) => Ok((changes, answer)),
        Err(failure) => Err(refusal::record(app, &refusal::Asked::of(&asked), failure).await),
    }
}
