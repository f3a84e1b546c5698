//! What was refused is recorded too: who asked for what, and that it was not given.

use crate::app::App;
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::http::target::Target;
use access::{Caller, Interaction, Operation};
use audit::record::{Record, Subject};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::clock::now_micros;
use uuid::Uuid;

/// Of those who did not say who they are, so many refusals a second are recorded each for itself; the others are counted.
const UNKNOWN_A_SECOND: i64 = 5;

/// What was asked, as far as it was understood.
pub struct Asked<'a> {
    pub id: Uuid,
    pub interaction: Interaction,
    pub target: &'a Target,
    pub address: Option<IpAddr>,
    /// None where it was not taken for anybody.
    pub caller: Option<&'a Caller>,
}

impl<'a> Asked<'a> {
    pub fn of(request: &'a Request) -> Asked<'a> {
        Asked {
            id: request.id,
            interaction: request.interaction,
            target: &request.target,
            address: request.address,
            caller: Some(&request.caller),
        }
    }
}

/// Records a refusal, unless the record of the interaction says it already. If the trail cannot be written that is the answer.
pub async fn record(app: &App, asked: &Asked<'_>, failure: Failure) -> Failure {
    if failure.is_recorded || asked.interaction == Interaction::Capabilities {
        return failure;
    }
    let is_told = match (asked.caller, failure.status) {
        (None, _) => is_among_the_first(),
        // A flood is not answered with a flood of records.
        (Some(_), 429) => app.traffic.is_told(asked.caller),
        (Some(_), _) => true,
    };
    if !is_told {
        metrics::counter!("bund_unrecorded_refusals_total").increment(1);
        return failure;
    }
    let record = of(asked, failure.status);
    match app.store.trail().record(record).await {
        Ok(_) => Failure { is_recorded: true, ..failure },
        Err(error) => Failure::from(error),
    }
}

fn of(asked: &Asked<'_>, status: u16) -> Record {
    let id = match asked.target {
        Target::Instance(_, id) | Target::InstanceHistory(_, id) | Target::Version(_, id, _) => {
            Some(id.clone())
        }
        Target::Operation(_, _, id) => id.clone(),
        _ => None,
    };
    let version = match asked.target {
        Target::Version(_, _, version) => Some(*version),
        _ => None,
    };
    Record {
        request: asked.id,
        interaction: asked.interaction,
        status,
        hospital: asked.caller.and_then(Caller::hospital),
        agent: asked.caller.map(|caller| Arc::clone(caller.agent())).unwrap_or_default(),
        purposes: asked.caller.map(Caller::purposes).unwrap_or_default(),
        subject: asked.target.table().map(|table| Subject { table, id, version }),
        patients: Vec::new(),
        query: (asked.target.operation() == Some(Operation::BreakGlass))
            .then(|| audit::event::BREAK_GLASS.to_owned()),
        address: asked.address,
    }
}

/// Of this second.
fn is_among_the_first() -> bool {
    static SECOND: AtomicI64 = AtomicI64::new(0);
    static NUMBER: AtomicI64 = AtomicI64::new(0);
    let now = now_micros() / 1_000_000;
    if SECOND.swap(now, Ordering::Relaxed) != now {
        NUMBER.store(0, Ordering::Relaxed);
    }
    NUMBER.fetch_add(1, Ordering::Relaxed) < UNKNOWN_A_SECOND
}
