//! The server seen from outside, over HTTP: one binary, a file per interaction.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod audit;
mod bound;
mod catalogue;
mod durability;
mod flood;
mod harness;
mod hostile;
mod identity;
mod migrations;
mod oracle;
mod outages;
mod races;
mod residents;
mod roles;
mod routes;
mod scenarios;
mod seal;
mod search;
mod sharing;
mod smart;
mod walls;
