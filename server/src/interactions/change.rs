//! Whatever changes something goes through here: one change or the five thousand of a transaction, all or nothing.
//!
//! Find what criteria mean, lock all of it in one order, look again under the locks, decide each change, put references in
//! order, stage, commit. No lock is ever waited for while a later one in that order is held, so there are no deadlocks; when
//! criteria mean something else under the locks than before, or another transaction was in the way, all of it is done again
//! from the start, a bounded number of times.

mod decide;
mod guardian;
mod references;
mod resolve;
mod stage;

use super::look::{Looked, Reader, look};
use crate::app::App;
use crate::http::answer::{Answer, Content, VersionTag};
use crate::http::etag::Condition;
use crate::http::failure::Failure;
use crate::http::preferences::Return;
use crate::http::request::Request;
use crate::indexing;
use ::search::query::Query;
use access::{Denied, Grant, Interaction};
use audit::record::{Record, Subject};
use fhir::outcome::Issue;
use fhir::resident;
use jiff::Zoned;
use jiff::tz::TimeZone;
use schema::resource::Table;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::row::{Method, Version};
use store::trail::Sealed;
use store::write::stage::{KeptAnswer, Put, Staged};

/// One thing to change, its resource already valid.
#[derive(Clone, Debug)]
pub struct Change {
    pub table: &'static Table,
    pub action: Action,
    pub if_match: Option<Condition>,
    pub if_none_match: Option<Condition>,
    /// What other entries of the bundle call it.
    pub full_url: Option<String>,
    /// Its place in the bundle, for messages.
    pub entry: Option<usize>,
    /// What permits it.
    pub grant: Grant,
}

#[derive(Clone, Debug)]
pub enum Action {
    Create { resource: Value, unless: Option<Criteria> },
    Update { place: Place, resource: Value },
    Patch { place: Place, patch: Patch },
    Delete { place: Place },
}

#[derive(Clone, Debug)]
pub enum Patch {
    Json(Value),
    Path(Value),
}

/// Which resource is meant.
#[derive(Clone, Debug)]
pub enum Place {
    Id(String),
    Criteria(Criteria),
}

/// Conditional criteria, with their text for messages.
#[derive(Clone, Debug)]
pub struct Criteria {
    pub query: Query,
    pub text: String,
}

/// All that one transaction does.
pub struct Work<'a> {
    pub request: &'a Request,
    pub changes: Vec<Change>,
    /// Reads that see the changes: their place in the bundle and what they ask.
    pub reads: Vec<(usize, Request)>,
    pub keep: Option<Keep>,
}

/// An Idempotency-Key and what tells a retry from another request that uses the same key.
#[derive(Clone, Debug)]
pub struct Keep {
    pub key: String,
    pub fingerprint: Vec<u8>,
}

/// What became of one change.
#[derive(Clone, Debug)]
pub struct Changed {
    pub effect: Effect,
    pub table: &'static Table,
    pub interaction: Interaction,
    pub id: String,
    /// Nothing where there was nothing to delete.
    pub tag: Option<VersionTag>,
    pub json: Option<Vec<u8>>,
    pub patient: Option<i64>,
    pub entry: Option<usize>,
    /// Whether the caller may read what was written.
    pub is_shown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Created,
    Updated,
    /// The new content was the old content: no version was made.
    Unchanged,
    /// A conditional create whose criteria already match.
    Existing,
    Deleted,
    /// Nothing was there to delete.
    Absent,
}

pub enum Done {
    /// In the order of the changes; a conditional delete may give several or none.
    Fresh { changed: Vec<Changed>, reads: Vec<(usize, Result<Answer, Failure>)> },
    /// The answer given before to the same request.
    Repeated(Answer),
}

/// Why an attempt stopped.
pub(super) enum Stop {
    Failure(Failure),
    Store(store::error::Error),
    /// Criteria found a resource whose lock is not held.
    Moved,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failure(failure)
    }
}

