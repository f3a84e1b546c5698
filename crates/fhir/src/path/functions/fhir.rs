//! What FHIR adds (fhirpath.html#functions).

use super::Call;
use crate::definitions::{Kind, r4};
use crate::narrative;
use crate::path::Error;
use crate::path::collection::Collection;
use crate::path::evaluate::{Evaluator, Found, conforms, single};
use crate::path::item::Item;
use crate::path::node::Node;
use serde_json::Value;
use std::borrow::Cow;

pub(super) fn has_value<'a>(input: &Collection<'a>) -> Found<'a> {
    Ok(Collection::boolean(match input.as_slice() {
        [Item::Node(node)] => node.is_primitive() && node.value().is_some(),
        [_] => true,
        _ => false,
    }))
}

pub(super) fn get_value<'a>(input: &Collection<'a>) -> Found<'a> {
    let Some(item) = single(input)? else { return Ok(Collection::Empty) };
    Ok(Collection::maybe(match item {
        Item::Node(node) if !node.is_primitive() || node.value().is_none() => None,
        other => Some(other.simple().into_owned()),
    }))
}

pub(super) fn html_checks<'a>(input: &Collection<'a>) -> Found<'a> {
    let Some(item) = single(input)? else { return Ok(Collection::Empty) };
    let div = match item {
        Item::Node(node) => node.text("div").or_else(|| node.as_str()),
        other => other.as_str(),
    };
    Ok(Collection::boolean(div.is_some_and(|text| narrative::check(text).is_ok())))
}

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn extension(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let Some(url) = self.text_argument(call, 0)? else { return Ok(Collection::Empty) };
        let mut found = Collection::Empty;
        for node in input.as_slice().iter().filter_map(Item::node) {
            let Some(Value::Array(extensions)) = node.object().and_then(|own| own.get("extension"))
            else {
                continue;
            };
            let Some((_, kind)) = node.definition().property("extension") else { continue };
            self.budget.spend(extensions.len())?;
            for extension in extensions {
                if extension.get("url").and_then(Value::as_str) == Some(&*url) {
                    found.push(Item::Node(Node::new(Some(extension), None, kind.id)));
                }
            }
        }
        Ok(found)
    }

    /// What references point at: contained resources and those of the Bundle. Of any other target only the type is known,
    /// as far as the reference says it: enough for `resolve() is Patient`.
    pub(super) fn resolve(&self, input: &Collection<'a>) -> Found<'a> {
        let mut found = Collection::Empty;
        for item in input.as_slice() {
            let (text, named) = match item {
                Item::Node(node) if node.is_primitive() => (node.as_str(), None),
                Item::Node(node) => (node.text("reference"), node.text("type")),
                Item::String(Cow::Borrowed(text)) => (Some(*text), None),
                _ => (None, None),
            };
            if let Some(target) = self.target(text, named)? {
                found.push(Item::Node(target));
            }
        }
        Ok(found)
    }

    fn target(
        &self,
        text: Option<&'a str>,
        named: Option<&str>,
    ) -> Result<Option<Node<'a>>, Error> {
        if let Some(id) = text.and_then(|text| text.strip_prefix('#')) {
            return self.contained(id);
        }
        if let Some(text) = text
            && let Some(found) = self.bundled(text)?
        {
            return Ok(Some(found));
        }
        let by_text = text.and_then(kind_named_in);
        Ok(by_text.or(named).and_then(|name| {
            let id = r4().id(name)?;
            (r4().get(id).kind == Kind::Resource).then(|| Node::of_type(id))
        }))
    }

    /// `#` alone is the resource that contains.
    fn contained(&self, id: &str) -> Result<Option<Node<'a>>, Error> {
        if id.is_empty() {
            return Ok(self.context.root);
        }
        for holder in [self.context.resource, self.context.root].into_iter().flatten() {
            let list = holder.object().and_then(|own| own.get("contained"));
            let Some(Value::Array(contained)) = list else { continue };
            self.budget.spend(contained.len())?;
            let named = |resource: &&Value| resource.get("id").and_then(Value::as_str) == Some(id);
            if let Some(resource) = contained.iter().find(named) {
                return Ok(Node::root(resource));
            }
        }
        Ok(None)
    }

    /// By full URL, or by type and id behind any base.
    fn bundled(&self, reference: &str) -> Result<Option<Node<'a>>, Error> {
        let entries = self.context.bundle.and_then(|bundle| bundle.get("entry"));
        let Some(Value::Array(entries)) = entries else { return Ok(None) };
        self.budget.spend(entries.len())?;
        let reference = reference.split("/_history/").next().unwrap_or(reference);
        let is_relative = kind_named_in(reference)
            .is_some_and(|kind| reference.split_once('/').is_some_and(|(first, _)| first == kind));
        let fits = |entry: &&Value| {
            let full = entry.get("fullUrl").and_then(Value::as_str);
            full.is_some_and(|full| {
                full == reference
                    || is_relative
                        && full.strip_suffix(reference).is_some_and(|base| base.ends_with('/'))
            })
        };
        let entry = entries.iter().find(fits);
        Ok(entry.and_then(|entry| entry.get("resource")).and_then(Node::root))
    }

    /// Only value sets that the definitions enumerate can say; for others there is no answer.
    pub(super) fn member_of(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let url = self.text_argument(call, 0)?;
        let (Some(item), Some(url)) = (single(input)?, url) else { return Ok(Collection::Empty) };
        let url = url.split('|').next().unwrap_or_default();
        let Some(set) = r4().value_set(url) else { return Ok(Collection::Empty) };
        let has_coding = |coding: &Value| {
            let part = |name| coding.get(name).and_then(Value::as_str);
            match (part("system"), part("code")) {
                (Some(system), Some(code)) => set.has_coding(system, code),
                (None, Some(code)) => set.has_code(code),
                (_, None) => false,
            }
        };
        let is_member = match item {
            Item::Node(node) => match node.value() {
                Some(Value::Object(own)) => match own.get("coding") {
                    Some(Value::Array(codings)) => codings.iter().any(has_coding),
                    _ => node.value().is_some_and(has_coding),
                },
                _ => node.as_str().is_some_and(|code| set.has_code(code)),
            },
            other => other.as_str().is_some_and(|code| set.has_code(code)),
        };
        Ok(Collection::boolean(is_member))
    }

    /// Only the types of the standard: other profiles are for the validator.
    pub(super) fn conforms_to(&self, input: &Collection<'a>, call: Call<'_, 'a>) -> Found<'a> {
        let url = self.text_argument(call, 0)?;
        let (Some(item), Some(url)) = (single(input)?, url) else { return Ok(Collection::Empty) };
        match item.node().and_then(|node| conforms(node, &url)) {
            Some(conforms) => Ok(Collection::boolean(conforms)),
            None => Err(Error::evaluation("`conformsTo` knows the types of FHIR only")),
        }
    }
}

