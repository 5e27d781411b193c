//! The certificates that a receipt names. Whether their evidence holds is [`crate::evidence`]'s question.

use cocoon_attest::certificate::ParsedCertificate;
use cocoon_bindings::ton::HashBytes;
use cocoon_receipt::{BuiltReceipt, Receipt};
use sha2::{Digest, Sha256};

use crate::check::Check;

pub(super) fn signature(built: &BuiltReceipt, certificate: Option<&[u8]>) -> Check {
    const NAME: &str = "worker_signature";
    let signed = built.signed();
    if signed.worker_signature.is_none() {
        return Check::unknown(NAME, "The worker did not sign: it was lost, or does not know receipts.");
    }
    let Some(der) = certificate else {
        return Check::unknown(NAME, "The worker's certificate is not at hand.");
    };
    if !is_named(der, &signed.receipt.statement.worker_evidence) {
        return Check::refuted(NAME, "The certificate is not the one that the receipt names.");
    }
    match ParsedCertificate::parse(der) {
        Err(problem) => Check::refuted(NAME, format!("The worker's certificate is not acceptable: {problem}.")),
        Ok(parsed) => Check::of(
            NAME,
            built.verify_worker(&parsed.leaf_key),
            "The worker signed it with the key of its certificate.",
        ),
    }
}

pub(super) fn proxy_evidence(receipt: &Receipt, certificate: Option<&[u8]>) -> Check {
    const NAME: &str = "proxy_evidence";
    match certificate {
        None => Check::unknown(NAME, "The proxy's certificate is not at hand."),
        Some(der) if is_named(der, &receipt.proxy_evidence) => Check::proven(NAME, "It names the proxy's certificate."),
        Some(_) => Check::refuted(NAME, "The certificate is not the one that the receipt names."),
    }
}

fn is_named(der: &[u8], hash: &HashBytes) -> bool {
    <[u8; 32]>::from(Sha256::digest(der)) == hash.0
}
