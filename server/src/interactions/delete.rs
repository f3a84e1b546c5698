//! delete: the end of a resource, kept in its history (http.html#delete), or of those that criteria match (http.html#3.1.0.7.1).

use super::change::{Action, Change};
use super::create::table;
use super::update::{one, place};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::http::request::Request;
use access::Grant;

pub async fn answer(app: &App, grant: &Grant, request: Request) -> Result<Answer, Failure> {
    let change = change(app, &request)?;
    one(app, grant, &request, change).await
}

pub fn change(app: &App, request: &Request) -> Result<Change, Failure> {
    let table = table(request)?;
    let place = place(app, request, table)?;
    Ok(Change {
        table,
        action: Action::Delete { place },
        if_match: request.headers.if_match.clone(),
        if_none_match: None,
        full_url: None,
        entry: None,
        grant: super::grant(request)?,
    })
}
