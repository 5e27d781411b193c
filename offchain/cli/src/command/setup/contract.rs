//! The contract, deployed by the operations of owners, with their preview and their journal.

use std::path::Path;

use cocoon_bindings::ton::{Address, HashBytes, parse_address};
use cocoon_bindings::types::Lifecycle;
use cocoon_bindings::{Nanoton, PublicKey, proxy_state_init};
use cocoon_chain::{ClientAccount, ProxyAccount, RootView, SharedChain};
use cocoon_client::Secret as ClientSecret;
use cocoon_owner::operation::{client, proxy, worker};
use cocoon_owner::{Manner, Operation, Outcome, StoredWallet, lifecycle, operation_id};

use super::configuration::key_file;
use super::{Answers, Network, Role, Setup, funds};
use crate::args::owner::OwnerArgs;
use crate::command::owner;
use crate::failure::{self, Exit, Failure};

/// A contract that is there.
#[derive(Debug)]
pub(super) struct Deployed {
    pub(super) contract: String,
    /// What is paid in or staked now, as the chain has it.
    pub(super) amount: Option<Nanoton>,
    /// What is not as it was answered.
    pub(super) warning: Option<String>,
}

/// What is to be deployed.
struct Plan {
    operation: Box<dyn Operation>,
    /// Where it will be.
    contract: Address,
    /// What the ids of its deployments begin with, whatever is paid.
    id_begin: String,
    /// Hash of the client's secret.
    secret_hash: Option<HashBytes>,
}

impl Setup {
    /// Deploys the contract, or finds it there, and reads what it is.
    pub(super) async fn deploy(
        &mut self,
        network: &Network,
        owner: &StoredWallet,
        folder: &Path,
    ) -> Result<Deployed, Failure> {
        let (chain, root) = network.open()?;
        let signer = match self.typed.role {
            Role::Client => self.runner_wallet(owner, folder)?,
            Role::Worker | Role::Proxy => owner.clone(),
        };
        let plan = self.plan(&chain, &root, &signer.address, folder).await?;
        self.pay_for(network, &chain, &plan, &signer).await?;
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
        owner::run_telling(&self.global, plan.operation.as_ref(), args, output, tell).await?;
        let contract = plan.contract.to_string();
        let told = contract.clone();
        self.kept.answer(|answers| answers.contract = Some(told))?;
        let amount = self.found(&chain, &plan, &signer.name).await?;
        let warning = self.less_than_answered(&contract, amount, &signer.name);
        if let Some(warning) = &warning {
            self.output.note(format!("  {warning}"));
        }
        if self.typed.role == Role::Proxy {
            let wallet = self.runner_contract(owner, folder)?.address();
            let wallet = wallet.map_err(anyhow::Error::from)?;
            self.fund_proxy(network, &chain, &wallet).await?;
        }
        Ok(Deployed {
            contract,
            amount,
            warning,
        })
    }

    /// Sees to it that the wallet can pay, unless it has paid already: what an earlier command sent is followed first.
    async fn pay_for(
        &self,
        network: &Network,
        chain: &SharedChain,
        plan: &Plan,
        signer: &StoredWallet,
    ) -> Result<(), Failure> {
        let keys = &self.typed.common.keys;
        let executed = Box::pin(owner::recover(&self.global, network, keys, signer, self.output)).await?;
        if chain
            .account(&plan.contract)
            .await
            .map_err(failure::from_chain)?
            .is_active()
        {
            return Ok(());
        }
        let id = operation_id(plan.operation.as_ref(), &Manner::default());
        match paid(&executed, &id, &plan.id_begin) {
            Paid::This => return Ok(()),
            Paid::Nothing => {}
            Paid::Other => {
                let (contract, option) = (&plan.contract, self.typed.role.amount_option());
                let error = anyhow::anyhow!(
                    "another amount or secret is under way to {contract}: an earlier setup has sent it, and the chain does not show it yet"
                );
                let hint = format!("give the {option} of before, and pay in more when the contract is there");
                return Err(Failure::new(Exit::Configuration, error, hint));
            }
        }
        let amount = self.kept.answers.amount.unwrap_or(Nanoton::ZERO);
        let needed = funds::needed(amount, signer.contract.kind())?;
        self.fund(network, chain, ("the wallet that pays", &signer.address), needed)
            .await
    }

