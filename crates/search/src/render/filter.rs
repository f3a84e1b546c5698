//! Conditions in a form that no index serves, so that they cannot take the lead.

use super::leaf::keys_of;
use super::{At, wall};
use crate::compare::Span;
use crate::condition::{Code, Column, Condition, Text, Via};
use crate::date::Range;
use crate::extract::wide;
use crate::parameter::near;
use crate::plan::{Lead, Plan};
use crate::sql::{Bind, Sql};
use access::Labels;

pub(super) fn as_filters(conditions: &[Condition], at: At) -> Vec<Sql> {
    conditions.iter().map(|condition| as_filter(condition, at)).collect()
}

pub(super) fn as_filter(condition: &Condition, at: At) -> Sql {
    match condition {
        Condition::All(all) => Sql::all(as_filters(all, at)),
        Condition::Any(any) => Sql::any(as_filters(any, at)),
        // What is unknown is not met.
        Condition::Not(condition) => {
            Sql::text_of("(").append(as_filter(condition, at)).then(") IS NOT TRUE")
        }
        Condition::Ids(ids) => {
            at.column(".id || '' = ANY(").bind(Bind::TextArray(ids.clone())).then(")")
        }
        Condition::Versions(ranges) => Sql::any(
            ranges.iter().map(|range| between(at.column(".version_key - 0"), range)).collect(),
        ),
        Condition::Keys { patients, tokens, filters } => {
            let mut any = Vec::new();
            if !patients.is_empty() {
                any.push(one_of(at.column(".patient + 0 = "), patients));
            }
            match tokens.as_slice() {
                [] => {}
                [key] => any.push(
                    Sql::default()
                        .bind(Bind::Int8(*key))
                        .then(" = ANY(")
                        .append(at.column(".tokens)")),
                ),
                keys => {
                    let keys = Bind::Int8Array(keys.to_vec());
                    any.push(
                        Sql::text_of("(")
                            .append(at.column(".tokens || '{}'::int8[]) && "))
                            .bind(keys),
                    );
                }
            }
            any.extend(of_filters(filters, at));
            Sql::any(any)
        }
        Condition::Codes(codes) => {
            Sql::any(codes.iter().map(|code| code_filter(*code, at)).collect())
        }
        Condition::Actors(keys) => Sql::any(of_filters(keys, at).into_iter().collect()),
        Condition::Date(spans) => {
            spans_of(spans, &|| at.column(".date_low - 0"), &|| at.column(".date_high - 0"))
        }
        Condition::Quantity { column, scale, spans } => {
            Sql::all(vec![has_filter(*scale, at), quantity(*column, spans, at)])
        }
        Condition::Strings { parameter, texts } => {
            let texts = Sql::any(texts.iter().map(|text| of_text(text, at)).collect());
            exists("string_entry", at)
                .append(at.of_entry(".parameter_key + 0 = "))
                .bind(Bind::Int8(*parameter))
                .then(" AND ")
                .append(texts)
                .then(CLOSED)
        }
        Condition::Concepts { parameter, texts, .. } => at
            .column(".filters && ARRAY(")
            .append(concepts(".text_key", *parameter, texts, at))
            .then(")"),
        Condition::ConceptWord { word, is_indexed } => match is_indexed {
            true => Sql::text_of("(").append(at.column(".tokens || '{}'::int8[]) && ARRAY(")),
            false => at.column(".filters && ARRAY("),
        }
        .append(concepts_with(*word, at))
        .then(")"),
        Condition::Ranges { parameter, spans } => exists("range_entry", at)
            .append(at.of_entry(".parameter_key + 0 = ANY("))
            .bind(Bind::Int8Array(vec![*parameter, wide(*parameter)]))
            .then(") AND ")
            .append(of_ranges(spans, at))
            .then(CLOSED),
        Condition::Near { parameter, places } => exists("range_entry", at)
            .append(at.of_entry(".parameter_key + 0 = "))
            .bind(Bind::Int8(*parameter))
            .then(" AND ")
            .append(Sql::any(places.iter().map(|place| near(place, at)).collect()))
            .then(CLOSED),
        Condition::Missing(mask) => {
            Sql::text_of("(").append(at.column(".present & ")).bind(Bind::Int8(*mask)).then(") = 0")
        }
        Condition::Unlabelled(labels) => wall::without(at, Labels::of_bits(*labels)),
        Condition::Wall(wall) => wall::as_filter(wall, at, wall::Of::Resource),
        Condition::Refers { via, plan } => refers(*via, plan, at),
        Condition::Referred { via, plan } => referred(*via, plan, at),
    }
}

