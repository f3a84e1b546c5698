#![doc = include_str!("../README.md")]

pub mod chinese;
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
pub mod registry;
pub mod render;
pub mod sql;

pub use error::Error;
