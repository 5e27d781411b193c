//! A small network on the emulated chain.

use std::sync::Arc;

use cocoon_bindings::client::{
    AskToTopUp, ClientSummary, GetCocoonClientData, RequestRefundFromOwner, WithdrawFromOwner,
};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::{AskToIncreaseProxyStake, GetCocoonProxyData, ProxySummary};
use cocoon_bindings::ton::{Address, Cell, CellFamily, Store};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::voucher::{CloseOp, SignedClose, SignedVoucher, VoucherOp};
use cocoon_bindings::worker::{GetCocoonWorkerData, WorkerSummary};
use cocoon_bindings::{
    ContractKind, GetMethod, Multipliers, Nanoton, Params, ParamsVersion, PublicKey, QueryId, RootData, STRUCT_VERSION,
    StateInit, TokenCount, client_state_init, proxy_state_init, root_state_init, worker_state_init,
};
use cocoon_emulator::{Emulator, NetworkConfig, TransactionReport};
use ed25519_dalek::SigningKey;

use crate::messages::body;
use crate::outcome::Outcome;
use crate::people::{CLIENT_OWNER, EXCESSES, OWNER, WORKER_OWNER};

/// Price of a token in nanoton.
pub const PRICE: u128 = 20;
/// What of it the worker gets.
pub const FEE: u128 = 19;
/// Time at the start.
pub const START: u32 = 1_780_000_000;

/// An amount written in TON.
pub fn ton(amount: &str) -> Nanoton {
    amount.parse().unwrap()
}

/// A root and a proxy contract, deployed, and one client and one worker contract that are not deployed yet.
pub struct World {
    /// The chain.
    pub chain: Emulator,
    /// The proxy's key.
    pub key: SigningKey,
    /// Terms of the network, with all codes.
    pub params: Params,
    /// The root contract.
    pub root: Address,
    /// The proxy contract.
    pub proxy: Address,
    /// The client contract.
    pub client: Address,
    /// The worker contract.
    pub worker: Address,
    /// Deploys the proxy contract.
    pub proxy_init: StateInit,
    /// Deploys the client contract.
    pub client_init: StateInit,
    /// Deploys the worker contract.
    pub worker_init: StateInit,
    query: u64,
}

impl World {
    /// With the dearer fees, under which the amounts must suffice.
    #[expect(clippy::new_without_default, reason = "nobody needs a default world")]
    pub fn new() -> Self {
        Self::on(&NetworkConfig::october_2025())
    }

    /// With given fees.
    pub fn on(network: &NetworkConfig) -> Self {
        let mut world = Self::without_proxy(network);
        let (proxy, init) = (world.proxy.clone(), world.proxy_init.clone());
        world
            .deploy(&OWNER, &proxy, ton("0.2"), Cell::empty_cell(), init)
            .assert_success();
        world
    }

