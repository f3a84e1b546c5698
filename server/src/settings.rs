//! Settings: a TOML file, and `BUND_*` variables that win over it; read once, checked once (docs/settings.md).

mod audit;
mod database;
mod identity;
mod limits;
mod network;
mod service;
mod sharing;
mod source;
mod telemetry;
mod traffic;

pub use audit::Audit;
pub use identity::{Approval, Identity};
pub use limits::Limits;
pub use network::Networks;
pub use service::{ConditionalDelete, LogFormat, Service};
pub use sharing::Sharing;
pub use source::{Error, NAMES, Name, Source};
pub use telemetry::Telemetry;
pub use traffic::{Forwarded, Traffic};

use store::pool;

/// Everything the program can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    pub database: pool::Settings,
    pub service: Service,
    pub limits: Limits,
    pub traffic: Traffic,
    pub identity: Identity,
    pub sharing: Sharing,
    pub audit: Audit,
    pub telemetry: Telemetry,
}

impl Settings {
    /// `database_url` is that of `--embedded-db`, when it is used; it wins over the setting.
    pub fn read(source: &Source, database_url: Option<String>) -> Result<Settings, Error> {
        Ok(Settings {
            database: database::read(source, database_url)?,
            service: service::read(source)?,
            limits: limits::read(source)?,
            traffic: traffic::read(source)?,
            identity: identity::read(source)?,
            sharing: sharing::read(source)?,
            audit: audit::read(source)?,
            telemetry: telemetry::read(source)?,
        })
    }
}
