//! Operations on the client contracts that a person asks for over HTTP: planned on the live state, confirmed once, followed until
//! all that they set off has arrived.
//!
//! **Invariant:** a plan is carried out at most once, and only while it would still do what it said; one operation at a time.

mod book;
mod carry;
mod plan;
mod refusal;

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_owner::Operation;
use cocoon_owner::operation::client;

pub(crate) use book::{Book, Run, Status};
pub(crate) use carry::confirm;
pub(crate) use plan::{Plan, make};
pub(crate) use refusal::Refusal;

/// What is wished of a client contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Pay in.
    TopUp(Nanoton),
    /// Raise the stake to this.
    Stake(Nanoton),
    /// Take back what exceeds the stake.
    Withdraw,
    /// Begin to close, or end it.
    Close {
        /// Also when the proxy's stake does not cover what is left.
        accepts_less: bool,
    },
}

impl Wish {
    /// All names, in the order in which they are shown.
    pub(crate) const NAMES: [&'static str; 4] = ["topup", "stake", "withdraw", "close"];

    /// As it stands in paths and answers.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::TopUp(_) => "topup",
            Self::Stake(_) => "stake",
            Self::Withdraw => "withdraw",
            Self::Close { .. } => "close",
        }
    }

    /// What an owner's command would do for it.
    fn operation(&self, contract: &Address) -> Box<dyn Operation> {
        let contract = contract.clone();
        match *self {
            Self::TopUp(amount) => Box::new(client::TopUp {
                contract,
                amount,
                secret_hash: None,
                reopen: false,
            }),
            Self::Stake(stake) => Box::new(client::Stake { contract, stake }),
            Self::Withdraw => Box::new(client::Withdraw { contract }),
            Self::Close { accepts_less } => Box::new(client::Close { contract, accepts_less }),
        }
    }
}
