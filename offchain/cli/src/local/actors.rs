//! Who acts in a local network: one wallet contract per person and per runner.

use cocoon_bindings::ton::Address;
use cocoon_bindings::{Nanoton, PublicKey};
use cocoon_chain::{NodeWallet, SharedChain};
use ed25519_dalek::SigningKey;

use super::economy::{WALLET_FILL, WALLET_LOW};
use super::faucet::Faucet;
use super::layout::DataDir;
use crate::failure::{self, Exit, Failure, OrFail as _};

/// Names of the key files, which are also the names of the actors.
pub const GOVERNOR: &str = "governor";
/// The person who owns the proxy.
pub const PROXY_OWNER: &str = "proxy-owner";
/// The person who owns the worker.
pub const WORKER_OWNER: &str = "worker-owner";
/// The person who owns the client.
pub const CLIENT_OWNER: &str = "client-owner";
/// The proxy runner's wallet.
pub const PROXY_WALLET: &str = "proxy-wallet";
/// The worker runner's wallet.
pub const WORKER_WALLET: &str = "worker-wallet";
/// The client runner's wallet.
pub const CLIENT_WALLET: &str = "client-wallet";
/// The key of the proxy's contract, which signs vouchers and receipts.
pub const PROXY_CONTRACT: &str = "proxy";

/// The wallets of everybody, deployed and filled.
pub struct Actors {
    /// Owns the root contract.
    pub governor: NodeWallet,
    /// Owns the proxy.
    pub proxy_owner: NodeWallet,
    /// Owns the worker.
    pub worker_owner: NodeWallet,
    /// Owns the client.
    pub client_owner: NodeWallet,
    /// Of the proxy runner.
    pub proxy_wallet: NodeWallet,
    /// Of the worker runner.
    pub worker_wallet: NodeWallet,
    /// Of the client runner; owns the client contract.
    pub client_wallet: NodeWallet,
    /// Public key of the proxy's contract.
    pub proxy_key: PublicKey,
}

impl Actors {
    /// Loads or draws the keys, fills what is short and deploys the wallets.
    pub async fn prepare(data: &DataDir, chain: &SharedChain, faucet: &Faucet) -> Result<Self, Failure> {
        // A person's wallet has nobody above its key.
        let nobody = Address::default();
        let governor = wallet(data, chain, GOVERNOR, nobody.clone())?;
        let proxy_owner = wallet(data, chain, PROXY_OWNER, nobody.clone())?;
        let worker_owner = wallet(data, chain, WORKER_OWNER, nobody.clone())?;
        let client_owner = wallet(data, chain, CLIENT_OWNER, nobody)?;
        let proxy_wallet = wallet(data, chain, PROXY_WALLET, proxy_owner.address().clone())?;
        let worker_wallet = wallet(data, chain, WORKER_WALLET, worker_owner.address().clone())?;
        let client_wallet = wallet(data, chain, CLIENT_WALLET, client_owner.address().clone())?;
        let proxy_key = PublicKey::from(&key(data, PROXY_CONTRACT)?);
        let actors = Self {
            governor,
            proxy_owner,
            worker_owner,
            client_owner,
            proxy_wallet,
            worker_wallet,
            client_wallet,
            proxy_key,
        };
        for wallet in actors.all() {
            fill(chain, faucet, wallet.address()).await?;
            wallet.ensure_deployed().await.map_err(failure::from_chain)?;
        }
        Ok(actors)
    }

    fn all(&self) -> [&NodeWallet; 7] {
        [
            &self.governor,
            &self.proxy_owner,
            &self.worker_owner,
            &self.client_owner,
            &self.proxy_wallet,
            &self.worker_wallet,
            &self.client_wallet,
        ]
    }
}

fn wallet(data: &DataDir, chain: &SharedChain, name: &str, owner: Address) -> Result<NodeWallet, Failure> {
    NodeWallet::new(chain.clone(), key(data, name)?, owner).map_err(failure::from_chain)
}

fn key(data: &DataDir, name: &str) -> Result<SigningKey, Failure> {
    let path = data.key_file(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).or_fail(
            Exit::Configuration,
            &format!("cannot make {}", folder.display()),
            "check the permissions and the free space of the data folder",
        )?;
    }
    cocoon_runner::keys::load_or_create_key(&path).map_err(failure::from_runner)
}

async fn fill(chain: &SharedChain, faucet: &Faucet, address: &Address) -> Result<(), Failure> {
    let balance = chain.account(address).await.map_err(failure::from_chain)?.balance;
    if balance < WALLET_LOW {
        faucet
            .give(address, Nanoton::saturating_sub(WALLET_FILL, balance))
            .await?;
    }
    Ok(())
}
