//! What a transaction is going to write, as one statement a table with one array a column.

use crate::dictionary::Dictionaries;
use crate::error::Error;
use crate::row::Method;
use schema::resource::Table;
use search::extract::{Entries, RangeEntry, ReferenceEntry, StringEntry};
use search::key::resource_key;
use search::sharing::consent::Rule;
use std::collections::BTreeMap;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

/// Everything one transaction changes.
#[derive(Debug, Default)]
pub struct Staged {
    pub puts: Vec<Put>,
    pub deletions: Vec<Deletion>,
    /// The answer kept for a retry with the same Idempotency-Key.
    pub answer: Option<KeptAnswer>,
}

/// A new version of a resource.
#[derive(Debug)]
pub struct Put {
    pub table: &'static Table,
    pub id: String,
    pub shard: i32,
    pub key: i64,
    pub version: i32,
    pub version_key: i64,
    pub hospital: i32,
    pub entries: Entries,
    /// Those that it had before: no client lowers them.
    pub kept_labels: i64,
    pub method: Method,
    pub json: Vec<u8>,
    pub previous: Previous,
}

/// What the new version comes after.
#[derive(Debug)]
pub enum Previous {
    Nothing,
    Deletion,
    /// The version that becomes history, and the entries it had.
    Version {
        version: i32,
        entries: Box<Entries>,
    },
}

/// The end of a resource, itself a version.
#[derive(Debug)]
pub struct Deletion {
    pub table: &'static Table,
    pub id: String,
    pub shard: i32,
    pub key: i64,
    pub version: i32,
    pub version_key: i64,
    pub hospital: i32,
    pub patient: Option<i64>,
    /// As they were: what is gone is as sensitive as it was.
    pub labels: i64,
    pub entries: Entries,
}

#[derive(Debug)]
pub struct KeptAnswer {
    pub hospital: i32,
    pub key: String,
    pub fingerprint: Vec<u8>,
    pub answer: Vec<u8>,
}

impl Put {
    pub fn patient(&self) -> Option<i64> {
        self.entries.patient.as_ref().map(|patient| patient.key)
    }
}

impl Staged {
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletions.is_empty() && self.answer.is_none()
    }
}

type Parameter = Box<dyn ToSql + Sync + Send>;

/// A statement and its parameters.
pub(crate) struct Statement {
    pub(crate) text: String,
    parameters: Vec<Parameter>,
}

impl Statement {
    pub(crate) fn new(text: impl Into<String>) -> Statement {
        Statement { text: text.into(), parameters: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl ToSql + Sync + Send + 'static) -> Statement {
        self.parameters.push(Box::new(value));
        self
    }

    pub(crate) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.parameters.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect()
    }
}

