//! `bund serve`.

use super::{Database, prepare, say};
use crate::app::App;
use crate::sealing::signer;
use crate::serve::{listen, run as serve};
use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::Path;
use store::migrate;
use store::pool::Pool;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// The address to listen on; wins over BUND_LISTEN.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Serve without asking who calls. Only on a loopback address, for trying things out and for tests.
    #[arg(long)]
    insecure_no_auth: bool,
}

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let mut prepared = prepare(config, &arguments.database)?;
    if let Some(address) = arguments.listen {
        let service = &mut prepared.settings.service;
        if service.base_url == format!("http://{}/fhir", service.listen) {
            service.base_url = format!("http://{address}/fhir");
        }
        service.listen = address;
    }
    let address = prepared.settings.service.listen;
    let is_insecure = arguments.insecure_no_auth;
    if is_insecure && !address.ip().is_loopback() {
        bail!("--insecure-no-auth serves only on a loopback address, not on {address}");
    }
    if is_insecure {
        tracing::warn!(
            "INSECURE: --insecure-no-auth lets everyone on this machine read and change everything"
        );
    }
    actix_web::rt::System::new().block_on(async {
        let listener = listen(address)?;
        if let Some(server) = &prepared.server {
            let applied = migrate::up_for(&Pool::new(&prepared.owner)?, Some(server))
                .await
                .context("the private database")?;
            for name in applied {
                say(&format!("applied {name}"));
            }
        }
        let mut app = App::new(prepared.settings.clone()).await?;
        // A key that cannot be had is told now, not by a log that nobody reads.
        signer(&app.settings, &app.store).await?;
        if is_insecure {
            if let Err(reason) = app.check_role().await {
                tracing::warn!("{reason:#}");
            }
        } else {
            app.demand_tokens().await?;
            if app.store.registry().await?.issuers.is_empty() {
                say("no issuer is registered yet: nobody can call; see `bund issuer add --help`");
            }
        }
        say(&format!("serving {}", prepared.settings.service.base_url));
        serve(app, listener).await
    })
}
