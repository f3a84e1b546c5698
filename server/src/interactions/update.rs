//! update: a new version of a resource, or its first under an id that the client chose (http.html#update, #upsert), of the
//! resource that criteria match (http.html#cond-update).

use super::change::{Action, Change, Changed, Done, Place, Work, run};
use super::create::{resource, table};
use super::search::{criteria, require_criteria};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Target;
use access::Grant;
use fhir::outcome::{Code, Issue};
use schema::resource::Table;

pub async fn answer(app: &App, grant: &Grant, mut request: Request) -> Result<Answer, Failure> {
    let change = change(app, &mut request)?;
    one(app, grant, &request, change).await
}

pub fn change(app: &App, request: &mut Request) -> Result<Change, Failure> {
    let table = table(request)?;
    let place = place(app, request, table)?;
    let resource = resource(app, request, table)?;
    if let Place::Id(id) = &place {
        let problem = match resource["id"].as_str() {
            Some(own) if own == id => None,
            Some(own) => {
                Some(format!("the resource's id `{own}` is not the id `{id}` of the address"))
            }
            None => Some(format!("the resource has no id; it must be `{id}`, as in the address")),
        };
        if let Some(text) = problem {
            let place = format!("{}.id", table.resource);
            return Err(Failure::of(400, vec![Issue::error(Code::Invalid, text).at(place)]));
        }
    }
    Ok(Change {
        table,
        action: Action::Update { place, resource },
        if_match: request.headers.if_match.clone(),
        if_none_match: request.headers.if_none_match.clone(),
        full_url: None,
        entry: None,
        grant: super::grant(request)?,
    })
}

/// The id of the address, or the criteria of its query.
pub fn place(app: &App, request: &Request, table: &'static Table) -> Result<Place, Failure> {
    match &request.target {
        Target::Instance(_, id) => {
            request.allow_parameters(&[])?;
            Ok(Place::Id(id.clone()))
        }
        Target::Type(_) => {
            Ok(Place::Criteria(require_criteria(criteria(app, table, &request.criteria())?)?))
        }
        Target::Base
        | Target::SystemSearch
        | Target::Compartment(..)
        | Target::Operation(..)
        | Target::Capabilities
        | Target::SystemHistory
        | Target::TypeSearch(_) => Err(Failure::method(request.target.allow())),
        Target::TypeHistory(_) | Target::InstanceHistory(..) | Target::Version(..) => {
            Err(Failure::method(request.target.allow()))
        }
    }
}

/// Runs one change and answers it; a conditional delete may have had several effects or none.
pub async fn one(
    app: &App,
    grant: &Grant,
    request: &Request,
    change: Change,
) -> Result<Answer, Failure> {
    let work = Work { request, changes: vec![change], reads: Vec::new(), keep: None };
    let finish = |changed: &[Changed]| match changed {
        [only] => only.answer(request),
        several => {
            let text = format!("{} resources deleted", several.len());
            Answer::outcome(200, &[Issue::information(text)])
        }
    };
    match run(app, grant, &work, finish).await? {
        Done::Fresh { changed, .. } => Ok(finish(&changed)),
        Done::Repeated(answer) => Ok(answer),
    }
}
