//! The registry as verification needs it: one look-up an issuer, a client, a hospital.

use super::clock::Clock;
use super::fetch::Fetch;
use super::introspection::Introspector;
use super::keys::algorithm;
use super::supply::Supply;
use jsonwebtoken::Algorithm;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use store::registry::{Client, Hospital, Issuer, Registry};

pub(super) const LEVELS: [&str; 3] = ["patient", "user", "system"];

/// What is registered, until something changes.
pub(super) struct Known {
    /// Rises with each change.
    pub(super) number: u64,
    pub(super) registry: Registry,
    issuers: HashMap<String, Arc<Trusted>>,
    /// Whom to ask about tokens that nobody else can read.
    pub(super) opaque: Asked,
    /// By code and by identifier; a name of two hospitals names neither.
    hospitals: HashMap<String, Option<Hospital>>,
}

/// A token that cannot be read does not say whose it is: one issuer may be asked, or none.
pub(super) enum Asked {
    Nobody,
    One(Arc<Trusted>),
    Several,
}

/// An issuer that is enabled.
pub(super) struct Trusted {
    pub(super) issuer: Issuer,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) audience: Vec<String>,
    /// Empty when the issuer vouches for its clients itself.
    clients: HashMap<String, Client>,
    pub(super) supply: Arc<Supply>,
    pub(super) introspector: Option<Arc<Introspector>>,
}

impl Known {
    /// `before` keeps its keys for issuers whose keys are found as they were.
    pub(super) fn new(
        registry: Registry,
        before: Option<&Known>,
        base: &str,
        secrets: Option<&Path>,
        fetch: &Arc<Fetch>,
        clock: &Arc<Clock>,
    ) -> Known {
        let mut clients: HashMap<&str, HashMap<String, Client>> = HashMap::new();
        for client in &registry.clients {
            let of_issuer = clients.entry(client.iss.as_str()).or_default();
            of_issuer.insert(client.client_id.clone(), client.clone());
        }
        let mut issuers = HashMap::new();
        for issuer in registry.issuers.iter().filter(|issuer| issuer.is_enabled) {
            let same = before.and_then(|before| before.issuer(&issuer.iss));
            let kept = same
                .map(|trusted| Arc::clone(&trusted.supply))
                .filter(|supply| supply.jwks_uri == issuer.jwks_uri);
            let supply = kept.unwrap_or_else(|| {
                Arc::new(Supply::new(&issuer.iss, issuer.jwks_uri.as_deref(), fetch, clock))
            });
            let introspector = issuer.introspection.as_ref().map(|asked| {
                let kept = same.and_then(|trusted| trusted.introspector.clone());
                kept.filter(|kept| kept.asked == *asked).unwrap_or_else(|| {
                    let folder = secrets.map(Path::to_path_buf);
                    Arc::new(Introspector::new(&issuer.iss, asked, folder, fetch, clock))
                })
            });
            let audience = match issuer.audience.as_slice() {
                [] => vec![base.to_owned()],
                own => own.to_vec(),
            };
            let trusted = Trusted {
                issuer: issuer.clone(),
                algorithms: issuer.algorithms.iter().filter_map(|name| algorithm(name)).collect(),
                audience,
                clients: clients.remove(issuer.iss.as_str()).unwrap_or_default(),
                supply,
                introspector,
            };
            issuers.insert(issuer.iss.clone(), Arc::new(trusted));
        }
        let mut hospitals: HashMap<String, Option<Hospital>> = HashMap::new();
        for hospital in &registry.hospitals {
            let names = [Some(&hospital.code), hospital.identifier.as_ref()];
            for name in names.into_iter().flatten() {
                hospitals
                    .entry(name.clone())
                    .and_modify(|other| {
                        // A hospital whose identifier is its own code has one name.
                        if other.as_ref().is_some_and(|other| other.id != hospital.id) {
                            *other = None;
                        }
                    })
                    .or_insert_with(|| Some(hospital.clone()));
            }
        }
        let mut opaque = Asked::Nobody;
        for trusted in issuers.values().filter(|trusted| trusted.introspector.is_some()) {
            opaque = match opaque {
                Asked::Nobody => Asked::One(Arc::clone(trusted)),
                Asked::One(_) | Asked::Several => Asked::Several,
            };
        }
        let number = before.map_or(0, |before| before.number + 1);
        Known { number, registry, issuers, opaque, hospitals }
    }

