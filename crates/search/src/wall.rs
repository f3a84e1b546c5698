//! What a grant opens, as conditions of every arm of a search.

use crate::condition::Condition;
use crate::extract::Extractor;
use crate::key::resource_key;
use crate::query::{Codes, Context, Query, Unknown, compartment};
use crate::registry::Custom;
use crate::veil::Veil;
use access::{Bounds, Grant, Labels, Restriction, Way};
use jiff::tz::TimeZone;
use schema::resource::Table;
use serde_json::Value;
use std::sync::Arc;

/// A hospital's own record, and of others' what care, consent and sensitivity open.
#[derive(Clone, Debug)]
pub(crate) struct Wall {
    pub(crate) hospital: i32,
    pub(crate) is_own_only: bool,
    pub(crate) now: i64,
    /// As bits.
    pub(crate) purposes: i32,
    pub(crate) is_open_without_consent: bool,
    /// Whether care is taken for granted.
    pub(crate) is_treating: bool,
    /// Hospitals that no longer share.
    pub(crate) withdrawn: Vec<i64>,
    /// Keys of patients to whom the glass was broken.
    pub(crate) opened: Vec<i64>,
}

/// Which part of a search rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// What is looked for.
    Target,
    /// What is gone through.
    Through,
}

/// What the rows of a table have to be, beside what was asked.
pub(crate) fn conditions(grant: &Grant, table: &Table, arm: Arm) -> Vec<Condition> {
    match grant.restriction() {
        Restriction::Everything => Vec::new(),
        Restriction::Bounded(bounds) => {
            let ways = match arm {
                Arm::Target => bounds.ways(table.resource),
                Arm::Through => bounds.ways_through(table.resource),
            };
            let ways = ways.iter().filter_map(|way| way_in(table, way));
            let open = Condition::any(ways.collect());
            [open].into_iter().chain(wall(bounds, table).map(Condition::Wall)).collect()
        }
    }
}

/// The wall alone.
pub(crate) fn of_grant(grant: &Grant, table: &Table) -> Option<Wall> {
    match grant.restriction() {
        Restriction::Everything => None,
        Restriction::Bounded(bounds) => wall(bounds, table),
    }
}

fn wall(bounds: &Bounds, table: &Table) -> Option<Wall> {
    let wall = bounds.wall(table.resource)?;
    Some(Wall {
        hospital: wall.hospital.0,
        is_own_only: wall.is_own_only,
        now: wall.now_micros(),
        purposes: wall.purposes().bits(),
        is_open_without_consent: wall.is_open_without_consent(),
        is_treating: wall.is_treating(),
        withdrawn: wall.withdrawn().iter().copied().map(i64::from).collect(),
        opened: wall.opened().iter().map(|id| resource_key("Patient", id)).collect(),
    })
}

/// None where it leads to nothing: a constraint by what the type does not have, a compartment that it is not in.
fn way_in(table: &Table, way: &Way<'_>) -> Option<Condition> {
    let mut all = Vec::new();
    if let Some(patient) = way.patient {
        all.push(of_patient(table.resource, patient)?);
        all.push(Condition::Unlabelled(Labels::SEVERAL.bits()));
    }
    if !way.constraints.is_empty() {
        let query = constraints(table.resource, way)?;
        let values = query.clauses.iter().map(|clause| Condition::without_joins(&clause.asked));
        all.extend(values.collect::<Option<Vec<_>>>()?);
    }
    Some(Condition::All(all))
}

/// Criteria about codes need neither a base, a clock nor a key: what asks for a person's number opens nothing.
fn constraints(resource: &'static str, way: &Way<'_>) -> Option<Query> {
    let codes = Codes::new();
    let context = Context {
        base_url: "",
        time_zone: &TimeZone::UTC,
        now_micros: 0,
        unknown: Unknown::Refuse,
        codes: &codes,
        custom: Arc::<Custom>::default(),
        veil: &Veil::new(b""),
    };
    Query::parse(resource, way.constraints, &context).ok()
}

/// Of patients the one, whoever else is linked to it.
fn of_patient(resource: &'static str, patient: &str) -> Option<Condition> {
    match resource {
        "Patient" => Some(Condition::Ids(vec![patient.to_owned()])),
        _ => {
            let asked = compartment::asked(resource, "Patient", patient).ok()?;
            Condition::without_joins(&asked)
        }
    }
}

/// Whether what is written, or was there before, is what the scopes are about.
pub fn permits(grant: &Grant, resource: &Value, extractor: &Extractor) -> bool {
    let Restriction::Bounded(bounds) = grant.restriction() else { return true };
    let kind = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let Some(table) = schema::resource::find(kind) else { return false };
    bounds.ways(table.resource).iter().any(|way| {
        let is_of_patient = way.patient.is_none_or(|patient| {
            let id = resource.get("id").and_then(Value::as_str);
            match table.resource {
                "Patient" => id == Some(patient),
                _ => Query::of_compartment(table.resource, "Patient", patient)
                    .is_some_and(|query| query.holds(resource, extractor)),
            }
        });
        let is_constrained = !way.constraints.is_empty();
        is_of_patient
            && (!is_constrained
                || constraints(table.resource, way)
                    .is_some_and(|query| query.holds(resource, extractor)))
    })
}
