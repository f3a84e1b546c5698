//! Structural validation against the definitions (validation.html): all that is wrong with a resource, each with its place and
//! with what would be right.

mod binding;
mod contained;
mod invariant;
mod place;
mod primitive;
mod reference;

use crate::definitions::{Definitions, Element, ElementType, Kind, Type, r4};
use crate::narrative;
use crate::outcome::{Code, Issue, Severity};
use crate::path::context::Context;
use crate::path::node::Node;
use place::Place;
use serde_json::{Map, Value};
use strsim::damerau_levenshtein;

/// Enough to mend a resource with; what lies beyond is counted.
const ISSUES_MAX: usize = 100;

/// Deeper than any document that the reader lets in.
const DEPTH_MAX: u32 = 250;

/// All issues of a resource, errors first, each in the order of the elements. None with severity error: the resource is valid.
pub fn resource(value: &Value) -> Vec<Issue> {
    let mut walk =
        Walk { definitions: r4(), errors: Vec::new(), left_out: 0, warnings: Vec::new() };
    let kind = value["resourceType"].as_str();
    match kind.and_then(|kind| r4().resource(kind)) {
        Some(owner) => {
            let place = Place::root(owner.name);
            walk.resource(owner, value, &place, None);
        }
        None => {
            let text = match kind {
                Some(kind) => format!("`{kind}` is not a resource type of FHIR R4"),
                None => "a resource is a JSON object with a property resourceType".to_owned(),
            };
            walk.errors.push(Issue::error(Code::Structure, text));
        }
    }
    let mut issues = walk.errors;
    if walk.left_out > 0 {
        let text = format!("{} more problems are not listed", walk.left_out);
        issues.push(Issue::error(Code::TooLong, text));
    }
    issues.extend(walk.warnings);
    issues
}

struct Walk {
    definitions: &'static Definitions,
    errors: Vec<Issue>,
    /// Errors beyond the bound.
    left_out: usize,
    warnings: Vec<Issue>,
}

/// The resource around an element.
#[derive(Clone, Copy)]
struct Around<'a> {
    /// The one that is not contained in another.
    root: &'a Value,
    is_contained: bool,
    context: Option<&'a Context<'a>>,
}

/// One value of an element: of a primitive, with what stands in the property with the underscore.
#[derive(Clone, Copy)]
struct Item<'a> {
    value: Option<&'a Value>,
    sibling: Option<&'a Value>,
}

impl Walk {
    fn report(&mut self, issue: Issue, place: &Place) {
        let is_error = issue.severity == Severity::Error;
        let issues = if is_error { &mut self.errors } else { &mut self.warnings };
        if issues.len() < ISSUES_MAX {
            issues.push(issue.at(place.to_string()));
        } else if is_error {
            self.left_out += 1;
        }
    }

    fn error(&mut self, code: Code, place: &Place, text: impl Into<String>) {
        self.report(Issue::error(code, text), place);
    }

    /// A resource: not contained, or contained in `container`.
    fn resource(
        &mut self,
        owner: &'static Type,
        value: &Value,
        place: &Place,
        container: Option<&Value>,
    ) {
        let Value::Object(properties) = value else {
            return self.error(Code::Structure, place, "a resource must be a JSON object");
        };
        let node = Node::root(value);
        let context = node.map(|node| {
            let own = invariant::context(node);
            match container.and_then(Node::root) {
                Some(root) => invariant::context(root).contained(node),
                None => own,
            }
        });
        let around = Around {
            root: container.unwrap_or(value),
            is_contained: container.is_some(),
            context: context.as_ref(),
        };
        self.object(owner, properties, place, around);
        contained::check(self, value, place, around);
        if let (Some(node), Some(context)) = (node, context.as_ref()) {
            invariant::of_type(self, owner, node, context, place);
        }
    }