/// The type of `Patient/1`, `https://example.org/fhir/Patient/1` and `…/Patient/1/_history/2`.
fn kind_named_in(reference: &str) -> Option<&str> {
    let reference = reference.split("/_history/").next()?;
    let mut parts = reference.rsplit('/');
    let _id = parts.next()?;
    parts.next().filter(|name| r4().resource(name).is_some())
}

#[cfg(test)]
mod tests {
    use crate::path::probe::{check, fails};

    #[test]
    fn extensions_are_found_by_url() {
        check("extension('http://example.org/age').value.value", "7");
        check("name.given.extension('u').value | extension('none')", "x");
    }

    #[test]
    fn references_are_followed_where_they_can_be() {
        check("managingOrganization.resolve().name", "Clinic");
        check("generalPractitioner.resolve().active", "false");
        check("generalPractitioner.resolve().ofType(Practitioner).count()", "2");
        check("link.other.resolve() is Patient", "true");
        check("link.other.resolve().id", "");
        check("'https://example.org/fhir/Observation/o1/_history/1'.resolve().status", "final");
        check("'Observation/o1'.resolve().status", "final");
        check("'#nobody'.resolve() | 'no/type'.resolve() | 'é'.resolve()", "");
        check("'#'.resolve().id", "p1");
    }

    #[test]
    fn values_are_told_from_extensions() {
        check("birthDate.hasValue() | deceased.hasValue() | name.hasValue()", "true, false");
        check("birthDate.getValue() + 1 day", "1974-12-26");
        check("deceased.getValue()", "");
    }

    #[test]
    fn codes_are_looked_up_in_enumerated_sets() {
        check("gender.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender')", "true");
        check(
            "name.first().use.memberOf('http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1')",
            "false",
        );
        check("gender.memberOf('http://example.org/unknown')", "");
    }

    #[test]
    fn types_of_the_standard_are_conformed_to() {
        check("conformsTo('http://hl7.org/fhir/StructureDefinition/DomainResource')", "true");
        check("conformsTo('http://hl7.org/fhir/StructureDefinition/Person')", "false");
        fails("conformsTo('http://example.org/profile')", "knows the types of FHIR only");
    }
}
