#![doc = include_str!("../README.md")]

pub mod app;
pub mod caller;
pub mod commands;
pub mod http;
pub mod identity;
pub mod indexing;
pub mod interactions;
pub mod operations;
pub mod proofs;
pub mod routes;
pub mod sealing;
pub mod serve;
pub mod settings;
pub mod smart;
pub mod telemetry;
pub mod terminology;
