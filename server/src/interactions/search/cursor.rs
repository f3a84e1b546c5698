//! Where a page begins, as a link carries it: opaque to clients, authenticated, bound to the caller and to the search, and good
//! for a day.

use crate::app::App;
use crate::http::failure::Failure;
use ::search::render::{Part, Pinned, SortKey};
use ::search::results::SortValue;
use access::Grant;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir::outcome::Code;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use store::clock::now_micros;

const AGE_SECONDS_MAX: i64 = 86_400;
const TEXT_BYTES_MAX: usize = 16_384;

/// The matches already seen, and the moment that they are seen at.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cursor {
    pub(super) place: Place,
    pub(super) pinned: Option<Pinned>,
    /// How many of those included with this page were on pages before.
    pub(super) included: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// Along an order of the tables, or among what was changed meanwhile.
    Window(Part),
    /// The same, and then after so many matches inside of what comes next.
    Inside(Part, usize),
    /// In an order made of values, after the values of this match.
    Sorted(Option<(Vec<Option<SortValue>>, String)>),
}

impl Cursor {
    pub(super) fn with_included(&self, included: usize) -> Cursor {
        Cursor { included, ..self.clone() }
    }

    pub(super) fn seal(&self, app: &App, grant: &Grant, path: &str, search: &str) -> String {
        let pinned = |pinned: &Pinned| json!([pinned.snapshot, pinned.floor]);
        let part = |part: &Part| match part {
            Part::Ordered { after } => {
                let after = after.as_ref().map(|(sort_key, tie)| match sort_key {
                    SortKey::Place(place) => json!([place, tie]),
                    SortKey::Text(text) => json!([text, tie]),
                });
                json!(["o", after])
            }
            Part::Rest { after } => json!(["r", after]),
            Part::Changed { since, after } => json!(["c", after, pinned(since)]),
        };
        let place = match &self.place {
            Place::Window(window) => part(window),
            Place::Inside(window, seen) => json!(["i", part(window), seen]),
            Place::Sorted(None) => json!(["s"]),
            Place::Sorted(Some((values, id))) => {
                let values: Vec<Value> = values
                    .iter()
                    .map(|value| match value {
                        None => Value::Null,
                        Some(SortValue::Place(place)) => json!(place),
                        Some(SortValue::Text(text)) => json!(text),
                    })
                    .collect();
                json!(["s", values, id])
            }
        };
        let content = json!([
            now_micros() / 1_000_000,
            place,
            self.pinned.as_ref().map(pinned),
            self.included
        ]);
        let content = fhir::json::write(&content);
        let tag = tag(app, grant, path, search, &content).finalize().into_bytes();
        let mut whole = tag.to_vec();
        whole.extend_from_slice(&content);
        URL_SAFE_NO_PAD.encode(whole)
    }

    pub(super) fn open(
        text: &str,
        app: &App,
        grant: &Grant,
        path: &str,
        search: &str,
    ) -> Result<Cursor, Failure> {
        const TAG_BYTES: usize = 32;
        let forged = || {
            Failure::new(
                404,
                Code::NotFound,
                "_cursor is not one this server gave to this caller for this search; follow the links as they are",
            )
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(forged());
        }
        let whole = URL_SAFE_NO_PAD.decode(text).map_err(|_| forged())?;
        let (given, content) = whole.split_at_checked(TAG_BYTES).ok_or_else(forged)?;
        // Compared in a time that says nothing.
        tag(app, grant, path, search, content).verify_slice(given).map_err(|_| forged())?;
        let content: Value = serde_json::from_slice(content).map_err(|_| forged())?;
        let made = content[0].as_i64().ok_or_else(forged)?;
        if now_micros() / 1_000_000 - made > AGE_SECONDS_MAX {
            return Err(Failure::new(
                410,
                Code::NotFound,
                "this page link is older than a day; search again",
            ));
        }
        let included = content[3].as_u64().and_then(|number| usize::try_from(number).ok());
        Ok(Cursor {
            place: place(&content[1]).ok_or_else(forged)?,
            pinned: pinned(&content[2]),
            included: included.ok_or_else(forged)?,
        })
    }
}

fn tag(app: &App, grant: &Grant, path: &str, search: &str, content: &[u8]) -> Hmac<Sha256> {
    // A key of any length is taken.
    let mut tag = Hmac::<Sha256>::new_from_slice(&app.secret)
        .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    let caller = format!("{:?} {}", grant.hospital(), grant.agent().key());
    for part in [caller.as_bytes(), path.as_bytes(), search.as_bytes(), content] {
        tag.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        tag.update(part);
    }
    tag
}

fn pinned(value: &Value) -> Option<Pinned> {
    Some(Pinned { snapshot: value[0].as_str()?.to_owned(), floor: value[1].as_i64()? })
}

fn place(value: &Value) -> Option<Place> {
    Some(match value[0].as_str()? {
        "i" => Place::Inside(part(&value[1])?, usize::try_from(value[2].as_u64()?).ok()?),
        "s" => match (value[1].as_array(), value[2].as_str()) {
            (Some(values), Some(id)) => {
                let values = values.iter().map(|value| match value {
                    Value::String(text) => Some(SortValue::Text(text.clone())),
                    other => other.as_i64().map(SortValue::Place),
                });
                Place::Sorted(Some((values.collect(), id.to_owned())))
            }
            _ => Place::Sorted(None),
        },
        _ => Place::Window(part(value)?),
    })
}

fn part(value: &Value) -> Option<Part> {
    let key = value[1].as_i64();
    Some(match value[0].as_str()? {
        "o" => {
            let sort_key = match &value[1][0] {
                Value::String(text) => Some(SortKey::Text(text.clone())),
                other => other.as_i64().map(SortKey::Place),
            };
            let after = sort_key.zip(value[1][1].as_i64());
            Part::Ordered { after }
        }
        "r" => Part::Rest { after: key },
        "c" => Part::Changed { since: pinned(&value[2])?, after: key },
        _ => return None,
    })
}
