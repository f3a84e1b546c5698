//! Versions of the past as statements: of a resource, a type, the whole system (http.html#history), as far as a grant opens
//! them. The history keeps custodian, patient and labels of a version and nothing it could be searched by: what a grant
//! constrains by other values is closed there.

use super::wall::{Of, as_filter, without};
use super::{At, COLUMNS};
use crate::plan::Plan;
use crate::query::Query;
use crate::reader::Reader;
use crate::sql::{Bind, Sql};
use crate::{plan, wall};
use access::{Grant, Labels, Restriction};
use schema::resource::{TABLES, Table};

/// Whose versions.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    Instance(&'static Table, &'a str),
    Type(&'static Table),
    System,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// Version keys are bounds of time.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The first key wanted (`_since`).
    pub from_key: i64,
    /// The first key no longer wanted (`_at`).
    pub before_key: i64,
    /// Only versions that were still current at this key (`_at`).
    pub current_at_key: Option<i64>,
    /// The last key of the page before.
    pub after_key: Option<i64>,
    pub order: Order,
    pub count: i64,
}

/// One leaf a table, each with its own order and limit, so that PostgreSQL merges them lazily instead of sorting them all.
pub fn versions(scope: Scope<'_>, wanted: &Wanted, grant: &Grant) -> Sql {
    let (mut from, mut before) = (wanted.from_key, wanted.before_key);
    match (wanted.after_key, wanted.order) {
        (Some(key), Order::NewestFirst) => before = before.min(key),
        (Some(key), Order::OldestFirst) => from = from.max(key.saturating_add(1)),
        (None, _) => {}
    }
    let limit = || Bind::Int8(wanted.count.saturating_add(1));
    let end = match wanted.order {
        Order::NewestFirst => " ORDER BY sort_key DESC LIMIT ",
        Order::OldestFirst => " ORDER BY sort_key LIMIT ",
    };
    let between = || {
        Sql::all(vec![
            Sql::text_of("t0.version_key >= ").bind(Bind::Int8(from)),
            Sql::text_of("t0.version_key < ").bind(Bind::Int8(before)),
        ])
    };
    let leaf = |kind: Sql, table: &'static str, conditions: Vec<Sql>| {
        Sql::text_of("(SELECT ")
            .then(COLUMNS)
            .append(kind)
            .then(" AS kind, t0.version_key AS sort_key FROM open.")
            .then(table)
            .then(" AS t0 WHERE ")
            .append(Sql::all(conditions))
            .then(end)
            .bind(limit())
            .then(")")
    };
    let of_id = |id: &str| Sql::text_of("t0.id = ").bind(Bind::Text(id.to_owned()));
    let mut leaves = Vec::new();
    let tables: Vec<&'static Table> = match scope {
        Scope::Instance(table, _) | Scope::Type(table) => vec![table],
        Scope::System => TABLES.iter().collect(),
    };
    for table in &tables {
        let Some(open) = open(grant, table) else { continue };
        let mut conditions = vec![between()];
        if let Scope::Instance(_, id) = scope {
            conditions.push(of_id(id));
        }
        conditions.extend(open);
        let kind = Sql::default().bind(Bind::Int4(i32::from(table.code)));
        leaves.push(leaf(kind, table.name, conditions));
    }
    // Every version outlives the beginning of time: without `_at` the condition is always true.
    let current_at = Bind::Int8(wanted.current_at_key.unwrap_or(i64::MIN));
    let superseded = Sql::text_of("(t0.superseded_key IS NULL OR t0.superseded_key > ")
        .bind(current_at)
        .then(")");
    let mut conditions = vec![between(), superseded];
    match scope {
        Scope::Instance(table, id) => conditions.extend([of_kind(table), of_id(id)]),
        Scope::Type(table) => conditions.push(of_kind(table)),
        Scope::System => {}
    }
    conditions.extend(open_of_any(grant, &tables));
    leaves.push(leaf(Sql::text_of("t0.resource_type::int4"), "history", conditions));
    Sql::text_of("SELECT * FROM (")
        .append(Sql::joined(leaves, " UNION ALL "))
        .then(") AS versions")
        .then(end)
        .bind(limit())
        .read_by(Reader::of(grant))
}

