//! OpenAI's Responses interface, as a translation to a chat request and of its answer.
//!
//! Nothing is kept on this machine or elsewhere for a later request: whatever would need that (`store`, `previous_response_id`,
//! `conversation`, `background`, references to items) is refused by name.

mod answer;
mod input;
mod items;
mod request;
mod stream;

pub use request::read;

/// Where the interface is.
pub const PATH: &str = "/v1/responses";

#[cfg(test)]
mod tests;
