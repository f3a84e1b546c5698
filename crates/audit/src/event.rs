//! A record as an AuditEvent (IHE BALP, RESTful interactions).

use crate::record::interaction;
use access::{Agent, Interaction, Purposes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::net::IpAddr;

/// A record as it was stored, with what it refers to.
#[derive(Clone, Debug)]
pub struct Stored {
    pub id: i64,
    pub request: String,
    pub interaction: i16,
    pub status: i16,
    /// The code of the hospital that the caller spoke for.
    pub hospital: Option<String>,
    pub resource: Option<&'static str>,
    pub resource_id: Option<String>,
    pub version: Option<i32>,
    /// The id of the patient; none where the event is about none, or the patient is gone.
    pub patient: Option<String>,
    pub query: Option<String>,
    pub agent: Option<Agent>,
    pub token: Option<String>,
    pub purposes: Purposes,
    /// Where the request came from; none of records that are older than this column.
    pub address: Option<String>,
    /// RFC 3339, with the offset of the city.
    pub recorded: String,
}

const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";

/// What the record has where others have a search, if it was asked to open a record in an emergency.
pub const BREAK_GLASS: &str = "$break-glass";

/// What an id of an event is made of.
pub fn event_id(record: i64) -> String {
    format!("{:016x}", record.cast_unsigned())
}

/// The record that an event's id means.
pub fn record_id(event: &str) -> Option<i64> {
    let is_plain = event.len() == 16 && event.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| u64::from_str_radix(event, 16).ok()).flatten().map(u64::cast_signed)
}

/// `base_url` is of this server.
pub fn event(stored: &Stored, base_url: &str) -> Value {
    let interaction = interaction(stored.interaction);
    let code = interaction.map_or("operation", Interaction::code);
    let action = interaction.map_or("E", action);
    let mut event = json!({ "resourceType": "AuditEvent", "id": event_id(stored.id) });
    if let Some(profile) = interaction.and_then(|interaction| profile(stored, interaction)) {
        event["meta"] = json!({ "profile": [format!("{PROFILES}{profile}")] });
    }
    event["type"] = coded("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest");
    event["subtype"] = json!([coded("http://hl7.org/fhir/restful-interaction", code)]);
    event["action"] = json!(action);
    event["recorded"] = json!(stored.recorded);
    event["outcome"] = json!(outcome(stored.status));
    if is_opening(stored) {
        // Whether a record is open in spite of what the patient said is a decision (BALP, AuthZconsent).
        const KINDS: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType";
        event["type"] = coded(DCM, "110113");
        event["subtype"] = json!([coded(KINDS, "AuthZ-Consent")]);
        event["outcome"] = json!(if stored.status < 400 { "0" } else { "8" });
    }
    if stored.status >= 400 {
        event["outcomeDesc"] = json!(format!("HTTP {}", stored.status));
    }
    let purposes: Vec<Value> = stored.purposes.codes().map(purpose).collect();
    if !purposes.is_empty() {
        event["purposeOfEvent"] = json!(purposes);
    }
    event["agent"] = json!(agents(stored, action, base_url, &purposes));
    event["source"] = json!({ "observer": { "identifier": { "value": base_url } } });
    event["entity"] = json!(entities(stored));
    event
}

/// What it keeps to: the patterns are about what succeeded.
fn profile(stored: &Stored, interaction: Interaction) -> Option<&'static str> {
    let has_patient = stored.patient.is_some();
    let has_subject = stored.resource.is_some() && stored.resource_id.is_some();
    let (without, with, is_whole) = match interaction {
        Interaction::Create => ("Create", "PatientCreate", has_subject),
        Interaction::Read | Interaction::Vread => ("Read", "PatientRead", has_subject),
        Interaction::Update | Interaction::Patch => ("Update", "PatientUpdate", has_subject),
        Interaction::Delete => ("Delete", "PatientDelete", has_subject),
        Interaction::Search | Interaction::SearchSystem => {
            ("Query", "PatientQuery", stored.query.is_some())
        }
        Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem
        | Interaction::Operation
        | Interaction::Capabilities
        | Interaction::Batch
        | Interaction::Transaction => return None,
    };
    let holds = is_whole && stored.status < 400 && stored.address.is_some();
    holds.then_some(if has_patient { with } else { without })
}

/// The host of the base: an address of the Internet (2), or a name (1).
fn network(base_url: &str) -> Value {
    let host = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    let bare = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host.split(':').next().unwrap_or_default(),
    };
    let kind = if bare.parse::<IpAddr>().is_ok() { "2" } else { "1" };
    json!({ "address": bare, "type": kind })
}

