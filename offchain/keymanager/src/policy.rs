//! Who may have what: images of the policies and of key managers, asked at the moment of the question.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cocoon_bindings::units::ImageHash;
use cocoon_chain::RootView;
use cocoon_ratls::{Peer, PeerPolicy};
use tokio::sync::watch;

use crate::{KeyManagerConfig, Listed};

#[derive(Clone)]
pub(crate) struct Policies {
    policies: Arc<BTreeMap<String, Policy>>,
    replicas: Arc<BTreeSet<ImageHash>>,
    root: watch::Receiver<Arc<RootView>>,
}

struct Policy {
    listed: Option<Listed>,
    images: BTreeSet<ImageHash>,
}

/// Why an image does not get what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAllowed {
    #[error("the peer's evidence was not verified")]
    Unattested,
    #[error("the peer's platform is simulated, and the root contract is no test root")]
    Simulated,
    #[error("there is no such policy")]
    NoPolicy,
    #[error("the policy does not hold the peer's image")]
    Image,
    #[error("the peer's image is none of a key manager")]
    NoReplica,
}

impl Policy {
    fn holds(&self, image: &ImageHash, root: &RootView) -> bool {
        let is_listed = match self.listed {
            Some(Listed::Proxies) => root.allows_proxy_image(image),
            Some(Listed::Workers) => root.allows_worker_image(image),
            None => false,
        };
        is_listed || self.images.contains(image)
    }
}

impl Policies {
    pub(crate) fn new(config: &KeyManagerConfig, own: ImageHash, root: watch::Receiver<Arc<RootView>>) -> Self {
        let policies = config.policies.iter().map(|policy| {
            let images = policy.images.iter().copied().collect();
            let listed = policy.listed;
            (policy.name.clone(), Policy { listed, images })
        });
        let others = config.replica_images.iter().copied();
        Self {
            policies: Arc::new(policies.collect()),
            replicas: Arc::new(others.chain([own]).collect()),
            root,
        }
    }

    /// Of connections: images that may have anything at all.
    pub(crate) fn of_askers(&self) -> PeerPolicy {
        let own = self.clone();
        PeerPolicy::attested(move |image| {
            let root = own.root.borrow();
            own.replicas.contains(image) || own.policies.values().any(|policy| policy.holds(image, &root))
        })
    }

    /// Of other replicas, dialed or dialing.
    pub(crate) fn of_replicas(&self) -> PeerPolicy {
        let replicas = Arc::clone(&self.replicas);
        PeerPolicy::attested(move |image| replicas.contains(image))
    }

    /// Whether the peer may have keys of this policy now.
    pub(crate) fn allow_key(&self, peer: &Peer, policy: &str) -> Result<(), NotAllowed> {
        let image = self.image(peer)?;
        let policy = self.policies.get(policy).ok_or(NotAllowed::NoPolicy)?;
        let is_held = policy.holds(&image, &self.root.borrow());
        is_held.then_some(()).ok_or(NotAllowed::Image)
    }

    /// Whether the peer may have the secret.
    pub(crate) fn allow_secret(&self, peer: &Peer) -> Result<(), NotAllowed> {
        let image = self.image(peer)?;
        self.replicas
            .contains(&image)
            .then_some(())
            .ok_or(NotAllowed::NoReplica)
    }

    fn image(&self, peer: &Peer) -> Result<ImageHash, NotAllowed> {
        let image = peer.image_hash.ok_or(NotAllowed::Unattested)?;
        if peer.simulated && !self.root.borrow().is_test() {
            return Err(NotAllowed::Simulated);
        }
        Ok(image)
    }
}
