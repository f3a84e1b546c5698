//! The server seen from outside, over HTTP: one binary, a file per interaction.

mod api;
mod catalogue;
mod harness;
mod hostile;
mod migrations;
mod outages;
mod races;
