//! A chain that can be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_chain::{AccountState, ChainClient, ChainError, EmulatedChain, GetterResult, Transaction, TransactionId};

#[derive(Debug)]
pub(crate) struct ChainWithOutages {
    chain: EmulatedChain,
    is_away: Arc<AtomicBool>,
}

impl ChainWithOutages {
    pub(crate) fn new(chain: EmulatedChain, is_away: Arc<AtomicBool>) -> Self {
        Self { chain, is_away }
    }

    fn reach(&self) -> Result<&EmulatedChain, ChainError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(ChainError::Unreachable {
                url: "test".into(),
                reason: "away".into(),
            });
        }
        Ok(&self.chain)
    }
}

#[async_trait]
impl ChainClient for ChainWithOutages {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.reach()?.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.reach()?.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.reach()?.transactions(address, limit, from).await
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        self.reach()?.send_boc(message).await
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.reach()?.now().await
    }
}
