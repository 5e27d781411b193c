//! Stories about a whole network: chain, contracts, proxy, worker and client, in one process or in several.
//!
//! **Invariant:** a story uses what a user has (HTTP, the command, files) or what a hostile peer has (the network);
//! it never reaches into a runner.
//!
//! The main types are [`inprocess::Network`], quick to start, [`process::Processes`], whose runners can be killed,
//! [`api::Api`], which asks them, and [`upstream::Upstream`], which answers at a chosen pace.
//!
//! ```no_run
//! # async fn story() -> Result<(), cocoon_network_tests::Failure> {
//! use cocoon_network_tests::{api::question, process::Processes};
//! let mut network = Processes::deploy().await?;
//! let api = network.start_all().await?;
//! let reply = api.chat(&question(&network.network().model, "Hello", 8)).await;
//! # drop(reply);
//! # Ok(())
//! # }
//! ```

use core::fmt;
use std::sync::atomic::{AtomicU16, Ordering};

pub mod api;
pub mod binary;
pub mod deployed;
pub mod governance;
pub mod inprocess;
pub mod parts;
pub mod process;
pub mod stranger;
pub mod upstream;
pub mod worker;

/// Why a story could not be played: a sentence for the person who reads the test's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// A failure with a sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Names what was being done when an error came.
pub(crate) fn failed<E: fmt::Display>(during: &'static str) -> impl Fn(E) -> Failure {
    move |error| Failure(format!("{during}: {error}"))
}

/// Networks of one machine take different ports; those of another process are found taken.
pub(crate) fn next_instance() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 300).unwrap_or(0);
    100 + process + NEXT.fetch_add(1, Ordering::Relaxed) % 100
}
