#![doc = include_str!("../README.md")]

mod caller;
mod decide;
mod wish;

pub use caller::{Caller, HospitalId};
pub use decide::{Denied, Grant, Restriction, decide};
pub use wish::{Interaction, Wish};
