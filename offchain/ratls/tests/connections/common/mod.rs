//! A simulated platform, a clock and both ends of a connection.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

pub(crate) mod raw;

use std::sync::Arc;

use cocoon_attest::{Endorsements, simulated::SimulatedPlatform, simulated::simulated_measurements};
use cocoon_bindings::units::ImageHash;
use cocoon_ratls::{
    Acceptor, Connector, EvidenceSource, IdentityKeeper, ManualClock, PeerPolicy, SharedClock, Simulated,
    TrustSettings, TrustStore,
    pow::{self, Challenge},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const NOW: u64 = 1_790_000_000;
pub(crate) const DIFFICULTY: u32 = 4;

pub(crate) struct World {
    pub(crate) platform: SimulatedPlatform,
    pub(crate) trust: Arc<TrustStore>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        let platform = SimulatedPlatform::generate().unwrap();
        let settings = TrustSettings::real(Endorsements::none())
            .unwrap()
            .with_simulated(&platform, NOW)
            .unwrap();
        Self {
            platform,
            trust: Arc::new(TrustStore::new(settings)),
            clock: Arc::new(ManualClock::new(NOW)),
        }
    }

    pub(crate) fn shared_clock(&self) -> SharedClock {
        Arc::clone(&self.clock) as SharedClock
    }

    pub(crate) fn source(&self, role: &str) -> Arc<dyn EvidenceSource> {
        Arc::new(Simulated::for_role(self.platform.clone(), role))
    }

    pub(crate) fn image(&self, role: &str) -> ImageHash {
        simulated_measurements(role).image_hash()
    }

    pub(crate) fn only(&self, role: &str) -> PeerPolicy {
        let listed = self.image(role);
        PeerPolicy::attested(move |image| *image == listed)
    }

    pub(crate) fn keeper(&self, source: Arc<dyn EvidenceSource>) -> Arc<IdentityKeeper> {
        Arc::new(IdentityKeeper::new(source, self.shared_clock()).unwrap())
    }

    pub(crate) fn acceptor(&self, source: Arc<dyn EvidenceSource>, policy: PeerPolicy) -> Acceptor {
        Acceptor::new(
            self.keeper(source),
            Arc::clone(&self.trust),
            policy,
            self.shared_clock(),
        )
        .with_difficulty(DIFFICULTY)
    }

    pub(crate) fn connector(&self, source: Arc<dyn EvidenceSource>, policy: PeerPolicy) -> Connector {
        Connector::new(
            self.keeper(source),
            Arc::clone(&self.trust),
            policy,
            self.shared_clock(),
        )
    }
}

/// Does the work that an acceptor asks for, by hand.
pub(crate) async fn answer_challenge(tcp: &mut TcpStream) {
    let mut bytes = [0; pow::CHALLENGE_BYTES];
    tcp.read_exact(&mut bytes).await.unwrap();
    let challenge = Challenge::from_bytes(&bytes, DIFFICULTY).unwrap();
    let nonce = pow::solve(&challenge, || true).unwrap();
    tcp.write_all(&pow::answer_to_bytes(nonce)).await.unwrap();
}
