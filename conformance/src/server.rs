//! The official examples and fifty generated patients through the real server: written, read back equal, in JSON and in XML.

use crate::archive;
use crate::examples::NOT_RESOURCES;
use crate::tally::{Tally, Verdict};
use anyhow::{Context as _, Result, bail};
use embedded::{Cluster, Durability};
use fhir::references;
use fhir::{json, xml};
use reqwest::Client;
use serde_json::Value;
use server::app::App;
use server::settings::{Settings, Source};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use store::migrate;
use store::pool::Pool;

const PERCENT_MIN: usize = 95;

pub(crate) fn run(data: &Path, out: &mut dyn Write) -> Result<Verdict> {
    let cluster = Cluster::temporary(Durability::None)?;
    let address = start(cluster.url())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::builder().no_proxy().build()?;
    let base = format!("http://{address}/fhir");
    let examples = runtime.block_on(examples(&client, &base, data, out))?;
    let patients = runtime.block_on(patients(&client, &base, data, out))?;
    Ok(examples.and(patients))
}

/// The server, on a thread that ends with this process.
pub(crate) fn start(url: String) -> Result<std::net::SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (ready, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let outcome = actix_web::rt::System::new().block_on(async {
            let variables = [("BUND_DATABASE_URL", url), ("BUND_LISTEN", address.to_string())];
            let given = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
            };
            let settings = Settings::read(&Source::read(None, given)?, None)?;
            tokio::task::spawn(migrate_up(settings.database.clone())).await??;
            let server = server::serve::start(App::new(settings).await?, listener)?;
            ready.send(()).context("nobody waits")?;
            server.run().await.context("the server stopped")
        });
        outcome.map_err(|error: anyhow::Error| format!("{error:#}"))
    });
    started.recv().context("the server did not start")?;
    Ok(address)
}

async fn migrate_up(settings: store::pool::Settings) -> Result<()> {
    migrate::up(&Pool::new(&settings)?).await?;
    Ok(())
}

async fn examples(
    client: &Client,
    base: &str,
    data: &Path,
    out: &mut dyn Write,
) -> Result<Verdict> {
    let mut all = Vec::new();
    archive::each(&data.join("packages/hl7.fhir.r4.examples-4.0.1.tgz"), &mut |name, bytes| {
        if !NOT_RESOURCES.contains(&name) {
            all.push((name.to_owned(), json::parse(bytes, &json::Limits::default())?));
        }
        Ok(())
    })?;
    let mut tally = Tally::new("server")?;
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    // The audit trail is the server's own: nobody else writes AuditEvents.
    all.retain(|(_, resource)| resource["resourceType"] != "AuditEvent");
    for (name, resource) in all {
        let outcome = round_trip(client, base, &resource).await;
        if outcome.is_ok() {
            let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
            *types.entry(kind).or_default() += 1;
        }
        tally.add(&name, outcome.map_err(|error| format!("{error:#}")));
    }
    writeln!(
        out,
        "server: examples of {} resource types written by PUT and read back equal",
        types.len()
    )?;
    tally.close(PERCENT_MIN, out)
}

/// PUT, then GET as JSON and as XML.
async fn round_trip(client: &Client, base: &str, resource: &Value) -> Result<()> {
    let (kind, id) = (text(resource, "resourceType"), text(resource, "id"));
    let url = format!("{base}/{kind}/{id}");
    let request = client.put(&url).header("content-type", "application/fhir+json");
    let answer = request.body(json::write(resource)).send().await?;
    let status = answer.status().as_u16();
    if !matches!(status, 200 | 201) {
        bail!("PUT answered {status}: {}", reason(&answer.bytes().await?));
    }
    let read = client.get(&url).send().await?.bytes().await?;
    let found = json::parse(&read, &json::Limits::default())?;
    if bare(&found) != bare(resource) {
        bail!("the JSON read back differs");
    }
    let read =
        client.get(&url).header("accept", "application/fhir+xml").send().await?.bytes().await?;
    if xml::parse(&read, &json::Limits::default())? != found {
        bail!("the XML read back differs");
    }
    Ok(())
}

fn text<'a>(resource: &'a Value, name: &str) -> &'a str {
    resource[name].as_str().unwrap_or_default()
}

fn reason(body: &[u8]) -> String {
    let outcome: Value = serde_json::from_slice(body).unwrap_or_default();
    outcome["issue"][0]["diagnostics"].as_str().unwrap_or_default().to_owned()
}

/// Without what the server sets.
fn bare(resource: &Value) -> Value {
    let mut bare = resource.clone();
    if let Value::Object(properties) = &mut bare {
        properties.shift_remove("id");
        if let Some(Value::Object(meta)) = properties.get_mut("meta") {
            meta.shift_remove("versionId");
            meta.shift_remove("lastUpdated");
            if meta.is_empty() {
                properties.shift_remove("meta");
            }
        }
    }
    bare
}

async fn patients(
    client: &Client,
    base: &str,
    data: &Path,
    out: &mut dyn Write,
) -> Result<Verdict> {
    let mut bundles = Vec::new();
    archive::each(&data.join("synthea/synthea-r4-50-bundles.tar.gz"), &mut |name, bytes| {
        bundles.push((name.to_owned(), json::parse(bytes, &json::Limits::default())?));
        Ok(())
    })?;
    let mut tally = Tally::new("patients")?;
    let mut count = 0;
    for (name, bundle) in bundles {
        match load(client, base, &bundle).await {
            Ok(loaded) => {
                count += loaded;
                tally.add(&name, Ok(()));
            }
            Err(error) => tally.add(&name, Err(format!("{error:#}"))),
        }
    }
    writeln!(out, "patients: {count} resources of transactions read back equal")?;
    tally.close(100, out)
}

/// POST the transaction; every resource is then what was sent, its references put in order.
async fn load(client: &Client, base: &str, bundle: &Value) -> Result<usize> {
    let request = client.post(base).header("content-type", "application/fhir+json");
    let request = request.header("prefer", "return=minimal");
    let answer = request.body(json::write(bundle)).send().await?;
    let status = answer.status().as_u16();
    let body = answer.bytes().await?;
    if status != 200 {
        bail!("POST answered {status}: {}", reason(&body));
    }
    let response: Value = serde_json::from_slice(&body)?;
    let entries = bundle["entry"].as_array().context("no entries")?;
    let mut addresses = HashMap::new();
    let mut locations = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let location = text(&response["entry"][place]["response"], "location");
        let address = location.strip_prefix(base).and_then(|rest| rest.split("/_history").next());
        let address = address.context("no location")?.trim_start_matches('/').to_owned();
        addresses.insert(text(entry, "fullUrl").to_owned(), address.clone());
        locations.push(address);
    }
    for (entry, address) in entries.iter().zip(&locations) {
        let mut expected = entry["resource"].clone();
        references::rewrite(&mut expected, &mut |_, name| addresses.get(name).cloned());
        let read = client.get(format!("{base}/{address}")).send().await?.bytes().await?;
        if bare(&json::parse(&read, &json::Limits::default())?) != bare(&expected) {
            bail!("{address} differs from what was sent");
        }
    }
    Ok(entries.len())
}
