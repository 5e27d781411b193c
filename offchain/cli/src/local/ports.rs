//! Ports of a local network: the usual ones when they are free, any free ones otherwise.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

use serde::{Deserialize, Serialize};

/// Addresses that the parts of a local network listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// The local chain's HTTP API.
    pub chain: SocketAddr,
    /// The client's OpenAI API.
    pub client: SocketAddr,
    /// The proxy's HTTP.
    pub proxy: SocketAddr,
    /// The proxy's port for workers.
    pub proxy_workers: SocketAddr,
    /// The proxy's port for clients.
    pub proxy_clients: SocketAddr,
    /// Where the proxy serves its published log; a network of before has none.
    #[serde(default)]
    pub proxy_log: Option<SocketAddr>,
    /// The worker's HTTP.
    pub worker: SocketAddr,
}

impl Ports {
    /// The usual ports plus ten times `instance`.
    pub fn usual(instance: u16) -> Self {
        let at = |port: u16| loopback(port.saturating_add(instance.saturating_mul(10)));
        Self {
            chain: at(8045),
            client: at(10000),
            proxy: at(11000),
            proxy_workers: at(11001),
            proxy_clients: at(11002),
            proxy_log: Some(at(11003)),
            worker: at(12000),
        }
    }

    /// The same ports, with a free one in place of each that is taken.
    pub fn or_free(self) -> std::io::Result<Self> {
        // Open listeners keep two choices from being equal; they are all closed at the end.
        let mut held = Vec::new();
        let mut choose = |wanted: SocketAddr| -> std::io::Result<SocketAddr> {
            let listener = TcpListener::bind(wanted).or_else(|_| TcpListener::bind(loopback(0)))?;
            let address = listener.local_addr()?;
            held.push(listener);
            Ok(address)
        };
        Ok(Self {
            chain: choose(self.chain)?,
            client: choose(self.client)?,
            proxy: choose(self.proxy)?,
            proxy_workers: choose(self.proxy_workers)?,
            proxy_clients: choose(self.proxy_clients)?,
            proxy_log: self.proxy_log.map(&mut choose).transpose()?,
            worker: choose(self.worker)?,
        })
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced_by_a_free_one() {
        let usual = Ports::usual(400);
        let _taken = TcpListener::bind(usual.client);
        let chosen = usual.or_free().unwrap();
        assert_ne!(chosen.client, usual.client);
        assert_eq!(chosen.client.ip(), usual.client.ip());
    }
}
