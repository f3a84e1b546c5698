//! A plan as a statement.
//!
//! A lead gives one or more leaves: conditions that an index serves, each apart from the others. Where the index has the order
//! that is asked for, each leaf is read along it up to the limit; else what the leaves find is put in order as version keys
//! alone, and only the rows of the page are read whole.

mod filter;
pub mod history;
mod leaf;
mod wall;

use crate::plan::{Lead, Order, Plan};
use crate::sql::{Bind, Sql};
use filter::{as_filters, version_bounds};
use leaf::{Leaf, leaves};

/// The columns that a stored version is read from, what it was put in order by, and the snapshot that the statement saw.
const COLUMNS: &str = "t0.id, t0.version, t0.version_key, t0.hospital, t0.patient, t0.labels, t0.shard, t0.method, t0.dictionary, t0.body, ";
const SNAPSHOT: &str = ", pg_current_snapshot()::text AS snapshot";

/// A table, by how deep the question about it is nested.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At(usize);

/// As deep as chains go, and one for each end.
const TABLES: [&str; 11] = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10"];
const ENTRIES: [&str; 11] = ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9", "e10"];

impl At {
    const TOP: At = At(0);

    fn below(self) -> At {
        At(self.0 + 1)
    }

    fn table(self) -> &'static str {
        TABLES.get(self.0).copied().unwrap_or("too_deep")
    }

    fn entry(self) -> &'static str {
        ENTRIES.get(self.0).copied().unwrap_or("too_deep")
    }

    /// Text that begins with the `.` after the table.
    fn column(self, text: &'static str) -> Sql {
        Sql::text_of(self.table()).then(text)
    }

    /// The same of an entry table.
    fn of_entry(self, text: &'static str) -> Sql {
        Sql::text_of(self.entry()).then(text)
    }
}

/// A moment that a search is held to: what transactions had done by then. Versions up to `floor` are older than all that could
/// have been under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    pub snapshot: String,
    pub floor: i64,
}

/// Which of the matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that have what they are put in order by, after a sort key and the key that decides between equals.
    Ordered { after: Option<(SortKey, i64)> },
    /// Those without, in the order of their version keys.
    Rest { after: Option<i64> },
    /// Those that were changed since, in the order of their version keys.
    Changed { since: Pinned, after: Option<i64> },
}

/// What a match was put in order by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKey {
    Place(i64),
    Text(String),
}

/// A page of the matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub order: Order,
    pub part: Part,
    pub pinned: Option<Pinned>,
    pub limit: u32,
}

impl Order {
    /// What matches are put in order by, beside the version key, in the form that the index of the lead has.
    /// Dates that are wide have one that is not in that order, and a form that keeps others out.
    fn key(self, plan: &Plan, is_wide: bool) -> &'static str {
        match (self, &plan.lead) {
            (Order::Date { .. }, _) if is_wide => "(t0.date_low - 0)",
            (Order::Version { .. }, Lead::Walk) => "t0.version_key",
            (Order::Version { .. }, _) => "(t0.version_key + 0)",
            (Order::Date { .. }, Lead::Actor(_)) => "e0.date_low",
            (Order::Date { .. }, Lead::Walk | Lead::Dates) => "(t0.date_low + 0)",
            (Order::Date { .. }, _) => "t0.date_low",
            (Order::Quantity, _) => "t0.quantity",
            (Order::Text, _) => "e0.value",
        }
    }

    /// What is NULL where a match has nothing to be put in order by: an actor's entry has a date in any case.
    fn presence(self, plan: &Plan, is_wide: bool) -> &'static str {
        match (self, &plan.lead) {
            (Order::Date { .. }, Lead::Actor(_)) => "t0.date_low",
            _ => self.key(plan, is_wide),
        }
    }

    /// What decides between equals.
    fn tie(self) -> &'static str {
        match self {
            Order::Version { .. } | Order::Date { .. } | Order::Quantity => "t0.version_key",
            Order::Text => "e0.resource_key",
        }
    }

    fn is_descending(self) -> bool {
        match self {
            Order::Version { descending } | Order::Date { descending } => descending,
            Order::Quantity | Order::Text => false,
        }
    }

    fn clause(self) -> &'static str {
        if self == Order::Text {
            // Only ever of one leaf, and not of an outer query.
            return " ORDER BY e0.value, e0.resource_key LIMIT ";
        }
        match self.is_descending() {
            true => " ORDER BY sort_key DESC, version_key DESC LIMIT ",
            false => " ORDER BY sort_key, version_key LIMIT ",
        }
    }
}

/// The rows of a page of several types, with `kind`, the code of their table.
pub fn pages(plans: &[Plan], window: &Window) -> Sql {
    let each = plans.iter().map(|plan| {
        let kind = Bind::Int4(i32::from(plan.table.code));
        Sql::text_of("(SELECT *, ")
            .bind(kind)
            .then(" AS kind FROM (")
            .append(page(plan, window))
            .then(") AS one)")
    });
    let order = window.part_order();
    Sql::joined(each.collect(), " UNION ALL ")
        .then(order.clause())
        .bind(Bind::Int8(i64::from(window.limit)))
}

