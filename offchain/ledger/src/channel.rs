//! One channel: its totals, its place in the chain of receipts, and what its contract says.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Nanoton, TokenCount};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::limits::FREE_TOKENS;

/// State of a client or worker contract, as the contract numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContractState {
    /// Serves.
    Normal,
    /// Is being wound up.
    Closing,
    /// Is over.
    Closed,
}

impl ContractState {
    /// From the number in the contract; anything unknown counts as closed.
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Normal,
            1 => Self::Closing,
            _ => Self::Closed,
        }
    }
}

/// What a client contract says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientOnChain {
    /// Its state.
    pub state: ContractState,
    /// Its balance.
    pub balance: Nanoton,
    /// Its stake: how much of it may be used without having been charged.
    pub stake: Nanoton,
    /// Tokens charged so far.
    pub tokens_used: TokenCount,
    /// Price of one token by the parameters in the contract.
    pub price: Nanoton,
    /// Hash of the secret that authorises a connection.
    pub secret_hash: HashBytes,
}

/// What a worker contract says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerOnChain {
    /// Its state.
    pub state: ContractState,
    /// Tokens paid so far.
    pub tokens: TokenCount,
    /// What the worker earns per token by the parameters in the contract.
    pub worker_fee: Nanoton,
}

/// Where a receipt stands in a channel; the numbers of a receipt's channel link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Number of the receipt, 1 for the first.
    pub seqno: u64,
    /// Hash of the one before.
    pub previous: HashBytes,
    /// Total before.
    pub before: TokenCount,
    /// Total after.
    pub after: TokenCount,
}

/// Totals and place of one channel. `max ≥ db ≥ chain ≥ signable`, and each only grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Everything charged, durable or not.
    pub(crate) max: TokenCount,
    /// What is durable here. Not stored: a stored row is durable as it stands.
    #[serde(skip)]
    pub(crate) db: TokenCount,
    /// What a state commit on chain covers.
    pub(crate) chain: TokenCount,
    /// The same, as far as it is durable here: only this is ever signed. Not stored: a stored row is durable as it stands.
    #[serde(skip)]
    pub(crate) signable: TokenCount,
    /// Number of the last receipt.
    pub(crate) seqno: u64,
    /// Its hash.
    pub(crate) hash: HashBytes,
    /// Values at state commits that have not been seen on chain yet.
    pub(crate) marks: Vec<Mark>,
    /// Voucher handed to the contract and not seen there yet.
    #[serde(skip)]
    pub(crate) submitted: Option<Submitted>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) seqno: u32,
    pub(crate) value: TokenCount,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submitted {
    pub(crate) tokens: TokenCount,
    pub(crate) at: u64,
    /// How often a voucher of this amount was submitted before.
    pub(crate) repeats: u32,
    /// It closes the contract, and is refused when nothing was used since the last one: the total says nothing about that.
    pub(crate) is_refund: bool,
}

impl Account {
    pub(crate) fn new() -> Self {
        Self {
            max: TokenCount::ZERO,
            db: TokenCount::ZERO,
            chain: TokenCount::ZERO,
            signable: TokenCount::ZERO,
            seqno: 0,
            hash: HashBytes::ZERO,
            marks: Vec::new(),
            submitted: None,
        }
    }

    /// Everything charged.
    pub fn max(&self) -> TokenCount {
        self.max
    }

    /// What is durable.
    pub fn db(&self) -> TokenCount {
        self.db
    }

