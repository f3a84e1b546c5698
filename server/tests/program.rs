//! The program as an administrator meets it: commands, refusals, start and stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "program/audit.rs"]
mod audit;

use embedded::{Cluster, Durability};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};

fn bund() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bund"));
    command.env_remove("BUND_DATABASE_URL").env("BUND_LOG", "error");
    command
}

fn refused(output: &Output, reason: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains(reason),
        "`{text}` does not contain `{reason}`"
    );
}

/// Serves on a free port; the address it prints.
fn serve(database_url: &str) -> (Child, String) {
    serve_with(database_url, &[], Stdio::null())
}

fn serve_with(database_url: &str, variables: &[(&str, &str)], log: Stdio) -> (Child, String) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = bund()
        .args(["serve", "--insecure-no-auth", "--listen", &format!("127.0.0.1:{port}")])
        .env("BUND_DATABASE_URL", database_url)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), format!("serving http://127.0.0.1:{port}/fhir"));
    (child, format!("127.0.0.1:{port}"))
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn conf_01_mistakes_are_named_before_anything_is_done() {
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        bund().args(arguments).envs(variables.iter().copied()).output().unwrap()
    };
    let database = ("BUND_DATABASE_URL", "postgresql://nobody@localhost:1/none");
    refused(&run(&["serve", "--insecure-no-auth"], &[]), "BUND_DATABASE_URL is not set");
    refused(&run(&["serve"], &[database]), "not available");
    let everywhere = ["serve", "--insecure-no-auth", "--listen", "0.0.0.0:0"];
    refused(&run(&everywhere, &[database]), "only on a loopback address");
    refused(&run(&["migrate"], &[database]), "not available");
    let collector = ("BUND_OTLP_ENDPOINT", "https://collector");
    refused(&run(&["migrate"], &[database, collector]), "BUND_OTLP_ENDPOINT");
    let ratio = ("BUND_OTLP_SAMPLE_RATIO", "2");
    refused(&run(&["migrate"], &[database, ratio]), "BUND_OTLP_SAMPLE_RATIO");
    let number = ("BUND_PAGE_SIZE_MAX", "many");
    refused(&run(&["migrate"], &[database, number]), "BUND_PAGE_SIZE_MAX");
    let zone = ("BUND_TIME_ZONE", "Shanghai");
    refused(&run(&["migrate"], &[database, zone]), "BUND_TIME_ZONE");
    refused(&run(&["migrate", "--config", "no such file"], &[database]), "no such file");
    let required = ("BUND_DATABASE_URL", "postgresql://a@b/c?sslmode=require");
    refused(&run(&["migrate"], &[required]), "sslmode=require is not supported");
    let settings = run(&["settings"], &[]);
    assert!(
        String::from_utf8_lossy(&settings.stdout)
            .contains("BUND_LISTEN\tservice.listen\t127.0.0.1:8080")
    );
}

#[test]
fn a_database_is_migrated_served_and_left_in_order() {
    let cluster = Cluster::temporary(Durability::None).unwrap();
    let url = cluster.url();
    let with_database =
        |command: &str| bund().arg(command).env("BUND_DATABASE_URL", &url).output().unwrap();
    let early = bund()
        .args(["serve", "--insecure-no-auth", "--listen", "127.0.0.1:0"])
        .env("BUND_DATABASE_URL", &url)
        .output();
    refused(&early.unwrap(), "run `bund migrate`");
    assert!(with_database("migrate").status.success());
    let again = with_database("migrate");
    assert!(String::from_utf8_lossy(&again.stdout).contains("(0 applied now)"));

    let (mut child, address) = serve(&url);
    assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(&address, "/fhir/metadata").contains("CapabilityStatement"));
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success() && child.wait().unwrap().success());
}

