//! A runner's wallet: its owner takes out what it holds.

use async_trait::async_trait;
use cocoon_bindings::ContractKind;
use cocoon_bindings::ton::{Address, CellBuilder, CellError, from_cell};
use cocoon_bindings::types::TextCommand;
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::wallet::WalletStorage;
use cocoon_chain::{ChainClient, ChainError};

use super::{Next, Operation, body, message, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::limits::FEES;

/// What a wallet keeps for its storage.
const KEPT: Nanoton = Nanoton::new(10_000_000);

/// Sends all that a runner's wallet holds to its owner, but what it keeps for storage.
#[derive(Debug, Clone)]
pub struct Empty {
    /// The wallet.
    pub wallet: Address,
}

#[async_trait]
impl Operation for Empty {
    fn id(&self) -> String {
        format!("empty {}", self.wallet)
    }

    fn repeats(&self) -> bool {
        true
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let account = chain.account(&self.wallet).await?;
        if !done.is_empty() {
            return Ok(Next::Done(format!("{} stays in the runner's wallet", account.balance)));
        }
        let Some(data) = account.data.as_ref().filter(|_| account.is_active()) else {
            return Err(OwnerError::Chain(ChainError::NotDeployed {
                what: "runner's wallet",
                address: self.wallet.clone(),
            }));
        };
        let is_ours = from_cell::<WalletStorage>(data).is_ok_and(|wallet| wallet.owner == *owner);
        if !is_ours {
            return Err(OwnerError::OtherContract {
                address: self.wallet.clone(),
                kind: ContractKind::Wallet,
            });
        }
        if account.balance <= KEPT {
            return Err(state("the runner's wallet is empty", "there is nothing to withdraw"));
        }
        let says = format!(
            "send {} from the runner's wallet {} to its owner",
            account.balance, self.wallet
        );
        let text = || -> Result<_, CellError> {
            let mut text = CellBuilder::new();
            text.store_u8(b'w')?;
            text.build()
        };
        let text = text().map_err(cocoon_bindings::BindingsError::layout("a text command"))?;
        let body = body(&TextCommand { text })?;
        let roles = vec![(self.wallet.clone(), Role::RunnerWallet)];
        Ok(Next::send("empty", says, message(&self.wallet, FEES, body), roles))
    }
}
