//! What nodes say to each other: TL objects, frames, sessions, handshakes, versions and error codes.
//!
//! **Invariant:** decoders are total. Whatever bytes a peer sends, the result is an object or a typed error; nothing
//! here panics, reserves memory on a peer's word, or touches a socket or a clock. Debug output shows sizes, never
//! content.
//!
//! Main types: [`session::Session`] turns bytes into events and back; the enums of [`message`] say what may be sent in
//! which direction; [`answer::Answer`] is one view of the old and the new answer messages.
//!
//! ```
//! use cocoon_protocol::session::{Event, Session};
//! let now = std::time::Instant::now();
//! let (mut dialer, mut acceptor) = (Session::dial(7, now), Session::accept(now));
//! acceptor.receive(&dialer.take_output().unwrap_or_default(), now)?;
//! dialer.receive(&acceptor.take_output().unwrap_or_default(), now)?;
//! assert_eq!(dialer.poll_event(), Some(Event::Connected));
//! # Ok::<(), cocoon_protocol::session::CloseReason>(())
//! ```
#![forbid(unsafe_code)]

#[macro_use]
mod answers;
pub mod answer;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod client;
pub mod codec;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod context;
pub mod error_code;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod extension;
pub mod frame;
pub mod handshake;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod http;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod key;
pub mod limits;
pub mod message;
pub mod peer_info;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod proxy;
pub mod quote;
pub mod retry_after;
pub mod session;
pub mod session_proof;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod tcp;
pub mod version;
#[expect(missing_docs, reason = "fields are named and documented by the schema")]
pub mod worker;

pub use error_code::ErrorCode;
pub use version::Version;
