//! The rules for contained resources: dom-2 to dom-5 (domainresource.html#invs), without the cost of their expressions.

use super::place::Place;
use super::{Around, Walk};
use crate::outcome::Code;
use crate::references;
use serde_json::Value;
use std::collections::HashSet;

pub(super) fn check(walk: &mut Walk, resource: &Value, place: &Place, around: Around) {
    if around.is_contained {
        let meta = &resource["meta"];
        if meta.get("versionId").is_some() || meta.get("lastUpdated").is_some() {
            walk.error(Code::Invariant, place, "dom-4: a contained resource has no version: leave out meta.versionId and meta.lastUpdated");
        }
        if meta.get("security").is_some() {
            walk.error(Code::Invariant, place, "dom-5: a contained resource has no security label of its own: leave out meta.security");
        }
        return;
    }
    let Some(contained) = resource["contained"].as_array() else { return };
    let mut named: HashSet<String> = HashSet::new();
    references::visit(resource, &mut |_, text| {
        named.extend(text.strip_prefix('#').map(str::to_owned));
    });
    let place = place.property("contained");
    for (index, inner) in contained.iter().enumerate() {
        let mut points_out = false;
        references::visit(inner, &mut |_, text| points_out |= text == "#");
        let kind = inner["resourceType"].as_str().unwrap_or_default();
        // What is no resource was refused already.
        if walk.definitions.resource(kind).is_none() {
            continue;
        }
        let id = inner["id"].as_str().unwrap_or_default();
        if !named.contains(id) && !points_out {
            let text = format!(
                "dom-3: nothing refers to the contained resource `#{id}`, and it does not refer to `#`"
            );
            walk.error(Code::Invariant, &place.index(index), text);
        }
    }
}
