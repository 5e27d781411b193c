//! The certificate format of the network: self-signed, Ed25519, the quote in an extension of its own.

mod issue;
mod known;

pub(crate) use cocoon_attest::certificate::Shown;
pub use cocoon_attest::certificate::{CLAIMS_OID, ParsedCertificate, QUOTE_OID};
pub(crate) use issue::issue;
pub(crate) use known::KnownCertificates;
