//! How much anybody may ask of one server, and how many may wait.

use super::database::count;
use super::source::{Error, Source};
use std::str::FromStr;

#[derive(Clone, Debug)]
pub struct Traffic {
    /// Requests a second of one person or program; 0 is no bound, here and below.
    pub principal_rate: u32,
    /// Of all who use one client.
    pub client_rate: u32,
    /// Of all who speak for one hospital.
    pub hospital_rate: u32,
    /// Of one address, without a valid token.
    pub address_rate: u32,
    /// Who was quiet may ask for as much at once as comes in so many seconds.
    pub burst_seconds: u32,
    /// Requests of one hospital that wait for one thing.
    pub queue_max: usize,
    /// Connections open at a time; beyond them nobody is let in until one is closed.
    pub connections_max: usize,
    /// Where trusted proxies say who called. Only one header counts: a proxy that writes one lets the other through as the client wrote it.
    pub forwarded: Forwarded,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// `X-Forwarded-For`
    List,
    /// `Forwarded` (RFC 7239)
    Elements,
}

impl FromStr for Forwarded {
    type Err = String;

    fn from_str(text: &str) -> Result<Forwarded, String> {
        match text {
            "x-forwarded-for" => Ok(Forwarded::List),
            "forwarded" => Ok(Forwarded::Elements),
            _ => Err(format!("`{text}` is neither `x-forwarded-for` nor `forwarded`")),
        }
    }
}

const RATE_MAX: u64 = 1_000_000;

pub(super) fn read(source: &Source) -> Result<Traffic, Error> {
    let narrow = |variable, low, high| {
        Ok::<_, Error>(u32::try_from(source.number(variable, low, high)?).unwrap_or(u32::MAX))
    };
    Ok(Traffic {
        principal_rate: narrow("BUND_RATE_PRINCIPAL", 0, RATE_MAX)?,
        client_rate: narrow("BUND_RATE_CLIENT", 0, RATE_MAX)?,
        hospital_rate: narrow("BUND_RATE_HOSPITAL", 0, RATE_MAX)?,
        address_rate: narrow("BUND_RATE_ADDRESS", 0, RATE_MAX)?,
        burst_seconds: narrow("BUND_RATE_BURST_SECONDS", 1, 3_600)?,
        queue_max: count(source.number("BUND_QUEUE_MAX", 1, 100_000)?),
        connections_max: count(source.number("BUND_CONNECTIONS_MAX", 16, 1_000_000)?),
        forwarded: source.get("BUND_FORWARDED_HEADER")?,
    })
}
