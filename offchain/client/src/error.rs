//! Why the client runner cannot start, connect or keep its contract.

use std::path::PathBuf;

use cocoon_bindings::BindingsError;
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainError;
use cocoon_protocol::handshake::HandshakeError;
use cocoon_ratls::RatlsError;
use cocoon_receipt::ReceiptId;
use cocoon_runner::link::LinkError;
use cocoon_runner::{Retry, RunnerError, Who};
use cocoon_store::StoreError;

use crate::access::keys::KeysError;

/// Everything that goes wrong outside of a single request. (What goes wrong with a request is
/// [`cocoon_openai::ApiError`].)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Configuration, files, ports.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A contract could not be laid out.
    #[error(transparent)]
    Contract(#[from] BindingsError),
    /// The attested connection.
    #[error(transparent)]
    Attested(#[from] RatlsError),
    /// The link to the proxy.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The handshake with the proxy.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Stored receipts.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret's file.
    #[error("cannot read the secret in {path}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The root contract lists no proxy.
    #[error("the root contract lists no proxy")]
    NoProxy,
    /// The proxy names a contract that does not follow from its key, its owner and the root parameters.
    #[error("the proxy names {what} {named}, which should be {derived}")]
    ForeignContract {
        /// Which contract.
        what: &'static str,
        /// What the proxy says.
        named: Address,
        /// What follows from its key and owner.
        derived: Address,
    },
    /// The proxy's voucher does not verify.
    #[error("the proxy's voucher is not acceptable: {0}")]
    Voucher(&'static str),
    /// The proxy does not know a receipt that it gave us.
    #[error("the proxy does not know its own receipt {receipt}: {message}")]
    ReceiptUnknown {
        /// The newest receipt of our channel.
        receipt: ReceiptId,
        /// The proxy's words.
        message: String,
    },
    /// The client contract closes or is closed.
    #[error("the client contract {0} is closing or closed")]
    ContractClosed(Address),
    /// A message to the client contract had no effect in time.
    #[error("a message to the client contract {0} had no effect in time")]
    NoEffect(Address),
    /// The API keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Others reach the interface, and there is no key that counts.
    #[error(
        "{listen} is no loopback address, and no API key in {} counts: whoever reaches it would spend this client's money",
        path.display()
    )]
    NoKeys {
        /// Where the interface would listen.
        listen: std::net::SocketAddr,
        /// The file of the keys.
        path: PathBuf,
    },
    /// A proxy whose address does not parse.
    #[error("the proxy's address {0:?} is not an IP address with a port")]
    ProxyAddress(String),
}

impl ClientError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Runner(e) => e.who(),
            Self::Link(e) => e.who(),
            Self::Chain(_) | Self::NoProxy | Self::NoEffect(_) | Self::ContractClosed(_) | Self::ProxyAddress(_) => {
                Who::Chain
            }
            Self::Contract(_) | Self::Secret { .. } | Self::Keys(_) | Self::NoKeys { .. } => Who::Local,
            Self::Store(_) => Who::Host,
            Self::Attested(_)
            | Self::Handshake(_)
            | Self::ForeignContract { .. }
            | Self::Voucher(_)
            | Self::ReceiptUnknown { .. } => Who::Peer,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Runner(e) => e.retry(),
            Self::Link(e) => e.retry(),
            // A proxy that cannot be reached now is dialed again: another one costs another contract.
            Self::Attested(e) => e.retry().into(),
            Self::Chain(_) | Self::NoProxy | Self::NoEffect(_) => Retry::SamePeer,
            Self::Handshake(_) | Self::ForeignContract { .. } | Self::Voucher(_) | Self::ReceiptUnknown { .. } => {
                Retry::OtherPeer
            }
            Self::ContractClosed(_) | Self::ProxyAddress(_) => Retry::OtherPeer,
            Self::Contract(_) | Self::Store(_) | Self::Secret { .. } | Self::Keys(_) | Self::NoKeys { .. } => {
                Retry::Never
            }
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Runner(e) => e.hint(),
            Self::Link(e) => e.hint(),
            Self::Chain(e) => e.hint(),
            Self::Attested(e) => e.hint(),
            Self::Contract(_) => "the root contract's parameters may be of another version than this program",
            Self::Handshake(_) => "the proxy does not accept this client; its log says more",
            Self::Store(error) => error.hint(),
            Self::Secret { .. } => "check the path and the permissions of secret_file",
            Self::Keys(error) => error.hint(),
            Self::NoKeys { .. } => {
                "make a key with `cocoon client key create NAME --config FILE`, or listen on 127.0.0.1 and let a reverse proxy ask for keys (require_keys)"
            }
            Self::NoProxy => "wait until a proxy is registered in the root contract",
            Self::ForeignContract { .. } => "do not use this proxy: its contracts are not those of its key",
            Self::Voucher(_) => "do not use this proxy: it signs what it must not",
            Self::ReceiptUnknown { .. } => {
                "the proxy lost its newest data; keep this client's receipts and use another proxy"
            }
            Self::ContractClosed(_) => "reopen the client contract or use another proxy",
            Self::NoEffect(_) => "check the wallet's balance and the chain",
            Self::ProxyAddress(_) => "the entry in the root contract is malformed: choose another proxy",
        }
    }
}
