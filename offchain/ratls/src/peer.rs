//! Who is at the other end, according to its certificate.

use sha2::{Digest, Sha256};

use cocoon_attest::Claims;
use cocoon_bindings::units::{ImageHash, PublicKey};

use crate::{ParsedCertificate, PeerPolicy, RatlsError, TrustStore};

/// A peer whose certificate was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its certificate (DER); behind a router, which keeps the certificate, the router's frame.
    pub certificate: Vec<u8>,
    /// The key that signed the handshake.
    pub leaf_key: PublicKey,
    /// Its image, when it was attested.
    pub image_hash: Option<ImageHash>,
    /// What its evidence says, when it was attested and we verified it: a router tells the image only.
    pub claims: Option<Claims>,
    /// Whether the evidence is of a simulated platform.
    pub simulated: bool,
    /// When its certificate ends, Unix seconds; behind a router nobody tells.
    pub not_after: Option<u64>,
}

impl Peer {
    /// SHA-256 of the certificate: names the evidence in receipts.
    pub fn evidence_hash(&self) -> [u8; 32] {
        Sha256::digest(&self.certificate).into()
    }
}

/// Accepts or refuses a certificate at `now` (Unix seconds), cheapest checks first: form and dates, then what the quote
/// claims, then the self-signature, and only for the holder of a matching key the signatures of the platform.
pub fn verify_certificate(der: &[u8], trust: &TrustStore, policy: &PeerPolicy, now: u64) -> Result<Peer, RatlsError> {
    verify_parsed(&ParsedCertificate::parse(der)?, der, trust, policy, now)
}

pub(crate) fn verify_parsed(
    parsed: &ParsedCertificate,
    der: &[u8],
    trust: &TrustStore,
    policy: &PeerPolicy,
    now: u64,
) -> Result<Peer, RatlsError> {
    parsed.check_dates(now)?;
    let evidence = match policy {
        PeerPolicy::Any => None,
        PeerPolicy::Attested { allowed } => {
            parsed.check_life()?;
            let shown = parsed.shown().ok_or(RatlsError::MissingQuote)?;
            let shown = shown.as_ref().map_err(Clone::clone)?;
            if !shown.is_for_key {
                return Err(RatlsError::QuoteForOtherKey);
            }
            if !allowed(&shown.image) {
                return Err(RatlsError::ImageNotAllowed { image: shown.image });
            }
            Some(shown)
        }
    };
    parsed.check_signature()?;
    let claims = evidence
        .map(|shown| trust.claims(shown, parsed.not_after, now))
        .transpose()?;
    Ok(Peer {
        certificate: der.to_vec(),
        leaf_key: parsed.leaf_key,
        image_hash: claims.as_ref().map(Claims::image_hash),
        simulated: claims.as_ref().is_some_and(|claims| claims.simulated),
        claims,
        not_after: Some(parsed.not_after),
    })
}
