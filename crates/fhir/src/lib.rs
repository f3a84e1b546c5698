#![doc = include_str!("../README.md")]

pub mod definitions;
pub mod json;
pub mod narrative;
pub mod outcome;
pub mod patch;
pub mod path;
pub mod references;
pub mod resident;
pub mod summary;
pub mod texts;
pub mod validate;
pub mod xml;
