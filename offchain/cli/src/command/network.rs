//! Which network a command speaks of: named, typed in full, or the local one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cocoon_bindings::ton::{Address, parse_address};
use cocoon_chain::SharedChain;
use serde::Deserialize;

use crate::args::Global;
use crate::args::governance::Place;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::input;
use crate::local::layout::DataDir;
use crate::local::network::NetworkFile;

/// Bytes of `networks.toml`: some lines for each network.
const MAX_NETWORKS_BYTES: usize = 64 * 1024;

/// The network that `cocoon up` makes.
pub(crate) const LOCAL: &str = "local";
/// The TON test network, whose wallets have addresses of their own.
pub(crate) const TESTNET: &str = "testnet";

/// A network: a way to its chain, and the contract that rules it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Its name; `other` where address and URL were typed.
    pub(crate) name: String,
    /// TON HTTP API.
    pub(crate) chain_url: String,
    /// Root contract.
    pub(crate) root: String,
    /// Whether its wallets are those of the TON test network.
    pub(crate) is_testnet: bool,
}

impl Network {
    /// The chain and the root contract on it.
    pub(crate) fn open(&self) -> Result<(SharedChain, Address), Failure> {
        super::root::open(&self.chain_url, &self.root)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    chain_url: String,
    root: String,
    #[serde(default)]
    testnet: bool,
}

/// The network that is meant.
pub(crate) fn resolve(global: &Global, place: &Place) -> Result<Network, Failure> {
    if let (Some(chain_url), Some(root)) = (&place.chain_url, &place.root) {
        return Ok(Network {
            name: global.network.clone().unwrap_or_else(|| "other".to_owned()),
            chain_url: chain_url.clone(),
            root: root.clone(),
            is_testnet: is_testnet(global)?,
        });
    }
    match global.network.as_deref() {
        None | Some(LOCAL) => {
            let file = NetworkFile::load(&DataDir::new(&global.data_dir))?;
            Ok(Network {
                name: LOCAL.to_owned(),
                chain_url: file.chain_url,
                root: file.root,
                is_testnet: false,
            })
        }
        Some(name) => known(global, name),
    }
}

/// Whether the network that is named is one of tests, by its name or by its entry.
pub(crate) fn is_testnet(global: &Global) -> Result<bool, Failure> {
    match global.network.as_deref() {
        Some(TESTNET) => Ok(true),
        Some(name) if name != LOCAL && file(global).exists() => {
            Ok(networks(global)?.get(name).is_some_and(|known| known.testnet))
        }
        _ => Ok(false),
    }
}

/// Refuses an address that was written for test networks: whoever pays it on the main network means somewhere else.
pub(crate) fn refuse_test_only(typed: impl IntoIterator<Item = String>) -> Result<(), Failure> {
    match typed.into_iter().find(|text| is_test_only(text)) {
        None => Ok(()),
        Some(address) => Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("{address} is an address of test networks"),
            "write the address as the main network has it: it begins with EQ or UQ",
        )),
    }
}

/// The flag of test networks is the first bit of an address in base64.
fn is_test_only(text: &str) -> bool {
    text.len() == 48 && text.starts_with(['k', '0']) && parse_address(text).is_ok()
}

/// Where the networks are written down.
fn file(global: &Global) -> PathBuf {
    global.data_dir.join("networks.toml")
}

const HINT: &str = "write it there:\n  [mainnet]\n  chain_url = \"https://...\"\n  root = \"EQ...\"";

fn known(global: &Global, name: &str) -> Result<Network, Failure> {
    let path = file(global);
    let missing = || {
        Failure::new(
            Exit::Configuration,
            anyhow::anyhow!("no network {name:?} in {}", path.display()),
            HINT,
        )
    };
    if !path.exists() {
        return Err(missing());
    }
    let found = networks(global)?.remove(name).ok_or_else(missing)?;
    Ok(Network {
        name: name.to_owned(),
        chain_url: found.chain_url,
        root: found.root,
        is_testnet: found.testnet || name == TESTNET,
    })
}

/// All that are written down.
fn networks(global: &Global) -> Result<BTreeMap<String, Known>, Failure> {
    let path = file(global);
    let bytes = input::read(&path, MAX_NETWORKS_BYTES, HINT)?;
    let text = String::from_utf8(bytes).or_fail(Exit::Configuration, "networks.toml is not UTF-8", HINT)?;
    toml::from_str(&text).or_fail(Exit::Configuration, &format!("{} is unreadable", path.display()), HINT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn global(folder: &std::path::Path, more: &[&str]) -> Global {
        let mut line = vec!["cocoon", "version", "--data-dir", folder.to_str().unwrap()];
        line.extend(more);
        crate::args::Cli::try_parse_from(line).unwrap().global
    }

    #[test]
    fn a_network_is_found_by_its_name_and_a_missing_one_says_what_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::default();
        let wanted = global(folder.path(), &["--network", "mainnet"]);
        let missing = resolve(&wanted, &place).unwrap_err().render(false);
        assert!(
            missing.contains("no network \"mainnet\"") && missing.contains("[mainnet]"),
            "{missing}"
        );
        let text = "[mainnet]\nchain_url = \"http://a\"\nroot = \"EQ\"\n";
        std::fs::write(folder.path().join("networks.toml"), text).unwrap();
        let found = resolve(&wanted, &place).unwrap();
        assert_eq!((found.name.as_str(), found.chain_url.as_str()), ("mainnet", "http://a"));
        assert!(resolve(&global(folder.path(), &["--network", "other"]), &place).is_err());
        let text = format!("{text}[mine]\nchain_url = \"http://a\"\nroot = \"EQ\"\ntestnet = true\n");
        std::fs::write(folder.path().join("networks.toml"), text).unwrap();
        assert!(is_testnet(&global(folder.path(), &["--network", "mine"])).unwrap());
        assert!(!is_testnet(&wanted).unwrap() && !resolve(&wanted, &place).unwrap().is_testnet);
        std::fs::write(folder.path().join("networks.toml"), "[mainnet]\nurl = 1\n").unwrap();
        assert!(resolve(&wanted, &place).is_err());
    }

    #[test]
    fn addresses_of_test_networks_are_known_by_their_form() {
        let address = Address::new(0, [0xfe; 32].into());
        for bounceable in [false, true] {
            for testnet in [false, true] {
                let text = cocoon_bindings::ton::friendly(&address, bounceable, testnet);
                assert_eq!(refuse_test_only([text.clone()]).is_err(), testnet, "{text}");
            }
        }
        assert!(refuse_test_only([address.to_string(), "k".repeat(48), "--yes".to_owned()]).is_ok());
    }

    #[test]
    fn what_is_typed_in_full_needs_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            chain_url: Some("http://b".to_owned()),
            root: Some("0:00".to_owned()),
        };
        assert_eq!(
            resolve(&global(folder.path(), &[]), &place).unwrap().chain_url,
            "http://b"
        );
        assert!(resolve(&global(folder.path(), &[]), &Place::default()).is_err());
    }
}
