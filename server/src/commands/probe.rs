//! `bund probe`: whether a server that runs elsewhere is well, for containers that have no other client of HTTP.

use super::{block_on, say};
use anyhow::{Result, bail};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use std::time::Duration;

/// What is shown of an answer that is not 200.
const REASON_BYTES_MAX: usize = 200;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// What has to answer 200, such as http://127.0.0.1:8080/readyz; over http, within the machine or the cluster.
    #[arg(required = true, value_name = "URL", num_args = 1..=16)]
    urls: Vec<String>,

    /// How long each may take.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=300_000))]
    timeout_ms: u64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    block_on(async {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            // An image without certificates has none to load.
            .tls_certs_only(Vec::new())
            .timeout(Duration::from_millis(arguments.timeout_ms))
            .build()?;
        let mut unwell = 0;
        for url in &arguments.urls {
            match ask(&client, url).await {
                Ok(()) => say(&format!("{url}: 200")),
                Err(reason) => {
                    unwell += 1;
                    say(&format!("{url}: {reason}"));
                }
            }
        }
        if unwell > 0 {
            bail!("{unwell} of {} did not answer 200", arguments.urls.len());
        }
        Ok(())
    })
}

async fn ask(client: &Client, url: &str) -> Result<(), String> {
    let mut response =
        client.get(url).send().await.map_err(|error| format!("no answer: {}", root(&error)))?;
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(());
    }
    let body = response.chunk().await.ok().flatten().unwrap_or_default();
    let start = body.get(..body.len().min(REASON_BYTES_MAX)).unwrap_or_default();
    let reason: String = String::from_utf8_lossy(start)
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    Err(format!("{}: {}", status.as_u16(), reason.trim()))
}

/// What is at the bottom of it: `connection refused` rather than `error sending request`.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::{Arguments, run};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    /// Answers as many requests as there are answers, and says where.
    fn server(answers: &'static [&'static str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/readyz")
    }

    fn check(urls: Vec<String>) -> Result<(), String> {
        run(&Arguments { urls, timeout_ms: 10_000 }).map_err(|error| error.to_string())
    }

    const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nready\n";
    const DRAINING: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 20\r\nconnection: close\r\n\r\nnot ready: draining\n";
    const ELSEWHERE: &str =
        "HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

    #[test]
    fn who_answers_200_is_well() {
        let url = server(&[WELL, WELL]);
        assert_eq!(check(vec![url.clone(), url]), Ok(()));
    }

    #[test]
    fn one_that_is_not_ready_is_enough_to_fail() {
        let url = server(&[WELL, DRAINING]);
        assert_eq!(check(vec![url.clone(), url]), Err("1 of 2 did not answer 200".to_owned()));
    }

    #[test]
    fn a_redirection_is_not_followed() {
        let url = server(&[ELSEWHERE]);
        assert_eq!(check(vec![url]), Err("1 of 1 did not answer 200".to_owned()));
    }

    #[test]
    fn nobody_there_is_not_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/livez", listener.local_addr().unwrap());
        drop(listener);
        assert_eq!(check(vec![url]), Err("1 of 1 did not answer 200".to_owned()));
    }
}
