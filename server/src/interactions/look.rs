//! What all reading interactions share: look, record, and only then answer.

use super::{events, history, read, search, vread};
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::operations;
use crate::traffic::gate::Gate;
use ::search::key::resource_key;
use ::search::sql::Sql;
use access::{Grant, Interaction};
use audit::record::{Record, Subject};
use schema::resource::Table;
use std::sync::Arc;
use store::Store;
use store::error::Error;
use store::find::Matches;
use store::history::{Scope, Wanted};
use store::read::Found;
use store::row::Version;
use store::trail::Sealed;
use store::write::Transaction;

/// An answer that waits for its audit record.
pub struct Looked {
    pub record: Record,
    pub answer: Sealed<Result<Answer, Failure>>,
}

pub async fn answer(app: &App, grant: &Grant, request: &Request) -> Result<Answer, Failure> {
    let looked = {
        let _permit = gate(app, request).enter(request.caller.hospital()).await?;
        look(app, &mut Reader::Store(&app.store), grant, request).await?
    };
    let receipt = app.store.trail().record(looked.record).await?;
    let answer = looked.answer.open(&receipt);
    answer.map_err(|failure| Failure { is_recorded: true, ..failure })
}

/// What it waits for: single rows have connections of their own.
fn gate<'a>(app: &'a App, request: &Request) -> &'a Gate {
    let is_row = matches!(request.interaction, Interaction::Read | Interaction::Vread);
    let is_trail = request.target.table().is_some_and(|table| table.resource == events::TYPE);
    if is_row && !is_trail { &app.traffic.reading } else { &app.traffic.working }
}

/// The same within a transaction, whose commit makes the record durable.
pub async fn look(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    request: &Request,
) -> Result<Looked, Failure> {
    if request.target.table().is_some_and(|table| table.resource == events::TYPE) {
        return events::look(app, grant, request).await;
    }
    match request.interaction {
        Interaction::Read => read::look(reader, grant, request).await,
        Interaction::Vread => vread::look(reader, grant, request).await,
        Interaction::Operation => operations::look(app, reader, grant, request).await,
        Interaction::Search | Interaction::SearchSystem => {
            search::look(app, reader, grant, request).await
        }
        Interaction::HistoryInstance | Interaction::HistoryType | Interaction::HistorySystem => {
            history::look(app, reader, grant, request).await
        }
        Interaction::Capabilities
        | Interaction::Create
        | Interaction::Update
        | Interaction::Patch
        | Interaction::Delete
        | Interaction::Batch
        | Interaction::Transaction => Err(Failure::not_supported(format!(
            "{} cannot be done here",
            request.interaction.code()
        ))),
    }
}

/// Where reads go: the database, or a transaction in progress, which sees its own changes.
pub enum Reader<'a> {
    Store(&'a Store),
    Transaction(&'a mut Transaction),
}

impl Reader<'_> {
    pub async fn read(
        &mut self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
    ) -> Result<Sealed<Found>, Error> {
        match self {
            Reader::Store(store) => store.read(grant, table, id).await,
            Reader::Transaction(transaction) => transaction.read(grant, table, id).await,
        }
    }

    pub async fn vread(
        &mut self,
        grant: &Grant,
        table: &'static Table,
        id: &str,
        version: i32,
    ) -> Result<Sealed<Found>, Error> {
        match self {
            Reader::Store(store) => store.vread(grant, table, id, version).await,
            Reader::Transaction(transaction) => transaction.vread(grant, table, id, version).await,
        }
    }

    pub async fn history(
        &mut self,
        grant: &Grant,
        scope: Scope<'_>,
        wanted: &Wanted,
    ) -> Result<Sealed<Vec<Version>>, Error> {
        match self {
            Reader::Store(store) => store.history(grant, scope, wanted).await,
            Reader::Transaction(transaction) => transaction.history(grant, scope, wanted).await,
        }
    }

    pub async fn find(
        &mut self,
        table: &'static Table,
        sql: &Sql,
    ) -> Result<Sealed<Matches>, Error> {
        match self {
            Reader::Store(store) => store.find(table, sql).await,
            Reader::Transaction(transaction) => transaction.find(table, sql).await,
        }
    }

    pub async fn find_of_any(&mut self, sql: &Sql) -> Result<Sealed<Matches>, Error> {
        match self {
            Reader::Store(store) => store.find_of_any(sql).await,
            Reader::Transaction(transaction) => transaction.find_of_any(sql).await,
        }
    }

    pub async fn count(&mut self, sql: &Sql) -> Result<Sealed<i64>, Error> {
        match self {
            Reader::Store(store) => store.count(sql).await,
            Reader::Transaction(transaction) => transaction.count(sql).await,
        }
    }
}

/// The record of one interaction, about the resource or type that the address names.
pub fn record(grant: &Grant, request: &Request, status: u16, patients: Vec<i64>) -> Record {
    use crate::http::target::Target;
    let (id, version) = match &request.target {
        Target::Instance(_, id) | Target::InstanceHistory(_, id) => (Some(id.clone()), None),
        Target::Version(_, id, version) => (Some(id.clone()), Some(*version)),
        Target::Base | Target::SystemSearch | Target::Capabilities | Target::SystemHistory => {
            (None, None)
        }
        Target::Compartment(..) => (None, None),
        Target::Operation(_, _, id) => (id.clone(), None),
        Target::Type(_) | Target::TypeSearch(_) | Target::TypeHistory(_) => (None, None),
    };
    Record {
        request: request.id,
        interaction: request.interaction,
        status,
        hospital: grant.hospital(),
        agent: Arc::clone(grant.agent()),
        purposes: grant.purposes(),
        subject: request.target.table().map(|table| Subject { table, id, version }),
        patients,
        query: None,
        address: request.address,
    }
}

/// The patients whose record these versions belong to, each once.
pub fn patients<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Vec<i64> {
    let mut keys: Vec<i64> = versions
        .into_iter()
        .filter_map(|version| match version.table.resource {
            "Patient" => Some(resource_key("Patient", &version.id)),
            _ => version.patient,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

pub fn status(answer: &Result<Answer, Failure>) -> u16 {
    match answer {
        Ok(answer) => answer.status,
        Err(failure) => failure.status,
    }
}
