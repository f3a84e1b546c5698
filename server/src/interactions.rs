//! The interactions of FHIR's RESTful API, a file each (http.html).

pub mod batch;
pub mod capabilities;
pub mod change;
pub mod create;
pub mod delete;
pub mod events;
pub mod history;
pub mod look;
pub mod patch;
pub mod read;
pub mod refusal;
pub mod search;
pub mod transaction;
pub mod update;
pub mod vread;

use crate::app::App;
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::http::request::Request;
use access::{Grant, Interaction, Wish, decide};

/// Does one interaction and answers it. Bundles come here again for each entry of a batch.
pub async fn perform(app: &App, request: Request) -> Result<Answer, Failure> {
    let grant = grant(&request)?;
    // Reads take theirs only as long as they look, bundles when they know what they are.
    let _permit = match request.interaction {
        Interaction::Create | Interaction::Update | Interaction::Patch | Interaction::Delete => {
            Some(app.traffic.working.enter(request.caller.hospital()).await?)
        }
        Interaction::Capabilities
        | Interaction::Read
        | Interaction::Vread
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Operation
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem
        | Interaction::Batch
        | Interaction::Transaction => None,
    };
    match request.interaction {
        Interaction::Capabilities => capabilities::answer(app, &request),
        Interaction::Read
        | Interaction::Vread
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Operation
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem => look::answer(app, &grant, &request).await,
        Interaction::Create => create::answer(app, &grant, request).await,
        Interaction::Update => update::answer(app, &grant, request).await,
        Interaction::Patch => patch::answer(app, &grant, request).await,
        Interaction::Delete => delete::answer(app, &grant, request).await,
        Interaction::Batch | Interaction::Transaction => {
            transaction::answer(app, &grant, request).await
        }
    }
}

#[tracing::instrument(level = "debug", name = "decide", skip_all)]
pub fn grant(request: &Request) -> Result<Grant, Failure> {
    events::check(request)?;
    let resource = request.target.table().map(|table| table.resource);
    let operation = request.target.operation();
    let wish = Wish { interaction: request.interaction, resource, operation };
    Ok(decide(&request.caller, &wish)?)
}
