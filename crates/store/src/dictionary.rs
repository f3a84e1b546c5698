//! Bodies are compressed with a zstd dictionary per resource type: a 2 KB resource then takes a few hundred bytes.
//!
//! A stored body names its dictionary, so dictionaries are kept for ever. The starter dictionary of a type is made from the
//! definitions when a database is migrated; number 0 is no dictionary.

use crate::error::Error;
use crate::hospital::connect;
use crate::pool::Pool;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use fhir::definitions::{Definitions, Kind, Type, r4};
use schema::resource::{TABLES, Table};
use schema::tables::dictionary;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::OnceLock;
use zstd::zstd_safe::{CCtx, CDict, DCtx, DDict, compress_bound, get_frame_content_size};

const LEVEL: i32 = 3;
const NONE: i16 = 0;

/// Larger than any body the server accepts: a damaged frame cannot make us allocate more.
const BODY_BYTES_MAX: u64 = 256 << 20;

/// A starter dictionary's size: larger ones cost memory for each type in use and gain little.
const STARTER_BYTES_MAX: usize = 8 << 10;

pub struct Dictionaries {
    by_id: HashMap<i16, Dictionary>,
    by_type: HashMap<i16, i16>,
}

/// Digested on first use: most servers see a few dozen of the types.
struct Dictionary {
    content: Vec<u8>,
    compressing: OnceLock<CDict<'static>>,
    decompressing: OnceLock<DDict<'static>>,
}

thread_local! {
    static COMPRESSOR: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
    static DECOMPRESSOR: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

impl Dictionaries {
    pub(crate) async fn load(pool: &Pool) -> Result<Dictionaries, Error> {
        let mut by_id = HashMap::new();
        let mut by_type = HashMap::new();
        for (id, resource_type, content) in rows(pool).await? {
            let latest = by_type.entry(resource_type).or_insert(id);
            *latest = id.max(*latest);
            let dictionary = Dictionary {
                content,
                compressing: OnceLock::new(),
                decompressing: OnceLock::new(),
            };
            by_id.insert(id, dictionary);
        }
        Ok(Dictionaries { by_id, by_type })
    }

    /// The dictionary used and the compressed text.
    pub fn compress(&self, table: &Table, json: &[u8]) -> Result<(i16, Vec<u8>), Error> {
        let id = self.by_type.get(&table.code).copied().unwrap_or(NONE);
        let mut out = Vec::with_capacity(compress_bound(json.len()));
        COMPRESSOR
            .with_borrow_mut(|context| match self.by_id.get(&id) {
                Some(dictionary) => {
                    let digested = dictionary
                        .compressing
                        .get_or_init(|| CDict::create(&dictionary.content, LEVEL));
                    context.compress_using_cdict(&mut out, json, digested)
                }
                None => context.compress(&mut out, json, LEVEL),
            })
            .map_err(|code| Error::Corrupt(format!("zstd error {code} while compressing")))?;
        Ok((id, out))
    }

    pub fn decompress(&self, id: i16, body: &[u8]) -> Result<Vec<u8>, Error> {
        let size = get_frame_content_size(body)
            .ok()
            .flatten()
            .filter(|size| *size <= BODY_BYTES_MAX)
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| Error::Corrupt("not a zstd frame of known size".to_owned()))?;
        let mut out = Vec::with_capacity(size);
        DECOMPRESSOR
            .with_borrow_mut(|context| match self.by_id.get(&id) {
                Some(dictionary) => {
                    let digested =
                        dictionary.decompressing.get_or_init(|| DDict::create(&dictionary.content));
                    context.decompress_using_ddict(&mut out, body, digested)
                }
                None => context.decompress(&mut out, body),
            })
            .map_err(|code| Error::Corrupt(format!("zstd error {code}, dictionary {id}")))?;
        Ok(out)
    }
}

/// Gives each resource type that has no dictionary yet its starter. Runs under the migration lock.
pub(crate) async fn add_missing(pool: &Pool) -> Result<(), Error> {
    let known = rows(pool).await?;
    let types: HashSet<i16> = known.iter().map(|(_, resource_type, _)| *resource_type).collect();
    let mut next = known.iter().map(|(id, _, _)| *id).max().unwrap_or(NONE);
    let mut missing = Vec::new();
    for table in TABLES.iter().filter(|table| !types.contains(&table.code)) {
        let Some(definition) = r4().resource(table.resource) else { continue };
        next += 1;
        missing.push((
            dictionary::id.eq(next),
            dictionary::resource_type.eq(table.code),
            dictionary::content.eq(starter(r4(), definition)),
        ));
    }
    let mut connection = connect(pool).await?;
    diesel::insert_into(dictionary::table)
        .values(missing)
        .execute(&mut connection)
        .await
        .map_err(|error| Error::Migration(error.to_string()))?;
    Ok(())
}

