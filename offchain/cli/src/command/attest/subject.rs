//! What is looked at: evidence of a file, or of a machine that is asked for it.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_attest::limits::MAX_QUOTE_BYTES;
use cocoon_attest::{Endorsements, Evidence, report_data_for_key};
use cocoon_bindings::PublicKey;
use cocoon_ratls::limits::MAX_CERTIFICATE_BYTES;
use cocoon_ratls::{
    Connector, IdentityKeeper, NoEvidence, ParsedCertificate, PeerPolicy, RatlsError, SystemClock, TrustSettings,
    TrustStore,
};

use super::refused;
use crate::failure::{Exit, Failure};
use crate::input;

/// Longest file that is read: a certificate or a quote in hex.
const MAX_FILE_BYTES: usize = 2 * (MAX_CERTIFICATE_BYTES + MAX_QUOTE_BYTES);

/// Evidence, not verified, and the certificate that it came in.
pub(in crate::command) struct Presented {
    /// What it is, for people.
    pub(super) kind: &'static str,
    pub(super) evidence: Evidence,
    /// The key of its certificate, which the evidence speaks of.
    pub(super) leaf_key: Option<PublicKey>,
}

impl Presented {
    /// Reads a file, or asks a machine if there is no file of that name.
    pub(super) async fn of(subject: &str, now: u64) -> Result<Self, Failure> {
        let path = Path::new(subject);
        if path.exists() {
            return Self::parse(&read(path, MAX_FILE_BYTES)?, now);
        }
        if !subject.contains(':') {
            let error = anyhow::anyhow!("there is no file {subject}");
            return Err(Failure::new(
                Exit::Usage,
                error,
                "name a file, or a machine as HOST:PORT",
            ));
        }
        Self::machine(subject, now).await
    }

    /// Asks a machine, named as HOST:PORT.
    pub(in crate::command) async fn machine(address: &str, now: u64) -> Result<Self, Failure> {
        let der = certificate_of(address).await.map_err(from_ratls)?;
        Self::certificate("certificate of a machine", &der, now)
    }

    fn parse(bytes: &[u8], now: u64) -> Result<Self, Failure> {
        let bytes = undressed(bytes);
        // DER of a certificate is a sequence with a length of two bytes; no quote begins so.
        if bytes.starts_with(&[0x30, 0x82]) {
            return Self::certificate("certificate", &bytes, now);
        }
        Ok(Self {
            kind: "quote",
            evidence: Evidence::parse(&bytes).map_err(refused)?,
            leaf_key: None,
        })
    }

    /// The evidence of a certificate, which must speak of the certificate's key.
    fn certificate(kind: &'static str, der: &[u8], now: u64) -> Result<Self, Failure> {
        let of_certificate = |problem| from_ratls(RatlsError::from(problem));
        let parsed = ParsedCertificate::parse(der).map_err(of_certificate)?;
        parsed.check_dates(now).map_err(of_certificate)?;
        parsed.check_signature().map_err(of_certificate)?;
        let quote = parsed
            .quote
            .as_deref()
            .ok_or_else(|| from_ratls(RatlsError::MissingQuote))?;
        let evidence = Evidence::parse(quote).map_err(refused)?;
        if evidence.unverified_report_data() != report_data_for_key(parsed.leaf_key.as_bytes()) {
            return Err(from_ratls(RatlsError::QuoteForOtherKey));
        }
        Ok(Self {
            kind,
            evidence,
            leaf_key: Some(parsed.leaf_key),
        })
    }
}

/// The certificate that a machine shows to anyone. Its evidence is judged by the caller, nothing is sent.
async fn certificate_of(address: &str) -> Result<Vec<u8>, RatlsError> {
    let clock = SystemClock::shared();
    let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), clock.clone())?);
    let trust = Arc::new(TrustStore::new(TrustSettings::real(Endorsements::none())?));
    let connector = Connector::new(identities, trust, PeerPolicy::Any, clock);
    Ok(connector.connect(address).await?.peer.certificate)
}

fn from_ratls(error: RatlsError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Peer, error, hint)
}

/// The bytes behind PEM or hex, or as they are.
fn undressed(bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return bytes.to_vec();
    };
    let text = text.trim();
    let pem = text
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"));
    let decoded = match pem {
        Some((body, _)) => {
            let body: String = body.split_whitespace().collect();
            STANDARD.decode(body).ok()
        }
        None => hex::decode(text).ok(),
    };
    decoded.unwrap_or_else(|| bytes.to_vec())
}

/// Reads a file that must not be larger than `limit` bytes.
pub(super) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    input::read(
        path,
        limit,
        "check that the path names the right file and that this user may read it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_and_hex_are_undressed_and_the_rest_is_as_it_is() {
        let pem = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n";
        assert_eq!(undressed(pem.as_bytes()), [0x30, 0x82]);
        assert_eq!(undressed(b"3082\n"), [0x30, 0x82]);
        assert_eq!(undressed(&[4, 0, 2, 0, 0x81]), [4, 0, 2, 0, 0x81]);
        assert_eq!(undressed(b"neither"), b"neither");
    }
}
