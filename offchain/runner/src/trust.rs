//! Whom to believe: what the root contract lists, as the TLS layer wants it.
//!
//! A simulated platform counts only while the root contract says that the network is a test. A
//! root contract that stops saying so ends that trust with the next look at it.

mod collateral;
mod evidence;
mod policy;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_attest::{Endorsements, TrustRoots};
use cocoon_bindings::ImageHash;
use cocoon_chain::RootView;
use cocoon_guest::{GuestError, Pretended, SimulatedTrust};
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{
    Acceptor, Connector, EvidenceSource, IdentityKeeper, PeerPolicy, SharedClock, TrustSettings, TrustStore,
};
use tokio::sync::watch;

use crate::config::{AttestationConfig, read_small};
use crate::limits::{MAX_COLLATERAL_FILE_BYTES, SIMULATED_COLLATERAL_REFRESH, TRUST_LOOK};
use crate::{RunnerError, error::TrustFile};

use self::collateral::Prefetch;
use self::evidence::{Offered, Source};
use self::policy::PolicyFile;
pub(crate) use self::policy::read as load_policy;

/// The trust of one runner, kept up to date by [`Trust::keep_current`].
#[derive(Clone)]
pub struct Trust {
    store: Arc<TrustStore>,
    root: watch::Receiver<Arc<RootView>>,
    simulation: Option<Arc<Simulation>>,
    source: Source,
    image: Option<String>,
    registers: Option<Pretended>,
    collateral: Endorsements,
    /// Until [`Trust::keep_current`] takes it.
    prefetch: Arc<Mutex<Option<Prefetch>>>,
    fetched: Endorsements,
    requires_proof: bool,
    policy: PolicyFile,
    router: Option<SocketAddr>,
    clock: SharedClock,
}

/// A simulated platform that is believed while the root contract says that the network is a test.
enum Simulation {
    /// With its keys: its collateral is made anew as time passes.
    Platform(SimulatedPlatform),
    /// Its public half.
    Public { root: Vec<u8>, endorsements: Endorsements },
}

impl Simulation {
    fn load(config: &AttestationConfig) -> Result<Option<Self>, RunnerError> {
        if let Some(path) = &config.simulated_platform {
            return Ok(Some(Self::Platform(load_platform(path)?)));
        }
        let Some(path) = &config.simulated_trust else {
            return Ok(None);
        };
        load_simulation(path, TrustFile::SimulatedTrust, |text| {
            let trust = SimulatedTrust::from_json(text)?;
            let endorsements = trust.endorsements()?;
            let root = trust.root_der().to_vec();
            Ok(Some(Self::Public { root, endorsements }))
        })
    }

    fn platform(&self) -> Option<&SimulatedPlatform> {
        match self {
            Self::Platform(platform) => Some(platform),
            Self::Public { .. } => None,
        }
    }

    fn believed(&self, mut settings: TrustSettings, now: u64) -> Result<TrustSettings, cocoon_ratls::RatlsError> {
        match self {
            Self::Platform(platform) => settings.with_simulated(platform, now),
            Self::Public { root, endorsements } => {
                settings.roots = settings.roots.with_simulated(root)?;
                settings.endorsements = settings.endorsements.merged(endorsements)?;
                Ok(settings)
            }
        }
    }
}

