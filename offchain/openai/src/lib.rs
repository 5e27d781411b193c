//! The OpenAI interface as data: requests, answers, usage, streams and errors.
//!
//! **Invariant:** nothing that a caller sent is lost or reordered: a request keeps its JSON object, answers keep unknown
//! members. Debug output never shows prompts or answers.
//!
//! Main types: [`request::Request`] is a validated body; [`sse::SseDecoder`] reads a stream cut anywhere;
//! [`error::ApiError`] is what a caller gets instead of an answer.
//!
//! ```
//! use cocoon_openai::request::{Endpoint, Request};
//! let body = br#"{"model":"tiny","messages":[{"role":"user","content":"hi"}],"custom":1}"#;
//! let request = Request::parse(Endpoint::Chat, body)?;
//! assert_eq!(request.model(), "tiny");
//! assert_eq!(request.to_json(), &body[..]);
//! # Ok::<(), cocoon_openai::error::ApiError>(())
//! ```
#![forbid(unsafe_code)]

pub mod answer;
pub mod anthropic;
pub mod bound;
pub mod dialect;
pub mod embeddings;
pub mod error;
pub mod fields;
pub mod limits;
pub mod models;
pub mod options;
pub mod parts;
mod pieces;
pub mod prices;
pub mod provider;
pub mod request;
pub mod responses;
pub mod said;
#[cfg(test)]
mod samples;
pub mod sse;
pub mod usage;

pub use bound::OutputBound;
pub use dialect::{Dialect, Translated, Translator};
pub use error::ApiError;
pub use request::{Endpoint, Request};
pub use said::{Difference, Said};
pub use usage::Usage;
