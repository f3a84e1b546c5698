//! The seal of the trail as administrators, and witnesses elsewhere, meet it.

use super::{bund, migrated, refused, send, terminate};
use embedded::Cluster;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const BASE: &str = "http://hub.test/fhir";

/// A database, a folder for keys and heads, and the key that its heads are verified with.
struct Hub {
    cluster: Cluster,
    folder: PathBuf,
    key: String,
}

impl Hub {
    fn new(name: &str) -> Hub {
        let folder = std::env::temp_dir().join(format!("bund-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut hub = Hub { cluster: migrated(), folder, key: String::new() };
        let key = hub.run(&["key", "--out", &hub.file("key.pem")]);
        assert!(key.status.success(), "{key:?}");
        hub.key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
        assert!(hub.key.starts_with("hub.test/fhir+"), "{}", hub.key);
        refused(&hub.run(&["key", "--out", &hub.file("key.pem")]), "exists");
        hub
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn command(&self) -> Command {
        let mut command = bund();
        command
            .env("BUND_DATABASE_URL", self.cluster.url())
            .env("BUND_BASE_URL", BASE)
            .env("BUND_AUDIT_KEY_FILE", self.file("key.pem"))
            .env("BUND_AUDIT_RETENTION_DAYS", "180");
        command
    }

    /// `bund audit …`
    fn run(&self, arguments: &[&str]) -> Output {
        self.command().arg("audit").args(arguments).output().unwrap()
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn psql(&self, statements: &str) -> String {
        let arguments = ["-v", "ON_ERROR_STOP=1", "-Atqc", statements];
        let output = Command::new("psql").arg(self.cluster.url()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn serve(&self) -> (Child, String) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let mut command = self.command();
        command.args(["serve", "--insecure-no-auth", "--listen", &address]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("serving {BASE}"));
        (child, address)
    }

    /// A server that answers so many requests, and signs a last head when it ends.
    fn work(&self, requests: usize) {
        let (mut child, address) = self.serve();
        for _ in 0..requests {
            let answer = send(
                &address,
                "GET /fhir/Patient HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            );
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        terminate(&child);
        assert!(child.wait().unwrap().success());
    }

    /// What another hospital runs.
    fn witness(&self) -> Output {
        let (mut child, address) = self.serve();
        let url = format!("http://{address}/audit");
        let output = self.run(&[
            "witness",
            "--url",
            &url,
            "--state",
            &self.file("head"),
            "--key",
            &self.key,
        ]);
        terminate(&child);
        child.wait().unwrap();
        output
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn aud_10_what_was_taken_back_is_found_by_who_kept_a_head() {
    let hub = Hub::new("witness");
    let serve = ["serve", "--insecure-no-auth", "--listen", "127.0.0.1:0"];
    let elsewhere = ("BUND_AUDIT_KEY_FILE", hub.file("none.pem"));
    refused(
        &hub.command().args(serve).envs([elsewhere]).output().unwrap(),
        "BUND_AUDIT_KEY_FILE: ",
    );
    hub.work(3);
    let said = hub.said(&["verify", "--key", &hub.key, "--state", &hub.file("state")]);
    assert!(said.contains("3 records are as they were sealed"), "{said}");
    assert!(
        said.contains("3 leaves in all") && !said.contains("younger than the newest"),
        "{said}"
    );
    let said = String::from_utf8(hub.witness().stdout).unwrap();
    assert!(said.contains("kept the first head: 3 records"), "{said}");
    hub.work(4);
    let said = String::from_utf8(hub.witness().stdout).unwrap();
    assert!(said.contains("the trail goes on: 7 records, 4 of them new"), "{said}");
    let verify = |more: &[&str]| {
        let head = hub.file("head");
        hub.run(&[&["verify", "--key", &hub.key, "--witness", &head], more].concat())
    };
    let output = verify(&["--state", &hub.file("state")]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("4 records are as they were sealed"), "{said}");
    let head = hub.said(&["head"]);
    assert!(head.starts_with("hub.test/fhir\n7\n") && head.contains(&hub.key), "{head}");
    // Everything goes back to the first head: by itself it fits, and for who kept one it does not.
    hub.psql(
        "DELETE FROM audit_record WHERE transaction > (SELECT max(until_transaction) FROM audit_batch WHERE first_leaf < 3); \
         DELETE FROM audit_batch WHERE first_leaf >= 3; DELETE FROM audit_head WHERE tree_size > 3",
    );
    assert!(hub.said(&["verify", "--key", &hub.key]).contains("3 records are as they were sealed"));
    let output = verify(&[]);
    refused(&output, "the trail is not as it was sealed: 1 finding");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("keeps a head of 7 records, and 3 are sealed here"), "{said}");
    refused(&hub.run(&["verify", "--state", &hub.file("state")]), "1 finding");
    refused(&hub.witness(), "has 3 records and had 7");
    // What grows anew is as large, and another tree.
    hub.work(6);
    refused(&hub.witness(), "does not go on from the 7 that were kept: it was rewritten");
}

#[test]
fn aud_20_an_archived_month_is_proven_by_its_file() {
    let hub = Hub::new("archive");
    // The trail as it is when it began in January 2020.
    hub.psql(
        "DO $$ DECLARE rest text; bound text; BEGIN \
         SELECT relname, substring(pg_get_expr(relpartbound, oid) FROM 'TO .*$') INTO rest, bound FROM pg_class \
         WHERE starts_with(relname, 'audit_record_until_') AND relispartition AND relkind = 'r'; \
         EXECUTE format('ALTER TABLE audit_record DETACH PARTITION %I', rest); \
         EXECUTE format('ALTER TABLE audit_record ATTACH PARTITION %I FOR VALUES FROM (%s) %s', rest, 1580515200000000 << 11, bound); \
         EXECUTE format('CREATE TABLE audit_record_2020_01 PARTITION OF audit_record FOR VALUES FROM (MINVALUE) TO (%s)', 1580515200000000 << 11); \
         END $$; \
         INSERT INTO audit_agent VALUES (5, 'https://id.test', 'b3', 'ehr', '王医生', ARRAY['doctor']); \
         INSERT INTO audit_record (id, shard, request, interaction, status, hospital, agent, query) \
         SELECT (1578000000000000 + n) << 11, 0, gen_random_uuid(), 10, 200, 1, CASE WHEN n % 2 = 0 THEN 5 END, 'name=王' FROM generate_series(1, 9000) AS n",
    );
    let archive = |before: &str| hub.run(&["archive", "--before", before, "--out", &hub.file("")]);
    refused(&archive("2020-02"), "is not under a signed head yet");
    hub.work(2);
    refused(&archive("2999-01"), "records are kept for 180 days");
    refused(&archive("2020-13"), "--before is a year and a month");
    let said = String::from_utf8(archive("2020-01").stdout).unwrap();
    assert!(said.contains("no part of the trail ends before 2020-01"), "{said}");
    // A run that was cut off after its file was written is done again.
    let before = hub.psql("SELECT count(*) FROM audit_record");
    std::fs::write(hub.file("audit_record_2020_01.ndjson.zst"), "half").unwrap();
    let output = archive("2020-02");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("audit_record_2020_01: 9000 records are in"), "{said}");
    assert_eq!(
        (before.trim(), hub.psql("SELECT count(*) FROM audit_record").trim()),
        ("9002", "2")
    );
    let verify = |more: &[&str]| hub.run(&[&["verify", "--key", &hub.key], more].concat());
    let said = String::from_utf8(verify(&[]).stdout).unwrap();
    assert!(said.contains("9000 records are archived"), "{said}");
    let folder = hub.file("");
    let output = verify(&["--archive", &folder]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("audit_record_2020_01: 9000 records are as they were sealed"), "{said}");
    // The file, or what is said of it, is other than what was signed.
    let file = hub.file("audit_record_2020_01.ndjson.zst");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let output = verify(&["--archive", &folder]);
    refused(&output, "1 finding");
    assert!(String::from_utf8(output.stdout).unwrap().contains("is not the file that was signed"));
    std::fs::remove_file(&file).unwrap();
    refused(&verify(&["--archive", &folder]), "1 finding");
    hub.psql("UPDATE audit_archive SET note = replace(note, 'leaves 0-9000', 'leaves 0-9001')");
    let output = verify(&[]);
    refused(&output, "2 findings");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("the archive of audit_record_2020_01 is not what was signed"), "{said}");
    assert!(said.contains("leaves 0 to 8999 were removed"), "{said}");
}

#[test]
fn law_01_a_server_does_not_start_with_a_retention_that_is_too_short() {
    let serve = ["serve", "--insecure-no-auth"];
    let variables = [
        ("BUND_DATABASE_URL", "postgresql://nobody@localhost:1/none"),
        ("BUND_AUDIT_RETENTION_DAYS", "179"),
    ];
    let output = bund().args(serve).envs(variables).output().unwrap();
    refused(&output, "BUND_AUDIT_RETENTION_DAYS: 179 days are too few");
}