impl From<store::error::Error> for Stop {
    fn from(error: store::error::Error) -> Stop {
        Stop::Store(error)
    }
}

const ATTEMPTS_MAX: u32 = 10;

/// Does the work. `finish` makes the answer that is kept for a retry with the same Idempotency-Key.
pub async fn run(
    app: &App,
    grant: &Grant,
    work: &Work<'_>,
    finish: impl Fn(&[Changed]) -> Answer,
) -> Result<Done, Failure> {
    let mut attempt_number = 1;
    loop {
        match attempt(app, grant, work, &finish).await {
            Ok(done) => {
                let is_definition =
                    |change: &Change| change.table.resource == indexing::DEFINITIONS;
                if work.changes.iter().any(is_definition) {
                    app.parameters_changed.notify_one();
                }
                return Ok(done);
            }
            Err(Stop::Failure(failure)) => return Err(failure),
            Err(stop) if stop.may_pass() && attempt_number < ATTEMPTS_MAX => {
                metrics::counter!("bund_transaction_retries_total").increment(1);
                // The version key's low bits differ from process to process: enough to part two rivals.
                let jitter = app.store.clock().next(0).rem_euclid(7_919) % 16;
                let pause = u64::from(attempt_number * attempt_number) + jitter.unsigned_abs();
                tokio::time::sleep(Duration::from_millis(pause)).await;
                if matches!(stop, Stop::Store(store::error::Error::Outdated)) {
                    app.read_parameters().await?;
                }
                attempt_number += 1;
            }
            Err(Stop::Store(error)) => return Err(Failure::from(error)),
            Err(Stop::Moved) => {
                let text = "others kept changing what the criteria match; try again";
                return Err(Failure::new(409, fhir::outcome::Code::Conflict, text));
            }
        }
    }
}

impl Stop {
    fn may_pass(&self) -> bool {
        match self {
            Stop::Moved => true,
            Stop::Store(error) => error.is_contended(),
            Stop::Failure(_) => false,
        }
    }
}

async fn attempt(
    app: &App,
    grant: &Grant,
    work: &Work<'_>,
    finish: &impl Fn(&[Changed]) -> Answer,
) -> Result<Done, Stop> {
    let mut transaction = app.store.transaction(grant, app.extractor.custom().epoch).await?;
    let outcome = prepare(app, grant, work, &mut transaction).await;
    let mut decided = match outcome {
        Ok(Prepared::Decided(decided)) => decided,
        Ok(Prepared::Known(known)) => {
            transaction.rollback().await?;
            return repeated(&known).map_err(Stop::Failure);
        }
        Err(stop) => {
            // A lost connection cannot be rolled back; PostgreSQL does it by itself.
            let _ = transaction.rollback().await;
            return Err(stop);
        }
    };
    if let Some(keep) = &work.keep {
        decided.staged.answer = Some(KeptAnswer {
            hospital: custodian(grant)?,
            key: keep.key.clone(),
            fingerprint: keep.fingerprint.clone(),
            answer: kept(&finish(&decided.changed)),
        });
    }
    let mut records: Vec<Record> =
        decided.changed.iter().map(|changed| record(grant, work.request, changed)).collect();
    if work.reads.is_empty() {
        transaction.commit(&decided.staged, &records).await?;
        return Ok(Done::Fresh { changed: decided.changed, reads: Vec::new() });
    }

    transaction.apply(&decided.staged).await?;
    let mut sealed: Vec<(usize, Sealed<Result<Answer, Failure>>)> = Vec::new();
    for (entry, read) in &work.reads {
        let grant = super::grant(read)?;
        let looked = look(app, &mut Reader::Transaction(&mut transaction), &grant, read).await;
        let Looked { record, answer } = match looked {
            Ok(looked) => looked,
            Err(failure) => {
                transaction.rollback().await?;
                return Err(Stop::Failure(failure.in_entry(*entry)));
            }
        };
        records.push(record);
        sealed.push((*entry, answer));
    }
    let receipt = transaction.commit(&Staged::default(), &records).await?;
    let reads = sealed.into_iter().map(|(entry, answer)| (entry, answer.open(&receipt))).collect();
    Ok(Done::Fresh { changed: decided.changed, reads })
}

