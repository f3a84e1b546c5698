//! How much anybody may ask for, and who waits for whom.
//!
//! Rates bound what a person, a client, a hospital, or an address that shows no token asks for (429). Beyond them, what is scarce – connections,
//! and threads for large bodies – is given out by a queue that serves hospitals in turn, so that one of them in a flood waits for itself.

pub mod gate;
pub mod queue;
pub mod rate;

use crate::http::failure::Failure;
use crate::settings::Settings;
use access::{Caller, HospitalId};
use fhir::outcome::Code;
use gate::{Gate, Permit, Refused};
use queue::Line;
use rate::{Rate, Rates};
use std::net::IpAddr;
use std::time::Duration;

/// Keys that are remembered of each kind; who comes beyond takes the place of who was not seen for longest.
const PRINCIPALS_MAX: usize = 100_000;
const HOSPITALS_MAX: usize = 10_000;

/// Entries of a bundle that count as one request.
const ENTRIES_A_REQUEST: usize = 10;

/// Reads in progress for each thread: enough to keep its connection busy, few enough to come through soon.
const READS_A_THREAD: usize = 16;

/// Refusals for being too many that are recorded of each hospital, each second.
const TOLD_A_SECOND: u32 = 1;

pub struct Traffic {
    principals: Rates,
    clients: Rates,
    hospitals: Rates,
    addresses: Rates,
    told: Rates,
    /// For single rows, which share a few connections.
    pub reading: Gate,
    /// For whatever takes a connection from the pool.
    pub working: Gate,
    /// For large bodies, which are parsed beside the threads that serve.
    pub parsing: Gate,
}

impl Traffic {
    pub fn new(settings: &Settings) -> Traffic {
        let (traffic, threads) = (&settings.traffic, settings.service.workers);
        let rates =
            |number, keys_max| Rates::new(Rate::new(number, traffic.burst_seconds), keys_max);
        let gate = |name, permits| {
            Gate::new(name, permits, traffic.queue_max, settings.database.wait_timeout)
        };
        Traffic {
            principals: rates(traffic.principal_rate, PRINCIPALS_MAX),
            clients: rates(traffic.client_rate, PRINCIPALS_MAX),
            hospitals: rates(traffic.hospital_rate, HOSPITALS_MAX),
            addresses: rates(traffic.address_rate, PRINCIPALS_MAX),
            told: Rates::new(Rate::new(TOLD_A_SECOND, 1), HOSPITALS_MAX),
            reading: gate("reading", READS_A_THREAD * threads),
            working: gate("working", settings.database.connections_max),
            parsing: gate("parsing", threads.max(2)),
        }
    }

    /// One request of somebody who showed a token; whoever runs without tokens is bounded by the queues alone.
    pub fn admit(&self, caller: &Caller) -> Result<(), Failure> {
        self.charge(caller, 1)
    }

    /// What a bundle asks for beyond the request that it came in.
    pub fn admit_entries(&self, caller: &Caller, entries: usize) -> Result<(), Failure> {
        let cost = u64::try_from(entries / ENTRIES_A_REQUEST).unwrap_or(u64::MAX);
        if cost == 0 { Ok(()) } else { self.charge(caller, cost) }
    }

    fn charge(&self, caller: &Caller, cost: u64) -> Result<(), Failure> {
        let agent = caller.agent();
        if agent.issuer.is_empty() {
            return Ok(());
        }
        let late = |by: &'static str| {
            move |wait: Duration| throttled(by, wait, format!("too many requests of this {by}"))
        };
        self.principals.take((&agent.issuer, &agent.subject), cost).map_err(late("principal"))?;
        self.clients.take((&agent.issuer, &agent.client), cost).map_err(late("client"))?;
        match caller.hospital() {
            None => Ok(()),
            Some(hospital) => self.hospitals.take(hospital.0, cost).map_err(late("hospital")),
        }
    }

    /// One request from an address that showed no valid token.
    pub fn admit_unknown(&self, address: Option<IpAddr>) -> Result<(), Failure> {
        let Some(address) = address else { return Ok(()) };
        self.addresses.take(network(address), 1).map_err(|wait| {
            throttled("address", wait, "too many requests without a valid token".to_owned())
        })
    }

    /// Whether a refusal for being too many is recorded for itself, or only counted.
    pub fn is_told(&self, caller: Option<&Caller>) -> bool {
        self.told.take(line(caller.and_then(Caller::hospital)), 1).is_ok()
    }
}

impl Gate {
    /// Waits until it is the turn of the hospital, no longer than a request waits for a connection.
    pub async fn enter(&self, hospital: Option<HospitalId>) -> Result<Permit, Failure> {
        match self.pass(line(hospital)).await {
            Ok(permit) => Ok(permit),
            Err(Refused::Full) => {
                let text = "too many requests of this hospital are waiting already";
                Err(throttled("queue", Duration::from_secs(1), text.to_owned()))
            }
            Err(Refused::Late) => {
                metrics::counter!("bund_throttled_total", "by" => "wait").increment(1);
                let text = "the turn of this hospital did not come in time; try again";
                Err(Failure::new(503, Code::Transient, text))
            }
        }
    }
}

/// Patients, and whoever else speaks for no hospital, are in one line together.
fn line(hospital: Option<HospitalId>) -> Line {
    Line(hospital.map_or(0, |hospital| hospital.0))
}

/// What one household has of IPv6 is one address.
fn network(address: IpAddr) -> u128 {
    const HOUSEHOLD: u32 = 64;
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> HOUSEHOLD << HOUSEHOLD,
    }
}

fn throttled(by: &'static str, wait: Duration, text: String) -> Failure {
    metrics::counter!("bund_throttled_total", "by" => by).increment(1);
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    let text = format!("{text}; try again in {seconds} s");
    Failure { retry_after: Some(seconds), ..Failure::new(429, Code::Throttled, text) }
}
