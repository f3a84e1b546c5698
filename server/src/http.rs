//! HTTP in and out: what every interaction shares.

pub mod answer;
pub mod body;
pub mod bundle;
pub mod csv;
pub mod etag;
pub mod failure;
pub mod format;
pub mod head;
pub mod origin;
pub mod preferences;
pub mod request;
pub mod target;
