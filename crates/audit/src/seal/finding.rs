//! What is said of a trail that was tampered with: a sentence each.

use crate::event::event_id;
use std::fmt;

/// Who vouches for a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The server, by its signature.
    Signed,
    /// Somebody elsewhere who kept it.
    Witness(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Or the agent that it names.
    Edited {
        record: i64,
        leaf: u64,
        agent: Option<i64>,
    },
    AgentEdited {
        agent: i64,
        records: u64,
    },
    DigestRewritten {
        record: i64,
        leaf: u64,
    },
    /// With the records before and after, where there are any.
    Removed {
        first: u64,
        count: u64,
        before: Option<i64>,
        after: Option<i64>,
    },
    Added {
        record: i64,
        before_leaf: u64,
    },
    /// In a transaction that the database has not begun.
    FromTheFuture {
        record: i64,
    },
    BatchMissing {
        first: u64,
        count: u64,
    },
    BatchOverlaps {
        first: u64,
    },
    /// In an encoding that this program does not know.
    Encoding {
        first: u64,
        encoding: i16,
    },
    NodeMissing {
        level: u32,
        index: u64,
    },
    NodeRewritten {
        level: u32,
        index: u64,
    },
    /// It is not signed as it must be, or says something else than its row.
    HeadRewritten {
        size: u64,
        reason: String,
    },
    HeadUnfitting {
        size: u64,
        after: u64,
        source: Source,
    },
    /// Fewer are sealed than a head was signed for.
    Shorter {
        size: u64,
        signed: u64,
        source: Source,
    },
    /// What is said to be archived, and is not signed as it must be, or not there.
    Archive {
        partition: String,
        reason: String,
    },
    Stopped {
        leaf: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Finding::Edited { record, leaf, .. } => write!(
                out,
                "{} (leaf {leaf}) is not as it was sealed: the record, or what is stored of its agent, was edited",
                event(*record)
            ),
            Finding::AgentEdited { agent, records } => write!(
                out,
                "none of the {records} records of agent {agent:016x} is as it was sealed: what is stored of the agent was edited"
            ),
            Finding::DigestRewritten { record, leaf } => write!(
                out,
                "the hash kept of leaf {leaf} was rewritten; its record {} is as it was sealed",
                event(*record)
            ),
            Finding::Removed { first, count, before, after } => {
                let (were, records) = match count {
                    1 => (format!("leaf {first} was"), "a record"),
                    _ => (format!("leaves {first} to {} were", first + count - 1), "records"),
                };
                let place = match (before, after) {
                    (Some(before), Some(after)) => {
                        format!(" between {} and {}", event(*before), event(*after))
                    }
                    (Some(before), None) => format!(" after {}", event(*before)),
                    (None, Some(after)) => format!(" before {}", event(*after)),
                    (None, None) => String::new(),
                };
                write!(out, "{were} removed: {records}{place}")
            }
            Finding::Added { record, before_leaf } => write!(
                out,
                "{} was added after its time had been sealed, before leaf {before_leaf}",
                event(*record)
            ),
            Finding::FromTheFuture { record } => write!(
                out,
                "{} names a transaction that the database has not begun: it was added, or the database was restored from a dump",
                event(*record)
            ),
            Finding::BatchMissing { first, count } => {
                write!(out, "the hashes kept of {} were removed", leaves(*first, *count))
            }
            Finding::BatchOverlaps { first } => {
                write!(out, "the hashes kept from leaf {first} on are there twice: some were added")
            }
            Finding::Encoding { first, encoding } => write!(
                out,
                "leaves from {first} on have the encoding {encoding}, which this program does not know: run a newer one"
            ),
            Finding::NodeMissing { level, index } => {
                write!(out, "no hash is kept over {}: it was removed", under(*level, *index))
            }
            Finding::NodeRewritten { level, index } => write!(
                out,
                "the kept hash over {} is not that of its leaves: it was rewritten",
                under(*level, *index)
            ),
            Finding::HeadRewritten { size, reason } => {
                write!(out, "the head of {size} records is not what was signed: {reason}")
            }
            Finding::HeadUnfitting { size, after, source } => write!(
                out,
                "{} {size} records does not fit what is kept: hashes among those of {} were rewritten",
                match source {
                    Source::Signed => "the head signed for".to_owned(),
                    Source::Witness(name) => format!("the head that {name} keeps of"),
                },
                leaves(*after, size - after)
            ),
            Finding::Shorter { size, signed, source } => write!(
                out,
                "{} {signed} records, and {size} are sealed here: the newest {} were removed, or the database went back to an earlier state",
                match source {
                    Source::Signed => "a head was signed for".to_owned(),
                    Source::Witness(name) => format!("{name} keeps a head of"),
                },
                signed - size
            ),
            Finding::Archive { partition, reason } => {
                write!(out, "the archive of {partition} is not what was signed: {reason}")
            }
            Finding::Stopped { leaf } => {
                write!(out, "nothing can be said of what follows leaf {leaf}")
            }
        }
    }
}

/// An event and when it was recorded.
fn event(record: i64) -> String {
    let moment = jiff::Timestamp::from_microsecond(record >> MOMENT_SHIFT);
    let moment = moment.map_or_else(|_| "no known time".to_owned(), |moment| moment.to_string());
    format!("AuditEvent/{} of {moment}", event_id(record))
}

/// The microseconds in the upper bits of a record's id.
const MOMENT_SHIFT: u32 = 11;

fn leaves(first: u64, count: u64) -> String {
    match count {
        1 => format!("leaf {first}"),
        _ => format!("leaves {first} to {}", first + count.saturating_sub(1)),
    }
}

fn under(level: u32, index: u64) -> String {
    leaves(index << level, 1 << level)
}