    /// What is paid in or staked. A contract that this runner cannot work with is an error, also when it was there before.
    async fn found(&self, chain: &SharedChain, plan: &Plan, wallet: &str) -> Result<Option<Nanoton>, Failure> {
        let contract = &plan.contract;
        let (state, amount) = match self.typed.role {
            Role::Worker => return Ok(None),
            Role::Client => {
                let account = ClientAccount::fetch(chain.as_ref(), contract).await;
                let account = account.map_err(failure::from_chain)?;
                let ours = plan.secret_hash.filter(|ours| *ours != account.secret_hash);
                if let Some(ours) = ours.filter(|_| account.state == Lifecycle::Normal) {
                    let error = anyhow::anyhow!(
                        "client contract {contract} was there already, and names another secret than this folder's"
                    );
                    let hint = format!(
                        "put the `secret` of before into the folder's state, or name the new one there: cocoon client topup {contract} 1 --secret-hash {ours} --wallet {wallet}"
                    );
                    return Err(Failure::new(Exit::Configuration, error, hint));
                }
                (account.state, account.balance)
            }
            Role::Proxy => {
                let account = ProxyAccount::fetch(chain.as_ref(), contract).await;
                let account = account.map_err(failure::from_chain)?;
                (account.state, account.stake)
            }
        };
        if state == Lifecycle::Normal {
            return Ok(Some(amount));
        }
        let role = self.typed.role.name();
        let error = anyhow::anyhow!(
            "{role} contract {contract} was there already, and is {}",
            lifecycle(state)
        );
        let hint = match (self.typed.role, state) {
            (Role::Client, Lifecycle::Closed) => {
                format!("use it again: cocoon client topup {contract} TON --reopen --wallet {wallet}")
            }
            (Role::Client, _) => format!("see its end: cocoon client close {contract} --wallet {wallet}"),
            _ => "another --folder gives another key, and so another contract".to_owned(),
        };
        Err(Failure::new(Exit::Configuration, error, hint))
    }

    /// A word about a contract that holds less than was answered: nothing is paid into one that was there.
    fn less_than_answered(&self, contract: &str, held: Option<Nanoton>, wallet: &str) -> Option<String> {
        let (held, answered) = held.zip(self.kept.answers.amount)?;
        let less = answered.checked_sub(held).filter(|less| *less > Nanoton::ZERO)?;
        let more = match self.typed.role {
            Role::Proxy => "proxy stake",
            Role::Client | Role::Worker => "client topup",
        };
        let ton = less.to_string();
        let ton = ton.trim_end_matches(" TON");
        Some(format!(
            "the contract was there already and holds {held}, not {answered}; `cocoon {more} {contract} {ton} --wallet {wallet}` adds what is missing"
        ))
    }

    /// What is deployed, and where it will be.
    async fn plan(&self, chain: &SharedChain, root: &Address, owner: &Address, folder: &Path) -> Result<Plan, Failure> {
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
                let secret_hash = Some(HashBytes(secret.hash()));
                let deploy = client::Deploy {
                    root: root.clone(),
                    proxy: account.account.address.clone(),
                    top_up: answers.amount,
                    secret_hash,
                };
                Plan {
                    id_begin: deploy.id_begin(),
                    operation: Box::new(deploy),
                    contract,
                    secret_hash,
                }
            }
            Role::Worker => {
                let account = fetch_proxy().await?;
                let (contract, _) = worker::contract_of(owner, &account).map_err(failure::from_owner)?;
                let deploy = worker::Deploy {
                    root: root.clone(),
                    proxy: account.account.address.clone(),
                };
                Plan {
                    id_begin: deploy.id(),
                    operation: Box::new(deploy),
                    contract,
                    secret_hash: None,
                }
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
                Plan {
                    id_begin: deploy.id_begin(),
                    operation: Box::new(deploy),
                    contract: init.address().map_err(anyhow::Error::from)?,
                    secret_hash: None,
                }
            }
        })
    }
}

/// What earlier commands have sent to a contract that the chain does not show yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paid {
    Nothing,
    /// What is to be paid now.
    This,
    /// Another payment.
    Other,
}

fn paid(executed: &[String], id: &str, id_begin: &str) -> Paid {
    if executed.iter().any(|other| other == id) {
        return Paid::This;
    }
    match executed.iter().any(|other| other.starts_with(id_begin)) {
        true => Paid::Other,
        false => Paid::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deploy(proxy: u8, ton: u64) -> client::Deploy {
        client::Deploy {
            root: Address::new(0, HashBytes([1; 32])),
            proxy: Address::new(0, HashBytes([proxy; 32])),
            top_up: Some(Nanoton::from_ton(ton)),
            secret_hash: Some(HashBytes([9; 32])),
        }
    }

    #[test]
    fn what_is_under_way_to_a_contract_is_neither_paid_again_nor_with_another_amount() {
        let of = |executed: &[client::Deploy]| {
            let executed: Vec<String> = executed.iter().map(Operation::id).collect();
            paid(&executed, &deploy(2, 20).id(), &deploy(2, 20).id_begin())
        };
        assert_eq!(of(&[]), Paid::Nothing);
        assert_eq!(of(&[deploy(3, 20)]), Paid::Nothing, "another contract");
        assert_eq!(of(&[deploy(3, 20), deploy(2, 20)]), Paid::This);
        assert_eq!(of(&[deploy(2, 50)]), Paid::Other);
    }
}
