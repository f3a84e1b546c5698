//! A published set of searches over HTTP, in a small city and in a large one: what is selective stays flat.

use crate::database::Database;
use crate::process::{Server, program};
use crate::report::{Report, percentile};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Its name, the search with places to fill in, whether its answer needs only a part of the city however large that is.
const SEARCHES: [(&str, &str, bool); 25] = [
    ("by identifier", "Patient?identifier={identifier}", true),
    ("by name", "Patient?name=王", true),
    ("by pinyin", "Patient?name=wangwei", true),
    ("by initials", "Patient?name=ww", true),
    ("by birth date and gender", "Patient?birthdate=1980-05-05&gender=male", true),
    (
        "a patient's results by code and date",
        "Observation?patient={patient}&code={code}&_sort=-date",
        true,
    ),
    ("a patient's observations", "Observation?patient={patient}", true),
    ("a patient's encounters since", "Encounter?patient={patient}&date=ge2020", true),
    (
        "values above a limit, city-wide",
        "Observation?code={code}&value-quantity=gt{high}&_count=20",
        true,
    ),
    ("one code, city-wide, latest first", "Observation?code={code}&_sort=-date&_count=20", true),
    (
        "one code since, city-wide",
        "Observation?code={code}&date=ge2026-01-01&_sort=-date&_count=20",
        true,
    ),
    ("final, latest first", "Observation?status=final&_sort=-date&_count=20", true),
    (
        "a practitioner's appointments since",
        "Appointment?practitioner={practitioner}&date=ge2026-01-01",
        true,
    ),
    ("chain by patient's identifier", "Observation?patient.identifier={identifier}", true),
    ("chain of actors", "Appointment?patient.identifier={identifier}", true),
    ("_has, a code", "Patient?_has:Condition:patient:code={disease}&_count=20", false),
    (
        "imaging by modality and date",
        "ImagingStudy?modality=CT&started=ge2026-01-01&_count=20",
        true,
    ),
    ("_include", "Observation?patient={patient}&_include=Observation:encounter", true),
    ("_revinclude", "Patient?_id={patient}&_revinclude=Observation:patient", true),
    ("$everything", "Patient/{patient}/$everything?_count=100", true),
    ("compartment", "Patient/{patient}/Condition", true),
    ("feed by _lastUpdated", "Observation?_lastUpdated=gt2020&_sort=-_lastUpdated&_count=20", true),
    (
        "blood pressure above, by component",
        "Observation?component-code-value-quantity=8480-6$gt175&_count=20",
        true,
    ),
    ("accurate total of a code", "Observation?code={code}&_summary=count", false),
    ("accurate total of a type", "Observation?_summary=count", false),
];

const TIMES: usize = 40;

/// Patients of the small city: some 50,000 resources.
const SMALL: u32 = 1_430;

pub(crate) async fn measure(patients: u32, report: &mut Report) -> Result<()> {
    let database = Database::start().await?;
    let small = city(&database, "small", SMALL, report).await?;
    let large = city(&database, "large", patients, report).await?;
    report.line(&format!(
        "p50 in ms over HTTP, one client, {TIMES} times each: {SMALL} patients, {patients}, ratio"
    ))?;
    for ((name, _, is_selective), (small, large)) in SEARCHES.iter().zip(small.iter().zip(&large)) {
        let ratio = large / small;
        let line = format!("{name}: {small:.2} {large:.2}, ratio");
        match is_selective {
            true => report.aim(&line, ratio, ratio <= 2.0, "at most 2")?,
            false => report.line(&format!("{line}: {ratio:.2}"))?,
        }
    }
    Ok(())
}

