//! Which resources the changes of a transaction are about, and what stands there now.

use super::references::Names;
use super::{Action, Change, Criteria, Place, Stop, Work, in_entry};
use crate::app::App;
use crate::http::answer::stored;
use crate::http::failure::Failure;
use crate::settings::ConditionalDelete;
use access::{Denied, Grant};
use fhir::outcome::Code;
use schema::resource::Table;
use search::key::resource_key;
use search::plan;
use search::render::{self, Window};
use std::collections::{HashMap, HashSet};
use store::read::Found;
use store::row::Version;
use store::write::Transaction;

/// The resources one change is about: none, one, or the several of a conditional delete.
pub(super) struct Resolved {
    pub(super) targets: Vec<Target>,
}

pub(super) struct Target {
    pub(super) id: Id,
    pub(super) found: Found,
}

pub(super) enum Id {
    /// Named by the client, or found by criteria.
    Known(String),
    /// To be given by the server; of a bundle entry it is given already, for others to refer to.
    New(Option<String>),
    /// Criteria that match nothing, in an interaction that then does nothing.
    None,
}

/// More matches than this are too many for one conditional delete.
const DELETIONS_MAX: u32 = 1_000;

/// Takes every lock at once, in one order: of ids that a client named or that criteria find at this moment, of criteria, of an
/// Idempotency-Key. Returns what is locked.
pub(super) async fn lock(
    app: &App,
    grant: &Grant,
    work: &Work<'_>,
    names: &Names,
    transaction: &mut Transaction,
) -> Result<HashSet<i64>, Stop> {
    let mut keys: HashSet<i64> = names.lock_keys().into_iter().collect();
    for change in &work.changes {
        let table = change.table;
        match &change.action {
            Action::Create { unless, .. } => {
                keys.extend(unless.iter().flat_map(|criteria| search::lock::keys(&criteria.query)));
            }
            Action::Update { place, .. }
            | Action::Patch { place, .. }
            | Action::Delete { place } => {
                if let Place::Criteria(criteria) = place {
                    keys.extend(search::lock::keys(&criteria.query));
                }
                for id in identify(app, change, transaction, &HashSet::new()).await? {
                    keys.extend(id.known().map(|id| resource_key(table.resource, id)));
                }
            }
        }
    }
    if let Some(keep) = &work.keep {
        let name = format!("Idempotency-Key {:?}", grant.hospital());
        keys.insert(resource_key(&name, &keep.key));
    }
    if !keys.is_empty() {
        let in_order: Vec<i64> = keys.iter().copied().collect();
        transaction.lock(&in_order).await?;
    }
    Ok(keys)
}

pub(super) async fn resolve(
    app: &App,
    grant: &Grant,
    work: &Work<'_>,
    transaction: &mut Transaction,
    names: &mut Names,
    locked: &HashSet<i64>,
) -> Result<Vec<Resolved>, Stop> {
    let mut places = Places { ids: Vec::new(), wanted: Vec::new(), deleted: HashSet::new() };
    // Deletions first: what a transaction deletes, its own criteria no longer match.
    for is_delete in [true, false] {
        for (index, change) in work.changes.iter().enumerate() {
            if matches!(change.action, Action::Delete { .. }) == is_delete {
                let ids = identify(app, change, transaction, &places.deleted).await?;
                if is_delete {
                    let known = ids.iter().filter_map(Id::known);
                    places.deleted.extend(known.map(|id| (change.table.resource, id.to_owned())));
                }
                places.ids.push((index, ids));
            }
        }
    }
    places.ids.sort_by_key(|(index, _)| *index);
    let found = places.load(grant, work, transaction, locked).await?;
    places.refuse_overlap(work)?;

    let mut resolved = Vec::with_capacity(work.changes.len());
    for ((_, ids), change) in places.ids.into_iter().zip(&work.changes) {
        let mut targets = Vec::with_capacity(ids.len());
        for id in ids {
            let state =
                id.known().and_then(|id| found.get(&(change.table.resource, id.to_owned())));
            let state = state.cloned().unwrap_or(Found::Nothing);
            // What a conditional create found is not locked, and may be gone by now.
            let is_create = matches!(change.action, Action::Create { .. });
            if is_create && id.known().is_some() && !matches!(state, Found::Current(_)) {
                return Err(Stop::Moved);
            }
            targets.push(Target { id, found: state });
        }
        resolved.push(Resolved { targets });
    }
    names.settle(app, grant, work, &mut resolved, transaction, &places.deleted).await?;
    Ok(resolved)
}

