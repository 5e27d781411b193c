//! The cryptography of this crate, all of it here: AWS-LC where the feature `aws-lc` is on, as on every machine that judges
//! peers, and RustCrypto (feature `pure`) where no C compiler reaches, as in a browser. Both give the same answers.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(any(test, feature = "pure"))]
#[cfg_attr(
    feature = "aws-lc",
    allow(dead_code, reason = "beside AWS-LC it is only compared with it")
)]
mod pure;

#[cfg(feature = "aws-lc")]
pub(crate) use aws_lc::{P256Key, ed25519, p256_asn1, p256_fixed, p384_asn1, p384_fixed, sha256, sha384};
#[cfg(all(feature = "pure", not(feature = "aws-lc")))]
pub(crate) use pure::{P256Key, ed25519, p256_asn1, p256_fixed, p384_asn1, p384_fixed, sha256, sha384};

#[cfg(not(any(feature = "aws-lc", feature = "pure")))]
compile_error!("cocoon-attest needs cryptography: its feature aws-lc or pure");

#[cfg(all(test, feature = "aws-lc"))]
mod tests;
