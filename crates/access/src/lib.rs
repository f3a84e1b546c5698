#![doc = include_str!("../README.md")]

mod caller;
mod decide;
mod label;
mod purpose;
pub mod scope;
mod wish;

pub use caller::{Agent, Caller, Hospital, HospitalId, Policy, Role, Token};
pub use decide::{Bounds, Denied, Grant, Reads, Restriction, Wall, Way, decide, is_public};
pub use label::Labels;
pub use purpose::Purposes;
pub use wish::{Interaction, Operation, Wish};
