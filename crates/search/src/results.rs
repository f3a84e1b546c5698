//! What a search wants to have beside and around its matches: their order, and other resources (search.html#return).

use crate::error::{Error, shown};
use crate::extract::{
    Extractor, each_date, each_number, each_quantity, each_reference, each_token, each_uri,
};
use crate::parameter::quantity::Scale;
use crate::parameter::reference::{self, Target};
use crate::parameter::{last_updated, string};
use crate::plan::Order;
use crate::query::{Asked, Clause, Query, Wanted};
use crate::registry::{self, Custom, Parameter, Place, Rule};
use fhir::definitions::r4;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Parameters of one `_sort`.
const KEYS_MAX: usize = 8;

/// What `_sort` asks for.
#[derive(Clone, Debug)]
pub enum Sort {
    /// An order that the tables have.
    Indexed(Order),
    /// Made of the values of each match.
    Collected(Vec<Key>),
}

#[derive(Clone, Copy, Debug)]
pub struct Key {
    parameter: &'static Parameter,
    is_descending: bool,
}

/// What one parameter gives a match to be put in order by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    Place(i64),
    Text(String),
}

impl Sort {
    /// `-date,name`
    pub fn parse(resource: &'static str, text: &str, custom: &Custom) -> Result<Sort, Error> {
        let refuse = |reason: String| Error::Value { parameter: "_sort".to_owned(), reason };
        let names: Vec<&str> = text.split(',').map(str::trim).collect();
        if names.len() > KEYS_MAX {
            let what = "`_sort` has too many parameters".to_owned();
            return Err(Error::TooMany { what, max: KEYS_MAX });
        }
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            let (is_descending, code) = match name.strip_prefix('-') {
                Some(code) => (true, code),
                None => (false, name),
            };
            let parameter = custom.find(resource, code).ok_or_else(|| {
                refuse(format!("{resource} has no search parameter `{}`", shown(code)))
            })?;
            match parameter.rule {
                Rule::Composite(_)
                | Rule::Near
                | Rule::Words(_)
                | Rule::Either(_)
                | Rule::Unsupported(_) => {
                    return Err(refuse(format!("`{code}` gives no order")));
                }
                _ => keys.push(Key { parameter, is_descending }),
            }
        }
        if let [Key { parameter, is_descending: descending }] = *keys.as_slice() {
            if matches!(parameter.rule, Rule::LastUpdated) {
                return Ok(Sort::Indexed(Order::Version { descending }));
            }
            if parameter.place == Place::Date {
                return Ok(Sort::Indexed(Order::Date { descending }));
            }
        }
        Ok(Sort::Collected(keys))
    }
}

/// The values of a match for each of the keys.
pub fn sort_values(
    keys: &[Key],
    resource: &Value,
    extractor: &Extractor,
) -> Vec<Option<SortValue>> {
    keys.iter().map(|key| key.value(resource, extractor)).collect()
}