/// The current version of a resource.
pub fn current(grant: &Grant, table: &'static Table, id: &str) -> Sql {
    let conditions = match Query::by_ids(table.resource, vec![id.to_owned()]) {
        Some(query) => plan::plan(&query, grant),
        None => return Sql::text_of("SELECT ").then(COLUMNS).then("0 AS kind WHERE FALSE"),
    };
    let conditions = conditions.map(|plan| all_of(&plan)).unwrap_or_default();
    Sql::text_of("SELECT ")
        .then(COLUMNS)
        .then("0 AS kind FROM open.")
        .then(table.name)
        .then(" AS t0 WHERE t0.id = ")
        .bind(Bind::Text(id.to_owned()))
        .then(" AND ")
        .append(Sql::all(conditions))
        .read_by(Reader::of(grant))
}

fn all_of(plan: &Plan) -> Vec<Sql> {
    super::filter::plan_as_filters(plan, At::TOP)
}

/// A version of the past; without a number the deletion that still stands.
pub fn past(grant: &Grant, table: &'static Table, id: &str, version: Option<i32>) -> Sql {
    let which = match version {
        Some(version) => Sql::text_of("t0.version = ").bind(Bind::Int4(version)),
        None => Sql::text_of("t0.superseded_key IS NULL"),
    };
    let mut conditions =
        vec![of_kind(table), Sql::text_of("t0.id = ").bind(Bind::Text(id.to_owned())), which];
    conditions.extend(open_of_any(grant, &[table]));
    Sql::text_of("SELECT ")
        .then(COLUMNS)
        .then("0 AS kind FROM open.history AS t0 WHERE ")
        .append(Sql::all(conditions))
        .then(" ORDER BY t0.version DESC LIMIT 1")
        .read_by(Reader::of(grant))
}

fn of_kind(table: &Table) -> Sql {
    Sql::text_of("t0.resource_type = ").bind(Bind::Int4(i32::from(table.code)))
}

/// What versions of the type have to be, asked of columns that the history has too; None where no version is open.
fn open(grant: &Grant, table: &'static Table) -> Option<Vec<Sql>> {
    let bounds = match grant.restriction() {
        Restriction::Everything => return Some(Vec::new()),
        Restriction::Bounded(bounds) => bounds,
    };
    let ways = bounds.ways(table.resource);
    let ways = ways.iter().filter(|way| way.constraints.is_empty()).map(|way| match way.patient {
        None => Vec::new(),
        Some(patient) => {
            let key = crate::key::resource_key("Patient", patient);
            let own = Sql::text_of("t0.patient + 0 = ").bind(Bind::Int8(key));
            vec![own, without(At::TOP, Labels::SEVERAL)]
        }
    });
    let ways: Vec<Sql> = ways.map(Sql::all).collect();
    if ways.is_empty() {
        return None;
    }
    let wall = wall::of_grant(grant, table);
    let wall = wall.map(|wall| as_filter(&wall, At::TOP, Of::History));
    Some([Sql::any(ways)].into_iter().chain(wall).collect())
}

/// The same of several types in one table: those that are open in the same way are asked about together.
fn open_of_any(grant: &Grant, tables: &[&'static Table]) -> Option<Sql> {
    if matches!(grant.restriction(), Restriction::Everything) {
        return None;
    }
    let mut groups: Vec<(Sql, Vec<i64>)> = Vec::new();
    for table in tables {
        let Some(open) = open(grant, table).map(Sql::all) else { continue };
        let code = i64::from(table.code);
        match groups.iter_mut().find(|(known, _)| *known == open) {
            Some((_, codes)) => codes.push(code),
            None => groups.push((open, vec![code])),
        }
    }
    let groups = groups.into_iter().map(|(open, codes)| {
        let of_kind = Sql::text_of("t0.resource_type + 0 = ANY(").bind(Bind::Int8Array(codes));
        Sql::all(vec![of_kind.then(")"), open])
    });
    Some(Sql::any(groups.collect()))
}
