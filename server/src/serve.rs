//! Runs the HTTP server until SIGTERM or SIGINT, then finishes what is in progress.

use crate::app::App;
use crate::indexing;
use crate::routes::{configure, configure_figures};
use crate::sealing;
use crate::telemetry::metrics;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::Compress;
use actix_web::web::Data;
use actix_web::{App as Actix, HttpServer};
use anyhow::{Context, Result};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::Store;
use store::clock::now_micros;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

/// How often answers kept for retries are looked through for old ones.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// The same for proofs: there is one for each request that shows any.
const FORGET_PROOFS_EVERY: Duration = Duration::from_secs(60);

/// How often this machine's clock is compared with the database's, and how far they may be apart, in seconds.
const CLOCK_EVERY: Duration = Duration::from_secs(60);
const CLOCK_OFFSET_MAX: f64 = 1.0;

/// Longer than any client needs to send its headers.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may lie idle between requests.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// More than read figures.
const FIGURES_CONNECTIONS_MAX: usize = 64;

/// Takes the address first, so that a port in use is known before anything else is done.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))
}

/// What serves, to be run to its end; its handle stops it.
pub struct Serving {
    callers: Server,
    /// The listener for figures, where there is one.
    figures: Option<Server>,
}

/// Stops what serves.
pub struct Stopping {
    callers: ServerHandle,
    figures: Option<ServerHandle>,
}

impl Serving {
    pub fn handle(&self) -> Stopping {
        let figures = self.figures.as_ref().map(Server::handle);
        Stopping { callers: self.callers.handle(), figures }
    }

    pub async fn run(self) -> std::io::Result<()> {
        match self.figures {
            None => self.callers.await,
            Some(figures) => tokio::try_join!(self.callers, figures).map(|_| ()),
        }
    }
}

impl Stopping {
    /// Figures and health are told to the last.
    pub async fn stop(self, is_graceful: bool) {
        self.callers.stop(is_graceful).await;
        if let Some(figures) = self.figures {
            figures.stop(is_graceful).await;
        }
    }
}

pub fn start(app: App, listener: TcpListener) -> Result<Serving> {
    metrics::begin();
    let service = app.settings.service.clone();
    let connections_max = app.settings.traffic.connections_max;
    let patience = app.settings.limits.request_timeout;
    let apart = app.settings.telemetry.metrics_listen.map(listen).transpose()?;
    let app = Data::new(app);
    tokio::spawn(indexing::keep(app.clone()));
    tokio::spawn(sealing::keep(app.clone()));
    let figures = match apart {
        None => None,
        Some(listener) => {
            let app = app.clone();
            let server = HttpServer::new(move || {
                Actix::new().app_data(app.clone()).configure(configure_figures)
            });
            let server = server
                .workers(1)
                .max_connections(connections_max.min(FIGURES_CONNECTIONS_MAX))
                .client_request_timeout(HEADERS_TIMEOUT.min(patience))
                .disable_signals();
            Some(server.listen(listener)?.run())
        }
    };
    // Only HTTP/1 is spoken: streams, and floods of them that are reset, there are none.
    let callers = HttpServer::new(move || {
        Actix::new().app_data(app.clone()).wrap(Compress::default()).configure(configure)
    })
    .workers(service.workers)
    .max_connections(connections_max.div_ceil(service.workers))
    .client_request_timeout(HEADERS_TIMEOUT.min(patience))
    .keep_alive(IDLE_TIMEOUT.min(patience))
    .shutdown_timeout(service.drain_timeout.as_secs().max(1))
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(Serving { callers, figures })
}

/// Serves until the process is told to stop, then lets requests in progress finish.
pub async fn run(app: App, listener: TcpListener) -> Result<()> {
    let service = app.settings.service.clone();
    let (draining, store) = (app.draining(), app.store.clone());
    let age = app.settings.limits.idempotency_age;
    let sealing = app.settings.clone();
    let server = start(app, listener)?;
    let handle = server.handle();
    // Ended with this function, whatever they are at.
    let mut background = JoinSet::new();
    background.spawn(forget(store.clone(), age));
    background.spawn(forget_proofs(store.clone()));
    background.spawn(compare_clocks(store.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining");
        draining.store(true, Ordering::Release);
        handle.stop(true).await;
    };
    tracing::info!(address = %service.listen, base = %service.base_url, "serving");
    let (outcome, ()) = tokio::join!(server.run(), stopping);
    background.shutdown().await;
    sealing::close(&sealing, &store).await;
    tracing::info!("stopped");
    Ok(outcome?)
}

/// Removes answers kept for retries when they are old enough.
async fn forget(store: Store, age: Duration) {
    loop {
        match store.forget_answers(age).await {
            Ok(1_000..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old answers could not be removed"),
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}

/// Says so when moments that are recorded here would not be those of other machines.
async fn compare_clocks(store: Store) {
    loop {
        match store.clock_offset().await {
            Ok(offset_seconds) if offset_seconds.abs() > CLOCK_OFFSET_MAX => {
                tracing::error!(
                    offset_seconds,
                    "the clock of this machine and that of the database disagree: what is recorded has the wrong time"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "the clocks could not be compared"),
        }
        tokio::time::sleep(CLOCK_EVERY).await;
    }
}

/// Removes what is remembered of proofs that are too old to be shown again.
async fn forget_proofs(store: Store) {
    loop {
        match store.forget_proofs(now_micros() / 1_000_000).await {
            Ok(10_000..) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old proofs could not be removed"),
        }
        tokio::time::sleep(FORGET_PROOFS_EVERY).await;
    }
}
