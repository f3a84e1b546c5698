//! What modifiers of terminology stand for (`:in`, `:not-in`, `:above`, `:below`; search.html#modifiers): the codes of value sets
//! and the hierarchies of code systems, as they are stored here, and the value sets of the specification.

use crate::http::answer::stored;
use crate::http::failure::Failure;
use crate::http::target::identifier;
use crate::interactions::look::Reader;
use ::search::plan::{self, Order};
use ::search::query::hierarchy::part_of;
use ::search::query::{Codes, Context, Hierarchy, Query, terminology};
use ::search::render::{self, Window};
use access::Grant;
use fhir::definitions::r4;
use fhir::outcome::Code;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// Codes that one value may stand for.
const CODES_MAX: usize = 10_000;
/// Parts of a resource.
const PARTS_MAX: usize = 2_000;
/// Looked for in one search.
const PARTS_AT_ONCE: usize = 500;
/// Value sets that include each other.
const DEPTH_MAX: usize = 8;

type Coded = (String, String);

/// Looks up what the criteria need.
pub async fn codes(
    reader: &mut Reader<'_>,
    grant: &Grant,
    pairs: &[(String, String)],
    context: &Context<'_>,
) -> Result<Codes, Failure> {
    let mut codes = Codes::new();
    let mut lookup = Lookup { reader, grant, context };
    for (hierarchy, value) in terminology(pairs) {
        if codes.contains_key(&(hierarchy, value.clone())) {
            continue;
        }
        let found = match hierarchy {
            Hierarchy::In => lookup.value_set(&value, DEPTH_MAX).await?,
            Hierarchy::Above | Hierarchy::Below if whole(&value).is_some() => {
                lookup.parts(hierarchy, &value).await?
            }
            // Of a URL these ask for its text.
            Hierarchy::Above | Hierarchy::Below if !value.contains('|') => continue,
            Hierarchy::Above | Hierarchy::Below => lookup.hierarchy(hierarchy, &value).await?,
        };
        codes.insert((hierarchy, value), found);
    }
    Ok(codes)
}

/// `Location/1`: of a type whose resources have parts; with the parameter that names the whole.
fn whole(value: &str) -> Option<(&'static str, &'static str, &str)> {
    let (kind, id) = value.split_once('/')?;
    let (kind, code) = part_of(kind)?;
    identifier(id).is_ok().then_some((kind, code, id))
}

struct Lookup<'a, 'b> {
    reader: &'a mut Reader<'b>,
    grant: &'a Grant,
    context: &'a Context<'a>,
}

impl Lookup<'_, '_> {
    /// A resource with all its parts, or with all that it is a part of: their types and ids. Circles end where they began.
    async fn parts(&mut self, hierarchy: Hierarchy, value: &str) -> Result<Vec<Coded>, Failure> {
        let Some((kind, code, id)) = whole(value) else { return Ok(Vec::new()) };
        let mut known = vec![id.to_owned()];
        let mut at = 0;
        while at < known.len() {
            let end = known.len().min(at + PARTS_AT_ONCE);
            let now = known.get(at..end).unwrap_or_default().to_vec();
            at = end;
            let pair = match hierarchy {
                Hierarchy::Above => ("_id".to_owned(), now.join(",")),
                Hierarchy::Below | Hierarchy::In => {
                    let wholes: Vec<String> = now.iter().map(|id| format!("{kind}/{id}")).collect();
                    (code.to_owned(), wholes.join(","))
                }
            };
            let query = Query::parse(kind, &[pair], self.context)?;
            let plan = plan::plan(&query, self.grant)?;
            let limit = u32::try_from(CODES_MAX).unwrap_or(u32::MAX).saturating_add(1);
            let sql = render::page(&plan, &Window::all(limit));
            let found = self.reader.find(plan.table(), &sql).await?;
            let base_url = self.context.base_url;
            let next: Vec<String> = found.describe(|found| {
                let versions = found.matches.iter().map(|found| &found.version);
                match hierarchy {
                    Hierarchy::Above => versions
                        .filter_map(|version| version.json.as_deref())
                        .flat_map(|json| wholes(json, kind, base_url))
                        .collect(),
                    Hierarchy::Below | Hierarchy::In => {
                        versions.map(|version| version.id.clone()).collect()
                    }
                }
            });
            for id in next {
                if !known.contains(&id) {
                    known.push(id);
                }
            }
            if known.len() > PARTS_MAX {
                return Err(refused(format!(
                    "{} has more than {PARTS_MAX} parts; ask for one of them",
                    shortened(value)
                )));
            }
        }
        Ok(known.into_iter().map(|id| (kind.to_owned(), id)).collect())
    }