async fn city(
    database: &Database,
    name: &str,
    patients: u32,
    report: &mut Report,
) -> Result<Vec<f64>> {
    database.migrated(name).await?;
    let url = database.url(name);
    let file =
        std::env::temp_dir().join(format!("bund-bench-{}-{name}.ndjson", std::process::id()));
    let loaded = load(&url, &file, patients);
    let _ = std::fs::remove_file(&file);
    let told = tokio::task::block_in_place(|| loaded)?;
    report.line(&format!("{name}: {}", told.lines().last().unwrap_or_default()))?;
    database.connect(name).await?.batch_execute("VACUUM ANALYZE").await?;
    let server = Server::start(&url).await?;
    let mut stream = BufReader::new(TcpStream::connect(&server.address).await?);
    let known = Known::look(&mut stream).await?;
    let mut times = Vec::new();
    for (name, search, _) in SEARCHES {
        let path = known.fill(search);
        let mut measured = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            let began = Instant::now();
            let (status, _) = get(&mut stream, &path).await?;
            measured.push(began.elapsed().as_secs_f64() * 1_000.0);
            if status != 200 {
                bail!("{name}: {path} answered {status}");
            }
        }
        times.push(percentile(&mut measured, 0.5));
    }
    Ok(times)
}

fn load(url: &str, file: &Path, patients: u32) -> Result<String> {
    let run = |arguments: &[&str]| {
        let output = Command::new(program()?)
            .args(arguments)
            .env("BUND_DATABASE_URL", url)
            .stderr(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!("bund {} failed", arguments.join(" "));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let path = file.to_str().context("the folder of temporary files has an odd name")?;
    run(&["generate", "--patients", &patients.to_string(), "--out", path])?;
    run(&["import", path])
}

/// What is asked for: taken from the city, so that there are answers.
struct Known {
    patient: String,
    identifier: String,
    code: String,
    high: String,
    practitioner: String,
    disease: String,
}

impl Known {
    async fn look(stream: &mut BufReader<TcpStream>) -> Result<Known> {
        let mut first = async |path: &str| {
            let (_, body) = get(stream, path).await?;
            let bundle: Value = serde_json::from_slice(&body)?;
            anyhow::Ok(bundle["entry"][0]["resource"].clone())
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // The same one in both cities.
        let patient = first("Patient/p0000700").await;
        let patient = match patient {
            Ok(patient) if patient.is_object() => patient,
            _ => first("Patient?_id=p0000700,p0000701,p0000702&_count=1").await?,
        };
        let measured =
            "Observation?value-quantity=gt0&category=laboratory&_count=1&_sort=_lastUpdated";
        let observation = first(measured).await?;
        let appointment = first("Appointment?_count=1&_sort=_lastUpdated").await?;
        let condition = first("Condition?_count=1&_sort=_lastUpdated").await?;
        let actors = appointment["participant"].as_array().cloned().unwrap_or_default();
        let practitioner = actors.iter().find_map(|actor| {
            Some(actor["actor"]["reference"].as_str()?.strip_prefix("Practitioner/")?.to_owned())
        });
        let quantity = &observation["valueQuantity"];
        let unit = format!("|{}|{}", text(&quantity["system"]), text(&quantity["code"]));
        let value = quantity["value"].as_f64().unwrap_or(1.0);
        Ok(Known {
            patient: text(&patient["id"]),
            identifier: text(&patient["identifier"][0]["value"]),
            code: text(&observation["code"]["coding"][0]["code"]),
            high: format!("{:.3}{unit}", value * 1.3),
            practitioner: practitioner.context("no appointment has a practitioner")?,
            disease: text(&condition["code"]["coding"][0]["code"]),
        })
    }

    fn fill(&self, search: &str) -> String {
        search
            .replace("{patient}", &self.patient)
            .replace("{identifier}", &self.identifier)
            .replace("{code}", &self.code)
            .replace("{high}", &self.high)
            .replace("{practitioner}", &self.practitioner)
            .replace("{disease}", &self.disease)
    }
}

/// Status and body.
async fn get(stream: &mut BufReader<TcpStream>, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'|' | 0x80.. => encoded.push_str(&format!("%{byte:02X}")),
            byte => encoded.push(char::from(byte)),
        }
    }
    let request = format!("GET /fhir/{encoded} HTTP/1.1\r\nHost: bench\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let status = line.split(' ').nth(1).context("no status")?.parse()?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((status, body))
}