pub(crate) fn column<T, U>(rows: &[T], value: impl Fn(&T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

pub(super) fn statements(
    dictionaries: &Dictionaries,
    staged: &Staged,
) -> Result<Vec<Statement>, Error> {
    let mut statements = Vec::new();
    let deletions: Vec<&Deletion> = staged.deletions.iter().collect();
    for (table, deletions) in grouped(&deletions, |deletion| deletion.table) {
        let ends = column(&deletions, |deletion| {
            (deletion.id.clone(), deletion.version - 1, deletion.version_key)
        });
        statements.push(archive(table, &ends));
        statements.push(remove(table, &deletions));
    }
    let puts: Vec<&Put> = staged.puts.iter().collect();
    for (table, puts) in grouped(&puts, |put| put.table) {
        let (updates, inserts): (Vec<&Put>, Vec<&Put>) =
            puts.into_iter().partition(|put| matches!(put.previous, Previous::Version { .. }));
        if !updates.is_empty() {
            let ends = column(&updates, |put| (put.id.clone(), put.version - 1, put.version_key));
            statements.push(archive(table, &ends));
            statements.push(rows(dictionaries, table, &updates, update_text)?);
        }
        if !inserts.is_empty() {
            statements.push(rows(dictionaries, table, &inserts, insert_text)?);
        }
    }
    statements.extend(revived(&puts));
    statements.extend(tombstones(&deletions));
    statements.extend(entries(staged));
    statements.extend(staged.answer.as_ref().map(keep));
    Ok(statements)
}

/// By table, in a fixed order.
fn grouped<'a, T>(
    items: &[&'a T],
    table: impl Fn(&T) -> &'static Table,
) -> Vec<(&'static Table, Vec<&'a T>)> {
    let mut groups: BTreeMap<i16, (&'static Table, Vec<&'a T>)> = BTreeMap::new();
    for item in items {
        let table = table(item);
        groups.entry(table.code).or_insert((table, Vec::new())).1.push(item);
    }
    groups.into_values().collect()
}

/// Copies versions that end into the history. Its primary key refuses a second successor of the same version.
fn archive(table: &'static Table, ends: &[(String, i32, i64)]) -> Statement {
    Statement::new(format!(
        "INSERT INTO history (resource_type, id, version, shard, version_key, superseded_key, hospital, labels, \
         patient, method, dictionary, body) \
         SELECT $1, t.id, t.version, t.shard, t.version_key, u.superseded_key, t.hospital, t.labels, \
         t.patient, t.method, t.dictionary, t.body \
         FROM unnest($2::text[], $3::int4[], $4::int8[]) AS u (id, version, superseded_key) \
         JOIN {} t ON t.id = u.id AND t.version = u.version",
        table.name
    ))
    .bind(table.code)
    .bind(column(ends, |end| end.0.clone()))
    .bind(column(ends, |end| end.1))
    .bind(column(ends, |end| end.2))
}

fn remove(table: &'static Table, deletions: &[&Deletion]) -> Statement {
    Statement::new(format!("DELETE FROM {} WHERE id = ANY($1)", table.name))
        .bind(column(deletions, |deletion| deletion.id.clone()))
}

/// The arrays that both INSERT and UPDATE read from, as a table `u`; key arrays travel flat, with bounds a row.
const SOURCE: &str = "unnest($1::text[], $2::int4[], $3::int8[], $4::int4[], $5::int8[], $6::int4[], $7::int8[], \
    $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[], \
    $15::int2[], $16::int2[], $17::bytea[], $18::int4[], $19::int4[], $20::int4[], $21::int4[], $24::int8[]) \
    AS u (id, shard, version_key, version, key, hospital, patient, \
    code, code2, date_low, date_high, quantity, number, present, \
    method, dictionary, body, tokens_low, tokens_high, filters_low, filters_high, labels)";

fn insert_text(table: &Table) -> String {
    format!(
        "INSERT INTO {} (id, shard, version_key, version, key, hospital, patient, code, code2, date_low, date_high, \
         quantity, number, present, tokens, filters, method, dictionary, body, labels) \
         SELECT u.id, u.shard, u.version_key, u.version, u.key, u.hospital, u.patient, u.code, u.code2, u.date_low, \
         u.date_high, u.quantity, u.number, u.present, ($22::int8[])[u.tokens_low:u.tokens_high], \
         ($23::int8[])[u.filters_low:u.filters_high], u.method, u.dictionary, u.body, u.labels FROM {SOURCE}",
        table.name
    )
}

/// The shard of a resource never changes, nor its key.
fn update_text(table: &Table) -> String {
    format!(
        "UPDATE {} t SET version_key = u.version_key, version = u.version, hospital = u.hospital, \
         patient = u.patient, code = u.code, code2 = u.code2, date_low = u.date_low, date_high = u.date_high, \
         quantity = u.quantity, number = u.number, present = u.present, \
         tokens = ($22::int8[])[u.tokens_low:u.tokens_high], \
         filters = ($23::int8[])[u.filters_low:u.filters_high], method = u.method, \
         dictionary = u.dictionary, body = u.body, labels = t.labels | u.labels FROM {SOURCE} WHERE t.id = u.id AND t.shard = u.shard",
        table.name
    )
}

fn rows(
    dictionaries: &Dictionaries,
    table: &'static Table,
    puts: &[&Put],
    text: fn(&Table) -> String,
) -> Result<Statement, Error> {
    let mut used = Vec::with_capacity(puts.len());
    let mut bodies = Vec::with_capacity(puts.len());
    for put in puts {
        let (dictionary, body) = dictionaries.compress(table, &put.json)?;
        used.push(dictionary);
        bodies.push(body);
    }
    let tokens = Flat::new(puts.iter().map(|put| put.entries.tokens.as_slice()));
    let filters = Flat::new(puts.iter().map(|put| put.entries.filters.as_slice()));
    Ok(Statement::new(text(table))
        .bind(column(puts, |put| put.id.clone()))
        .bind(column(puts, |put| put.shard))
        .bind(column(puts, |put| put.version_key))
        .bind(column(puts, |put| put.version))
        .bind(column(puts, |put| put.key))
        .bind(column(puts, |put| put.hospital))
        .bind(column(puts, |put| put.patient()))
        .bind(column(puts, |put| put.entries.code))
        .bind(column(puts, |put| put.entries.code2))
        .bind(column(puts, |put| put.entries.date.map(|(low, _)| low)))
        .bind(column(puts, |put| put.entries.date.map(|(_, high)| high)))
        .bind(column(puts, |put| put.entries.quantity))
        .bind(column(puts, |put| put.entries.number))
        .bind(column(puts, |put| put.entries.present))
        .bind(column(puts, |put| put.method.code()))
        .bind(used)
        .bind(bodies)
        .bind(tokens.low)
        .bind(tokens.high)
        .bind(filters.low)
        .bind(filters.high)
        .bind(tokens.values)
        .bind(filters.values)
        .bind(column(puts, |put| put.entries.labels | put.kept_labels)))
}

/// Resources that are loaded for the first time.
pub(crate) fn first_versions(
    dictionaries: &Dictionaries,
    puts: &[Put],
) -> Result<Vec<Statement>, Error> {
    let puts: Vec<&Put> = puts.iter().collect();
    let by_table = grouped(&puts, |put| put.table).into_iter();
    by_table.map(|(table, puts)| rows(dictionaries, table, &puts, insert_text)).collect()
}

/// New entries of a resource that stays as it is.
pub(crate) struct Reindexed {
    pub(crate) id: String,
    pub(crate) shard: i32,
    pub(crate) key: i64,
    pub(crate) entries: Entries,
}

/// Replaces the entries of resources of one type, in their rows and in the entry tables.
pub(crate) fn reindex(table: &'static Table, resources: &[Reindexed]) -> Vec<Statement> {
    let tokens = Flat::new(resources.iter().map(|resource| resource.entries.tokens.as_slice()));
    let filters = Flat::new(resources.iter().map(|resource| resource.entries.filters.as_slice()));
    let patient = |entries: &Entries| entries.patient.as_ref().map(|patient| patient.key);
    let update = Statement::new(format!(
        "UPDATE {} t SET patient = u.patient, code = u.code, code2 = u.code2, date_low = u.date_low, \
         date_high = u.date_high, quantity = u.quantity, number = u.number, present = u.present, \
         tokens = ($15::int8[])[u.tokens_low:u.tokens_high], filters = ($16::int8[])[u.filters_low:u.filters_high], \
         labels = t.labels | u.labels \
         FROM unnest($1::text[], $2::int4[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], \
         $9::int8[], $10::int8[], $11::int4[], $12::int4[], $13::int4[], $14::int4[], $17::int8[]) \
         AS u (id, shard, patient, code, code2, date_low, date_high, quantity, number, present, \
         tokens_low, tokens_high, filters_low, filters_high, labels) WHERE t.id = u.id AND t.shard = u.shard",
        table.name
    ))
    .bind(column(resources, |resource| resource.id.clone()))
    .bind(column(resources, |resource| resource.shard))
    .bind(column(resources, |resource| patient(&resource.entries)))
    .bind(column(resources, |resource| resource.entries.code))
    .bind(column(resources, |resource| resource.entries.code2))
    .bind(column(resources, |resource| resource.entries.date.map(|(low, _)| low)))
    .bind(column(resources, |resource| resource.entries.date.map(|(_, high)| high)))
    .bind(column(resources, |resource| resource.entries.quantity))
    .bind(column(resources, |resource| resource.entries.number))
    .bind(column(resources, |resource| resource.entries.present))
    .bind(tokens.low)
    .bind(tokens.high)
    .bind(filters.low)
    .bind(filters.high)
    .bind(tokens.values)
    .bind(filters.values)
    .bind(column(resources, |resource| resource.entries.labels));
    let mut statements = vec![update];
    for text in [
        "DELETE FROM string_entry WHERE resource_key = ANY($1)",
        "DELETE FROM range_entry WHERE resource_key = ANY($1)",
        "DELETE FROM reference_entry WHERE resource_key = ANY($1)",
        "DELETE FROM consent_rule WHERE consent_key = ANY($1)",
    ] {
        statements.push(Statement::new(text).bind(column(resources, |resource| resource.key)));
    }
    let added = |resource: &'_ Reindexed| (resource.shard, resource.key);
    statements.extend(insertions(
        &all(resources, added, |entries| &entries.strings),
        &all(resources, added, |entries| &entries.ranges),
        &all(resources, added, |entries| &entries.references),
    ));
    statements.extend(rules(&all(resources, added, |entries| &entries.rules)));
    statements
}

fn all<'a, T>(
    resources: &'a [Reindexed],
    owner: fn(&Reindexed) -> (i32, i64),
    of: fn(&Entries) -> &[T],
) -> Vec<Entry<'a, T>> {
    resources
        .iter()
        .flat_map(|resource| {
            let (shard, resource_key) = owner(resource);
            of(&resource.entries).iter().map(move |value| Entry { shard, resource_key, value })
        })
        .collect()
}

