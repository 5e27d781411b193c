//! The contracts and their compiled code.

use crate::error::BindingsError;
use crate::ton::{Cell, HashBytes, parse_boc_base64};
use std::fmt;
use std::sync::OnceLock;

/// One of the contracts of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContractKind {
    /// Parameters and lists of the network.
    Root,
    /// Holds a proxy's fees and stake.
    Proxy,
    /// Holds a client's balance at one proxy.
    Client,
    /// Counts a worker's paid tokens at one proxy.
    Worker,
    /// The wallet of a runner.
    Wallet,
    /// Owns the root contract for several signers.
    Governor,
}

impl ContractKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Root,
        Self::Proxy,
        Self::Client,
        Self::Worker,
        Self::Wallet,
        Self::Governor,
    ];

    /// The name in file names: `Root`, `Proxy` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "Root",
            Self::Proxy => "Proxy",
            Self::Client => "Client",
            Self::Worker => "Worker",
            Self::Wallet => "Wallet",
            Self::Governor => "Governor",
        }
    }

    /// The code of this build's contract. A network uses what its root contract's parameters hold, not this.
    pub fn code(self) -> Result<Cell, BindingsError> {
        static CODE: [OnceLock<Option<Cell>>; 6] = [const { OnceLock::new() }; 6];
        let slot = match self {
            Self::Root => &CODE[0],
            Self::Proxy => &CODE[1],
            Self::Client => &CODE[2],
            Self::Worker => &CODE[3],
            Self::Wallet => &CODE[4],
            Self::Governor => &CODE[5],
        };
        let code = slot.get_or_init(|| self.read_artefact().ok());
        code.clone().map_or_else(|| self.read_artefact(), Ok)
    }

    /// The hash of that code.
    pub fn code_hash(self) -> Result<HashBytes, BindingsError> {
        self.code().map(|code| *code.repr_hash())
    }

    fn read_artefact(self) -> Result<Cell, BindingsError> {
        let damaged = |reason| BindingsError::Artefact { kind: self, reason };
        let artefact: Artefact = serde_json::from_str(self.artefact()).map_err(|_| damaged("not the JSON expected"))?;
        let code = parse_boc_base64(&artefact.code_boc_base64)?;
        let hash: HashBytes = artefact
            .code_hash
            .parse()
            .map_err(|_| damaged("its hash is not a hash"))?;
        if *code.repr_hash() == hash {
            Ok(code)
        } else {
            Err(damaged("code and hash do not fit"))
        }
    }

    const fn artefact(self) -> &'static str {
        match self {
            Self::Root => include_str!("../../../contracts/artefacts/Root.json"),
            Self::Proxy => include_str!("../../../contracts/artefacts/Proxy.json"),
            Self::Client => include_str!("../../../contracts/artefacts/Client.json"),
            Self::Worker => include_str!("../../../contracts/artefacts/Worker.json"),
            Self::Wallet => include_str!("../../../contracts/artefacts/Wallet.json"),
            Self::Governor => include_str!("../../../contracts/artefacts/Governor.json"),
        }
    }
}

impl fmt::Display for ContractKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Proxy => "proxy",
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Wallet => "wallet",
            Self::Governor => "governor",
        })
    }
}

/// What the build of the contracts leaves per contract.
#[derive(serde::Deserialize)]
struct Artefact {
    code_hash: String,
    code_boc_base64: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contract_has_code_with_the_hash_stated() {
        for kind in ContractKind::ALL {
            assert!(kind.code().is_ok(), "{kind}");
        }
    }
}