    /// Byte by byte.
    pub(super) fn issuer(&self, iss: &str) -> Option<&Arc<Trusted>> {
        self.issuers.get(iss)
    }

    /// Those that are enabled.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &Arc<Trusted>> {
        self.issuers.values()
    }

    pub(super) fn hospital(&self, name: &str) -> Option<&Hospital> {
        self.hospitals.get(name)?.as_ref()
    }

    pub(super) fn hospital_numbered(&self, id: i32) -> Option<&Hospital> {
        self.registry.hospitals.iter().find(|hospital| hospital.id == id)
    }
}

impl Trusted {
    pub(super) fn speaks_for(&self, hospital: i32) -> bool {
        self.issuer.is_broker || self.issuer.hospitals.contains(&hospital)
    }

    pub(super) fn allows(&self, level: &str) -> bool {
        self.issuer.levels.iter().any(|allowed| allowed == level)
    }

    /// What is registered of a client; nothing where the issuer vouches for its clients itself.
    pub(super) fn client(&self, id: &str) -> Result<Option<&Client>, &'static str> {
        if self.clients.is_empty() {
            return Ok(None);
        }
        match self.clients.get(id) {
            Some(client) if client.is_enabled => Ok(Some(client)),
            Some(_) => Err("client disabled"),
            None => Err("unknown client"),
        }
    }
}

/// What is wrong with an issuer that somebody wants to register.
pub fn objection(issuer: &Issuer, allow_http_loopback: bool) -> Option<String> {
    let asked = issuer.introspection.as_ref();
    let addresses = std::iter::once(&issuer.iss).chain(&issuer.jwks_uri);
    for address in addresses.chain(asked.map(|asked| &asked.uri)) {
        if let Err(error) = super::fetch::address(address, allow_http_loopback) {
            return Some(error.to_string());
        }
    }
    if issuer.iss.contains('?') {
        return Some(format!("`{}`: an issuer has no query", issuer.iss));
    }
    if asked.is_some_and(|asked| !(1..=255).contains(&asked.client.len())) {
        return Some("the client that asks about tokens has an id of 1 to 255 bytes".to_owned());
    }
    let is_file = |name: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        (1..=64).contains(&name.len()) && name.bytes().all(is_plain) && !name.starts_with('.')
    };
    if let Some(asked) = asked.filter(|asked| !is_file(&asked.secret)) {
        return Some(format!(
            "`{}` is no name of a file in BUND_SECRETS_DIR: 1 to 64 letters, digits, `-`, `.`, `_`",
            asked.secret
        ));
    }
    if issuer.algorithms.is_empty() || issuer.levels.is_empty() {
        return Some("an issuer needs one algorithm and one level at least".to_owned());
    }
    let known = super::keys::ALGORITHMS.map(|(name, _)| name);
    if let Some(other) = issuer.algorithms.iter().find(|name| algorithm(name).is_none()) {
        let known = known.join(", ");
        return Some(format!("`{other}` is no algorithm that tokens may be signed with: {known}"));
    }
    let is_level = |level: &&String| LEVELS.contains(&level.as_str());
    if let Some(other) = issuer.levels.iter().find(|level| !is_level(level)) {
        return Some(format!("`{other}` is no level of scopes: {}", LEVELS.join(", ")));
    }
    if !(60..=86_400).contains(&issuer.max_lifetime) {
        return Some("the longest life of a token is from 60 to 86400 seconds".to_owned());
    }
    if !issuer.organisation_claim.starts_with('/') {
        let claim = &issuer.organisation_claim;
        return Some(format!(
            "`{claim}` is no JSON Pointer to a claim; it begins with `/`, as in /organisation"
        ));
    }
    None
}
