//! References between the entries of a transaction: `urn:uuid:…` and other full URLs, and conditional references, become the
//! addresses of the resources they mean – everywhere, also in narrative and in urls (http.html#trules).

use super::resolve::{Id, Resolved, Target, matches};
use super::{Action, Change, Criteria, Stop, Work, in_entry};
use crate::app::App;
use crate::http::failure::Failure;
use crate::http::request::parse_query;
use crate::interactions::search::criteria;
use access::Grant;
use fhir::outcome::Code;
use fhir::references::{self, Kind};
use schema::resource::{self, Table};
use serde_json::Value;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use store::write::Transaction;
use store::write::stage::{new_id, shard_of};

#[derive(Default)]
pub(super) struct Names {
    /// What an entry calls itself, and the address it has.
    addresses: HashMap<String, String>,
    /// `Patient?identifier=…`, with the first entry that says so.
    conditional: HashMap<String, Conditional>,
}

struct Conditional {
    table: &'static Table,
    criteria: Criteria,
    entry: Option<usize>,
    address: Option<String>,
}

impl Names {
    /// Finds the full URLs and the conditional references of a bundle; a single change has none.
    pub(super) fn scan(app: &App, work: &Work<'_>) -> Result<Names, Failure> {
        let mut names = Names::default();
        let mut seen: HashSet<&str> = HashSet::new();
        for change in work.changes.iter().filter(|change| change.entry.is_some()) {
            if let Some(url) = change.full_url.as_deref()
                && !seen.insert(url)
            {
                let failure = Failure::new(
                    400,
                    Code::Duplicate,
                    format!("the fullUrl {url} is given to two entries"),
                );
                return Err(in_entry(failure, change.entry));
            }
            let Some(resource) = change.resource() else { continue };
            let mut found = Vec::new();
            references::visit(resource, &mut |kind, text| {
                if kind == Kind::Reference && text.contains('?') && !text.contains("://") {
                    found.push(text.to_owned());
                }
            });
            for text in found {
                if let Entry::Vacant(place) = names.conditional.entry(text) {
                    let conditional = Conditional::parse(app, place.key(), change.entry)
                        .map_err(|failure| in_entry(failure, change.entry))?;
                    place.insert(conditional);
                }
            }
        }
        Ok(names)
    }

    /// So that a conditional reference and a conditional create with the same criteria wait for each other.
    pub(super) fn lock_keys(&self) -> Vec<i64> {
        self.conditional
            .values()
            .flat_map(|one| ::search::lock::keys(&one.criteria.query))
            .collect()
    }

