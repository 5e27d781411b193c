//! What a message does to a contract.

use cocoon_bindings::ton::Address;

use crate::model::body::Body;

/// A tenth of a TON, which every message to a client or worker must bring.
pub(crate) const COMMISSION: u128 = 100_000_000;
/// What always stays on a root or proxy contract.
pub(crate) const STORAGE: u128 = 10_000_000;
/// What always stays on a client or worker contract.
pub(crate) const CHILD: u128 = COMMISSION + STORAGE;

/// What a contract sees besides the message's body.
#[derive(Debug, Clone)]
pub(crate) struct Env {
    pub(crate) me: Address,
    pub(crate) from: Address,
    pub(crate) now: u32,
    pub(crate) value: u128,
    /// The balance when the code starts: storage is paid, the value is in it.
    pub(crate) original: u128,
    /// Storage fees that are still owed.
    pub(crate) due: u128,
}

impl Env {
    /// What the contract keeps: what it had, and at least the floor.
    pub(crate) fn keep(&self, floor: u128) -> u128 {
        (self.original + self.due).saturating_sub(self.value).max(floor)
    }
}

/// How a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Refused with this code.
    Refused(i32),
    /// Refused, with whatever code.
    Failed,
}

/// Whether a message that fails comes back, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    /// It stays.
    Never,
    /// It comes back with the beginning of its body.
    Plain,
    /// It comes back with the whole body.
    Rich,
    /// It comes back with the body's root cell.
    RichRoot,
}

/// Something that a contract does with its coins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Sets coins apart.
    Keep(u128),
    /// Sends exactly so much, and the fee besides.
    Exactly { to: Address, value: u128, body: Body },
    /// Sends exactly so much, or nothing where that cannot be sent.
    ExactlyOrKeep { to: Address, value: u128, body: Body },
    /// Sends what is not set apart, or nothing where that cannot be sent.
    RestOrKeep { to: Address, body: Body },
    /// Sends what is not set apart.
    Rest { to: Address, back: Return, body: Body },
    /// Sends what it was told to send.
    Raw {
        mode: u8,
        to: Address,
        value: u128,
        bounce: bool,
        body: Body,
    },
}

/// What an accepted message does, or the code that refuses it.
pub(crate) type Outcome = Result<Vec<Act>, Exit>;

/// A refusal.
pub(crate) fn refuse<T>(code: i32) -> Result<T, Exit> {
    Err(Exit::Refused(code))
}

/// Refuses unless the condition holds.
pub(crate) fn require(condition: bool, code: i32) -> Result<(), Exit> {
    if condition { Ok(()) } else { refuse(code) }
}

/// Keeps an amount and sends the rest back.
pub(crate) fn keep_and_return(amount: u128, to: &Address, query: u64) -> Vec<Act> {
    vec![Act::Keep(amount), excesses(to, query)]
}

/// The rest of the value, on its way back.
pub(crate) fn excesses(to: &Address, query: u64) -> Act {
    Act::Rest {
        to: to.clone(),
        back: Return::Never,
        body: Body::Excesses { query },
    }
}

/// Keeps an amount and sends the rest of an undone step back, if it can be sent.
pub(crate) fn keep_and_return_unused(amount: u128, to: &Address, query: u64) -> Vec<Act> {
    let (to, body) = (to.clone(), Body::Excesses { query });
    vec![Act::Keep(amount), Act::RestOrKeep { to, body }]
}

/// A payment of exactly so much.
pub(crate) fn payout(to: &Address, value: u128, query: u64) -> Act {
    Act::Exactly {
        to: to.clone(),
        value,
        body: Body::Payout { query },
    }
}
