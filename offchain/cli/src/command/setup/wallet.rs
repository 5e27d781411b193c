//! Wallets: the owner's, made if there is none of that name, and the runner's.

use std::path::Path;

use cocoon_bindings::PublicKey;
use cocoon_bindings::ton::friendly;
use cocoon_bindings::wallets::{WalletContract, WalletKind};
use cocoon_owner::limits::MAX_NAME_CHARS;
use cocoon_owner::{Listed, Mnemonic, Secret, StoredWallet};

use super::configuration::key_file;
use super::{Network, Role, Setup};
use crate::args::wallet::WalletForm;
use crate::command::wallet::{keystore, seal};
use crate::failure::{self, Exit, Failure};

/// Clients of one owner whose wallets get names of their own: more than one machine runs.
const MAX_CLIENTS: usize = 99;

impl Setup {
    /// The owner's wallet, which pays.
    pub(super) fn wallet(&mut self) -> Result<StoredWallet, Failure> {
        let keys = self.typed.common.keys.clone();
        let store = keystore(&self.global, &keys);
        let listed = store.list().map_err(failure::from_owner)?;
        let owners = owners(&listed);
        for name in &owners {
            self.output.note(format!("  in the keystore: {name}"));
        }
        let typed = self.typed.common.wallet.clone();
        let known = typed.or_else(|| self.kept.answers.wallet.clone());
        let is_asked = known.is_none();
        // Which of several is to pay is nobody's guess.
        let default = match owners.as_slice() {
            [] => "owner",
            [only] => only.as_str(),
            _ => "",
        };
        let question = "Wallet of the keystore, or the name of a new one";
        let name = self
            .asking
            .value(question, known, default, "--wallet", |text| match text {
                "" => Err("there are several wallets: name the one that pays and owns".to_owned()),
                name => Ok(name.to_owned()),
            })?;
        let is_there = listed.iter().any(|(taken, _)| *taken == name);
        let wallet = if is_there {
            let wallet = store.get(&name).map_err(failure::from_owner)?;
            if wallet.contract.kind() == WalletKind::Node {
                let error = anyhow::anyhow!("{name} is the wallet of a runner, which has an owner itself");
                let hint = "name a wallet of the kind v5r1 or v4r2 with --wallet";
                return Err(Failure::new(Exit::Usage, error, hint));
            }
            wallet
        } else {
            if self.typed.common.yes && !is_asked && !owners.is_empty() {
                let error = anyhow::anyhow!("no wallet {name:?} in the keystore, which has {}", owners.join(", "));
                let hint = format!("name one of them with --wallet, or make another: cocoon wallet new {name}");
                return Err(Failure::new(Exit::Usage, error, hint));
            }
            self.new_wallet(&name)?
        };
        self.output.note(format!("  {}", wallet.address));
        self.kept.answer(|answers| {
            answers.is_wallet_new |= !is_there;
            answers.wallet = Some(name);
        })?;
        Ok(wallet)
    }

    fn new_wallet(&self, name: &str) -> Result<StoredWallet, Failure> {
        let secret = Secret::Mnemonic(Mnemonic::generate(rand::random).map_err(failure::from_owner)?);
        let form = WalletForm {
            name: name.to_owned(),
            kind: WalletKind::V5r1,
            owner: None,
            keys: self.typed.common.keys.clone(),
        };
        let wallet = seal(&self.global, form, &secret, self.output)?;
        self.output.note(format!(
            "  new wallet {name}. Write its 24 words down, on paper: cocoon wallet export {name}"
        ));
        Ok(wallet)
    }

    /// What prints the words of a wallet that this setup has made.
    pub(super) fn words(&self) -> Option<String> {
        let answers = &self.kept.answers;
        let name = answers.wallet.as_ref().filter(|_| answers.is_wallet_new)?;
        Some(format!("cocoon wallet export {name}"))
    }

    /// The runner's own wallet, which follows from its key and its owner.
    pub(super) fn runner_contract(&self, owner: &StoredWallet, folder: &Path) -> Result<WalletContract, Failure> {
        let key = cocoon_runner::keys::load_key(&key_file(folder, "wallet")).map_err(failure::from_runner)?;
        Ok(WalletContract::node(PublicKey::from(&key), owner.address.clone()))
    }

