//! SMART scopes, v1 and v2 (hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
//!
//! ```text
//! scope = level "/" ( Type / "*" ) "." operations [ "?" name "=" value *( "&" name "=" value ) ]
//! ```
//! Whatever is not exactly that grants nothing.

use schema::resource;
use std::fmt;

/// Whose right is delegated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What concerns the one patient in context.
    Patient,
    /// What the user may see.
    User,
    /// What the client may see, without a user.
    System,
}

/// What may be done: `c`, `r`, `u`, `d`, `s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operations(u8);

impl Operations {
    pub const CREATE: Operations = Operations(1);
    pub const READ: Operations = Operations(2);
    pub const UPDATE: Operations = Operations(4);
    pub const DELETE: Operations = Operations(8);
    pub const SEARCH: Operations = Operations(16);
    const LETTERS: [(char, Operations); 5] = [
        ('c', Operations::CREATE),
        ('r', Operations::READ),
        ('u', Operations::UPDATE),
        ('d', Operations::DELETE),
        ('s', Operations::SEARCH),
    ];

    pub fn has(self, other: Operations) -> bool {
        // Nothing asked for is nothing granted.
        other.0 != 0 && self.0 & other.0 == other.0
    }

    #[must_use]
    pub fn with(self, other: Operations) -> Operations {
        Operations(self.0 | other.0)
    }

    /// The letters in their order, each once; `read`, `write` and `*` as v1 had them.
    fn parse(text: &str) -> Option<Operations> {
        let letters = match text {
            "read" => "rs",
            "write" => "cud",
            "*" => "cruds",
            other => other,
        };
        let mut operations = Operations::default();
        let mut order = Operations::LETTERS.iter();
        for letter in letters.chars() {
            let (_, operation) = order.find(|(known, _)| *known == letter)?;
            operations = operations.with(*operation);
        }
        (operations != Operations::default()).then_some(operations)
    }
}

impl fmt::Display for Operations {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = Operations::LETTERS.iter().filter(|(_, operation)| self.has(*operation));
        own.map(|(letter, _)| *letter).collect::<String>().fmt(out)
    }
}

/// One scope that grants something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub level: Level,
    /// None is every type.
    pub resource: Option<&'static str>,
    pub operations: Operations,
    /// All of these search parameters have to hold.
    pub constraints: Vec<(String, String)>,
}

/// Search parameters of constraints, all about codes in the resource itself.
const CONSTRAINTS: [&str; 8] =
    ["category", "clinical-status", "code", "type", "status", "class", "_security", "_tag"];
const CONSTRAINTS_MAX: usize = 8;
const TEXT_BYTES_MAX: usize = 1_024;

/// Types that `*` does not mean: who may have them is said by name.
const BY_NAME_ONLY: [&str; 3] = ["AuditEvent", "Consent", "Subscription"];

impl Scope {
    pub fn parse(text: &str) -> Option<Scope> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (level, rest) = text.split_once('/')?;
        let level = match level {
            "patient" => Level::Patient,
            "user" => Level::User,
            "system" => Level::System,
            _ => return None,
        };
        let (kind, rest) = rest.split_once('.')?;
        let resource = match kind {
            "*" => None,
            name => Some(resource::find(name)?.resource),
        };
        let (operations, constraints) = match rest.split_once('?') {
            None => (rest, Vec::new()),
            Some((operations, constraints)) => (operations, constraints_of(constraints)?),
        };
        if resource.is_none() && !constraints.is_empty() {
            return None;
        }
        Some(Scope { level, resource, operations: Operations::parse(operations)?, constraints })
    }

    /// Whether it is about the type.
    pub fn is_of(&self, resource: &str) -> bool {
        match self.resource {
            Some(own) => own == resource,
            None => !BY_NAME_ONLY.contains(&resource),
        }
    }
}

