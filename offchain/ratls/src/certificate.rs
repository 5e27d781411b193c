//! The certificate format of the network: self-signed, Ed25519, the quote in an extension of its own.

mod issue;
mod known;
mod parse;

pub(crate) use issue::issue;
pub(crate) use known::KnownCertificates;
pub use parse::ParsedCertificate;
pub(crate) use parse::Shown;

/// Extension that carries the quote: raw bytes, critical.
pub const QUOTE_OID: &str = "1.3.6.1.4.1.12345.1";
/// Extension that repeats the public key: raw 32 bytes, critical.
pub const CLAIMS_OID: &str = "1.3.6.1.4.1.12345.2";
