//! How the keys of issuers are fetched. Who the issuers are is data (`bund issuer`).

use super::source::{Error, Source};
use std::path::PathBuf;

#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Whether keys may come over http from a loopback address: for tests and demonstrations.
    pub allow_http_loopback: bool,
    /// Certificates in PEM that are trusted beside those of the machine.
    pub ca_file: Option<PathBuf>,
}

pub(super) fn read(source: &Source) -> Result<Identity, Error> {
    Ok(Identity {
        allow_http_loopback: source.get("BUND_IDENTITY_ALLOW_HTTP_LOOPBACK")?,
        ca_file: source.find("BUND_IDENTITY_CA_FILE")?,
    })
}
