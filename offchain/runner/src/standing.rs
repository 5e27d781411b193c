//! Whether a connected peer may stay: what was checked when it connected is asked again.
//!
//! Attestation is judged once, at the start of a connection; the root contract goes on changing. A [`Standing`] asks it
//! again at every change, and on a timer, because dates pass without any change.

use std::sync::Arc;

use cocoon_bindings::{ImageHash, ModelHash};
use cocoon_chain::RootView;
use cocoon_ratls::{Peer, SharedClock};
use tokio::sync::watch;

use crate::limits::{CERTIFICATE_MARGIN, STANDING_CHECK};

/// What is no longer allowed of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revoked {
    /// The image that it runs.
    #[error("the root contract does not allow its image any more")]
    Image,
    /// The model that it serves.
    #[error("the root contract does not allow its model any more")]
    Model,
    /// Its entry in the list of proxies.
    #[error("the root contract does not list it at this address any more")]
    Address,
    /// Evidence of a simulated platform.
    #[error("the root contract is no test any more, and its platform is simulated")]
    Simulated,
    /// The certificate that it showed; it has a newer one by then.
    #[error("its certificate comes to its end: it is to connect with a newer one")]
    Expired,
}

type Check = dyn Fn(&RootView) -> Option<Revoked> + Send + Sync;

/// The right of one connected peer to stay connected.
pub struct Standing {
    root: watch::Receiver<Arc<RootView>>,
    check: Box<Check>,
    certificate: Option<(SharedClock, u64)>,
}

impl Standing {
    /// A standing that ends when `check` finds what is revoked.
    pub fn new(
        root: watch::Receiver<Arc<RootView>>,
        check: impl Fn(&RootView) -> Option<Revoked> + Send + Sync + 'static,
    ) -> Self {
        Self {
            root,
            check: Box::new(check),
            certificate: None,
        }
    }

    /// The same, that also ends with the certificate that the peer showed, where its end is known.
    #[must_use]
    pub fn until_certificate(mut self, clock: SharedClock, peer: &Peer) -> Self {
        self.certificate = peer.not_after.map(|end| (clock, end));
        self
    }

    /// Of an attested worker that serves `model`.
    pub fn of_worker(root: watch::Receiver<Arc<RootView>>, peer: &Peer, model: ModelHash) -> Self {
        let (image, is_simulated) = (peer.image_hash, peer.simulated);
        Self::new(root, move |root| {
            platform(root, is_simulated)
                .or_else(|| image_of(image, |image| root.allows_worker_image(image)))
                .or_else(|| (!root.allows_model(&model)).then_some(Revoked::Model))
        })
    }

    /// Of an attested proxy; `is_listed` looks for the entry by which it was found.
    pub fn of_proxy(
        root: watch::Receiver<Arc<RootView>>,
        peer: &Peer,
        is_listed: impl Fn(&RootView) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (image, is_simulated) = (peer.image_hash, peer.simulated);
        Self::new(root, move |root| {
            platform(root, is_simulated)
                .or_else(|| image_of(image, |image| root.allows_proxy_image(image)))
                .or_else(|| (!is_listed(root)).then_some(Revoked::Address))
        })
    }

    /// What is revoked at this moment, if anything.
    pub fn now(&self) -> Option<Revoked> {
        let margin = CERTIFICATE_MARGIN.as_secs();
        let is_over = |(clock, end): &(SharedClock, u64)| clock.now().saturating_add(margin) >= *end;
        let expired = self.certificate.as_ref().filter(|certificate| is_over(certificate));
        (self.check)(&self.root.borrow()).or_else(|| expired.map(|_| Revoked::Expired))
    }

    /// Waits until something is revoked, which may be at once.
    pub async fn revoked(&mut self) -> Revoked {
        loop {
            self.root.mark_unchanged();
            if let Some(revoked) = self.now() {
                return revoked;
            }
            let changed = self.root.changed();
            // When nobody updates the view any more, the daemon is ending; the timer goes on until then.
            if let Ok(Err(_)) = tokio::time::timeout(STANDING_CHECK, changed).await {
                tokio::time::sleep(STANDING_CHECK).await;
            }
        }
    }
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Standing").finish_non_exhaustive()
    }
}

/// A simulated platform counts only on a test root.
fn platform(root: &RootView, is_simulated: bool) -> Option<Revoked> {
    (is_simulated && !root.is_test()).then_some(Revoked::Simulated)
}

/// A peer without an image was never allowed.
fn image_of(image: Option<ImageHash>, is_allowed: impl Fn(&ImageHash) -> bool) -> Option<Revoked> {
    (!image.is_some_and(|image| is_allowed(&image))).then_some(Revoked::Image)
}
