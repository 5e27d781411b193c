//! Fetches models from a hub that speaks the HTTP interface of huggingface.co: lists a repository at one commit, fetches
//! the files that an engine reads, goes on where an earlier attempt stopped, and checks every byte against the hash that
//! the hub's own listing names.
//!
//! **Invariant:** a file gets its name only when its length and hash are right; what a hub says never names a path outside
//! the folder. The access token goes to the hub alone, never to where it redirects, and is in no error or `Debug` output.
//!
//! Main types: [`Hub`] lists, [`pull`] fetches a [`Snapshot`].
//!
//! ```no_run
//! # async fn fetch() -> Result<(), cocoon_hub::HubError> {
//! use cocoon_hub::{DEFAULT_HUB, Hub, pull};
//!
//! let hub = Hub::new(DEFAULT_HUB, None)?;
//! let snapshot = hub.snapshot("Qwen/Qwen3-0.6B", "main").await?;
//! pull(&hub, &snapshot, "models/qwen3".as_ref(), &mut |_| {}).await?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod checksum;
mod error;
mod fetch;
mod http;
mod hub;
pub mod limits;
mod listing;
mod pull;

pub use checksum::Checksum;
pub use error::{HubError, Retry, Who};
pub use http::Proxies;
pub use hub::{DEFAULT_HUB, Hub, Token};
pub use listing::{HubFile, Snapshot};
pub use pull::{Progress, Pulled, pull};
