//! The operations of the specification, a file each (operations.html).

mod break_glass;
mod consent_review;
mod disclosures;
mod everything;
mod lastn;
mod reindex;
mod sharing_preview;

use crate::app::App;
use crate::http::body::Body;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Target;
use crate::interactions::look::{Looked, Reader};
use access::Grant;
use access::Operation;
use serde_json::Value;

pub async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    let request = &with_inputs(request)?;
    match &request.target {
        Target::Operation(Operation::Everything, Some(table), Some(id)) => {
            everything::look(app, reader, grant, request, table, id).await
        }
        Target::Operation(Operation::LastN, Some(table), None) => {
            lastn::look(app, reader, grant, request, table).await
        }
        Target::Operation(Operation::Reindex, table, None) => {
            reindex::look(app, reader, grant, request, *table).await
        }
        Target::Operation(Operation::BreakGlass, Some(_), Some(id)) => {
            break_glass::open(app, reader, grant, request, id).await
        }
        Target::Operation(Operation::Openings, None, None) => {
            break_glass::list(app, grant, request).await
        }
        Target::Operation(Operation::Review, None, None) => {
            break_glass::review(app, reader, grant, request).await
        }
        Target::Operation(Operation::SharingPreview, Some(_), Some(id)) => {
            sharing_preview::look(app, reader, grant, request, id).await
        }
        Target::Operation(Operation::AccessLog, Some(_), Some(id)) => {
            disclosures::log(app, grant, request, id).await
        }
        Target::Operation(Operation::Disclosures, Some(_), Some(id)) => {
            disclosures::account(app, grant, request, id).await
        }
        Target::Operation(Operation::ConsentReview, None, None) => {
            consent_review::list(app, grant, request).await
        }
        target => Err(Failure::method(target.allow())),
    }
}

/// The request with the inputs of a Parameters resource among those of its address.
fn with_inputs(request: &Request) -> Result<Request, Failure> {
    let mut request = request.clone();
    let parameters = match request.body.take() {
        None => return Ok(request),
        Some(Body::Resource(parameters)) if parameters["resourceType"] == "Parameters" => {
            parameters
        }
        Some(Body::Resource(_) | Body::JsonPatch(_)) => {
            return Err(Failure::bad_request("an operation takes a Parameters resource"));
        }
    };
    for parameter in parameters["parameter"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let values = parameter.as_object().into_iter().flatten();
        let value = values.filter(|(name, _)| name.starts_with("value")).map(|(_, value)| value);
        let text = value.map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            Value::Object(reference) => reference.get("reference")?.as_str().map(str::to_owned),
            Value::Null | Value::Array(_) => None,
        });
        let text = text.flatten().next().ok_or_else(|| {
            let name: String = name.chars().take(64).collect();
            Failure::bad_request(format!("the input `{name}` has no simple value"))
        })?;
        request.query.push((name.to_owned(), text));
    }
    Ok(request)
}
