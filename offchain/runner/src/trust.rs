//! Whom to believe: what the root contract lists, as the TLS layer wants it.
//!
//! A simulated platform counts only while the root contract says that the network is a test. A
//! root contract that stops saying so ends that trust with the next look at it.

use std::sync::Arc;

use cocoon_attest::Endorsements;
use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_chain::RootView;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{EvidenceSource, NoEvidence, PeerPolicy, SharedClock, Simulated, TrustSettings, TrustStore};
use tokio::sync::watch;

use crate::config::{AttestationConfig, read_small};
use crate::limits::{MAX_COLLATERAL_FILE_BYTES, SIMULATED_COLLATERAL_REFRESH};
use crate::{RunnerError, error::TrustFile};

/// The trust of one runner, kept up to date by [`Trust::keep_current`].
#[derive(Clone)]
pub struct Trust {
    store: Arc<TrustStore>,
    root: watch::Receiver<Arc<RootView>>,
    platform: Option<Arc<SimulatedPlatform>>,
    image: Option<String>,
    collateral: Endorsements,
    requires_proof: bool,
    clock: SharedClock,
}

impl Trust {
    /// Reads the files of the configuration. A simulated platform on a network that is not a test
    /// is an error, not a warning.
    pub fn load(
        config: &AttestationConfig,
        root: watch::Receiver<Arc<RootView>>,
        clock: SharedClock,
    ) -> Result<Self, RunnerError> {
        let platform = config.simulated_platform.as_deref().map(load_platform).transpose()?;
        let is_test = root.borrow().is_test();
        if platform.is_some() && !is_test {
            return Err(RunnerError::SimulatedOnProduction);
        }
        if platform.is_some() {
            tracing::warn!("SIMULATED TDX platform: nothing here is protected, this is a test network");
        }
        let collateral = match &config.collateral {
            Some(path) => load_collateral(path)?,
            None => Endorsements::none(),
        };
        let settings = settings(platform.as_ref(), &collateral, is_test, clock.now())?;
        let store = Arc::new(TrustStore::new(settings));
        Ok(Self {
            store,
            root,
            platform: platform.map(Arc::new),
            image: config.simulated_image.clone(),
            collateral,
            requires_proof: config.require_session_proof,
            clock,
        })
    }

    /// For connectors and acceptors.
    pub fn store(&self) -> Arc<TrustStore> {
        Arc::clone(&self.store)
    }

    /// A peer must be an image that the root contract lists for proxies at that moment.
    pub fn proxies(&self) -> PeerPolicy {
        let root = self.root.clone();
        PeerPolicy::attested(move |image| root.borrow().allows_proxy_image(image))
    }

    /// A peer must be an image that the root contract lists for workers at that moment.
    pub fn workers(&self) -> PeerPolicy {
        let root = self.root.clone();
        PeerPolicy::attested(move |image| root.borrow().allows_worker_image(image))
    }

    /// The versions to offer or to accept on a connection whose session this runner can prove, or cannot because another
    /// process ends its TLS; `plain` are those without a proof.
    pub fn versions(&self, plain: VersionRange, can_prove: bool) -> VersionRange {
        match (can_prove, self.requires_proof) {
            // A version that demands what cannot be given: the peers find no common one.
            (_, true) => plain.only_with_session_proof(),
            (true, false) => plain.with_session_proof(),
            (false, false) => plain,
        }
    }

    /// Where this runner's own evidence comes from; `role` names its image ("proxy", "worker").
    pub fn evidence(&self, role: &str) -> Arc<dyn EvidenceSource> {
        match &self.platform {
            Some(platform) => {
                let image = self.image.as_deref().unwrap_or(role);
                Arc::new(Simulated::for_role(SimulatedPlatform::clone(platform), image))
            }
            None => Arc::new(NoEvidence),
        }
    }

    /// Whether a simulated platform is trusted at present; every surface then says so.
    pub fn is_simulated(&self) -> bool {
        self.store.trusts_simulated()
    }

    /// Follows the root contract, and renews the simulated platform's collateral, until dropped or
    /// until nobody watches the root contract any more.
    pub async fn keep_current(mut self) {
        loop {
            let renewal = tokio::time::sleep(SIMULATED_COLLATERAL_REFRESH);
            tokio::select! {
                changed = self.root.changed() => if changed.is_err() { return },
                () = renewal, if self.platform.is_some() => {}
            }
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let is_test = self.root.borrow_and_update().is_test();
        if self.platform.is_some() && !is_test {
            tracing::error!("the root contract is no test root any more: the simulated platform is not trusted");
        }
        match settings(self.platform.as_deref(), &self.collateral, is_test, self.clock.now()) {
            Ok(settings) => self.store.replace(settings),
            // The old settings stay: their collateral expires by itself.
            Err(error) => tracing::error!(%error, "trust could not be renewed"),
        }
    }
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trust")
            .field("simulated", &self.is_simulated())
            .finish_non_exhaustive()
    }
}

fn settings(
    platform: Option<&SimulatedPlatform>,
    collateral: &Endorsements,
    is_test: bool,
    now: u64,
) -> Result<TrustSettings, RunnerError> {
    let real = TrustSettings::real(collateral.clone()).map_err(RunnerError::Trust)?;
    match platform {
        Some(platform) if is_test => real.with_simulated(platform, now).map_err(RunnerError::Trust),
        _ => Ok(real),
    }
}

fn load_platform(path: &std::path::Path) -> Result<SimulatedPlatform, RunnerError> {
    let text = read_small(path, TrustFile::SimulatedPlatform.name(), MAX_COLLATERAL_FILE_BYTES)?;
    SimulatedPlatform::from_json(&text).map_err(|source| RunnerError::TrustFile {
        path: path.into(),
        file: TrustFile::SimulatedPlatform,
        source,
    })
}

fn load_collateral(path: &std::path::Path) -> Result<Endorsements, RunnerError> {
    let text = read_small(path, TrustFile::Collateral.name(), MAX_COLLATERAL_FILE_BYTES)?;
    Endorsements::none()
        .with_json(&text)
        .map_err(|source| RunnerError::TrustFile {
            path: path.into(),
            file: TrustFile::Collateral,
            source,
        })
}
