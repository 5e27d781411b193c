//! What can go wrong between an owner and the chain, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::types::ExitCode;
use cocoon_bindings::units::Nanoton;
use cocoon_bindings::{BindingsError, ContractKind};
use cocoon_chain::ChainError;
use cocoon_emulator::EmulatorError;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// What was asked for.
    Caller,
    /// Files of this machine, or this program.
    Local,
    /// The chain, a contract on it, or the way there.
    Chain,
    /// Another signer, and the file that came from there.
    Peer,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// The same will fail again.
    Never,
    /// Running the same again goes on where it stopped.
    Later,
}

/// Why an owner's operation did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// The 24 words are none of a wallet.
    #[error("the mnemonic is refused: {reason}")]
    Mnemonic {
        /// Why, without a word of it.
        reason: &'static str,
    },
    /// A file cannot be read or written.
    #[error("cannot {action} {path}", path = path.display())]
    Disk {
        /// Read, write and the like.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file with a secret can be read by others.
    #[error("{path} can be read by others (mode {mode:03o})", path = path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file with a secret belongs to somebody else.
    #[error("{path} belongs to user {owner}", path = path.display())]
    OfAnotherUser {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A file is larger than anything that belongs there.
    #[error("{path} has more than {limit} bytes", path = path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes allowed.
        limit: u64,
    },
    /// There is a file already.
    #[error("{path} exists already", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A name that cannot be a wallet's.
    #[error("{name:?} cannot be the name of a wallet")]
    Name {
        /// As it was given, shortened.
        name: String,
    },
    /// There is no such wallet.
    #[error("no wallet {name:?} in {folder}", folder = folder.display())]
    NoWallet {
        /// As it was given.
        name: String,
        /// The keystore.
        folder: PathBuf,
    },
    /// A file of the keystore is damaged.
    #[error("{path} is no wallet: {reason}", path = path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// What is sealed in a file does not have the form expected.
    #[error("the sealed secret is refused: {reason}")]
    SealedForm {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The passphrase does not open the seal, or what stands next to it was changed.
    #[error("the passphrase does not open the wallet")]
    WrongPassphrase,
    /// A passphrase for a new key is too short.
    #[error("the passphrase has less than {least} characters")]
    WeakPassphrase {
        /// Characters needed.
        least: usize,
    },
    /// The cipher failed, which it does not with keys and lengths of ours.
    #[error("the secret cannot be sealed")]
    Sealing,
    /// The key is not the wallet's.
    #[error("the key is not that of the wallet")]
    OtherKey,
    /// Another process uses the wallet.
    #[error("another command is using wallet {wallet}")]
    Busy {
        /// The wallet.
        wallet: Address,
    },
    /// The journal of a wallet is damaged.
    #[error("the journal {path} is damaged", path = path.display())]
    Journal {
        /// The file.
        path: PathBuf,
    },
    /// The wallet cannot pay.
    #[error("wallet {wallet} holds {balance}, and needs {needed}")]
    Balance {
        /// The wallet.
        wallet: Address,
        /// What it holds.
        balance: Nanoton,
        /// What it needs.
        needed: Nanoton,
    },
    /// An amount is out of range.
    #[error("an amount is out of range")]
    AmountRange,
    /// A contract refused a message, or would.
    #[error("{}", refusal(*would, *exit_code, address))]
    Refused {
        /// Whether it was only tried out.
        would: bool,
        /// The contract.
        address: Address,
        /// Its exit code, if its code ran.
        exit_code: Option<i32>,
    },
    /// What follows from a message did not arrive in time.
    #[error("the messages that follow did not arrive within {seconds} s")]
    NotSettled {
        /// How long was waited.
        seconds: u64,
    },
    /// What was asked for does not fit the state of the contract.
    #[error("{what}")]
    State {
        /// What is in the way.
        what: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A step of an earlier command went to another contract than the one that is meant now.
    #[error("step {step} of an earlier command has not reached {address}: it went to another contract")]
    Elsewhere {
        /// Name of the step.
        step: &'static str,
        /// The contract that is meant now.
        address: Address,
    },
    /// A file that should hold a proposal does not.
    #[error("the file holds no proposal: {why}")]
    Bundle {
        /// What is wrong with it.
        why: &'static str,
    },
    /// What a proposal is said to be is not what the chain says.
    #[error("the proposal is not what it is said to be: {field} differs from the chain")]
    Differs {
        /// The first field that differs.
        field: &'static str,
    },
    /// The body of a proposal cannot be read.
    #[error("body {body_hash} of the proposal cannot be read: {why}")]
    Unreadable {
        /// Hash of the body.
        body_hash: HashBytes,
        /// Why.
        why: &'static str,
    },
    /// The person said no.
    #[error("nothing was sent")]
    Declined,
    /// The contract at an address is of another kind.
    #[error("{address} is no {kind} contract of this owner")]
    OtherContract {
        /// The address.
        address: Address,
        /// What was expected.
        kind: ContractKind,
    },
    /// A message or address cannot be made.
    #[error(transparent)]
    Bindings(#[from] BindingsError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Trying a message out failed.
    #[error("cannot try the message out")]
    Emulator(#[from] EmulatorError),
}

impl OwnerError {
    /// Names the file and what was being done with it.
    pub(crate) fn disk(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk {
            action,
            path: path.clone(),
            source,
        }
    }

    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            // What was only tried out has changed nothing.
            Self::Refused { would: true, .. }
            | Self::Mnemonic { .. }
            | Self::Name { .. }
            | Self::NoWallet { .. }
            | Self::WeakPassphrase { .. }
            | Self::State { .. }
            | Self::Elsewhere { .. }
            | Self::OtherContract {
                kind: ContractKind::Governor | ContractKind::Root,
                ..
            }
            | Self::Declined => Who::Caller,
            Self::Bundle { .. } | Self::Differs { .. } | Self::Unreadable { .. } => Who::Peer,
            Self::Chain(error) if error.who() != cocoon_chain::Who::Local => Who::Chain,
            Self::Balance { .. } | Self::Refused { .. } | Self::NotSettled { .. } | Self::OtherContract { .. } => {
                Who::Chain
            }
            _ => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. } | Self::NotSettled { .. } | Self::Balance { .. } => Retry::Later,
            Self::Chain(error) if error.retry() != cocoon_chain::Retry::Never => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Mnemonic { .. } => "compare the words with what was written down, in their order",
            Self::Disk { .. } => "check the path, its permissions and the free space",
            Self::OpenToOthers { .. } => "make it yours alone: chmod 600 FILE",
            Self::OfAnotherUser { .. } => "run this as the user whose file it is",
            Self::FileTooLarge { .. } | Self::KeyFile { .. } => "check the path; restore the file from a backup",
            Self::Exists { .. } => "take another name: nothing is written over",
            Self::Name { .. } => "a name has letters, digits, - and _, at most 64",
            Self::NoWallet { .. } => "`cocoon wallet list` shows what is there, `cocoon wallet new` makes one",
            Self::SealedForm { .. } => "restore the file from a backup, or use a newer version of this program",
            Self::WrongPassphrase => "type it again; if the file was changed, restore it from a backup",
            Self::WeakPassphrase { .. } => "take several words that do not belong together",
            Self::Sealing | Self::Emulator(_) => "this is a defect of this program",
            Self::OtherKey => "restore the wallet's file from a backup",
            Self::Busy { .. } => "wait until it has ended",
            Self::Journal { .. } => {
                "look at the wallet's last transactions; when none of its messages is under way, remove the file"
            }
            Self::Balance { .. } => "send coins to the wallet",
            Self::AmountRange => "give a smaller amount",
            Self::Refused { exit_code, .. } => match exit_code.and_then(ExitCode::from_code) {
                Some(ExitCode::Closed) => "the contract is closing or closed: its `status` command says which",
                Some(ExitCode::ExpectedOwner | ExitCode::ExpectedMessageFromOwner | ExitCode::NotOwner) => {
                    "only the contract's owner may do that: choose another --wallet"
                }
                Some(ExitCode::NotUnlockedYet) => "the delay of the contract's terms is not over yet",
                Some(ExitCode::WalletBalanceTooLow) => "send coins to the runner's wallet: it needs 2 TON",
                Some(ExitCode::AttestationsMissing) => {
                    "the root contract wants signatures of its rebuilders, which this command does not attach: `cocoon root show` \
                     lists them"
                }
                Some(ExitCode::BadDescriptor) => "a day lies in the past, or a name is too long: `cocoon root show`",
                Some(
                    ExitCode::UnknownHash | ExitCode::UnknownProxy | ExitCode::NotOfferedOwner | ExitCode::NotRetired,
                ) => "`cocoon root show` says what is in force",
                Some(ExitCode::NotSigner | ExitCode::NotCouncil) => {
                    "choose another --wallet: `cocoon governor show` lists the members"
                }
                Some(ExitCode::ProposalExpired) => "propose it again with another --lifetime-days",
                Some(
                    ExitCode::UnknownProposal
                    | ExitCode::AlreadyApproved
                    | ExitCode::NotApproved
                    | ExitCode::Timelocked
                    | ExitCode::Paused
                    | ExitCode::TooManyProposals
                    | ExitCode::WrongProposalId
                    | ExitCode::StaleProposal
                    | ExitCode::CannotCancel
                    | ExitCode::PauseResting
                    | ExitCode::ExecutionUnderWay
                    | ExitCode::WrongBody
                    | ExitCode::ProposalOpen,
                ) => "`cocoon governor show` says where each proposal stands",
                Some(ExitCode::BadConfiguration) => "prices, signers, thresholds or delays are out of range",
                Some(ExitCode::MessageFormat) => {
                    "the worker's part may not be above the price, and places may have 110 bytes; or the contract is of another version"
                }
                _ => "look at the contract with its `status`, or `cocoon root show` and `cocoon governor show`",
            },
            Self::NotSettled { .. } => "run the same command again: it goes on where it stopped",
            Self::State { hint, .. } => hint,
            Self::Elsewhere { .. } => {
                "look at the wallet's last transactions: terms have changed since; the same command again begins anew"
            }
            Self::Bundle { .. } => "ask for the file that `cocoon root propose --bundle` wrote, or give --id N",
            Self::Differs { .. } => {
                "do not approve it on this word: `cocoon governor show` says what is proposed; where the state has changed since, \
                 --id N shows the proposal as it is now"
            }
            Self::Unreadable { .. } => {
                "do not approve what you cannot read; a newer version of this program may know it"
            }
            Self::Declined => "answer y, or give --yes",
            Self::OtherContract { .. } => "check the address, the wallet and the network",
            Self::Bindings(_) => "check the addresses and the network",
            Self::Chain(error) => error.hint(),
        }
    }
}

fn refusal(would: bool, exit_code: Option<i32>, address: &Address) -> String {
    let verb = if would { "would refuse" } else { "refused" };
    match exit_code {
        None => format!("contract {address} {verb} the message"),
        Some(code) => match ExitCode::from_code(code) {
            Some(known) => format!(
                "contract {address} {verb} the message ({code}): {}",
                known.description()
            ),
            None => format!("contract {address} {verb} the message with exit code {code}"),
        },
    }
}
