//! What a daemon meets outside itself. The machine's, or a simulation's: a daemon cannot tell.

use cocoon_chain::SharedChain;
use cocoon_ratls::{SharedClock, SharedNetwork, SystemClock, TcpNetwork};
use cocoon_store::{RealDisk, SharedDisk};

/// Chain, clock, network and disk. Intervals come from `tokio::time`, which a simulation holds as well.
#[derive(Clone)]
pub struct Surroundings {
    /// The chain.
    pub chain: SharedChain,
    /// Unix time.
    pub clock: SharedClock,
    /// Where ports are opened and peers dialed.
    pub network: SharedNetwork,
    /// Where the store is. Configuration and keys are read from the machine's disk.
    pub disk: SharedDisk,
}

impl Surroundings {
    /// A chain, and the machine for everything else.
    pub fn real(chain: SharedChain) -> Self {
        Self {
            chain,
            clock: SystemClock::shared(),
            network: TcpNetwork::shared(),
            disk: RealDisk::shared(),
        }
    }
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings")
            .field("network", &self.network)
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}
