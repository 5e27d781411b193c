//! Why the ledger refuses.

use cocoon_bindings::ton::Address;
use cocoon_bindings::units::{Nanoton, TokenCount};

/// Who has to act for the refusal to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This node.
    Local,
    /// The payer.
    Client,
    /// The chain or what was read from it.
    Chain,
}

/// A refusal. The ledger is unchanged after each of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// No channel with this contract.
    #[error("no channel with contract {contract}")]
    UnknownChannel {
        /// The contract asked for.
        contract: Address,
    },
    /// The state of the client's contract has not been read yet.
    #[error("client contract {contract} has not been seen on chain")]
    NotOnChain {
        /// The client contract.
        contract: Address,
    },
    /// The client's contract is closing or closed.
    #[error("client is closing")]
    ClientClosing,
    /// The client's contract belongs to a proxy contract that is being wound up.
    #[error("client contract {contract} is of outdated parameters")]
    Retired {
        /// The client contract.
        contract: Address,
    },
    /// Less is available than the request may cost.
    #[error(
        "client balance is too low: needed={needed} available={available} tokens_payed={paid} tokens_used={used} \
         tokens_reserved={reserved} tokens_stake={stake}"
    )]
    BalanceTooLow {
        /// Tokens that the request may cost.
        needed: TokenCount,
        /// Tokens that may still be reserved.
        available: TokenCount,
        /// Tokens that the contract's balance pays for, used ones included.
        paid: TokenCount,
        /// Tokens charged so far.
        used: TokenCount,
        /// Tokens reserved by running requests.
        reserved: TokenCount,
        /// Tokens that the stake covers.
        stake: TokenCount,
    },
    /// The chain is away, and the credit for that time is used up.
    #[error("the chain is away: {asked} nanoton asked, {granted} of {limit} granted")]
    OutageCredit {
        /// What the request may cost.
        asked: Nanoton,
        /// What was granted already.
        granted: Nanoton,
        /// The limit, of the client or of all.
        limit: Nanoton,
    },
    /// The request asks for more tokens than any request may.
    #[error("max_tokens {asked} exceeds {limit}")]
    TooManyTokens {
        /// Tokens asked for.
        asked: u64,
        /// [`crate::limits::MAX_REQUEST_TOKENS`].
        limit: u64,
    },
    /// Too many requests of this client are running.
    #[error("client has {open} requests running, the limit is {limit}")]
    TooManyReservations {
        /// Open reservations.
        open: usize,
        /// [`crate::limits::MAX_RESERVATIONS_PER_CLIENT`].
        limit: usize,
    },
    /// The reservation was charged or released already, or never was.
    #[error("reservation is not open")]
    ReservationGone,
    /// Another charge came between the quote and its application.
    #[error("the channel moved on since the charge was prepared")]
    StaleCharge,
    /// A total would not fit its type.
    #[error("token total overflows")]
    Overflow,
    /// A contract knows a higher total than the receipts of this ledger: the ledger is an old copy.
    #[error("contract {contract} was charged up to {on_chain} tokens, this database has receipts for {durable}")]
    BehindContract {
        /// The contract.
        contract: Address,
        /// Total on chain.
        on_chain: TokenCount,
        /// Total of the receipts here.
        durable: TokenCount,
    },
    /// The chain holds a state commit that this ledger never sent: the ledger is an old copy, or two run at once.
    #[error("the chain holds state commit {seqno}, which this database (at {known}) did not send")]
    ForeignCommit {
        /// Number on chain.
        seqno: u32,
        /// Last number of this ledger.
        known: u32,
    },
    /// The contract has anchored a log that is longer than this one, or another one of the same length.
    #[error("the anchored log has {anchored} receipts, this one of {size} did not lead to it")]
    BehindAnchor {
        /// Receipts in the anchored log.
        anchored: u64,
        /// Receipts here.
        size: u64,
    },
    /// The log that was published has more receipts than this one, or others.
    #[error("the published log has {published} receipts, this one of {size} did not lead to it")]
    BehindPublished {
        /// Receipts under the newest checkpoint that was signed.
        published: u64,
        /// Receipts here.
        size: u64,
    },
    /// A peer holds what this proxy's key has signed for it, and this ledger does not have it.
    #[error("the owner of {contract} holds our signature for {what} {proven}, this database knows {known}")]
    BehindPeer {
        /// The peer's contract.
        contract: Address,
        /// What is compared: the number of a receipt, or a total of tokens.
        what: &'static str,
        /// What the signature is for.
        proven: u64,
        /// What is here.
        known: u64,
    },
    /// Too many state commits never arrived.
    #[error("{pending} state commits are unconfirmed")]
    TooManyCommits {
        /// How many.
        pending: usize,
    },
}

impl LedgerError {
    /// Who has to act.
    pub fn who(&self) -> Who {
        match self {
            Self::BalanceTooLow { .. }
            | Self::TooManyTokens { .. }
            | Self::TooManyReservations { .. }
            | Self::Retired { .. }
            | Self::ClientClosing => Who::Client,
            Self::NotOnChain { .. } | Self::TooManyCommits { .. } | Self::OutageCredit { .. } => Who::Chain,
            _ => Who::Local,
        }
    }

    /// Whether this says that the database is older than what others have seen.
    pub fn is_rollback(&self) -> bool {
        matches!(
            self,
            Self::BehindContract { .. }
                | Self::ForeignCommit { .. }
                | Self::BehindAnchor { .. }
                | Self::BehindPublished { .. }
                | Self::BehindPeer { .. }
        )
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BalanceTooLow { .. } => "top up the client contract, lower max_tokens, or wait for running requests",
            Self::Retired { .. } => "connect again: the proxy has a contract of the new parameters",
            Self::ClientClosing => "the client contract is closing: open a new one",
            Self::TooManyTokens { .. } => "lower max_tokens",
            Self::TooManyReservations { .. } => "wait for running requests to end",
            Self::BehindContract { .. }
            | Self::ForeignCommit { .. }
            | Self::BehindAnchor { .. }
            | Self::BehindPublished { .. }
            | Self::BehindPeer { .. } => {
                "restore the newest copy of the database; never run two proxies with one contract"
            }
            Self::OutageCredit { .. } => "wait until the chain can be reached again, or use another proxy",
            Self::NotOnChain { .. } | Self::TooManyCommits { .. } => "check the connection to the chain",
            _ => "this is a defect of the proxy: please report it",
        }
    }
}
