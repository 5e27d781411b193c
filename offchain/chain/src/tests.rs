//! One suite, two backends: the chain in this process, and a local network over HTTP.

mod http;
mod suite;

use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{Emulator, EmulatorError, NetworkConfig};
use cocoon_localnet::{LocalNet, LocalNetConfig, RunningLocalNet};

use crate::{EmulatedChain, HttpApi, SharedChain};

/// A chain under test, and a way round the trait for coins and time.
enum Network {
    Emulated(EmulatedChain),
    Local(RunningLocalNet, HttpApi),
}

impl Network {
    fn emulated() -> Self {
        Self::Emulated(EmulatedChain::new(
            Emulator::new(&NetworkConfig::default(), 1_780_000_000).unwrap(),
        ))
    }

    async fn local() -> Self {
        let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
        let api = HttpApi::new(&format!("http://{}", net.address()), None).unwrap();
        Self::Local(net, api)
    }

    fn chain(&self) -> SharedChain {
        match self {
            Self::Emulated(chain) => Arc::new(chain.clone()),
            Self::Local(_, api) => Arc::new(api.clone()),
        }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Emulator) -> Result<T, EmulatorError>) -> T {
        match self {
            Self::Emulated(chain) => chain.with(action),
            Self::Local(net, _) => net.with(action),
        }
        .unwrap()
    }

    fn fund(&self, address: &Address, amount: Nanoton) {
        self.with(|chain| {
            chain.fund(address, amount)?;
            chain.run()
        });
    }
}