/// Arrays of different lengths in one array, with the bounds (from 1, both included) of each.
pub(crate) struct Flat {
    pub(crate) low: Vec<i32>,
    pub(crate) high: Vec<i32>,
    pub(crate) values: Vec<i64>,
}

impl Flat {
    pub(crate) fn new<'a>(arrays: impl Iterator<Item = &'a [i64]>) -> Flat {
        let mut flat = Flat { low: Vec::new(), high: Vec::new(), values: Vec::new() };
        for array in arrays {
            flat.low.push(place(flat.values.len() + 1));
            flat.values.extend_from_slice(array);
            flat.high.push(place(flat.values.len()));
        }
        flat
    }
}

/// A transaction is bounded far below two thousand million keys.
fn place(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// Deletions that no longer stand, because the resource came back.
fn revived(puts: &[&Put]) -> Option<Statement> {
    let puts: Vec<&&Put> =
        puts.iter().filter(|put| matches!(put.previous, Previous::Deletion)).collect();
    if puts.is_empty() {
        return None;
    }
    let statement = Statement::new(
        "UPDATE history h SET superseded_key = u.superseded_key \
         FROM unnest($1::int2[], $2::text[], $3::int4[], $4::int8[]) AS u (resource_type, id, version, superseded_key) \
         WHERE h.resource_type = u.resource_type AND h.id = u.id AND h.version = u.version",
    )
    .bind(column(&puts, |put| put.table.code))
    .bind(column(&puts, |put| put.id.clone()))
    .bind(column(&puts, |put| put.version - 1))
    .bind(column(&puts, |put| put.version_key));
    Some(statement)
}

fn tombstones(deletions: &[&Deletion]) -> Option<Statement> {
    if deletions.is_empty() {
        return None;
    }
    let statement = Statement::new(
        "INSERT INTO history (resource_type, id, version, shard, version_key, hospital, patient, method, dictionary, labels) \
         SELECT u.resource_type, u.id, u.version, u.shard, u.version_key, u.hospital, u.patient, u.method, u.dictionary, \
         u.labels | coalesce(h.labels, 0) \
         FROM unnest($1::int2[], $2::text[], $3::int4[], $4::int4[], $5::int8[], $6::int4[], $7::int8[], \
         $8::int2[], $9::int2[], $10::int8[]) \
         AS u (resource_type, id, version, shard, version_key, hospital, patient, method, dictionary, labels) \
         LEFT JOIN history h ON h.resource_type = u.resource_type AND h.id = u.id AND h.version = u.version - 1 \
         AND h.shard = u.shard",
    )
    .bind(column(deletions, |deletion| deletion.table.code))
    .bind(column(deletions, |deletion| deletion.id.clone()))
    .bind(column(deletions, |deletion| deletion.version))
    .bind(column(deletions, |deletion| deletion.shard))
    .bind(column(deletions, |deletion| deletion.version_key))
    .bind(column(deletions, |deletion| deletion.hospital))
    .bind(column(deletions, |deletion| deletion.patient))
    .bind(column(deletions, |_| Method::Delete.code()))
    .bind(column(deletions, |_| 0_i16))
    .bind(column(deletions, |deletion| deletion.labels));
    Some(statement)
}

/// A row of an entry table: whose it is, and what it says.
struct Entry<'a, T> {
    shard: i32,
    resource_key: i64,
    value: &'a T,
}

