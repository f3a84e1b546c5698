//! Compartments (compartmentdefinition.html): what is about a patient, an encounter, a practitioner.

use super::{Asked, Wanted};
use crate::error::{Error, shown};
use crate::parameter::reference;
use crate::registry::{self, Rule};
use fhir::definitions::r4;

/// That a resource of the type belongs to the compartment of this resource.
pub(crate) fn asked(resource: &'static str, compartment: &str, id: &str) -> Result<Asked, Error> {
    let kind = KINDS.into_iter().find(|kind| *kind == compartment);
    let kind = kind.filter(|_| reference::is_id(id)).ok_or(Error::UnknownType)?;
    let mut any = Vec::new();
    if kind == resource
        && let Some(parameter) = registry::find(resource, "_id")
    {
        any.push(Asked::Value { parameter, wanted: Wanted::Ids(vec![id.to_owned()]) });
    }
    for code in r4().compartment(kind, resource) {
        let Some(parameter) = registry::find(resource, code) else { continue };
        if matches!(parameter.rule, Rule::Reference) && parameter.targets.contains(&kind) {
            let wanted = reference::Wanted::Local { kinds: vec![kind], id: id.to_owned() };
            any.push(Asked::Value { parameter, wanted: Wanted::References(vec![wanted]) });
        }
    }
    if any.is_empty() {
        let what = format!("{resource} in the compartment of a {}", shown(compartment));
        return Err(Error::NotSupported { what, instead: "it has no place there".to_owned() });
    }
    Ok(Asked::Any(any))
}

/// The types that have a compartment.
pub const KINDS: [&str; 5] = ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"];