    /// The properties of a resource, a data type or a group against its elements.
    fn object(
        &mut self,
        owner: &'static Type,
        properties: &Map<String, Value>,
        place: &Place,
        around: Around,
    ) {
        if place.depth() > DEPTH_MAX {
            return self.error(Code::TooCostly, place, "nested too deeply");
        }
        let mut seen: Vec<(&'static Element, &'static str)> = Vec::new();
        for (name, value) in properties {
            let bare = name.strip_prefix('_').unwrap_or(name);
            if name == "resourceType" && owner.kind == Kind::Resource {
                continue;
            }
            let Some((element, kind)) = owner.property(bare) else {
                self.unknown(owner, name, &place.property(name));
                continue;
            };
            let children = self.definitions.get(kind.id);
            let is_sibling = bare.len() != name.len();
            if is_sibling && children.kind != Kind::Primitive {
                let text = format!(
                    "`{bare}` is no primitive: its id and extensions belong inside it, not in `{name}`"
                );
                self.error(Code::Structure, &place.property(name), text);
                continue;
            }
            match seen.iter().find(|(other, _)| std::ptr::eq(*other, element)) {
                Some((_, property)) if *property != kind.property => {
                    let text = format!("only one of {property} and {} can be there", kind.property);
                    self.error(Code::Structure, &place.property(name), text);
                }
                Some(_) => continue,
                None => seen.push((element, kind.property.as_str())),
            }
            let (value, sibling) = if is_sibling {
                (properties.get(bare), Some(value))
            } else if children.kind == Kind::Primitive {
                (Some(value), sibling_of(properties, name))
            } else {
                (Some(value), None)
            };
            self.element(element, kind, Item { value, sibling }, &place.property(bare), around);
        }
        for element in owner.elements.iter().filter(|element| element.min > 0) {
            if !seen.iter().any(|(other, _)| std::ptr::eq(*other, element)) {
                let name = if element.is_choice {
                    format!("{}[x]", element.name)
                } else {
                    element.name.to_owned()
                };
                let text = format!("`{name}` is missing; {} must have it", owner.name);
                self.error(Code::Required, place, text);
            }
        }
    }

    fn unknown(&mut self, owner: &Type, name: &str, place: &Place) {
        let mut known: Vec<&str> = owner.properties().collect();
        known.sort_by_key(|known| (damerau_levenshtein(known, name), *known));
        known.truncate(3);
        let name: String = name.chars().take(64).collect();
        let text =
            format!("`{name}` is no element of {}; did you mean {}?", owner.name, known.join(", "));
        self.error(Code::Structure, place, text);
    }

    /// One element: single or repeating.
    fn element(
        &mut self,
        element: &'static Element,
        kind: &'static ElementType,
        item: Item,
        place: &Place,
        around: Around,
    ) {
        if !element.is_repeating() {
            if item.value.is_some_and(Value::is_array) || item.sibling.is_some_and(Value::is_array)
            {
                return self.error(
                    Code::Structure,
                    place,
                    "only one value can be there, not an array",
                );
            }
            return self.item(element, kind, item, place, around);
        }
        let (values, siblings) = match (array(item.value), array(item.sibling)) {
            (Some(values), Some(siblings)) => (values, siblings),
            _ => {
                let text = "several values can be there, so it must be an array, even of one";
                return self.error(Code::Structure, place, text);
            }
        };
        let length = values.len().max(siblings.len());
        if length == 0 {
            return self.error(Code::Structure, place, "an empty array says nothing; leave it out");
        }
        if element.max.is_some_and(|max| u32::try_from(length).is_ok_and(|length| length > max)) {
            let most = element.max.unwrap_or_default();
            self.error(
                Code::Structure,
                place,
                format!("{length} values where at most {most} can be"),
            );
        }
        for index in 0..length {
            let present = |value: &&Value| !value.is_null();
            let item = Item {
                value: values.get(index).filter(present),
                sibling: siblings.get(index).filter(present),
            };
            let place = place.index(index);
            if item.value.is_none() && item.sibling.is_none() {
                self.error(Code::Structure, &place, "null is no value");
            } else {
                self.item(element, kind, item, &place, around);
            }
        }
    }

