//! One change against what stands there: what is refused, what is nothing new, what is written.

use super::references::Names;
use super::resolve::{Id, Target};
use super::stage::{self, Before};
use super::{Action, Change, Changed, Decided, Effect, Patch};
use crate::app::App;
use crate::http::answer::{VersionTag, stored};
use crate::http::failure::Failure;
use crate::http::request::Request;
use crate::indexing;
use crate::interactions::create::validate;
use ::search::wall::permits;
use access::{Grant, HospitalId, Interaction, Restriction};
use fhir::outcome::{Code, Issue};
use serde_json::Value;
use store::read::Found;
use store::row::{Method, Version};

pub(super) fn decide(
    app: &App,
    request: &Request,
    change: &Change,
    target: Target,
    names: &Names,
    decided: &mut Decided,
) -> Result<(), Failure> {
    let grant = &change.grant;
    let writing = Writing { app, grant, change, names };
    let is_shown = writing.is_shown();
    let was_there = matches!(target.found, Found::Current(_));
    let found = writing.open(target.found)?;
    let is_hidden = was_there && matches!(found, Found::Nothing);
    match (&change.action, target.id, found) {
        (Action::Update { .. }, Id::Known(id), _) if is_hidden => Err(writing.nothing(&id)),
        (Action::Create { .. }, Id::Known(_), Found::Current(version)) => {
            let existing = Changed::of(
                &version,
                Effect::Existing,
                Interaction::Create,
                change.entry,
                is_shown,
            );
            decided.changed.push(existing);
            Ok(())
        }
        (Action::Create { resource, .. }, Id::New(id), _) => {
            let id = id.unwrap_or_else(|| names.new_id(resource, change));
            writing.put(resource.clone(), id, None, Method::Post, decided)
        }
        (Action::Create { .. }, Id::Known(_) | Id::None, _) => Err(changed_meanwhile()),
        (Action::Update { resource, .. }, Id::New(id), _) => {
            writing.check(None)?;
            let id = id.unwrap_or_else(|| names.new_id(resource, change));
            writing.put(resource.clone(), id, None, Method::Put, decided)
        }
        (Action::Update { resource, .. }, Id::Known(id), found) => {
            let resource = with_id(resource, &id)?;
            writing.check(current(&found))?;
            if current(&found).is_none() {
                writing.check_id(&id, &found)?;
            }
            if app.settings.service.require_if_match
                && change.if_match.is_none()
                && current(&found).is_some()
            {
                return Err(Failure::new(
                    428,
                    Code::BusinessRule,
                    "this server wants If-Match with the version you are changing: read it first",
                ));
            }
            writing.put(resource, id, found.version(), Method::Put, decided)
        }
        (Action::Patch { patch, .. }, Id::Known(id), found) => {
            let what = format!("{}/{id}", change.table.resource);
            let Found::Current(version) = &found else {
                return Err(match found {
                    Found::Deleted(_) => Failure::gone(&what),
                    Found::Current(_) | Found::Nothing => Failure::not_found(&what),
                });
            };
            writing.check(Some(version))?;
            let resource = patched(&stored(version.json.as_deref().unwrap_or_default())?, patch)?;
            validate(app, &resource)?;
            writing.put(resource, id, Some(version), Method::Patch, decided)
        }
        (Action::Delete { .. }, Id::Known(id), found) => {
            writing.check_deletion(current(&found))?;
            match found {
                Found::Current(version) => writing.delete(&version, decided),
                Found::Deleted(version) => {
                    let absent = Changed::of(
                        &version,
                        Effect::Absent,
                        Interaction::Delete,
                        change.entry,
                        is_shown,
                    );
                    decided.changed.push(absent);
                    Ok(())
                }
                Found::Nothing => {
                    decided.changed.push(absent(change, id));
                    Ok(())
                }
            }
        }
        (Action::Delete { .. }, Id::None | Id::New(_), _) => {
            decided.changed.push(absent(change, String::new()));
            Ok(())
        }
        (Action::Update { .. } | Action::Patch { .. }, Id::None, _)
        | (Action::Patch { .. }, Id::New(_), _) => {
            Err(Failure::not_found(request.interaction.code()))
        }
    }
}

fn current(found: &Found) -> Option<&Version> {
    match found {
        Found::Current(version) => Some(version),
        Found::Deleted(_) | Found::Nothing => None,
    }
}

/// What a conditional create found was deleted before its lock was held: begin again.
fn changed_meanwhile() -> Failure {
    Failure::new(
        409,
        Code::Conflict,
        "the resource that matched was changed at this moment; try again",
    )
}

fn absent(change: &Change, id: String) -> Changed {
    Changed {
        effect: Effect::Absent,
        table: change.table,
        interaction: Interaction::Delete,
        id,
        tag: None,
        json: None,
        patient: None,
        entry: change.entry,
        is_shown: false,
    }
}

/// The id in the body is the id in the address; criteria may leave it out.
fn with_id(resource: &Value, id: &str) -> Result<Value, Failure> {
    match resource["id"].as_str() {
        Some(own) if own != id => Err(Failure::bad_request(format!(
            "the resource's id `{own}` is not the id `{id}` of what is updated"
        ))),
        Some(_) | None => Ok(resource.clone()),
    }
}

fn patched(resource: &Value, patch: &Patch) -> Result<Value, Failure> {
    let outcome = match patch {
        Patch::Json(operations) => fhir::patch::apply_json(resource, operations),
        Patch::Path(parameters) => fhir::patch::apply_path(resource, parameters),
    };
    outcome.map_err(|error| Failure::new(422, Code::Invalid, error.to_string()))
}