fn coded(system: &str, code: &str) -> Value {
    json!({ "system": system, "code": code })
}

fn purpose(code: &'static str) -> Value {
    json!({ "coding": [{ "system": REASON, "code": code }] })
}

fn is_opening(stored: &Stored) -> bool {
    interaction(stored.interaction) == Some(Interaction::Operation)
        && stored.query.as_deref() == Some(BREAK_GLASS)
}

/// Create, read, update, delete, or execute.
pub fn action(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Create => "C",
        Interaction::Read
        | Interaction::Vread
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem => "R",
        Interaction::Update | Interaction::Patch => "U",
        Interaction::Delete => "D",
        Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Operation
        | Interaction::Capabilities
        | Interaction::Batch
        | Interaction::Transaction => "E",
    }
}

/// Success, what the caller did wrong, what the server did.
fn outcome(status: i16) -> &'static str {
    match status {
        ..400 => "0",
        400..500 => "4",
        _ => "8",
    }
}

fn agents(stored: &Stored, action: &str, base_url: &str, purposes: &[Value]) -> Vec<Value> {
    let kind = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
    const SECURITY: &str = "http://terminology.hl7.org/CodeSystem/extra-security-role-type";
    const CUSTODIAN: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
    let (source, destination) = (kind(DCM, "110153"), kind(DCM, "110152"));
    let (client, server, user) = match action {
        "R" => (destination, source, "IRCP"),
        "D" => (kind(DCM, "110150"), kind(CUSTODIAN, "custodian"), "AUT"),
        _ if is_opening(stored) => (kind(DCM, "110150"), kind(SECURITY, "authserver"), "IRCP"),
        "C" | "U" => (source, destination, "AUT"),
        _ => (source, destination, "IRCP"),
    };
    let mut agents = Vec::new();
    let known = stored.agent.as_ref();
    let mut asking = json!({ "type": client, "requestor": known.is_none() });
    // Who showed no token is known by where it is.
    let client = known.map(|agent| &agent.client).or(stored.address.as_ref());
    if let Some(client) = client {
        asking["who"] = json!({ "identifier": { "value": client } });
    }
    if let Some(address) = &stored.address {
        asking["network"] = json!({ "address": address, "type": "2" });
    }
    agents.push(asking);
    agents.push(json!({
        "type": server,
        "who": { "identifier": { "value": base_url } },
        "requestor": false,
        "network": network(base_url),
    }));
    if let Some(agent) = known {
        let mut who = json!({
            "identifier": { "system": agent.issuer, "value": agent.subject },
        });
        if let Some(name) = &agent.name {
            who["display"] = json!(name);
        }
        let mut person =
            json!({ "type": kind(PARTICIPATION, user), "who": who, "requestor": true });
        let roles: Vec<Value> =
            agent.roles.iter().map(|role| json!({ "coding": [{ "code": role }] })).collect();
        if !roles.is_empty() {
            person["role"] = json!(roles);
        }
        if let Some(token) = &stored.token {
            person["policy"] = json!([format!("urn:ietf:params:oauth:jti:{token}")]);
        }
        if !purposes.is_empty() {
            person["purposeOfUse"] = json!(purposes);
        }
        agents.push(person);
    }
    if let Some(hospital) = &stored.hospital {
        agents.push(json!({
            "type": kind("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV"),
            "who": { "reference": format!("Organization/{hospital}") },
            "requestor": false,
        }));
    }
    agents
}

fn entities(stored: &Stored) -> Vec<Value> {
    let mut entities = vec![json!({
        "type": coded("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId"),
        "what": { "identifier": { "value": stored.request } },
    })];
    if let Some(query) = stored.query.as_ref().filter(|_| !is_opening(stored)) {
        let kind = stored.resource.unwrap_or_default();
        let text = format!("{kind}?{query}");
        entities.push(json!({
            "type": coded(ENTITY, "2"),
            "role": coded(ROLE, "24"),
            "description": text,
            "query": STANDARD.encode(&text),
        }));
    } else if let (Some(kind), Some(id)) = (stored.resource, &stored.resource_id) {
        let version =
            stored.version.map(|version| format!("/_history/{version}")).unwrap_or_default();
        entities.push(json!({
            "type": coded(ENTITY, "2"),
            "role": coded(ROLE, "4"),
            "what": { "reference": format!("{kind}/{id}{version}") },
        }));
    }
    if let Some(patient) = &stored.patient {
        entities.push(json!({
            "type": coded(ENTITY, "1"),
            "role": coded(ROLE, "1"),
            "what": { "reference": format!("Patient/{patient}") },
        }));
    }
    entities
}