    /// One value.
    fn item(
        &mut self,
        element: &'static Element,
        kind: &'static ElementType,
        item: Item,
        place: &Place,
        around: Around,
    ) {
        let children = self.definitions.get(kind.id);
        match (children.kind, item.value) {
            (Kind::Primitive, value) => {
                let is_sound = self.primitive(kind, value, item.sibling, place, around);
                if let (true, Some(value), Some(set)) = (is_sound, value, element.binding) {
                    binding::primitive(self, set, value, place);
                }
            }
            (Kind::Resource, Some(value)) => self.nested(element, value, place, around),
            (Kind::Complex | Kind::Group, Some(Value::Object(properties))) => {
                self.complex(element, kind, children, properties, place, around);
            }
            (Kind::Complex | Kind::Group, Some(_)) => {
                let text = format!("must be a JSON object: a {}", kind.code);
                return self.error(Code::Structure, place, text);
            }
            (Kind::Resource | Kind::Complex | Kind::Group, None) => {}
        }
        if let Some(context) = around.context {
            let node = Node::new(item.value, item.sibling, kind.id);
            if children.kind == Kind::Complex {
                invariant::of_type(self, children, node, context, place);
            }
            invariant::of_element(self, element, node, context, place);
        }
    }

    /// Whether the value is sound; extensions of it are looked at as well.
    fn primitive(
        &mut self,
        kind: &ElementType,
        value: Option<&Value>,
        sibling: Option<&Value>,
        place: &Place,
        around: Around,
    ) -> bool {
        match sibling {
            None => {}
            Some(Value::Object(properties)) if !properties.is_empty() => {
                if let Some(children) = self.definitions.find("Element") {
                    self.object(children, properties, place, around);
                }
                // ele-1: an id alone says nothing.
                if value.is_none() && !properties.contains_key("extension") {
                    self.error(Code::Invariant, place, "there must be a value or an extension");
                }
            }
            Some(_) => {
                self.error(
                    Code::Structure,
                    place,
                    "what stands in the property with `_` must be an object with id or extension",
                );
            }
        }
        let Some(value) = value else { return false };
        let outcome = match kind.code {
            "xhtml" => match value.as_str() {
                Some(text) => narrative::check(text),
                None => Err("must be a string: XHTML in a div".to_owned()),
            },
            // The ids of resources; those of elements are any string.
            "id" => primitive::check("id", value),
            code => primitive::check(code, value),
        };
        match outcome {
            Ok(()) => true,
            Err(text) => {
                self.error(Code::Value, place, text);
                false
            }
        }
    }

    fn complex(
        &mut self,
        element: &'static Element,
        kind: &'static ElementType,
        children: &'static Type,
        properties: &Map<String, Value>,
        place: &Place,
        around: Around,
    ) {
        // ele-1
        if properties.keys().all(|name| name == "id" || name == "_id") {
            self.error(
                Code::Invariant,
                place,
                "there must be something in it beside an id; leave it out",
            );
        }
        self.object(children, properties, place, around);
        match kind.code {
            "Extension" => self.extension(properties, place),
            "Reference" => reference::check(self, kind, properties, place, around),
            "Coding" | "CodeableConcept" => {
                if let Some(set) = element.binding {
                    binding::complex(self, set, kind.code, properties, place);
                }
            }
            _ => {}
        }
    }

    /// ext-1: a value or extensions, not both.
    fn extension(&mut self, properties: &Map<String, Value>, place: &Place) {
        let has_value =
            properties.keys().any(|name| name.trim_start_matches('_').starts_with("value"));
        match (has_value, properties.contains_key("extension")) {
            (true, true) => self.error(
                Code::Invariant,
                place,
                "an extension has a value or extensions, not both",
            ),
            (false, false) => {
                self.error(Code::Invariant, place, "an extension must have a value or extensions")
            }
            (true, false) | (false, true) => {}
        }
    }

