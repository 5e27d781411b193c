//! Why a worker does not start or a connection does not serve.

use cocoon_archive::ArchiveError;
use cocoon_bindings::BindingsError;
use cocoon_chain::ChainError;
use cocoon_engine::EngineError;
use cocoon_manifest::ManifestError;
use cocoon_manifest::verity::RootHash;
use cocoon_protocol::codec::DecodeError;
use cocoon_protocol::handshake::HandshakeError;
use cocoon_ratls::RatlsError;
use cocoon_runner::RunnerError;
use cocoon_runner::link::LinkError;
use cocoon_store::StoreError;
use thiserror::Error;

pub use cocoon_runner::{Retry, Who};

/// Why a worker does not start or a connection does not serve. Never contains a prompt or an answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A value of the configuration cannot work.
    #[error("`{key}` {problem}")]
    Config {
        /// The key.
        key: &'static str,
        /// What it must be.
        problem: &'static str,
    },
    /// The model's name is malformed.
    #[error("`model`: {0}")]
    ModelName(#[from] ManifestError),
    /// The root contract does not list the model.
    #[error("the root contract does not list the model {0}")]
    ModelNotListed(String),
    /// The model cannot be loaded.
    #[error("the model cannot be loaded: {0}")]
    Engine(#[from] EngineError),
    /// The model's folder cannot be read as an archive.
    #[error("the model's archive cannot be computed")]
    Archive(#[from] ArchiveError),
    /// The model's folder is not the one that its name stands for.
    #[error("the folder of {model} gives the archive {found}, and its name says {expected}")]
    OtherModel {
        /// As requests name it.
        model: String,
        /// In the name.
        expected: RootHash,
        /// Computed from the folder.
        found: RootHash,
    },
    /// The models do not fit in memory together.
    #[error("the {models} models take {needed_mib} MiB together, and {available_mib} MiB are free")]
    Memory {
        /// How many models run here.
        models: usize,
        /// What they take.
        needed_mib: u64,
        /// What there is.
        available_mib: u64,
    },
    /// Files, ports, shutdown.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A contract cannot be computed.
    #[error(transparent)]
    Bindings(#[from] BindingsError),
    /// The durable state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The attested connection.
    #[error(transparent)]
    Ratls(#[from] RatlsError),
    /// The connection.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The handshake with a proxy.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// A proxy sent what is not a message.
    #[error("the proxy sent a malformed message: {0}")]
    Malformed(#[from] DecodeError),
    /// A proxy names contracts that are not the ones of this network.
    #[error("the proxy's {which} contract is not the one that the root contract's parameters give")]
    ForeignContract {
        /// `proxy` or `worker`.
        which: &'static str,
    },
    /// A proxy's voucher is not valid.
    #[error("the proxy's voucher is not valid: {0}")]
    Voucher(#[source] BindingsError),
    /// A proxy's total went down.
    #[error("the proxy's total of {which} tokens went from {known} down to {found}")]
    WentDown {
        /// Signed or stored.
        which: &'static str,
        /// What we remember.
        known: u64,
        /// What the proxy says now.
        found: u64,
    },
    /// A proxy's signature over a statement is not of its key.
    #[error("the proxy's signature over a statement is not valid")]
    Countersignature,
    /// A proxy sent a number that cannot be.
    #[error("the proxy sent a negative total")]
    Negative,
    /// The root contract lists no proxy.
    #[error("the root contract lists no other proxy")]
    NoProxy,
    /// It took too long.
    #[error("{what} took too long")]
    Timeout {
        /// Which step.
        what: &'static str,
    },
    /// A task of the worker ended by a defect.
    #[error("a task of the worker has failed")]
    Task,
}

impl WorkerError {
    /// Who has to change something.
    pub fn who(&self) -> Who {
        match self {
            Self::Runner(error) => error.who(),
            Self::Link(error) => error.who(),
            Self::Chain(_) => Who::Chain,
            Self::Store(_) => Who::Host,
            Self::Ratls(_)
            | Self::Handshake(_)
            | Self::Malformed(_)
            | Self::ForeignContract { .. }
            | Self::Voucher(_)
            | Self::WentDown { .. }
            | Self::Countersignature
            | Self::Negative
            | Self::Timeout { .. } => Who::Peer,
            _ => Who::Local,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Link(error) => error.retry(),
            Self::Runner(error) => error.retry(),
            Self::Ratls(error) => error.retry().into(),
            Self::Chain(_) | Self::Timeout { .. } => Retry::SamePeer,
            Self::Handshake(_) | Self::Malformed(_) | Self::NoProxy => Retry::OtherPeer,
            Self::ForeignContract { .. }
            | Self::Voucher(_)
            | Self::WentDown { .. }
            | Self::Countersignature
            | Self::Negative => Retry::OtherPeer,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Config { .. } | Self::ModelName(_) => "correct the worker's configuration",
            Self::ModelNotListed(_) => "serve a model that the root contract lists, or have this one added",
            Self::Engine(error) => error.hint(),
            Self::Archive(error) => error.hint(),
            Self::OtherModel { .. } => {
                "serve the folder that was listed, or have the root contract list this one's name"
            }
            Self::Memory { .. } => "serve fewer models, or set smaller weight formats or max_kv_tokens",
            Self::Runner(error) => error.hint(),
            Self::Link(error) => error.hint(),
            Self::Chain(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::ForeignContract { .. } => "check that worker and proxy follow the same root contract",
            Self::Voucher(_) | Self::WentDown { .. } | Self::Countersignature | Self::Negative => {
                "the proxy may have lost data; keep this worker's data folder as evidence"
            }
            Self::NoProxy => "wait until the root contract lists a proxy",
            _ => "look at the worker's log",
        }
    }
}
