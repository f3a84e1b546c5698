//! Seals the trail as long as the server runs: every second what is final, a signed head every minute.

use crate::app::App;
use crate::settings::Settings;
use actix_web::web::Data;
use anyhow::{Context as _, Result, anyhow};
use audit::seal::key::Signer;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use std::time::{Duration, Instant};
use store::Store;
use store::clock::now_micros;
use store::error::Error;
use store::seal::sequencer::Sequencer;

const EVERY: Duration = Duration::from_secs(1);
const SIGN_EVERY: Duration = Duration::from_secs(60);
/// How often it is looked whether the coming months are there; and whenever the clock is in another month.
const MONTHS_EVERY: Duration = Duration::from_secs(600);
/// How often the same failure is told.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How long the last head of a server that stops may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest key file that is read.
const KEY_BYTES_MAX: u64 = 65_536;

/// What the tree of this server is called: the host and path of its base.
pub fn origin(base_url: &str) -> &str {
    base_url.split_once("://").map_or(base_url, |(_, rest)| rest)
}

/// The key that heads are signed with: of the file that the setting names, or of the database.
pub async fn signer(settings: &Settings, store: &Store) -> Result<Signer> {
    let name = origin(&settings.service.base_url);
    let Some(path) = &settings.audit.key_file else {
        let seed = store.seal_seed(&fresh_seed()?).await?;
        return Signer::from_seed(name, &seed).context("the key of the trail in the database");
    };
    let place = || format!("BUND_AUDIT_KEY_FILE: {}", path.display());
    let length = std::fs::metadata(path).with_context(place)?.len();
    if length > KEY_BYTES_MAX {
        return Err(anyhow!("{}: {length} bytes are no key", place()));
    }
    let pem = std::fs::read_to_string(path).with_context(place)?;
    Signer::from_pem(name, &pem).with_context(place)
}

pub fn fresh_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    SystemRandom::new().fill(&mut seed).map_err(|_| anyhow!("the machine gives no randomness"))?;
    Ok(seed)
}

/// As long as the server runs.
pub async fn keep(app: Data<App>) {
    let mut told = Told::default();
    let (signer, mut sequencer) = loop {
        match begin(&app).await {
            Ok(parts) => break parts,
            Err(error) => told.failure(&format!("{error:#}")),
        }
        tokio::time::sleep(EVERY).await;
    };
    if app.settings.audit.key_file.is_none() {
        tracing::warn!(
            "heads of the trail are signed with a key that the database keeps: whoever administers it can sign too; \
             see BUND_AUDIT_KEY_FILE"
        );
    }
    tracing::info!(key = %signer.verifier(), "heads of the trail are signed");
    let mut signed: Option<Instant> = None;
    let mut months = Months::default();
    loop {
        let is_due = signed.is_none_or(|at| at.elapsed() >= SIGN_EVERY);
        let outcome = async {
            months.look(&app.store).await?;
            round(&app.settings, &mut sequencer, is_due.then_some(&signer)).await
        };
        match outcome.await {
            Ok(true) => signed = Some(Instant::now()),
            Ok(false) => {}
            Err(error) => told.failure(&error.to_string()),
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn begin(app: &App) -> Result<(Signer, Sequencer)> {
    let signer = signer(&app.settings, &app.store).await?;
    Ok((signer, Sequencer::new(&app.settings.database)?))
}

/// Seals what there is, if this one leads; whether a head was signed.
async fn round(
    settings: &Settings,
    sequencer: &mut Sequencer,
    signer: Option<&Signer>,
) -> Result<bool, Error> {
    if !sequencer.lead().await? {
        return Ok(false);
    }
    let size = seal_all(sequencer).await?;
    metrics::gauge!("bund_seal_tree_size").set(as_float(size));
    let lag = sequencer.lag(now_micros()).await?;
    metrics::gauge!("bund_seal_lag_seconds").set(as_float(lag.unsigned_abs()) / 1e6);
    let Some(signer) = signer else { return Ok(false) };
    let signed = sequencer.sign(origin(&settings.service.base_url), signer).await?;
    Ok(signed.is_some())
}

/// Until nothing more is final; the size of the tree.
async fn seal_all(sequencer: &mut Sequencer) -> Result<u64, Error> {
    loop {
        let round = sequencer.seal().await?;
        if !round.is_behind {
            return Ok(round.size);
        }
    }
}

/// A last head of what was done until the server stopped.
pub async fn close(settings: &Settings, store: &Store) {
    let work = async {
        let signer = signer(settings, store).await?;
        let mut sequencer = Sequencer::new(&settings.database)?;
        seal_all(&mut sequencer).await?;
        sequencer.sign(origin(&settings.service.base_url), &signer).await?;
        Ok::<_, anyhow::Error>(())
    };
    match tokio::time::timeout(CLOSE_TIMEOUT, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!("the trail was not sealed at the end: {error:#}"),
        Err(_) => tracing::warn!("the trail was not sealed to its end; the next server goes on"),
    }
}

/// Counts failures and tells each kind once a minute.
#[derive(Default)]
struct Told {
    last: Option<(String, Instant)>,
}

impl Told {
    fn failure(&mut self, text: &str) {
        metrics::counter!("bund_seal_failures_total").increment(1);
        let is_known =
            self.last.as_ref().is_some_and(|(last, at)| last == text && at.elapsed() < TELL_EVERY);
        if !is_known {
            tracing::error!(error = text, "the trail could not be sealed");
            self.last = Some((text.to_owned(), Instant::now()));
        }
    }
}

/// When the coming months were last looked for.
#[derive(Default)]
struct Months {
    looked: Option<(Instant, i64)>,
}

impl Months {
    async fn look(&mut self, store: &Store) -> Result<(), Error> {
        let now = now_micros();
        // A clock that leaps needs its month at once: records wait for it.
        let day = now / 86_400_000_000;
        let is_fresh = |(at, seen): (Instant, i64)| at.elapsed() < MONTHS_EVERY && seen == day;
        if !self.looked.is_some_and(is_fresh) {
            store.make_months(now).await?;
            self.looked = Some((Instant::now(), day));
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn as_float(number: u64) -> f64 {
    number as f64
}
