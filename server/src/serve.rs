//! Runs the HTTP server until SIGTERM or SIGINT, then finishes what is in progress.

use crate::app::App;
use crate::indexing;
use crate::routes::configure;
use crate::sealing;
use crate::telemetry::metrics;
use actix_web::dev::Server;
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

/// Takes the address first, so that a port in use is known before anything else is done.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))
}

/// The server, to be awaited; its handle stops it.
pub fn start(app: App, listener: TcpListener) -> Result<Server> {
    metrics::begin();
    let service = app.settings.service.clone();
    let app = Data::new(app);
    tokio::spawn(indexing::keep(app.clone()));
    tokio::spawn(sealing::keep(app.clone()));
    let server = HttpServer::new(move || {
        Actix::new().app_data(app.clone()).wrap(Compress::default()).configure(configure)
    })
    .workers(service.workers)
    .client_request_timeout(HEADERS_TIMEOUT)
    .shutdown_timeout(service.drain_timeout.as_secs().max(1))
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

/// Serves until the process is told to stop, then lets requests in progress finish.
pub async fn run(app: App, listener: TcpListener) -> Result<()> {
    let service = app.settings.service.clone();
    let (draining, store) = (app.draining(), app.store.clone());
    let age = app.settings.limits.idempotency_age;
    let sealing = app.settings.clone();
    let server = start(app, listener)?;
    let handle = server.handle();
    let forgetting = tokio::spawn(forget(store.clone(), age));
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
    let (outcome, ()) = tokio::join!(server, stopping);
    forgetting.abort();
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
