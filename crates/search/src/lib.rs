#![doc = include_str!("../README.md")]

pub mod chinese;
mod compare;
mod condition;
pub mod date;
mod error;
pub mod extract;
mod holds;
pub mod key;
pub mod lock;

#[cfg(test)]
mod agreement;
mod parameter;
pub mod plan;
mod program;
pub mod query;
pub mod reader;
pub mod registry;
pub mod render;
pub mod results;
pub mod sharing;
pub mod sql;
mod unit;
pub mod veil;
pub mod wall;

pub use error::Error;
