#![doc = include_str!("../README.md")]

mod binaries;
mod cluster;
mod user;

pub use cluster::{Cluster, Durability, Error};
