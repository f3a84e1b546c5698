//! A plan as SQL. What the statements return is what `store::row` reads.

use crate::plan::{Condition, Plan, StringRanges, Way};
use crate::query::KeyRange;
use crate::sql::{Bind, Sql};

/// The versions of one page, ascending by version key.
pub fn page(plan: &Plan, limit: u32) -> Sql {
    const COLUMNS: &str =
        "id, version, version_key, hospital, patient, shard, method, dictionary, body";
    let end = Sql::text_of(" ORDER BY version_key LIMIT ").bind(Bind::Int8(i64::from(limit)));
    let is_walk = matches!(plan.way, Way::Walk | Way::Patient(_));
    let select = Sql::text_of("SELECT ").then(COLUMNS).then(" FROM ");
    if is_walk {
        return select.then(plan.table.name).then(" WHERE ").append(wheres(plan)).append(end);
    }
    // Found first, sorted then: PostgreSQL must not walk the whole table in order and hope to meet a match.
    Sql::text_of("WITH matched AS MATERIALIZED (")
        .append(select)
        .then(plan.table.name)
        .then(" WHERE ")
        .append(wheres(plan))
        .then(") SELECT * FROM matched")
        .append(end)
}

/// How many match, of all pages.
pub fn count(plan: &Plan) -> Sql {
    let whole = Plan { after: None, ..plan.clone() };
    Sql::text_of("SELECT count(*) FROM ")
        .then(plan.table.name)
        .then(" WHERE ")
        .append(wheres(&whole))
}

fn wheres(plan: &Plan) -> Sql {
    let mut all = vec![way(&plan.way)];
    all.extend(plan.conditions.iter().map(condition));
    if let Some(key) = plan.after {
        all.push(Sql::text_of("version_key > ").bind(Bind::Int8(key)));
    }
    Sql::all(all)
}

fn way(way: &Way) -> Sql {
    match way {
        Way::Ids(ids) => Sql::text_of("id = ANY(").bind(Bind::TextArray(ids.clone())).then(")"),
        Way::Patient(key) => Sql::text_of("patient = ").bind(Bind::Int8(*key)),
        Way::Patients { keys, or_tokens } => {
            let patients =
                Sql::text_of("patient = ANY(").bind(Bind::Int8Array(keys.clone())).then(")");
            if or_tokens.is_empty() {
                patients
            } else {
                Sql::any(vec![patients, tokens(or_tokens)])
            }
        }
        Way::Tokens(keys) => tokens(keys),
        Way::Strings(ranges) => strings(ranges),
        Way::Walk => Sql::text_of("TRUE"),
    }
}

/// In the form that the GIN index serves.
fn tokens(keys: &[i64]) -> Sql {
    match keys {
        [only] => Sql::text_of("tokens @> ARRAY[").bind(Bind::Int8(*only)).then("]"),
        _ => Sql::text_of("tokens && ").bind(Bind::Int8Array(keys.to_vec())),
    }
}

/// Conditions are said so that no index serves them: they are looked at on the rows that the way finds.
fn condition(condition: &Condition) -> Sql {
    match condition {
        Condition::Ids(ids) => {
            Sql::text_of("id = ANY(").bind(Bind::TextArray(ids.clone())).then(")")
        }
        Condition::Versions(ranges) => Sql::any(ranges.iter().map(range).collect()),
        Condition::Tokens(keys) => among("tokens", keys),
        Condition::Filters(keys) => among("filters", keys),
        Condition::TokensOrFilters { tokens, filters } => {
            Sql::any(vec![among("tokens", tokens), among("filters", filters)])
        }
        Condition::Patients { keys, or_tokens } => {
            let patient =
                Sql::text_of("patient = ANY(").bind(Bind::Int8Array(keys.clone())).then(")");
            if or_tokens.is_empty() {
                patient
            } else {
                Sql::any(vec![patient, among("tokens", or_tokens)])
            }
        }
        Condition::Strings(ranges) => strings(ranges),
    }
}

