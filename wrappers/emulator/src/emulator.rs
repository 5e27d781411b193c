//! The chain in one process: messages in, transactions out.

use std::sync::Arc;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Boc, Cell, CellFamily, StackValue};
use cocoon_bindings::units::Nanoton;
use tycho_executor::{Executor, ExecutorInspector, ExecutorOutput, ExecutorParams, ParsedConfig, TxError};
use tycho_types::cell::HashBytes;
use tycho_types::models::ShardAccount;

use crate::account::AccountView;
use crate::getter::{self, GetterResult, Method};
use crate::limits::{BLOCK_LT, MAX_EXTERNAL_MESSAGE_BYTES, MAX_EXTERNAL_MESSAGE_DEPTH, MAX_TRANSACTIONS_PER_RUN};
use crate::message::{Message, MessageKind};
use crate::network::NetworkConfig;
use crate::report::TransactionReport;
use crate::snapshot::Snapshot;
use crate::state::{ChainState, block_of};
use crate::{EmulatorError, outgoing, parity};

/// The address that the faucet's coins come from.
pub const FAUCET: Address = Address::new(0, HashBytes([0xfa; 32]));

/// An emulated chain.
pub struct Emulator {
    network: NetworkConfig,
    config: ParsedConfig,
    pub(crate) state: ChainState,
    /// How often the chain went back to a snapshot, in this process.
    pub(crate) rewinds: u64,
    /// Whether every signature is taken for valid.
    pub(crate) trusts_signatures: bool,
}

impl Emulator {
    /// An empty chain that starts at `now` (seconds since 1970).
    pub fn new(network: &NetworkConfig, now: u32) -> Result<Self, EmulatorError> {
        Ok(Self {
            network: network.clone(),
            config: network.parse(now)?,
            state: ChainState::new(now),
            rewinds: 0,
            trusts_signatures: false,
        })
    }

    /// The chain that a snapshot holds.
    pub fn from_snapshot(snapshot: &Snapshot) -> Result<Self, EmulatorError> {
        let config = snapshot.network.parse(snapshot.state.now)?;
        Ok(Self {
            network: snapshot.network.clone(),
            config,
            state: snapshot.state.clone(),
            rewinds: 0,
            trusts_signatures: false,
        })
    }

    /// Fees and rules.
    pub fn network(&self) -> &NetworkConfig {
        &self.network
    }

    /// The chain's time, seconds since 1970.
    pub fn now(&self) -> u32 {
        self.state.now
    }

    /// Lets time pass.
    pub fn advance(&mut self, seconds: u32) -> Result<(), EmulatorError> {
        self.set_now(self.state.now.saturating_add(seconds))
    }

    /// Sets the time, which may only move forward.
    pub fn set_now(&mut self, now: u32) -> Result<(), EmulatorError> {
        if now < self.state.now {
            return Err(EmulatorError::TimeRunsBackwards {
                now: self.state.now,
                asked: now,
            });
        }
        self.state.now = now;
        self.config.update_storage_prices(now).map_err(EmulatorError::Config)
    }

    /// The block that the next transaction would go into, if nothing starts another one.
    pub fn block(&self) -> u32 {
        block_of(self.state.lt)
    }

    /// Starts a new block, as every message from outside does.
    pub fn start_block(&mut self) {
        self.state.start_block();
    }

    /// Gives an account coins from the faucet, in a transaction of its own.
    pub fn fund(&mut self, address: &Address, amount: Nanoton) -> Result<Arc<TransactionReport>, EmulatorError> {
        let (to, body) = (address.clone(), Cell::empty_cell());
        self.send_internal(
            &FAUCET,
            &InternalMessage {
                to,
                value: amount,
                bounce: false,
                body,
                state_init: None,
            },
        )
    }

    /// Delivers an external message (a cell) and reports the transaction. Messages that it sends wait for
    /// [`run`](Self::run).
    pub fn send_external(&mut self, message: Cell) -> Result<Arc<TransactionReport>, EmulatorError> {
        let address = external(&message)?;
        let lt = self.state.lt;
        self.state.start_block();
        let result = self.execute(&address, message, true, Nanoton::ZERO);
        if result.is_err() {
            self.state.lt = lt;
        }
        result
    }

    /// Delivers an internal message as if `from` had sent it, with coins from nowhere, and reports the transaction.
    /// Messages that it sends wait for [`run`](Self::run).
    pub fn send_internal(
        &mut self,
        from: &Address,
        message: &InternalMessage,
    ) -> Result<Arc<TransactionReport>, EmulatorError> {
        let cell = outgoing::internal(from, message, self.state.lt, self.state.now)
            .map_err(EmulatorError::cell("internal message"))?;
        self.send_message(cell)
    }

