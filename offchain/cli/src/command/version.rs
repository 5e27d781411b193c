//! `cocoon version`: what this program is, and which formats and contracts it speaks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cocoon_bindings::wallets::WalletKind;
use cocoon_bindings::{ContractKind, STRUCT_VERSION};
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Version {
    version: &'static str,
    features: Vec<&'static str>,
    /// Versions of formats.
    formats: BTreeMap<&'static str, u32>,
    /// Hashes of the code that this build deploys; a network uses what its root contract holds.
    contracts: BTreeMap<String, String>,
    /// Hashes of the code of wallets.
    wallets: BTreeMap<String, String>,
}

/// Prints it.
pub(crate) fn run(output: Output) -> Result<Exit, Failure> {
    let mut features = Vec::new();
    if cfg!(feature = "engine") {
        features.push("engine");
    }
    if cfg!(feature = "cuda") {
        features.push("cuda");
    }
    if cfg!(feature = "nvml") {
        features.push("nvml");
    }
    let contract = |kind: ContractKind| Ok((kind.to_string(), kind.code_hash()?.to_string()));
    let wallet = |kind: WalletKind| Ok((kind.to_string(), kind.code()?.repr_hash().to_string()));
    let contracts: Result<_, cocoon_bindings::BindingsError> = ContractKind::ALL.into_iter().map(contract).collect();
    let wallets: Result<_, cocoon_bindings::BindingsError> = WalletKind::ALL.into_iter().map(wallet).collect();
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        features,
        formats: BTreeMap::from([
            ("receipt", u32::from(cocoon_receipt::limits::FORMAT_VERSION)),
            ("contract storage", u32::from(STRUCT_VERSION)),
        ]),
        contracts: contracts.map_err(anyhow::Error::from)?,
        wallets: wallets.map_err(anyhow::Error::from)?,
    };
    output.result(&version, text)?;
    Ok(Exit::Done)
}

fn text(version: &Version) -> String {
    let mut text = String::new();
    let features = match version.features.as_slice() {
        [] => "none".to_owned(),
        features => features.join(", "),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "cocoon {}, features: {features}", version.version);
    for (name, number) in &version.formats {
        let _ = writeln!(text, "{:<26} {number}", format!("{name} format"));
    }
    for (name, hash) in &version.contracts {
        let _ = writeln!(text, "{:<26} {hash}", format!("{name} contract's code"));
    }
    for (name, hash) in version.wallets.iter().filter(|(name, _)| *name != "node") {
        let _ = writeln!(text, "{:<26} {hash}", format!("{name} wallet's code"));
    }
    text
}
