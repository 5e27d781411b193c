//! The emulated chain as nodes see it: answers take a moment, external messages get lost or their reply does, messages between
//! contracts come late and in another order, and sometimes everything stands still.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cocoon_bindings::client::ClientStorage;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, StackValue, from_cell};
use cocoon_bindings::units::{Nanoton, QueryId, TokenCount};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_chain::{
    AccountState, ChainClient, ChainError, EmulatedChain, GetterResult, SharedChain, Transaction, TransactionId,
};
use cocoon_emulator::{Emulator, Message};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::host::{Life, Time};
use crate::setting::{address, contract_key};
use crate::trace;

/// The chain and how it misbehaves.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) chain: EmulatedChain,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: StdRng,
    /// Messages from here are refused by their receivers now and then, and bounce.
    wallets: Vec<Address>,
    /// Servers do not answer.
    is_away: bool,
    /// Blocks stand still, servers answer.
    is_stalled: bool,
    is_faulty: bool,
    forgotten: Option<u32>,
}

impl State {
    /// Delivers the message at a place of the queue.
    fn deliver(&self, chain: &mut Emulator, index: usize, message: &Message) {
        if self.forgotten.is_some() && message.op() == self.forgotten {
            chain.spoil_at(index).unwrap();
        }
        chain.step_at(index).unwrap();
    }
}

impl World {
    pub(crate) fn new(seed: u64, chain: Emulator, wallets: Vec<Address>) -> Self {
        let state = State {
            wallets,
            rng: StdRng::seed_from_u64(seed),
            is_away: false,
            is_stalled: false,
            is_faulty: false,
            forgotten: None,
        };
        Self {
            chain: EmulatedChain::new(chain),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn set_faulty(&self, is_faulty: bool) {
        self.state.lock().unwrap().is_faulty = is_faulty;
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    pub(crate) fn set_stalled(&self, is_stalled: bool) {
        self.state.lock().unwrap().is_stalled = is_stalled;
    }

    /// A block: some of the messages under way arrive.
    pub(crate) fn block(&self, time: &Time) {
        let state = &mut *self.state.lock().unwrap();
        if state.is_stalled {
            return;
        }
        self.chain.with(|chain| {
            let now = u32::try_from(time.ms() / 1000).unwrap();
            if now > chain.now() {
                chain.set_now(now).unwrap();
            }
            if !state.is_faulty {
                while let Some(message) = chain.pending().unwrap().first() {
                    state.deliver(chain, 0, message);
                }
                return;
            }
            let pending = chain.pending().unwrap();
            for _ in 0..state.rng.random_range(0..=pending.len()) {
                let pending = chain.pending().unwrap();
                let Some(index) = pending
                    .len()
                    .checked_sub(1)
                    .map(|last| state.rng.random_range(0..=last))
                else {
                    return;
                };
                // The chain keeps the order between two contracts, and no other.
                let way = (&pending[index].source, &pending[index].destination);
                let first = pending
                    .iter()
                    .position(|message| (&message.source, &message.destination) == way);
                let first = first.unwrap();
                let is_of_wallet = pending[first]
                    .source
                    .as_ref()
                    .is_some_and(|from| state.wallets.contains(from));
                if is_of_wallet && pending[first].bounce && state.rng.random_range(0..8) == 0 {
                    trace::note(time.ms(), "a message of a wallet is refused");
                    chain.spoil_at(first).unwrap();
                }
                state.deliver(chain, first, &pending[first]);
            }
        });
    }

    /// Sends a message in somebody's name.
    pub(crate) fn send(&self, from: &Address, message: &InternalMessage) {
        self.chain.with(|chain| chain.send_internal(from, message)).unwrap();
    }

    /// A client's contract.
    pub(crate) fn client(&self, contract: &Address) -> Option<ClientStorage> {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap()?;
        Some(from_cell(&account.data?).unwrap())
    }

    /// From now on no message with this operation is understood.
    pub(crate) fn forget(&self, operation: u32) {
        self.state.lock().unwrap().forgotten = Some(operation);
    }

    /// Whether a contract is there.
    pub(crate) fn is_active(&self, contract: &Address) -> bool {
        let account = self.chain.with(|chain| chain.account(contract)).unwrap();
        account.is_some_and(|account| account.is_active())
    }

    /// Charges a client, once its contract is there, for tokens that its proxy signed for and no receipt explains.
    pub(crate) fn overcharge(&self, client: &Address) {
        const TOKENS: TokenCount = TokenCount::new(1_000_000);
        let somebody = address(9);
        let voucher = SignedVoucher::sign(
            VoucherOp::ClientCharge,
            QueryId::new(1),
            TOKENS,
            client,
            &somebody,
            &contract_key(0),
        );
        let message = InternalMessage {
            to: client.clone(),
            value: Nanoton::from_ton(1),
            bounce: true,
            body: voucher.unwrap().to_cell().unwrap(),
            state_init: None,
        };
        self.chain.with(|chain| {
            if chain
                .account(client)
                .unwrap()
                .is_some_and(|account| account.is_active())
            {
                chain.send_internal(&somebody, &message).unwrap();
            }
        });
    }

    /// The chain as a node sees it in one life.
    pub(crate) fn of(&self, life: &Arc<Life>) -> SharedChain {
        Arc::new(OfLife {
            world: self.clone(),
            life: Arc::clone(life),
        })
    }
}

#[derive(Debug)]
struct OfLife {
    world: World,
    life: Arc<Life>,
}

impl OfLife {
    async fn reach(&self) -> Result<&EmulatedChain, ChainError> {
        let pause = self.world.state.lock().unwrap().rng.random_range(1..30);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        self.life.act("ask the chain").map_err(|_| away())?;
        match self.world.state.lock().unwrap().is_away {
            true => Err(away()),
            false => Ok(&self.world.chain),
        }
    }
}

fn away() -> ChainError {
    ChainError::Unreachable {
        url: "simulated".to_owned(),
        reason: "away".to_owned(),
    }
}

#[async_trait]
impl ChainClient for OfLife {
    async fn account(&self, address: &Address) -> Result<AccountState, ChainError> {
        self.reach().await?.account(address).await
    }

    async fn run_get_method(
        &self,
        address: &Address,
        method: &str,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, ChainError> {
        self.reach().await?.run_get_method(address, method, arguments).await
    }

    async fn transactions(
        &self,
        address: &Address,
        limit: usize,
        from: Option<TransactionId>,
    ) -> Result<Vec<Transaction>, ChainError> {
        self.reach().await?.transactions(address, limit, from).await
    }

    async fn send_boc(&self, message: &Cell) -> Result<(), ChainError> {
        let chain = self.reach().await?;
        let (is_lost, is_reply_lost) = {
            let state = &mut *self.world.state.lock().unwrap();
            let mut one_in = |many: u32| state.is_faulty && state.rng.random_range(0..many) == 0;
            (one_in(10), one_in(10))
        };
        if is_lost {
            return Ok(());
        }
        let sent = chain.with(|chain| chain.send_external(message.clone()));
        sent.map_err(|error| ChainError::MessageRefused {
            exit_code: None,
            reason: error.to_string(),
        })?;
        if is_reply_lost { Err(away()) } else { Ok(()) }
    }

    async fn now(&self) -> Result<u32, ChainError> {
        self.reach().await?.now().await
    }
}
