//! What the patterns of IHE BALP demand of an event (tests/audit-patterns.json has what differs between them).

use serde_json::Value;

const SYSTEMS: [(&str, &str); 3] = [
    ("DCM", "http://dicom.nema.org/resources/ontology/DCM"),
    ("PART", "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"),
    ("PROV", "http://terminology.hl7.org/CodeSystem/provenance-participant-type"),
];
const ENTITY: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const OWN: &str = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType";
const PROFILES: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";

/// What the event lacks of the pattern that it says it keeps to; nothing where it does.
pub(super) fn lacks(event: &Value) -> Vec<String> {
    let issues = fhir::validate::resource(event);
    let errors = issues.iter().filter(|issue| issue.severity == fhir::outcome::Severity::Error);
    let mut lacks: Vec<String> = errors.map(|issue| format!("base: {issue:?}")).collect();
    let claimed = event["meta"]["profile"][0].as_str().unwrap_or_default();
    let claimed = claimed.strip_prefix(PROFILES).unwrap_or_default();
    let (has_patient, name) =
        claimed.strip_prefix("Patient").map_or((false, claimed), |name| (true, name));
    let patterns: Vec<Value> =
        serde_json::from_str(include_str!("../../audit-patterns.json")).unwrap();
    let Some(pattern) = patterns.iter().find(|pattern| pattern["pattern"] == name) else {
        return vec![format!("`{claimed}` is no pattern")];
    };
    let mut demand = |what: &str, holds: bool| {
        if !holds {
            lacks.push(what.to_owned());
        }
    };
    demand(
        "type rest",
        is_coded(&event["type"], "http://terminology.hl7.org/CodeSystem/audit-event-type", "rest"),
    );
    let subtypes = list(&event["subtype"]);
    let of_pattern = |subtype: &&Value| {
        subtype["system"] == "http://hl7.org/fhir/restful-interaction"
            && list(&pattern["subtypes"]).contains(&&subtype["code"])
    };
    demand("one subtype", subtypes.into_iter().filter(of_pattern).count() == 1);
    demand("action", event["action"] == pattern["action"]);
    demand("outcome 0", event["outcome"] == "0");
    demand("recorded", event["recorded"].is_string());
    demand("source", event["source"]["observer"].is_object());
    for (role, wanted) in [("client", &pattern["client"]), ("server", &pattern["server"])] {
        let found = agents(event, &[wanted]);
        demand(&format!("one {role}"), found.len() == 1);
        for agent in found {
            demand(&format!("who of the {role}"), agent["who"].is_object());
            demand(&format!("network of the {role}"), agent["network"]["address"].is_string());
            demand(&format!("no media of the {role}"), agent["media"].is_null());
        }
    }
    let users = agents(event, &list(&pattern["users"]));
    demand("at most one user", users.len() <= 1);
    for user in users {
        demand("who of the user", user["who"].is_object());
        demand("the user as requestor", user["requestor"] == true);
        demand(
            "no network and media of the user",
            user["network"].is_null() && user["media"].is_null(),
        );
    }
    let requests = entities(event, OWN, "XrequestId");
    demand("at most one request", requests.len() <= 1);
    for request in requests {
        demand("the id of the request", request["what"]["identifier"]["value"].is_string());
    }
    let data = entities(event, ENTITY, "2");
    demand("one object", data.len() == 1);
    for data in data {
        if name == "Query" {
            demand("role 24", is_coded(&data["role"], ROLE, "24"));
            demand("query", data["query"].is_string());
            let none = ["what", "lifecycle", "detail"].iter().all(|name| data[*name].is_null());
            demand("no what, lifecycle or detail of a query", none);
        } else {
            demand(
                "role 4, 3 or 20",
                ["4", "3", "20"].iter().any(|code| is_coded(&data["role"], ROLE, code)),
            );
            demand("what", data["what"]["reference"].is_string());
        }
    }
    let patients = entities(event, ENTITY, "1");
    demand("one patient, or none", patients.len() == usize::from(has_patient));
    for patient in patients {
        let reference = patient["what"]["reference"].as_str().unwrap_or_default();
        demand("role 1", is_coded(&patient["role"], ROLE, "1"));
        demand("a reference to a patient", reference.starts_with("Patient/"));
    }
    lacks
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().into_iter().flatten().collect()
}

fn is_coded(coding: &Value, system: &str, code: &str) -> bool {
    coding["system"] == system && coding["code"] == code
}

/// Those with one of these types, each as `SYSTEM|code`.
fn agents<'a>(event: &'a Value, types: &[&Value]) -> Vec<&'a Value> {
    let is_one = |coding: &Value| {
        types.iter().any(|wanted| {
            let (name, code) = wanted.as_str().unwrap().split_once('|').unwrap();
            let system = SYSTEMS.iter().find(|(known, _)| *known == name).unwrap().1;
            is_coded(coding, system, code)
        })
    };
    let mut agents = list(&event["agent"]);
    agents.retain(|agent| list(&agent["type"]["coding"]).into_iter().any(is_one));
    agents
}

fn entities<'a>(event: &'a Value, system: &str, code: &str) -> Vec<&'a Value> {
    let mut entities = list(&event["entity"]);
    entities.retain(|entity| is_coded(&entity["type"], system, code));
    entities
}