async fn rows(pool: &Pool) -> Result<Vec<(i16, i16, Vec<u8>)>, Error> {
    let mut connection = connect(pool).await?;
    dictionary::table
        .select((dictionary::id, dictionary::resource_type, dictionary::content))
        .load(&mut connection)
        .await
        .map_err(|error| Error::Unavailable(error.to_string()))
}

/// What resources of this type are likely to contain, the likeliest last: zstd reaches the end of a dictionary most cheaply.
fn starter(definitions: &Definitions, resource: &Type) -> Vec<u8> {
    let mut codes = String::new();
    let mut properties = String::new();
    let mut seen = HashSet::new();
    describe(definitions, resource, 0, &mut seen, &mut properties, &mut codes);
    let mut content = codes.into_bytes();
    content.truncate(STARTER_BYTES_MAX / 4);
    let properties = properties.into_bytes();
    content.extend(properties.iter().take(STARTER_BYTES_MAX / 2));
    content.extend_from_slice(COMMON.as_bytes());
    let start = format!(
        r#"{{"resourceType":"{}","id":"01","meta":{{"versionId":"1","lastUpdated":"2026-"#,
        resource.name
    );
    content.extend_from_slice(start.as_bytes());
    content
}

const COMMON: &str = concat!(
    r#""http://hl7.org/fhir/StructureDefinition/","http://terminology.hl7.org/CodeSystem/v3-"#,
    r#""system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","#,
    r#""system":"http://snomed.info/sct","system":"http://hl7.org/fhir/sid/icd-10","#,
    r#""valueQuantity":{"value":1,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mm[Hg]"},"#,
    r#""period":{"start":"2026-01-01T08:00:00+08:00","end":"2026-01-01T09:00:00+08:00"},"#,
    r#""text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"></div>"},"#,
    r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/","valueString":""}],"#,
    r#""identifier":[{"use":"official","system":"urn:oid:2.16.156.10011.1.3","value":""}],"#,
    r#""subject":{"reference":"Patient/"},"encounter":{"reference":"Encounter/"},"#,
    r#""code":{"coding":[{"system":"http://loinc.org","code":"","display":""}],"text":""},"status":"final","#,
);

fn describe(
    definitions: &Definitions,
    owner: &Type,
    depth: u32,
    seen: &mut HashSet<&'static str>,
    properties: &mut String,
    codes: &mut String,
) {
    for element in &owner.elements {
        for kind in element.types.iter().take(3) {
            let _ = write!(properties, "\"{}\":", kind.property);
            let children = definitions.get(kind.id);
            let is_nested = matches!(children.kind, Kind::Group | Kind::Complex);
            if depth < 2 && is_nested && seen.insert(children.name) {
                describe(definitions, children, depth + 1, seen, properties, codes);
            }
        }
        let bound = element.binding.and_then(|url| definitions.value_set(url));
        let mut words: Vec<&str> =
            bound.map(|set| set.codes.values().flatten().copied().collect()).unwrap_or_default();
        words.sort_unstable();
        for word in words.into_iter().take(8) {
            let _ = write!(codes, "\"{}\":\"{word}\",", element.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dictionaries, Dictionary, NONE, starter};
    use fhir::definitions::r4;
    use schema::resource::find;
    use std::collections::HashMap;
    use std::sync::OnceLock;

    fn dictionaries() -> Dictionaries {
        let content = starter(r4(), r4().resource("Patient").unwrap());
        let dictionary =
            Dictionary { content, compressing: OnceLock::new(), decompressing: OnceLock::new() };
        let code = find("Patient").unwrap().code;
        Dictionaries {
            by_id: HashMap::from([(7, dictionary)]),
            by_type: HashMap::from([(code, 7)]),
        }
    }

    #[test]
    fn a_body_comes_back_as_it_went_in() {
        let dictionaries = dictionaries();
        let json = br#"{"resourceType":"Patient","id":"1","gender":"female"}"#;
        let (id, body) = dictionaries.compress(find("Patient").unwrap(), json).unwrap();
        assert_eq!((id, body.len() < json.len()), (7, true));
        assert_eq!(dictionaries.decompress(id, &body).unwrap(), json);
    }

    #[test]
    fn a_type_without_a_dictionary_is_stored_all_the_same() {
        let dictionaries = dictionaries();
        let (id, body) = dictionaries.compress(find("Basic").unwrap(), b"{}").unwrap();
        assert_eq!(id, NONE);
        assert_eq!(dictionaries.decompress(id, &body).unwrap(), b"{}");
    }

    #[test]
    fn a_damaged_body_is_an_error() {
        let dictionaries = dictionaries();
        assert!(dictionaries.decompress(7, b"not zstd").is_err());
        let (id, mut body) = dictionaries.compress(find("Patient").unwrap(), b"{\"a\":1}").unwrap();
        body.truncate(6);
        assert!(dictionaries.decompress(id, &body).is_err());
    }
}