/// What has no value comes last, in either direction.
pub fn compare(keys: &[Key], left: &[Option<SortValue>], right: &[Option<SortValue>]) -> Ordering {
    for ((key, left), right) in keys.iter().zip(left).zip(right) {
        let ordering = match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) if key.is_descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

impl Key {
    /// The least of the values, or the greatest when the order is descending (search.html#sort).
    fn value(&self, resource: &Value, extractor: &Extractor) -> Option<SortValue> {
        let mut values = BTreeSet::new();
        let parameter = self.parameter;
        match parameter.rule {
            Rule::Id => {
                let id = resource.get("id").and_then(Value::as_str);
                values.extend(id.map(|id| SortValue::Text(id.to_owned())));
            }
            Rule::LastUpdated => {
                values.extend(last_updated::of(resource).map(|range| SortValue::Place(range.low)));
            }
            Rule::Token => each_token(parameter, resource, |form| {
                let spelt = form.spelt(parameter.spelling);
                values.extend(spelt.code().map(|code| SortValue::Text(code.to_owned())));
            }),
            Rule::Reference => {
                each_reference(parameter, resource, extractor.base_url(), |target| {
                    values.insert(SortValue::Text(match target {
                        Target::Local { kind, id } => format!("{kind}/{id}"),
                        Target::Whole(url) => url.to_owned(),
                    }));
                });
            }
            Rule::Uri => each_uri(parameter, resource, |text| {
                values.insert(SortValue::Text(text.to_owned()));
            }),
            Rule::String => {
                for walk in parameter.program.walks() {
                    walk.each(resource, |value| {
                        string::sort_keys(value, &walk.end, |text| {
                            values.insert(SortValue::Text(text));
                        });
                    });
                }
            }
            Rule::Date => each_date(parameter, resource, extractor.zone(), |low, _| {
                values.insert(SortValue::Place(low));
            }),
            Rule::Number => each_number(parameter, resource, |low, _| {
                values.insert(SortValue::Place(low));
            }),
            Rule::Quantity => each_quantity(parameter, resource, |scale, low, _| {
                if scale == Scale::Bare {
                    values.insert(SortValue::Place(low));
                }
            }),
            Rule::Composite(_)
            | Rule::Near
            | Rule::Words(_)
            | Rule::Either(_)
            | Rule::Unsupported(_) => {}
        }
        if self.is_descending { values.pop_last() } else { values.pop_first() }
    }
}

/// One `_include` or `_revinclude`.
#[derive(Clone, Debug)]
pub struct Include {
    pub is_reverse: bool,
    /// Whether it looks at what was included too.
    pub is_iterated: bool,
    /// The type whose references are followed.
    pub source: &'static str,
    parameters: Vec<&'static Parameter>,
    /// Empty is any.
    targets: Vec<&'static str>,
}

impl Include {
    /// `Observation:subject`, `Observation:subject:Patient`, `Observation:*`, `*`; `resource` is what is searched for.
    pub fn parse(
        text: &str,
        is_reverse: bool,
        is_iterated: bool,
        resource: &'static str,
        custom: &Custom,
    ) -> Result<Include, Error> {
        let name = if is_reverse { "_revinclude" } else { "_include" };
        let refuse = |reason: String| Error::Value { parameter: name.to_owned(), reason };
        let parts: Vec<&str> = text.split(':').collect();
        let (source, code, target) = match parts.as_slice() {
            ["*"] if !is_reverse => (resource, "*", None),
            [source, code] => (*source, *code, None),
            [source, code, target] => (*source, *code, Some(*target)),
            _ => {
                return Err(refuse(format!(
                    "`{}` is none; write Type:parameter or Type:parameter:Target",
                    shown(text)
                )));
            }
        };
        let kind = |name: &str| {
            let kind = r4().resource(name).map(|kind| kind.name);
            kind.ok_or_else(|| refuse(format!("`{}` is no resource type", shown(name))))
        };
        let source = kind(source)?;
        let target = target.map(kind).transpose()?;
        let is_reference = |parameter: &&Parameter| matches!(parameter.rule, Rule::Reference);
        let parameters: Vec<&'static Parameter> = match code {
            "*" => custom.supported(source).filter(is_reference).collect(),
            code => {
                let found = custom.find(source, code).filter(is_reference);
                vec![found.ok_or_else(|| {
                    refuse(format!("{source} has no reference parameter `{}`", shown(code)))
                })?]
            }
        };
        if is_reverse && !is_iterated {
            let refers = |parameter: &&Parameter| parameter.targets.contains(&resource);
            if !parameters.iter().any(refers) {
                return Err(refuse(format!("`{}` does not refer to {resource}", shown(text))));
            }
        }
        let targets = target.into_iter().collect();
        Ok(Include { is_reverse, is_iterated, source, parameters, targets })
    }

    /// Only what is of these types.
    #[must_use]
    pub fn to_others(mut self, targets: &[&'static str]) -> Include {
        self.targets = targets.to_vec();
        self
    }

    fn is_target(&self, kind: &str) -> bool {
        self.targets.is_empty() || self.targets.contains(&kind)
    }

    /// The resources of this server that a resource refers to, as this asks.
    pub fn targets(&self, resource: &Value, extractor: &Extractor) -> Vec<(&'static str, String)> {
        let kind = resource.get("resourceType").and_then(Value::as_str);
        if kind != Some(self.source) {
            return Vec::new();
        }
        let mut targets = Vec::new();
        for parameter in &self.parameters {
            each_reference(parameter, resource, extractor.base_url(), |target| {
                if let Target::Local { kind, id } = target
                    && self.is_target(kind)
                {
                    targets.push((kind, id.to_owned()));
                }
            });
        }
        targets
    }

    /// The search for what refers to these resources.
    pub fn referring(&self, resources: &[(&'static str, String)]) -> Option<Query> {
        let any: Vec<Asked> = self
            .parameters
            .iter()
            .filter_map(|parameter| {
                let wanted = resources
                    .iter()
                    .filter(|(kind, _)| parameter.targets.contains(kind) && self.is_target(kind));
                let wanted: Vec<reference::Wanted> = wanted
                    .map(|(kind, id)| reference::Wanted::Local {
                        kinds: vec![*kind],
                        id: id.clone(),
                    })
                    .collect();
                let is_asked = !wanted.is_empty();
                is_asked.then_some(Asked::Value { parameter, wanted: Wanted::References(wanted) })
            })
            .collect();
        (!any.is_empty()).then(|| Query::of(self.source, Asked::Any(any)))
    }
}

impl Query {
    /// The resources of these ids.
    pub fn by_ids(resource: &'static str, ids: Vec<String>) -> Option<Query> {
        let parameter = registry::find(resource, "_id")?;
        Some(Query::of(resource, Asked::Value { parameter, wanted: Wanted::Ids(ids) }))
    }

    fn of(resource: &'static str, asked: Asked) -> Query {
        Query { resource, ignored: Vec::new(), clauses: vec![Clause { text: None, asked }] }
    }
}

#[cfg(test)]
mod tests {
    use super::{Include, Sort, compare, sort_values};
    use crate::extract::tests::extractor;
    use crate::registry::Custom;
    use serde_json::{Value, json};
    use std::cmp::Ordering;

    fn check(sort: &str, left: &Value, right: &Value, expected: Ordering) {
        let resource = |patient: &Value| {
            let mut resource = json!({ "resourceType": "Patient" });
            resource["name"] = patient.clone();
            resource
        };
        let Ok(Sort::Collected(keys)) = Sort::parse("Patient", sort, &Custom::default()) else {
            panic!("{sort}")
        };
        let values = |patient| sort_values(&keys, &resource(patient), &extractor());
        assert_eq!(compare(&keys, &values(left), &values(right)), expected, "{sort}");
    }

    #[test]
    fn what_has_no_value_comes_last() {
        let (a, b, none) = (json!([{ "family": "A" }]), json!([{ "family": "b" }]), json!([]));
        check("family", &a, &b, Ordering::Less);
        check("-family", &a, &b, Ordering::Greater);
        check("family", &none, &b, Ordering::Greater);
        check("-family", &none, &b, Ordering::Greater);
        check("given,family", &a, &b, Ordering::Less);
        let several = json!([{ "family": "c" }, { "family": "a" }]);
        check("family", &several, &b, Ordering::Less);
        check("-family", &several, &b, Ordering::Less);
    }

    #[test]
    fn what_is_asked_in_vain_is_refused() {
        for text in ["", "nmae", "near", "family,,given", "-"] {
            assert!(Sort::parse("Patient", text, &Custom::default()).is_err(), "{text}");
        }
        assert!(
            Include::parse("Patient:name", false, false, "Patient", &Custom::default()).is_err()
        );
        assert!(
            Include::parse("Observation:patient", true, false, "Patient", &Custom::default())
                .is_ok()
        );
        assert!(
            Include::parse("Observation:device", true, false, "Patient", &Custom::default())
                .is_err()
        );
        assert!(Include::parse("*", true, false, "Patient", &Custom::default()).is_err());
        assert!(Include::parse("*", false, false, "Patient", &Custom::default()).is_ok());
    }
}
