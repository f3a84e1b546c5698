//! `$access-log`: who did what with a patient's record, as a table to keep. `$disclosures`: the accounting of who elsewhere than at the
//! custodian saw what kind of data, how often, and what for. Both are made of the trail, for those who may read it.

use crate::app::App;
use crate::http::answer::{Answer, Content};
use crate::http::csv;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::interactions::events::{moments, within, zone};
use crate::interactions::look::{Looked, record, status};
use ::search::key::resource_key;
use access::{Grant, Interaction, Purposes};
use audit::event::Stored;
use audit::record::interaction;
use fhir::outcome::Code;
use std::collections::BTreeMap;
use store::events::Asked;
use store::trail::Sealed;

/// Of one table.
const EVENTS_MAX: usize = 10_000;

const LOG: [&str; 12] = [
    "recorded",
    "person",
    "roles",
    "hospital",
    "application",
    "purpose",
    "emergency",
    "action",
    "interaction",
    "type",
    "what",
    "outcome",
];

pub(super) async fn log(
    app: &App,
    grant: &Grant,
    request: &Request,
    patient: &str,
) -> Result<Looked, Failure> {
    let events = events(app, grant, request, patient).await?;
    Ok(table(
        grant,
        request,
        patient,
        events.map(|events| {
            let mut text = csv::line(LOG);
            for event in &events? {
                text.push_str(&logged(event));
            }
            Ok(text)
        }),
    ))
}

const ACCOUNT: [&str; 10] = [
    "released by",
    "to hospital",
    "to person",
    "application",
    "class of data",
    "purpose",
    "emergency",
    "times",
    "first",
    "last",
];

pub(super) async fn account(
    app: &App,
    grant: &Grant,
    request: &Request,
    patient: &str,
) -> Result<Looked, Failure> {
    let custodian = app.store.custodian(patient).await?.unwrap_or_default();
    let events = events(app, grant, request, patient).await?;
    Ok(table(
        grant,
        request,
        patient,
        events.map(|events| {
            let mut text = csv::line(ACCOUNT);
            for (to, seen) in disclosed(&events?, &custodian) {
                let [hospital, person, application, class, purpose, emergency] = to;
                let times = seen.times.to_string();
                text.push_str(&csv::line([
                    custodian.as_str(),
                    &hospital,
                    &person,
                    &application,
                    &class,
                    &purpose,
                    &emergency,
                    &times,
                    &seen.first,
                    &seen.last,
                ]));
            }
            Ok(text)
        }),
    ))
}

/// The newest first; an error where there are more than one table holds.
async fn events(
    app: &App,
    grant: &Grant,
    request: &Request,
    patient: &str,
) -> Result<Sealed<Result<Vec<Stored>, Failure>>, Failure> {
    request.allow_parameters(&["start", "end"])?;
    let mut asked = Asked {
        patients: Some(vec![resource_key("Patient", patient)]),
        limit: i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX).saturating_add(1),
        ..Asked::default()
    };
    if let Some(text) = request.parameter("start") {
        asked.from = Some(moments(app, "start", text)?.0);
    }
    if let Some(text) = request.parameter("end") {
        asked.before = Some(moments(app, "end", text)?.1);
    }
    within(grant, &mut asked);
    let found = app.store.events(&asked, &zone(app)).await?;
    Ok(found.map(|found| {
        if found.len() > EVENTS_MAX {
            let text = format!(
                "there are more than {EVENTS_MAX} events; ask for less time with start and end"
            );
            return Err(Failure::new(422, Code::TooCostly, text));
        }
        Ok(found)
    }))
}

fn table(
    grant: &Grant,
    request: &Request,
    patient: &str,
    text: Sealed<Result<String, Failure>>,
) -> Looked {
    let answer = text.map(|text| text.map(|text| Answer::new(200, Content::Table(text))));
    let touched = vec![resource_key("Patient", patient)];
    Looked { record: record(grant, request, answer.describe(status), touched), answer }
}

fn person(event: &Stored) -> &str {
    event.agent.as_ref().map_or("", |agent| agent.name.as_deref().unwrap_or(&agent.subject))
}

fn emergency(event: &Stored) -> &'static str {
    if event.purposes.meets(Purposes::BREAK_THE_GLASS) { "yes" } else { "" }
}

fn logged(event: &Stored) -> String {
    let agent = event.agent.as_ref();
    let roles = agent.map(|agent| agent.roles.join(" ")).unwrap_or_default();
    let purposes = event.purposes.codes().collect::<Vec<_>>().join(" ");
    let known = interaction(event.interaction);
    let outcome = event.status.to_string();
    let what = event.resource_id.as_deref().or(event.query.as_deref()).unwrap_or_default();
    csv::line([
        event.recorded.as_str(),
        person(event),
        &roles,
        event.hospital.as_deref().unwrap_or_default(),
        agent.map_or("", |agent| agent.client.as_str()),
        &purposes,
        emergency(event),
        known.map_or("", audit::event::action),
        known.map_or("", Interaction::code),
        event.resource.unwrap_or_default(),
        what,
        &outcome,
    ])
}

/// How often, and from when to when.
struct Seen {
    times: u32,
    first: String,
    last: String,
}

/// By hospital, person, application, class of data, purpose and emergency. What was changed is no disclosure, nor what was refused.
fn disclosed(events: &[Stored], custodian: &str) -> BTreeMap<[String; 6], Seen> {
    let mut all: BTreeMap<[String; 6], Seen> = BTreeMap::new();
    for event in events {
        let Some(hospital) = event.hospital.as_deref().filter(|hospital| *hospital != custodian)
        else {
            continue;
        };
        let action = interaction(event.interaction).map(audit::event::action);
        if event.status >= 400 || !matches!(action, Some("R" | "E")) {
            continue;
        }
        let purposes = event.purposes.codes().collect::<Vec<_>>().join(" ");
        let application = event.agent.as_ref().map_or("", |agent| agent.client.as_str());
        let to = [
            hospital,
            person(event),
            application,
            event.resource.unwrap_or("several"),
            &purposes,
            emergency(event),
        ];
        let seen = all.entry(to.map(str::to_owned)).or_insert_with(|| Seen {
            times: 0,
            first: String::new(),
            last: event.recorded.clone(),
        });
        seen.times += 1;
        // They come with the newest first.
        seen.first.clone_from(&event.recorded);
    }
    all
}
