//! Runs the HTTP server until SIGTERM or SIGINT, then finishes what is in progress.

use crate::app::App;
use crate::indexing;
use crate::routes::{configure, configure_figures};
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
use tokio::signal::unix::{SignalKind, signal};

/// How often answers kept for retries are looked through for old ones.
const FORGET_EVERY: Duration = Duration::from_secs(600);

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
    let (service, network) = (app.settings.service.clone(), app.settings.network.clone());
    let patience = app.settings.limits.request_timeout;
    let apart = network.metrics_listen.map(listen).transpose()?;
    let app = Data::new(app);
    tokio::spawn(indexing::keep(app.clone()));
    let figures = match apart {
        None => None,
        Some(listener) => {
            let app = app.clone();
            let server = HttpServer::new(move || {
                Actix::new().app_data(app.clone()).configure(configure_figures)
            });
            let server = server
                .workers(1)
                .max_connections(network.connections_max.min(FIGURES_CONNECTIONS_MAX))
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
    .max_connections(network.connections_max.div_ceil(service.workers))
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
    let server = start(app, listener)?;
    let handle = server.handle();
    let forgetting = tokio::spawn(forget(store, age));
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
    forgetting.abort();
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