    /// Gives new resources their ids and finds what conditional references mean.
    pub(super) async fn settle(
        &mut self,
        app: &App,
        grant: &Grant,
        work: &Work<'_>,
        resolved: &mut [Resolved],
        transaction: &mut Transaction,
        deleted: &HashSet<(&'static str, String)>,
    ) -> Result<(), Stop> {
        if work.changes.iter().all(|change| change.entry.is_none()) {
            return Ok(());
        }
        // Patients first: what belongs to a patient is kept on the patient's shard.
        for patients in [true, false] {
            for (change, resolved) in work.changes.iter().zip(resolved.iter_mut()) {
                if (change.table.resource == "Patient") == patients {
                    for target in &mut resolved.targets {
                        self.name(change, target);
                    }
                }
            }
        }
        for one in self.conditional.values_mut() {
            one.find(app, grant, work, resolved, transaction, deleted).await?;
        }
        Ok(())
    }

    fn name(&mut self, change: &Change, target: &mut Target) {
        if let (Id::New(id @ None), Some(resource)) = (&mut target.id, change.resource()) {
            *id = Some(self.new_id(resource, change));
        }
        let id = match &target.id {
            Id::Known(id) | Id::New(Some(id)) => id,
            Id::New(None) | Id::None => return,
        };
        if let Some(url) = &change.full_url {
            self.addresses.insert(url.clone(), format!("{}/{id}", change.table.resource));
        }
    }

    /// An id on the shard of the patient that the resource names.
    pub(super) fn new_id(&self, resource: &Value, change: &Change) -> String {
        let reference = ["patient", "subject", "beneficiary"]
            .iter()
            .find_map(|name| resource.get(name)?.get("reference")?.as_str());
        let address =
            reference.map(|text| self.address(text, change).unwrap_or_else(|| text.to_owned()));
        match address.as_deref().and_then(|address| address.strip_prefix("Patient/")) {
            Some(patient) => new_id(Some(shard_of(patient))),
            None => new_id(None),
        }
    }

    /// The same resource with its references in order.
    pub(super) fn rewrite(&self, resource: &mut Value, change: &Change) {
        if self.addresses.is_empty() && self.conditional.is_empty() {
            return;
        }
        references::rewrite(resource, &mut |kind, text| {
            if let Some(address) = self.address(text, change) {
                return Some(address);
            }
            match kind {
                Kind::Reference => self.conditional.get(text)?.address.clone(),
                Kind::Uri | Kind::NarrativeLink => None,
            }
        });
    }

    /// What a full URL, or a reference relative to the entry's own full URL, stands for.
    fn address(&self, text: &str, change: &Change) -> Option<String> {
        if let Some(address) = self.addresses.get(text) {
            return Some(address.clone());
        }
        if text.contains(':') || text.starts_with('#') {
            return None;
        }
        let own = change.full_url.as_deref().filter(|url| url.starts_with("http"))?;
        let (rest, _id) = own.rsplit_once('/')?;
        let (root, _kind) = rest.rsplit_once('/')?;
        self.addresses.get(&format!("{root}/{text}")).cloned()
    }
}

impl Conditional {
    fn parse(app: &App, text: &str, entry: Option<usize>) -> Result<Conditional, Failure> {
        let (kind, query) = text.split_once('?').unwrap_or((text, ""));
        let table = resource::find(kind).ok_or_else(|| {
            Failure::bad_request(format!(
                "`{text}` is no conditional reference: `{kind}` is not a resource type"
            ))
        })?;
        let criteria = criteria(app, table, &parse_query(query)?)?;
        Ok(Conditional { table, criteria, entry, address: None })
    }

    /// A match in the bundle itself or in the database; there must be exactly one.
    async fn find(
        &mut self,
        app: &App,
        grant: &Grant,
        work: &Work<'_>,
        resolved: &[Resolved],
        transaction: &mut Transaction,
        deleted: &HashSet<(&'static str, String)>,
    ) -> Result<(), Stop> {
        let mut ids: HashSet<String> = HashSet::new();
        let mut replaced = deleted.clone();
        for (change, resolved) in work.changes.iter().zip(resolved) {
            if change.table != self.table {
                continue;
            }
            for target in &resolved.targets {
                let id = match &target.id {
                    Id::Known(id) | Id::New(Some(id)) => id,
                    Id::New(None) | Id::None => continue,
                };
                // An update decides with its new content; a conditional create that matched changes nothing.
                let is_update = matches!(change.action, Action::Update { .. });
                let is_new = matches!(target.id, Id::New(_));
                if is_update {
                    replaced.insert((self.table.resource, id.clone()));
                }
                let body = change.resource().filter(|_| is_update || is_new);
                if body.is_some_and(|body| self.criteria.query.holds(body, &app.extractor)) {
                    ids.insert(id.clone());
                }
            }
        }
        let found = matches(
            app,
            &grant.for_search(),
            self.table,
            &self.criteria,
            2,
            transaction,
            &replaced,
        )
        .await?;
        ids.extend(found.into_iter().map(|version| version.id));
        let text = format!("{}?{}", self.table.resource, self.criteria.text);
        let mut ids = ids.into_iter();
        match (ids.next(), ids.next()) {
            (Some(id), None) => {
                self.address = Some(format!("{}/{id}", self.table.resource));
                Ok(())
            }
            (None, _) => {
                let failure = Failure::new(
                    412,
                    Code::NotFound,
                    format!("no resource matches the reference {text}"),
                );
                Err(in_entry(failure, self.entry).into())
            }
            (Some(_), Some(_)) => {
                let failure = Failure::several(&self.criteria.text, self.table.resource);
                Err(in_entry(failure, self.entry).into())
            }
        }
    }
}

impl Change {
    pub(super) fn resource(&self) -> Option<&Value> {
        match &self.action {
            Action::Create { resource, .. } | Action::Update { resource, .. } => Some(resource),
            Action::Patch { .. } | Action::Delete { .. } => None,
        }
    }
}