struct Writing<'a> {
    app: &'a App,
    grant: &'a Grant,
    change: &'a Change,
    names: &'a Names,
}

impl Writing<'_> {
    /// What stands there, as far as the scopes of the caller are about it; the rest is as if it were not there.
    fn open(&self, found: Found) -> Result<Found, Failure> {
        let Found::Current(version) = &found else { return Ok(found) };
        let is_create = matches!(self.change.action, Action::Create { .. });
        if is_create || matches!(self.grant.restriction(), Restriction::Everything) {
            return Ok(found);
        }
        let tree = stored(version.json.as_deref().unwrap_or_default())?;
        let is_open = permits(self.grant, &tree, &self.app.extractor);
        Ok(if is_open { found } else { Found::Nothing })
    }

    /// A new id that a client chose begins with the prefix of its hospital: so nobody learns which ids others have.
    fn check_id(&self, id: &str, found: &Found) -> Result<(), Failure> {
        let Some(prefix) = self.grant.id_prefix() else { return Ok(()) };
        let was_own = found
            .version()
            .is_some_and(|version| self.grant.may_change(HospitalId(version.hospital)));
        if was_own || !prefix.is_empty() && id.starts_with(prefix) {
            return Ok(());
        }
        Err(self.nothing(id))
    }

    /// The same whether there is something or not.
    fn nothing(&self, id: &str) -> Failure {
        let kind = self.change.table.resource;
        let prefix = self.grant.id_prefix().unwrap_or_default();
        let text = format!(
            "{kind}/{id} is nothing that this caller may change; the ids of new resources begin with `{prefix}`, or are left to the server"
        );
        Failure::new(404, Code::NotFound, text)
    }

    fn is_shown(&self) -> bool {
        self.grant.may_read(self.change.table.resource)
    }

    /// What is written has to be what the scopes are about.
    fn check_scope(&self, resource: &Value) -> Result<(), Failure> {
        match permits(self.grant, resource, &self.app.extractor) {
            true => Ok(()),
            false => Err(Failure::new(
                403,
                Code::Forbidden,
                "the scopes of the token do not cover this resource as it would be",
            )),
        }
    }

    /// If-Match, If-None-Match and the custodian.
    fn check(&self, current: Option<&Version>) -> Result<(), Failure> {
        let version = current.map(|version| version.version);
        if let Some(condition) = &self.change.if_match
            && !condition.holds(version)
        {
            return Err(Failure::precondition(match version {
                Some(version) => {
                    format!("If-Match does not hold: the current version is {version}")
                }
                None => "If-Match does not hold: there is no current version".to_owned(),
            }));
        }
        if let Some(condition) = &self.change.if_none_match
            && condition.holds(version)
        {
            return Err(Failure::precondition("If-None-Match does not hold: the resource exists"));
        }
        match current {
            Some(version) if !self.grant.may_change(HospitalId(version.hospital)) => {
                Err(Failure::new(
                    403,
                    Code::Forbidden,
                    "another hospital is the custodian of this resource; only it can change it",
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_deletion(&self, current: Option<&Version>) -> Result<(), Failure> {
        match (current, &self.change.if_match) {
            (None, None) => Ok(()),
            (_, _) => self.check(current),
        }
    }

    fn put(
        &self,
        mut resource: Value,
        id: String,
        previous: Option<&Version>,
        method: Method,
        decided: &mut Decided,
    ) -> Result<(), Failure> {
        self.names.rewrite(&mut resource, self.change);
        let interaction = match method {
            Method::Post => Interaction::Create,
            Method::Put | Method::Delete => Interaction::Update,
            Method::Patch => Interaction::Patch,
        };
        let before = Before::read(previous)?;
        if let (Some(version), Some(tree)) = (before.current(), before.tree())
            && stage::is_same(tree, &resource)
        {
            let unchanged = Changed::of(
                version,
                Effect::Unchanged,
                interaction,
                self.change.entry,
                self.is_shown(),
            );
            decided.changed.push(unchanged);
            return Ok(());
        }
        self.check_scope(&resource)?;
        if self.change.table.resource == "Consent" {
            self.app.extractor.check_consent(&resource).map_err(|refusal| {
                let issue = Issue::error(Code::BusinessRule, refusal.to_string());
                Failure::of(422, vec![issue.at(refusal.path)])
            })?;
        }
        if self.change.table.resource == indexing::DEFINITIONS {
            indexing::check(self.app, &id, &resource)?;
        }
        let put =
            stage::put(self.app, self.grant, self.change.table, id, resource, &before, method)?;
        decided.changed.push(Changed {
            effect: if before.current().is_some() { Effect::Updated } else { Effect::Created },
            table: put.table,
            interaction,
            id: put.id.clone(),
            tag: Some(VersionTag { version: put.version, version_key: put.version_key }),
            json: Some(put.json.clone()),
            patient: if put.table.resource == "Patient" { Some(put.key) } else { put.patient() },
            entry: self.change.entry,
            is_shown: self.is_shown(),
        });
        decided.staged.puts.push(put);
        Ok(())
    }

    fn delete(&self, version: &Version, decided: &mut Decided) -> Result<(), Failure> {
        let deletion = stage::deletion(self.app, self.grant, version)?;
        decided.changed.push(Changed {
            effect: Effect::Deleted,
            table: deletion.table,
            interaction: Interaction::Delete,
            id: deletion.id.clone(),
            tag: Some(VersionTag { version: deletion.version, version_key: deletion.version_key }),
            json: None,
            patient: crate::interactions::look::patients([version]).first().copied(),
            entry: self.change.entry,
            is_shown: self.is_shown(),
        });
        decided.staged.deletions.push(deletion);
        Ok(())
    }
}