    /// Where the runner's own wallet is paid into, before it is deployed too.
    pub(super) fn payee(
        &self,
        network: &Network,
        owner: &StoredWallet,
        folder: &Path,
    ) -> Result<Option<String>, Failure> {
        if self.typed.role == Role::Worker {
            return Ok(None);
        }
        let address = self.runner_contract(owner, folder)?.address();
        let address = address.map_err(anyhow::Error::from)?;
        Ok(Some(friendly(&address, false, network.is_testnet)))
    }

    /// The runner's own wallet, which owns the client contract, in the keystore beside that of its owner.
    pub(super) fn runner_wallet(&self, owner: &StoredWallet, folder: &Path) -> Result<StoredWallet, Failure> {
        let contract = self.runner_contract(owner, folder)?;
        let address = contract.address().map_err(anyhow::Error::from)?;
        let store = keystore(&self.global, &self.typed.common.keys);
        let listed = store.list().map_err(failure::from_owner)?;
        let mut readable = listed.iter().filter_map(|(_, wallet)| wallet.as_ref().ok());
        if let Some(wallet) = readable.find(|wallet| wallet.address == address) {
            return store.get(&wallet.name).map_err(failure::from_owner);
        }
        let taken: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
        let name = free_name(&owner.name, &taken).ok_or_else(|| {
            let error = anyhow::anyhow!("the keystore has {MAX_CLIENTS} wallets of clients of {}", owner.name);
            Failure::new(Exit::Configuration, error, "name another keystore with --keystore")
        })?;
        self.output
            .note(format!("  the runner's wallet goes into the keystore as {name}"));
        let key = cocoon_runner::keys::load_key(&key_file(folder, "wallet")).map_err(failure::from_runner)?;
        let secret = zeroize::Zeroizing::new(hex::encode(key.to_bytes()));
        let secret = Secret::parse(&secret).map_err(failure::from_owner)?;
        let form = WalletForm {
            name,
            kind: WalletKind::Node,
            owner: Some(owner.address.clone()),
            keys: self.typed.common.keys.clone(),
        };
        seal(&self.global, form, &secret, self.output)
    }
}

/// Wallets that can own and pay: those of runners belong to somebody themselves.
fn owners(listed: &[Listed]) -> Vec<String> {
    let is_owner = |wallet: &StoredWallet| wallet.contract.kind() != WalletKind::Node;
    let named = listed.iter().filter(|(_, wallet)| wallet.as_ref().is_ok_and(is_owner));
    named.map(|(name, _)| name.clone()).collect()
}

/// A name for the wallet of a client of `owner` that is not taken and not too long.
fn free_name(owner: &str, taken: &[&str]) -> Option<String> {
    let suffixes = (1..=MAX_CLIENTS).map(|number| match number {
        1 => "-client".to_owned(),
        _ => format!("-client-{number}"),
    });
    let mut names = suffixes.map(|suffix| {
        let begin: String = owner.chars().take(MAX_NAME_CHARS - suffix.len()).collect();
        begin + &suffix
    });
    names.find(|name| !taken.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_of_an_owner_gets_a_name_that_fits_and_is_free() {
        assert_eq!(free_name("treasury", &[]).unwrap(), "treasury-client");
        let taken = ["treasury", "treasury-client", "treasury-client-2"];
        assert_eq!(free_name("treasury", &taken).unwrap(), "treasury-client-3");
        let long = "x".repeat(MAX_NAME_CHARS);
        let first = free_name(&long, &[]).unwrap();
        assert_eq!(first.len(), MAX_NAME_CHARS);
        let second = free_name(&long, &[&first]).unwrap();
        assert!(
            second.ends_with("x-client-2") && second.len() == MAX_NAME_CHARS,
            "{second}"
        );
        let all: Vec<String> = (2..=MAX_CLIENTS).map(|number| format!("a-client-{number}")).collect();
        let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(free_name("a", &all).unwrap(), "a-client");
        all.push("a-client");
        assert_eq!(free_name("a", &all), None);
    }
}