/// Only what changed: an entry that both the old and the new version have stays untouched.
struct Changes<'a, T> {
    removed: Vec<Entry<'a, T>>,
    added: Vec<Entry<'a, T>>,
}

/// `of` gives the entries of one kind, sorted.
fn changes<'a, T: Ord + 'a>(staged: &'a Staged, of: fn(&Entries) -> &[T]) -> Changes<'a, T> {
    let mut changes = Changes { removed: Vec::new(), added: Vec::new() };
    for put in &staged.puts {
        let new = of(&put.entries);
        let old: &[T] = match &put.previous {
            Previous::Version { entries, .. } => of(entries),
            Previous::Nothing | Previous::Deletion => &[],
        };
        let entry = |value| Entry { shard: put.shard, resource_key: put.key, value };
        let is_in = |values: &[T], value: &T| values.binary_search(value).is_ok();
        changes.removed.extend(old.iter().filter(|value| !is_in(new, value)).map(entry));
        changes.added.extend(new.iter().filter(|value| !is_in(old, value)).map(entry));
    }
    for deletion in &staged.deletions {
        let (shard, resource_key) = (deletion.shard, deletion.key);
        let entry = |value| Entry { shard, resource_key, value };
        changes.removed.extend(of(&deletion.entries).iter().map(entry));
    }
    changes
}

fn entries(staged: &Staged) -> Vec<Statement> {
    let strings = changes(staged, |entries| &entries.strings);
    let ranges = changes(staged, |entries| &entries.ranges);
    let references = changes(staged, |entries| &entries.references);
    let mut statements = Vec::new();
    statements.extend(string_entries(
        "DELETE FROM string_entry e \
         USING unnest($1::int4[], $2::int8[], $3::int8[], $4::text[], $5::int8[]) \
         AS u (shard, resource_key, parameter_key, value, exact) \
         WHERE e.parameter_key = u.parameter_key AND e.value = u.value AND e.exact = u.exact \
         AND e.resource_key = u.resource_key AND e.shard = u.shard",
        &strings.removed,
    ));
    statements.extend(range_entries(
        "DELETE FROM range_entry e \
         USING unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) \
         AS u (shard, resource_key, parameter_key, low, high) \
         WHERE e.parameter_key = u.parameter_key AND e.low = u.low AND e.high = u.high \
         AND e.resource_key = u.resource_key AND e.shard = u.shard",
        &ranges.removed,
    ));
    statements.extend(reference_entries(
        "DELETE FROM reference_entry e \
         USING unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[]) \
         AS u (shard, resource_key, target_key, date_low) \
         WHERE e.target_key = u.target_key AND e.date_low = u.date_low \
         AND e.resource_key = u.resource_key AND e.shard = u.shard",
        &references.removed,
    ));
    statements.extend(insertions(&strings.added, &ranges.added, &references.added));
    // A consent's rules are few, and are replaced as a whole.
    let consents = changes(staged, |entries| &entries.rules);
    let mut changed: Vec<i64> = consents.removed.iter().map(|entry| entry.resource_key).collect();
    changed.extend(consents.added.iter().map(|entry| entry.resource_key));
    changed.sort_unstable();
    changed.dedup();
    if !changed.is_empty() {
        let text = "DELETE FROM consent_rule WHERE consent_key = ANY($1)";
        let current = staged.puts.iter().filter(|put| changed.binary_search(&put.key).is_ok());
        let current: Vec<Entry<'_, Rule>> = current
            .flat_map(|put| {
                let (shard, resource_key) = (put.shard, put.key);
                put.entries.rules.iter().map(move |value| Entry { shard, resource_key, value })
            })
            .collect();
        statements.push(Statement::new(text).bind(changed));
        statements.extend(rules(&current));
    }
    statements
}

fn rules(entries: &[Entry<'_, Rule>]) -> Option<Statement> {
    let statement = owned(
        "INSERT INTO consent_rule (shard, consent_key, patient, is_permit, specificity, hospital, purposes, labels, \
         custodian, resource_key, data_from, data_until, valid_from, valid_until) \
         SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::bool[], $5::int2[], $6::int4[], $7::int4[], \
         $8::int8[], $9::int4[], $10::int8[], $11::int8[], $12::int8[], $13::int8[], $14::int8[])",
        entries,
    )?
    .bind(column(entries, |entry| entry.value.patient))
    .bind(column(entries, |entry| entry.value.is_permit))
    .bind(column(entries, |entry| entry.value.specificity))
    .bind(column(entries, |entry| entry.value.hospital))
    .bind(column(entries, |entry| entry.value.purposes))
    .bind(column(entries, |entry| entry.value.labels))
    .bind(column(entries, |entry| entry.value.custodian))
    .bind(column(entries, |entry| entry.value.resource_key))
    .bind(column(entries, |entry| entry.value.data.map(|(from, _)| from)))
    .bind(column(entries, |entry| entry.value.data.map(|(_, until)| until)))
    .bind(column(entries, |entry| entry.value.valid.0))
    .bind(column(entries, |entry| entry.value.valid.1));
    Some(statement)
}

/// The rules of consents that are loaded for the first time.
pub(crate) fn first_rules(puts: &[Put]) -> Option<Statement> {
    let each = puts.iter().flat_map(|put| {
        let (shard, resource_key) = (put.shard, put.key);
        put.entries.rules.iter().map(move |value| Entry { shard, resource_key, value })
    });
    rules(&each.collect::<Vec<_>>())
}

fn insertions(
    strings: &[Entry<'_, StringEntry>],
    ranges: &[Entry<'_, RangeEntry>],
    references: &[Entry<'_, ReferenceEntry>],
) -> impl Iterator<Item = Statement> {
    let strings = string_entries(
        "INSERT INTO string_entry (shard, resource_key, parameter_key, value, exact) \
         SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::text[], $5::int8[])",
        strings,
    );
    let ranges = range_entries(
        "INSERT INTO range_entry (shard, resource_key, parameter_key, low, high) \
         SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[], $5::int8[])",
        ranges,
    );
    let references = reference_entries(
        "INSERT INTO reference_entry (shard, resource_key, target_key, date_low) \
         SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[])",
        references,
    );
    [strings, ranges, references].into_iter().flatten()
}

/// The columns that say whose an entry is; nothing where there are no entries.
fn owned<T>(text: &'static str, entries: &[Entry<'_, T>]) -> Option<Statement> {
    let statement = || {
        Statement::new(text)
            .bind(column(entries, |entry| entry.shard))
            .bind(column(entries, |entry| entry.resource_key))
    };
    (!entries.is_empty()).then(statement)
}

fn string_entries(text: &'static str, entries: &[Entry<'_, StringEntry>]) -> Option<Statement> {
    let statement = owned(text, entries)?
        .bind(column(entries, |entry| entry.value.parameter_key))
        .bind(column(entries, |entry| entry.value.value.clone()))
        .bind(column(entries, |entry| entry.value.exact));
    Some(statement)
}

fn range_entries(text: &'static str, entries: &[Entry<'_, RangeEntry>]) -> Option<Statement> {
    let statement = owned(text, entries)?
        .bind(column(entries, |entry| entry.value.parameter_key))
        .bind(column(entries, |entry| entry.value.low))
        .bind(column(entries, |entry| entry.value.high));
    Some(statement)
}

fn reference_entries(
    text: &'static str,
    entries: &[Entry<'_, ReferenceEntry>],
) -> Option<Statement> {
    let statement = owned(text, entries)?
        .bind(column(entries, |entry| entry.value.target_key))
        .bind(column(entries, |entry| entry.value.date_low));
    Some(statement)
}

fn keep(answer: &KeptAnswer) -> Statement {
    Statement::new(
        "INSERT INTO idempotency (hospital, key, fingerprint, answer) VALUES ($1, $2, $3, $4)",
    )
    .bind(answer.hospital)
    .bind(answer.key.clone())
    .bind(answer.fingerprint.clone())
    .bind(answer.answer.clone())
}

/// A new resource's id: time-ordered, so that inserts append, and its last 32 bits are the shard, so that an id routes itself.
pub fn new_id(shard: Option<i32>) -> String {
    let random = Uuid::now_v7();
    let Some(shard) = shard else { return random.to_string() };
    let tail = u128::from(shard.cast_unsigned());
    Uuid::from_u128((random.as_u128() & !u128::from(u32::MAX)) | tail).to_string()
}

/// The shard an id says: the tail of an id that this server made, a hash of any other.
pub fn shard_of(id: &str) -> i32 {
    let bits = match Uuid::try_parse(id) {
        Ok(uuid) if uuid.get_version_num() == 7 => uuid.as_u128(),
        _ => u128::from(resource_key("", id).cast_unsigned()),
    };
    u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0).cast_signed()
}

/// An id made from a name that is unique already, for resources loaded in bulk: the UUID itself where it is one.
pub fn id_of(unique: &str) -> String {
    match Uuid::try_parse(unique) {
        Ok(uuid) => uuid.to_string(),
        Err(_) => format!("{:016x}", resource_key("", unique)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Flat, new_id, shard_of};

    #[test]
    fn an_id_carries_its_shard() {
        for shard in [0, 1, -1, i32::MIN, i32::MAX] {
            assert_eq!(shard_of(&new_id(Some(shard))), shard);
        }
        assert_eq!(shard_of("patient-1"), shard_of("patient-1"));
    }

    #[test]
    fn arrays_travel_flat() {
        let flat = Flat::new([&[1, 2][..], &[], &[3]].into_iter());
        assert_eq!(
            (flat.low, flat.high, flat.values),
            (vec![1, 3, 3], vec![2, 2, 3], vec![1, 2, 3])
        );
    }
}
