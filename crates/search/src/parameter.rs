//! The types of parameters, a file each: what a write stores and what a search asks.

pub mod reference;
pub mod string;
pub mod token;
pub mod uri;
