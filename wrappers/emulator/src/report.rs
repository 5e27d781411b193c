//! What one transaction did, read back from the transaction cell itself.

use cocoon_bindings::ton::{Address, Boc, Cell, CellError, HashBytes};
use cocoon_bindings::units::Nanoton;
use tycho_types::models::{
    AccountStatus, BouncePhase, ComputePhase, ComputePhaseSkipReason, OrdinaryTxInfo, Transaction, TxInfo,
};
use tycho_types::num::Tokens;

use crate::message::{Message, MessageKind};

/// How the contract's code fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compute {
    /// The code did not run.
    Skipped(ComputePhaseSkipReason),
    /// The code ran.
    Ran {
        /// Whether its result was taken.
        success: bool,
        /// 0 and 1 are success, the rest are errors of the contract or of the machine.
        exit_code: i32,
        /// Gas used.
        gas_used: u64,
        /// Instructions executed.
        steps: u32,
    },
}

/// How the actions that the code asked for fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// Whether all were done.
    pub success: bool,
    /// 0, or why not.
    pub result_code: i32,
    /// Number of actions.
    pub total: u16,
    /// Actions that were skipped because they were sent with the mode that ignores errors.
    pub skipped: u16,
    /// Messages created.
    pub messages: u16,
}

/// Where the fees of a transaction went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fees {
    /// For storing the account's state.
    pub storage: Nanoton,
    /// For gas.
    pub gas: Nanoton,
    /// For forwarding the messages that were created, both halves: what this side keeps and what they carry on.
    pub forward: Nanoton,
    /// For importing an external message.
    pub import: Nanoton,
    /// All that this transaction took (the half of `forward` that messages carry on is not in it).
    pub total: Nanoton,
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionReport {
    /// Account.
    pub address: Address,
    /// Logical time.
    pub lt: u64,
    /// Hash of the transaction.
    pub hash: HashBytes,
    /// Logical time of the account's previous transaction, 0 for the first.
    pub previous_lt: u64,
    /// Hash of the account's previous transaction, zero for the first.
    pub previous_hash: HashBytes,
    /// Time, seconds since 1970.
    pub now: u32,
    /// Message that set it off.
    pub in_msg: Option<Message>,
    /// Messages that it sent, in order.
    pub out_msgs: Vec<Message>,
    /// State of the account before.
    pub status_before: AccountStatus,
    /// State of the account after.
    pub status_after: AccountStatus,
    /// The code.
    pub compute: Compute,
    /// The actions, if it came to them.
    pub action: Option<Action>,
    /// Whether the incoming message was sent back.
    pub bounced: bool,
    /// Whether the transaction left the account's code and data as they were.
    pub aborted: bool,
    /// Whether the account was destroyed.
    pub destroyed: bool,
    /// Fees.
    pub fees: Fees,
    /// The transaction itself.
    pub cell: Cell,
}

impl TransactionReport {
    /// Reads a transaction of `workchain`. The cell holds the account's hash but not its workchain.
    pub fn from_cell(workchain: i8, cell: Cell) -> Result<Self, CellError> {
        let transaction = cell.parse::<Transaction>()?;
        let in_msg = transaction.in_msg.clone().map(Message::from_cell).transpose()?;
        let out_msgs = transaction
            .out_msgs
            .values()
            .map(|message| Message::from_cell(message?))
            .collect::<Result<Vec<_>, CellError>>()?;
        let info = match transaction.load_info()? {
            TxInfo::Ordinary(info) => info,
            TxInfo::TickTock(info) => OrdinaryTxInfo {
                credit_first: false,
                storage_phase: Some(info.storage_phase),
                credit_phase: None,
                compute_phase: info.compute_phase,
                action_phase: info.action_phase,
                aborted: info.aborted,
                bounce_phase: None,
                destroyed: info.destroyed,
            },
        };
        let total = nanoton(transaction.total_fees.tokens);
        let external = in_msg
            .as_ref()
            .is_some_and(|message| message.kind == MessageKind::ExternalIn);
        Ok(Self {
            address: Address::new(workchain, transaction.account),
            lt: transaction.lt,
            hash: *cell.repr_hash(),
            previous_lt: transaction.prev_trans_lt,
            previous_hash: transaction.prev_trans_hash,
            now: transaction.now,
            in_msg,
            out_msgs,
            status_before: transaction.orig_status,
            status_after: transaction.end_status,
            compute: compute(&info.compute_phase),
            action: action(&info),
            bounced: matches!(info.bounce_phase, Some(BouncePhase::Executed(_))),
            aborted: info.aborted,
            destroyed: info.destroyed,
            fees: fees(&info, total, external),
            cell,
        })
    }

