//! SOCKS5 (RFC 1928, 1929) as far as the deployed router speaks it: CONNECT, IPv4, no authentication, or a user name that
//! selects a policy. Pure: bytes in, bytes out.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const VERSION: u8 = 5;
const USER_NAME_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;

/// Why a local program is closed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SocksError {
    /// Another version of the protocol, or another protocol.
    #[error("not SOCKS5")]
    Version,
    /// No method of authentication in common.
    #[error("no common method of SOCKS5")]
    Method,
    /// Another command than CONNECT.
    #[error("SOCKS5 command {0} is not CONNECT")]
    Command(u8),
    /// A host name or an IPv6 address.
    #[error("SOCKS5 address type {0} is not IPv4")]
    AddressType(u8),
    /// A user name that is not UTF-8.
    #[error("the user name of SOCKS5 is no text")]
    UserName,
}

/// How a local program says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    None,
    /// By a user name, which names a policy.
    UserName,
}

impl Method {
    /// The answer that chooses it.
    pub const fn answer(self) -> [u8; 2] {
        match self {
            Self::None => [VERSION, 0],
            Self::UserName => [VERSION, 2],
        }
    }
}

/// The answer that chooses none.
pub const NO_METHOD: [u8; 2] = [VERSION, 0xff];

/// The version of a greeting.
pub fn check_version(version: u8) -> Result<(), SocksError> {
    if version == VERSION {
        Ok(())
    } else {
        Err(SocksError::Version)
    }
}

/// Chooses among the methods that were offered: the user name first, where it may be used.
pub fn choose(methods: &[u8], user_names: bool) -> Result<Method, SocksError> {
    if user_names && methods.contains(&2) {
        Ok(Method::UserName)
    } else if methods.contains(&0) {
        Ok(Method::None)
    } else {
        Err(SocksError::Method)
    }
}

/// The version of a user name's message.
pub fn check_user_name_version(version: u8) -> Result<(), SocksError> {
    if version == USER_NAME_VERSION {
        Ok(())
    } else {
        Err(SocksError::Version)
    }
}

/// The answer to any user name that names a policy.
pub const USER_NAME_TAKEN: [u8; 2] = [USER_NAME_VERSION, 0];

/// Reads the head of a request; what follows an accepted one is an IPv4 address and a port.
pub fn check_request(head: [u8; 4]) -> Result<(), SocksError> {
    let [version, command, _, address_type] = head;
    match (version, command, address_type) {
        (VERSION, CONNECT, IPV4) => Ok(()),
        (VERSION, CONNECT, other) => Err(SocksError::AddressType(other)),
        (VERSION, other, _) => Err(SocksError::Command(other)),
        _ => Err(SocksError::Version),
    }
}

/// Address and port of a request.
pub fn target(bytes: [u8; 6]) -> SocketAddrV4 {
    let [a, b, c, d, high, low] = bytes;
    SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low]))
}

/// Success, with the address that the router's own connection is bound to.
pub fn success(bound: SocketAddr) -> [u8; 10] {
    let address = match bound {
        SocketAddr::V4(bound) => bound.ip().octets(),
        // The connection goes to an IPv4 address, so it is bound to one.
        SocketAddr::V6(_) => [0; 4],
    };
    let [a, b, c, d] = address;
    let [high, low] = bound.port().to_be_bytes();
    [VERSION, 0, 0, IPV4, a, b, c, d, high, low]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_user_name_is_preferred_where_it_counts() {
        assert_eq!(choose(&[0, 2], true), Ok(Method::UserName));
        assert_eq!(choose(&[0, 2], false), Ok(Method::None));
        assert_eq!(choose(&[2], false), Err(SocksError::Method));
        assert_eq!(choose(&[], true), Err(SocksError::Method));
        assert_eq!(check_version(4), Err(SocksError::Version));
    }

    #[test]
    fn only_connect_and_ipv4_pass() {
        assert_eq!(check_request([5, 1, 0, 1]), Ok(()));
        assert_eq!(check_request([5, 1, 0, 3]), Err(SocksError::AddressType(3)));
        assert_eq!(check_request([5, 1, 0, 4]), Err(SocksError::AddressType(4)));
        assert_eq!(check_request([5, 2, 0, 1]), Err(SocksError::Command(2)));
        assert_eq!(check_request([4, 1, 0, 1]), Err(SocksError::Version));
    }

    proptest! {
        #[test]
        fn addresses_are_those_of_the_bytes(bytes: [u8; 6]) {
            let target = target(bytes);
            prop_assert_eq!(&success(SocketAddr::V4(target))[4..], &bytes);
        }

        #[test]
        fn every_head_is_judged(head: [u8; 4], methods: Vec<u8>, user_names: bool) {
            let _ = check_request(head);
            let _ = choose(&methods, user_names);
        }
    }
}