impl Trust {
    /// Reads the files of the configuration. A simulated platform on a network that is not a test
    /// is an error, not a warning.
    pub fn load(
        config: &AttestationConfig,
        root: watch::Receiver<Arc<RootView>>,
        clock: SharedClock,
    ) -> Result<Self, RunnerError> {
        check_router(config)?;
        let source = Source::choose(config, Offered::here())?;
        let simulation = Simulation::load(config)?;
        let is_test = root.borrow().is_test();
        let simulated = simulation.is_some() || source.is_simulated();
        if simulated && !is_test {
            return Err(RunnerError::SimulatedOnProduction);
        }
        if simulated {
            tracing::warn!("SIMULATED TDX platform: nothing here is protected, this is a test network");
        }
        let registers = match &config.simulated_registers {
            Some(path) => Some(load_simulation(
                path,
                TrustFile::SimulatedRegisters,
                Pretended::from_json,
            )?),
            None => None,
        };
        let now = clock.now();
        let roots = settings(simulation.as_ref(), &Endorsements::none(), is_test, now)?.roots;
        let collateral = match &config.collateral {
            Some(path) => load_collateral(path, &roots)?,
            None => Endorsements::none(),
        };
        let prefetch = match &config.collateral_service {
            Some(service) => Some(Prefetch::load(service, roots, Arc::clone(&clock))?),
            None => None,
        };
        let fetched = prefetch.as_ref().map(Prefetch::endorsements).unwrap_or_default();
        let policy = PolicyFile::load(config.policy.as_deref())?;
        let known = renewed(&collateral, &fetched, now)?;
        let mut settings = settings(simulation.as_ref(), &known, is_test, now)?;
        settings.policy = policy.policy();
        let store = Arc::new(TrustStore::new(settings));
        Ok(Self {
            store,
            root,
            simulation: simulation.map(Arc::new),
            source,
            image: config.simulated_image.clone(),
            registers,
            collateral,
            prefetch: Arc::new(Mutex::new(prefetch)),
            fetched,
            requires_proof: config.require_session_proof,
            policy,
            router: config.router,
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

    /// The connector as the configuration wants it: direct, or through a router.
    pub fn dialing(&self, connector: Connector) -> Connector {
        match self.router {
            Some(router) => connector.through(router),
            None => connector,
        }
    }

    /// The acceptor as the configuration wants it: direct, or behind a router.
    pub fn accepting(&self, acceptor: Acceptor) -> Acceptor {
        match self.router {
            Some(_) => acceptor.behind_router(),
            None => acceptor,
        }
    }

    /// The versions to offer or to accept on a connection whose session this runner can prove, or cannot because another
    /// process ends its TLS; `plain` are those without a proof.
    pub fn versions(&self, plain: VersionRange, can_prove: bool) -> VersionRange {
        match (can_prove, self.requires_proof) {
            // A version that demands what cannot be given: the peers find no common one.
            (_, true) => plain.only_with_session_proof(),
            (true, false) => plain.with_session_proof(),
            // Receipts name certificates, and a router keeps them to itself.
            (false, false) => plain.without_receipts(),
        }
    }

    /// Where this runner's own evidence comes from; `role` names its image ("proxy", "worker").
    pub fn evidence(&self, role: &str) -> Arc<dyn EvidenceSource> {
        if self.source == Source::None {
            tracing::warn!(
                role,
                "this runner has no evidence of itself: peers that ask for it will refuse it"
            );
        }
        let platform = self.simulation.as_deref().and_then(Simulation::platform);
        self.source.open(role, self.image.as_deref(), self.registers, platform)
    }

    /// The image that this runner's own evidence shows, as a peer would read it at `now`; none without evidence.
    pub fn own_image(&self, identities: &IdentityKeeper, now: u64) -> Option<ImageHash> {
        let certificate = identities.peek();
        let policy = PeerPolicy::attested(|_| true);
        let own = cocoon_ratls::verify_certificate(certificate.certificate_der(), &self.store, &policy, now);
        own.ok()?.image_hash
    }

    /// Whether a simulated platform is trusted at present, or own evidence is simulated; every surface then says so.
    pub fn is_simulated(&self) -> bool {
        self.store.trusts_simulated() || self.source.is_simulated()
    }

    /// Follows the root contract, fetches collateral, renews the simulated platform's and reads the policy file again,
    /// until dropped or until nobody watches the root contract any more.
    pub async fn keep_current(self) {
        let prefetch = self.prefetch.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (sender, fetched) = watch::channel(self.fetched.clone());
        let Some(prefetch) = prefetch else {
            return self.follow(fetched, sender).await;
        };
        let store = self.store();
        // Two tasks' worth of work in one: neither outlives the other.
        tokio::select! {
            () = prefetch.run(store, sender.clone()) => {}
            () = self.follow(fetched, sender) => {}
        }
    }

    /// `_sender` is held so that a channel that nobody sends on stays open.
    async fn follow(mut self, mut fetched: watch::Receiver<Endorsements>, _sender: watch::Sender<Endorsements>) {
        // What was loaded before this task may be of any age: it is renewed at the first look.
        let mut renewed_at = 0_u64;
        loop {
            tokio::select! {
                changed = self.root.changed() => if changed.is_err() { return },
                _ = fetched.changed() => self.fetched = fetched.borrow_and_update().clone(),
                () = tokio::time::sleep(TRUST_LOOK), if self.ages() => {
                    let due = renewed_at.saturating_add(SIMULATED_COLLATERAL_REFRESH.as_secs());
                    if self.clock.now() < due {
                        continue;
                    }
                }
            }
            renewed_at = self.clock.now();
            self.refresh();
        }
    }

    /// Whether trust has parts that change with time alone: the simulated platform's collateral, the policy file, and
    /// collateral of which a part ends before that of another source.
    fn ages(&self) -> bool {
        self.simulation.is_some() || self.policy.is_configured() || !self.collateral.is_empty()
    }

    fn refresh(&mut self) {
        let is_test = self.root.borrow_and_update().is_test();
        if self.simulation.is_some() && !is_test {
            tracing::error!("the root contract is no test root any more: the simulated platform is not trusted");
        }
        self.policy.read_again();
        let simulation = self.simulation.as_deref();
        let now = self.clock.now();
        let renewed =
            renewed(&self.collateral, &self.fetched, now).and_then(|known| settings(simulation, &known, is_test, now));
        match renewed {
            Ok(mut settings) => {
                settings.policy = self.policy.policy();
                self.store.replace(settings);
            }
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

fn check_router(config: &AttestationConfig) -> Result<(), RunnerError> {
    let wrong = |key: &str, problem: &str| {
        Err(RunnerError::ConfigValue {
            key: format!("attestation.{key}"),
            problem: problem.into(),
        })
    };
    match config.router {
        Some(router) if !router.ip().is_loopback() => wrong("router", "is believed, so it must be on this machine"),
        Some(_) if config.policy.is_some() => wrong(
            "policy",
            "cannot be checked behind a router, which tells the image only",
        ),
        Some(_) if config.require_session_proof => wrong(
            "require_session_proof",
            "cannot hold behind a router: the session is the router's",
        ),
        _ => Ok(()),
    }
}

/// What the file says and what was fetched, the newest parts of each family.
fn renewed(file: &Endorsements, fetched: &Endorsements, now: u64) -> Result<Endorsements, RunnerError> {
    let renewed = file.clone().renewed(fetched, now);
    renewed.map_err(|error| RunnerError::Trust(error.into()))
}

fn settings(
    simulation: Option<&Simulation>,
    collateral: &Endorsements,
    is_test: bool,
    now: u64,
) -> Result<TrustSettings, RunnerError> {
    let real = TrustSettings::real(collateral.clone()).map_err(RunnerError::Trust)?;
    match simulation {
        Some(simulation) if is_test => simulation.believed(real, now).map_err(RunnerError::Trust),
        _ => Ok(real),
    }
}

fn load_simulation<T>(
    path: &Path,
    file: TrustFile,
    parse: impl FnOnce(&str) -> Result<T, GuestError>,
) -> Result<T, RunnerError> {
    let text = read_small(path, file.name(), MAX_COLLATERAL_FILE_BYTES)?;
    parse(&text).map_err(|source| RunnerError::SimulationFile {
        path: path.into(),
        file,
        source,
    })
}

fn load_platform(path: &Path) -> Result<SimulatedPlatform, RunnerError> {
    let text = read_small(path, TrustFile::SimulatedPlatform.name(), MAX_COLLATERAL_FILE_BYTES)?;
    SimulatedPlatform::from_json(&text).map_err(|source| RunnerError::TrustFile {
        path: path.into(),
        file: TrustFile::SimulatedPlatform,
        source,
    })
}

fn load_collateral(path: &Path, roots: &TrustRoots) -> Result<Endorsements, RunnerError> {
    let text = read_small(path, TrustFile::Collateral.name(), MAX_COLLATERAL_FILE_BYTES)?;
    Endorsements::none()
        .with_json(&text)
        .and_then(|collateral| collateral.check_signatures(roots).map(|()| collateral))
        .map_err(|source| RunnerError::TrustFile {
            path: path.into(),
            file: TrustFile::Collateral,
            source,
        })
}