impl Window {
    /// Up to so many matches in the order of their versions, as they are now.
    pub fn all(limit: u32) -> Window {
        let order = Order::Version { descending: false };
        Window { order, part: Part::Ordered { after: None }, pinned: None, limit }
    }

    /// What is not in the order asked for is in that of its versions.
    fn part_order(&self) -> Order {
        match self.part {
            Part::Ordered { .. } => self.order,
            Part::Rest { .. } | Part::Changed { .. } => Order::Version { descending: false },
        }
    }
}

/// The rows of a page.
pub fn page(plan: &Plan, window: &Window) -> Sql {
    rows(plan, window).unbounded(plan.is_unbounded()).read_by(plan.reader.clone())
}

fn rows(plan: &Plan, window: &Window) -> Sql {
    let order = window.part_order();
    let leaves = leaves(plan, At::TOP, order);
    let limit = || Bind::Int8(i64::from(window.limit));
    let is_in_order = leaves.is_in_order;
    let conditions = |leaf: &Leaf| {
        let rest = rest(plan, window, order, is_in_order, leaf.is_wide);
        Sql::all(leaf.conditions.iter().cloned().chain(rest).collect())
    };
    let select = |leaf: Leaf| {
        Sql::text_of("SELECT ")
            .then(COLUMNS)
            .then(order.key(plan, leaf.is_wide))
            .then(" AS sort_key")
            .then(SNAPSHOT)
            .append(leaf.source.clone())
            .then(" WHERE ")
            .append(conditions(&leaf))
    };
    if leaves.is_in_order {
        let mut selects: Vec<Sql> = leaves.leaves.into_iter().map(select).collect();
        if selects.len() == 1 {
            return selects.remove(0).then(order.clause()).bind(limit());
        }
        let selects = selects.into_iter().map(|select| {
            Sql::text_of("(").append(select).then(order.clause()).bind(limit()).then(")")
        });
        return Sql::text_of("SELECT * FROM (")
            .append(Sql::joined(selects.collect(), " UNION ALL "))
            .then(") AS leaves")
            .then(order.clause())
            .bind(limit());
    }
    let between = if leaves.is_apart { " UNION ALL " } else { " UNION " };
    let matched = leaves.leaves.into_iter().map(|leaf| {
        Sql::text_of("SELECT t0.version_key, t0.shard, ")
            .then(order.key(plan, leaf.is_wide))
            .then(" AS sort_key")
            .append(leaf.source.clone())
            .then(" WHERE ")
            .append(conditions(&leaf))
    });
    Sql::text_of("WITH matched AS MATERIALIZED (")
        .append(Sql::joined(matched.collect(), between))
        .then(") SELECT ")
        .then(COLUMNS)
        .then("page.sort_key")
        .then(SNAPSHOT)
        .then(" FROM (SELECT version_key, shard, sort_key FROM matched")
        .then(order.clause())
        .bind(limit())
        .then(") AS page JOIN open.")
        .then(plan.table.name)
        .then(" AS t0 USING (version_key, shard)")
        .then(order.clause())
        .bind(limit())
}

/// How many match, on all pages.
pub fn count(plan: &Plan) -> Sql {
    number(plan).unbounded(!plan.has_lead()).read_by(plan.reader.clone())
}

fn number(plan: &Plan) -> Sql {
    let leaves = leaves(plan, At::TOP, Order::Version { descending: false });
    let rest = as_filters(&plan.rest, At::TOP);
    let conditions = |leaf: &Leaf| {
        leaf.source
            .clone()
            .then(" WHERE ")
            .append(Sql::all(leaf.conditions.iter().cloned().chain(rest.clone()).collect()))
    };
    if leaves.is_apart {
        let counts = leaves
            .leaves
            .iter()
            .map(|leaf| Sql::text_of("(SELECT count(*)").append(conditions(leaf)).then(")"));
        return Sql::text_of("SELECT ").append(Sql::joined(counts.collect(), " + "));
    }
    let keys = leaves
        .leaves
        .iter()
        .map(|leaf| Sql::text_of("SELECT t0.version_key, t0.shard").append(conditions(leaf)));
    Sql::text_of("SELECT count(*) FROM (")
        .append(Sql::joined(keys.collect(), " UNION "))
        .then(") AS matched")
}

