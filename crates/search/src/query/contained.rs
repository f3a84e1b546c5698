//! Contained resources (search.html#contained): they have no rows of their own. What contains them has their keys among its
//! tokens, set apart; each suspect is then looked at.

use super::{Asked, Clause, Query};
use crate::condition::Condition;
use crate::error::Error;
use crate::extract::{Extractor, contained_kind, of_contained};
use schema::resource::TABLES;
use serde_json::Value;

impl Query {
    /// A query a type for the resources that may contain a match of this one.
    pub fn containers(&self) -> Result<Vec<Query>, Error> {
        if self.clauses.iter().any(|clause| clause.asked.is_joined()) {
            return Err(Error::NotSupported {
                what: "_contained together with a chain or _has".to_owned(),
                instead: "ask for values of the contained resource itself".to_owned(),
            });
        }
        let mut clauses = vec![suspect(vec![contained_kind(self.resource)])];
        clauses.extend(self.clauses.iter().filter_map(|clause| keys(&clause.asked)).map(suspect));
        let query = |resource| Query { resource, ignored: Vec::new(), clauses: clauses.clone() };
        Ok(TABLES.iter().map(|table| query(table.resource)).collect())
    }

    /// The contained resources that match.
    pub fn contained<'a>(&self, resource: &'a Value, extractor: &Extractor) -> Vec<&'a Value> {
        let contained = resource.get("contained").and_then(Value::as_array);
        contained.into_iter().flatten().filter(|one| self.holds(one, extractor)).collect()
    }
}

impl Asked {
    /// Whether it depends on other resources.
    fn is_joined(&self) -> bool {
        match self {
            Asked::All(each) | Asked::Any(each) => each.iter().any(Asked::is_joined),
            Asked::Not(asked) => asked.is_joined(),
            Asked::Refers { .. } | Asked::Referred { .. } => true,
            Asked::Value { .. } | Asked::Missing(_) | Asked::Tokens(_) => false,
        }
    }
}

fn suspect(keys: Vec<i64>) -> Clause {
    Clause { text: None, asked: Asked::Tokens(keys) }
}

/// One of which a match has, if it has to have one.
fn keys(asked: &Asked) -> Option<Vec<i64>> {
    let Asked::Value { parameter, wanted } = asked else { return None };
    let keys: Vec<i64> = match Condition::of_value(parameter, wanted) {
        Condition::Keys { patients, tokens, filters } => {
            patients.into_iter().chain(tokens).chain(filters).collect()
        }
        Condition::Codes(codes) => codes.into_iter().map(|code| code.key).collect(),
        _ => return None,
    };
    Some(keys.into_iter().map(of_contained).collect())
}

#[cfg(test)]
mod tests {
    use crate::extract::tests::extractor;
    use crate::plan::Plan;
    use crate::query::tests::parse;
    use access::{Caller, HospitalId, Interaction, Wish, decide};
    use serde_json::json;

    /// Whether a prescription with one medicine in it is a suspect, and how many of what it contains match.
    fn check(search: &str, expected: (bool, usize)) {
        let prescription = json!({
            "resourceType": "MedicationRequest",
            "contained": [{
                "resourceType": "Medication",
                "id": "m1",
                "code": { "coding": [{ "system": "urn:drugs", "code": "aspirin" }], "text": "Aspirin" },
                "status": "active",
            }],
        });
        let query = parse(search).unwrap();
        let wish = Wish::new(Interaction::Search, None);
        let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
        let containers = query.containers().unwrap();
        let of = containers.iter().find(|query| query.resource == "MedicationRequest").unwrap();
        assert_eq!(crate::plan::plan(of, &grant).as_ref().map(Plan::lead), Ok("token"), "{search}");
        let is_suspect = of.holds(&prescription, &extractor());
        let matches = query.contained(&prescription, &extractor()).len();
        assert_eq!((is_suspect, matches), expected, "{search}");
    }

    #[test]
    fn what_contains_a_match_is_a_suspect() {
        check("Medication?code=urn:drugs|aspirin", (true, 1));
        check("Medication?code=aspirin&status=active", (true, 1));
        check("Medication?_id=m1", (true, 1));
        check("Medication?code:text=asp", (true, 1));
        check("Medication?code:text=ibu", (true, 0));
        check("Medication?code=ibuprofen", (false, 0));
        check("Medication?code=aspirin&status=inactive", (false, 0));
        check("Substance?code=aspirin", (false, 0));
        check("Medication?code:not=aspirin", (true, 0));
        check("Medication?", (true, 1));
    }

    #[test]
    fn a_chain_out_of_what_is_contained_is_refused() {
        let query = parse("Medication?manufacturer.name=a").unwrap();
        assert!(query.containers().is_err());
    }
}
