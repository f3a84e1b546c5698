//! Asks registered issuers for their keys and about their tokens, and nobody else: bounded, without redirects, without a proxy of the environment.

use super::keys::KeySet;
use crate::settings;
use fhir::json::{self, Limits};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Url};
use serde_json::Value;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);
const BYTES_MAX: usize = 256 * 1_024;
const LIMITS: Limits = Limits { depth_max: 16, nodes_max: 10_000 };

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("BUND_IDENTITY_CA_FILE: {0}")]
    Certificates(String),
    #[error("TLS cannot be used: {0}")]
    Tls(String),
    #[error("`{0}` is no address to fetch keys from: {1}")]
    Address(String, &'static str),
    #[error("no answer: {0}")]
    NoAnswer(String),
    #[error("the answer is {0}, not 200")]
    Status(u16),
    #[error("the answer is larger than {BYTES_MAX} bytes")]
    TooLarge,
    #[error("discovery: {0}")]
    Discovery(&'static str),
    #[error(
        "discovery: it is of the issuer `{0}`; register that one, byte by byte, or correct what the issuer calls itself"
    )]
    OtherIssuer(String),
    #[error("introspection: the answer is not JSON")]
    Introspection,
    #[error("the key set is not valid: {0}")]
    Keys(String),
}

#[derive(Debug)]
pub(super) struct Fetch {
    client: Client,
    allow_http_loopback: bool,
}

impl Fetch {
    pub(super) fn new(settings: &settings::Identity) -> Result<Fetch, Error> {
        let extra = match &settings.ca_file {
            None => Vec::new(),
            Some(path) => certificates(path)?,
        };
        let builder = || {
            Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .timeout(TIMEOUT)
                .https_only(!settings.allow_http_loopback)
                // Fetches are rare: a connection kept would be dead by the next one.
                .pool_max_idle_per_host(0)
        };
        let has_extra = !extra.is_empty();
        let client = match builder().tls_certs_merge(extra).build() {
            Ok(client) => client,
            Err(error) if has_extra => return Err(Error::Tls(chain(&error))),
            Err(error) => {
                // A machine without any certificates serves all the same; issuers that need one are then away.
                tracing::warn!(
                    error = chain(&error),
                    "no certificates: install those of the machine, or set BUND_IDENTITY_CA_FILE"
                );
                let bare = builder().tls_certs_only(Vec::new()).build();
                bare.map_err(|error| Error::Tls(chain(&error)))?
            }
        };
        Ok(Fetch { client, allow_http_loopback: settings.allow_http_loopback })
    }

    /// Only ever called for an issuer that is registered.
    pub(super) async fn keys(&self, iss: &str, jwks_uri: Option<&str>) -> Result<KeySet, Error> {
        let address = match jwks_uri {
            Some(uri) => address(uri, self.allow_http_loopback)?,
            None => self.discover(iss).await?,
        };
        KeySet::read(&self.get(address).await?).map_err(Error::Keys)
    }

    /// OpenID Connect Discovery, section 4.
    async fn discover(&self, iss: &str) -> Result<Url, Error> {
        let own = address(iss, self.allow_http_loopback)?;
        let document = self.document(iss).await?;
        let uri = document.get("jwks_uri").and_then(Value::as_str);
        let uri = uri.ok_or(Error::Discovery("it has no jwks_uri"))?;
        let found = address(uri, self.allow_http_loopback)?;
        // Whoever registered the issuer named its host; any other host has to be named as well.
        if found.origin() != own.origin() {
            return Err(Error::Discovery(
                "its keys are on another host: register it with a jwks_uri",
            ));
        }
        Ok(found)
    }

    /// What a registered issuer says of itself.
    pub(super) async fn document(&self, iss: &str) -> Result<Value, Error> {
        let place = format!("{}/.well-known/openid-configuration", iss.trim_end_matches('/'));
        let bytes = self.get(address(&place, self.allow_http_loopback)?).await?;
        let document =
            json::parse(&bytes, &LIMITS).map_err(|_| Error::Discovery("it is not JSON"))?;
        let named = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if named != iss {
            return Err(Error::OtherIssuer(named.chars().take(255).collect()));
        }
        Ok(document)
    }

    /// What a registered issuer says of a token (RFC 7662, section 2); the client is named as RFC 6749, section 2.3.1, has it.
    pub(super) async fn introspect(
        &self,
        uri: &str,
        client: &str,
        secret: &str,
        token: &str,
    ) -> Result<Value, Error> {
        let form = [("token", token), ("token_type_hint", "access_token")];
        let request = self
            .client
            .post(address(uri, self.allow_http_loopback)?)
            .basic_auth(encoded(client), Some(encoded(secret)))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.map(|(name, value)| format!("{name}={}", encoded(value))).join("&"));
        let bytes = self.answered(request).await?;
        json::parse(&bytes, &LIMITS).map_err(|_| Error::Introspection)
    }

    async fn get(&self, address: Url) -> Result<Vec<u8>, Error> {
        self.answered(self.client.get(address)).await
    }

    async fn answered(&self, request: RequestBuilder) -> Result<Vec<u8>, Error> {
        let failure = |error: reqwest::Error| Error::NoAnswer(chain(&error));
        let mut response = request.send().await.map_err(failure)?;
        if response.status().as_u16() != 200 {
            return Err(Error::Status(response.status().as_u16()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failure)? {
            if bytes.len() + chunk.len() > BYTES_MAX {
                return Err(Error::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, Error> {
    let failure = |reason: String| {
        Error::Certificates(format!("{} cannot be used: {reason}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|error| failure(error.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| failure(chain(&error)))?;
    if found.is_empty() {
        return Err(failure("it has no certificate in PEM".to_owned()));
    }
    Ok(found)
}

/// As a form has it.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// With what caused it: reqwest alone says only that something failed.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// https, or http to this machine where that is allowed; no credentials, no fragment.
pub(super) fn address(text: &str, allow_http_loopback: bool) -> Result<Url, Error> {
    let refuse = |reason| Error::Address(text.to_owned(), reason);
    let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(refuse("it has credentials or a fragment"));
    }
    let host = url.host_str().unwrap_or_default();
    let is_loopback = host
        .trim_matches(['[', ']'])
        .parse::<IpAddr>()
        .map_or(host == "localhost", |address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http_loopback && is_loopback => Ok(url),
        "http" if is_loopback => {
            Err(refuse("http to this machine needs BUND_IDENTITY_ALLOW_HTTP_LOOPBACK"))
        }
        _ => Err(refuse("it does not begin with https://")),
    }
}
