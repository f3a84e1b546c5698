//! A plan as a statement.
//!
//! Matches come in the order of their version key, the order in which they were last changed; a page begins after the key of the
//! page before. What an index found is put in order as version keys alone, and only the rows of the page are read whole.

use crate::date::Range;
use crate::plan::{Condition, Drive, Plan};
use crate::sql::{Bind, Sql};

/// The rows of a page, with the columns that a stored version is read from.
pub fn page(plan: &Plan, limit: u32) -> Sql {
    const COLUMNS: &str =
        "SELECT id, version, version_key, hospital, patient, shard, method, dictionary, body FROM ";
    rows(plan, COLUMNS, limit)
}

/// Only what names the matches.
pub fn identities(plan: &Plan, limit: u32) -> Sql {
    rows(plan, "SELECT id, version_key FROM ", limit)
}

/// How many match, on all pages.
pub fn count(plan: &Plan) -> Sql {
    let conditions = plan.conditions(None);
    Sql::text_of("SELECT count(*) FROM ").then(plan.table.name).then(" WHERE ").append(conditions)
}

fn rows(plan: &Plan, columns: &'static str, limit: u32) -> Sql {
    let conditions = plan.conditions(plan.after);
    let table = plan.table.name;
    let limit = Bind::Int8(i64::from(limit));
    match plan.drive {
        Drive::Walk { .. } => Sql::text_of(columns)
            .then(table)
            .then(" WHERE ")
            .append(conditions)
            .then(" ORDER BY version_key LIMIT ")
            .bind(limit),
        Drive::Tokens(_) | Drive::Any(_) => {
            Sql::text_of("WITH matched AS MATERIALIZED (SELECT version_key, shard FROM ")
                .then(table)
                .then(" WHERE ")
                .append(conditions)
                .then(") ")
                .then(columns)
                .then("(SELECT version_key, shard FROM matched ORDER BY version_key LIMIT ")
                .bind(limit)
                .then(") AS page JOIN ")
                .then(table)
                .then(" USING (version_key, shard) ORDER BY version_key")
        }
    }
}

impl Plan {
    fn conditions(&self, after: Option<i64>) -> Sql {
        let (first, key) = match &self.drive {
            Drive::Walk { patient } => {
                (patient.map(|key| Sql::text_of("patient = ").bind(Bind::Int8(key))), "version_key")
            }
            // The sum is in no index.
            Drive::Tokens(keys) => (Some(tokens_all(keys)), "version_key + 0"),
            Drive::Any(condition) => (Some(driving(condition)), "version_key + 0"),
        };
        let mut all: Vec<Sql> = first.into_iter().collect();
        if let Some(after) = after {
            all.push(Sql::text_of(key).then(" > ").bind(Bind::Int8(after)));
        }
        if let Some(ranges) = &self.versions {
            all.push(Sql::any(ranges.iter().map(|range| between(key, range)).collect()));
        }
        all.extend(self.rest.iter().map(filtering));
        Sql::all(all)
    }
}

fn between(key: &'static str, range: &Range) -> Sql {
    let low = || Sql::text_of(key).then(" >= ").bind(Bind::Int8(range.low));
    let high = || Sql::text_of(key).then(" < ").bind(Bind::Int8(range.high));
    match (range.low, range.high) {
        (i64::MIN..=0, i64::MAX) => Sql::all(Vec::new()),
        (i64::MIN..=0, _) => high(),
        (_, i64::MAX) => low(),
        (_, _) => Sql::all(vec![low(), high()]),
    }
}

fn tokens_all(keys: &[i64]) -> Sql {
    Sql::text_of("tokens @> ").bind(Bind::Int8Array(keys.to_vec()))
}

/// In the form that an index serves.
fn driving(condition: &Condition) -> Sql {
    match condition {
        Condition::Ids(ids) => {
            Sql::text_of("id = ANY(").bind(Bind::TextArray(ids.clone())).then(")")
        }
        Condition::Strings { .. } => filtering(condition),
        Condition::Keys { patients, tokens, filters } => {
            let mut any = Vec::new();
            if !patients.is_empty() {
                let patients = Bind::Int8Array(patients.clone());
                any.push(Sql::text_of("patient = ANY(").bind(patients).then(")"));
            }
            if !tokens.is_empty() {
                any.push(Sql::text_of("tokens && ").bind(Bind::Int8Array(tokens.clone())));
            }
            any.extend(one_of_filters(filters));
            Sql::any(any)
        }
    }
}

