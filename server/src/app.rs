//! The parts of the running program and how they are wired; the same for `bund serve` and for the tests.

use crate::caller::Callers;
use crate::identity::Identity;
use crate::settings::Settings;
use crate::traffic::Traffic;
use access::{Caller, HospitalId};
use search::extract::Extractor;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use store::Store;
use store::clock::now_micros;
use store::error::Error;
use tokio::sync::Notify;

pub struct App {
    pub settings: Settings,
    pub store: Store,
    pub extractor: Extractor,
    /// What page links are authenticated with, the same on all replicas.
    pub secret: Vec<u8>,
    /// When this process began, in microseconds since 1970.
    pub started_micros: i64,
    /// When a SearchParameter was stored, or a reindex asked for.
    pub parameters_changed: Notify,
    pub callers: Callers,
    pub traffic: Traffic,
    hospital: HospitalId,
    draining: Arc<AtomicBool>,
}

impl App {
    pub async fn new(settings: Settings) -> Result<App, Error> {
        let store = Store::open(&settings.database).await?;
        let hospital = HospitalId(store.register_hospital(&settings.service.hospital).await?);
        let zone = settings.service.time_zone.clone();
        let extractor = Extractor::new(&settings.service.base_url, zone);
        let app = App {
            traffic: Traffic::new(&settings),
            settings,
            secret: store.secret().await?,
            store,
            extractor,
            started_micros: now_micros(),
            parameters_changed: Notify::new(),
            callers: Callers::Anyone(hospital),
            hospital,
            draining: Arc::new(AtomicBool::new(false)),
        };
        app.extractor.set_hospitals(app.store.hospitals().await?);
        app.read_parameters().await?;
        Ok(app)
    }

    /// From now on only who shows a token is answered. The registry is followed as long as the server runs.
    pub async fn demand_tokens(&mut self) -> anyhow::Result<()> {
        let registry = self.store.registry().await?;
        let base = &self.settings.service.base_url;
        let identity = Identity::new(&self.settings.identity, base, registry)?;
        tokio::spawn(identity.clone().follow(self.store.clone()));
        self.callers = Callers::Known(identity);
        Ok(())
    }

    /// Whoever calls a server that runs with `--insecure-no-auth`.
    pub fn local_caller(&self) -> Caller {
        Caller::local(self.hospital)
    }

    /// Set when the server is to be seen as not ready, though it still answers.
    pub fn draining(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.draining)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