/// Thousands of entries are some hundred milliseconds of work: requests of the same thread get their turn in between.
pub async fn let_others_run(index: usize) {
    const AT_A_TIME: usize = 32;
    if index % AT_A_TIME == AT_A_TIME - 1 {
        tokio::task::yield_now().await;
    }
}

struct Decided {
    changed: Vec<Changed>,
    staged: Staged,
}

enum Prepared {
    Decided(Decided),
    Known(Vec<u8>),
}

async fn prepare(
    app: &App,
    grant: &Grant,
    work: &Work<'_>,
    transaction: &mut store::write::Transaction,
) -> Result<Prepared, Stop> {
    let mut names = references::Names::scan(app, work)?;
    let locked = resolve::lock(app, grant, work, &names, transaction).await?;
    if let Some(keep) = &work.keep
        && let Some(known) = transaction.known_answer(custodian(grant)?, &keep.key).await?
    {
        if known.fingerprint != keep.fingerprint {
            let text =
                "this Idempotency-Key was used for another request; a new request needs a new key";
            return Err(Failure::new(422, fhir::outcome::Code::BusinessRule, text).into());
        }
        return Ok(Prepared::Known(known.answer));
    }
    let resolved = resolve::resolve(app, grant, work, transaction, &mut names, &locked).await?;
    let mut decided = Decided { changed: Vec::new(), staged: Staged::default() };
    for (index, (change, resolved)) in work.changes.iter().zip(resolved).enumerate() {
        let_others_run(index).await;
        for target in resolved.targets {
            decide::decide(app, work.request, change, target, &names, &mut decided)
                .map_err(|failure| in_entry(failure, change.entry))?;
        }
    }
    guardian::check_all(app, grant, transaction, &decided).await?;
    Ok(Prepared::Decided(decided))
}

/// The hospital that keeps what is written.
fn custodian(grant: &Grant) -> Result<i32, Failure> {
    let hospital = grant.hospital().ok_or(Denied::NoHospital)?;
    Ok(hospital.0)
}

pub(super) fn in_entry(failure: Failure, entry: Option<usize>) -> Failure {
    match entry {
        Some(entry) => failure.in_entry(entry),
        None => failure,
    }
}

fn record(grant: &Grant, request: &Request, changed: &Changed) -> Record {
    Record {
        request: request.id,
        interaction: changed.interaction,
        status: changed.effect.status(),
        hospital: grant.hospital(),
        agent: Arc::clone(grant.agent()),
        purposes: grant.purposes(),
        subject: Some(Subject {
            table: changed.table,
            id: Some(changed.id.clone()).filter(|id| !id.is_empty()),
            version: changed.tag.map(|tag| tag.version),
        }),
        patients: changed.patient.into_iter().collect(),
        query: None,
        address: request.address,
    }
}

impl Effect {
    pub fn status(self) -> u16 {
        match self {
            Effect::Created => 201,
            Effect::Updated | Effect::Unchanged | Effect::Existing => 200,
            Effect::Deleted | Effect::Absent => 204,
        }
    }

    /// For `Prefer: return=OperationOutcome`.
    pub fn sentence(self) -> &'static str {
        match self {
            Effect::Created => "created",
            Effect::Updated => "updated",
            Effect::Unchanged => "the content is what was there already; no version was made",
            Effect::Existing => "a resource that matches exists; nothing was created",
            Effect::Deleted => "deleted",
            Effect::Absent => "there was nothing to delete",
        }
    }
}

