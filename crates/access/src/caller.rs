//! Who is asking.

use crate::purpose::Purposes;
use crate::scope::Scope;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// A hospital's number in the registry: the custodian of what its callers write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HospitalId(pub i32);

#[derive(Clone, Debug)]
pub struct Caller {
    pub(crate) rights: Rights,
    agent: Arc<Agent>,
}

#[derive(Clone, Debug)]
pub(crate) enum Rights {
    /// Whoever reaches a server that was started with `--insecure-no-auth`.
    Local(HospitalId),
    Token(Arc<Token>),
}

/// What a verified token lets its bearer do.
#[derive(Clone, Debug, Default)]
pub struct Token {
    /// The hospital it speaks for; patients and those who run the city's server speak for none.
    pub hospital: Option<Hospital>,
    pub scopes: Vec<Scope>,
    /// The patient in context, as an id.
    pub patient: Option<String>,
    pub roles: Vec<Role>,
    /// How surely the person is the one it says: 2 with a second factor (`acr`).
    pub assurance: u8,
    pub purposes: Purposes,
    /// What holds for patients of whom no consent is on file.
    pub policy: Policy,
    /// Numbers of hospitals that no longer take part.
    pub withdrawn: Vec<i32>,
    /// Ids of patients whose record was opened to this person by breaking the glass.
    pub opened: Vec<String>,
    /// Whether the patient is taken to be in the hospital's care: in what a patient is shown of it, never in a token.
    pub is_treating: bool,
    /// When the request came, in microseconds since 1970.
    pub now_micros: i64,
}

/// What holds without a consent (IHE PCF, implicit policies).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Those who treat the patient see what is not sensitive.
    #[default]
    BasicNormal,
    /// Whoever has a purpose sees what is not sensitive.
    AllNormal,
    /// Nobody, but who breaks the glass.
    BreakGlassOnly,
    Deny,
}

#[derive(Clone, Debug)]
pub struct Hospital {
    pub id: HospitalId,
    /// What ids begin with that its callers choose.
    pub prefix: String,
}

/// Duties beside care; no token has two of the first three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Runs the server: reindexes, explains, measures; sees no record.
    Operator,
    /// Reads the audit trail and nothing else.
    Auditor,
    /// Keeps the registry of issuers, clients and hospitals.
    SecurityAdministrator,
    /// May break the glass.
    Emergency,
}

impl Role {
    /// The code as tokens have it.
    pub fn parse(code: &str) -> Option<Role> {
        Some(match code {
            "operator" => Role::Operator,
            "auditor" => Role::Auditor,
            "security-administrator" => Role::SecurityAdministrator,
            "btg-authorised" => Role::Emergency,
            _ => return None,
        })
    }
}

/// How the audit trail names the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    pub issuer: String,
    pub subject: String,
    pub client: String,
    pub name: Option<String>,
    pub token_id: Option<String>,
    /// Codes, as the token had them.
    pub roles: Vec<String>,
}

impl Agent {
    /// The same for the same agent.
    pub fn key(&self) -> i64 {
        let mut bytes = Vec::new();
        let name = self.name.as_deref().unwrap_or_default();
        let parts = [self.issuer.as_str(), &self.subject, &self.client, name];
        for part in parts.into_iter().chain(self.roles.iter().map(String::as_str)) {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        xxh3_64(&bytes).cast_signed()
    }
}

impl Caller {
    /// Whoever reaches a server that was started with `--insecure-no-auth`.
    pub fn local(hospital: HospitalId) -> Caller {
        Caller { rights: Rights::Local(hospital), agent: Arc::default() }
    }

    /// Whoever has shown no token: for what needs no right.
    pub fn nobody() -> Caller {
        Caller::of_token(Token::default(), Agent::default())
    }

    pub fn of_token(token: Token, agent: Agent) -> Caller {
        Caller { rights: Rights::Token(Arc::new(token)), agent: Arc::new(agent) }
    }

    pub fn agent(&self) -> &Arc<Agent> {
        &self.agent
    }

    pub fn hospital(&self) -> Option<HospitalId> {
        match &self.rights {
            Rights::Local(hospital) => Some(*hospital),
            Rights::Token(token) => token.hospital.as_ref().map(|hospital| hospital.id),
        }
    }

    pub fn purposes(&self) -> Purposes {
        match &self.rights {
            Rights::Local(_) => Purposes::default(),
            Rights::Token(token) => token.purposes,
        }
    }

    pub fn has_role(&self, role: Role) -> bool {
        match &self.rights {
            Rights::Local(_) => true,
            Rights::Token(token) => token.roles.contains(&role),
        }
    }
}
