#![doc = include_str!("../README.md")]

pub mod definitions;
pub mod json;
pub mod outcome;
pub mod path;
pub mod references;
pub mod summary;