/// The conditions of every leaf: what did not lead, and the window.
fn rest(plan: &Plan, window: &Window, order: Order, is_in_order: bool, is_wide: bool) -> Vec<Sql> {
    let mut all = as_filters(&plan.rest, At::TOP);
    let is_walk = matches!(plan.lead, Lead::Walk) && is_in_order;
    // Along the walk a bound on the version key is where the index is entered; elsewhere the sum is in no index.
    let version = if is_walk { "t0.version_key" } else { "(t0.version_key + 0)" };
    if is_walk && matches!(order, Order::Version { .. }) {
        all.extend(version_bounds(&plan.rest));
    }
    if !matches!(order, Order::Version { .. }) {
        all.push(Sql::text_of(order.presence(plan, is_wide)).then(" IS NOT NULL"));
    }
    let is_key_missing = matches!(window.part, Part::Rest { .. });
    match &window.part {
        Part::Ordered { after: None } => {}
        Part::Ordered { after: Some((_, key)) } if matches!(order, Order::Version { .. }) => {
            let than = if order.is_descending() { " < " } else { " > " };
            all.push(Sql::text_of(version).then(than).bind(Bind::Int8(*key)));
        }
        Part::Ordered { after: Some((sort_key, key)) } => {
            let than = if order.is_descending() { ") < (" } else { ") > (" };
            let own = Sql::text_of("(").then(order.key(plan, is_wide)).then(", ").then(order.tie());
            let sort_key = match sort_key {
                SortKey::Place(place) => Bind::Int8(*place),
                SortKey::Text(text) => Bind::Text(text.clone()),
            };
            let after = own.then(than).bind(sort_key).then(", ");
            all.push(after.bind(Bind::Int8(*key)).then(")"));
        }
        Part::Rest { after } => {
            all.extend(after.map(|key| Sql::text_of(version).then(" > ").bind(Bind::Int8(key))));
        }
        Part::Changed { since, after } => {
            let from = after.unwrap_or(since.floor).max(since.floor);
            all.push(Sql::text_of(version).then(" > ").bind(Bind::Int8(from)));
            all.push(Sql::text_of("NOT ").append(seen(since)));
        }
    }
    if is_key_missing {
        all.push(Sql::text_of(window.order.presence(plan, is_wide)).then(" IS NULL"));
    }
    if let Some(pinned) = &window.pinned {
        let old = Sql::text_of("t0.version_key - 0 <= ").bind(Bind::Int8(pinned.floor));
        all.push(Sql::any(vec![old, seen(pinned)]));
    }
    all
}

fn seen(pinned: &Pinned) -> Sql {
    Sql::text_of("is_seen(t0.xmin, ")
        .bind(Bind::Text(pinned.snapshot.clone()))
        .then("::pg_snapshot)")
}

#[cfg(test)]
mod tests {
    use super::{Part, Window, count, page};
    use crate::plan::{Plan, plan};
    use crate::query::tests::parse;
    use access::{Caller, HospitalId, Interaction, Wish, decide};

    fn planned(search: &str) -> Plan {
        let query = parse(search).unwrap();
        let wish = Wish::new(Interaction::Search, Some(query.resource));
        let grant = decide(&Caller::local(HospitalId(1)), &wish).unwrap();
        plan(&query, &grant).unwrap()
    }

    /// What follows `FROM`, in the natural order, the first page.
    fn check(search: &str, expected: &str) {
        let plan = planned(search);
        let window = Window {
            order: plan.natural(),
            part: Part::Ordered { after: None },
            pinned: None,
            limit: 21,
        };
        let text = page(&plan, &window).text();
        let text = text.replace(super::COLUMNS, "… ").replace(super::SNAPSHOT, "");
        assert_eq!(text, expected, "{search}");
    }

    #[test]
    fn each_search_has_one_lead() {
        check(
            "Patient?identifier=a|1&gender=male",
            "WITH matched AS MATERIALIZED (SELECT t0.version_key, t0.shard, (t0.version_key + 0) AS sort_key FROM open.patient AS t0 \
             WHERE (t0.tokens @> $1::int8[] AND $2::int8 = ANY(t0.filters))) SELECT … page.sort_key FROM (SELECT version_key, \
             shard, sort_key FROM matched ORDER BY sort_key, version_key LIMIT $3::int8) AS page JOIN open.patient AS t0 USING \
             (version_key, shard) ORDER BY sort_key, version_key LIMIT $4::int8",
        );
        check(
            "Patient?gender=male",
            "SELECT … t0.version_key AS sort_key FROM open.patient AS t0 WHERE $1::int8 = ANY(t0.filters) \
             ORDER BY sort_key, version_key LIMIT $2::int8",
        );
        check(
            "Appointment?actor=Practitioner/1&date=2026-11-24",
            "SELECT … e0.date_low AS sort_key FROM reference_entry AS e0 JOIN open.appointment AS t0 ON t0.key = e0.resource_key WHERE \
             (e0.target_key = $1::int8 AND e0.date_low <= $2::int8 AND e0.date_low >= $3::int8 AND \
             (t0.date_low - 0 >= $4::int8 AND t0.date_high - 0 <= $5::int8) AND t0.date_low IS NOT NULL) \
             ORDER BY sort_key, version_key LIMIT $6::int8",
        );
    }

    #[test]
    fn a_value_is_never_in_the_text() {
        for search in [
            "Patient?name=marked&family:exact=marked&_id=marked",
            "Observation?code=marked&value-quantity=gt5||marked&date=ge2026",
            "Observation?subject:Patient.identifier=marked|marked",
            "Patient?_has:Observation:patient:code=marked",
            "ValueSet?url:below=http://marked",
        ] {
            let plan = planned(search);
            for sql in [count(&plan), page(&plan, &Window::all(2))] {
                assert!(!sql.text().contains("marked"), "{}", sql.text());
            }
        }
    }
}
