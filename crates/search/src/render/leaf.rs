//! Leads as leaves: conditions that an index serves.

use super::At;
use super::filter::{
    as_filter, as_filters, concepts, concepts_with, found_by, has_filter, near, of_filters,
    of_ranges, of_text, point,
};
use crate::compare::{Span, WIDE};
use crate::condition::{Code, ConceptLead, Condition, Via};
use crate::extract::wide;
use crate::plan::{Lead, Order, Plan, bounds};
use crate::sql::{Bind, Sql};

/// Where rows come from, and what the lead asks of them.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Begins with ` FROM `.
    pub(super) source: Sql,
    pub(super) conditions: Vec<Sql>,
    /// Of the few dates that are wide: these have an index of their own, which is not in the order of the date.
    pub(super) is_wide: bool,
}

/// What a leaf asks, and whether it is of wide dates.
type Asked = (Vec<Sql>, bool);

#[derive(Debug)]
pub(super) struct Leaves {
    pub(super) leaves: Vec<Leaf>,
    /// Whether no row is in two of them.
    pub(super) is_apart: bool,
    /// Whether an index gives each in the order that was asked for.
    pub(super) is_in_order: bool,
}

pub(super) fn leaves(plan: &Plan, at: At, order: Order) -> Leaves {
    let (conditions, is_apart) = conditions(plan, at);
    let source = source(plan, at);
    let leaves = conditions.into_iter().map(|(conditions, is_wide)| Leaf {
        source: source.clone(),
        conditions,
        is_wide,
    });
    Leaves { leaves: leaves.collect(), is_apart, is_in_order: is_in_order(plan, order) }
}

fn is_in_order(plan: &Plan, order: Order) -> bool {
    match (&plan.lead, order) {
        (Lead::Walk, Order::Version { .. }) => true,
        (Lead::Patient(_), Order::Version { .. }) => !plan.is_dated,
        (
            Lead::Walk | Lead::Dates | Lead::Patient(_) | Lead::Code(_) | Lead::Actor(_),
            Order::Date { .. },
        ) => true,
        (Lead::Measured { .. }, Order::Quantity) | (Lead::Text { .. }, Order::Text) => true,
        (
            Lead::Walk
            | Lead::Dates
            | Lead::Patient(_)
            | Lead::Code(_)
            | Lead::Measured { .. }
            | Lead::Actor(_)
            | Lead::Text { .. }
            | Lead::Tokens(_)
            | Lead::Found(_),
            _,
        ) => false,
    }
}

fn source(plan: &Plan, at: At) -> Sql {
    let table = Sql::text_of("open.").then(plan.table.name).then(" AS ").then(at.table());
    let joined = |entries: &'static str, table: Sql| {
        Sql::text_of(entries)
            .then(at.entry())
            .then(" JOIN ")
            .append(table)
            .then(" ON ")
            .append(at.column(".key = "))
            .append(at.of_entry(".resource_key"))
    };
    match plan.lead {
        Lead::Actor(_) => joined(" FROM reference_entry AS ", table),
        Lead::Text { .. } => joined(" FROM string_entry AS ", table),
        Lead::Walk
        | Lead::Dates
        | Lead::Patient(_)
        | Lead::Code(_)
        | Lead::Measured { .. }
        | Lead::Tokens(_)
        | Lead::Found(_) => Sql::text_of(" FROM ").append(table),
    }
}

/// Keys of all that a plan finds: `expression` of each row.
pub(super) fn keys_of(plan: &Plan, at: At, expression: &Sql) -> Sql {
    let leaves = leaves(plan, at, Order::Version { descending: false });
    let rest = as_filters(&plan.rest, at);
    let selects = leaves.leaves.into_iter().map(|leaf| {
        Sql::text_of("SELECT ")
            .append(expression.clone())
            .append(leaf.source)
            .then(" WHERE ")
            .append(Sql::all(leaf.conditions.into_iter().chain(rest.clone()).collect()))
    });
    Sql::joined(selects.collect(), " UNION ")
}

