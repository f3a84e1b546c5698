#![doc = include_str!("../README.md")]

pub mod mutate;
pub mod targets;
