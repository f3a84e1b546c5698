//! The program as an administrator meets it: commands, refusals, start and stop.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = bund()
        .args(["serve", "--insecure-no-auth", "--listen", &format!("127.0.0.1:{port}")])
        .env("BUND_DATABASE_URL", database_url)
        .stdout(Stdio::piped())
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
fn mistakes_are_named_before_anything_is_done() {
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        bund().args(arguments).envs(variables.iter().copied()).output().unwrap()
    };
    let database = ("BUND_DATABASE_URL", "postgresql://nobody@localhost:1/none");
    refused(&run(&["serve", "--insecure-no-auth"], &[]), "BUND_DATABASE_URL is not set");
    refused(&run(&["serve"], &[database]), "needs --insecure-no-auth");
    let everywhere = ["serve", "--insecure-no-auth", "--listen", "0.0.0.0:0"];
    refused(&run(&everywhere, &[database]), "only on a loopback address");
    refused(&run(&["migrate"], &[database]), "not available");
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
    refused(&run("import", path), "three.ndjson: Patient/c is not valid: Patient.gender");
    std::fs::remove_dir_all(&folder).unwrap();
}