fn conditions(plan: &Plan, at: At) -> (Vec<Asked>, bool) {
    let narrow = |leaves: Vec<Vec<Sql>>| leaves.into_iter().map(|leaf| (leaf, false)).collect();
    match &plan.lead {
        Lead::Walk => (narrow(vec![Vec::new()]), true),
        Lead::Dates => (dated(plan, vec![Vec::new()], &|| at.column(".date_low + 0"), at), true),
        Lead::Patient(key) => {
            (narrow(vec![vec![at.column(".patient = ").bind(Bind::Int8(*key))]]), true)
        }
        Lead::Code(code) => (dated(plan, of_code(*code, at), &|| at.column(".date_low"), at), true),
        Lead::Measured { code, scale, spans } => {
            let spans = apart(spans);
            let leaves = of_code(*code, at).into_iter().flat_map(|leaf| {
                spans.iter().map(move |span| {
                    let mut leaf = leaf.clone();
                    leaf.push(point(span, &|| at.column(".quantity")));
                    leaf.push(has_filter(*scale, at));
                    leaf
                })
            });
            (narrow(leaves.collect()), true)
        }
        Lead::Actor(key) => {
            let leaf = vec![at.of_entry(".target_key = ").bind(Bind::Int8(*key))];
            (dated(plan, vec![leaf], &|| at.of_entry(".date_low"), at), true)
        }
        Lead::Text { parameter, text } => {
            let key = || Bind::Int8(*parameter);
            // A resource comes at the first of its texts.
            let earlier = Sql::text_of(
                "NOT EXISTS (SELECT 1 FROM string_entry AS other WHERE other.resource_key = ",
            )
            .append(at.of_entry(".resource_key AND other.parameter_key + 0 = "))
            .bind(key())
            .then(" AND other.value >= ")
            .bind(Bind::Text(text.low.clone()))
            .append(
                text.exact
                    .map(|exact| Sql::text_of(" AND other.exact = ").bind(Bind::Int8(exact)))
                    .unwrap_or_default(),
            )
            .then(" AND (other.value, other.exact) < (")
            .append(at.of_entry(".value, "))
            .append(at.of_entry(".exact))"));
            let leaf =
                vec![at.of_entry(".parameter_key = ").bind(key()), of_text(text, at), earlier];
            (narrow(vec![leaf]), true)
        }
        Lead::Tokens(keys) => {
            let leaf = vec![at.column(".tokens @> ").bind(Bind::Int8Array(keys.clone()))];
            (narrow(vec![leaf]), true)
        }
        Lead::Found(condition) => {
            let leaves = leading(condition, at);
            let is_apart = leaves.len() == 1;
            (narrow(leaves.into_iter().map(|leaf| vec![leaf]).collect()), is_apart)
        }
    }
}

/// Points that no two of the spans share.
fn apart(spans: &[Span]) -> Vec<Span> {
    let mut points: Vec<(i64, i64)> =
        spans.iter().map(Span::point).filter(|(from, to)| from <= to).collect();
    points.sort_unstable();
    let mut apart: Vec<(i64, i64)> = Vec::new();
    for (from, to) in points {
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => apart.push((from, to)),
        }
    }
    let span =
        |(from, to)| Span { low_from: from, low_to: to, high_from: i64::MIN, high_to: i64::MAX };
    apart.into_iter().map(span).collect()
}

/// Resources with an entry in `reference_entry`.
fn entered(keys: Vec<i64>, at: At) -> Sql {
    at.column(".key = ANY(ARRAY(SELECT ")
        .append(at.of_entry(".resource_key FROM reference_entry AS "))
        .then(at.entry())
        .then(" WHERE ")
        .append(at.of_entry(".target_key = ANY("))
        .bind(Bind::Int8Array(keys))
        .then(")))")
}

