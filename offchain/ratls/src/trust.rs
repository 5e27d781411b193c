//! What we trust at present: roots, collateral, policy. Replaced at run time, and then cached verdicts are forgotten.

use core::fmt;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cocoon_attest::{
    AttestError, Claims, Endorsements, PlatformFamily, Policy, RootKeyId, TrustRoots, Verifier,
    simulated::SimulatedPlatform,
};
use cocoon_bindings::units::ImageHash;

use tokio::sync::Notify;

use crate::{
    RatlsError,
    cache::VerdictCache,
    certificate::Shown,
    limits::{MAX_MISSING_FAMILIES, MAX_VERDICT_SECONDS},
};

/// The inputs of quote verification.
#[derive(Clone, Debug)]
pub struct TrustSettings {
    /// Who may vouch for platforms.
    pub roots: TrustRoots,
    /// What they say about them.
    pub endorsements: Endorsements,
    /// What is asked of them.
    pub policy: Policy,
}

impl TrustSettings {
    /// Real hardware only, strict policy.
    pub fn real(endorsements: Endorsements) -> Result<Self, RatlsError> {
        Ok(Self {
            roots: TrustRoots::intel()?,
            endorsements,
            policy: Policy::strict(),
        })
    }

    /// Trusts a simulated platform too, around `now`. Only for networks whose root contract says that they are tests.
    pub fn with_simulated(mut self, platform: &SimulatedPlatform, now: u64) -> Result<Self, RatlsError> {
        self.roots = self.roots.with_simulated(platform.root_der())?;
        self.endorsements = self.endorsements.merged(&platform.endorsements(now)?)?;
        Ok(self)
    }
}

/// The settings in force and the verdicts reached under them. Shared by all connections of a process.
pub struct TrustStore {
    current: RwLock<Arc<Generation>>,
    missing: Mutex<BTreeSet<PlatformFamily>>,
    is_missing: Notify,
}

struct Generation {
    verifier: Verifier,
    verdicts: Mutex<VerdictCache>,
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustStore")
            .field("trusts_simulated", &self.trusts_simulated())
            .finish()
    }
}

impl Generation {
    fn new(settings: TrustSettings) -> Arc<Self> {
        let TrustSettings {
            roots,
            endorsements,
            policy,
        } = settings;
        Arc::new(Self {
            verifier: Verifier::new(roots, endorsements, policy),
            verdicts: Mutex::default(),
        })
    }
}

impl TrustStore {
    /// Starts with these settings.
    pub fn new(settings: TrustSettings) -> Self {
        Self {
            current: RwLock::new(Generation::new(settings)),
            missing: Mutex::default(),
            is_missing: Notify::new(),
        }
    }

    /// Puts other settings in force; verdicts reached under the old ones no longer count.
    pub fn replace(&self, settings: TrustSettings) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Generation::new(settings);
    }

    /// Who may vouch for platforms at present.
    pub fn roots(&self) -> TrustRoots {
        self.generation().verifier.roots().clone()
    }

    /// What the makers of platforms say about them, as it is believed at present.
    pub fn endorsements(&self) -> Endorsements {
        self.generation().verifier.endorsements().clone()
    }

    /// Whether a simulated root is trusted at present.
    pub fn trusts_simulated(&self) -> bool {
        self.generation().verifier.roots().trusts_simulated()
    }

    /// What is asked of platforms at present.
    pub fn policy(&self) -> Policy {
        self.generation().verifier.policy().clone()
    }

    /// Whether the root of this id is a simulated one; `None` when it is not trusted at present.
    pub(crate) fn is_simulated_root(&self, id: &RootKeyId) -> Option<bool> {
        self.generation().verifier.roots().is_simulated(id)
    }

    /// Forgets cached verdicts without changing anything else.
    pub fn forget(&self) {
        self.generation()
            .verdicts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Waits until a quote was refused for want of collateral, then gives the families of such quotes, each once. The names
    /// come from quotes that nobody verified: they are for asking a service, within limits, and for nothing else.
    pub async fn missing_families(&self) -> BTreeSet<PlatformFamily> {
        loop {
            let told = self.is_missing.notified();
            let missing = core::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner));
            if !missing.is_empty() {
                return missing;
            }
            told.await;
        }
    }

    /// Remembers it without waiting for anyone; when there is no room it is forgotten, and the peer may come again.
    fn note_missing(&self, family: PlatformFamily) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.len() < MAX_MISSING_FAMILIES && missing.insert(family) {
            self.is_missing.notify_one();
        }
    }

    fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Verified claims, from the cache where possible. `not_after` bounds how long the verdict is kept.
    pub(crate) fn claims(&self, shown: &Shown, not_after: u64, now: u64) -> Result<Claims, RatlsError> {
        let generation = self.generation();
        let Shown { evidence, digest, .. } = shown;
        let verdicts = || generation.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = verdicts().get(digest, now) {
            return Ok(claims);
        }
        let claims = generation.verifier.verify(evidence, now).inspect_err(|error| {
            if let AttestError::NoCollateral { .. } | AttestError::CollateralWindow { .. } = error
                && let Some(family) = generation.verifier.unverified_family(evidence)
            {
                self.note_missing(family);
            }
        })?;
        let expires_at = claims
            .expires_at
            .min(not_after)
            .min(now.saturating_add(MAX_VERDICT_SECONDS));
        verdicts().put(*digest, claims.clone(), expires_at, now);
        Ok(claims)
    }
}

/// Says whether an image is allowed; reads the root contract's list at the moment of the connection.
pub type ImageFilter = Arc<dyn Fn(&ImageHash) -> bool + Send + Sync>;

/// What is asked of a peer.
#[derive(Clone)]
pub enum PeerPolicy {
    /// Any certificate of the right form: clients need no quote. A quote that is there is not looked at.
    Any,
    /// A verified quote of an allowed image.
    Attested {
        /// The images that may take the role.
        allowed: ImageFilter,
    },
}

impl PeerPolicy {
    /// A verified quote of an image that `allowed` accepts.
    pub fn attested(allowed: impl Fn(&ImageHash) -> bool + Send + Sync + 'static) -> Self {
        Self::Attested {
            allowed: Arc::new(allowed),
        }
    }
}

impl fmt::Debug for PeerPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "Any",
            Self::Attested { .. } => "Attested",
        })
    }
}
