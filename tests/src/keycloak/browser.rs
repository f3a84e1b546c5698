//! A person in front of a browser: follows the login by its forms, keeps cookies, and shows what a token says.

use super::shared::{City, Login};
use crate::harness::base64url;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Response, Url};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct Browser {
    client: Client,
    /// By where they are for and how they are called: each realm has its own of the same names.
    cookies: Mutex<BTreeMap<(String, String), String>>,
}

/// A page, or where one is sent.
#[derive(Debug)]
pub(crate) enum Page {
    Form { action: String, text: String },
    Away(Url),
    Refused(u16, String),
}

/// What an app asks for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) client: &'a str,
    pub(crate) redirect: &'a str,
    pub(crate) scope: &'a str,
    pub(crate) acr: Option<&'a str>,
    pub(crate) hint: Option<&'a str>,
}

/// More forms than any login has.
const STEPS_MAX: usize = 10;

const VERIFIER: &str = "a-verifier-of-one-login-that-nobody-else-knows-1";

impl Browser {
    pub(crate) fn new() -> Browser {
        let policy = reqwest::redirect::Policy::none();
        let client = Client::builder().no_proxy().redirect(policy).build().unwrap();
        Browser { client, cookies: Mutex::default() }
    }

    pub(crate) async fn open(&self, address: &str, form: Option<&[(&str, &str)]>) -> Page {
        let path = Url::parse(address).unwrap().path().to_owned();
        let jar = self.cookies.lock().unwrap().clone();
        let sent = jar.iter().filter(|((place, _), _)| path.starts_with(place.as_str()));
        let cookies: Vec<String> =
            sent.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = match form {
            None => self.client.get(address),
            Some(fields) => self
                .client
                .post(address)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded(fields)),
        };
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        self.keep(&answer);
        let status = answer.status().as_u16();
        if let Some(to) = answer.headers().get("location") {
            return Page::Away(Url::parse(address).unwrap().join(to.to_str().unwrap()).unwrap());
        }
        let text = answer.text().await.unwrap();
        let action = text.split("action=\"").nth(1).and_then(|rest| rest.split('"').next());
        match action.filter(|_| status == 200) {
            Some(action) => Page::Form { action: action.replace("&amp;", "&"), text },
            None => Page::Refused(status, text),
        }
    }

    fn keep(&self, answer: &Response) {
        let mut jar = self.cookies.lock().unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let mut parts = cookie.to_str().unwrap().split(';').map(str::trim);
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let place = parts.find_map(|part| part.strip_prefix("Path=")).unwrap_or("/");
            let key = (place.to_owned(), name.to_owned());
            if value.is_empty() {
                jar.remove(&key);
            } else {
                jar.insert(key, value.to_owned());
            }
        }
    }

    /// The address that the login ends at: with a code, or with an error.
    pub(crate) async fn log_in(
        &self,
        city: &City,
        asked: Asked<'_>,
        login: &Login,
    ) -> Result<Url, String> {
        let mut page = self.open(&authorization(city, asked), None).await;
        let mut shown = Vec::new();
        for _ in 0..STEPS_MAX {
            page = match page {
                Page::Away(to) if to.as_str().starts_with(asked.redirect) => return Ok(to),
                Page::Away(to) => self.open(to.as_str(), None).await,
                Page::Refused(status, text) => return Err(format!("{status} {text}")),
                Page::Form { action, text } => {
                    let asks_code = text.contains("name=\"otp\"");
                    if shown.contains(&asks_code) {
                        return Err("what was entered is wrong".to_owned());
                    }
                    shown.push(asks_code);
                    let code = one_time_code(&login.secret);
                    let fields = match asks_code {
                        true => vec![("otp", code.as_str())],
                        false => vec![
                            ("username", login.name.as_str()),
                            ("password", login.password.as_str()),
                        ],
                    };
                    self.open(&action, Some(&fields)).await
                }
            };
        }
        Err("the login has no end".to_owned())
    }

    /// The answer of the token endpoint.
    pub(crate) async fn tokens(
        &self,
        city: &City,
        asked: Asked<'_>,
        login: &Login,
    ) -> Result<Value, String> {
        let to = self.log_in(city, asked, login).await?;
        let code =
            to.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
        let code = code.ok_or_else(|| to.to_string())?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", asked.client),
            ("redirect_uri", asked.redirect),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ];
        Ok(city.ask_for_token("city", &fields).await)
    }
}

pub(crate) fn authorization(city: &City, asked: Asked<'_>) -> String {
    let challenge =
        base64url(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes()));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", asked.client),
        ("redirect_uri", asked.redirect),
        ("scope", asked.scope),
        ("state", "s"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    fields.extend(asked.acr.map(|acr| ("acr_values", acr)));
    fields.extend(asked.hint.map(|hint| ("kc_idp_hint", hint)));
    format!("{}/protocol/openid-connect/auth?{}", city.issuer("city"), encoded(&fields))
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://x").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// RFC 6238, as an app on a telephone shows it.
pub(crate) fn one_time_code(secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let tag = hmac::sign(&key, &(now / 30).to_be_bytes());
    let bytes = tag.as_ref();
    let at = usize::from(bytes[bytes.len() - 1] & 15);
    let number = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Header and claims.
pub(crate) fn read(token: &str) -> (Value, Value) {
    let part = |text: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap_or(json!(null))
    };
    let mut parts = token.split('.');
    (part(parts.next().unwrap()), part(parts.next().unwrap()))
}
