//! The certificate that a client showed where TLS ended, as the ingress hands it on in a header.
//!
//! | header | holds |
//! |---|---|
//! | `X-Forwarded-Client-Cert` | what Envoy writes: `Hash=…;Cert="…"`, of one client |
//! | any other | the certificate: in base64 between colons (RFC 9440), or as PEM or bare base64, percent-encoded or not |

use super::binding::Thumbprint;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// Of a certificate in a header: more than any proxy lets through.
const BYTES_MAX: usize = 32 * 1_024;

/// Of the only certificate there is; what cannot be read is none.
pub fn thumbprint(header: &str, values: &[&str]) -> Option<Thumbprint> {
    let [value] = values else { return None };
    let value = value.trim();
    if value.len() > BYTES_MAX {
        return None;
    }
    if header == "x-forwarded-client-cert" {
        return forwarded(value);
    }
    let bare = value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).unwrap_or(value);
    of_text(bare)
}

/// One element, of which the certificate says more than its hash.
fn forwarded(value: &str) -> Option<Thumbprint> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let mut fields = vec![String::new()];
    for character in value.chars() {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' && is_quoted {
            is_escaped = true;
            continue;
        } else if character == '"' {
            is_quoted = !is_quoted;
            continue;
        } else if character == ',' && !is_quoted {
            // Several proxies, or somebody who pretends to be one: it cannot be told whose certificate is whose.
            return None;
        } else if character == ';' && !is_quoted {
            fields.push(String::new());
            continue;
        }
        fields.last_mut()?.push(character);
    }
    let find = |name: &str| {
        let mut found = fields.iter().filter_map(|field| {
            let (key, value) = field.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value)
        });
        found.next().filter(|_| found.next().is_none())
    };
    match find("cert") {
        Some(text) => of_text(text),
        None => hexadecimal(find("hash")?),
    }
}

/// PEM or base64, percent-encoded or not.
fn of_text(text: &str) -> Option<Thumbprint> {
    let text = decoded(text)?;
    let body = match text.trim().strip_prefix("-----BEGIN CERTIFICATE-----") {
        None => text.as_str(),
        // What comes after the first one is its chain.
        Some(rest) => rest.split_once("-----END CERTIFICATE-----")?.0,
    };
    let body: String = body.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).ok()?;
    // A SEQUENCE, as every certificate is.
    (der.first() == Some(&0x30)).then(|| Sha256::digest(&der).into())
}

/// A `+` is itself: it belongs to base64.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let byte = u8::from_str_radix(part.get(..2)?, 16).ok().filter(u8::is_ascii)?;
        out.push(char::from(byte));
        out.push_str(part.get(2..)?);
    }
    Some(out)
}

fn hexadecimal(text: &str) -> Option<Thumbprint> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..32).map(byte).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::thumbprint;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    const ENVOY: &str = "x-forwarded-client-cert";

    #[test]
    fn pop_02_a_certificate_is_read_from_what_ingresses_write() {
        let key = rcgen::generate_simple_self_signed(vec!["ehr.test".to_owned()]).unwrap();
        let der = key.cert.der().to_vec();
        let expected: [u8; 32] = Sha256::digest(&der).into();
        let hash: String = expected.iter().map(|byte| format!("{byte:02X}")).collect();
        let pem = key.cert.pem();
        let base64 = STANDARD.encode(&der);
        let escape = |text: &str| {
            let escaped = text.bytes().map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            });
            escaped.collect::<String>()
        };
        for (header, value) in [
            ("x-ssl-client-cert", escape(&pem)),
            ("x-ssl-client-cert", pem.replace('\n', " ")),
            ("ssl-client-cert", base64.clone()),
            ("client-cert", format!(":{base64}:")),
            (ENVOY, format!("Hash={hash}")),
            (ENVOY, format!("By=spiffe://a;Hash={};Subject=\"CN=a,O=b;c\"", hash.to_lowercase())),
            (ENVOY, format!("Hash={};Cert=\"{}\"", "0".repeat(64), escape(&pem))),
        ] {
            assert_eq!(thumbprint(header, &[&value]), Some(expected), "{header}: {value}");
        }
        for (header, value) in [
            (ENVOY, format!("Hash={hash},Hash={hash}")),
            (ENVOY, format!("Hash={hash};Hash={hash}")),
            (ENVOY, format!("Hash={hash}0")),
            (ENVOY, "Subject=\"CN=a\"".to_owned()),
            (ENVOY, String::new()),
            ("client-cert", "%zz".to_owned()),
            ("client-cert", "AAAA".to_owned()),
            ("client-cert", "-----BEGIN CERTIFICATE-----".to_owned()),
            ("client-cert", "A".repeat(40_000)),
        ] {
            assert_eq!(thumbprint(header, &[&value]), None, "{header}: {value}");
        }
        assert_eq!(thumbprint("client-cert", &[&base64, &base64]), None, "two headers");
        assert_eq!(thumbprint("client-cert", &[]), None);
    }
}