/// In a form that no index serves, so that it cannot take the lead; texts have no other place than their index.
fn filtering(condition: &Condition) -> Sql {
    match condition {
        Condition::Ids(ids) => {
            Sql::text_of("id || '' = ANY(").bind(Bind::TextArray(ids.clone())).then(")")
        }
        Condition::Keys { patients, tokens, filters } => {
            let mut any = Vec::new();
            if !patients.is_empty() {
                let patients = Bind::Int8Array(patients.clone());
                any.push(Sql::text_of("patient + 0 = ANY(").bind(patients).then(")"));
            }
            match tokens.as_slice() {
                [] => {}
                [key] => any.push(Sql::default().bind(Bind::Int8(*key)).then(" = ANY(tokens)")),
                keys => {
                    let keys = Bind::Int8Array(keys.to_vec());
                    any.push(Sql::text_of("(tokens || '{}'::int8[]) && ").bind(keys));
                }
            }
            any.extend(one_of_filters(filters));
            Sql::any(any)
        }
        Condition::Strings { parameter, prefixes } => {
            let ranges = prefixes.iter().map(|prefix| {
                let range =
                    Sql::text_of("SELECT resource_key FROM string_entry WHERE parameter_key = ")
                        .bind(Bind::Int8(*parameter))
                        .then(" AND value >= ")
                        .bind(Bind::Text(prefix.low.clone()));
                match &prefix.high {
                    Some(high) => range.then(" AND value < ").bind(Bind::Text(high.clone())),
                    None => range,
                }
            });
            Sql::text_of("key IN (").append(Sql::joined(ranges.collect(), " UNION ALL ")).then(")")
        }
    }
}

fn one_of_filters(keys: &[i64]) -> Option<Sql> {
    match keys {
        [] => None,
        [key] => Some(Sql::default().bind(Bind::Int8(*key)).then(" = ANY(filters)")),
        keys => Some(Sql::text_of("filters && ").bind(Bind::Int8Array(keys.to_vec()))),
    }
}

#[cfg(test)]
mod tests {
    use super::{count, identities, page};
    use crate::key::{hash, resource_key, salt};
    use crate::plan::{Plan, plan};
    use crate::query::tests::parse;
    use crate::sql::Bind;
    use access::{Caller, HospitalId, Interaction, Wish, decide};

    const COLUMNS: &str =
        "SELECT id, version, version_key, hospital, patient, shard, method, dictionary, body FROM ";

    fn planned(search: &str, after: Option<i64>) -> Plan {
        let mut query = parse(search).unwrap();
        query.after = after;
        let wish = Wish { interaction: Interaction::Search, resource: Some(query.resource) };
        let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
        plan(&query, &grant).unwrap()
    }

    /// What follows the columns.
    fn check(search: &str, expected: &str) {
        let text = page(&planned(search, None), 21).text();
        assert_eq!(text.replacen(COLUMNS, "", 1), expected, "{search}");
    }

    /// The conditions by which version keys are gathered, and where the limit stands.
    fn check_gathered(search: &str, table: &str, conditions: &str, limit: usize) {
        let matched =
            format!("WITH matched AS MATERIALIZED (SELECT version_key, shard FROM {table}");
        check(
            search,
            &format!(
                "{matched} WHERE {conditions}) (SELECT version_key, shard FROM matched \
                 ORDER BY version_key LIMIT ${limit}::int8) AS page JOIN {table} USING (version_key, shard) \
                 ORDER BY version_key"
            ),
        );
    }

    #[test]
    fn everything_and_what_is_dominant_is_walked() {
        check("Group?", "\"group\" WHERE TRUE ORDER BY version_key LIMIT $1::int8");
        check(
            "Patient?gender=male",
            "patient WHERE $1::int8 = ANY(filters) ORDER BY version_key LIMIT $2::int8",
        );
        check(
            "Patient?gender=male,female&active=true",
            "patient WHERE (filters && $1::int8[] AND $2::int8 = ANY(filters)) ORDER BY version_key LIMIT $3::int8",
        );
        check(
            "Patient?identifier=urn:a|",
            "patient WHERE $1::int8 = ANY(filters) ORDER BY version_key LIMIT $2::int8",
        );
        check(
            "Patient?identifier=urn:a|,1",
            "patient WHERE ($1::int8 = ANY(tokens) OR $2::int8 = ANY(filters)) ORDER BY version_key LIMIT $3::int8",
        );
    }

    #[test]
    fn one_patient_is_walked_in_order() {
        check(
            "Observation?patient=1&code=a&code=b,c&status=final",
            "observation WHERE (patient = $1::int8 AND $2::int8 = ANY(tokens) AND (tokens || '{}'::int8[]) && $3::int8[] \
             AND $4::int8 = ANY(filters)) ORDER BY version_key LIMIT $5::int8",
        );
        check(
            "Observation?subject=Patient/1&patient=2",
            "observation WHERE (patient = $1::int8 AND patient + 0 = ANY($2::int8[])) ORDER BY version_key LIMIT $3::int8",
        );
    }

