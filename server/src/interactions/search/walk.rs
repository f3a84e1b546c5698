//! From page to page. A walk over several pages is held to the moment of its first: in the order that was asked for come the
//! versions of that moment, and at the end, in their newer state, the matches that were changed meanwhile. So nothing is lost
//! and no version comes twice, whatever others write.

use super::contained::{Contained, SUSPECTS_MAX, too_many};
use super::cursor::{Cursor, Place};
use super::wanted::Wanted;
use crate::app::App;
use crate::http::answer::stored;
use crate::http::failure::Failure;
use crate::interactions::look::Reader;
use ::search::key::{resource_key, version_key_at};
use ::search::plan::{Order, Plan};
use ::search::render::{Part, Pinned, SortKey, Window, page as statement, pages};
use ::search::results::{Key, Sort, SortValue, compare, sort_values};
use fhir::outcome::Code;
use std::cmp::Ordering;
use store::clock::now_micros;
use store::find::{Match, Matches};
use store::trail::Sealed;

/// More matches than this are not put in order by values; the tables' own orders have no bound.
const SORTED_MAX: u32 = 10_000;

/// Longer than any transaction lives: what is older than this was either committed or never will be.
const OLD_MICROS: i64 = 600_000_000;

pub(super) struct Page {
    pub(super) matches: Sealed<Vec<Match>>,
    /// Where it began.
    pub(super) place: Cursor,
    pub(super) next: Option<Cursor>,
}

pub(super) async fn page(
    app: &App,
    reader: &mut Reader<'_>,
    plans: &[Plan],
    wanted: &Wanted,
    cursor: Option<&Cursor>,
) -> Result<Page, Failure> {
    let first = match &wanted.sort {
        Some(Sort::Collected(_)) => Place::Sorted(None),
        Some(Sort::Indexed(_)) | None => Place::Window(Part::Ordered { after: None }),
    };
    let (place, pinned) = match cursor {
        Some(cursor) => (cursor.place.clone(), cursor.pinned.clone()),
        None => (first, None),
    };
    let mut walk = Walk::new(app, plans, wanted, cursor);
    let next = if wanted.count == 0 { None } else { walk.run(reader, place.clone()).await? };
    let place = Cursor { place, pinned: pinned.or_else(|| walk.pinned.clone()), included: 0 };
    Ok(Page { matches: walk.matches, place, next })
}

/// How many are contained in others, on all pages.
pub(super) async fn count_contained(
    app: &App,
    reader: &mut Reader<'_>,
    plans: &[Plan],
    wanted: &Wanted,
    contained: &Contained,
) -> Result<Sealed<i64>, Failure> {
    let mut walk = Walk::new(app, plans, wanted, None);
    let first = Part::Ordered { after: None };
    let found = walk.contained(reader, contained, &first, 0, u32::MAX).await?;
    Ok(found.matches.map(|matches| i64::try_from(matches.len()).unwrap_or(i64::MAX)))
}

/// The order of the tables that the first statement goes along.
pub(super) fn order(plans: &[Plan], wanted: &Wanted) -> Order {
    match (&wanted.sort, plans) {
        (Some(Sort::Indexed(order)), _) => *order,
        (None, [plan]) => plan.natural(),
        (Some(Sort::Collected(_)) | None, _) => Order::Version { descending: false },
    }
}

fn pin(snapshot: String) -> Pinned {
    Pinned { snapshot, floor: version_key_at(now_micros() - OLD_MICROS) }
}

struct Walk<'a> {
    app: &'a App,
    plans: &'a [Plan],
    wanted: &'a Wanted,
    order: Order,
    /// Whether pages went before.
    is_continued: bool,
    pinned: Option<Pinned>,
    matches: Sealed<Vec<Match>>,
}

/// What a statement, or several, gave for one place.
struct Found {
    matches: Sealed<Vec<Match>>,
    /// The places after each of the matches.
    after: Vec<Place>,
}

