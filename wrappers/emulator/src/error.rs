//! What can go wrong inside the emulated chain.

use cocoon_bindings::ton::{Address, CellError};

/// An operation that the emulated chain refused or could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The configuration cannot be built or read.
    #[error("chain configuration: {0}")]
    Config(#[source] CellError),
    /// An external message was not accepted: nothing changed on the chain.
    #[error("external message to {address} was refused{}", exit_code_text(*exit_code))]
    ExternalRefused {
        /// Where the message was addressed.
        address: Address,
        /// Exit code of the contract, if it ran at all.
        exit_code: Option<i32>,
    },
    /// The cell is not a message of the expected kind.
    #[error("not {expected}: {reason}")]
    Message {
        /// What was expected.
        expected: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// The message is larger or deeper than the chain takes.
    #[error("external message of {bytes} bytes and depth {depth} exceeds the chain's limits")]
    MessageTooLarge {
        /// Size as a bag of cells.
        bytes: usize,
        /// Depth of its tree of cells.
        depth: u16,
    },
    /// The executor could not build a transaction: a defect of a message or of the executor, never of a contract.
    #[error("transaction on {address} cannot be built: {reason}")]
    Executor {
        /// Account on which it failed.
        address: Address,
        /// The executor's words.
        reason: String,
    },
    /// Messages kept begetting messages.
    #[error("messages did not come to rest within {limit} transactions")]
    Restless {
        /// The limit that was reached.
        limit: usize,
    },
    /// A get method was called on an account without code.
    #[error("account {0} has no code to run")]
    NotActive(Address),
    /// A get method took or returned a value that no caller can use.
    #[error("stack value of type {0} is not supported")]
    StackValue(&'static str),
    /// A cell does not hold what it should.
    #[error("unreadable {what}: {source}")]
    Cell {
        /// What was being read or written.
        what: &'static str,
        /// The cell library's words.
        #[source]
        source: CellError,
    },
    /// The saved chain is damaged or of another kind.
    #[error("saved chain state: {0}")]
    Snapshot(String),
    /// Time may only move forward.
    #[error("the chain's time is {now}, it cannot go back to {asked}")]
    TimeRunsBackwards {
        /// The chain's time.
        now: u32,
        /// The time asked for.
        asked: u32,
    },
    /// An amount left the range of the chain's coins.
    #[error("amount out of range")]
    AmountRange,
}

impl EmulatorError {
    pub(crate) fn cell(what: &'static str) -> impl FnOnce(CellError) -> Self {
        move |source| Self::Cell { what, source }
    }
}

fn exit_code_text(exit_code: Option<i32>) -> String {
    match exit_code {
        Some(code) => format!(" with exit code {code}"),
        None => " before it ran".to_owned(),
    }
}
