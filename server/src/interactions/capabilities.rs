//! capabilities: what this server can do, made from the tables it works by (http.html#capabilities).

use super::events;
use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::etag::instant;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::settings::ConditionalDelete;
use crate::smart;
use schema::resource::TABLES;
use serde_json::{Value, json};

pub fn answer(app: &App, request: &Request) -> Result<Answer, Failure> {
    request.allow_parameters(&["mode"])?;
    match request.parameter("mode") {
        None | Some("full") => Ok(Answer::new(200, Content::Tree(statement(app)))),
        Some(mode) => {
            Err(Failure::not_supported(format!("mode={mode} is not supported; use full")))
        }
    }
}

fn statement(app: &App) -> Value {
    let service = &app.settings.service;
    let custom = app.extractor.custom();
    let conditional_delete = match service.conditional_delete {
        ConditionalDelete::Single => "single",
        ConditionalDelete::Multiple => "multiple",
    };
    let versioning = if service.require_if_match { "versioned-update" } else { "versioned" };
    let resources: Vec<Value> = TABLES
        .iter()
        .map(|table| {
            if table.resource == events::TYPE {
                return trail();
            }
            let interactions: Vec<Value> =
                INTERACTIONS.iter().map(|code| json!({ "code": code })).collect();
            let parameters: Vec<Value> = custom
                .supported(table.resource)
                .map(|parameter| json!({ "name": parameter.code, "type": parameter.kind.code() }))
                .collect();
            let mut resource = json!({
                "type": table.resource,
                "profile": format!("http://hl7.org/fhir/StructureDefinition/{}", table.resource),
                "interaction": interactions,
                "versioning": versioning,
                "readHistory": true,
                "updateCreate": true,
                "conditionalCreate": true,
                "conditionalRead": "full-support",
                "conditionalUpdate": true,
                "conditionalDelete": conditional_delete,
            });
            let operations = operations(table.resource);
            if !operations.is_empty() {
                resource["operation"] = Value::Array(operations);
            }
            let includes: Vec<String> = custom
                .references(table.resource)
                .map(|code| format!("{}:{code}", table.resource))
                .collect();
            if !includes.is_empty() {
                resource["searchInclude"] = json!(includes);
            }
            if !parameters.is_empty() {
                resource["searchParam"] = Value::Array(parameters);
            }
            resource
        })
        .collect();
    let mut statement = json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(app.started_micros),
        "publisher": "Bund",
        "kind": "instance",
        "software": { "name": "Bund", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "Bund FHIR R4 server", "url": service.base_url },
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "patchFormat": ["application/json-patch+json", "application/fhir+json", "application/fhir+xml"],
        "rest": [{
            "mode": "server",
            "resource": resources,
            "interaction": [
                { "code": "transaction" },
                { "code": "batch" },
                { "code": "history-system" },
                { "code": "search-system" },
            ],
        }],
    });
    if let Some(security) = smart::security(app) {
        statement["rest"][0]["security"] = security;
    }
    statement
}

/// What can be done with the audit trail.
fn trail() -> Value {
    let parameters = events::PARAMETERS.map(|(name, kind)| json!({ "name": name, "type": kind }));
    json!({
        "type": events::TYPE,
        "profile": format!("http://hl7.org/fhir/StructureDefinition/{}", events::TYPE),
        "interaction": [{ "code": "read" }, { "code": "search-type" }],
        "versioning": "no-version",
        "searchParam": parameters,
    })
}

/// Of this server, not of the specification.
const OWN: &str = "";

fn operations(resource: &str) -> Vec<Value> {
    let definitions: &[(&str, &str)] = match resource {
        "Patient" => &[
            ("everything", "Patient-everything"),
            ("access-log", OWN),
            ("break-glass", OWN),
            ("disclosures", OWN),
            ("sharing-preview", OWN),
        ],
        "Encounter" => &[("everything", "Encounter-everything")],
        "Observation" => &[("lastn", "Observation-lastn")],
        _ => &[],
    };
    let definition = |(name, id): &(&str, &str)| match *id {
        OWN => json!({ "name": name, "definition": format!("urn:bund:operation:{name}") }),
        id => {
            let definition = format!("http://hl7.org/fhir/OperationDefinition/{id}");
            json!({ "name": name, "definition": definition })
        }
    };
    definitions.iter().map(definition).collect()
}

const INTERACTIONS: [&str; 9] = [
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
];
