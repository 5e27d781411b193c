//! Attested connections: a proof of work, then mutual TLS 1.3 whose certificates carry evidence of the machine that
//! holds the key; in the form that deployed peers speak.
//!
//! **Invariant:** there is no connection whose certificate was not judged by [`verify_certificate`], or by a router of this
//! machine that says so over loopback (only where the caller asks for one), no session that
//! resumes another, and no setting that turns the judgement off. Private keys stay in memory and out of every output.
//!
//! The main types are [`Connector`] and [`Acceptor`], which give a [`Connection`] with its [`Peer`]; they draw on an
//! [`IdentityKeeper`] and a [`TrustStore`].
//!
//! ```no_run
//! # async fn dial() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use cocoon_attest::Endorsements;
//! use cocoon_ratls::{Connector, IdentityKeeper, NoEvidence, PeerPolicy, SystemClock, TrustSettings, TrustStore};
//!
//! let clock = SystemClock::shared();
//! let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), clock.clone())?);
//! let trust = Arc::new(TrustStore::new(TrustSettings::real(Endorsements::none())?));
//! let listed = PeerPolicy::attested(|image| image.to_string().starts_with("04b3afd9"));
//! let connection = Connector::new(identities, trust, listed, clock).connect("192.0.2.1:11002").await?;
//! # drop(connection);
//! # Ok(())
//! # }
//! ```

mod behind;
mod cache;
mod certificate;
mod clock;
mod connection;
mod error;
mod identity;
pub mod limits;
mod network;
mod off_thread;
mod peer;
pub mod pow;
mod sealed;
mod session;
mod socket;
mod source;
mod stream;
mod tls;
mod trust;
mod web;

pub use behind::RouterProblem;
pub use certificate::{CLAIMS_OID, ParsedCertificate, QUOTE_OID};
pub use clock::{Clock, ManualClock, SharedClock, SystemClock};
pub use connection::{Acceptor, Connection, Connector};
pub use error::{CertificateProblem, RatlsError, Retry, Who};
pub use identity::{Identity, IdentityKeeper};
pub use network::{Bytes, Listen, Listener, Network, SharedNetwork, TcpNetwork, Wire};
pub use off_thread::{NotDone, off_thread, run_in_place};
pub use peer::{Peer, verify_certificate};
pub use sealed::{OpenKey, Sealed, seal};
pub use session::SessionBinding;
pub use source::{EvidenceSource, NoEvidence, Simulated};
pub use stream::Stream;
pub use trust::{ImageFilter, PeerPolicy, TrustSettings, TrustStore};
pub use web::web_client_config;
