//! Why a value could not be read from the chain or written for it.

use crate::contract::ContractKind;
use crate::ton::{BocError, CellError};

/// Errors of the border with the contracts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindingsError {
    /// Text that is not an address.
    #[error("not an address: {text:?}")]
    Address {
        /// What was given, at most 80 characters of it.
        text: String,
    },
    /// Text that is not a hash or a key.
    #[error("not 32 bytes in hex: {text:?}")]
    Hash {
        /// What was given, at most 80 characters of it.
        text: String,
    },
    /// Text that is not a label of the root contract's lists.
    #[error("not a label of at most 31 bytes without control characters: {text:?}")]
    Label {
        /// What was given, at most 80 characters of it.
        text: String,
    },
    /// Text that is not an amount.
    #[error("not an amount: {text:?}")]
    Amount {
        /// What was given, at most 80 characters of it.
        text: String,
    },
    /// Bytes that are not a bag of cells.
    #[error("not a bag of cells: {source}")]
    Boc {
        /// What the parser met.
        source: BocError,
    },
    /// A cell that does not have the layout expected.
    #[error("cell does not have the layout of {what}: {source}")]
    Layout {
        /// The layout that was expected.
        what: &'static str,
        /// What the parser met.
        source: CellError,
    },
    /// A get method returned something else than declared.
    #[error("get method returned {found} where {expected} was expected (value {index})")]
    Stack {
        /// Position on the stack, from 0.
        index: usize,
        /// The declared type.
        expected: &'static str,
        /// What was there.
        found: &'static str,
    },
    /// A get method returned a number that names nothing.
    #[error("get method returned a number that names nothing")]
    Enum,
    /// The parameters of the root contract hold no code for this contract.
    #[error("the root contract's parameters hold no code for the {kind} contract")]
    MissingCode {
        /// The contract whose code is missing.
        kind: ContractKind,
    },
    /// The proxy's signature does not fit.
    #[error("the signature is not the proxy's")]
    Signature,
    /// The rebuilder's signature does not fit.
    #[error("the signature is not the rebuilder's, or not of this source and image")]
    RebuilderSignature,
    /// The message is bound to another contract.
    #[error("the message is bound to another contract")]
    OtherContract,
    /// More messages than one external message of the wallet carries.
    #[error("one message of this wallet cannot carry {count} messages")]
    MessageCount {
        /// How many were given.
        count: usize,
    },
    /// A governor's configuration that the contract would refuse or that nobody could use.
    #[error("the governor's configuration is refused: {reason}")]
    Governance {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An exported message whose body is not the one that its hash names.
    #[error("the body of the exported message does not have the hash stated")]
    ExportedBody,
    /// A compiled contract of this build is damaged.
    #[error("the compiled {kind} contract of this build is damaged: {reason}")]
    Artefact {
        /// The contract.
        kind: ContractKind,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The code of a wallet in this build is damaged.
    #[error("the code of {kind} wallets in this build is damaged: {reason}")]
    WalletCode {
        /// The wallet.
        kind: crate::wallets::WalletKind,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl BindingsError {
    /// Names the layout in which a cell error occurred.
    pub fn layout(what: &'static str) -> impl Fn(CellError) -> Self {
        move |source| Self::Layout { what, source }
    }
}