/// The same of keys that a SELECT finds.
fn entered_in(keys: Sql, at: At) -> Sql {
    at.column(".key = ANY(ARRAY(SELECT ")
        .append(at.of_entry(".resource_key FROM reference_entry AS "))
        .then(at.entry())
        .then(" WHERE ")
        .append(at.of_entry(".target_key = ANY(ARRAY("))
        .append(keys)
        .then("))))")
}

/// A code stands first, second, or beyond; never in two places.
fn of_code(code: Code, at: At) -> Vec<Vec<Sql>> {
    let key = || Bind::Int8(code.key);
    let leaves = [
        at.column(".code = ").bind(key()),
        at.column(".code2 = ").bind(key()),
        entered(vec![code.key], at),
    ];
    leaves
        .into_iter()
        .map(|leaf| {
            [leaf].into_iter().chain(code.filter.map(|filter| has_filter(filter, at))).collect()
        })
        .collect()
}

/// With the bounds that conditions set to the leading date: for the few dates that are wide in a leaf of their own.
fn dated(plan: &Plan, leaves: Vec<Vec<Sql>>, low: &dyn Fn() -> Sql, at: At) -> Vec<Asked> {
    let (mut from, mut to, mut has_wide) = (i64::MIN, i64::MAX, false);
    let mut ends_from = i64::MIN;
    for condition in &plan.rest {
        if let Condition::Date(spans) = condition {
            let (low, high) = bounds(spans);
            (from, to) = (from.max(low), to.min(high));
            has_wide |= spans.iter().any(Span::has_wide);
            let ends = spans.iter().map(|span| span.low_from.max(span.high_from)).min();
            ends_from = ends_from.max(ends.unwrap_or(i64::MIN));
        }
    }
    let mut since = Vec::new();
    if to != i64::MAX {
        since.push(low().then(" <= ").bind(Bind::Int8(to)));
    }
    if from != i64::MIN {
        since.push(low().then(" >= ").bind(Bind::Int8(from)));
    }
    let mut all = Vec::new();
    for leaf in leaves {
        let with = |more: &[Sql]| leaf.iter().chain(more).cloned().collect::<Vec<Sql>>();
        if has_wide && from != i64::MIN {
            const _: () = assert!(WIDE == 90_000_000_000, "the index of wide dates says so");
            let width = at.column(".date_high - ").append(at.column(".date_low"));
            let mut short = with(&since);
            short.push(width.clone().then(" <= 90000000000"));
            let mut long = leaf.clone();
            long.push(width.then(" > 90000000000"));
            // What begins early ends late: these have an index by their end.
            if ends_from != i64::MIN {
                long.push(at.column(".date_high >= ").bind(Bind::Int8(ends_from)));
            }
            all.extend([(short, false), (long, true)]);
        } else {
            all.push((with(&since), false));
        }
    }
    all
}

