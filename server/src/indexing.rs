//! Search parameters that are defined here: read, put to work, and their entries made in the background.
//!
//! Every replica looks every two seconds, and at once when it stored a SearchParameter itself, whether the definitions agree with
//! what is at work, and whether there are entries to make; one of them makes these at a time (`store::reindex`).

use crate::app::App;
use crate::http::failure::Failure;
use access::{Grant, Interaction, Wish, decide};
use actix_web::web::Data;
use fhir::outcome::Code;
use schema::resource::{TABLES, Table, find};
use search::registry::{Custom, Definition, PARAMETERS_MAX};
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use store::error::Error;
use store::parameters::Defined;
use store::reindex::{Progress, Turn};

/// The type whose resources define them.
pub const DEFINITIONS: &str = "SearchParameter";

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Resources in one transaction.
const SLICE: i64 = 200;

/// How much of its time a reindex leaves to others.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// After each slice it waits as long as the slice took.
    Half,
    Pause(Duration),
}

impl App {
    /// Works with what is defined now.
    pub async fn read_parameters(&self) -> Result<(), Error> {
        let definitions = self.store.definitions().await?;
        let mut custom = Custom::new(definitions.epoch);
        for working in definitions.working {
            let Defined { id, resource_type, definition } = working.defined;
            let Some(table) = table(resource_type) else { continue };
            let added =
                custom.add(table.resource, &id, &definition, working.generation, working.is_ready);
            if let Err(error) = added {
                tracing::error!(%error, id, resource = table.resource, "a search parameter cannot be used");
            }
        }
        self.extractor.replace(custom);
        Ok(())
    }

    /// For a search by what is defined here: whether that is still so.
    pub async fn is_current(&self) -> Result<bool, Error> {
        Ok(self.store.signs().await?.epoch == self.extractor.custom().epoch)
    }
}

/// Refuses a SearchParameter that is to be put to work and cannot be.
pub fn check(app: &App, id: &str, resource: &Value) -> Result<(), Failure> {
    let refuse = |text: String| Failure::new(422, Code::BusinessRule, text);
    let definition = Definition::read(resource).map_err(|error| {
        refuse(format!("{error}; with another status than `active` it is stored and not used"))
    })?;
    let Some(definition) = definition else { return Ok(()) };
    let custom = app.extractor.custom();
    for base in &definition.bases {
        if let Some(other) = custom.owner(base, &definition.code).filter(|other| *other != id) {
            let code = &definition.code;
            let text = format!(
                "`{code}` of {base} is what SearchParameter/{other} defines; choose another"
            );
            return Err(refuse(text));
        }
    }
    Ok(())
}

/// As long as the server runs.
pub async fn keep(app: Data<App>) {
    let mut declared = None;
    loop {
        match round(&app, declared).await {
            Ok(seen) => declared = Some(seen),
            Err(error) => tracing::warn!(%error, "search parameters could not be looked after"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.parameters_changed.notified() => {}
        }
    }
}

/// `declared` is what was seen of the SearchParameters when they were last put to work.
async fn round(app: &App, declared: Option<(i64, i64)>) -> Result<(i64, i64), Error> {
    let grant = grant(app)?;
    let mut signs = app.store.signs().await?;
    app.extractor.veil().set_everywhere(!signs.has_work);
    if declared != Some(signs.declared) && define(app, &grant).await? {
        signs = store::parameters::Signs { declared: signs.declared, ..app.store.signs().await? };
    }
    if signs.epoch != app.extractor.custom().epoch {
        app.read_parameters().await?;
    }
    if signs.has_work
        && let Some(turn) = app.store.reindex_turn().await?
    {
        let outcome = run(app, &grant, &turn, &[], Pace::Half, |_, _| {}).await;
        turn.end().await?;
        outcome?;
        app.read_parameters().await?;
    }
    Ok(signs.declared)
}

fn grant(app: &App) -> Result<Grant, Error> {
    let wish = Wish::new(Interaction::Batch, None);
    decide(&app.local_caller(), &wish).map_err(|refusal| Error::Settings(refusal.to_string()))
}

/// What the stored SearchParameters ask for. Of several that define one code for one type the first by id counts.
async fn define(app: &App, grant: &Grant) -> Result<bool, Error> {
    let mut wanted = Vec::new();
    let mut taken: HashMap<(&str, String), String> = HashMap::new();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (id, json) in app.store.declarations(grant).await? {
        let resource: Value = serde_json::from_slice(&json)
            .map_err(|error| Error::Corrupt(format!("SearchParameter/{id}: {error}")))?;
        let definition = match Definition::read(&resource) {
            Ok(Some(definition)) => definition,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, id, "a SearchParameter is not used");
                continue;
            }
        };
        for base in &definition.bases {
            let count = counts.entry(base).or_default();
            *count += 1;
            let name = (*base, definition.code.clone());
            if let Some(other) = taken.get(&name) {
                tracing::warn!(id, other, base, "two SearchParameters define one code");
                continue;
            }
            if *count > PARAMETERS_MAX {
                tracing::warn!(
                    id,
                    base,
                    max = PARAMETERS_MAX,
                    "too many SearchParameters of one type"
                );
                continue;
            }
            taken.insert(name, id.clone());
            let Some(table) = find(base) else { continue };
            let definition = definition.text();
            wanted.push(Defined { id: id.clone(), resource_type: table.code, definition });
        }
    }
    app.store.define(grant, &wanted).await
}

pub fn table(code: i16) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.code == code)
}

/// Makes the entries anew of all types that are not finished, or of those among these; how many resources there were.
pub async fn run(
    app: &App,
    grant: &Grant,
    turn: &Turn,
    among: &[&'static Table],
    pace: Pace,
    mut told: impl FnMut(&'static Table, &Progress),
) -> Result<u64, Error> {
    let mut total = 0;
    while let Some(mut progress) = turn.next(among).await? {
        let Some(table) = table(progress.resource_type) else {
            return Err(Error::Corrupt(format!(
                "no type has the number {}",
                progress.resource_type
            )));
        };
        if progress.after.is_empty() {
            app.store.await_writers().await?;
        }
        let before = progress.done;
        while !progress.is_finished {
            let began = Instant::now();
            let epoch = app.extractor.custom().epoch;
            let entries = |json: &[u8], hospital: i32| {
                let resource = serde_json::from_slice(json).map_err(|error| error.to_string())?;
                app.extractor.stored(&resource, hospital).map_err(|error| error.to_string())
            };
            match app.store.reindex(grant, table, &progress, SLICE, epoch, entries).await {
                Ok(next) => progress = next,
                // What is asked for changed, or where it begins.
                Err(Error::Outdated) => {
                    app.read_parameters().await?;
                    break;
                }
                Err(error) => return Err(error),
            }
            told(table, &progress);
            let pause = match pace {
                Pace::Half => began.elapsed(),
                Pace::Pause(pause) => pause,
            };
            tokio::time::sleep(pause).await;
        }
        total += progress.done.saturating_sub(before);
    }
    Ok(total)
}