fn among(column: &'static str, keys: &[i64]) -> Sql {
    Sql::any(
        keys.iter()
            .take(ONE_BY_ONE_MAX)
            .map(|key| Sql::default().bind(Bind::Int8(*key)).then(" = ANY(").then(column).then(")"))
            .chain((keys.len() > ONE_BY_ONE_MAX).then(|| {
                let rest = keys.get(ONE_BY_ONE_MAX..).unwrap_or_default().to_vec();
                Sql::text_of("(").then(column).then(" || '{}') && ").bind(Bind::Int8Array(rest))
            }))
            .collect(),
    )
}

/// Beyond this many keys a statement would have too many shapes: the rest go in one array.
const ONE_BY_ONE_MAX: usize = 4;

fn range(range: &KeyRange) -> Sql {
    Sql::text_of("(version_key >= ")
        .bind(Bind::Int8(range.low))
        .then(" AND version_key < ")
        .bind(Bind::Int8(range.high))
        .then(")")
}

fn strings(ranges: &StringRanges) -> Sql {
    let one = |(low, high): &(String, Option<String>)| {
        let from = Sql::text_of("(value >= ").bind(Bind::Text(low.clone()));
        match high {
            Some(high) => from.then(" AND value < ").bind(Bind::Text(high.clone())).then(")"),
            None => from.then(")"),
        }
    };
    Sql::text_of("key IN (SELECT resource_key FROM string_entry WHERE parameter_key = ")
        .bind(Bind::Int8(ranges.parameter_key))
        .then(" AND ")
        .append(Sql::any(ranges.ranges.iter().map(one).collect()))
        .then(")")
}

#[cfg(test)]
mod tests {
    use super::{count, page};
    use crate::plan::plan;
    use crate::query::{Context, Query, Unknown};
    use access::{Caller, HospitalId, Interaction, Wish, decide};
    use jiff::tz::TimeZone;

    fn check(resource: &'static str, pairs: &[(&str, &str)], expected: &str) {
        let zone = TimeZone::UTC;
        let context =
            Context { base_url: "http://here/fhir", time_zone: &zone, unknown: Unknown::Refuse };
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let query = Query::parse(resource, &pairs, &context).unwrap();
        let wish = Wish { interaction: Interaction::Search, resource: Some(resource) };
        let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
        let text = count(&plan(&query, &grant).unwrap()).text();
        assert_eq!(text.split_once(" WHERE ").unwrap().1, expected);
        let page = page(&plan(&query, &grant).unwrap(), 3).text();
        assert!(
            page.contains(expected) && page.contains(" ORDER BY version_key LIMIT $"),
            "{page}"
        );
    }

    #[test]
    fn each_shape_has_one_way() {
        check("Patient", &[], "(TRUE)");
        check("Patient", &[("_id", "a,b")], "(id = ANY($1::text[]))");
        check("Patient", &[("identifier", "s|v")], "(tokens @> ARRAY[$1::int8])");
        check("Patient", &[("identifier", "s|v,w")], "(tokens && $1::int8[])");
        check("Patient", &[("gender", "female")], "(TRUE AND ($1::int8 = ANY(filters)))");
        check(
            "Patient",
            &[("gender", "female"), ("identifier", "s|v")],
            "(tokens @> ARRAY[$1::int8] AND ($2::int8 = ANY(filters)))",
        );
        check("Patient", &[("identifier", "s|")], "(TRUE AND ($1::int8 = ANY(filters)))");
        check(
            "Patient",
            &[("family", "wa")],
            "(key IN (SELECT resource_key FROM string_entry WHERE parameter_key = $1::int8 AND ((value >= $2::text AND value < $3::text))))",
        );
        check("Observation", &[("patient", "1")], "(patient = $1::int8)");
        check("Observation", &[("subject", "Patient/1")], "(patient = $1::int8)");
        check(
            "Observation",
            &[("patient", "1"), ("code", "a|b")],
            "(tokens @> ARRAY[$1::int8] AND patient = ANY($2::int8[]))",
        );
        check("Observation", &[("subject", "Group/1")], "(tokens @> ARRAY[$1::int8])");
        check(
            "Observation",
            &[("subject", "1")],
            "((patient = ANY($1::int8[]) OR tokens && $2::int8[]))",
        );
        check(
            "Patient",
            &[("_lastUpdated", "ge2026")],
            "(TRUE AND ((version_key >= $1::int8 AND version_key < $2::int8)))",
        );
    }
}
