//! What hospitals do all day, at once: searches, reads and writes by sixteen clients.

use crate::report::{Report, percentile};
use crate::searches::{Known, SEARCHES, get, send};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};
use tokio::io::BufReader;
use tokio::net::TcpStream;

const CLIENTS: u64 = 16;

/// 70 of 100 are searches, 20 reads, 10 writes.
pub(crate) async fn measure(
    address: &str,
    known: &Known,
    seconds: u64,
    report: &mut Report,
) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let clients = (0..CLIENTS).map(|client| {
        let (address, known) = (address.to_owned(), known.clone());
        tokio::spawn(async move { work(&address, &known, client, end).await })
    });
    let mut times = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        times.extend(client.await??);
    }
    let count = times.len();
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    report.line(&format!(
        "mixed, {CLIENTS} clients, {seconds} s: {count} requests without an error, p50 {p50:.2} ms, p99 {p99:.2} ms"
    ))?;
    report.aim("mixed, p99 to p50", p99 / p50, p99 < 20.0 * p50, "under 20")
}

async fn work(address: &str, known: &Known, client: u64, end: Instant) -> Result<Vec<f64>> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let searches: Vec<String> = SEARCHES
        .iter()
        .filter(|(_, _, is_selective)| *is_selective)
        .map(|(_, search, _)| known.fill(search))
        .collect();
    let read = known.fill("Patient/{patient}");
    let mut times = Vec::new();
    let mut number = client * 37;
    while Instant::now() < end {
        number += 1;
        let began = Instant::now();
        let status = match number % 10 {
            0 => {
                let id = format!("mixed-{client}-{number}");
                let body = known.observation(&id);
                send(&mut stream, "PUT", &format!("Observation/{id}"), &body).await?.0
            }
            1 | 2 => get(&mut stream, &read).await?.0,
            _ => {
                let place = usize::try_from(number / 10 + number).unwrap_or(0) % searches.len();
                let search = searches.get(place).map(String::as_str).unwrap_or_default();
                get(&mut stream, search).await?.0
            }
        };
        if !matches!(status, 200 | 201) {
            bail!("a request of the mixed load answered {status}");
        }
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}
