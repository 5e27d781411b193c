//! Where a service listens: vsock between guest and host, TCP, or a Unix socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::GuestError;

const CID_ANY: u32 = u32::MAX;
const CID_HOST: u32 = 2;
/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 64;

/// Address of a stream service. Text form: `vsock:CID:PORT` (CID may be `host` or `any`), `tcp:IP:PORT`, `unix:PATH`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// A port of another machine on the same host.
    Vsock {
        /// The machine; 2 is the host.
        cid: u32,
        /// Its port.
        port: u32,
    },
    /// A TCP port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Endpoint {
    /// The host's port.
    pub const fn host(port: u32) -> Self {
        Self::Vsock { cid: CID_HOST, port }
    }

    /// Connects; `timeout` bounds the connection.
    pub fn connect(&self, timeout: Duration) -> io::Result<Socket> {
        let (socket, address) = self.socket()?;
        socket.connect_timeout(&address, timeout)?;
        Ok(socket)
    }

    /// Listens; a Unix socket that a dead process left behind is taken over. Port 0 draws a free one (see
    /// [`Endpoint::of_listener`]).
    pub(crate) fn listen(&self) -> io::Result<Socket> {
        let (socket, address) = self.socket()?;
        if let Self::Unix(path) = self
            && path.exists()
            && self.connect(Duration::from_secs(1)).is_err()
        {
            std::fs::remove_file(path)?;
        }
        if matches!(self, Self::Tcp(_)) {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address)?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    }

    /// This address with the port that was really opened.
    pub(crate) fn of_listener(&self, socket: &Socket) -> io::Result<Self> {
        Ok(match (self, socket.local_addr()?.as_socket()) {
            (Self::Tcp(_), Some(address)) => Self::Tcp(address),
            _ => self.clone(),
        })
    }

    fn socket(&self) -> io::Result<(Socket, SockAddr)> {
        let (domain, address) = match self {
            Self::Tcp(address) => (Domain::for_address(*address), SockAddr::from(*address)),
            Self::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
            #[cfg(target_os = "linux")]
            Self::Vsock { cid, port } => (Domain::VSOCK, SockAddr::vsock(*cid, *port)),
            #[cfg(not(target_os = "linux"))]
            Self::Vsock { .. } => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok((Socket::new(domain, Type::STREAM, None)?, address))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vsock { cid: CID_ANY, port } => write!(f, "vsock:any:{port}"),
            Self::Vsock { cid: CID_HOST, port } => write!(f, "vsock:host:{port}"),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = GuestError;

    fn from_str(text: &str) -> Result<Self, GuestError> {
        let parsed = match text.split_once(':') {
            Some(("tcp", address)) => address.parse().ok().map(Self::Tcp),
            Some(("unix", path)) if !path.is_empty() => Some(Self::Unix(path.into())),
            Some(("vsock", address)) => vsock(address),
            _ => None,
        };
        parsed.ok_or_else(|| GuestError::Address { text: text.to_owned() })
    }
}

fn vsock(address: &str) -> Option<Endpoint> {
    let (cid, port) = address.split_once(':')?;
    let cid = match cid {
        "any" => CID_ANY,
        "host" => CID_HOST,
        number => number.parse().ok()?,
    };
    Some(Endpoint::Vsock {
        cid,
        port: port.parse().ok()?,
    })
}

impl TryFrom<String> for Endpoint {
    type Error = GuestError;

    fn try_from(text: String) -> Result<Self, GuestError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_machines_are_read() {
        assert_eq!("vsock:host:4050".parse::<Endpoint>().unwrap(), Endpoint::host(4050));
        assert_eq!(
            "vsock:2:4050".parse::<Endpoint>().unwrap().to_string(),
            "vsock:host:4050"
        );
        let any = Endpoint::Vsock { cid: u32::MAX, port: 1 };
        assert_eq!("vsock:any:1".parse::<Endpoint>().unwrap(), any);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "tcp",
            "tcp:localhost:1",
            "unix:",
            "vsock:2",
            "vsock:x:1",
            "http://x",
            "vsock:2:-1",
        ] {
            assert!(
                matches!(text.parse::<Endpoint>(), Err(GuestError::Address { .. })),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_address_reads_back(cid: u32, port: u32, tcp: std::net::SocketAddrV6, path in "[a-z/.]{1,40}") {
            for endpoint in [Endpoint::Vsock { cid, port }, Endpoint::Tcp(tcp.into()), Endpoint::Unix(path.into())] {
                // Flow information and scope are not part of the text form of IPv6 addresses.
                if let Endpoint::Tcp(SocketAddr::V6(v6)) = &endpoint && (v6.flowinfo() != 0 || v6.scope_id() != 0) {
                    continue;
                }
                prop_assert_eq!(endpoint.to_string().parse::<Endpoint>().unwrap(), endpoint);
            }
        }

        #[test]
        fn parsing_is_total(text: String) {
            let _ = text.parse::<Endpoint>();
        }
    }
}
