#![doc = include_str!("../README.md")]

pub mod definitions;
pub mod json;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod references;
pub mod summary;
pub mod validate;
pub mod xml { pub fn parse(_: &[u8], _: &crate::json::Limits) -> Result<serde_json::Value, crate::json::Error> { Err(crate::json::Error::Empty) } pub fn write(_: &serde_json::Value, _: bool) -> Result<Vec<u8>, crate::json::Error> { Err(crate::json::Error::Empty) } }
pub mod patch { pub fn apply_json(_: &serde_json::Value, _: &serde_json::Value) -> Result<serde_json::Value, crate::json::Error> { Err(crate::json::Error::Empty) } pub fn apply_path(_: &serde_json::Value, _: &serde_json::Value) -> Result<serde_json::Value, crate::json::Error> { Err(crate::json::Error::Empty) } }