    /// A resource by its canonical URL or its id; the latest, when several have it.
    async fn find(&mut self, kind: &'static str, url: &str) -> Result<Option<Value>, Failure> {
        let relative = url.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/'));
        let escape =
            |text: &str| text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|");
        let mut pairs = match (relative, url.split_once('|')) {
            (Some(id), _) => vec![("_id".to_owned(), id.to_owned())],
            (None, Some((url, version))) => {
                vec![("url".to_owned(), escape(url)), ("version".to_owned(), escape(version))]
            }
            (None, None) => vec![("url".to_owned(), escape(url))],
        };
        if relative.is_none() {
            pairs.push(("status:not".to_owned(), "retired".to_owned()));
        }
        let query = Query::parse(kind, &pairs, self.context)?;
        let plan = plan::plan(&query, self.grant)?;
        let window = Window { order: Order::Version { descending: true }, ..Window::all(1) };
        let found = self.reader.find(plan.table(), &render::page(&plan, &window)).await?;
        found.describe(|found| {
            let json = found.matches.first().and_then(|found| found.version.json.as_deref());
            json.map(stored).transpose()
        })
    }

    fn value_set<'a>(
        &'a mut self,
        url: &'a str,
        depth: usize,
    ) -> BoxFuture<'a, Result<Vec<Coded>, Failure>> {
        async move {
            if depth == 0 {
                return Err(refused(format!(
                    "value sets include each other more than {DEPTH_MAX} deep"
                )));
            }
            if let Some(value_set) = self.find("ValueSet", url).await? {
                return self.expand(&value_set, depth).await;
            }
            let known = r4().value_set(url.split('|').next().unwrap_or(url));
            let known = known.ok_or_else(|| {
                refused(format!("the value set {} is not stored here", shortened(url)))
            })?;
            let codes = known.codes.iter().flat_map(|(system, codes)| {
                codes.iter().map(|code| ((*system).to_owned(), (*code).to_owned()))
            });
            Ok(codes.collect())
        }
        .boxed()
    }

    /// Its expansion, or else what it is composed of.
    async fn expand(&mut self, value_set: &Value, depth: usize) -> Result<Vec<Coded>, Failure> {
        let mut codes = Vec::new();
        if let Some(contains) = value_set["expansion"]["contains"].as_array() {
            flatten(contains, &mut codes);
            return Ok(codes);
        }
        for include in value_set["compose"]["include"].as_array().into_iter().flatten() {
            codes.extend(self.include(include, depth).await?);
            bound(&codes)?;
        }
        for exclude in value_set["compose"]["exclude"].as_array().into_iter().flatten() {
            let excluded = self.include(exclude, depth).await?;
            codes.retain(|code| !excluded.contains(code));
        }
        Ok(codes)
    }

    /// What all parts of an include have.
    async fn include(&mut self, include: &Value, depth: usize) -> Result<Vec<Coded>, Failure> {
        let mut found: Option<Vec<Coded>> = None;
        if let Some(system) = include["system"].as_str() {
            let concepts = include["concept"].as_array().into_iter().flatten();
            let listed: Vec<Coded> = concepts
                .filter_map(|concept| concept["code"].as_str())
                .map(|code| (system.to_owned(), code.to_owned()))
                .collect();
            let filters = include["filter"].as_array();
            found = Some(match (listed.is_empty(), filters) {
                (false, _) => listed,
                (true, filters) => {
                    let tree = self.code_system(system).await?;
                    let mut codes = tree.all();
                    for filter in filters.into_iter().flatten() {
                        let kept = tree.filtered(filter)?;
                        codes.retain(|code| kept.contains(code));
                    }
                    codes.into_iter().map(|code| (system.to_owned(), code)).collect()
                }
            });
        }
        for url in include["valueSet"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let others = self.value_set(url, depth - 1).await?;
            found = Some(match found {
                None => others,
                Some(codes) => codes.into_iter().filter(|code| others.contains(code)).collect(),
            });
        }
        let found = found.unwrap_or_default();
        bound(&found)?;
        Ok(found)
    }

    async fn code_system(&mut self, system: &str) -> Result<Tree, Failure> {
        let resource = self.find("CodeSystem", system).await?.ok_or_else(|| {
            refused(format!("the code system {} is not stored here", shortened(system)))
        })?;
        if resource["content"] != "complete" {
            let text = format!("the code system {} is not complete here", shortened(system));
            return Err(refused(text));
        }
        let mut tree = Tree { codes: Vec::new() };
        tree.add(resource["concept"].as_array(), None);
        Ok(tree)
    }

    /// `system|code`
    async fn hierarchy(
        &mut self,
        hierarchy: Hierarchy,
        value: &str,
    ) -> Result<Vec<Coded>, Failure> {
        let (system, code) = value.split_once('|').unwrap_or(("", value));
        let tree = self.code_system(system).await?;
        if tree.place(code).is_none() {
            let text = format!("`{}` is not in that code system", shortened(code));
            return Err(refused(text));
        }
        let codes = match hierarchy {
            Hierarchy::Below | Hierarchy::In => tree.below(code),
            Hierarchy::Above => tree.above(code),
        };
        let codes: Vec<Coded> = codes.into_iter().map(|code| (system.to_owned(), code)).collect();
        bound(&codes)?;
        Ok(codes)
    }
}

