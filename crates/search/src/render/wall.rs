//! The wall between hospitals as SQL. None of its parts is served by the index of a lead; what it looks up are single entries.

use super::At;
use crate::sharing::relation_salt;
use crate::sql::{Bind, Sql};
use crate::wall::Wall;
use access::{Labels, Purposes};

/// What of a row can be asked: the current version of a resource has more columns than a version in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Resource,
    History,
}

pub(super) fn as_filter(wall: &Wall, at: At, of: Of) -> Sql {
    let own = at.column(".hospital + 0 = ").bind(Bind::Int4(wall.hospital));
    let is_nobody_elses = wall.purposes == 0 && wall.opened.is_empty();
    if wall.is_own_only || is_nobody_elses {
        return own;
    }
    let mut ways = Vec::new();
    if !wall.opened.is_empty() {
        let opened = Bind::Int8Array(wall.opened.clone());
        let is_opened = at.column(".patient").then(" = ANY(").bind(opened).then(")");
        let refused = exists("refusal", wall, at)
            .then("NOT refusal.is_permit AND (refusal.purposes & ")
            .bind(Bind::Int4(Purposes::BREAK_THE_GLASS.bits()))
            .then(") <> 0 OFFSET 0)");
        ways.push(Sql::all(vec![is_opened, Sql::text_of("NOT ").append(refused)]));
    }
    if wall.purposes != 0 {
        let mut all = vec![consented(wall, at, of)];
        if !wall.is_treating {
            all.insert(0, is_treated(wall, at));
        }
        ways.push(Sql::all(all));
    }
    let mut shared = vec![without(at, Labels::CLOSED)];
    if !wall.withdrawn.is_empty() {
        let withdrawn = Bind::Int8Array(wall.withdrawn.clone());
        shared.push(at.column(".hospital + 0 <> ALL(").bind(withdrawn).then(")"));
    }
    shared.push(Sql::any(ways));
    Sql::any(vec![own, Sql::all(shared)])
}

pub(super) fn without(at: At, labels: Labels) -> Sql {
    Sql::text_of("(").append(at.column(".labels & ")).bind(Bind::Int8(labels.bits())).then(") = 0")
}

/// Whether the patient is, or was lately, in the hospital's care.
fn is_treated(wall: &Wall, at: At) -> Sql {
    let now = || Bind::Int8(wall.now);
    Sql::text_of("EXISTS (SELECT 1 FROM range_entry AS care WHERE care.parameter_key = (")
        .append(at.column(".patient"))
        .then(" # ")
        .bind(Bind::Int8(relation_salt(wall.hospital)))
        .then(") AND care.low <= ")
        .bind(now())
        .then(" AND care.high > ")
        .bind(now())
        .then(" OFFSET 0)")
}

/// Whether the patient's consents let it be seen, or the policy does where there is none.
fn consented(wall: &Wall, at: At, of: Of) -> Sql {
    let without_consent = match wall.is_open_without_consent {
        true => without(at, Labels::SENSITIVE),
        false => Sql::text_of("FALSE"),
    };
    let permitted =
        exists("permit", wall, at).append(matches("permit", wall, at, of, true)).then(" OFFSET 0)");
    let denied = exists("deny", wall, at)
        .append(matches("deny", wall, at, of, false))
        .then(" AND NOT ")
        .append(exists("above", wall, at))
        .then("above.consent_key = deny.consent_key AND above.specificity > deny.specificity AND ")
        .append(matches("above", wall, at, of, true))
        .then(" OFFSET 0) OFFSET 0)");
    // Who permits something permits nothing else; who only denies leaves the rest as it is.
    Sql::text_of("CASE WHEN ")
        .append(exists("rule", wall, at))
        .then("rule.is_permit OFFSET 0) THEN ")
        .append(permitted)
        .then(" ELSE ")
        .append(without_consent)
        .then(" END AND NOT ")
        .append(denied)
}

