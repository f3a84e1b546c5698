//! Whether a resource matches, by its values: what an index key can only suspect.

use crate::date::Range;
use crate::extract::{each_reference, each_string, each_token, each_uri};
use crate::parameter::{last_updated, string};
use crate::query::{Clause, Query, Wanted};
use serde_json::Value;

impl Query {
    /// `base_url` is this server's, as it was when the query was parsed. A resource without `meta.lastUpdated` was not stored
    /// yet: it came to be at no time.
    pub fn holds(&self, resource: &Value, base_url: &str) -> bool {
        let kind = resource.get("resourceType").and_then(Value::as_str);
        kind == Some(self.resource)
            && self.clauses.iter().all(|clause| clause.holds(resource, base_url))
    }
}

impl Clause {
    fn holds(&self, resource: &Value, base_url: &str) -> bool {
        let parameter = self.parameter;
        let mut holds = false;
        match &self.wanted {
            Wanted::Ids(ids) => {
                let id = resource.get("id").and_then(Value::as_str);
                holds = id.is_some_and(|id| ids.iter().any(|wanted| wanted == id));
            }
            Wanted::LastUpdated(ranges) => {
                let moment: Option<Range> = last_updated::of(resource);
                holds = moment.is_some_and(|moment| last_updated::meets(ranges, &moment));
            }
            Wanted::Tokens(wanted) => each_token(parameter, resource, |form| {
                holds = holds || wanted.contains(&form.spelt(parameter.spelling));
            }),
            Wanted::References(wanted) => {
                each_reference(parameter, resource, base_url, |target| {
                    holds |= wanted.iter().any(|wanted| wanted.matches(&target));
                });
            }
            Wanted::Uris(wanted) => each_uri(parameter, resource, |text| {
                holds |= wanted.iter().any(|wanted| wanted == text);
            }),
            Wanted::Strings(wanted) => each_string(parameter, resource, |text| {
                let text = string::normalise(text);
                holds |= wanted.iter().any(|wanted| text.starts_with(wanted.as_str()));
            }),
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use crate::query::tests::{BASE, parse};
    use serde_json::{Value, json};

    fn check(resource: &Value, search: &str, expected: bool) {
        assert_eq!(parse(search).unwrap().holds(resource, BASE), expected, "{search}");
    }

    #[test]
    fn every_clause_holds_for_one_of_its_values() {
        let patient = json!({
            "resourceType": "Patient",
            "id": "7",
            "meta": { "lastUpdated": "2026-11-23T08:00:00.123Z", "profile": ["http://p.test/a|1"] },
            "identifier": [{ "system": "urn:a", "value": "1" }],
            "name": [{ "family": "Müller", "given": ["Ann"] }],
            "generalPractitioner": [{ "reference": "https://hub.test/fhir/Practitioner/9/_history/1" }],
        });
        for search in [
            "Patient?",
            "Patient?_id=6,7",
            "Patient?identifier=urn:a|1",
            "Patient?identifier=2,1",
            "Patient?name=MUL&name=ann",
            "Patient?general-practitioner=9",
            "Patient?general-practitioner=Practitioner/9",
            "Patient?_profile=http://p.test/a",
            "Patient?deceased=false",
            "Patient?_lastUpdated=2026-11-23T16:00",
        ] {
            check(&patient, search, true);
        }
        for search in [
            "Patient?_id=6",
            "Patient?identifier=urn:a|1&identifier=2",
            "Patient?name=ller",
            "Patient?general-practitioner=Organization/9",
            "Patient?deceased=true",
            "Patient?active=true",
            "Patient?_lastUpdated=gt2026-11-23T16:00",
            "Person?identifier=1",
        ] {
            check(&patient, search, false);
        }
        check(&json!({ "resourceType": "Patient" }), "Patient?_lastUpdated=gt1970", false);
    }
}
