//! Certificates that were read lately: a peer that comes again shows the same one for hours.
//!
//! What is kept follows from the bytes alone: the form, what the quote shows, and whether they are signed with their own key.
//! Dates, policy and evidence are judged anew at each connection. Only certificates that were accepted are kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::ParsedCertificate;
use crate::{error::CertificateProblem, limits::MAX_KNOWN_CERTIFICATES};

/// The end of a certificate, where its signature is: finds the one that may be the same, before all bytes are compared.
type Name = [u8; 64];

/// Parsed certificates.
#[derive(Debug, Default)]
pub(crate) struct KnownCertificates(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Name, Arc<ParsedCertificate>>,
    /// Oldest first.
    order: VecDeque<Name>,
}

impl KnownCertificates {
    /// Reads a certificate, or finds it read; and keeps it if `judge` accepts it.
    pub(crate) fn judged<T, E: From<CertificateProblem>>(
        &self,
        der: &[u8],
        judge: impl FnOnce(&ParsedCertificate) -> Result<T, E>,
    ) -> Result<(Arc<ParsedCertificate>, T), E> {
        let malformed = || CertificateProblem::Malformed {
            reason: "it ends early".to_owned(),
        };
        let name = *der.last_chunk().ok_or_else(malformed)?;
        if let Some(parsed) = self.get(&name)
            && parsed.der() == der
        {
            let judgement = judge(&parsed)?;
            return Ok((parsed, judgement));
        }
        let parsed = Arc::new(ParsedCertificate::parse(der)?);
        let judgement = judge(&parsed)?;
        self.put(name, Arc::clone(&parsed));
        Ok((parsed, judgement))
    }

    fn get(&self, name: &Name) -> Option<Arc<ParsedCertificate>> {
        self.lock().entries.get(name).map(Arc::clone)
    }

    fn put(&self, name: Name, parsed: Arc<ParsedCertificate>) {
        let mut known = self.lock();
        if known.entries.insert(name, parsed).is_none() {
            known.order.push_back(name);
        }
        if known.order.len() > MAX_KNOWN_CERTIFICATES
            && let Some(oldest) = known.order.pop_front()
        {
            known.entries.remove(&oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, NoEvidence};

    fn certificate(now: u64) -> Vec<u8> {
        Identity::issue(&NoEvidence, now).unwrap().certificate_der().to_vec()
    }

    /// Reads it; accepts what is signed with its own key.
    fn signed(known: &KnownCertificates, der: &[u8]) -> Result<Arc<ParsedCertificate>, CertificateProblem> {
        known
            .judged(der, ParsedCertificate::check_signature)
            .map(|(parsed, ())| parsed)
    }

    #[test]
    fn the_same_bytes_are_read_once_and_others_anew() {
        let known = KnownCertificates::default();
        let der = certificate(1_790_000_000);
        let first = signed(&known, &der).unwrap();
        assert!(Arc::ptr_eq(&first, &signed(&known, &der).unwrap()));
        let mut flipped = der.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        for _ in 0..2 {
            assert_eq!(signed(&known, &flipped), Err(CertificateProblem::Signature));
        }
        assert!(signed(&known, &der[1..]).is_err());
    }

    #[test]
    fn what_is_known_is_judged_again_and_what_is_refused_is_not_kept() {
        let known = KnownCertificates::default();
        let der = certificate(1_790_000_000);
        let refuse = |_: &ParsedCertificate| Err::<(), _>(CertificateProblem::Unnamed);
        assert_eq!(known.judged(&der, refuse), Err(CertificateProblem::Unnamed));
        assert!(known.lock().entries.is_empty());
        signed(&known, &der).unwrap();
        assert_eq!(known.judged(&der, refuse), Err(CertificateProblem::Unnamed));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let known = KnownCertificates::default();
        let first = certificate(1);
        let kept = signed(&known, &first).unwrap();
        for second in 0..MAX_KNOWN_CERTIFICATES as u64 {
            signed(&known, &certificate(2 + second)).unwrap();
        }
        assert_eq!(known.lock().entries.len(), MAX_KNOWN_CERTIFICATES);
        assert!(!Arc::ptr_eq(&kept, &signed(&known, &first).unwrap()));
    }
}
