#![doc = include_str!("../README.md")]

pub mod date;
pub mod error;
pub mod extract;
pub mod key;
pub mod lock;
pub mod parameter;
pub mod path;
pub mod plan;
pub mod query;
pub mod registry;
pub mod render;
pub mod sql;

pub use error::Error;