/// A key of each text, from the table of all texts that codes have.
pub(super) fn concepts(key: &'static str, parameter: i64, texts: &[Text], at: At) -> Sql {
    Sql::text_of("SELECT ")
        .append(at.of_entry(key))
        .then(" FROM concept_text AS ")
        .then(at.entry())
        .then(" WHERE ")
        .append(at.of_entry(".parameter_key = "))
        .bind(Bind::Int8(parameter))
        .then(" AND ")
        .append(Sql::any(texts.iter().map(|text| of_text(text, at)).collect()))
}

/// The keys of the texts that have a word.
pub(super) fn concepts_with(word: i64, at: At) -> Sql {
    Sql::text_of("SELECT ")
        .append(at.of_entry(".text_key FROM concept_text AS "))
        .then(at.entry())
        .then(" WHERE ")
        .append(at.of_entry(".words @> "))
        .bind(Bind::Int8Array(vec![word]))
}

/// All conditions of a plan, the lead among them.
pub(super) fn plan_as_filters(plan: &Plan, at: At) -> Vec<Sql> {
    let mut all = match &plan.lead {
        Lead::Walk | Lead::Dates => Vec::new(),
        Lead::Patient(key) => vec![at.column(".patient + 0 = ").bind(Bind::Int8(*key))],
        Lead::Code(code) => vec![code_filter(*code, at)],
        Lead::Measured { code, scale, spans } => {
            vec![
                code_filter(*code, at),
                has_filter(*scale, at),
                quantity(Column::Quantity, spans, at),
            ]
        }
        Lead::Actor(key) => vec![has_filter(*key, at)],
        Lead::Tokens(keys) => keys
            .iter()
            .map(|key| {
                Sql::default().bind(Bind::Int8(*key)).then(" = ANY(").append(at.column(".tokens)"))
            })
            .collect(),
        Lead::Text { parameter, text } => {
            let condition = Condition::Strings { parameter: *parameter, texts: vec![text.clone()] };
            vec![as_filter(&condition, at)]
        }
        Lead::Found(condition) => vec![as_filter(condition, at)],
    };
    all.extend(as_filters(&plan.rest, at));
    all
}

/// The end of an `exists`. An OFFSET keeps PostgreSQL from making a join of it: the lead is chosen already, and a hundred joins take
/// seconds to plan.
const CLOSED: &str = " OFFSET 0)";

fn exists(table: &'static str, at: At) -> Sql {
    Sql::text_of("EXISTS (SELECT 1 FROM ")
        .then(table)
        .then(" AS ")
        .then(at.entry())
        .then(" WHERE ")
        .append(at.of_entry(".resource_key = "))
        .append(at.column(".key AND "))
}

fn refers(via: Via, plan: &Plan, at: At) -> Sql {
    let below = at.below();
    let head = Sql::text_of("EXISTS (SELECT 1 FROM open.")
        .then(plan.table.name)
        .then(" AS ")
        .then(below.table())
        .then(" WHERE ")
        .append(below.column(".key = "));
    let (column, salt) = match via {
        Via::Patient => {
            let conditions = Sql::all(plan_as_filters(plan, below));
            return head.append(at.column(".patient AND ")).append(conditions).then(")");
        }
        Via::Tokens { salt } => (".tokens) AS salted))", salt),
        Via::Actors { salt } => (".filters) AS salted))", salt),
    };
    head.then("ANY(ARRAY(SELECT salted # ")
        .bind(Bind::Int8(salt))
        .then(" FROM unnest(")
        .append(at.column(column))
        .then(" AND ")
        .append(Sql::all(plan_as_filters(plan, below)))
        .then(")")
}