    /// What a state commit on chain covers, once that is durable here: the amount that a voucher may carry.
    #[expect(
        clippy::misnamed_getters,
        reason = "what is on chain is told once it is durable here too"
    )]
    pub fn chain(&self) -> TokenCount {
        self.signable
    }

    /// Number and hash of the last receipt.
    pub fn tail(&self) -> (u64, HashBytes) {
        (self.seqno, self.hash)
    }

    pub(crate) fn next(&self, tokens: TokenCount) -> Result<Position, LedgerError> {
        Ok(Position {
            seqno: self.seqno.checked_add(1).ok_or(LedgerError::Overflow)?,
            previous: self.hash,
            before: self.max,
            after: self.max.checked_add(tokens).ok_or(LedgerError::Overflow)?,
        })
    }

    pub(crate) fn is_at(&self, position: &Position) -> bool {
        self.seqno.checked_add(1) == Some(position.seqno)
            && self.hash == position.previous
            && self.max == position.before
            && position.after >= position.before
    }

    pub(crate) fn advance(&mut self, position: &Position, hash: HashBytes) {
        self.seqno = position.seqno;
        self.hash = hash;
        self.max = position.after;
    }

    /// A row that was like this is durable now.
    pub(crate) fn persisted(&mut self, row: &Self) {
        self.db = self.db.max(row.max.min(self.max));
        self.signable = self.signable.max(row.chain.min(self.chain));
    }

    /// A row that was read back is durable as it stands.
    pub(crate) fn restored(&mut self) {
        self.db = self.max;
        self.signable = self.chain;
        self.submitted = None;
    }

    pub(crate) fn mark(&mut self, seqno: u32) -> bool {
        if self.db == self.chain || self.marks.last().is_some_and(|mark| mark.value == self.db) {
            return false;
        }
        self.marks.push(Mark { seqno, value: self.db });
        true
    }

    /// Everything remembered up to `seqno` is committed; says whether anything changed.
    pub(crate) fn landed(&mut self, seqno: u32) -> bool {
        let Some(mark) = self.marks.iter().rfind(|mark| mark.seqno <= seqno).copied() else {
            return false;
        };
        self.marks.retain(|mark| mark.seqno > seqno);
        self.chain = self.chain.max(mark.value);
        true
    }

    /// Takes note of the total in the contract. A client or a worker may have claimed there what a receipt says, before any
    /// state commit covered it: only a total that no durable receipt here explains means that this ledger is an old copy.
    pub(crate) fn seen_on_chain(&mut self, contract: &Address, tokens: TokenCount) -> Result<(), LedgerError> {
        if tokens > self.db {
            return Err(LedgerError::BehindContract {
                contract: contract.clone(),
                on_chain: tokens,
                durable: self.db,
            });
        }
        let has_arrived = |submitted: Submitted| !submitted.is_refund && tokens >= submitted.tokens;
        if self.submitted.is_some_and(has_arrived) {
            self.submitted = None;
        }
        Ok(())
    }
}

/// A client's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientChannel {
    /// Owner of the client contract: the client's wallet contract.
    pub owner: Address,
    /// Totals and place.
    pub account: Account,
    /// The contract, as last seen; `None` until it was seen.
    pub on_chain: Option<ClientOnChain>,
    /// The proxy contract that the client contract belongs to, once that is being wound up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retired: Option<Address>,
    /// Tokens reserved by running requests.
    #[serde(skip)]
    pub(crate) reserved: TokenCount,
    /// Open reservations.
    #[serde(skip)]
    pub(crate) running: usize,
}

impl ClientChannel {
    pub(crate) fn new(owner: Address) -> Self {
        Self {
            owner,
            account: Account::new(),
            on_chain: None,
            retired: None,
            reserved: TokenCount::ZERO,
            running: 0,
        }
    }

    /// Tokens reserved by running requests.
    pub fn reserved(&self) -> TokenCount {
        self.reserved
    }

    /// The proxy contract that is being wound up, if this channel belongs to one.
    pub fn retired(&self) -> Option<&Address> {
        self.retired.as_ref()
    }

    /// How many requests hold a reservation.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Tokens that the balance pays for and that the stake covers, used ones included.
    pub(crate) fn cover(&self) -> Option<(TokenCount, TokenCount)> {
        let chain = self.on_chain.as_ref()?;
        let tokens = |amount: Nanoton| match amount.checked_div(chain.price) {
            None => FREE_TOKENS,
            Some(tokens) => u64::try_from(tokens).unwrap_or(u64::MAX),
        };
        let with_used = |tokens: u64| TokenCount::new(tokens.saturating_add(chain.tokens_used.get()));
        Some((with_used(tokens(chain.balance)), with_used(tokens(chain.stake))))
    }

    /// Tokens that may still be reserved: what balance and stake both cover, less what is reserved or charged.
    pub fn available(&self) -> TokenCount {
        let Some((paid, stake)) = self.cover() else {
            return TokenCount::ZERO;
        };
        paid.min(stake)
            .saturating_sub(self.reserved)
            .saturating_sub(self.account.max)
    }
}

/// A worker's channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerChannel {
    /// Owner of the worker contract.
    pub owner: Address,
    /// Totals and place.
    pub account: Account,
    /// The contract, as last seen; `None` until it was seen. A worker contract may be deployed only when it is paid.
    pub on_chain: Option<WorkerOnChain>,
    /// The proxy contract that the worker contract belongs to, once that is being wound up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retired: Option<Address>,
}

impl WorkerChannel {
    pub(crate) fn new(owner: Address) -> Self {
        Self {
            owner,
            account: Account::new(),
            on_chain: None,
            retired: None,
        }
    }

    /// The proxy contract that is being wound up, if this channel belongs to one.
    pub fn retired(&self) -> Option<&Address> {
        self.retired.as_ref()
    }
}
