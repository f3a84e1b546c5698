//! How tokens are verified. Who the issuers are is data (`bund issuer`).

use super::network::Networks;
use super::source::{Error, Source};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Whether keys may come over http from a loopback address: for tests and demonstrations.
    pub allow_http_loopback: bool,
    /// Certificates in PEM that are trusted beside those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Who may say what a client showed when TLS ended: the ingress.
    pub trusted_proxies: Networks,
    /// The header in which they say which certificate it was; in lower case.
    pub certificate_header: Option<String>,
    /// The folder of the secrets that issuers know us by, a file each.
    pub secrets_dir: Option<PathBuf>,
    pub approval: Approval,
}

/// How many people it takes to register an issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// For a site with one administrator, and for demonstrations.
    One,
    #[default]
    Two,
}

impl FromStr for Approval {
    type Err = String;

    fn from_str(text: &str) -> Result<Approval, String> {
        match text {
            "1" => Ok(Approval::One),
            "2" => Ok(Approval::Two),
            _ => Err(format!("`{text}` is neither 1 nor 2")),
        }
    }
}

pub(super) fn read(source: &Source) -> Result<Identity, Error> {
    let trusted_proxies: Networks = source.get("BUND_TRUSTED_PROXIES")?;
    let header: Option<String> = source.find("BUND_CLIENT_CERTIFICATE_HEADER")?;
    if let Some(name) = &header {
        let refuse = |reason: &str| Error::Value {
            variable: "BUND_CLIENT_CERTIFICATE_HEADER",
            reason: reason.to_owned(),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_name) {
            return Err(refuse("a header's name is 1 to 64 letters, digits and `-`"));
        }
        if trusted_proxies.is_empty() {
            let reason =
                "anybody could send this header: name those who may in BUND_TRUSTED_PROXIES";
            return Err(refuse(reason));
        }
    }
    Ok(Identity {
        allow_http_loopback: source.get("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK")?,
        ca_file: source.find("BUND_IDENTITY_CA_FILE")?,
        trusted_proxies,
        certificate_header: header.map(|name| name.to_ascii_lowercase()),
        secrets_dir: source.find("BUND_SECRETS_DIR")?,
        approval: source.get("BUND_REGISTRY_APPROVERS")?,
    })
}
