//! Whether a resource matches, by its values: what an index key can only suspect.

use crate::condition::{Condition, Row};
use crate::date::Range;
use crate::extract::{
    Entries, Extractor, each_reference, each_spelling, each_text, each_token, each_uri,
};
use crate::parameter::last_updated;
use crate::parameter::string::{NOT_WRITTEN, normalise};
use crate::query::{Asked, Query, Wanted};
use crate::registry::Parameter;
use serde_json::Value;

impl Query {
    /// A resource without `meta.lastUpdated` was not stored yet: it came to be at no time. What depends on other resources is
    /// taken to hold.
    pub fn holds(&self, resource: &Value, extractor: &Extractor) -> bool {
        let kind = resource.get("resourceType").and_then(Value::as_str);
        let Ok(entries) = extractor.entries(resource) else { return false };
        let known = Known { resource, extractor, entries: &entries };
        kind == Some(self.resource)
            && self.clauses.iter().all(|clause| known.holds(&clause.asked).unwrap_or(true))
    }
}

struct Known<'a> {
    resource: &'a Value,
    extractor: &'a Extractor,
    entries: &'a Entries,
}

impl Known<'_> {
    /// None where it takes other resources to know.
    fn holds(&self, asked: &Asked) -> Option<bool> {
        let each =
            |asked: &[Asked]| asked.iter().map(|asked| self.holds(asked)).collect::<Vec<_>>();
        match asked {
            Asked::All(all) => {
                let each = each(all);
                let is_certain = each.iter().all(Option::is_some);
                match each.contains(&Some(false)) {
                    true => Some(false),
                    false => is_certain.then_some(true),
                }
            }
            Asked::Any(any) => {
                let each = each(any);
                let is_certain = each.iter().all(Option::is_some);
                match each.contains(&Some(true)) {
                    true => Some(true),
                    false => is_certain.then_some(false),
                }
            }
            Asked::Not(asked) => self.holds(asked).map(|holds| !holds),
            Asked::Missing(parameter) => {
                let row = Row { id: "", version_key: 0, entries: self.entries };
                Condition::missing(parameter).meets(row)
            }
            Asked::Tokens(keys) => Some(keys.iter().any(|key| self.entries.tokens.contains(key))),
            Asked::Refers { .. } | Asked::Referred { .. } => None,
            Asked::Value { parameter, wanted } => Some(self.has(parameter, wanted)),
        }
    }

    fn has(&self, parameter: &Parameter, wanted: &Wanted) -> bool {
        let resource = self.resource;
        let mut holds = false;
        match wanted {
            Wanted::Ids(ids) => {
                let id = resource.get("id").and_then(Value::as_str);
                holds = id.is_some_and(|id| ids.iter().any(|wanted| wanted == id));
            }
            Wanted::LastUpdated(ranges) => {
                let moment: Option<Range> = last_updated::of(resource);
                holds = moment.is_some_and(|moment| last_updated::meets(ranges, &moment));
            }
            Wanted::Tokens(wanted) => each_token(parameter, resource, |form| {
                self.extractor.veil().stored(form, parameter.spelling, |form| {
                    holds = holds || wanted.contains(&form.spelt(parameter.spelling));
                });
            }),
            Wanted::Texts(wanted) => each_text(parameter, resource, |text| {
                let text = normalise(text);
                holds = holds || wanted.iter().any(|wanted| wanted.matches(&text, NOT_WRITTEN));
            }),
            Wanted::References(wanted) => {
                each_reference(parameter, resource, self.extractor.base_url(), |target| {
                    holds |= wanted.iter().any(|wanted| wanted.matches(&target));
                });
            }
            Wanted::Uris(wanted) => each_uri(parameter, resource, |text| {
                holds |= wanted.iter().any(|wanted| wanted == text);
            }),
            Wanted::Strings(wanted) => each_spelling(parameter, resource, |text, exact| {
                holds |= wanted.iter().any(|wanted| wanted.matches(&text, exact));
            }),
            // Places on a line have no collisions, and those of other keys decide about no write.
            Wanted::Identifiers(_)
            | Wanted::UrisBelow(_)
            | Wanted::Dates(_)
            | Wanted::Numbers(_)
            | Wanted::Quantities(_)
            | Wanted::Composites(_)
            | Wanted::Word { .. }
            | Wanted::Near(_) => {
                let row = Row { id: "", version_key: 0, entries: self.entries };
                holds = Condition::of_value(parameter, wanted).meets(row) == Some(true);
            }
        }
        holds
    }
}

#[cfg(test)]
mod tests {
    use crate::extract::tests::extractor;
    use crate::query::tests::parse;
    use serde_json::{Value, json};

    fn check(resource: &Value, search: &str, expected: bool) {
        assert_eq!(parse(search).unwrap().holds(resource, &extractor()), expected, "{search}");
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