fn referred(via: Via, plan: &Plan, at: At) -> Sql {
    let below = at.below();
    let conditions = || Sql::all(plan_as_filters(plan, below));
    let head = |source: Sql| Sql::text_of("EXISTS (SELECT 1 FROM ").append(source).then(" WHERE ");
    let table = || Sql::text_of("open.").then(plan.table.name).then(" AS ").then(below.table());
    match via {
        Via::Patient => head(table())
            .append(below.column(".patient = "))
            .append(at.column(".key AND "))
            .append(conditions())
            .then(")"),
        Via::Tokens { salt } => head(table())
            .append(below.column(".tokens @> ARRAY["))
            .append(at.column(".key # "))
            .bind(Bind::Int8(salt))
            .then("] AND ")
            .append(conditions())
            .then(")"),
        Via::Actors { salt } => {
            let source = Sql::text_of("reference_entry AS ")
                .then(below.entry())
                .then(" JOIN ")
                .append(table())
                .then(" ON ")
                .append(below.column(".key = "))
                .append(below.of_entry(".resource_key"));
            head(source)
                .append(below.of_entry(".target_key = "))
                .append(at.column(".key # "))
                .bind(Bind::Int8(salt))
                .then(" AND ")
                .append(conditions())
                .then(")")
        }
    }
}

/// The keys that a plan finds, for a condition that it leads.
pub(super) fn found_by(via: Via, plan: &Plan, at: At, is_target: bool) -> Sql {
    let below = at.below();
    let expression = match (via, is_target) {
        (Via::Patient, true) => below.column(".key"),
        (Via::Tokens { salt } | Via::Actors { salt }, true) => {
            below.column(".key # ").bind(Bind::Int8(salt))
        }
        (Via::Patient, false) => below.column(".patient"),
        (Via::Tokens { salt }, false) => {
            Sql::text_of("unnest(").append(below.column(".tokens) # ")).bind(Bind::Int8(salt))
        }
        (Via::Actors { salt }, false) => {
            Sql::text_of("unnest(").append(below.column(".filters) # ")).bind(Bind::Int8(salt))
        }
    };
    keys_of(plan, below, &expression)
}

pub(super) fn has_filter(key: i64, at: At) -> Sql {
    Sql::default().bind(Bind::Int8(key)).then(" = ANY(").append(at.column(".filters)"))
}

pub(super) fn of_filters(keys: &[i64], at: At) -> Option<Sql> {
    match keys {
        [] => None,
        [key] => Some(has_filter(*key, at)),
        keys => Some(at.column(".filters && ").bind(Bind::Int8Array(keys.to_vec()))),
    }
}

fn one_of(column: Sql, keys: &[i64]) -> Sql {
    match keys {
        [key] => column.bind(Bind::Int8(*key)),
        keys => column.then("ANY(").bind(Bind::Int8Array(keys.to_vec())).then(")"),
    }
}

fn code_filter(code: Code, at: At) -> Sql {
    let key = || Bind::Int8(code.key);
    let any = Sql::any(vec![
        at.column(".code + 0 = ").bind(key()),
        at.column(".code2 + 0 = ").bind(key()),
        has_filter(code.key, at),
    ]);
    Sql::all([any].into_iter().chain(code.filter.map(|filter| has_filter(filter, at))).collect())
}

pub(super) fn quantity(column: Column, spans: &[Span], at: At) -> Sql {
    let column = || match column {
        Column::Number => at.column(".number + 0"),
        Column::Quantity => at.column(".quantity + 0"),
    };
    Sql::any(spans.iter().map(|span| point(span, &column)).collect())
}

pub(super) fn point(span: &Span, column: &dyn Fn() -> Sql) -> Sql {
    let (from, to) = span.point();
    if from > to {
        return Sql::text_of("FALSE");
    }
    let mut all = Vec::new();
    bound(&mut all, column(), from, to);
    // A row without a number lies nowhere.
    if all.is_empty() { column().then(" IS NOT NULL") } else { Sql::all(all) }
}