/// The concepts of a code system, each with the place of what it is a kind of.
struct Tree {
    codes: Vec<(String, Option<usize>)>,
}

impl Tree {
    /// Stored resources are bounded in depth.
    fn add(&mut self, concepts: Option<&Vec<Value>>, parent: Option<usize>) {
        for concept in concepts.into_iter().flatten() {
            let Some(code) = concept["code"].as_str() else { continue };
            let place = self.codes.len();
            self.codes.push((code.to_owned(), parent));
            self.add(concept["concept"].as_array(), Some(place));
        }
    }

    fn all(&self) -> Vec<String> {
        self.codes.iter().map(|(code, _)| code.clone()).collect()
    }

    fn place(&self, code: &str) -> Option<usize> {
        self.codes.iter().position(|(known, _)| known == code)
    }

    /// A code and its kinds: they stand after it.
    fn below(&self, code: &str) -> Vec<String> {
        let mut places = Vec::new();
        for (place, (known, parent)) in self.codes.iter().enumerate() {
            if known == code || parent.is_some_and(|parent| places.contains(&parent)) {
                places.push(place);
            }
        }
        let code = |place: &usize| self.codes.get(*place).map(|(code, _)| code.clone());
        places.iter().filter_map(code).collect()
    }

    fn above(&self, code: &str) -> Vec<String> {
        let mut codes = Vec::new();
        let mut next = self.place(code);
        while let Some((code, parent)) = next.and_then(|place| self.codes.get(place)) {
            codes.push(code.clone());
            next = *parent;
        }
        codes
    }

    /// What a filter of a value set leaves.
    fn filtered(&self, filter: &Value) -> Result<Vec<String>, Failure> {
        let text = |name: &str| filter[name].as_str().unwrap_or_default();
        match (text("property"), text("op"), text("value")) {
            ("concept", "is-a", value) => Ok(self.below(value)),
            ("concept", "descendent-of", value) => {
                let mut codes = self.below(value);
                codes.retain(|code| code != value);
                Ok(codes)
            }
            ("concept", "is-not-a", value) => {
                let below = self.below(value);
                Ok(self.all().into_iter().filter(|code| !below.contains(code)).collect())
            }
            ("concept", "generalizes", value) => Ok(self.above(value)),
            (property, operator, _) => Err(refused(format!(
                "a value set with the filter `{} {}` cannot be expanded here",
                shortened(property),
                shortened(operator)
            ))),
        }
    }
}

/// The ids of what a resource is a part of.
fn wholes(json: &[u8], kind: &str, base_url: &str) -> Vec<String> {
    let Ok(resource) = stored(json) else { return Vec::new() };
    let named = match &resource["partOf"] {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let id = |reference: &Value| {
        let text = reference["reference"].as_str()?;
        let text = text.strip_prefix(base_url).map_or(text, |rest| rest.trim_start_matches('/'));
        let id = text.strip_prefix(kind)?.strip_prefix('/')?;
        Some(id.split('/').next().unwrap_or(id).to_owned())
    };
    named.iter().filter_map(id).collect()
}

fn flatten(contains: &[Value], codes: &mut Vec<Coded>) {
    for one in contains {
        if let Some(code) = one["code"].as_str().filter(|_| one["abstract"] != true) {
            codes.push((one["system"].as_str().unwrap_or_default().to_owned(), code.to_owned()));
        }
        if let Some(contains) = one["contains"].as_array() {
            flatten(contains, codes);
        }
    }
}

fn bound(codes: &[Coded]) -> Result<(), Failure> {
    if codes.len() <= CODES_MAX {
        return Ok(());
    }
    let text = format!("more than {CODES_MAX} codes are meant; use a smaller value set");
    Err(Failure::new(400, Code::TooCostly, text))
}

fn refused(text: String) -> Failure {
    Failure::new(400, Code::NotSupported, text)
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}
