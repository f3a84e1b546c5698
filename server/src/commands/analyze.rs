//! `bund analyze`: what would help this database – from PostgreSQL's own figures, and from the searches that were asked of it,
//! planned again to see which of them no index leads.

use super::{Database, block_on, prepare, say};
use crate::app::App;
use crate::http::request::parse_query;
use crate::interactions::search::context;
use access::{Grant, Interaction, Wish, decide};
use anyhow::Result;
use audit::record::code;
use search::plan::plan;
use search::query::{Codes, Query, Unknown};
use std::collections::BTreeMap;
use std::path::Path;
use store::health::Asked;

#[derive(clap::Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    database: Database,

    /// How many of the latest audit records are looked through for searches.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1..=10_000_000))]
    latest: i64,
}

/// Kinds of searches that are told of.
const SHAPES_MAX: usize = 20;

pub fn run(config: Option<&Path>, arguments: Arguments) -> Result<()> {
    let prepared = prepare(config, &arguments.database)?;
    block_on(async {
        let app = App::new(prepared.settings.clone()).await?;
        let findings = app.store.findings().await?;
        for finding in &findings {
            say(&format!("{}: {}", finding.what, finding.advice));
        }
        let searches = app.store.searches(&[code(Interaction::Search)], arguments.latest).await?;
        let shapes = shapes(&app, &searches)?;
        for (shape, (count, advice)) in shapes.iter().take(SHAPES_MAX) {
            say(&format!("asked {count} times, and no index leads it: {shape}: {advice}"));
        }
        let asked: u64 = searches.iter().map(|asked| asked.count).sum();
        let walks: u64 = shapes.iter().map(|(_, (count, _))| count).sum();
        say(&format!(
            "{} findings; {walks} of the latest {asked} searches were led by no index",
            findings.len()
        ));
        Ok(())
    })
}

/// How often it was asked, and what would lead it.
type Told = (u64, String);

/// Of the searches that no index leads, the type and the names of their parameters – no values, which may be of patients – the
/// most frequent first.
fn shapes(app: &App, searches: &[Asked]) -> Result<Vec<(String, Told)>> {
    let wish = Wish::new(Interaction::Search, None);
    let grant: Grant = decide(&app.local_caller(), &wish)?;
    let codes = Codes::new();
    let context = context(app, Unknown::Report, &codes);
    let mut shapes: BTreeMap<String, Told> = BTreeMap::new();
    for asked in searches {
        // What was asked with the codes of value sets is not planned again.
        let Ok(pairs) = parse_query(&asked.query) else { continue };
        let criteria: Vec<(String, String)> = pairs
            .into_iter()
            .filter(|(name, _)| !name.starts_with('_') || name.starts_with("_has:"))
            .collect();
        let Ok(query) = Query::parse(asked.table.resource, &criteria, &context) else { continue };
        let Ok(plan) = plan(&query, &grant) else { continue };
        if plan.is_unbounded() {
            let mut names: Vec<&str> = criteria.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let shape = format!("{}?{}", asked.table.resource, names.join("&"));
            let told = shapes.entry(shape).or_insert_with(|| (0, plan.advice()));
            told.0 += asked.count;
        }
    }
    let mut shapes: Vec<(String, Told)> = shapes.into_iter().collect();
    shapes.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    Ok(shapes)
}