fn bound(all: &mut Vec<Sql>, column: Sql, from: i64, to: i64) {
    if from != i64::MIN {
        all.push(column.clone().then(" >= ").bind(Bind::Int8(from)));
    }
    if to != i64::MAX {
        all.push(column.then(" <= ").bind(Bind::Int8(to)));
    }
}

pub(super) fn spans_of(spans: &[Span], low: &dyn Fn() -> Sql, high: &dyn Fn() -> Sql) -> Sql {
    let each = spans.iter().map(|span| {
        let mut all = Vec::new();
        bound(&mut all, low(), span.low_from, span.low_to);
        bound(&mut all, high(), span.high_from, span.high_to);
        Sql::all(all)
    });
    Sql::any(each.collect())
}

pub(super) fn of_ranges(spans: &[Span], at: At) -> Sql {
    spans_of(spans, &|| at.of_entry(".low"), &|| at.of_entry(".high"))
}

pub(super) fn of_text(text: &Text, at: At) -> Sql {
    let mut all = Vec::new();
    if !text.low.is_empty() {
        all.push(at.of_entry(".value >= ").bind(Bind::Text(text.low.clone())));
    }
    if let Some(high) = &text.high {
        all.push(at.of_entry(".value < ").bind(Bind::Text(high.clone())));
    }
    if let Some(part) = &text.contains {
        let part = Bind::Text(part.clone());
        all.push(Sql::text_of("strpos(").append(at.of_entry(".value, ")).bind(part).then(") > 0"));
    }
    if let Some(end) = &text.ends {
        let end = || Bind::Text(end.clone());
        all.push(
            Sql::text_of("right(")
                .append(at.of_entry(".value, char_length("))
                .bind(end())
                .then(")) = ")
                .bind(end()),
        );
    }
    if let Some(exact) = text.exact {
        all.push(at.of_entry(".exact = ").bind(Bind::Int8(exact)));
    }
    Sql::all(all)
}

/// Within the box, and by the great circle.
pub(super) fn near(place: &near::Wanted, at: At) -> Sql {
    let (latitudes, longitudes) = place.around();
    let mut all = Vec::new();
    bound(&mut all, at.of_entry(".low"), latitudes.0, latitudes.1);
    bound(&mut all, at.of_entry(".high"), longitudes.0, longitudes.1);
    let latitude = || Bind::Float8(place.latitude);
    all.push(
        Sql::text_of("12742017.6 * asin(least(1, sqrt(power(sin(radians(")
            .append(at.of_entry(".low / 1e6 - "))
            .bind(latitude())
            .then(") / 2), 2) + cos(radians(")
            .bind(latitude())
            .then(")) * cos(radians(")
            .append(at.of_entry(".low / 1e6)) * power(sin(radians("))
            .append(at.of_entry(".high / 1e6 - "))
            .bind(Bind::Float8(place.longitude))
            .then(") / 2), 2)))) <= ")
            .bind(Bind::Float8(place.metres)),
    );
    Sql::all(all)
}

fn between(column: Sql, range: &Range) -> Sql {
    let mut all = Vec::new();
    if range.low > 0 {
        all.push(column.clone().then(" >= ").bind(Bind::Int8(range.low)));
    }
    if range.high < i64::MAX {
        all.push(column.then(" < ").bind(Bind::Int8(range.high)));
    }
    Sql::all(all)
}

/// Where the walk along the version key begins and ends.
pub(super) fn version_bounds(conditions: &[Condition]) -> Vec<Sql> {
    let bounds = conditions.iter().filter_map(|condition| match condition {
        Condition::Versions(ranges) => {
            let low = ranges.iter().map(|range| range.low).min()?;
            let high = ranges.iter().map(|range| range.high).max()?;
            Some(Range { low, high })
        }
        _ => None,
    });
    bounds.map(|range| between(Sql::text_of("t0.version_key"), &range)).collect()
}
