//! What a token is bound to: whoever shows it alone has shown nothing (RFC 7800; RFC 8705 section 3; RFC 9449 section 6).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// SHA-256 of a key (RFC 7638), or of a certificate.
pub(super) type Thumbprint = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// Of the key that proofs are signed with.
    pub(super) key: Option<Thumbprint>,
    /// Of the certificate that the client shows in TLS.
    pub(super) certificate: Option<Thumbprint>,
}

impl Binding {
    /// None of a token that is not bound. A way of binding that we do not know binds nevertheless: such a token is refused.
    pub(super) fn read(claims: &Value) -> Result<Option<Binding>, &'static str> {
        let Some(claim) = claims.get("cnf") else { return Ok(None) };
        let members = claim.as_object().ok_or("malformed binding")?;
        if members.is_empty() {
            return Err("malformed binding");
        }
        let mut binding = Binding { key: None, certificate: None };
        for (name, value) in members {
            let place = match name.as_str() {
                "jkt" => &mut binding.key,
                "x5t#S256" => &mut binding.certificate,
                _ => return Err("unknown binding"),
            };
            *place = Some(thumbprint(value).ok_or("malformed binding")?);
        }
        Ok(Some(binding))
    }
}

fn thumbprint(value: &Value) -> Option<Thumbprint> {
    URL_SAFE_NO_PAD.decode(value.as_str()?).ok()?.try_into().ok()
}
