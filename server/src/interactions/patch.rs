//! patch: a change described instead of its result, as JSON Patch or FHIRPath Patch (http.html#patch, fhirpatch.html).

use super::change::{Action, Change, Patch};
use super::create::table;
use super::update::{one, place};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::body::Body;
use crate::http::failure::Failure;
use crate::http::request::Request;
use access::Grant;
use fhir::outcome::Code;

pub async fn answer(app: &App, grant: &Grant, mut request: Request) -> Result<Answer, Failure> {
    let change = change(app, &mut request)?;
    one(app, grant, &request, change).await
}

pub fn change(app: &App, request: &mut Request) -> Result<Change, Failure> {
    let table = table(request)?;
    let place = place(app, request, table)?;
    let patch = match request.body.take() {
        Some(Body::JsonPatch(operations)) => Patch::Json(operations),
        Some(Body::Resource(parameters)) if parameters["resourceType"] == "Parameters" => {
            Patch::Path(parameters)
        }
        Some(Body::Resource(_)) => {
            return Err(Failure::new(
                415,
                Code::NotSupported,
                "PATCH takes a JSON Patch (application/json-patch+json) or a FHIRPath Patch (a Parameters resource)",
            ));
        }
        None => return Err(Failure::bad_request("the body is empty; send a patch")),
    };
    Ok(Change {
        table,
        action: Action::Patch { place, patch },
        if_match: request.headers.if_match.clone(),
        if_none_match: request.headers.if_none_match.clone(),
        full_url: None,
        entry: None,
        grant: super::grant(request)?,
    })
}
