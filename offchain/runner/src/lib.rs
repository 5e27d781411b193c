//! What every daemon shares: configuration, key files, logging, shutdown and drain, the HTTP
//! listener, trust taken from the root contract, and the asynchronous link between two nodes.
//!
//! **Invariant:** nothing here knows a role, reads a message of the application layer, or logs
//! the bytes that pass through it; and no setting of this crate turns attestation off.
//!
//! The main type is [`link::LinkHandle`]: one connection to a peer, with RPCs, one-way packets,
//! keepalive and bounded queues.
//!
//! ```
//! use cocoon_runner::link::{Link, LinkConfig, LinkEvent};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (near, far) = tokio::io::duplex(1024);
//! let (dialed, accepted) =
//!     tokio::join!(Link::dial(near, LinkConfig::default()), Link::accept(far, LinkConfig::default()));
//! let (client, _events) = dialed?;
//! let (_server, mut events) = accepted?;
//! client.send_packet(vec![0u8; 8]).await?;
//! assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data.len() == 8));
//! # Ok(())
//! # }
//! ```

pub mod admin;
pub mod backoff;
pub mod chain;
pub mod checkpoints;
pub mod choice;
pub mod config;
pub mod doctor;
mod error;
pub mod files;
pub mod gpu;
pub mod http;
pub mod keys;
pub mod limits;
pub mod link;
pub mod logging;
pub mod pace;
pub mod places;
pub mod report;
pub mod seal;
pub mod shutdown;
pub mod standing;
mod surroundings;
pub mod telemetry;
pub mod trust;
pub mod wear;
pub mod web;

pub use cocoon_ratls::{NotDone, off_thread};
pub use error::{Retry, RunnerError, TrustFile, Who};
pub use surroundings::Surroundings;