impl Changed {
    /// What one change answers over HTTP.
    pub fn answer(&self, request: &Request) -> Answer {
        let content = match (&self.json, self.effect) {
            (_, Effect::Deleted | Effect::Absent) | (None, _) => Content::Nothing,
            _ if !self.is_shown => Content::Nothing,
            (Some(json), _) => Content::Text(json.clone()),
        };
        let location = match (self.effect, self.tag) {
            (
                Effect::Created | Effect::Updated | Effect::Unchanged | Effect::Existing,
                Some(tag),
            ) => Some(format!("{}/{}/_history/{}", self.table.resource, self.id, tag.version)),
            (_, _) => None,
        };
        let answer = Answer { status: self.effect.status(), location, version: self.tag, content };
        let preference = request.headers.preferences.r#return;
        let issues = match preference {
            Return::OperationOutcome => self.issues(),
            Return::Minimal | Return::Representation => Vec::new(),
        };
        let mut answer = answer.preferred(preference, &issues);
        // 204 has no body; who asked for an outcome gets it with 200.
        if answer.status == 204 && !matches!(answer.content, Content::Nothing) {
            answer.status = 200;
        }
        answer
    }

    /// For `Prefer: return=OperationOutcome`: what was done, and what is doubtful about it.
    pub fn issues(&self) -> Vec<Issue> {
        let mut issues = vec![Issue::information(self.effect.sentence())];
        let resource = self.json.as_ref().and_then(|json| serde_json::from_slice(json).ok());
        if let Some(resource) = resource.filter(|_| self.is_shown) {
            // Where the day is over last: nobody is told that a child of today is still to be born.
            let today = Zoned::now().with_time_zone(TimeZone::fixed(jiff::tz::offset(14))).date();
            issues.extend(resident::doubts(&resource, today));
        }
        issues
    }

    pub(super) fn of(
        version: &Version,
        effect: Effect,
        interaction: Interaction,
        entry: Option<usize>,
        is_shown: bool,
    ) -> Changed {
        let tag = VersionTag { version: version.version, version_key: version.version_key };
        Changed {
            effect,
            table: version.table,
            interaction,
            id: version.id.clone(),
            tag: Some(tag),
            json: version.json.clone(),
            patient: super::look::patients([version]).first().copied(),
            entry,
            is_shown,
        }
    }
}

/// The first version of a resource under an id of its own, for a bulk load.
pub fn first_version(
    app: &App,
    grant: &Grant,
    table: &'static Table,
    id: String,
    resource: Value,
) -> Result<Put, Failure> {
    stage::put(app, grant, table, id, resource, &stage::Before::nothing(), Method::Put)
}

/// An answer as it is kept: one line of facts, then the body.
fn kept(answer: &Answer) -> Vec<u8> {
    let facts = serde_json::json!({
        "status": answer.status,
        "location": answer.location,
        "version": answer.version.map(|tag| tag.version),
        "version_key": answer.version.map(|tag| tag.version_key),
    });
    let mut text = fhir::json::write(&facts);
    text.push(b'\n');
    match &answer.content {
        Content::Nothing => {}
        Content::Text(body) => text.extend_from_slice(body),
        Content::Table(table) => text.extend_from_slice(table.as_bytes()),
        Content::Tree(tree) => text.extend_from_slice(&fhir::json::write(tree)),
    }
    text
}

fn repeated(known: &[u8]) -> Result<Done, Failure> {
    let unreadable =
        || Failure::new(500, fhir::outcome::Code::Exception, "a kept answer cannot be read");
    let end = known.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
    let (facts, body) = known.split_at(end);
    let facts: Value = serde_json::from_slice(facts).map_err(|_| unreadable())?;
    let body = body.get(1..).unwrap_or_default();
    let version = facts["version"].as_i64().and_then(|version| i32::try_from(version).ok());
    let tag = version
        .zip(facts["version_key"].as_i64())
        .map(|(version, version_key)| VersionTag { version, version_key });
    Ok(Done::Repeated(Answer {
        status: facts["status"]
            .as_u64()
            .and_then(|status| u16::try_from(status).ok())
            .ok_or_else(unreadable)?,
        location: facts["location"].as_str().map(str::to_owned),
        version: tag,
        content: if body.is_empty() { Content::Nothing } else { Content::Text(body.to_vec()) },
    }))
}
