//! A published set of searches over HTTP, in a small city and in a large one: what is selective stays flat.

use crate::by_hand::{self, Parameter, Prepared, of_server};
use crate::database::Database;
use crate::process::{Server, program};
use crate::report::{Report, percentile};
use crate::{indexes, mixed};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Its name, the search with places to fill in, whether its answer needs only a part of the city however large that is.
pub(crate) const SEARCHES: [(&str, &str, bool); 25] = [
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

pub(crate) async fn measure(patients: u32, seconds: u64, report: &mut Report) -> Result<()> {
    let database = Database::start().await?;
    let commit = database.durable_commit_ms().await?;
    report.line(&format!("one durable commit: p50 {commit:.2} ms"))?;
    let city = City { database: &database, commit, seconds };
    let small = city.measure("small", SMALL, report).await?;
    let large = city.measure("large", patients, report).await?;
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

struct City<'a> {
    database: &'a Database,
    /// The p50 of a durable commit, in milliseconds.
    commit: f64,
    /// Of the mixed load.
    seconds: u64,
}

impl City<'_> {
    /// The p50 of each search, in milliseconds.
    async fn measure(&self, name: &str, patients: u32, report: &mut Report) -> Result<Vec<f64>> {
        let file =
            std::env::temp_dir().join(format!("bund-bench-{}-{name}.ndjson", std::process::id()));
        let outcome = self.measure_from(&file, name, patients, report).await;
        let _ = std::fs::remove_file(&file);
        outcome
    }

    async fn measure_from(
        &self,
        file: &Path,
        name: &str,
        patients: u32,
        report: &mut Report,
    ) -> Result<Vec<f64>> {
        let database = self.database;
        database.migrated(name).await?;
        let url = database.url(name);
        let path = file.to_str().context("the folder of temporary files has an odd name")?;
        tokio::task::block_in_place(|| {
            run(&url, &["generate", "--patients", &patients.to_string(), "--out", path])
        })?;
        let told = tokio::task::block_in_place(|| load_file(&url, file))?;
        report.line(&format!("{name}: {}", told.lines().last().unwrap_or_default()))?;
        let words: Vec<&str> = told.lines().last().unwrap_or_default().split(' ').collect();
        let resources = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(1);
        database.connect(name).await?.batch_execute("VACUUM ANALYZE").await?;
        let is_small = name == "small";
        if is_small {
            indexes::load(database, file, resources, report).await?;
        } else {
            indexes::sizes(database, name, resources, report).await?;
            by_hand::build(database, name, file).await?;
        }
        let server = Server::start(&url).await?;
        let mut stream = BufReader::new(TcpStream::connect(&server.address).await?);
        let known = Known::look(&mut stream).await?;
        let mut times = Vec::new();
        for (search, template, _) in SEARCHES {
            let path = known.fill(template);
            let mut measured = Vec::with_capacity(TIMES);
            for _ in 0..TIMES {
                let began = Instant::now();
                let (status, _) = get(&mut stream, &path).await?;
                measured.push(began.elapsed().as_secs_f64() * 1_000.0);
                if status != 200 {
                    bail!("{search}: {path} answered {status}");
                }
            }
            let time = percentile(&mut measured, 0.5);
            times.push(time);
            if !is_small {
                self.compare(name, search, &path, &mut stream, &known, time, report).await?;
            }
        }
        if !is_small {
            mixed::measure(&server.address, &known, self.seconds, report).await?;
        }
        Ok(times)
    }

    /// With the same answer by hand-written SQL, and one durable commit for the record that a read leaves.
    #[expect(clippy::too_many_arguments, reason = "what is compared comes from two sides")]
    async fn compare(
        &self,
        name: &str,
        search: &str,
        path: &str,
        stream: &mut BufReader<TcpStream>,
        known: &Known,
        time: f64,
        report: &mut Report,
    ) -> Result<()> {
        let found = by_hand::STATEMENTS.iter().find(|(of, ..)| *of == search);
        let Some((_, statement, parameters)) = found else { return Ok(()) };
        let values = parameters.iter().map(|parameter| known.value(*parameter)).collect();
        let by_hand = Prepared::by_hand(self.database, name, statement, values).await?;
        let (_, body) = get(stream, path).await?;
        let bundle: Value = serde_json::from_slice(&body)?;
        let entries = bundle["entry"].as_array().map_or(0, Vec::len);
        let answered = bundle["total"].as_u64().unwrap_or(u64::try_from(entries).unwrap_or(0));
        // A page has one row less than its statement looks for.
        let rows = by_hand.run().await?;
        if rows != answered && rows != answered + 1 {
            bail!("{search}: {answered} matches, by hand {rows}");
        }
        let (hand, again) = (by_hand.measure(TIMES).await?, by_hand.measure(TIMES).await?);
        let hand = hand.min(again);
        let whole = time / (hand + self.commit);
        let whole = format!("over HTTP {time:.2} ms, {whole:.1} of it and a commit");
        // A compartment is no search of a type alone.
        if !path.contains('?') {
            return report.line(&format!("{search}: by hand {hand:.2} ms; {whole}"));
        }
        let ours =
            Prepared::of(self.database, name, &of_server(path, "http://bench/fhir")?).await?;
        if ours.run().await? != rows {
            bail!("{search}: our statement finds other rows than the one by hand");
        }
        let (first, second) = (ours.measure(TIMES).await?, ours.measure(TIMES).await?);
        let own = first.min(second);
        let line = format!(
            "{search}: {own:.2} ms, by hand {hand:.2} ms; {whole}; ratio of the statements"
        );
        report.aim(&line, own / hand, own <= 1.5 * hand, "at most 1.5")
    }
}

