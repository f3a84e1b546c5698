//! The parts of the running program and how they are wired; the same for `bund serve` and for the tests.

use crate::caller::Callers;
use crate::identity::{Identity, Replays};
use crate::settings::Settings;
use crate::traffic::Traffic;
use access::{Caller, HospitalId};
use anyhow::bail;
use search::extract::Extractor;
use search::veil::Veil;
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
        store.make_months(now_micros()).await?;
        let hospital = HospitalId(store.register_hospital(&settings.service.hospital).await?);
        let zone = settings.service.time_zone.clone();
        let veil = Veil::new(&store.veil_secret().await?);
        // What is left from before there was this key is looked for until it is made anew (`indexing`).
        veil.set_everywhere(!store.signs().await?.has_work);
        let extractor = Extractor::new(&settings.service.base_url, zone, Arc::new(veil));
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

    /// Refuses a database role that could change what the trail says, or pass by the walls of the database.
    pub async fn check_role(&self) -> anyhow::Result<()> {
        match self.store.excess_rights().await?.as_slice() {
            [] => Ok(()),
            reasons => bail!(
                "the database role of BUND_DATABASE_URL may change the trail: {}; run `bund migrate --server-role NAME --create-role` \
                 as this role, and serve as NAME (docs/operations/database.md)",
                reasons.join("; ")
            ),
        }
    }

    /// From now on only who shows a token is answered. The registry is followed as long as the server runs.
    pub async fn demand_tokens(&mut self) -> anyhow::Result<()> {
        self.check_role().await?;
        let registry = self.store.registry().await?;
        let base = &self.settings.service.base_url;
        let replays = Replays::Shared(self.store.clone());
        let identity = Identity::new(&self.settings.identity, base, registry, replays)?;
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
