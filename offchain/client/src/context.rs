//! What all parts of a running client share.

use std::sync::{Arc, Mutex, PoisonError};

use cocoon_bindings::ton::friendly;
use cocoon_bindings::wallets::WalletContract;
use cocoon_chain::{NodeWallet, RootView, SharedChain};
use cocoon_protocol::handshake::ClientOffer;
use cocoon_protocol::version::VersionRange;
use cocoon_ratls::{SharedClock, SharedNetwork};
use cocoon_runner::admin::Live;
use cocoon_runner::telemetry::Tracer;
use cocoon_runner::trust::Trust;
use cocoon_store::{Checkpoints, ClientStore};
use tokio::sync::{Notify, mpsc, watch};

use crate::config::FundingConfig;
use crate::disclosures::Disclosures;
use crate::error::ClientError;
use crate::receipts::CertificateRules;
use crate::secret::Secret;

/// Chain, keys, trust, store and clock of one client runner.
pub struct Context {
    /// The chain.
    pub chain: SharedChain,
    /// The wallet that owns the client contracts.
    pub wallet: Arc<NodeWallet>,
    /// The same as a contract, to try out what it would send.
    pub wallet_contract: WalletContract,
    /// The root contract, kept up to date.
    pub root: watch::Receiver<Arc<RootView>>,
    /// Who is believed.
    pub trust: Trust,
    /// The secret of the short authorisation.
    pub secret: Secret,
    /// Receipts and channel heads.
    pub store: Arc<Mutex<ClientStore>>,
    /// The time.
    pub clock: SharedClock,
    /// Where proxies are dialed.
    pub network: SharedNetwork,
    /// Whether and how to pay in.
    pub funding: Live<Option<FundingConfig>>,
    /// Where exchanges are kept, if they are.
    pub(crate) disclosures: Option<Disclosures>,
    /// Wakes whoever watches the accounts: something was just done to one.
    pub(crate) look_again: Notify,
    /// Begins traces of requests.
    pub(crate) tracer: Tracer,
    /// Takes the failure of the own disk that ends the client.
    pub(crate) failed: mpsc::Sender<ClientError>,
}

impl Context {
    pub(crate) fn root(&self) -> Arc<RootView> {
        self.root.borrow().clone()
    }

    /// Whoever makes checkpoints of the store.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.checkpoints()
    }

    pub(crate) fn offer(&self, versions: VersionRange) -> ClientOffer {
        let root = self.root();
        ClientOffer {
            // The deployed form: not bounceable, and never with the test flag.
            owner_address: friendly(self.wallet.address(), false, false),
            is_test: root.is_test(),
            min_config_version: i32::try_from(root.version).unwrap_or(i32::MAX),
            versions,
        }
    }

    pub(crate) fn certificate_rules(&self) -> CertificateRules {
        CertificateRules {
            trust: self.trust.store(),
            workers: self.trust.workers(),
            proxies: self.trust.proxies(),
            clock: self.clock.clone(),
        }
    }
}
