//! vread: one version of a resource (http.html#vread).

use super::look::{Looked, Reader, patients, record, status};
use super::read::{resource, subset};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Target;
use access::Grant;

pub async fn look(
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    let Target::Version(table, id, version) = &request.target else {
        return Err(Failure::method(request.target.allow()));
    };
    request.allow_parameters(&[])?;
    let subset = subset(request)?;
    let found = reader.vread(grant, table, id, *version).await?;
    let touched = found.describe(|found| patients(found.version()));
    let what = format!("{}/{id}/_history/{version}", table.resource);
    let answer = found.map(|found| resource(found, &what, &request.headers, subset.as_ref()));
    Ok(Looked { record: record(grant, request, answer.describe(status), touched), answer })
}
