//! What can go wrong between us and the chain, and what to do about it.

use std::time::Duration;

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::EmulatorError;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Ours: configuration or a defect.
    Local,
    /// The server that we reach the chain through.
    Server,
    /// The chain or a contract on it.
    Chain,
}

/// Whether it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same will fail again.
    Never,
    /// Later, the same way.
    Later,
    /// At another server, or at the same one later.
    OtherServer,
}

/// Why something about the chain did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The configured address of the server is not a URL.
    #[error("{url:?} is not the URL of a chain server: {reason}")]
    Url {
        /// What was configured.
        url: String,
        /// Why it is not a URL.
        reason: String,
    },
    /// The server cannot be reached or broke off.
    #[error("chain server {url} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("chain server {url} did not answer {method} within {seconds} s")]
    Timeout {
        /// The server.
        url: String,
        /// The method called.
        method: &'static str,
        /// The time given.
        seconds: u64,
    },
    /// The server answered with an error.
    #[error("chain server refused {method}: {message} (code {code})")]
    ServerRefused {
        /// The method called.
        method: &'static str,
        /// The server's code.
        code: i64,
        /// The server's words, shortened.
        message: String,
    },
    /// The server has been asked too often.
    #[error("chain server takes no more questions for now ({method})")]
    RateLimited {
        /// The method called.
        method: &'static str,
        /// How long it asks to be left alone, if it says.
        retry_after: Option<Duration>,
    },
    /// The server has not followed the chain: its answer is older than what was seen before.
    #[error("chain server is behind: {reason}")]
    Stale {
        /// What is older than what.
        reason: String,
    },
    /// What the server says about the chain is not proven by what it shows.
    #[error("chain server's proof does not hold: {reason}")]
    Unproven {
        /// What does not fit.
        reason: String,
    },
    /// No server may be asked now.
    #[error("no chain server can be asked: {reason}")]
    NoServer {
        /// Why not.
        reason: String,
    },
    /// This way to the chain has no such question.
    #[error("this way to the chain does not offer {what}")]
    NotOffered {
        /// What was asked for.
        what: &'static str,
    },
    /// The list of servers or of trusted blocks cannot be used.
    #[error("the chain's configuration cannot be used: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// The server's answer makes no sense.
    #[error("chain server's answer to {method} is unreadable: {reason}")]
    Response {
        /// The method called.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The chain did not accept an external message.
    #[error("the chain refused the message: {reason}")]
    MessageRefused {
        /// Exit code of the contract, where known.
        exit_code: Option<i32>,
        /// The words of whoever refused.
        reason: String,
    },
    /// There is no contract at the address.
    #[error("no {what} at {address}")]
    NotDeployed {
        /// What should have been there.
        what: &'static str,
        /// Where.
        address: Address,
    },
    /// The contract's data is not what it should be.
    #[error("{what} at {address} is unreadable: {source}")]
    Data {
        /// What should have been there.
        what: &'static str,
        /// Where.
        address: Address,
        /// What the reader met.
        #[source]
        source: BindingsError,
    },
    /// A get method failed.
    #[error("get method {method} of {address} failed with exit code {exit_code}")]
    GetMethod {
        /// The method.
        method: String,
        /// The contract.
        address: Address,
        /// Its exit code.
        exit_code: i32,
    },
    /// A message could not be built.
    #[error("message cannot be built: {0}")]
    Build(#[from] BindingsError),
    /// Too many messages for one external message of the wallet.
    #[error("{given} messages at once, a wallet sends at most {limit}")]
    TooManyMessages {
        /// How many there were.
        given: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The wallet must keep a minimum and cannot send this.
    #[error("wallet {wallet} holds {balance}, it needs {needed} to send")]
    WalletBalance {
        /// The wallet.
        wallet: Address,
        /// What it holds.
        balance: Nanoton,
        /// What it needs.
        needed: Nanoton,
    },
    /// Something else with the same key sent from the wallet.
    #[error("wallet {wallet} moved to seqno {seqno} by a message that is not ours")]
    SeqnoTaken {
        /// The wallet.
        wallet: Address,
        /// Its seqno now.
        seqno: u32,
    },
    /// A sent message was not executed before it expired.
    #[error("the message of wallet {wallet} with seqno {seqno} was not executed within {} s", waited.as_secs())]
    NotIncluded {
        /// The wallet.
        wallet: Address,
        /// The message's seqno.
        seqno: u32,
        /// How long we waited.
        waited: Duration,
    },
    /// The wallet executed our message but did not send all that it was asked to. Its seqno is used up.
    #[error("wallet {wallet} sent {sent} of {asked} messages{}", action_text(*action_code))]
    NotSent {
        /// The wallet.
        wallet: Address,
        /// Messages sent.
        sent: usize,
        /// Messages that should have been sent.
        asked: usize,
        /// Result code of the wallet's actions.
        action_code: Option<i32>,
    },
    /// The chain's history was longer than we read.
    #[error("history of {address} is longer than {limit} transactions")]
    HistoryTooLong {
        /// The account.
        address: Address,
        /// What we read at most.
        limit: usize,
    },
    /// The emulated chain failed.
    #[error("emulated chain: {0}")]
    Emulator(#[source] EmulatorError),
    /// The saved state of an emulated chain cannot be read.
    #[error("cannot read the chain state in {path}: {source}")]
    StateFile {
        /// The file.
        path: std::path::PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
}

impl ChainError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::ServerRefused { .. }
            | Self::RateLimited { .. }
            | Self::Stale { .. }
            | Self::Unproven { .. }
            | Self::NoServer { .. }
            | Self::Response { .. } => Who::Server,
            Self::MessageRefused { .. }
            | Self::NotDeployed { .. }
            | Self::Data { .. }
            | Self::GetMethod { .. }
            | Self::WalletBalance { .. }
            | Self::SeqnoTaken { .. }
            | Self::NotIncluded { .. }
            | Self::NotSent { .. }
            | Self::HistoryTooLong { .. } => Who::Chain,
            Self::Url { .. }
            | Self::Config { .. }
            | Self::NotOffered { .. }
            | Self::Build(_)
            | Self::TooManyMessages { .. }
            | Self::Emulator(_)
            | Self::StateFile { .. } => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::RateLimited { .. }
            | Self::Stale { .. }
            | Self::Unproven { .. }
            | Self::NoServer { .. }
            | Self::Response { .. } => Retry::OtherServer,
            // What a server calls a bad question stays one. All else is about the server: its errors pass, and another one may
            // have the path, or take the key, that this one refuses.
            Self::ServerRefused { code, .. } if !matches!(code, 400 | 422) => Retry::OtherServer,
            Self::NotDeployed { .. }
            | Self::WalletBalance { .. }
            | Self::SeqnoTaken { .. }
            | Self::NotIncluded { .. } => Retry::Later,
            Self::ServerRefused { .. }
            | Self::MessageRefused { .. }
            | Self::Data { .. }
            | Self::GetMethod { .. }
            | Self::NotSent { .. }
            | Self::HistoryTooLong { .. }
            | Self::Url { .. }
            | Self::Config { .. }
            | Self::NotOffered { .. }
            | Self::Build(_)
            | Self::TooManyMessages { .. }
            | Self::Emulator(_)
            | Self::StateFile { .. } => Retry::Never,
        }
    }

    /// How long the server asks to be left alone; zero if it does not.
    pub fn asked_to_wait(&self) -> Duration {
        match self {
            Self::RateLimited { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        }
    }

    /// Whether a message that was being sent may have got through all the same.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Response { .. } => true,
            // A gateway that gave up does not know what the server behind it did.
            Self::ServerRefused { code, .. } => *code >= 500 || *code == 408,
            _ => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Url { .. } => "check the chain URL in the configuration",
            Self::Unreachable { .. } | Self::Timeout { .. } => "check that the chain server runs and can be reached",
            Self::RateLimited { .. } => "configure an API key, or ask less often",
            Self::Stale { .. } => "add another chain server: this one does not keep up",
            Self::Unproven { .. } => "do not use this chain server: what it says is not what the validators signed",
            Self::NoServer { .. } => "add another chain server, or wait until one can be reached",
            Self::NotOffered { .. } => "configure another kind of chain server",
            Self::Config { .. } => "check the table [chain] of the configuration, and the file that it names",
            Self::ServerRefused { code: 401 | 403, .. } => "check the chain server's API key",
            Self::ServerRefused { .. } | Self::Response { .. } => "try another chain server",
            Self::MessageRefused { .. } => "check the wallet's balance, its key and this machine's clock",
            Self::NotDeployed { .. } => "check the address and the network",
            Self::Data { .. } => "the contract may be of another kind or of a newer version than this program",
            Self::GetMethod { .. } => "check that the address is of the right kind of contract",
            Self::Build(_) | Self::TooManyMessages { .. } | Self::Emulator(_) => "this is a defect of this program",
            Self::WalletBalance { .. } => "send coins to the wallet",
            Self::NotSent { .. } => "send coins to the wallet: it could not pay for all messages",
            Self::SeqnoTaken { .. } => "make sure that only one process uses the wallet's key",
            Self::NotIncluded { .. } => "check this machine's clock and the wallet's balance",
            Self::HistoryTooLong { .. } => "catch up more often",
            Self::StateFile { .. } => "check the path of the local chain's state",
        }
    }
}

fn action_text(code: Option<i32>) -> String {
    match code {
        Some(code) if code != 0 => format!(" (action code {code})"),
        _ => String::new(),
    }
}
