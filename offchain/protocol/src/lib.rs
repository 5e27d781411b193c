//! Messages between nodes.
#![forbid(unsafe_code)]
#[macro_use]
mod answers;
pub mod answer;
pub mod codec;
pub mod error_code;
pub mod frame;
pub mod message;
pub mod session;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod client;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod extension;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod http;
pub mod limits;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod proxy;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod tcp;
pub mod version;
#[allow(missing_docs, reason = "field names are those of the schema")]
pub mod worker;