    #[test]
    fn what_an_index_finds_is_gathered_and_put_in_order() {
        check_gathered("Patient?identifier=1", "patient", "tokens @> $1::int8[]", 2);
        check_gathered(
            "Observation?code=a&status=final&code=b&performer=Patient/1,Patient/2",
            "observation",
            "(tokens @> $1::int8[] AND $2::int8 = ANY(filters) AND (tokens || '{}'::int8[]) && $3::int8[])",
            4,
        );
        check_gathered("Observation?code=a,b", "observation", "tokens && $1::int8[]", 2);
        check_gathered("Observation?patient=1,2", "observation", "patient = ANY($1::int8[])", 2);
        check_gathered(
            "Observation?subject=1",
            "observation",
            "(patient = ANY($1::int8[]) OR tokens && $2::int8[])",
            3,
        );
        check_gathered(
            "Observation?_id=1,2&patient=1",
            "observation",
            "(id = ANY($1::text[]) AND patient + 0 = ANY($2::int8[]))",
            3,
        );
        check_gathered(
            "Patient?_id=1,2&_id=2",
            "patient",
            "(id = ANY($1::text[]) AND id || '' = ANY($2::text[]))",
            3,
        );
    }

    #[test]
    fn a_text_is_found_by_its_start() {
        let range = "SELECT resource_key FROM string_entry WHERE parameter_key = ";
        check_gathered(
            "Patient?name=ann,\u{10ffff}",
            "patient",
            &format!(
                "key IN ({range}$1::int8 AND value >= $2::text AND value < $3::text UNION ALL {range}$4::int8 AND value >= $5::text)"
            ),
            6,
        );
        check_gathered(
            "Patient?name=ann&identifier=1&active=true",
            "patient",
            &format!(
                "(tokens @> $1::int8[] AND key IN ({range}$2::int8 AND value >= $3::text AND value < $4::text) AND $5::int8 = ANY(filters))"
            ),
            6,
        );
    }

    #[test]
    fn times_are_ranges_of_version_keys() {
        check(
            "Patient?_lastUpdated=gt2026-01-01&_lastUpdated=lt2026-02-01",
            "patient WHERE (version_key >= $1::int8 AND version_key < $2::int8) ORDER BY version_key LIMIT $3::int8",
        );
        check(
            "Patient?_lastUpdated=ge2026",
            "patient WHERE version_key >= $1::int8 ORDER BY version_key LIMIT $2::int8",
        );
        check(
            "Patient?_lastUpdated=ne2026",
            "patient WHERE (version_key < $1::int8 OR version_key >= $2::int8) ORDER BY version_key LIMIT $3::int8",
        );
        check(
            "Patient?_lastUpdated=2025&_lastUpdated=2026",
            "patient WHERE FALSE ORDER BY version_key LIMIT $1::int8",
        );
        check_gathered(
            "Patient?identifier=1&_lastUpdated=lt2026",
            "patient",
            "(tokens @> $1::int8[] AND version_key + 0 < $2::int8)",
            3,
        );
        let sql = page(&planned("Patient?_lastUpdated=2026-11-23T08:00Z", None), 21);
        let minute = 1_795_420_800_000_000_i64;
        let binds = [minute << 11, (minute + 60_000_000) << 11, 21].map(Bind::Int8);
        assert_eq!(sql.binds(), binds.iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_page_begins_after_the_one_before() {
        let text = page(&planned("Patient?active=true", Some(7)), 21).text();
        let expected = "patient WHERE (version_key > $1::int8 AND $2::int8 = ANY(filters)) ORDER BY version_key LIMIT $3::int8";
        assert_eq!(text.replacen(COLUMNS, "", 1), expected);
        let text = page(&planned("Patient?identifier=1", Some(7)), 21).text();
        assert!(text.contains("(tokens @> $1::int8[] AND version_key + 0 > $2::int8)"), "{text}");
    }

    #[test]
    fn a_count_is_of_all_pages_and_has_no_order() {
        let plan = planned("Patient?identifier=1&active=true", Some(7));
        let expected =
            "SELECT count(*) FROM patient WHERE (tokens @> $1::int8[] AND $2::int8 = ANY(filters))";
        assert_eq!(count(&plan).text(), expected);
        let text = identities(&planned("Patient?active=true", None), 2).text();
        let expected = "SELECT id, version_key FROM patient WHERE $1::int8 = ANY(filters) ORDER BY version_key LIMIT $2::int8";
        assert_eq!(text, expected);
    }

    #[test]
    fn values_travel_as_binds() {
        let binds = |search: &str| {
            page(&planned(search, None), 2).binds().into_iter().cloned().collect::<Vec<_>>()
        };
        let patient = Bind::Int8(resource_key("Patient", "1"));
        assert_eq!(binds("Observation?patient=1"), [patient, Bind::Int8(2)]);
        let url = hash(b"http://a.test'; --") ^ salt("ValueSet", "url");
        assert_eq!(
            binds("ValueSet?url=http://a.test'; --"),
            [Bind::Int8Array(vec![url]), Bind::Int8(2)]
        );
        let texts = ["ann", "ano"].map(|text| Bind::Text(text.to_owned()));
        let [low, high] = texts;
        assert_eq!(
            binds("Patient?name=Ann"),
            [Bind::Int8(salt("Patient", "name")), low, high, Bind::Int8(2)]
        );
        let practitioner = resource_key("Practitioner", "9") ^ salt("Appointment", "actor");
        let tokens = Bind::Int8Array(vec![practitioner]);
        assert_eq!(binds("Appointment?actor=Practitioner/9"), [tokens, Bind::Int8(2)]);
    }
}
