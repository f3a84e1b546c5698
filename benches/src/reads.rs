//! Reads by id over HTTP against the same select without HTTP.

use crate::database::Database;
use crate::process::Server;
use crate::report::{Report, percentile, rate};
use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Connections to PostgreSQL behind the bare select: as many as the server has.
const POOL: usize = 16;

pub(crate) async fn measure(
    database: &Database,
    server: &Server,
    seconds: u64,
    durable_ms: f64,
    report: &mut Report,
) -> Result<()> {
    let client = database.connect("city").await?;
    let rows = client.query("SELECT id FROM observation ORDER BY key LIMIT 20000", &[]).await?;
    let ids: Arc<Vec<String>> = Arc::new(rows.iter().map(|row| row.get(0)).collect());
    let time = Duration::from_secs(seconds);

    let pooled = pooled(database, &ids, 256, time).await?;
    let (pipelined, _) = pipelined(database, &ids, 256, time).await?;
    let (http, _) = http(server, &ids, 256, time).await?;
    report.line(&format!(
        "reads a second, 256 at once: {http:.0} over HTTP and audited; bare selects: {pooled:.0} each with a \
         connection from the driver's pool, {pipelined:.0} pipelined"
    ))?;
    let ratio = http / pipelined;
    report.line(&format!("read by id, ratio to the pipelined select: {ratio:.2}"))?;
    let ratio = http / pooled;
    report.aim(
        "read by id, ratio to the select from the pool",
        ratio,
        ratio >= 0.5,
        "at least 0.5",
    )?;
    let (_, p50) = self::http(server, &ids, 16, time).await?;
    let most = durable_ms + 1.0;
    report.aim(
        "read by id, 16 connections, p50 ms",
        p50,
        p50 <= most,
        &format!("at most {most:.2}"),
    )
}

const SELECT: &str = "SELECT id, version, version_key, hospital, patient, shard, method, dictionary, body \
    FROM observation WHERE id = $1";

/// Selects a second, each task taking a connection from the pool for each of them.
async fn pooled(
    database: &Database,
    ids: &Arc<Vec<String>>,
    at_once: usize,
    time: Duration,
) -> Result<f64> {
    let config = tokio_postgres::Config::from_str(&database.url("city"))?;
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    let pool = deadpool_postgres::Pool::builder(manager).max_size(POOL).build()?;
    let began = Instant::now();
    let tasks = (0..at_once).map(|number| {
        let (ids, pool) = (Arc::clone(ids), pool.clone());
        tokio::spawn(async move {
            let mut count = 0_u64;
            let mut place = number * 7_919;
            while began.elapsed() < time {
                place += 1;
                let id = ids.get(place % ids.len()).context("no id")?;
                let client = pool.get().await?;
                let statement = client.prepare_cached(SELECT).await?;
                client.query_one(&statement, &[id]).await?;
                count += 1;
            }
            anyhow::Ok(count)
        })
    });
    let mut count = 0;
    for outcome in try_join_all(tasks).await? {
        count += outcome?;
    }
    Ok(rate(count, began.elapsed().as_secs_f64()))
}

/// Selects a second on connections that tasks share, and the p50 in milliseconds.
async fn pipelined(
    database: &Database,
    ids: &Arc<Vec<String>>,
    at_once: usize,
    time: Duration,
) -> Result<(f64, f64)> {
    let mut clients = Vec::new();
    for _ in 0..POOL {
        let client = database.connect("city").await?;
        let statement = client.prepare(SELECT).await?;
        clients.push(Arc::new((client, statement)));
    }
    let began = Instant::now();
    let tasks = (0..at_once).map(|number| {
        let (ids, client) = (Arc::clone(ids), clients.get(number % POOL).cloned());
        tokio::spawn(async move {
            let client = client.context("no client")?;
            let mut times = Vec::new();
            let mut place = number * 7_919;
            while began.elapsed() < time {
                place += 1;
                let id = ids.get(place % ids.len()).context("no id")?;
                let start = Instant::now();
                client.0.query_one(&client.1, &[id]).await?;
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(times)
        })
    });
    summary(try_join_all(tasks).await?, began)
}

async fn http(
    server: &Server,
    ids: &Arc<Vec<String>>,
    at_once: usize,
    time: Duration,
) -> Result<(f64, f64)> {
    let began = Instant::now();
    let tasks = (0..at_once).map(|number| {
        let (ids, address) = (Arc::clone(ids), server.address.clone());
        tokio::spawn(async move {
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut stream = BufReader::new(stream);
            let mut times = Vec::new();
            let mut place = number * 7_919;
            while began.elapsed() < time {
                place += 1;
                let id = ids.get(place % ids.len()).context("no id")?;
                let start = Instant::now();
                get(&mut stream, id).await?;
                times.push(start.elapsed().as_secs_f64() * 1_000.0);
            }
            anyhow::Ok(times)
        })
    });
    summary(try_join_all(tasks).await?, began)
}

/// One request on a connection that stays open; a client as light as can be, for it runs on the same machine.
async fn get(stream: &mut BufReader<TcpStream>, id: &str) -> Result<()> {
    let request = format!("GET /fhir/Observation/{id} HTTP/1.1\r\nHost: bench\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut length = 0;
    let mut line = String::new();
    let mut is_first = true;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        if is_first && !line.starts_with("HTTP/1.1 200") {
            bail!("the server answered {line}");
        }
        is_first = false;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(())
}

fn summary(outcomes: Vec<Result<Vec<f64>>>, began: Instant) -> Result<(f64, f64)> {
    let seconds = began.elapsed().as_secs_f64();
    let mut times = Vec::new();
    for outcome in outcomes {
        times.extend(outcome?);
    }
    let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
    Ok((rate(count, seconds), percentile(&mut times, 0.5)))
}
