//! The contract, deployed by the operations of owners, with their preview and their journal.

use std::path::Path;
use std::time::Duration;

use cocoon_bindings::ton::{Address, HashBytes, friendly, parse_address};
use cocoon_bindings::wallets::{WalletContract, WalletKind};
use cocoon_bindings::{Nanoton, PublicKey, proxy_state_init};
use cocoon_chain::{ProxyAccount, RootView, SharedChain};
use cocoon_client::Secret as ClientSecret;
use cocoon_owner::limits::FEES;
use cocoon_owner::operation::{client, proxy, worker};
use cocoon_owner::{Operation, Outcome, Secret, StoredWallet};

use super::configuration::key_file;
use super::{Answers, Network, Role, Setup};
use crate::args::owner::OwnerArgs;
use crate::args::wallet::WalletForm;
use crate::command::network::LOCAL;
use crate::command::owner;
use crate::command::wallet::{keystore, seal};
use crate::failure::{self, Exit, Failure};
use crate::local::faucet::Faucet;

/// What a wallet should hold beside what is paid in: gas of this message and of the runner's first ones.
const GAS: Nanoton = Nanoton::from_ton(1);
/// How long coins of a local chain take to arrive: a few of its blocks.
const FAUCET_PATIENCE: Duration = Duration::from_secs(30);
const FAUCET_POLL: Duration = Duration::from_millis(300);

impl Setup {
    /// Deploys the contract, or finds it there; gives its address.
    pub(super) async fn deploy(
        &mut self,
        network: &Network,
        owner: &StoredWallet,
        folder: &Path,
    ) -> Result<String, Failure> {
        let (chain, root) = network.open()?;
        let signer = match self.typed.role {
            Role::Client => self.runner_wallet(owner, folder)?,
            Role::Worker | Role::Proxy => owner.clone(),
        };
        let (operation, contract) = self.operation(&chain, &root, &signer.address, folder).await?;
        let account = chain.account(&contract).await.map_err(failure::from_chain)?;
        if !account.is_active() {
            self.fund(network, &chain, &signer.address).await?;
        }
        let args = OwnerArgs {
            wallet: Some(signer.name.clone()),
            export: false,
            from: None,
            qr: false,
            through: None,
            keys: self.typed.common.keys.clone(),
            dry_run: false,
            yes: self.typed.common.yes,
            no_wait: false,
            place: crate::args::governance::Place {
                chain_url: Some(network.chain_url.clone()),
                root: Some(network.root.clone()),
            },
        };
        let output = self.output;
        let tell = |outcome: &Outcome| {
            output.note(owner::outcome_text(outcome));
            Ok(())
        };
        owner::run_telling(&self.global, operation.as_ref(), args, output, tell).await?;
        let contract = contract.to_string();
        let told = contract.clone();
        self.kept.answer(|answers| answers.contract = Some(told))?;
        Ok(contract)
    }

    /// What is deployed, and where it will be.
    async fn operation(
        &self,
        chain: &SharedChain,
        root: &Address,
        owner: &Address,
        folder: &Path,
    ) -> Result<(Box<dyn Operation>, Address), Failure> {
        let answers = &self.kept.answers;
        let fetch_proxy = async || {
            let proxy = Answers::given(&answers.proxy, "the proxy")?;
            let proxy = parse_address(&proxy).map_err(anyhow::Error::from)?;
            ProxyAccount::fetch(chain.as_ref(), &proxy)
                .await
                .map_err(failure::from_chain)
        };
        Ok(match self.typed.role {
            Role::Client => {
                let account = fetch_proxy().await?;
                let (contract, _) = client::contract_of(owner, &account).map_err(failure::from_owner)?;
                let state = folder.join("state");
                std::fs::create_dir_all(&state).map_err(anyhow::Error::from)?;
                let secret = ClientSecret::load_or_create(&state.join("secret")).map_err(failure::from_client)?;
                let deploy = client::Deploy {
                    root: root.clone(),
                    proxy: account.account.address.clone(),
                    top_up: answers.amount,
                    secret_hash: Some(HashBytes(secret.hash())),
                };
                (Box::new(deploy), contract)
            }
            Role::Worker => {
                let account = fetch_proxy().await?;
                let (contract, _) = worker::contract_of(owner, &account).map_err(failure::from_owner)?;
                let deploy = worker::Deploy {
                    root: root.clone(),
                    proxy: account.account.address.clone(),
                };
                (Box::new(deploy), contract)
            }
            Role::Proxy => {
                let view = RootView::fetch(chain.as_ref(), root)
                    .await
                    .map_err(failure::from_chain)?;
                let key = cocoon_runner::keys::load_key(&key_file(folder, "contract")).map_err(failure::from_runner)?;
                let public_key = PublicKey::from(&key);
                let init = proxy_state_init(owner, &public_key, root, &view.params).map_err(anyhow::Error::from)?;
                let deploy = proxy::Deploy {
                    root: root.clone(),
                    public_key,
                    stake: answers.amount,
                };
                (Box::new(deploy), init.address().map_err(anyhow::Error::from)?)
            }
        })
    }