fn constraints_of(text: &str) -> Option<Vec<(String, String)>> {
    let mut all = Vec::new();
    for part in text.split('&') {
        let (name, value) = part.split_once('=')?;
        let is_plain = |text: &str| text.chars().all(|letter| !letter.is_control());
        if !CONSTRAINTS.contains(&name) || value.is_empty() || !is_plain(value) {
            return None;
        }
        all.push((name.to_owned(), value.to_owned()));
    }
    (all.len() <= CONSTRAINTS_MAX).then_some(all)
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Patient => "patient",
            Level::User => "user",
            Level::System => "system",
        };
        write!(out, "{level}/{}.{}", self.resource.unwrap_or("*"), self.operations)?;
        for (index, (name, value)) in self.constraints.iter().enumerate() {
            write!(out, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// The scopes of a token that grant something; what else it has – `openid`, `launch`, a slip – grants nothing here.
pub fn parse_all(text: &str) -> Vec<Scope> {
    const SCOPES_MAX: usize = 512;
    text.split(' ').filter_map(Scope::parse).take(SCOPES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{Level, Operations, Scope, parse_all};
    use proptest::prelude::*;

    #[test]
    fn scope_01_out_of_order_or_unknown_operations_grant_nothing() {
        for text in [
            "user/Patient.dus",
            "user/Patient.rd s",
            "user/Patient.reads",
            "user/Patient.sr",
            "user/Patient.rr",
            "user/Patient.",
            "user/Patient",
            "user/Patient.rsx",
            "User/Patient.rs",
            "user/patient.rs",
            "user/Patients.rs",
            "user/Parameters.rs",
            "user//Patient.rs",
            "user/Patient.rs?",
            "user/Patient.READ",
        ] {
            assert_eq!(Scope::parse(text), None, "{text}");
        }
    }

    #[test]
    fn scope_02_the_first_version_means_what_it_did() {
        let operations = |text: &str| Scope::parse(text).unwrap().operations.to_string();
        assert_eq!(operations("patient/Observation.read"), "rs");
        assert_eq!(operations("patient/Observation.write"), "cud");
        assert_eq!(operations("patient/Observation.*"), "cruds");
        assert_eq!(operations("patient/*.cruds"), "cruds");
    }

    #[test]
    fn scope_04_what_is_not_known_grants_nothing_and_the_others_count() {
        let scopes = parse_all(
            "openid user/Nothing.rs user/Observation.rs?colour=red user/Observation.rs?category=a user/*.rs?category=a",
        );
        let texts: Vec<String> = scopes.iter().map(Scope::to_string).collect();
        assert_eq!(texts, ["user/Observation.rs?category=a"]);
    }

    #[test]
    fn scope_10_everything_is_not_what_is_named_only() {
        let all = Scope::parse("system/*.cruds").unwrap();
        assert!(all.is_of("Patient"));
        for kind in ["AuditEvent", "Consent", "Subscription"] {
            assert!(!all.is_of(kind), "{kind}");
            assert!(Scope::parse(&format!("system/{kind}.rs")).unwrap().is_of(kind));
        }
    }

    fn any_scope() -> impl Strategy<Value = String> {
        let level = prop_oneof!["patient", "user", "system"];
        let kind = prop_oneof![Just("*"), Just("Patient"), Just("Observation")];
        let operations = prop_oneof!["c?r?u?d?s?", Just("read".to_owned()), Just("*".to_owned())];
        let rest = prop_oneof![Just(String::new()), Just("?category=a|b".to_owned())];
        (level, kind, operations, rest).prop_map(|(level, kind, operations, rest)| {
            format!("{level}/{kind}.{operations}{rest}")
        })
    }

    proptest! {
        #[test]
        fn scope_12_what_is_printed_is_parsed_again(text in any_scope()) {
            if let Some(scope) = Scope::parse(&text) {
                prop_assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
            }
        }

        #[test]
        fn scope_12_nothing_makes_it_fail(text in "\\PC{0,80}") {
            let _ = Scope::parse(&text);
            let _ = parse_all(&text);
        }

        #[test]
        fn scope_12_another_scope_takes_nothing_away(one in any_scope(), other in any_scope()) {
            let alone = parse_all(&one);
            let both = parse_all(&format!("{one} {other}"));
            prop_assert!(alone.iter().all(|scope| both.contains(scope)));
        }
    }

    #[test]
    fn operations_are_counted() {
        let all = Operations::READ.with(Operations::SEARCH);
        assert!(all.has(Operations::READ) && !all.has(Operations::CREATE));
        assert_eq!(Scope::parse("patient/Patient.rs").unwrap().level, Level::Patient);
    }
}
