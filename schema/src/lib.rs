#![doc = include_str!("../README.md")]

pub mod migrations;
pub mod resource;
pub mod tables;
