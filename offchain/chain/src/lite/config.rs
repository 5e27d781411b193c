//! TON's global configuration: where lite servers are, and which block is trusted.

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cocoon_bindings::ton::HashBytes;
use cocoon_lite::messages::BlockId;
use serde::Deserialize;

use crate::ChainError;
use crate::limits::MAX_ENDPOINTS;

/// A lite server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiteServer {
    /// Where it is.
    pub address: SocketAddr,
    /// Its Ed25519 key.
    pub key: [u8; 32],
}

/// The part of the global configuration that a client needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalConfig {
    /// Servers, [`MAX_ENDPOINTS`] at most.
    pub servers: Vec<LiteServer>,
    /// The key block that all proofs begin at, or the state that the chain began with.
    pub trusted: BlockId,
}

/// The file holds much more: names that are not known here are left alone.
#[derive(Deserialize)]
struct File {
    liteservers: Vec<ServerShape>,
    validator: ValidatorShape,
}

#[derive(Deserialize)]
struct ServerShape {
    /// An IPv4 address as a signed number.
    ip: i64,
    port: u16,
    id: KeyShape,
}

#[derive(Deserialize)]
struct KeyShape {
    #[serde(rename = "@type")]
    kind: String,
    key: String,
}

#[derive(Deserialize)]
struct ValidatorShape {
    zero_state: BlockShape,
    init_block: Option<BlockShape>,
}

#[derive(Deserialize)]
struct BlockShape {
    workchain: i32,
    shard: i64,
    seqno: u32,
    root_hash: String,
    file_hash: String,
}

impl GlobalConfig {
    /// Reads the file's text. The block that is trusted is `init_block`, which must be a key block, or without it the
    /// `zero_state`: whoever writes this file decides what is true.
    pub fn parse(text: &str) -> Result<Self, ChainError> {
        let file: File = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let servers = file.liteservers.iter().take(MAX_ENDPOINTS).map(server);
        let servers = servers.collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(wrong("there are no lite servers in it".to_owned()));
        }
        let trusted = file.validator.init_block.as_ref().unwrap_or(&file.validator.zero_state);
        let trusted = block(trusted)?;
        if !trusted.is_masterchain() {
            return Err(wrong("the trusted block is not of the masterchain".to_owned()));
        }
        Ok(Self { servers, trusted })
    }
}

fn server(shape: &ServerShape) -> Result<LiteServer, ChainError> {
    if shape.id.kind != "pub.ed25519" {
        return Err(wrong(format!("a server's key is {:?}, not pub.ed25519", shape.id.kind)));
    }
    let ip = u32::try_from(shape.ip).or_else(|_| i32::try_from(shape.ip).map(i32::cast_unsigned));
    let ip = ip.map_err(|_| wrong(format!("{} is no IPv4 address", shape.ip)))?;
    Ok(LiteServer {
        address: SocketAddr::from((Ipv4Addr::from(ip), shape.port)),
        key: hash(&shape.id.key, "a server's key")?,
    })
}

fn block(shape: &BlockShape) -> Result<BlockId, ChainError> {
    Ok(BlockId {
        workchain: shape.workchain,
        shard: shape.shard.cast_unsigned(),
        seqno: shape.seqno,
        root_hash: HashBytes(hash(&shape.root_hash, "root_hash")?),
        file_hash: HashBytes(hash(&shape.file_hash, "file_hash")?),
    })
}

fn hash(text: &str, what: &str) -> Result<[u8; 32], ChainError> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| wrong(format!("{what}: {error}")))?;
    bytes.try_into().map_err(|_| wrong(format!("{what} is not 32 bytes")))
}

fn wrong(reason: String) -> ChainError {
    ChainError::Config {
        reason: format!("global configuration: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the public file looks: one of its servers, and made-up hashes.
    const FILE: &str = r#"{
        "@type": "config.global", "dht": {"k": 6},
        "liteservers": [{"ip": 84478511, "port": 19949,
            "id": {"@type": "pub.ed25519", "key": "n4VDnSCUuSpjnCyUk9e3QOOd6o0ItSWYbTnW3Wnn8wk="}},
            {"ip": -1, "port": 1, "id": {"@type": "pub.ed25519", "key": "n4VDnSCUuSpjnCyUk9e3QOOd6o0ItSWYbTnW3Wnn8wk="}}],
        "validator": {"@type": "validator.config.global",
            "zero_state": {"workchain": -1, "shard": -9223372036854775808, "seqno": 0,
                "root_hash": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "file_hash": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="},
            "init_block": {"workchain": -1, "shard": -9223372036854775808, "seqno": 46894135,
                "root_hash": "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=", "file_hash": "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="},
            "hardforks": []}}"#;

    #[test]
    fn the_public_file_is_read() {
        let config = GlobalConfig::parse(FILE).unwrap();
        assert_eq!(config.servers[0].address.to_string(), "5.9.10.47:19949");
        assert_eq!(config.servers[1].address.to_string(), "255.255.255.255:1");
        assert_eq!(
            (config.trusted.seqno, config.trusted.root_hash),
            (46_894_135, HashBytes([3; 32]))
        );
        let without = FILE.replace("init_block", "older_block");
        assert_eq!(GlobalConfig::parse(&without).unwrap().trusted.seqno, 0);
    }

    #[test]
    fn what_is_missing_or_wrong_is_refused() {
        for (what, with) in [
            ("liteservers", "servers"),
            ("pub.ed25519", "pub.aes"),
            ("n4VDnSCUuSpjnCyUk9e3QOOd6o0ItSWYbTnW3Wnn8wk=", "AAAA"),
            ("\"workchain\": -1", "\"workchain\": 0"),
            ("84478511", "84478511000000"),
        ] {
            let error = GlobalConfig::parse(&FILE.replace(what, with)).unwrap_err();
            assert!(matches!(error, ChainError::Config { .. }), "{what}: {error}");
        }
    }
}
