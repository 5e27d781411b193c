//! Ports of a local network: the usual ones when they are free, any free ones otherwise.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};

/// Addresses that the parts of a local network listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The worker's HTTP.
    pub worker: SocketAddr,
}

impl Ports {
    /// The usual ports plus ten times `instance`, with a free one in place of each that is taken.
    pub fn choose(instance: u16) -> std::io::Result<Self> {
        // Open listeners keep two choices from being equal; they are all closed at the end.
        let mut held = Vec::new();
        let mut choose = |usual: u16| -> std::io::Result<SocketAddr> {
            let usual = usual.saturating_add(instance.saturating_mul(10));
            let listener = TcpListener::bind(loopback(usual)).or_else(|_| TcpListener::bind(loopback(0)))?;
            let address = listener.local_addr()?;
            held.push(listener);
            Ok(address)
        };
        Ok(Self {
            chain: choose(8045)?,
            client: choose(10000)?,
            proxy: choose(11000)?,
            proxy_workers: choose(11001)?,
            proxy_clients: choose(11002)?,
            worker: choose(12000)?,
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
        let first = Ports::choose(400).unwrap();
        let _taken = TcpListener::bind(first.client).unwrap();
        let second = Ports::choose(400).unwrap();
        assert_ne!(first.client, second.client);
    }
}
