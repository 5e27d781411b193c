//! Certificates that were read lately: a peer that comes again shows the same one for hours.
//!
//! What is kept follows from the bytes alone: the form, and whether they are signed with their own key. Dates, policy and
//! evidence are judged anew at each connection.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::ParsedCertificate;
use crate::{error::CertificateProblem, limits::MAX_KNOWN_CERTIFICATES};

type Name = [u8; 32];

/// Parsed certificates by SHA-256.
#[derive(Debug, Default)]
pub(crate) struct KnownCertificates(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Name, Arc<ParsedCertificate>>,
    /// Oldest first.
    order: VecDeque<Name>,
}

impl KnownCertificates {
    /// Reads a certificate, or finds it read.
    pub(crate) fn parse(&self, der: &[u8]) -> Result<Arc<ParsedCertificate>, CertificateProblem> {
        let mut name = [0; 32];
        name.copy_from_slice(digest(&SHA256, der).as_ref());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = known().entries.get(&name) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(ParsedCertificate::parse(der)?);
        let mut known = known();
        if known.entries.insert(name, Arc::clone(&parsed)).is_none() {
            known.order.push_back(name);
        }
        if known.order.len() > MAX_KNOWN_CERTIFICATES
            && let Some(oldest) = known.order.pop_front()
        {
            known.entries.remove(&oldest);
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, NoEvidence};

    fn certificate(now: u64) -> Vec<u8> {
        Identity::issue(&NoEvidence, now).unwrap().certificate_der().to_vec()
    }

    #[test]
    fn the_same_bytes_are_read_once_and_others_anew() {
        let known = KnownCertificates::default();
        let der = certificate(1_790_000_000);
        let first = known.parse(&der).unwrap();
        assert!(Arc::ptr_eq(&first, &known.parse(&der).unwrap()));
        let mut flipped = der.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let other = known.parse(&flipped).unwrap();
        assert!(first.check_signature().is_ok());
        assert_eq!(other.check_signature(), Err(CertificateProblem::Signature));
        assert_eq!(
            known.parse(&flipped).unwrap().check_signature(),
            Err(CertificateProblem::Signature)
        );
        assert!(known.parse(&der[1..]).is_err());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let known = KnownCertificates::default();
        let first = certificate(1);
        let kept = known.parse(&first).unwrap();
        for second in 0..MAX_KNOWN_CERTIFICATES as u64 {
            known.parse(&certificate(2 + second)).unwrap();
        }
        assert_eq!(known.0.lock().unwrap().entries.len(), MAX_KNOWN_CERTIFICATES);
        assert!(!Arc::ptr_eq(&kept, &known.parse(&first).unwrap()));
    }
}
