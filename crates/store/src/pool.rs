//! Connections: bounded, prepared, with time-outs set on the server's side.

use crate::error::Error;
use deadpool_postgres::{Manager, ManagerConfig, Object, RecyclingMethod, Runtime};
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::{NoTls, config::SslMode};

#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgresql://user:password@host:port/database`; never logged.
    pub url: String,
    pub connections_max: usize,
    /// Connections that do nothing but make audit records durable.
    pub audit_connections: usize,
    pub wait_timeout: Duration,
    pub statement_timeout: Duration,
    /// Of a search that no index leads.
    pub walk_timeout: Duration,
}

#[derive(Clone)]
pub struct Pool {
    inner: deadpool_postgres::Pool,
    url: String,
}

/// What its connections are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub open: u64,
    pub idle: u64,
    /// Callers that wait for one.
    pub awaited: u64,
}

impl Pool {
    pub fn new(settings: &Settings) -> Result<Pool, Error> {
        Pool::sized(settings, settings.connections_max)
    }

    pub(crate) fn state(&self) -> State {
        let status = self.inner.status();
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        State {
            open: number(status.size),
            idle: number(status.available),
            awaited: number(status.waiting),
        }
    }

    pub(crate) fn sized(settings: &Settings, connections_max: usize) -> Result<Pool, Error> {
        let mut config = tokio_postgres::Config::from_str(&settings.url)
            .map_err(|error| Error::Settings(format!("the database URL is not valid: {error}")))?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(Error::Settings(
                "sslmode=require is not supported yet: reach the database over a unix socket or a private network".to_owned(),
            ));
        }
        let milliseconds = settings.statement_timeout.as_millis();
        config.application_name("bund").connect_timeout(settings.wait_timeout).options(format!(
            "-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} \
                 -c idle_in_transaction_session_timeout={} -c timezone=UTC -c plan_cache_mode=force_generic_plan",
            milliseconds * 2
        ));
        let manager = Manager::from_config(
            config,
            NoTls,
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let inner = deadpool_postgres::Pool::builder(manager)
            .max_size(connections_max)
            .wait_timeout(Some(settings.wait_timeout))
            .create_timeout(Some(settings.wait_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Error::Settings(error.to_string()))?;
        Ok(Pool { inner, url: settings.url.clone() })
    }

    pub(crate) async fn get(&self) -> Result<Object, Error> {
        Ok(self.inner.get().await?)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
