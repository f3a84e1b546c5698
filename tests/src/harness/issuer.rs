//! An issuer of tokens: keys of its own, its discovery document and key set on a loopback port.
//!
//! The tests of `server/src/identity` use this file too.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RSA_PSS_SHA384, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Issuer {
    pub(crate) iss: String,
    pub(crate) key: SigningKey,
    shared: Arc<Mutex<Shared>>,
    task: tokio::task::JoinHandle<()>,
}

/// How it answers whoever asks for its keys.
#[derive(Clone, Debug)]
pub(crate) enum Serving {
    Normal,
    /// Hangs up without an answer.
    Down,
    /// Never answers.
    Silent,
    Redirect(String),
    /// These bytes as the key set.
    Bytes(Vec<u8>),
    /// A discovery document with these members instead of its own.
    Discovery(Value),
}

struct Shared {
    serving: Serving,
    keys: Vec<Value>,
    discoveries: u32,
    fetches: u32,
    introspections: u32,
    /// What it says of tokens, by the form that asks.
    said: HashMap<String, Value>,
    /// The only header that it lets ask.
    authorization: String,
}

impl Issuer {
    /// With one key, `k1`, for ES256.
    pub(crate) async fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let iss = format!("http://{}/realms/city", listener.local_addr().unwrap());
        let key = SigningKey::new("k1", "ES256");
        let shared = Arc::new(Mutex::new(Shared {
            serving: Serving::Normal,
            keys: vec![key.jwk()],
            discoveries: 0,
            fetches: 0,
            introspections: 0,
            said: HashMap::new(),
            authorization: String::new(),
        }));
        let (address, seen) = (iss.clone(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, address.clone(), Arc::clone(&seen)));
            }
        });
        Issuer { iss, key, shared, task }
    }

    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}/certs", self.iss)
    }

    /// A token with these claims, as its key signs it.
    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.key.mint(claims)
    }

    /// All that a token of a doctor needs.
    pub(crate) fn claims(&self, audience: &str, hospital: &str) -> Value {
        let now = now();
        json!({
            "iss": self.iss,
            "sub": "b3ca1045",
            "aud": [audience],
            "client_id": "ehr",
            "exp": now + 300,
            "iat": now,
            "jti": format!("{:x}", now),
            "scope": "openid user/*.cruds",
            "extensions": { "ihe_iua": {
                "subject_name": "王医生",
                "subject_organization_id": hospital,
                "subject_role": [{ "system": "http://terminology.hl7.org/CodeSystem/practitioner-role", "code": "doctor" }],
                "purpose_of_use": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT" }],
            } },
        })
    }

    pub(crate) fn publish(&self, keys: Vec<Value>) {
        self.shared.lock().unwrap().keys = keys;
    }

    pub(crate) fn serve(&self, serving: Serving) {
        self.shared.lock().unwrap().serving = serving;
    }

    /// How often its key set was asked for.
    pub(crate) fn fetches(&self) -> u32 {
        self.shared.lock().unwrap().fetches
    }

    /// From now on it says this of the token.
    pub(crate) fn say(&self, token: &str, answer: Value) {
        let form = format!("token={token}&token_type_hint=access_token");
        self.shared.lock().unwrap().said.insert(form, answer);
    }

    /// Who may ask about tokens, as a form has both.
    pub(crate) fn expect_client(&self, id: &str, secret: &str) {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        self.shared.lock().unwrap().authorization = authorization;
    }

    /// How often it was asked about tokens.
    pub(crate) fn introspections(&self) -> u32 {
        self.shared.lock().unwrap().introspections
    }

    /// How often anything was asked for.
    pub(crate) fn requests(&self) -> u32 {
        let shared = self.shared.lock().unwrap();
        shared.fetches + shared.discoveries
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, iss: String, shared: Arc<Mutex<Shared>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if !matches!(stream.read(&mut byte).await, Ok(1)) {
            return;
        }
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let is_discovery = request.contains("/.well-known/");
    let header = |name: &str| {
        let mut lines = request.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let mut form = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    if stream.read_exact(&mut form).await.is_err() {
        return;
    }
    let (serving, keys) = {
        let mut shared = shared.lock().unwrap();
        if request.starts_with("POST ") {
            shared.introspections += 1;
            let is_known = header("authorization") == Some(&shared.authorization);
            let said = shared.said.get(std::str::from_utf8(&form).unwrap());
            let said = said.cloned().unwrap_or_else(|| json!({ "active": false }));
            let refused = Serving::Redirect("a form to log in".to_owned());
            let is_normal = matches!(shared.serving, Serving::Normal);
            (if is_normal && !is_known { refused } else { shared.serving.clone() }, said)
        } else {
            *(if is_discovery { &mut shared.discoveries } else { &mut shared.fetches }) += 1;
            (shared.serving.clone(), json!({ "keys": shared.keys }))
        }
    };
    let mut discovery = json!({ "issuer": iss, "jwks_uri": format!("{iss}/certs") });
    let (head, body) = match serving {
        Serving::Down => return,
        Serving::Silent => std::future::pending().await,
        Serving::Redirect(to) => (format!("HTTP/1.1 302 Found\r\nlocation: {to}"), Vec::new()),
        Serving::Bytes(bytes) if !is_discovery => ("HTTP/1.1 200 OK".to_owned(), bytes),
        Serving::Discovery(members) if is_discovery => {
            for (name, value) in members.as_object().unwrap() {
                discovery[name] = value.clone();
            }
            ("HTTP/1.1 200 OK".to_owned(), discovery.to_string().into_bytes())
        }
        Serving::Normal | Serving::Bytes(_) | Serving::Discovery(_) => {
            let document = if is_discovery { discovery } else { keys };
            ("HTTP/1.1 200 OK".to_owned(), document.to_string().into_bytes())
        }
    };
    let head = format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Whoever asked may have had enough.
    let _ = stream.write_all(&[head.into_bytes(), body].concat()).await;
}

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Curve(EcdsaKeyPair),
    Edwards(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    pub(crate) fn new(kid: &str, algorithm: &'static str) -> SigningKey {
        let pair = match algorithm {
            "ES256" => {
                Pair::Curve(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            "ES384" => {
                Pair::Curve(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            "EdDSA" => Pair::Edwards(Ed25519KeyPair::generate().unwrap()),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        SigningKey { kid: kid.to_owned(), algorithm, pair }
    }

    /// The same key for another algorithm.
    pub(crate) fn with_algorithm(mut self, algorithm: &'static str) -> SigningKey {
        self.algorithm = algorithm;
        self
    }

    /// The public half.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Curve(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() / 2);
                let curve = if point.len() == 65 { "P-256" } else { "P-384" };
                json!({ "kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y) })
            }
            Pair::Edwards(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key()) })
            }
            Pair::Rsa(pair) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": base64url(parts.n), "e": base64url(parts.e) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": self.algorithm, "kid": self.kid })
    }

    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.mint_with(&self.header(), claims)
    }

    pub(crate) fn mint_with(&self, header: &Value, claims: &Value) -> String {
        self.mint_text(header.to_string(), claims.to_string())
    }

    /// Of any text at all.
    pub(crate) fn mint_text(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", base64url(header), base64url(payload));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Curve(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Edwards(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding: &dyn aws_lc_rs::signature::RsaEncoding = match self.algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "PS256" => &RSA_PSS_SHA256,
                    _ => &RSA_PSS_SHA384,
                };
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}