impl<'a> Walk<'a> {
    fn new(
        app: &'a App,
        plans: &'a [Plan],
        wanted: &'a Wanted,
        cursor: Option<&Cursor>,
    ) -> Walk<'a> {
        Walk {
            app,
            plans,
            wanted,
            order: order(plans, wanted),
            is_continued: cursor.is_some(),
            pinned: cursor.and_then(|cursor| cursor.pinned.clone()),
            matches: Sealed::none(),
        }
    }

    /// Fills the page; returns where the next one begins.
    async fn run(
        &mut self,
        reader: &mut Reader<'_>,
        mut place: Place,
    ) -> Result<Option<Cursor>, Failure> {
        let count = self.wanted.count as usize;
        let mut is_new_round = false;
        loop {
            let have = self.matches.describe(Vec::len);
            let limit = u32::try_from(count + 1 - have).unwrap_or(u32::MAX);
            let found = self.find(reader, &place, limit).await?;
            let number = found.after.len();
            let room = count - have;
            let kept = found.matches.map(|mut matches| {
                matches.truncate(room);
                matches
            });
            let matches = std::mem::replace(&mut self.matches, Sealed::none());
            self.matches = matches.append(kept);
            if number > room {
                // One more is there than fits: the next page begins after the last that does.
                let last = room.checked_sub(1).and_then(|last| found.after.into_iter().nth(last));
                let place = last.unwrap_or(place);
                return Ok(Some(Cursor { place, pinned: self.pinned.clone(), included: 0 }));
            }
            let Some(next) = self.after(&place, is_new_round) else { return Ok(None) };
            if matches!(next, Place::Window(Part::Changed { .. })) {
                self.pinned = None;
                is_new_round = true;
            }
            place = next;
        }
    }

    /// What comes when a place has nothing more.
    fn after(&self, place: &Place, is_new_round: bool) -> Option<Place> {
        let is_lacking = || self.plans.iter().any(|plan| plan.may_lack(self.order));
        if let Place::Window(Part::Ordered { .. }) | Place::Inside(Part::Ordered { .. }, _) = place
            && is_lacking()
        {
            return Some(Place::Window(Part::Rest { after: None }));
        }
        // One page is of one moment by itself; and so is the end of a walk, once nothing was changed since its last statement.
        let since = self.pinned.clone().filter(|_| self.is_continued && !is_new_round)?;
        Some(Place::Window(Part::Changed { since, after: None }))
    }

    async fn find(
        &mut self,
        reader: &mut Reader<'_>,
        place: &Place,
        limit: u32,
    ) -> Result<Found, Failure> {
        let wanted = self.wanted;
        if let Some(contained) = &wanted.contained {
            match place {
                Place::Window(part) => {
                    return self.contained(reader, contained, part, 0, limit).await;
                }
                Place::Inside(part, seen) => {
                    return self.contained(reader, contained, part, *seen, limit).await;
                }
                Place::Sorted(_) => {}
            }
        }
        match (place, &wanted.sort) {
            (Place::Window(part), _) => {
                let matches = self.window(reader, part, self.order, limit).await?;
                let after = matches.describe(|matches| {
                    matches
                        .iter()
                        .map(|found| Place::Window(after(part, self.order, found)))
                        .collect()
                });
                Ok(Found { matches, after })
            }
            (Place::Sorted(after), Some(Sort::Collected(keys))) => {
                self.sorted(reader, keys, after.as_ref(), limit).await
            }
            (Place::Sorted(_) | Place::Inside(..), _) => Err(Failure::bad_request(
                "_cursor is not one this server gave for this search; follow the links as they are",
            )),
        }
    }

    async fn window(
        &mut self,
        reader: &mut Reader<'_>,
        part: &Part,
        order: Order,
        limit: u32,
    ) -> Result<Sealed<Vec<Match>>, Failure> {
        let window = Window { order, part: part.clone(), pinned: self.pinned.clone(), limit };
        let found = match self.plans {
            [plan] => reader.find(plan.table(), &statement(plan, &window)).await?,
            plans => reader.find_of_any(&pages(plans, &window)).await?,
        };
        if self.pinned.is_none() {
            self.pinned = found.describe(|found| found.snapshot.clone()).map(pin);
        }
        Ok(found.map(|Matches { matches, .. }| matches))
    }

    /// What is found by looking into suspects; of the first one, so many matches were seen before.
    async fn contained(
        &mut self,
        reader: &mut Reader<'_>,
        contained: &Contained,
        part: &Part,
        mut seen: usize,
        limit: u32,
    ) -> Result<Found, Failure> {
        const GROUP: u32 = 500;
        let mut all = Found { matches: Sealed::none(), after: Vec::new() };
        let mut part = part.clone();
        let mut number = 0;
        loop {
            let suspects = self.window(reader, &part, self.order, GROUP).await?;
            let group = suspects.describe(Vec::len);
            number += group;
            if number > SUSPECTS_MAX {
                return Err(too_many());
            }
            let last = suspects.describe(|suspects| {
                suspects.last().map(|suspect| after(&part, self.order, suspect))
            });
            let found = suspects.map(|suspects| self.look(contained, &part, seen, suspects));
            if let Some(failure) = found.describe(|found| found.as_ref().err().cloned()) {
                return Err(failure);
            }
            let found = found.map(Result::unwrap_or_default);
            let places = found.describe(|found| {
                found.iter().map(|(place, _)| place.clone()).collect::<Vec<Place>>()
            });
            all.after.extend(places);
            all.matches = all
                .matches
                .append(found.map(|found| found.into_iter().map(|(_, found)| found).collect()));
            match last {
                Some(last) if group == GROUP as usize && all.after.len() < limit as usize => {
                    part = last;
                    seen = 0;
                }
                _ => return Ok(all),
            }
        }
    }

    /// The matches of suspects, each with the place after it.
    fn look(
        &self,
        contained: &Contained,
        part: &Part,
        mut seen: usize,
        mut suspects: Vec<Match>,
    ) -> Result<Vec<(Place, Match)>, Failure> {
        // One that matches itself, and by what it contains, was found twice.
        suspects.dedup_by_key(|suspect| suspect.version.version_key);
        let mut all = Vec::new();
        let mut before = part.clone();
        for suspect in suspects {
            let matches = contained.matches(self.app, &suspect)?;
            let number = matches.len();
            let whole = after(part, self.order, &suspect);
            for (index, found) in matches.into_iter().enumerate().skip(seen) {
                let place = match index + 1 < number {
                    true => Place::Inside(before.clone(), index + 1),
                    false => Place::Window(whole.clone()),
                };
                all.push((place, found));
            }
            before = whole;
            seen = 0;
        }
        Ok(all)
    }

    /// All matches, put in order by their values.
    async fn sorted(
        &mut self,
        reader: &mut Reader<'_>,
        keys: &[Key],
        after: Option<&(Vec<Option<SortValue>>, String)>,
        limit: u32,
    ) -> Result<Found, Failure> {
        let order = Order::Version { descending: false };
        let part = Part::Ordered { after: None };
        let all = self.window(reader, &part, order, SORTED_MAX + 1).await?;
        if all.describe(Vec::len) > SORTED_MAX as usize {
            return Err(Failure::new(
                400,
                Code::TooCostly,
                format!(
                    "more than {SORTED_MAX} matches cannot be put in this order; ask for fewer, or sort by _lastUpdated or the date"
                ),
            ));
        }
        let mut failure = None;
        let sorted = all.map(|matches| {
            let mut valued = Vec::with_capacity(matches.len());
            for found in matches {
                match stored(found.version.json.as_deref().unwrap_or_default()) {
                    Ok(resource) => {
                        valued.push((sort_values(keys, &resource, &self.app.extractor), found));
                    }
                    Err(error) => failure = Some(error),
                }
            }
            let by = |left: (&[Option<SortValue>], &str), right: (&[Option<SortValue>], &str)| {
                compare(keys, left.0, right.0).then_with(|| left.1.cmp(right.1))
            };
            valued.sort_by(|left, right| {
                by((&left.0, &left.1.version.id), (&right.0, &right.1.version.id))
            });
            if let Some((values, id)) = after {
                valued.retain(|(own, found)| {
                    by((own, &found.version.id), (values, id)) == Ordering::Greater
                });
            }
            valued.truncate(limit as usize);
            valued
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let after = sorted.describe(|valued| {
            let place = |(values, found): &(Vec<Option<SortValue>>, Match)| {
                Place::Sorted(Some((values.clone(), found.version.id.clone())))
            };
            valued.iter().map(place).collect()
        });
        let matches = sorted.map(|valued| valued.into_iter().map(|(_, found)| found).collect());
        Ok(Found { matches, after })
    }
}

/// The place after a match.
fn after(part: &Part, order: Order, found: &Match) -> Part {
    let version = &found.version;
    let key = version.version_key;
    match part {
        Part::Ordered { .. } => {
            let tie = match order {
                Order::Version { .. } | Order::Date { .. } | Order::Quantity => key,
                Order::Text => resource_key(version.table.resource, &version.id),
            };
            let sort_key = found.sort_key.clone().unwrap_or(SortKey::Place(key));
            Part::Ordered { after: Some((sort_key, tie)) }
        }
        Part::Rest { .. } => Part::Rest { after: Some(key) },
        Part::Changed { since, .. } => Part::Changed { since: since.clone(), after: Some(key) },
    }
}