fn run(url: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program()?)
        .args(arguments)
        .env("BUND_DATABASE_URL", url)
        .stderr(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("bund {} failed", arguments.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(crate) fn load_file(url: &str, file: &Path) -> Result<String> {
    let path = file.to_str().context("the folder of temporary files has an odd name")?;
    run(url, &["import", path])
}

/// What is asked for: taken from the city, so that there are answers.
#[derive(Clone)]
pub(crate) struct Known {
    patient: String,
    identifier: String,
    code: String,
    /// A value and its unit, with the system between.
    high: String,
    practitioner: String,
    disease: String,
    /// One that another is made like.
    example: Value,
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
            example: observation,
        })
    }

    pub(crate) fn fill(&self, search: &str) -> String {
        search
            .replace("{patient}", &self.patient)
            .replace("{identifier}", &self.identifier)
            .replace("{code}", &self.code)
            .replace("{high}", &self.high)
            .replace("{practitioner}", &self.practitioner)
            .replace("{disease}", &self.disease)
    }
}

impl Known {
    /// For a statement by hand.
    fn value(&self, parameter: Parameter) -> String {
        let (number, unit) = self.high.split_once('|').unwrap_or((&self.high, ""));
        let unit = unit.rsplit('|').next().unwrap_or_default();
        let value = match parameter {
            Parameter::Patient => &self.patient,
            Parameter::Identifier => &self.identifier,
            Parameter::Code => &self.code,
            Parameter::High => number,
            Parameter::Unit => unit,
            Parameter::Practitioner => &self.practitioner,
        };
        value.to_owned()
    }

    /// A new one, as a hospital would send it.
    pub(crate) fn observation(&self, id: &str) -> String {
        let mut observation = self.example.clone();
        observation["id"] = Value::String(id.to_owned());
        observation.to_string()
    }
}

/// Status and body.
pub(crate) async fn get(stream: &mut BufReader<TcpStream>, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut encoded = String::new();
    for byte in path.bytes() {
        match byte {
            b'|' | 0x80.. => encoded.push_str(&format!("%{byte:02X}")),
            byte => encoded.push(char::from(byte)),
        }
    }
    send(stream, "GET", &encoded, "").await
}

pub(crate) async fn send(
    stream: &mut BufReader<TcpStream>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, Vec<u8>)> {
    let length = body.len();
    let request = format!(
        "{method} /fhir/{path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/fhir+json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
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