    /// Delivers a complete internal message whose coins come from nowhere, and reports the transaction. Messages that
    /// it sends wait for [`run`](Self::run).
    pub fn send_message(&mut self, message: Cell) -> Result<Arc<TransactionReport>, EmulatorError> {
        let (address, parsed) = internal(&message)?;
        let worth = parsed
            .value
            .get()
            .checked_add(parsed.forward_fee.get())
            .ok_or(EmulatorError::AmountRange)?;
        let minted = self.state.minted.checked_add(worth).ok_or(EmulatorError::AmountRange)?;
        self.state.start_block();
        let report = self.execute(&address, message, false, parsed.forward_fee)?;
        self.state.minted = minted;
        Ok(report)
    }

    /// Messages under way, oldest first.
    pub fn pending(&self) -> Result<Vec<Message>, EmulatorError> {
        let read = |cell: &Cell| Message::from_cell(cell.clone()).map_err(EmulatorError::cell("queued message"));
        self.state.queue.iter().map(read).collect()
    }

    /// Delivers the oldest message under way.
    pub fn step(&mut self) -> Result<Option<Arc<TransactionReport>>, EmulatorError> {
        self.step_at(0)
    }

    /// Delivers the message at a place of the queue, so that tests can reorder what the chain does not promise to
    /// deliver in order.
    pub fn step_at(&mut self, index: usize) -> Result<Option<Arc<TransactionReport>>, EmulatorError> {
        let Some(message) = self.state.queue.get(index).cloned() else {
            return Ok(None);
        };
        let (address, parsed) = internal(&message)?;
        let report = self.execute(&address, message, false, parsed.forward_fee)?;
        // What the transaction sent was added at the end, so the place is still right.
        self.state.queue.remove(index);
        Ok(Some(report))
    }

    /// Delivers messages until none is under way.
    pub fn run(&mut self) -> Result<Vec<Arc<TransactionReport>>, EmulatorError> {
        let mut reports = Vec::new();
        while let Some(report) = self.step()? {
            reports.push(report);
            if reports.len() >= MAX_TRANSACTIONS_PER_RUN && !self.state.queue.is_empty() {
                return Err(EmulatorError::Restless {
                    limit: MAX_TRANSACTIONS_PER_RUN,
                });
            }
        }
        Ok(reports)
    }

    /// The state of an account; `None` if it does not exist.
    pub fn account(&self, address: &Address) -> Result<Option<AccountView>, EmulatorError> {
        match self.state.accounts.get(address) {
            Some(shard) => AccountView::read(address, shard).map_err(EmulatorError::cell("account")),
            None => Ok(None),
        }
    }

    /// The balance of an account, zero if it does not exist.
    pub fn balance(&self, address: &Address) -> Result<Nanoton, EmulatorError> {
        Ok(self.account(address)?.map_or(Nanoton::ZERO, |account| account.balance))
    }

    /// Runs a get method, by name or number.
    pub fn get(
        &self,
        address: &Address,
        method: impl Into<Method>,
        arguments: Vec<StackValue>,
    ) -> Result<GetterResult, EmulatorError> {
        let shard = self.state.account(address)?;
        let account = shard.load_account().map_err(EmulatorError::cell("account"))?;
        getter::run(address, account, method.into(), arguments, &self.config, self.state.now)
    }

