//! What a receipt and a node's evidence prove, check by check, from bytes alone: the client shows it, and a page checks it again
//! in the browser, where this is compiled to WebAssembly (docs/verifier.md).
//!
//! [`evidence::judge`] judges a node's certificate, [`receipt::judge`] a receipt; [`json`] does both for callers that have
//! JSON only. Each gives named [`Check`]s, proven, unknown or refuted, with a sentence for people, and one verdict over them.
//!
//! **Invariant:** time, keys, roots and lists are arguments: no clock, file, socket or randomness. Nothing here panics, whatever
//! it is given, and what was not given is unknown, never proven.
//!
//! ```
//! use cocoon_attest::{Endorsements, Fact, Policy, TrustRoots};
//! use cocoon_verifier::evidence::{self, EvidenceInput, Verdict};
//!
//! # fn main() -> Result<(), cocoon_attest::AttestError> {
//! let report = evidence::judge(&EvidenceInput {
//!     certificate: b"no certificate",
//!     sha256: None,
//!     endorsements: &Endorsements::none(),
//!     roots: &TrustRoots::intel()?,
//!     policy: &Policy::strict(),
//!     images: None,
//!     role: None,
//!     now: 1_790_000_000,
//! });
//! assert_eq!((report.verdict, report.checks[0].outcome), (Verdict::Refuted, Fact::Refuted));
//! # Ok(())
//! # }
//! ```

mod check;
pub mod evidence;
mod exchange;
mod inclusion;
pub mod json;
pub mod limits;
mod policy;
pub mod receipt;

pub use check::Check;
pub use exchange::{Received, Sent};
pub use inclusion::Inclusion;
pub use policy::{PolicyDocument, PolicyDocumentError};
