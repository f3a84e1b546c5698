//! The real program, as a process of its own.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) ready_ms: u128,
}

/// `bund` beside this program, in the same profile.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("bund");
    if !path.exists() {
        bail!("{} is not built", path.display());
    }
    Ok(path)
}

impl Server {
    pub(crate) async fn start(url: &str) -> Result<Server> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let began = Instant::now();
        let child = Command::new(program()?)
            .args(["serve", "--insecure-no-auth", "--listen", &address])
            .env("BUND_DATABASE_URL", url)
            .env("BUND_LOG", "error")
            .stdout(Stdio::null())
            .spawn()
            .context("bund serve")?;
        let mut server = Server { child, address, ready_ms: 0 };
        while !server.is_ready().await {
            if began.elapsed() > Duration::from_secs(30) || server.child.try_wait()?.is_some() {
                bail!("the server did not become ready");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.ready_ms = began.elapsed().as_millis();
        Ok(server)
    }

    async fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else { return false };
        let request = b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        stream.write_all(request).await.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && answer.starts_with("HTTP/1.1 200")
    }

    pub(crate) fn memory_mb(&self) -> Result<u64> {
        memory_mb(self.child.id(), "VmRSS:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `VmRSS:` now, `VmHWM:` at most.
pub(crate) fn memory_mb(process: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(field)).context("no memory figure")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1_024)
}
