//! `$everything`: the record of a patient or of an encounter, with who and what it refers to
//! (patient-operation-everything.html, encounter-operation-everything.html).

use crate::app::App;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::interactions::look::{Looked, Reader, patients, record};
use crate::interactions::search::find;
use crate::interactions::search::wanted::Wanted;
use access::Grant;
use schema::resource::Table;
use store::read::Found;

const INPUTS: [&str; 6] = ["start", "end", "_since", "_type", "_count", "_cursor"];

pub(super) async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
    table: &'static Table,
    id: &str,
) -> Result<Looked, Failure> {
    request.allow_parameters(&INPUTS)?;
    let found = reader.read(grant, table, id).await?;
    let what = format!("{}/{id}", table.resource);
    let failure = found.describe(|found| match found {
        Found::Current(_) => None,
        Found::Deleted(_) => Some(Failure::gone(&what)),
        Found::Nothing => Some(Failure::not_found(&what)),
    });
    if let Some(failure) = failure {
        // That there is none was looked up, too.
        let touched = found.describe(|found| patients(found.version()));
        let status = failure.status;
        let answer = found.map(|_| Err(failure));
        return Ok(Looked { record: record(grant, request, status, touched), answer });
    }
    let wanted = Wanted::everything(app, request, table, id)?;
    find(app, reader, grant, request, &wanted).await
}
