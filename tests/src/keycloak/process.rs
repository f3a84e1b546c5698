//! One Keycloak on a loopback port, in production mode, with a database of its own that is gone with it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Also what `./dev` fetches.
const VERSION: &str = include_str!("../../../helm/bund/files/keycloak/version");

/// How long it may take to start, on a machine that does other things too.
const START_MAX: Duration = Duration::from_secs(1200);

/// Why there is none.
pub(crate) struct Absent(pub(crate) String);

/// Where it was unpacked and built.
pub(crate) fn distribution() -> Result<PathBuf, Absent> {
    let named = std::env::var_os("BUND_KEYCLOAK_HOME").map(PathBuf::from);
    let cached = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        Some(cache?.join("bund").join(format!("keycloak-{}", VERSION.trim())))
    };
    let home = named.or_else(cached).filter(|home| home.join("bund-built").exists());
    let home = home.ok_or_else(|| {
        Absent("it is not here; `./dev keycloak` fetches it, with Java 17 and Maven".to_owned())
    })?;
    let mut version = Command::new("java");
    match version.arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(home),
        _ => Err(Absent("there is no java".to_owned())),
    }
}

pub(crate) struct Process {
    child: Child,
    folder: PathBuf,
}

impl Process {
    /// Begins to start; `ready` waits for it.
    pub(crate) fn start(
        distribution: &Path,
        port: u16,
        variables: &[(&str, &str)],
        import: &[(&str, String)],
    ) -> Process {
        let folder = std::env::temp_dir().join(format!("bund-keycloak-{}", std::process::id()));
        let imported = folder.join("data/import");
        fs::create_dir_all(&imported).unwrap();
        for part in ["lib", "providers", "themes", "conf"] {
            symlink(distribution.join(part), folder.join(part)).unwrap();
        }
        for (name, text) in import {
            fs::write(imported.join(name), text).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let opens = ["java.util", "java.util.concurrent", "java.security", "java.lang"];
        let address = format!("http://127.0.0.1:{port}");
        let child = Command::new("java")
            .args(["-Xms64m", "-Xmx512m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(opens.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")))
            .arg("-Djava.util.logging.manager=org.jboss.logmanager.LogManager")
            .arg("-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory")
            .arg(format!("-Dkc.home.dir={}", folder.display()))
            .arg(format!("-Djboss.server.config.dir={}", folder.join("conf").display()))
            .arg("-cp")
            .arg(folder.join("lib/quarkus-run.jar"))
            .args(["io.quarkus.bootstrap.runner.QuarkusEntryPoint", "start", "--optimized", "--cache=local"])
            .args(["--http-enabled=true", "--http-host=127.0.0.1", "--import-realm"])
            .args([format!("--http-port={port}"), format!("--hostname={address}")])
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Process { child, folder }
    }

    /// Until this address answers.
    pub(crate) async fn ready(&mut self, address: &str) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let began = Instant::now();
        let mut pause = tokio::time::interval(Duration::from_millis(250));
        loop {
            pause.tick().await;
            let answer = client.get(address).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            let is_over = self.child.try_wait().unwrap().is_some() || began.elapsed() > START_MAX;
            assert!(!is_over, "{}", fs::read_to_string(self.folder.join("log")).unwrap());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