    /// The runner's own wallet, which owns the client contract, in the keystore beside that of its owner.
    fn runner_wallet(&self, owner: &StoredWallet, folder: &Path) -> Result<StoredWallet, Failure> {
        let key = cocoon_runner::keys::load_key(&key_file(folder, "wallet")).map_err(failure::from_runner)?;
        let contract = WalletContract::node(PublicKey::from(&key), owner.address.clone());
        let store = keystore(&self.global, &self.typed.common.keys);
        let name = format!("{}-client", owner.name);
        let listed = store.list().map_err(failure::from_owner)?;
        if listed.iter().all(|(taken, _)| *taken != name) {
            self.output
                .note(format!("  the runner's wallet goes into the keystore as {name}"));
            let secret = zeroize::Zeroizing::new(hex::encode(key.to_bytes()));
            let form = WalletForm {
                name,
                kind: WalletKind::Node,
                owner: Some(owner.address.clone()),
                keys: self.typed.common.keys.clone(),
            };
            let secret = Secret::parse(&secret).map_err(failure::from_owner)?;
            return seal(&self.global, form, &secret, self.output);
        }
        let wallet = store.get(&name).map_err(failure::from_owner)?;
        if wallet.address == contract.address().map_err(anyhow::Error::from)? {
            return Ok(wallet);
        }
        let error = anyhow::anyhow!(
            "the wallet {name} of the keystore is that of another folder than {}",
            folder.display()
        );
        let hint = "name the folder of before with --folder, or another owner's wallet with --wallet";
        Err(Failure::new(Exit::Configuration, error, hint))
    }

    /// Whether the wallet that pays holds enough. Coins of a local network cost nothing, and are fetched.
    async fn fund(&self, network: &Network, chain: &SharedChain, wallet: &Address) -> Result<(), Failure> {
        let amount = self.kept.answers.amount.unwrap_or(Nanoton::ZERO);
        let needed = [FEES, GAS].into_iter().try_fold(amount, Nanoton::checked_add);
        let needed = needed.ok_or_else(|| anyhow::anyhow!("an amount is out of range"))?;
        let balance = async || {
            let account = chain.account(wallet).await.map_err(failure::from_chain)?;
            Ok::<_, Failure>(account.balance)
        };
        let held = balance().await?;
        if held >= needed {
            return Ok(());
        }
        let payee = friendly(wallet, false, network.is_testnet);
        if network.name != LOCAL {
            let error = anyhow::anyhow!("the wallet that pays holds {held}, and {needed} are needed");
            let role = self.typed.role.name();
            let hint = format!("pay them to {payee}, then give `cocoon setup {role}` again: it goes on from here");
            return Err(Failure::new(Exit::Configuration, error, hint));
        }
        self.output.note(format!("  {needed} of the local chain for {payee}"));
        let base = network.chain_url.split("/api/").next().unwrap_or_default();
        Faucet::http(format!("{base}/control"))?.give(wallet, needed).await?;
        let arrival = async {
            while balance().await? < needed {
                tokio::time::sleep(FAUCET_POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(FAUCET_PATIENCE, arrival)
            .await
            .unwrap_or_else(|_| {
                let error = anyhow::anyhow!("coins of the local chain did not arrive");
                Err(Failure::new(Exit::Chain, error, "is `cocoon up` running?"))
            })
    }
}
