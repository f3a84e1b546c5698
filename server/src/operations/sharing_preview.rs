//! `$sharing-preview`: what a hospital would see of a patient's record if it treated the patient, as counts by type. Only the patient
//! asks, and nothing of the record is in the answer.

use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::interactions::look::{Looked, Reader, record};
use ::search::key::resource_key;
use ::search::plan;
use ::search::query::Query;
use ::search::reader::Reader as Told;
use ::search::render;
use access::{Grant, HospitalId};
use schema::resource::{TABLES, Table};
use serde_json::{Value, json};
use store::trail::Sealed;

pub(super) async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
    patient: &str,
) -> Result<Looked, Failure> {
    request.allow_parameters(&["hospital"])?;
    if grant.own_patient() != Some(patient) {
        let text = "this is for the patient alone: a token of the own record, without a hospital";
        return Err(Failure::new(403, fhir::outcome::Code::Forbidden, text));
    }
    let code = request.parameter("hospital").unwrap_or_default();
    let hospital = app.extractor.hospital(code.trim_start_matches("Organization/"));
    let hospital = hospital.ok_or_else(|| {
        Failure::bad_request("`hospital` is the code of a hospital that takes part")
    })?;
    let seen_by = grant.seen_by(HospitalId(hospital)).ok_or_else(|| {
        Failure::new(403, fhir::outcome::Code::Forbidden, "this is for the patient alone")
    })?;
    let own = grant.for_search();
    let mut counted = Sealed::none();
    for table in &TABLES {
        let all = count(reader, &own, &own, table, patient).await?;
        if all.describe(|all| *all == 0) {
            continue;
        }
        let seen = count(reader, &seen_by, &own, table, patient).await?;
        counted = counted.append(all.zip(seen).map(|counts| vec![(table.resource, counts)]));
    }
    let answer = counted.map(|counted| {
        let each = counted.into_iter().map(|(kind, (all, seen))| parameter(kind, all, seen));
        let mut answer = json!({ "resourceType": "Parameters" });
        let each: Vec<Value> = each.collect();
        if !each.is_empty() {
            answer["parameter"] = Value::Array(each);
        }
        Ok(Answer::new(200, Content::Tree(answer)))
    });
    let touched = vec![resource_key("Patient", patient)];
    Ok(Looked { record: record(grant, request, 200, touched), answer })
}

/// Asked by the patient, who may see all of it: the hospital's wall is in the statement alone. Nothing where the grant opens nothing of the type, or the type is not about patients.
async fn count(
    reader: &mut Reader<'_>,
    grant: &Grant,
    own: &Grant,
    table: &'static Table,
    patient: &str,
) -> Result<Sealed<i64>, Failure> {
    let query = match table.resource {
        "Patient" => Query::by_ids("Patient", vec![patient.to_owned()]),
        kind => Query::of_compartment(kind, "Patient", patient),
    };
    match query {
        Some(query) if grant.may_search(table.resource) => {
            let plan = plan::plan(&query, grant)?;
            let sql = render::count(&plan).read_by(Told::of(own));
            Ok(reader.count(&sql).await?)
        }
        Some(_) | None => Ok(Sealed::without_rows(0)),
    }
}

fn parameter(kind: &str, all: i64, seen: i64) -> Value {
    json!({ "name": "type", "part": [
        { "name": "code", "valueCode": kind },
        { "name": "seen", "valueDecimal": seen },
        { "name": "all", "valueDecimal": all },
    ] })
}
