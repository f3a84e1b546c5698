//! A file per interaction.

mod batch;
mod capabilities;
mod conditional;
mod create;
mod delete;
mod format;
mod history;
mod idempotency;
mod patch;
mod read;
mod search;
mod transaction;
mod update;
mod validation;
