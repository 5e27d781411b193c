//! One suite, several ways: the chain in this process, and a local network over both versions of the HTTP API and through a
//! pool of servers.

mod delivery;
mod http;
mod https;
mod lite;
mod pool;
mod suite;

use std::sync::Arc;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{Emulator, EmulatorError, NetworkConfig};
use cocoon_localnet::{LiteConfig, LocalNet, LocalNetConfig, RunningLite, RunningLocalNet};

use crate::{ChainPool, EmulatedChain, Endpoint, HttpApi, LiteClient, LiteServer, SharedChain};

/// A chain under test, and a way round the trait for coins and time.
enum Network {
    Emulated(EmulatedChain),
    Local(RunningLocalNet, SharedChain),
    Lite(
        RunningLocalNet,
        SharedChain,
        #[expect(dead_code, reason = "it runs as long as it is held")] RunningLite,
    ),
}

impl Network {
    fn emulated() -> Self {
        Self::Emulated(EmulatedChain::new(
            Emulator::new(&NetworkConfig::default(), 1_780_000_000).unwrap(),
        ))
    }

    async fn local(path: &str) -> Self {
        let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
        let api = HttpApi::new(&format!("http://{}{path}", net.address()), None).unwrap();
        Self::Local(net, Arc::new(api))
    }

    /// A lite server over a local network.
    async fn lite() -> Self {
        let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
        let server = net.serve_lite(LiteConfig::ephemeral()).await.unwrap();
        let place = LiteServer {
            address: server.address(),
            key: *server.key(),
        };
        let client = LiteClient::new(&place, server.beginning());
        Self::Lite(net, Arc::new(client), server)
    }

    /// Both versions of the same server, and one that is not there.
    async fn pooled() -> Self {
        let net = LocalNet::start(LocalNetConfig::ephemeral()).await.unwrap();
        let server = |path: &str| Endpoint::at(&format!("http://{}{path}", net.address()));
        let endpoints = [Endpoint::at("http://127.0.0.1:1"), server(""), server("/api/v3")];
        let pool = ChainPool::of_http(&endpoints).unwrap();
        Self::Local(net, Arc::new(pool))
    }

    fn address(&self) -> std::net::SocketAddr {
        match self {
            Self::Emulated(_) => unreachable!("it has no address"),
            Self::Local(net, _) | Self::Lite(net, ..) => net.address(),
        }
    }

    fn chain(&self) -> SharedChain {
        match self {
            Self::Emulated(chain) => Arc::new(chain.clone()),
            Self::Local(_, api) | Self::Lite(_, api, _) => api.clone(),
        }
    }

    fn with<T>(&self, action: impl FnOnce(&mut Emulator) -> Result<T, EmulatorError>) -> T {
        match self {
            Self::Emulated(chain) => chain.with(action),
            Self::Local(net, _) | Self::Lite(net, ..) => net.with(action),
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

/// A local network, and its place for a pool.
async fn local_endpoint() -> (Network, Endpoint) {
    let network = Network::local("").await;
    let endpoint = Endpoint::at(&format!("http://{}", network.address()));
    (network, endpoint)
}