    /// A copy of the whole chain.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            network: self.network.clone(),
            state: self.state.clone(),
        }
    }

    /// Goes back to a snapshot.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), EmulatorError> {
        let rewinds = self.rewinds.saturating_add(1);
        if self.network != snapshot.network {
            *self = Self::from_snapshot(snapshot)?;
            self.rewinds = rewinds;
            return Ok(());
        }
        self.rewinds = rewinds;
        self.state = snapshot.state.clone();
        self.config
            .update_storage_prices(self.state.now)
            .map_err(EmulatorError::Config)
    }

    /// What an external message would do, without doing it; also with any signature taken for valid.
    pub fn preview_external(&self, message: Cell, ignore_signature: bool) -> Result<TransactionReport, EmulatorError> {
        let address = external(&message)?;
        let mut params = self.params(self.state.lt);
        params.vm_modifiers.chksig_always_succeed = ignore_signature;
        Ok(self.compute(&address, message, true, &params)?.report)
    }

    fn params(&self, lt: u64) -> ExecutorParams {
        let mut params = ExecutorParams {
            block_unixtime: self.state.now,
            block_lt: lt - lt % BLOCK_LT,
            strict_extra_currency: true,
            ..ExecutorParams::default()
        };
        params.vm_modifiers.chksig_always_succeed = self.trusts_signatures;
        params
    }

    /// Executes one message on one account and keeps the result; on an error nothing changes.
    fn execute(
        &mut self,
        address: &Address,
        message: Cell,
        external: bool,
        imported_fee: Nanoton,
    ) -> Result<Arc<TransactionReport>, EmulatorError> {
        let done = self.compute(address, message, external, &self.params(self.state.lt))?;
        let collected = [done.report.fees.total.get(), imported_fee.get(), done.burned]
            .into_iter()
            .try_fold(self.state.collected, u128::checked_add)
            .ok_or(EmulatorError::AmountRange)?;

        let report = Arc::new(done.report);
        let state = &mut self.state;
        state.lt = done.next_lt;
        state.collected = collected;
        state.accounts.insert(address.clone(), done.account);
        let internal = report
            .out_msgs
            .iter()
            .filter(|message| message.kind == MessageKind::Internal);
        state.queue.extend(internal.map(|message| message.cell.clone()));
        state.record(report.clone());
        Ok(report)
    }

    /// Runs one message on one account.
    fn compute(
        &self,
        address: &Address,
        message: Cell,
        external: bool,
        params: &ExecutorParams,
    ) -> Result<Computed, EmulatorError> {
        let before = self.state.account(address)?;
        let unreadable = || EmulatorError::cell("transaction");
        let mut ran = self.run_on(&before, address, message.clone(), external, params)?;
        let transaction = ran.0.transaction.load().map_err(unreadable())?;
        let frozen = parity::freezing::froze(&transaction).map_err(unreadable())?;
        if frozen {
            let before = parity::freezing::frozen(&before).map_err(EmulatorError::cell("account"))?;
            let params = ExecutorParams {
                disable_delete_frozen_accounts: true,
                ..params.clone()
            };
            ran = self.run_on(&before, address, message, external, &params)?;
        }
        let (output, actions) = ran;
        let next_lt = output.transaction_meta.next_lt;
        let burned = output.burned.into_inner();
        let rewritten = parity::rewrite(
            &before,
            frozen,
            output,
            actions.as_ref(),
            address.workchain,
            &self.config,
        )
        .map_err(unreadable())?;
        let report = TransactionReport::from_cell(address.workchain, rewritten.transaction).map_err(unreadable())?;
        Ok(Computed {
            report,
            account: rewritten.account,
            next_lt,
            burned,
        })
    }

    /// Has the executor run one message on an account in a given state; also tells the actions.
    fn run_on(
        &self,
        before: &ShardAccount,
        address: &Address,
        message: Cell,
        external: bool,
        params: &ExecutorParams,
    ) -> Result<(ExecutorOutput, Option<Cell>), EmulatorError> {
        let mut inspector = ExecutorInspector::default();
        let executor = Executor::new(params, &self.config).with_min_lt(self.state.lt);
        let failed = |reason: String| EmulatorError::Executor {
            address: address.clone(),
            reason,
        };
        let executed = executor.begin_ordinary_ext(address, external, message, before, Some(&mut inspector));
        let output = match executed {
            Ok(uncommitted) => uncommitted.commit().map_err(|error| failed(format!("{error:#}")))?,
            Err(TxError::Skipped) => {
                let exit_code = inspector.exit_code;
                return Err(EmulatorError::ExternalRefused {
                    address: address.clone(),
                    exit_code,
                });
            }
            Err(TxError::Fatal(error)) => return Err(failed(format!("{error:#}"))),
        };
        Ok((output, inspector.actions))
    }
}

/// A transaction before it is kept.
struct Computed {
    report: TransactionReport,
    account: ShardAccount,
    next_lt: u64,
    burned: u128,
}

impl std::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Emulator")
            .field("now", &self.state.now)
            .field("lt", &self.state.lt)
            .field("accounts", &self.state.accounts.len())
            .field("transactions", &self.state.transactions.len())
            .finish_non_exhaustive()
    }
}

/// Reads an internal message and where it goes.
fn internal(message: &Cell) -> Result<(Address, Message), EmulatorError> {
    let refused = |reason: String| EmulatorError::Message {
        expected: "an internal message",
        reason,
    };
    let parsed = Message::from_cell(message.clone()).map_err(|error| refused(error.to_string()))?;
    match (parsed.kind, parsed.destination.clone()) {
        (MessageKind::Internal, Some(address)) => Ok((address, parsed)),
        _ => Err(refused(
            "it is an external one or has no standard destination".to_owned(),
        )),
    }
}

/// Checks an external message and tells where it goes.
fn external(message: &Cell) -> Result<Address, EmulatorError> {
    let refused = |reason: String| EmulatorError::Message {
        expected: "an external message",
        reason,
    };
    let (bytes, depth) = (Boc::encode(message).len(), message.repr_depth());
    if bytes > MAX_EXTERNAL_MESSAGE_BYTES || depth > MAX_EXTERNAL_MESSAGE_DEPTH {
        return Err(EmulatorError::MessageTooLarge { bytes, depth });
    }
    let parsed = Message::from_cell(message.clone()).map_err(|error| refused(error.to_string()))?;
    match (parsed.kind, parsed.destination) {
        (MessageKind::ExternalIn, Some(address)) => Ok(address),
        _ => Err(refused(
            "it is an internal one or has no standard destination".to_owned(),
        )),
    }
}