    /// A resource inside another: contained in it, or an entry of a Bundle or a parameter.
    fn nested(&mut self, element: &Element, value: &Value, place: &Place, around: Around) {
        let kind = value["resourceType"].as_str().unwrap_or_default();
        let Some(owner) = self.definitions.resource(kind) else {
            let text =
                format!("must be a resource; its resourceType `{kind}` is not one of FHIR R4");
            return self.error(Code::Structure, place, text);
        };
        match element.name {
            "contained" if around.is_contained => {
                self.error(
                    Code::Invariant,
                    place,
                    "dom-2: a contained resource cannot contain others",
                );
            }
            "contained" => self.resource(owner, value, place, Some(around.root)),
            _ => self.resource(owner, value, place, None),
        }
    }
}

/// Absent is empty.
fn array(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

/// The property with an underscore, found without making its name when there is none at all.
fn sibling_of<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if !properties.keys().any(|key| key.starts_with('_')) {
        return None;
    }
    properties.get(&format!("_{name}"))
}

#[cfg(test)]
mod tests {
    use super::resource;
    use serde_json::{Value, json};

    /// The issues as `place: text`.
    fn issues(value: &Value) -> Vec<String> {
        let issues = resource(value).into_iter();
        issues
            .map(|issue| format!("{}: {}", issue.expression.unwrap_or_default(), issue.text))
            .collect()
    }

