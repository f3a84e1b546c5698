//! How much anybody may ask of one server, and how many may wait.

use super::database::count;
use super::source::{Error, Source};

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
    })
}