    /// The same, with the proxy contract not deployed yet.
    pub fn without_proxy(network: &NetworkConfig) -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public_key = PublicKey::from(&key);
        let params = params();
        let root_init = root_state_init(&OWNER, 0, &RootData::default(), &params).unwrap();
        let root = root_init.address().unwrap();
        let proxy_init = proxy_state_init(&OWNER, &public_key, &root, &params).unwrap();
        let proxy = proxy_init.address().unwrap();
        let client_init = client_state_init(&CLIENT_OWNER, &proxy, &public_key, &params).unwrap();
        let worker_init = worker_state_init(&WORKER_OWNER, &proxy, &public_key, &params).unwrap();
        let mut world = Self {
            chain: Emulator::new(network, START).unwrap(),
            key,
            params,
            root: root.clone(),
            proxy,
            client: client_init.address().unwrap(),
            worker: worker_init.address().unwrap(),
            proxy_init,
            client_init,
            worker_init,
            query: 0,
        };
        world
            .deploy(&OWNER, &root, ton("1"), Cell::empty_cell(), root_init)
            .assert_success();
        world
    }

    /// A query id that was not used yet.
    pub fn next_query(&mut self) -> QueryId {
        self.query += 1;
        QueryId::new(self.query)
    }

    /// Sends a message and follows it to its end.
    pub fn send(&mut self, from: &Address, to: &Address, value: Nanoton, message: &impl Store) -> Outcome {
        self.send_cell(from, to, value, body(message))
    }

    /// Sends a message, given as a cell, and follows it to its end.
    pub fn send_cell(&mut self, from: &Address, to: &Address, value: Nanoton, body: Cell) -> Outcome {
        let first = self.start(from, to, value, body, None);
        self.finish(first)
    }

    /// Sends a message that also deploys its receiver, and follows it to its end.
    pub fn deploy(&mut self, from: &Address, to: &Address, value: Nanoton, body: Cell, init: StateInit) -> Outcome {
        let first = self.start(from, to, value, body, Some(init));
        self.finish(first)
    }

    /// Delivers a message and nothing of what it leads to.
    pub fn start(
        &mut self,
        from: &Address,
        to: &Address,
        value: Nanoton,
        body: Cell,
        state_init: Option<StateInit>,
    ) -> Arc<TransactionReport> {
        let to = to.clone();
        let message = InternalMessage {
            to,
            value,
            bounce: true,
            body,
            state_init,
        };
        self.chain.send_internal(from, &message).unwrap()
    }

    /// Delivers everything that is under way.
    pub fn finish(&mut self, first: Arc<TransactionReport>) -> Outcome {
        let mut reports = vec![first];
        reports.extend(self.chain.run().unwrap());
        assert!(self.chain.books().unwrap().balanced(), "coins appeared or vanished");
        Outcome { reports }
    }

    /// Sends a message that must be refused: with this error, with nothing changed, and with the value back at its
    /// sender, less what the way cost.
    pub fn refused(&mut self, from: &Address, to: &Address, value: &str, message: Cell, error: ExitCode) {
        let (data, held) = (self.data(to), self.balance(to));
        let outcome = self.send_cell(from, to, ton(value), message);
        outcome.assert_refused(to, error);
        assert_eq!(self.data(to), data, "a refused message changes nothing");
        let left = held.checked_sub(outcome.storage_fees(to)).unwrap();
        assert_eq!(self.balance(to), left, "a refused message leaves nothing");
        assert_eq!(outcome.received(from), ton(value).checked_sub(outcome.cost()).unwrap());
    }

    /// Deploys the client contract without any other effect.
    pub fn deploy_client(&mut self) {
        let (client, init) = (self.client.clone(), self.client_init.clone());
        self.deploy(&CLIENT_OWNER, &client, ton("0.2"), Cell::empty_cell(), init)
            .assert_success();
    }

    /// Deploys the worker contract without any other effect.
    pub fn deploy_worker(&mut self) {
        let (worker, init) = (self.worker.clone(), self.worker_init.clone());
        self.deploy(&WORKER_OWNER, &worker, ton("0.2"), Cell::empty_cell(), init)
            .assert_success();
    }

    /// A signed message about tokens, for the contract that its kind is meant for.
    pub fn voucher(&mut self, op: VoucherOp, count: u64) -> Cell {
        let target = match op {
            VoucherOp::ClientCharge | VoucherOp::ClientRefund => self.client.clone(),
            VoucherOp::WorkerPayout | VoucherOp::WorkerLastPayout => self.worker.clone(),
        };
        self.voucher_for(op, count, &target)
    }

    /// A signed message about tokens, for any contract.
    pub fn voucher_for(&mut self, op: VoucherOp, count: u64, target: &Address) -> Cell {
        let query = self.next_query();
        let voucher = SignedVoucher::sign(op, query, TokenCount::new(count), target, &EXCESSES, &self.key);
        voucher.unwrap().to_cell().unwrap()
    }

    /// A signed step of the proxy's close.
    pub fn close(&mut self, op: CloseOp) -> Cell {
        let query = self.next_query();
        let close = SignedClose::sign(op, query, &self.proxy, &EXCESSES, &self.key);
        close.unwrap().to_cell().unwrap()
    }

    /// Submits a signed message about tokens with the value that runners attach.
    pub fn submit(&mut self, op: VoucherOp, count: u64) -> Outcome {
        let message = self.voucher(op, count);
        let target = match op {
            VoucherOp::ClientCharge | VoucherOp::ClientRefund => self.client.clone(),
            VoucherOp::WorkerPayout | VoucherOp::WorkerLastPayout => self.worker.clone(),
        };
        self.send_cell(&EXCESSES, &target, ton("0.7"), message)
    }

    /// Pays into the client contract, which is deployed if it is not there yet.
    pub fn top_up(&mut self, amount: &str) -> Outcome {
        let message = AskToTopUp {
            query_id: self.next_query(),
            top_up_amount: ton(amount),
            send_excesses_to: EXCESSES,
        };
        let value = ton(amount).checked_add(ton("0.5")).unwrap();
        let (client, init) = (self.client.clone(), self.client_init.clone());
        self.deploy(&CLIENT_OWNER, &client, value, body(&message), init)
    }

    /// Adds to the proxy's stake.
    pub fn stake(&mut self, amount: &str) -> Outcome {
        let message = AskToIncreaseProxyStake {
            query_id: self.next_query(),
            stake_amount: ton(amount),
            send_excesses_to: EXCESSES,
        };
        let value = ton(amount).checked_add(ton("0.5")).unwrap();
        self.send(&OWNER, &self.proxy.clone(), value, &message)
    }

    /// The owner's request to close the client contract.
    pub fn request_refund(&mut self) -> Outcome {
        let message = RequestRefundFromOwner {
            query_id: self.next_query(),
            send_excesses_to: EXCESSES,
        };
        self.send(&CLIENT_OWNER, &self.client.clone(), ton("0.7"), &message)
    }

    /// The owner's request for what exceeds the stake.
    pub fn withdraw(&mut self) -> Outcome {
        let message = WithdrawFromOwner {
            query_id: self.next_query(),
            send_excesses_to: EXCESSES,
        };
        self.send(&CLIENT_OWNER, &self.client.clone(), ton("0.7"), &message)
    }

    /// What the client contract says of itself.
    pub fn client_data(&self) -> ClientSummary {
        self.get(&self.client, &GetCocoonClientData)
    }

    /// What the proxy contract says of itself.
    pub fn proxy_data(&self) -> ProxySummary {
        self.get(&self.proxy, &GetCocoonProxyData)
    }

    /// What the worker contract says of itself.
    pub fn worker_data(&self) -> WorkerSummary {
        self.get(&self.worker, &GetCocoonWorkerData)
    }

    /// Calls a get method.
    pub fn get<M: GetMethod>(&self, address: &Address, method: &M) -> M::Output {
        let result = self.chain.get(address, M::ID, method.arguments()).unwrap();
        assert!(result.success(), "{} exits with {}", M::NAME, result.exit_code);
        M::parse(&result.stack).unwrap()
    }

    /// Coins on an account.
    pub fn balance(&self, address: &Address) -> Nanoton {
        self.chain.balance(address).unwrap()
    }

    /// Data of a contract.
    pub fn data(&self, address: &Address) -> Cell {
        self.chain.account(address).unwrap().unwrap().data.unwrap()
    }
}

fn params() -> Params {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(1),
        unique_id: 13,
        is_test: true,
        price_per_token: Nanoton::new(PRICE),
        worker_fee_per_token: Nanoton::new(FEE),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: ton("1"),
        min_client_stake: ton("1"),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    }
}
