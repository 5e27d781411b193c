//! A process that is gone at any point: what follows ends where an uninterrupted one would.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cocoon_bindings::ton::{Address, Cell, StackValue};
use cocoon_bindings::units::Nanoton;
use cocoon_chain::{
    AccountState, ChainClient, ChainError, ClientAccount, EmulatedChain, GetterResult, ProxyAccount, Transaction,
    TransactionId,
};

use super::{Stage, Yes, key, v5};
use crate::operation::client;
use crate::{Manner, Operation, OwnerError, Sender, drive};

/// A chain that is lost after so many calls, as a process is that is killed. What was sent in the last call may have
/// arrived all the same.
#[derive(Debug)]
struct Mortal {
    chain: EmulatedChain,
    left: AtomicUsize,
    takes_the_last: bool,
}

impl Mortal {
    fn step(&self) -> Result<(), ChainError> {
        let alive = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        alive.map(drop).map_err(|_| dead())
    }
}

/// An error after which nobody goes on.
fn dead() -> ChainError {
    ChainError::Url {
        url: "killed".to_owned(),
        reason: "killed".to_owned(),
    }
}

#[async_trait]
impl ChainClient for Mortal {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.step()?;
        self.chain.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.step()?;
        self.chain.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.step()?;
        self.chain.transactions(address, limit, from).await
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        match self.step() {
            Ok(()) => self.chain.send_boc(message).await,
            Err(error) if self.takes_the_last => self.chain.send_boc(message).await.and(Err(error)),
            Err(error) => Err(error),
        }
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.step()?;
        self.chain.now().await
    }
}

async fn until_killed(stage: &Stage, calls: usize, takes_the_last: bool, operation: &dyn Operation) -> bool {
    until_killed_with(stage, 7, calls, takes_the_last, operation).await
}

/// Runs an operation with the wallet of a key until the chain is lost. Whether it came to its end before.
pub(super) async fn until_killed_with(
    stage: &Stage,
    byte: u8,
    calls: usize,
    takes_the_last: bool,
    operation: &dyn Operation,
) -> bool {
    let chain = Arc::new(Mortal {
        chain: stage.chain.clone(),
        left: AtomicUsize::new(calls),
        takes_the_last,
    });
    let mut sender = Sender::open(chain, v5(byte), &stage.journals()).unwrap();
    let manner = Manner {
        through: None,
        does_not_wait: true,
    };
    match drive(operation, &mut sender, &manner, &mut Yes::new(&key(byte))).await {
        Ok(_) => true,
        Err(OwnerError::Chain(ChainError::Url { .. })) => false,
        Err(error) => unreachable!("{error}"),
    }
}

/// What the operation leaves on the chain, gas aside.
async fn state(stage: &Stage, contract: &Address) -> (Nanoton, Nanoton, u8) {
    let client = ClientAccount::fetch(&stage.chain, contract).await.unwrap();
    (
        client.balance,
        client.stake,
        u8::try_from(client.state.value()).unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_cut_off_anywhere_is_made_once() {
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    for takes_the_last in [false, true] {
        for calls in 0.. {
            let stage = Stage::new();
            stage.fund(&owner, 100);
            let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
            let (contract, _) = client::contract_of(&owner, &at).unwrap();
            let deploy = client::Deploy {
                root: stage.root.clone(),
                proxy: stage.proxy.clone(),
                top_up: None,
                secret_hash: None,
            };
            stage.run(&wallet, 7, &deploy).await.unwrap();
            let pay = client::TopUp {
                contract: contract.clone(),
                amount: Nanoton::from_ton(4),
                secret_hash: None,
                reopen: false,
            };
            let ended = until_killed(&stage, calls, takes_the_last, &pay).await;
            // The next process goes on; the one after it too, until the outcome was told.
            stage.run(&wallet, 7, &pay).await.unwrap();
            let expected = (Nanoton::from_ton(9), Nanoton::from_ton(5), 0);
            assert_eq!(state(&stage, &contract).await, expected, "killed after {calls} calls");
            if ended {
                assert!(calls > 10, "{calls}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_cut_off_again_and_again_comes_to_its_end() {
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    let stage = Stage::new();
    stage.fund(&owner, 100);
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: None,
        secret_hash: None,
    };
    for calls in 1..60 {
        until_killed(&stage, calls, calls % 2 == 0, &deploy).await;
    }
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&owner, &at).unwrap();
    assert_eq!(
        state(&stage, &contract).await,
        (Nanoton::from_ton(5), Nanoton::from_ton(5), 0)
    );
    stage.stake(10);
    let close = client::Close {
        contract: contract.clone(),
        accepts_less: false,
    };
    for calls in 1..60 {
        until_killed(&stage, calls, calls % 2 == 1, &close).await;
    }
    assert_eq!(state(&stage, &contract).await.2, 1);
    stage.advance(400);
    for calls in 1..60 {
        until_killed(&stage, calls, calls % 2 == 0, &close).await;
    }
    assert_eq!(state(&stage, &contract).await, (Nanoton::ZERO, Nanoton::from_ton(5), 2));
    let left = stage.balance(&owner).await;
    assert!(left > Nanoton::from_ton(89), "{left}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_expired_unseen_is_made_anew() {
    let wallet = v5(7);
    let owner = wallet.address().unwrap();
    let stage = Stage::new();
    let deploy = client::Deploy {
        root: stage.root.clone(),
        proxy: stage.proxy.clone(),
        top_up: None,
        secret_hash: None,
    };
    stage.fund(&owner, 100);
    // Killed at every point with the message lost, and the time of the message over each time.
    for calls in 1..60 {
        until_killed(&stage, calls, false, &deploy).await;
        stage.advance(200);
    }
    let at = ProxyAccount::fetch(&stage.chain, &stage.proxy).await.unwrap();
    let (contract, _) = client::contract_of(&owner, &at).unwrap();
    assert_eq!(
        state(&stage, &contract).await,
        (Nanoton::from_ton(5), Nanoton::from_ton(5), 0)
    );
}