    /// Exit code of the code, if it ran.
    pub fn exit_code(&self) -> Option<i32> {
        match self.compute {
            Compute::Ran { exit_code, .. } => Some(exit_code),
            Compute::Skipped(_) => None,
        }
    }

    /// Result code of the actions, if it came to them.
    pub fn action_code(&self) -> Option<i32> {
        self.action.map(|action| action.result_code)
    }

    /// Gas used, 0 if the code did not run.
    pub fn gas_used(&self) -> u64 {
        match self.compute {
            Compute::Ran { gas_used, .. } => gas_used,
            Compute::Skipped(_) => 0,
        }
    }

    /// Whether code and actions both succeeded.
    pub fn success(&self) -> bool {
        !self.aborted
    }

    /// The operation of the incoming message, if it has one.
    pub fn op(&self) -> Option<u32> {
        self.in_msg.as_ref().and_then(Message::op)
    }

    /// The block that holds the transaction.
    pub fn block(&self) -> u32 {
        crate::block_of(self.lt)
    }

    /// The transaction as a bag of cells.
    pub fn boc(&self) -> Vec<u8> {
        Boc::encode(&self.cell)
    }
}

fn compute(phase: &ComputePhase) -> Compute {
    match phase {
        ComputePhase::Skipped(skipped) => Compute::Skipped(skipped.reason),
        ComputePhase::Executed(phase) => Compute::Ran {
            success: phase.success,
            exit_code: phase.exit_code,
            gas_used: phase.gas_used.into_inner(),
            steps: phase.vm_steps,
        },
    }
}

fn action(info: &OrdinaryTxInfo) -> Option<Action> {
    info.action_phase.as_ref().map(|phase| Action {
        success: phase.success,
        result_code: phase.result_code,
        total: phase.total_actions,
        skipped: phase.skipped_actions,
        messages: phase.messages_created,
    })
}

fn fees(info: &OrdinaryTxInfo, total: Nanoton, external: bool) -> Fees {
    let storage = info
        .storage_phase
        .as_ref()
        .map_or(Nanoton::ZERO, |phase| nanoton(phase.storage_fees_collected));
    let gas = match &info.compute_phase {
        ComputePhase::Executed(phase) => nanoton(phase.gas_fees),
        ComputePhase::Skipped(_) => Nanoton::ZERO,
    };
    let optional = |tokens: Option<Tokens>| tokens.map_or(Nanoton::ZERO, nanoton);
    let (forward, kept) = match (&info.action_phase, &info.bounce_phase) {
        (_, Some(BouncePhase::Executed(phase))) => {
            let kept = nanoton(phase.msg_fees);
            (kept.checked_add(nanoton(phase.fwd_fees)).unwrap_or(kept), kept)
        }
        (Some(phase), _) if phase.success => (optional(phase.total_fwd_fees), optional(phase.total_action_fees)),
        // What is on record for messages before the one that failed was not taken.
        (Some(phase), _) => (Nanoton::ZERO, optional(phase.total_action_fees)),
        (None, _) => (Nanoton::ZERO, Nanoton::ZERO),
    };
    let due = info
        .credit_phase
        .as_ref()
        .map_or(Nanoton::ZERO, |phase| optional(phase.due_fees_collected));
    let others = [storage, gas, kept, due];
    let import = others.into_iter().fold(total, Nanoton::saturating_sub);
    Fees {
        storage,
        gas,
        forward,
        import: if external { import } else { Nanoton::ZERO },
        total,
    }
}

fn nanoton(tokens: Tokens) -> Nanoton {
    Nanoton::new(tokens.into_inner())
}