#[cfg(test)]
mod tests {
    use super::{Stored, event, event_id, record_id};
    use crate::record::code;
    use access::{Agent, Interaction, Purposes};

    fn stored(interaction: Interaction) -> Stored {
        Stored {
            id: 77,
            request: "0199".to_owned(),
            interaction: code(interaction),
            status: 200,
            hospital: Some("ha".to_owned()),
            resource: Some("Observation"),
            resource_id: Some("o1".to_owned()),
            version: None,
            patient: Some("p1".to_owned()),
            query: None,
            agent: Some(Agent {
                issuer: "https://id.test".to_owned(),
                subject: "b3".to_owned(),
                client: "ehr".to_owned(),
                name: Some("王医生".to_owned()),
                token_id: None,
                roles: vec!["doctor".to_owned()],
            }),
            token: Some("0f3c".to_owned()),
            purposes: Purposes::parse("TREAT").unwrap(),
            address: Some("192.0.2.7".to_owned()),
            recorded: "2026-11-23T21:06:11.482+08:00".to_owned(),
        }
    }

    /// Action, and the types of client, server and user.
    fn check(interaction: Interaction, expected: [&str; 4]) {
        let event = event(&stored(interaction), "https://hub.test/fhir");
        let issues = fhir::validate::resource(&event);
        let errors: Vec<_> = issues
            .iter()
            .filter(|issue| issue.severity == fhir::outcome::Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{errors:?}");
        let agent = |place: usize| event["agent"][place]["type"]["coding"][0]["code"].as_str();
        let found = [event["action"].as_str(), agent(0), agent(1), agent(2)];
        assert_eq!(found, expected.map(Some), "{interaction:?}");
        assert_eq!(event["agent"][2]["requestor"], true);
        assert_eq!(event["entity"][2]["what"]["reference"], "Patient/p1");
        assert_eq!(event["subtype"][0]["code"], interaction.code());
    }

    #[test]
    fn every_interaction_has_its_action_and_agents() {
        check(Interaction::Create, ["C", "110153", "110152", "AUT"]);
        check(Interaction::Read, ["R", "110152", "110153", "IRCP"]);
        check(Interaction::Vread, ["R", "110152", "110153", "IRCP"]);
        check(Interaction::Update, ["U", "110153", "110152", "AUT"]);
        check(Interaction::Patch, ["U", "110153", "110152", "AUT"]);
        check(Interaction::Delete, ["D", "110150", "custodian", "AUT"]);
        check(Interaction::Search, ["E", "110153", "110152", "IRCP"]);
        check(Interaction::Operation, ["E", "110153", "110152", "IRCP"]);
    }

    #[test]
    fn a_search_says_what_was_asked_and_a_refusal_that_it_was_one() {
        let search = Stored {
            query: Some("code=1".to_owned()),
            resource_id: None,
            status: 403,
            ..stored(Interaction::Search)
        };
        let event = event(&search, "https://hub.test/fhir");
        assert_eq!(event["entity"][1]["description"], "Observation?code=1");
        assert!(event["entity"][1]["what"].is_null());
        assert_eq!((&event["outcome"], &event["outcomeDesc"]), (&"4".into(), &"HTTP 403".into()));
    }

    #[test]
    fn the_server_is_a_name_or_an_address() {
        for (base, address, kind) in [
            ("https://hub.test/fhir", "hub.test", "1"),
            ("http://127.0.0.1:8080/fhir", "127.0.0.1", "2"),
            ("http://[::1]:8080/fhir", "::1", "2"),
        ] {
            let expected = serde_json::json!({ "address": address, "type": kind });
            assert_eq!(super::network(base), expected);
        }
    }

    #[test]
    fn only_what_keeps_to_a_pattern_says_so() {
        let profile =
            |stored: &Stored| event(stored, "https://hub.test/fhir")["meta"]["profile"][0].clone();
        let read = stored(Interaction::Read);
        let name =
            "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientRead";
        assert_eq!(profile(&read), name);
        let none = serde_json::Value::Null;
        assert_eq!(profile(&Stored { status: 404, ..read.clone() }), none);
        assert_eq!(profile(&Stored { address: None, ..read.clone() }), none);
        assert_eq!(profile(&Stored { resource_id: None, ..read }), none);
        assert_eq!(profile(&stored(Interaction::Operation)), none);
    }

    #[test]
    fn ids_go_there_and_back() {
        for id in [0, 77, i64::MAX, i64::MIN] {
            assert_eq!(record_id(&event_id(id)), Some(id));
        }
        for text in ["", "77", "zzzzzzzzzzzzzzzz", "+000000000000077"] {
            assert_eq!(record_id(text), None, "{text}");
        }
    }
}