/// Of the rules that are in force now; `name` is one of a few that are written here.
fn exists(name: &'static str, wall: &Wall, at: At) -> Sql {
    let now = || Bind::Int8(wall.now);
    let column = |text: &'static str| Sql::text_of(name).then(text);
    Sql::text_of("EXISTS (SELECT 1 FROM consent_rule AS ")
        .then(name)
        .then(" WHERE ")
        .append(column(".patient = "))
        .append(at.column(".patient"))
        .append(column(".valid_from <= ").before(" AND "))
        .bind(now())
        .append(column(".valid_until > ").before(" AND "))
        .bind(now())
        .then(" AND ")
}

/// Whether a rule is about this request and this row.
fn matches(name: &'static str, wall: &Wall, at: At, of: Of, is_permit: bool) -> Sql {
    let column = |text: &'static str| Sql::text_of(name).then(text);
    let mut all = vec![
        match is_permit {
            true => column(".is_permit"),
            false => Sql::text_of("NOT ").append(column(".is_permit")),
        },
        Sql::any(vec![
            column(".hospital IS NULL"),
            column(".hospital = ").bind(Bind::Int4(wall.hospital)),
        ]),
        Sql::any(vec![
            column(".purposes = 0"),
            Sql::text_of("(")
                .append(column(".purposes & "))
                .bind(Bind::Int4(wall.purposes))
                .then(") <> 0"),
        ]),
        Sql::any(vec![
            column(".custodian IS NULL"),
            column(".custodian = ").append(at.column(".hospital")),
        ]),
        labels(name, at, is_permit),
    ];
    match (of, is_permit) {
        (Of::Resource, _) => {
            all.push(Sql::any(vec![
                column(".resource_key IS NULL"),
                column(".resource_key = ").append(at.column(".key")),
            ]));
            all.push(dates(name, at, is_permit));
        }
        // Of an old version neither is known: what is permitted for a part of the record is not, what is denied for one is.
        (Of::History, true) => {
            all.push(column(".resource_key IS NULL"));
            all.push(column(".data_from IS NULL"));
        }
        (Of::History, false) => {}
    }
    Sql::all(all)
}

/// A permission covers what has no other labels than it names; a denial meets what has one of them.
fn labels(name: &'static str, at: At, is_permit: bool) -> Sql {
    let column = |text: &'static str| Sql::text_of(name).then(text);
    let sensitive = || {
        Sql::text_of("(").append(at.column(".labels & ")).bind(Bind::Int8(Labels::SENSITIVE.bits()))
    };
    if is_permit {
        return sensitive().then(" & ~").append(column(".labels) = 0"));
    }
    let is_normal = Sql::all(vec![
        Sql::text_of("(")
            .append(column(".labels & "))
            .bind(Bind::Int8(Labels::NORMAL.bits()))
            .then(") <> 0"),
        sensitive().then(") = 0"),
    ]);
    Sql::any(vec![
        column(".labels = 0"),
        sensitive().then(" & ").append(column(".labels) <> 0")),
        is_normal,
    ])
}

/// A permission for a time covers what lies in it, a denial meets what touches it or lies nobody knows when.
fn dates(name: &'static str, at: At, is_permit: bool) -> Sql {
    let column = |text: &'static str| Sql::text_of(name).then(text);
    let none = column(".data_from IS NULL");
    let low = || at.column(".date_low - 0");
    let high = || at.column(".date_high - 0");
    let inside = match is_permit {
        true => Sql::all(vec![
            low().then(" >= ").append(column(".data_from")),
            high().then(" < ").append(column(".data_until")),
        ]),
        false => Sql::any(vec![
            at.column(".date_low IS NULL"),
            Sql::all(vec![
                high().then(" >= ").append(column(".data_from")),
                low().then(" < ").append(column(".data_until")),
            ]),
        ]),
    };
    Sql::any(vec![none, inside])
}
