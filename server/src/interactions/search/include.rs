//! `_include` and `_revinclude` (search.html#include): what the matches refer to, and what refers to them.

use super::wanted::Wanted;
use crate::app::App;
use crate::http::answer::stored;
use crate::http::failure::Failure;
use crate::interactions::look::Reader;
use ::search::plan;
use ::search::query::Query;
use ::search::render::{self, Window};
use ::search::results::Include;
use access::Grant;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use store::find::Match;
use store::row::Version;
use store::trail::Sealed;

/// With one page of matches; beyond it the caller is told.
pub(super) const INCLUDED_MAX: usize = 10_000;
/// How often `:iterate` looks at what it found.
const ROUNDS_MAX: usize = 16;

pub(super) struct Included {
    /// In an order that is the same each time.
    pub(super) found: Sealed<Vec<Version>>,
    pub(super) is_cut: bool,
}

type Name = (&'static str, String);

pub(super) async fn load(
    app: &App,
    reader: &mut Reader<'_>,
    grant: &Grant,
    wanted: &Wanted,
    matches: &Sealed<Vec<Match>>,
) -> Result<Included, Failure> {
    let mut included = Included { found: Sealed::none(), is_cut: false };
    if wanted.includes.is_empty() {
        return Ok(included);
    }
    let mut known: HashSet<Name> =
        matches.describe(|matches| matches.iter().map(|found| name(&found.version)).collect());
    let mut latest: Vec<Value> =
        matches.describe(|matches| trees(matches.iter().map(|found| &found.version)))?;
    let mut number = 0;
    for round in 0..ROUNDS_MAX {
        let asked = |include: &&Include| round == 0 || include.is_iterated;
        let includes: Vec<&Include> = wanted.includes.iter().filter(asked).collect();
        let queries = queries(app, &includes, &latest, &known);
        latest = Vec::new();
        for query in queries {
            let limit = INCLUDED_MAX + 1 - number;
            let found = find(reader, grant, &query, limit).await?;
            let found = found.map(|mut found| {
                found.retain(|version| known.insert(name(version)));
                found.sort_by(|left, right| left.id.cmp(&right.id));
                found
            });
            number += found.describe(Vec::len);
            latest.extend(found.describe(|found| trees(found))?);
            included.found = included.found.append(found);
            if number > INCLUDED_MAX {
                included.is_cut = true;
                included.found = included.found.map(|mut found| {
                    found.truncate(INCLUDED_MAX);
                    found
                });
                return Ok(included);
            }
        }
        if latest.is_empty() {
            return Ok(included);
        }
    }
    // Only chains longer than any record has come here.
    included.is_cut = wanted.includes.iter().any(|include| include.is_iterated);
    Ok(included)
}

fn name(version: &Version) -> Name {
    (version.table.resource, version.id.clone())
}

fn trees<'a>(versions: impl IntoIterator<Item = &'a Version>) -> Result<Vec<Value>, Failure> {
    versions
        .into_iter()
        .map(|version| stored(version.json.as_deref().unwrap_or_default()))
        .collect()
}

/// One search for each type that is referred to, and one for each reverse include.
fn queries(
    app: &App,
    includes: &[&Include],
    latest: &[Value],
    known: &HashSet<Name>,
) -> Vec<Query> {
    let mut targets: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for include in includes.iter().filter(|include| !include.is_reverse) {
        for resource in latest {
            for (kind, id) in include.targets(resource, &app.extractor) {
                if !known.contains(&(kind, id.clone())) {
                    targets.entry(kind).or_default().push(id);
                }
            }
        }
    }
    let by_ids = targets.into_iter().filter_map(|(kind, mut ids)| {
        ids.sort_unstable();
        ids.dedup();
        Query::by_ids(kind, ids)
    });
    let mut queries: Vec<Query> = by_ids.collect();
    let names: Vec<Name> = latest
        .iter()
        .filter_map(|resource| {
            let kind = schema::resource::find(resource["resourceType"].as_str()?)?.resource;
            Some((kind, resource["id"].as_str()?.to_owned()))
        })
        .collect();
    let reverse = includes.iter().filter(|include| include.is_reverse);
    queries.extend(reverse.filter_map(|include| include.referring(&names)));
    queries
}

async fn find(
    reader: &mut Reader<'_>,
    grant: &Grant,
    query: &Query,
    limit: usize,
) -> Result<Sealed<Vec<Version>>, Failure> {
    let plan = plan::plan(query, &grant.for_reading())?;
    let window = Window::all(u32::try_from(limit).unwrap_or(u32::MAX));
    let found = reader.find(plan.table(), &render::page(&plan, &window)).await?;
    Ok(found.map(|found| found.matches.into_iter().map(|found| found.version).collect()))
}