struct Places {
    ids: Vec<(usize, Vec<Id>)>,
    wanted: Vec<(&'static Table, String)>,
    deleted: HashSet<(&'static str, String)>,
}

impl Places {
    /// What stands at every id, read under its lock.
    async fn load(
        &mut self,
        grant: &Grant,
        work: &Work<'_>,
        transaction: &mut Transaction,
        locked: &HashSet<i64>,
    ) -> Result<HashMap<(&'static str, String), Found>, Stop> {
        for ((_, ids), change) in self.ids.iter().zip(&work.changes) {
            for id in ids.iter().filter_map(Id::known) {
                let is_written = !matches!(change.action, Action::Create { .. });
                if is_written && !locked.contains(&resource_key(change.table.resource, id)) {
                    return Err(Stop::Moved);
                }
                self.wanted.push((change.table, id.to_owned()));
            }
        }
        if self.wanted.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(transaction.current(grant, &self.wanted).await?)
    }

    /// http.html#trules: a resource may be changed once in a transaction.
    fn refuse_overlap(&self, work: &Work<'_>) -> Result<(), Failure> {
        let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
        for ((index, ids), change) in self.ids.iter().zip(&work.changes) {
            let is_existing = matches!(change.action, Action::Create { .. });
            for id in ids.iter().filter_map(Id::known).filter(|_| !is_existing) {
                if seen.insert((change.table.resource, id), *index).is_some() {
                    let text = format!(
                        "{}/{id} is changed more than once; a transaction may change a resource once",
                        change.table.resource
                    );
                    return Err(in_entry(Failure::new(400, Code::Duplicate, text), change.entry));
                }
            }
        }
        Ok(())
    }
}

impl Id {
    pub(super) fn known(&self) -> Option<&str> {
        match self {
            Id::Known(id) => Some(id),
            Id::New(_) | Id::None => None,
        }
    }
}

async fn identify(
    app: &App,
    change: &Change,
    transaction: &mut Transaction,
    deleted: &HashSet<(&'static str, String)>,
) -> Result<Vec<Id>, Stop> {
    let (criteria, limit) = match &change.action {
        Action::Create { unless: None, .. } => return Ok(vec![Id::New(None)]),
        Action::Create { unless: Some(criteria), .. } => (criteria, 2),
        Action::Update { place, .. } | Action::Patch { place, .. } | Action::Delete { place } => {
            match place {
                Place::Id(id) => return Ok(vec![Id::Known(id.clone())]),
                Place::Criteria(criteria) => {
                    let several = matches!(change.action, Action::Delete { .. })
                        && app.settings.service.conditional_delete == ConditionalDelete::Multiple;
                    (criteria, if several { DELETIONS_MAX + 1 } else { 2 })
                }
            }
        }
    };
    let kind = change.table.resource;
    if !change.grant.may_search(kind) {
        let denied = Denied::Scope(format!("user/{kind}.s"));
        return Err(in_entry(Failure::from(denied), change.entry).into());
    }
    let grant = &change.grant.for_criteria();
    let matches = matches(app, grant, change.table, criteria, limit, transaction, deleted).await?;
    let several = || Failure::several(&criteria.text, change.table.resource);
    let ids: Vec<Id> = matches.into_iter().map(|version| Id::Known(version.id)).collect();
    let ids = match &change.action {
        Action::Delete { .. } if limit > 2 && ids.len() > DELETIONS_MAX as usize => {
            let text = format!(
                "more than {DELETIONS_MAX} resources match {}?{}; delete fewer at a time",
                change.table.resource, criteria.text
            );
            return Err(in_entry(Failure::new(412, Code::TooCostly, text), change.entry).into());
        }
        Action::Delete { .. } if limit > 2 => ids,
        _ if ids.len() > 1 => return Err(in_entry(several(), change.entry).into()),
        _ if !ids.is_empty() => ids,
        Action::Create { .. } => vec![Id::New(None)],
        Action::Update { resource, .. } => vec![match resource["id"].as_str() {
            Some(id) => Id::Known(crate::http::target::identifier(id).map_err(Stop::Failure)?),
            None => Id::New(None),
        }],
        Action::Patch { .. } => {
            let what =
                format!("a resource that matches {}?{}", change.table.resource, criteria.text);
            return Err(in_entry(Failure::not_found(&what), change.entry).into());
        }
        Action::Delete { .. } => vec![Id::None],
    };
    Ok(ids)
}

/// Current resources that match, checked against their bodies: an index key is a filter, not the truth.
pub(super) async fn matches(
    app: &App,
    grant: &Grant,
    table: &'static Table,
    criteria: &Criteria,
    limit: u32,
    transaction: &mut Transaction,
    deleted: &HashSet<(&'static str, String)>,
) -> Result<Vec<Version>, Stop> {
    let gone = u32::try_from(deleted.len()).unwrap_or(u32::MAX);
    let plan = plan::plan(&criteria.query, grant).map_err(Failure::from)?;
    let window = Window::all(limit.saturating_add(gone));
    let sql = render::page(&plan, &window);
    let found = transaction.matches(table, &sql).await?;
    let mut matches = Vec::new();
    for version in found {
        let body = stored(version.json.as_deref().unwrap_or_default())?;
        if criteria.query.holds(&body, &app.extractor)
            && !deleted.contains(&(table.resource, version.id.clone()))
        {
            matches.push(version);
        }
    }
    matches.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(matches)
}