/// In forms that an index serves; together they are the condition.
fn leading(condition: &Condition, at: At) -> Vec<Sql> {
    match condition {
        Condition::Ids(ids) => {
            vec![at.column(".id = ANY(").bind(Bind::TextArray(ids.clone())).then(")")]
        }
        Condition::Keys { patients, tokens, filters } => {
            let mut any = Vec::new();
            if !patients.is_empty() {
                let patients = Bind::Int8Array(patients.clone());
                any.push(at.column(".patient = ANY(").bind(patients).then(")"));
            }
            if !tokens.is_empty() {
                any.push(at.column(".tokens && ").bind(Bind::Int8Array(tokens.clone())));
            }
            any.extend(of_filters(filters, at));
            vec![Sql::any(any)]
        }
        Condition::Codes(codes) => {
            let keys = || Bind::Int8Array(codes.iter().map(|code| code.key).collect());
            let leaves = [
                at.column(".code = ANY(").bind(keys()).then(")"),
                at.column(".code2 = ANY(").bind(keys()).then(")"),
                entered(codes.iter().map(|code| code.key).collect(), at),
            ];
            let has_filters = codes.iter().any(|code| code.filter.is_some());
            let exactly = |leaf| match has_filters {
                true => Sql::all(vec![leaf, as_filter(condition, at)]),
                false => leaf,
            };
            leaves.into_iter().map(exactly).collect()
        }
        Condition::Actors(keys) => vec![entered(keys.clone(), at)],
        Condition::Strings { parameter, texts } => {
            let each = texts.iter().map(|text| {
                entries("string_entry", at)
                    .append(at.of_entry(".parameter_key = "))
                    .bind(Bind::Int8(*parameter))
                    .then(" AND ")
                    .append(of_text(text, at))
            });
            vec![one_of(each.collect(), at)]
        }
        Condition::Concepts { parameter, texts, lead } => {
            let keys = || concepts(".lead_key", *parameter, texts, at);
            let leaves = match lead {
                ConceptLead::Codes => vec![
                    at.column(".code = ANY(ARRAY(").append(keys()).then("))"),
                    at.column(".code2 = ANY(ARRAY(").append(keys()).then("))"),
                    entered_in(keys(), at),
                ],
                ConceptLead::Tokens => {
                    vec![at.column(".tokens && ARRAY(").append(keys()).then(")")]
                }
                ConceptLead::None => return vec![as_filter(condition, at)],
            };
            let exactly = |leaf| Sql::all(vec![leaf, as_filter(condition, at)]);
            leaves.into_iter().map(exactly).collect()
        }
        Condition::ConceptWord { word, is_indexed: true } => {
            vec![at.column(".tokens && ARRAY(").append(concepts_with(*word, at)).then(")")]
        }
        Condition::Ranges { parameter, spans } => {
            let (from, to) = bounds(spans);
            let keyed = |key: i64, from: i64| {
                let mut all = vec![at.of_entry(".parameter_key = ").bind(Bind::Int8(key))];
                if from != i64::MIN {
                    all.push(at.of_entry(".low >= ").bind(Bind::Int8(from)));
                }
                if to != i64::MAX {
                    all.push(at.of_entry(".low <= ").bind(Bind::Int8(to)));
                }
                all.push(of_ranges(spans, at));
                entries("range_entry", at).append(Sql::all(all))
            };
            vec![one_of(vec![keyed(*parameter, from), keyed(wide(*parameter), i64::MIN)], at)]
        }
        Condition::Near { parameter, places } => {
            let each = places.iter().map(|place| {
                entries("range_entry", at)
                    .append(at.of_entry(".parameter_key = "))
                    .bind(Bind::Int8(*parameter))
                    .then(" AND ")
                    .append(near(place, at))
            });
            vec![one_of(each.collect(), at)]
        }
        Condition::Refers { via, plan } => {
            let found = found_by(*via, plan, at, true);
            vec![match via {
                Via::Patient => at.column(".patient = ANY(ARRAY(").append(found).then("))"),
                Via::Tokens { .. } => at.column(".tokens && ARRAY(").append(found).then(")"),
                Via::Actors { .. } => entered_in(found, at),
            }]
        }
        Condition::Referred { via, plan } => {
            let found = found_by(*via, plan, at, false);
            vec![at.column(".key = ANY(ARRAY(").append(found).then("))")]
        }
        Condition::Any(any) => any.iter().flat_map(|condition| leading(condition, at)).collect(),
        // These never lead.
        Condition::All(_)
        | Condition::Not(_)
        | Condition::Versions(_)
        | Condition::Date(_)
        | Condition::Quantity { .. }
        | Condition::ConceptWord { is_indexed: false, .. }
        | Condition::Missing(_)
        | Condition::Unlabelled(_)
        | Condition::Wall(_) => vec![as_filter(condition, at)],
    }
}

fn entries(table: &'static str, at: At) -> Sql {
    Sql::text_of("SELECT ")
        .append(at.of_entry(".resource_key FROM "))
        .then(table)
        .then(" AS ")
        .then(at.entry())
        .then(" WHERE ")
}

fn one_of(selects: Vec<Sql>, at: At) -> Sql {
    at.column(".key = ANY(ARRAY(").append(Sql::joined(selects, " UNION ALL ")).then("))")
}