    fn check(mut properties: Value, expected: &[&str]) {
        properties["resourceType"] = json!("Patient");
        let found = issues(&properties);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "`{found}` does not begin with `{expected}`");
        }
    }

    #[test]
    fn a_sound_resource_has_no_issue() {
        check(
            json!({
                "id": "a-1.B",
                "active": true,
                "name": [{ "family": "王", "given": ["小明", null], "_given": [null, { "id": "g" , "extension": [{ "url": "urn:x", "valueCode": "a" }] }] }],
                "_birthDate": { "extension": [{ "url": "http://example.org/x", "valueString": "unknown" }] },
                "multipleBirthInteger": 2,
                "generalPractitioner": [{ "reference": "Practitioner/1" }, { "reference": "#o" }],
                "contained": [{ "resourceType": "Organization", "id": "o", "name": "x" }],
            }),
            &[],
        );
    }

    #[test]
    fn structure_is_checked() {
        check(
            json!({ "genderr": "male" }),
            &["Patient.genderr: `genderr` is no element of Patient; did you mean gender"],
        );
        check(json!({ "name": { "family": "x" } }), &["Patient.name: several values can be there"]);
        check(json!({ "gender": ["male"] }), &["Patient.gender: only one value"]);
        check(json!({ "name": [] }), &["Patient.name: an empty array"]);
        check(json!({ "name": [null] }), &["Patient.name[0]: null"]);
        check(json!({ "name": [{}] }), &["Patient.name[0]: there must be something"]);
        check(json!({ "name": ["x"] }), &["Patient.name[0]: must be a JSON object: a HumanName"]);
        check(json!({ "_name": [{ "id": "x" }] }), &["Patient._name: `name` is no primitive"]);
        check(
            json!({ "_birthDate": { "id": "x" } }),
            &["Patient.birthDate: there must be a value or an extension"],
        );
        check(json!({ "link": [{ "type": "refer" }] }), &["Patient.link[0]: `other` is missing"]);
        check(
            json!({ "deceasedBoolean": true, "deceasedDateTime": "2020" }),
            &["Patient.deceasedDateTime: only one of deceasedBoolean and deceasedDateTime"],
        );
        check(
            json!({ "communication": [{ "language": { "text": "x" }, "resourceType": "x" }] }),
            &["Patient.communication[0].resourceType"],
        );
    }

    #[test]
    fn values_are_checked() {
        check(json!({ "active": "true" }), &["Patient.active: must be true or false"]);
        check(
            json!({ "birthDate": "2023-02-30" }),
            &["Patient.birthDate: `2023-02-30` is not a date"],
        );
        check(
            json!({ "gender": "f" }),
            &[
                "Patient.gender: `f` is not in the value set http://hl7.org/fhir/ValueSet/administrative-gender; it has: female, male, other, unknown",
            ],
        );
        check(
            json!({ "multipleBirthInteger": 1.5 }),
            &["Patient.multipleBirthInteger: `1.5` is not a whole number"],
        );
        check(json!({ "id": "a_b" }), &["Patient.id: `a_b` is not an id"]);
        check(json!({ "language": " x" }), &["Patient.language"]);
        check(json!({ "name": [{ "family": "" }] }), &["Patient.name[0].family: an empty string"]);
    }

    #[test]
    fn extensions_references_and_contained_resources_are_checked() {
        check(
            json!({ "extension": [{ "url": "urn:x" }] }),
            &["Patient.extension[0]: an extension must have"],
        );
        check(
            json!({ "extension": [{ "valueString": "x" }] }),
            &["Patient.extension[0]: `url` is missing"],
        );
        check(
            json!({ "generalPractitioner": [{ "reference": "Patient/1" }] }),
            &["Patient.generalPractitioner[0].reference: points at a Patient"],
        );
        check(
            json!({ "managingOrganization": { "reference": "#none" } }),
            &["Patient.managingOrganization.reference: nothing contained"],
        );
        let contained = |inner: Value| json!({ "contained": [inner], "managingOrganization": { "reference": "#o" } });
        check(
            contained(
                json!({ "resourceType": "Organization", "id": "o", "name": "x", "meta": { "versionId": "1" } }),
            ),
            &["Patient.contained[0]: dom-4"],
        );
        check(
            contained(json!({ "resourceType": "Practitioner", "id": "o" })),
            &["Patient.managingOrganization.reference: points at a Practitioner"],
        );
        check(
            json!({ "contained": [{ "resourceType": "Organization", "id": "o", "name": "x" }] }),
            &["Patient.contained[0]: dom-3"],
        );
        check(
            json!({ "contained": [{ "resourceType": "Nothing" }] }),
            &["Patient.contained[0]: must be a resource"],
        );
    }

    #[test]
    fn invariants_are_held() {
        check(json!({ "contact": [{ "gender": "male" }] }), &["Patient.contact[0]: pat-1: "]);
        check(
            json!({ "name": [{ "period": { "start": "2021", "end": "2020" } }] }),
            &["Patient.name[0].period: per-1: "],
        );
    }

    #[test]
    fn the_narrative_is_checked() {
        let text = |div: &str| json!({ "text": { "status": "generated", "div": div } });
        check(text("<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a<br/>&amp; b</p></div>"), &[]);
        for bad in [
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\" onclick=\"x\">a</div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"javascript:x\">a</a></div>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</div>",
            "<p>a</p>",
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"> </div>",
            "<!DOCTYPE x><div xmlns=\"http://www.w3.org/1999/xhtml\">a</div>",
        ] {
            check(text(bad), &["Patient.text.div: "]);
        }
    }

    #[test]
    fn all_issues_come_at_once_and_are_bounded() {
        let names: Vec<Value> = (0..300).map(|_| json!({ "familie": "x" })).collect();
        let found = issues(&json!({ "resourceType": "Patient", "name": names }));
        assert_eq!(found.len(), 101);
        assert!(found.last().unwrap().contains("200 more problems"));
    }

    #[test]
    fn what_is_no_resource_says_so() {
        for value in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "resourceType": "Resource" }),
            json!({ "resourceType": 5 }),
        ] {
            assert_eq!(resource(&value).len(), 1, "{value}");
        }
    }
}
