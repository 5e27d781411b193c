//! Why bytes are not a receipt, or a receipt is not the one that was expected.

use cocoon_bindings::ton::HashBytes;

use crate::channel::ChannelFault;

/// Everything that can be wrong with a receipt. All of it is the sender's doing: nothing here is worth a retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The BoC is larger than any receipt.
    #[error("receipt of {bytes} bytes exceeds {limit}")]
    TooLarge {
        /// Size received.
        bytes: usize,
        /// [`crate::limits::MAX_RECEIPT_BYTES`].
        limit: usize,
    },
    /// Not a bag of cells with one ordinary root.
    #[error("not a bag of cells: {0}")]
    Boc(String),
    /// A cell is too short, too long or of the wrong kind.
    #[error("{what}: {reason}")]
    Cell {
        /// Which cell.
        what: &'static str,
        /// What the cell library said.
        reason: String,
    },
    /// The cell starts with another constructor.
    #[error("{what}: constructor {found:#010x}, expected {expected:#010x}")]
    Constructor {
        /// Which cell.
        what: &'static str,
        /// Constructor read.
        found: u32,
        /// Constructor of this type.
        expected: u32,
    },
    /// A version that this code does not know.
    #[error("receipt format version {0} is not known")]
    Version(u8),
    /// A finish reason that this code does not know.
    #[error("finish reason {0} is not known")]
    FinishReason(u8),
    /// Bits or references left over after the last field.
    #[error("{what}: data after the last field")]
    Trailing {
        /// Which cell.
        what: &'static str,
    },
    /// The numbers inside contradict each other.
    #[error("receipt arithmetic: {0}")]
    Arithmetic(&'static str),
    /// The proxy's signature does not fit its key.
    #[error("the proxy's signature does not verify")]
    ProxySignature,
    /// The worker's signature does not fit its leaf key.
    #[error("the worker's signature does not verify")]
    WorkerSignature,
    /// A public key that is no point of the curve.
    #[error("the {of} key is not an Ed25519 public key")]
    Key {
        /// Whose key.
        of: &'static str,
    },
    /// A field differs from what the client knows about its own request.
    #[error("receipt is for another {field}")]
    Mismatch {
        /// Which field.
        field: &'static str,
    },
    /// The hash of the bytes sent or received is not the one in the receipt.
    #[error("{what} bytes hash to {computed}, receipt says {stated}")]
    ContentHash {
        /// "request" or "response".
        what: &'static str,
        /// Hash of the bytes at hand.
        computed: HashBytes,
        /// Hash in the receipt.
        stated: HashBytes,
    },
    /// The receipt does not continue the channel.
    #[error("channel: {0}")]
    Channel(#[from] ChannelFault),
}

impl ReceiptError {
    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Version(_) | Self::FinishReason(_) => "the peer runs a newer version: update this node",
            Self::Channel(_) => "receipts of this channel are missing or were rewritten: run `cocoon audit`",
            Self::ContentHash { .. } => "the answer was changed on the way: keep the receipt and report the proxy",
            _ => "the peer sent a receipt that does not verify: keep it as evidence and use another proxy",
        }
    }
}