#[test]
fn aud_09_who_may_change_the_trail_does_not_serve() {
    let cluster = Cluster::temporary(Durability::None).unwrap();
    let run = |arguments: &[&str], url: &str| {
        let mut command = bund();
        command.args(arguments).env("BUND_DATABASE_URL", url).output().unwrap()
    };
    let owner = cluster.url();
    refused(&run(&["migrate", "--server-role", "hub"], &owner), "CREATE ROLE \"hub\" LOGIN");
    refused(&run(&["migrate", "--create-role"], &owner), "--server-role");
    let refusal = run(&["serve", "--listen", "127.0.0.1:0"], &owner);
    refused(&refusal, "may change the trail: it is a superuser; it owns");
    refused(&refusal, "bund migrate --server-role NAME");
    let granted = run(&["migrate", "--server-role", "hub", "--create-role"], &owner);
    let text = String::from_utf8_lossy(&granted.stdout);
    assert!(text.contains("the role hub may serve it"), "{text}");

    let url = cluster.url_as("hub", "postgres");
    let imported = bund()
        .args(["import", "-"])
        .env("BUND_DATABASE_URL", &url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            let patient = b"{\"resourceType\":\"Patient\",\"id\":\"a\"}\n";
            child.stdin.take().map(|mut stdin| stdin.write_all(patient)).transpose()?;
            child.wait_with_output()
        });
    assert_eq!(sums(&imported.unwrap()), [1, 0, 0]);
    assert!(run(&["reindex"], &url).status.success());
    assert!(run(&["analyze"], &url).status.success());
    assert!(run(&["hospital", "add", "a"], &url).status.success());
    refused(&run(&["migrate", "--down"], &url), "permission denied");
    let mut command = bund();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("BUND_DATABASE_URL", &url);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("no issuer is registered yet"));
    assert!(lines.next().unwrap().unwrap().starts_with("serving "));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn files_are_imported_once() {
    let cluster = Cluster::temporary(Durability::None).unwrap();
    let folder = std::env::temp_dir().join(format!("bund-import-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let lines = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\n{\"resourceType\":\"Basic\",\"id\":\"b\",\"code\":{\"text\":\"x\"}}\n";
    std::fs::write(folder.join("one.ndjson"), lines).unwrap();
    let bundle = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[\
        {\"fullUrl\":\"urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059\",\"resource\":{\"resourceType\":\"Patient\"}},\
        {\"fullUrl\":\"urn:uuid:98f151c0-a954-468a-88bd-5ae15c08e059\",\"resource\":{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"},\
        \"subject\":{\"reference\":\"urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059\"}}}]}";
    std::fs::write(folder.join("two.json"), bundle).unwrap();
    let run = |command: &str, path: &str| {
        bund().args([command, path]).env("BUND_DATABASE_URL", cluster.url()).output().unwrap()
    };
    assert!(
        bund()
            .arg("migrate")
            .env("BUND_DATABASE_URL", cluster.url())
            .output()
            .unwrap()
            .status
            .success()
    );
    let path = folder.to_str().unwrap();
    let first = String::from_utf8(run("import", path).stdout).unwrap();
    assert!(first.contains("imported 4 resources"), "{first}");
    let second = String::from_utf8(run("import", path).stdout).unwrap();
    assert!(
        second.contains("imported 0 resources") && second.contains("4 were there already"),
        "{second}"
    );

    let (mut child, address) = serve(&cluster.url());
    let found = get(&address, "/fhir/Basic?subject=Patient/88f151c0-a954-468a-88bd-5ae15c08e059");
    assert!(found.contains("98f151c0"), "{found}");
    child.kill().unwrap();
    child.wait().unwrap();

    std::fs::write(
        folder.join("three.ndjson"),
        "{\"resourceType\":\"Patient\",\"id\":\"c\",\"gender\":\"f\"}\n",
    )
    .unwrap();
    refused(&run("import", path), "three.ndjson: line 1: Patient/c is not valid: Patient.gender");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A migrated database, and a folder of the test's own.
struct Import {
    cluster: Cluster,
    folder: std::path::PathBuf,
}

impl Import {
    fn new(name: &str) -> Import {
        let cluster = Cluster::temporary(Durability::None).unwrap();
        let folder = std::env::temp_dir().join(format!("bund-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let migrated = bund().arg("migrate").env("BUND_DATABASE_URL", cluster.url()).output();
        assert!(migrated.unwrap().status.success());
        Import { cluster, folder }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = bund();
        command.arg("import").args(arguments).env("BUND_DATABASE_URL", self.cluster.url());
        command.output().unwrap()
    }

    /// What the last line says: imported, there already, refused.
    fn sums(&self, arguments: &[&str]) -> [u64; 3] {
        sums(&self.run(arguments))
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn sums(output: &Output) -> [u64; 3] {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().last().unwrap();
    let number = |text: &str| text.trim().split(' ').next().unwrap().parse().unwrap();
    let (imported, rest) = last.strip_prefix("imported ").unwrap().split_once(';').unwrap();
    let (there, refused) = rest.split_once(',').unwrap();
    [number(imported), number(there), number(refused)]
}

fn generated(arguments: &[&str]) -> String {
    let output = bund().arg("generate").args(arguments).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn a_load_that_was_cut_off_goes_on_where_it_was() {
    let import = Import::new("resume");
    let city = generated(&["--hospitals", "1", "--patients", "20"]);
    let lines: Vec<&str> = city.lines().collect();
    let (all, half) = (lines.len() as u64, lines.len() as u64 / 2);
    let head = lines.iter().take(lines.len() / 2).fold(String::new(), |text, it| text + it + "\n");
    let head = import.write("head.ndjson", head);
    let whole = import.write("whole.ndjson", &city);
    assert_eq!(import.sums(&[&head]), [half, 0, 0]);
    assert_eq!(import.sums(&[&whole]), [all - half, half, 0]);
    // Everything is there: compressed, in bundles, in folders of folders.
    std::fs::remove_file(&head).unwrap();
    std::fs::remove_file(&whole).unwrap();
    std::fs::create_dir(import.folder.join("inside")).unwrap();
    import.write("inside/city.ndjson.gz", gzip(&city));
    let bundles = generated(&["--hospitals", "1", "--patients", "20", "--bundles"]);
    import.write("bundles.ndjson", &bundles);
    let first = bundles.lines().next().unwrap();
    import.write("one.json.gz", gzip(first));
    let entries = first.matches("\"method\":\"PUT\"").count() as u64;
    assert_eq!(import.sums(&[import.folder.to_str().unwrap()]), [0, 2 * all + entries, 0]);
}

#[test]
fn standard_input_is_imported_plain_and_compressed() {
    let import = Import::new("stdin");
    let lines =
        "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n{\"resourceType\":\"Patient\",\"id\":\"b\"}";
    for (bytes, expected) in [(lines.as_bytes().to_vec(), [2, 0, 0]), (gzip(lines), [0, 2, 0])] {
        let mut child = bund()
            .args(["import", "-"])
            .env("BUND_DATABASE_URL", import.cluster.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert_eq!(sums(&child.wait_with_output().unwrap()), expected);
    }
}

#[test]
fn what_is_refused_stands_in_the_report() {
    let import = Import::new("report");
    let file = import.write(
        "bad.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n\
         {\"resourceType\":\"Pati\n\
         {\"resourceType\":\"Patient\",\"id\":\"b\",\"gender\":\"f\"}\n\
         {\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[\
         {\"resource\":{\"resourceType\":\"Patient\",\"id\":\"c\"}},{\"resource\":{\"resourceType\":\"Patient\"}}]}\n\
         {\"resourceType\":\"Patient\",\"id\":\"a\"}\n",
    );
    let report = import.folder.join("report.ndjson");
    let report_name = report.to_str().unwrap();
    // Without --skip-invalid the first one stops the import.
    refused(&import.run(&[&file, "--report", report_name]), "bad.ndjson: line 2: not valid JSON");
    assert_eq!(std::fs::read_to_string(&report).unwrap().lines().count(), 1);

    let sums = import.sums(&["--skip-invalid", "--report", report_name, &file]);
    assert_eq!(sums, [2, 1, 3]);
    let text = std::fs::read_to_string(&report).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let short: Vec<String> = lines
        .iter()
        .map(|line| {
            let issue = &line["issues"][0];
            format!("{} {} {} {}", line["line"], line["resource"], line["id"], issue["code"])
        })
        .collect();
    let expected = [
        "2 null null \"structure\"",
        "3 \"Patient\" \"b\" \"code-invalid\"",
        "4 \"Patient\" null \"required\"",
    ];
    assert_eq!(short, expected, "{text}");
    assert!(lines.iter().all(|line| line["file"] == *file), "{text}");
    assert_eq!(lines[1]["issues"][0]["expression"][0], "Patient.gender");
    assert_eq!(lines[2]["issues"][0]["expression"][0], "Bundle.entry[1].resource");
}

fn send(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn terminate(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
}

fn migrated() -> Cluster {
    let cluster = Cluster::temporary(Durability::None).unwrap();
    let output = bund().arg("migrate").env("BUND_DATABASE_URL", cluster.url()).output().unwrap();
    assert!(output.status.success());
    cluster
}

#[test]
fn log_01_logs_and_metrics_tell_what_happened_and_to_nobody_whom() {
    let cluster = migrated();
    let variables = [
        ("BUND_LOG", "debug,h2=info,hyper=info"),
        ("BUND_LOG_FORMAT", "json"),
        ("BUND_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let (mut child, address) = serve_with(&cluster.url(), &variables, Stdio::piped());
    let patient = r#"{"resourceType":"Patient","name":[{"family":"Marked"}]}"#;
    let post = |body: &str| {
        format!(
            "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: visit-7\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
             Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let created = send(&address, &post(patient));
    assert!(created.starts_with("HTTP/1.1 201") && created.contains("x-request-id: visit-7"));
    assert!(send(&address, &post(r#"{"resourceType":"Patient","Marked":1}"#)).contains("422"));
    assert!(send(&address, &post(r#"{"Marked"#)).starts_with("HTTP/1.1 400"));
    assert!(get(&address, "/fhir/Patient?name=Marked&_pretty=true").contains("Marked"));
    assert!(get(&address, "/fhir/Patient?name:Marked=Marked").starts_with("HTTP/1.1 400"));
    assert!(get(&address, "/fhir/Marked/Marked").starts_with("HTTP/1.1 404"));
    let figures = get(&address, "/metrics");
    for line in [
        r#"bund_http_requests_total{interaction="create",resource="Patient",status="2xx"} 1"#,
        r#"bund_http_requests_total{interaction="create",resource="Patient",status="4xx"} 2"#,
        r#"bund_http_requests_total{interaction="none",resource="none",status="4xx"} 1"#,
        r#"bund_http_request_duration_seconds_count{interaction="search-type"} 2"#,
        "bund_http_requests_in_progress 0",
        "bund_audit_group_records_count",
        "bund_database_wal_bytes",
        "bund_process_resident_bytes",
        r#"bund_pool_connections{state="idle"}"#,
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
    assert!(!figures.contains("Marked"));
    terminate(&child);
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(!log.to_lowercase().contains("marked"), "{log}");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answered: Vec<_> =
        lines.iter().filter(|line| line["fields"]["message"] == "answered").collect();
    assert_eq!(answered.len(), 6);
    let first = answered[0];
    assert_eq!(first["fields"]["interaction"], "create");
    assert_eq!(first["fields"]["status"], 201);
    assert_eq!(first["span"]["request"], "visit-7");
    assert_eq!(first["span"]["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn a_trace_goes_on_to_the_collector() {
    let cluster = migrated();
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let receiving = std::thread::spawn(move || {
        let (mut stream, _) = collector.accept().unwrap();
        let mut received = Vec::new();
        let mut chunk = [0; 65_536];
        // A batch is small: it is whole when its spans are there.
        loop {
            let length = stream.read(&mut chunk).unwrap();
            received.extend_from_slice(&chunk[..length]);
            let has = |part: &[u8]| received.windows(part.len()).any(|window| window == part);
            if length == 0 || (has(b"/v1/traces") && has(b"commit")) {
                break;
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        received
    });
    let variables = [
        ("BUND_OTLP_ENDPOINT", endpoint.as_str()),
        ("BUND_OTLP_SAMPLE_RATIO", "0"),
        ("BUND_TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let (mut child, address) = serve_with(&cluster.url(), &variables, Stdio::null());
    let body = r#"{"resourceType":"Patient"}"#;
    let created = send(
        &address,
        &format!(
            "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\
             Content-Type: application/fhir+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    terminate(&child);
    assert!(child.wait().unwrap().success());
    let received = receiving.join().unwrap();
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    assert!(received.windows(16).any(|window| window == trace), "no such trace");
}

#[test]
fn what_is_in_progress_is_finished_before_the_end() {
    let cluster = migrated();
    let (mut child, address) = serve(&cluster.url());
    let body = r#"{"resourceType":"Patient"}"#;
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!(
        "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/fhir+json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    // One that is under way, and one whose connection stays open to ask whether the server is ready.
    stream.write_all(head.as_bytes()).unwrap();
    let mut asking = TcpStream::connect(&address).unwrap();
    let ready = |asking: &mut TcpStream| {
        asking.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = [0; 4_096];
        let length = asking.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    assert!(ready(&mut asking).starts_with("HTTP/1.1 200"));
    terminate(&child);
    // The signal is handled when the server says that it is not ready, or closes what is idle.
    while ready(&mut asking).starts_with("HTTP/1.1 200") {}
    assert!(child.try_wait().unwrap().is_none(), "it ended with a request in progress");
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reindex_finds_what_a_new_time_zone_means() {
    let cluster = migrated();
    let path = std::env::temp_dir().join(format!("bund-reindex-{}.ndjson", std::process::id()));
    let lines: String = (0..1_200)
        .map(|number| {
            format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"p{number}\",\"deceasedDateTime\":\"2020-01-01\",\
                 \"name\":[{{\"family\":\"Wang\"}}]}}\n"
            )
        })
        .collect();
    std::fs::write(&path, lines).unwrap();
    let run = |arguments: &[&str], zone: &str| {
        let mut command = bund();
        command.args(arguments).env("BUND_DATABASE_URL", cluster.url()).env("BUND_TIME_ZONE", zone);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["import", path.to_str().unwrap()], "Asia/Shanghai");
    std::fs::remove_file(&path).unwrap();
    let zone = [("BUND_TIME_ZONE", "UTC")];
    let (mut child, address) = serve_with(&cluster.url(), &zone, Stdio::null());
    // The day ends at 16:00 in Shanghai's time.
    let count = |search: &str| {
        let bundle = get(&address, &format!("/fhir/Patient?{search}&_summary=count"));
        let (_, total) = bundle.split_once("\"total\":").unwrap();
        total.split(['}', ',']).next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(count("death-date=ge2020-01-01T17:00:00Z"), 0);
    let told = run(&["reindex", "--type", "Patient"], "UTC");
    assert!(told.contains("Patient: 1200 resources"), "{told}");
    assert_eq!(count("death-date=ge2020-01-01T17:00:00Z"), 1_200);
    assert_eq!(count("death-date=lt2020-01-01"), 0);
    assert_eq!(count("family=wang&name=wang"), 1_200);
    assert!(run(&["reindex", "--restart"], "UTC").contains("indexed 1200 resources anew"));
    refused(
        &bund()
            .args(["reindex", "--type", "Nothing"])
            .env("BUND_DATABASE_URL", cluster.url())
            .output()
            .unwrap(),
        "`Nothing` is no resource type",
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn an_analysis_tells_what_no_index_leads() {
    let cluster = migrated();
    let (mut child, address) = serve(&cluster.url());
    for value in ["male", "female", "other"] {
        get(&address, &format!("/fhir/Patient?gender={value}"));
        get(&address, &format!("/fhir/Patient?identifier={value}&gender=male"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = bund().arg("analyze").env("BUND_DATABASE_URL", cluster.url()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let expected = "asked 3 times, and no index leads it: Patient?gender: add one of these";
    assert!(told.contains(expected), "{told}");
    assert!(told.contains("3 of the latest 6 searches were led by no index"), "{told}");
    // The private PostgreSQL of the tests does not wait for its disk.
    assert!(told.contains("fsync = off: acknowledged writes can be lost"), "{told}");
    assert!(!told.contains("female"), "{told}");
}

#[test]
fn hospitals_issuers_and_clients_are_registered() {
    let cluster = migrated();
    let run = |arguments: &str| {
        let mut command = bund();
        command.args(arguments.split(' ')).env("BUND_DATABASE_URL", cluster.url());
        command.output().unwrap()
    };
    let told = |arguments: &str| {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let iss = "https://id.hub.example/realms/city";
    assert_eq!(
        told("hospital add ruijin --name Ruijin --identifier urn:oid:1.2.3 --prefix rj-"),
        "hospital ruijin is number 1\n"
    );
    told("hospital add huashan");
    refused(&run("hospital add ruijin"), "registered already; --replace changes it");
    refused(&run("hospital add a/b"), "a hospital's code is 1 to 64");
    refused(&run("hospital add x --identifier ruijin"), "how another hospital is called");
    refused(&run("hospital disable nowhere"), "hospital nowhere is not registered");
    told("hospital disable huashan");
    let hospitals = told("hospital list");
    let lines: Vec<&str> = hospitals.lines().collect();
    assert_eq!(lines.len(), 3, "{hospitals}");
    assert!(lines[0].starts_with("NUMBER  CODE     STATE     PREFIX"), "{hospitals}");
    assert!(lines[2].contains("huashan  disabled  -"), "{hospitals}");

    refused(
        &run(&format!("issuer add {iss} --hospital nowhere")),
        "there is no hospital `nowhere`",
    );
    refused(&run(&format!("issuer add {iss} --algorithm HS256")), "`HS256` is no algorithm");
    refused(&run("issuer add http://127.0.0.1:1/"), "BUND_IDENTITY_ALLOW_HTTP_LOOPBACK");
    refused(&run(&format!("issuer add {iss} --broker --hospital ruijin")), "cannot be used with");
    refused(&run(&format!("client add {iss} ehr")), "is not registered");
    let proposed = told(&format!("issuer add {iss} --hospital ruijin --level user --by Ann"));
    assert!(proposed.contains("bund issuer approve"), "{proposed}");
    assert_eq!(told("issuer list --json"), "");
    assert!(told("issuer proposals").contains("\"proposed_by\":\"Ann\""));
    refused(&run(&format!("issuer approve {iss} --by ann")), "somebody else has to approve");
    refused(&run(&format!("client add {iss} ehr")), "is not registered");
    told(&format!("issuer approve {iss} --by Bob"));
    assert_eq!(told("issuer proposals"), "");
    refused(&run(&format!("issuer add {iss}")), "registered already");
    told(&format!("issuer disable {iss}"));
    let listed = told("issuer list --json");
    for part in [
        "\"enabled\":false",
        "\"hospitals\":[\"ruijin\"]",
        "\"levels\":[\"user\"]",
        "\"algorithms\":[\"ES256\"]",
        "\"max_lifetime\":3600",
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    assert!(told("issuer list").contains("discovery"));
    let alone = |arguments: &str| {
        let mut command = bund();
        command.args(arguments.split(' ')).env("BUND_DATABASE_URL", cluster.url());
        command.env("BUND_REGISTRY_APPROVERS", "1").output().unwrap()
    };
    let asked = "--introspection https://id.hub.example/i --introspection-client hub --introspection-secret city";
    let change = format!("issuer add {iss} --broker --replace --level user --level system {asked}");
    assert!(alone(&change).status.success());
    let listed = told("issuer list --json");
    assert!(listed.contains("\"secret\":\"city\",\"for_all\":false"), "{listed}");
    let second = format!("issuer add https://other.example --broker {asked}");
    refused(&alone(&second), "is asked about opaque tokens already");
    refused(
        &alone(&format!("issuer add {iss} --introspection https://x.example")),
        "--introspection-client",
    );
    assert!(told("issuer list --json").contains("\"broker\":true"));

    told(&format!("client add {iss} ehr --hospital ruijin --may-assert-purpose --require-bound"));
    told(&format!("client add {iss} portal"));
    told(&format!("client disable {iss} portal"));
    refused(&run(&format!("client enable {iss} nobody")), "client nobody is not registered");
    let listed = told(&format!("client list --issuer {iss} --json"));
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.contains("\"hospital\":\"ruijin\",\"may_assert_purpose\":true,\"require_bound\":true,\"enabled\":true")
    );
    assert_eq!(told("client list --issuer other --json"), "");
    told(&format!("issuer remove {iss}"));
    assert_eq!(told("client list --json"), "");
    refused(&run(&format!("issuer enable {iss}")), "is not registered");
    let journal = told("registry");
    assert!(journal.lines().next().unwrap().starts_with("TIME"), "{journal}");
    assert!(journal.contains("issuer approved") && journal.contains("Bob"), "{journal}");
    assert!(journal.contains("issuer saved by one"), "{journal}");
    let latest = told("registry --latest 1 --json");
    assert!(latest.contains("\"action\":\"issuer removed\""), "{latest}");
}

/// Whatever was answered before the end is in the trail, however the end came.
#[test]
fn aud_05_a_killed_server_answered_nothing_that_is_not_recorded() {
    let cluster = Cluster::temporary(Durability::Full).unwrap();
    let migrate = bund().arg("migrate").env("BUND_DATABASE_URL", cluster.url()).output().unwrap();
    assert!(migrate.status.success());
    let mut answered = Vec::new();
    for round in 1..=3_usize {
        let (mut child, address) = serve(&cluster.url());
        let (told, heard) = std::sync::mpsc::channel();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (address, told) = (address.clone(), told.clone());
                std::thread::spawn(move || {
                    while let Some(id) = answered_id(&address) {
                        if told.send(id).is_err() {
                            return;
                        }
                    }
                })
            })
            .collect();
        drop(told);
        // In the middle of what the readers do.
        answered.extend(heard.iter().take(50 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        answered.extend(heard.iter());
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }
    let select = ["-Atc", "SELECT request FROM audit_record"];
    let output = Command::new("psql").arg(cluster.url()).args(select).output().unwrap();
    let recorded = String::from_utf8(output.stdout).unwrap();
    let recorded: std::collections::HashSet<&str> = recorded.lines().collect();
    assert!(answered.len() >= 300);
    for id in &answered {
        assert!(recorded.contains(id.as_str()), "{id} was answered and is not recorded");
    }
}

/// The id of a request that was answered whole; None once nobody answers.
fn answered_id(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let head = answer.split("\r\n\r\n").next()?;
    let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: "))?;
    answer.ends_with('}').then(|| id.to_owned())
}

fn post(address: &str, path: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = form.len();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{form}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn kc_02_a_token_of_the_demonstration_is_checked_and_taken() {
    let cluster = Cluster::temporary(Durability::None).unwrap();
    let folder = std::env::temp_dir().join(format!("bund-logins-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let logins = folder.join("logins");
    std::fs::write(&logins, "doctor\tof-a-demonstration\tdoctors\th001\t-\t王医生\n").unwrap();
    let issuer = |listen: &str| {
        let mut command = bund();
        command
            .args([
                "demo-issuer",
                "--listen",
                listen,
                "--audience",
                "http://fhir.test/fhir",
                "--logins",
            ])
            .arg(&logins);
        command
    };
    refused(&issuer("0.0.0.0:0").output().unwrap(), "only on a loopback address");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let iss = format!("http://{address}/realms/city");
    let mut child = issuer(&address).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("INSECURE"), "{line}");
    while TcpStream::connect(&address).is_err() {
        std::thread::yield_now();
    }
    let run = |arguments: &[&str]| {
        bund()
            .args(arguments)
            .env("BUND_DATABASE_URL", cluster.url())
            .env("BUND_BASE_URL", "http://fhir.test/fhir")
            .env("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK", "true")
            .env("BUND_REGISTRY_APPROVERS", "1")
            .output()
            .unwrap()
    };
    for arguments in [
        &["migrate"][..],
        &["hospital", "add", "h001"],
        &["issuer", "add", &iss, "--broker"],
        &["client", "add", &iss, "portal"],
    ] {
        let output = run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let ask = |password: &str| {
        let form = format!("grant_type=password&username=doctor&password={password}");
        post(&address, "/realms/city/token", &form)
    };
    assert!(ask("of-somebody-else").contains("invalid_grant"));
    let answer = ask("of-a-demonstration");
    let token = answer.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap();
    let file = folder.join("token");
    std::fs::write(&file, token).unwrap();
    let check = |iss: &str| run(&["issuer", "check", iss, "--token-file", file.to_str().unwrap()]);
    let checked = check(&iss);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success() && text.contains("the server takes it"), "{text}");
    assert!(text.contains("h001") && !text.contains(token), "{text}");
    refused(&check("http://127.0.0.1:1/realms/city"), "are wrong");
    // A token that is wrong in two ways has both named.
    let claims = token.split('.').nth(1).unwrap();
    std::fs::write(&file, format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.{claims}.AAAA")).unwrap();
    let checked = check(&iss);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(text.contains("`JWT`, not `at+jwt`") && text.contains("`RS256`, not ES256"), "{text}");
    refused(&checked, "are wrong");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
