//! A chain server that tells what accounts hold and takes no more questions about their transactions.

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_chain::{AccountState, ChainClient, ChainError, EmulatedChain, GetterResult, Transaction, TransactionId};

#[derive(Debug)]
pub(super) struct Refusing(pub(super) EmulatedChain);

#[async_trait]
impl ChainClient for Refusing {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.0.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.0.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        _: &Address,
        _: usize,
        _: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        Err(ChainError::RateLimited {
            method: "getTransactions",
            retry_after: None,
        })
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.0.send_boc(message).await
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.0.now().await
    }
}
