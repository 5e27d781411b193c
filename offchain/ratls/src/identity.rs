//! Our own key and certificate, and their renewal.

use core::{fmt, time::Duration};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use rcgen::{KeyPair, PKCS_ED25519};
use rustls::{
    crypto::aws_lc_rs::sign::any_eddsa_type,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};

use cocoon_attest::report_data_for_key;
use cocoon_bindings::units::PublicKey;

use crate::{
    EvidenceSource, RatlsError, SharedClock, certificate,
    limits::{CERTIFICATE_SECONDS, RENEWAL_RETRY},
};

/// A leaf key and the certificate that presents it. The key lives in memory only and at most a day.
pub struct Identity {
    certificate: CertificateDer<'static>,
    signer: Ed25519KeyPair,
    tls: Arc<CertifiedKey>,
    leaf_key: PublicKey,
    evidence_hash: [u8; 32],
    issued_at: u64,
    expires_at: u64,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("leaf_key", &self.leaf_key)
            .field("expires_at", &self.expires_at)
            .finish()
    }
}

impl Identity {
    /// Makes a key, obtains evidence for it and issues its certificate at `now` (Unix seconds).
    pub fn issue(source: &dyn EvidenceSource, now: u64) -> Result<Self, RatlsError> {
        let failed = |error: String| RatlsError::Issue { reason: error };
        let key = KeyPair::generate_for(&PKCS_ED25519).map_err(|error| failed(error.to_string()))?;
        let pkcs8 = PrivatePkcs8KeyDer::from(key.serialized_der());
        let signer = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8.secret_pkcs8_der())
            .map_err(|error| failed(error.to_string()))?;
        let mut public = [0; 32];
        public.copy_from_slice(signer.public_key().as_ref());
        let evidence = source.evidence(&report_data_for_key(&public))?;
        let certificate = certificate::issue(&key, &public, evidence.as_deref(), now)?;
        let tls_key = any_eddsa_type(&pkcs8).map_err(|error| failed(error.to_string()))?;
        let tls = Arc::new(CertifiedKey::new(vec![certificate.clone()], tls_key));
        let evidence_hash = Sha256::digest(&certificate).into();
        Ok(Self {
            certificate,
            signer,
            tls,
            leaf_key: PublicKey::new(public),
            evidence_hash,
            issued_at: now,
            expires_at: now.saturating_add(CERTIFICATE_SECONDS),
        })
    }

    /// The certificate that peers see.
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// SHA-256 of the certificate: names the evidence in receipts.
    pub fn evidence_hash(&self) -> [u8; 32] {
        self.evidence_hash
    }

    /// The public leaf key.
    pub fn leaf_key(&self) -> PublicKey {
        self.leaf_key
    }

    /// Signs with the leaf key (Ed25519).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.signer.sign(message).as_ref());
        signature
    }

    /// Unix time at which peers stop accepting it.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether two thirds of its life are over.
    pub fn is_due_for_renewal(&self, now: u64) -> bool {
        now >= self.issued_at.saturating_add(CERTIFICATE_SECONDS / 3 * 2)
    }

    pub(crate) fn tls(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.tls)
    }
}

/// Keeps an identity fresh: renews at two thirds of its life. Connections keep the identity they were made with.
pub struct IdentityKeeper {
    source: Arc<dyn EvidenceSource>,
    clock: SharedClock,
    current: RwLock<Arc<Identity>>,
    /// Held by whoever renews; the Unix time before which a connection does not try again what failed.
    renewal: Mutex<u64>,
}

impl fmt::Debug for IdentityKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdentityKeeper").field(&self.peek()).finish()
    }
}

impl IdentityKeeper {
    /// Issues the first identity.
    pub fn new(source: Arc<dyn EvidenceSource>, clock: SharedClock) -> Result<Self, RatlsError> {
        let first = Identity::issue(source.as_ref(), clock.now())?;
        Ok(Self {
            source,
            clock,
            current: RwLock::new(Arc::new(first)),
            renewal: Mutex::new(0),
        })
    }

    /// The identity for a new connection: renewed first when it is due. While the old one is still accepted, a renewal
    /// that fails is only logged and not tried again for half a minute, and nobody waits for one that another has begun:
    /// connections come from strangers, and a source of evidence may be slow.
    pub fn current(&self) -> Result<Arc<Identity>, RatlsError> {
        let (now, identity) = (self.clock.now(), self.peek());
        if now >= identity.expires_at() {
            self.renew_if_due()?;
            return Ok(self.peek());
        }
        if !identity.is_due_for_renewal(now) {
            return Ok(identity);
        }
        let mut not_before = match self.renewal.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(identity),
        };
        if now >= *not_before
            && let Err(error) = self.renew(&mut not_before, now)
        {
            tracing::warn!(%error, "certificate could not be renewed, the old one is still valid");
        }
        Ok(self.peek())
    }

    /// The identity as it is, due or not.
    pub fn peek(&self) -> Arc<Identity> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renews when two thirds of the life are over; says whether it did.
    pub fn renew_if_due(&self) -> Result<bool, RatlsError> {
        let now = self.clock.now();
        if !self.peek().is_due_for_renewal(now) {
            return Ok(false);
        }
        let mut not_before = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        self.renew(&mut not_before, now)
    }

    /// What [`renew_if_due`](Self::renew_if_due) does, for the holder of the lock. The old identity can be read meanwhile.
    fn renew(&self, not_before: &mut u64, now: u64) -> Result<bool, RatlsError> {
        if !self.peek().is_due_for_renewal(now) {
            return Ok(false);
        }
        *not_before = now.saturating_add(RENEWAL_RETRY.as_secs());
        let renewed = Arc::new(Identity::issue(self.source.as_ref(), now)?);
        tracing::info!(leaf_key = %renewed.leaf_key(), "certificate renewed");
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(true)
    }

    /// Renews in the background until dropped, so that connections seldom wait for a quote.
    pub async fn keep_fresh(self: Arc<Self>) {
        loop {
            let identity = self.peek();
            let due = identity.issued_at.saturating_add(CERTIFICATE_SECONDS / 3 * 2);
            let wait = Duration::from_secs(due.saturating_sub(self.clock.now())).max(RENEWAL_RETRY);
            tokio::time::sleep(wait).await;
            let keeper = Arc::clone(&self);
            let renewal = crate::off_thread(move || keeper.renew_if_due()).await;
            if let Ok(Err(error)) = renewal {
                tracing::warn!(%error, "certificate could not be renewed");
            }
        }
    }
}
