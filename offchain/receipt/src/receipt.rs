//! The receipt: a statement with the payer's side.

use std::fmt;
use std::str::FromStr;

use cocoon_bindings::ton::{Address, Cell, HashBytes};
use serde::{Deserialize, Serialize};

use crate::cells::{Reader, build, store_address};
use crate::channel::ChannelLink;
use crate::error::ReceiptError;
use crate::limits::FORMAT_VERSION;
use crate::statement::{WorkStatement, channel_cell, channel_from_cell};

/// Constructor of `receipt` in `contracts/receipt.tlb`.
pub(crate) const OPCODE: u32 = 0xc0c0_2ece;

/// What the proxy signs about one request: the work, and who paid for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The work; never shows the payer.
    pub statement: WorkStatement,
    /// Client contract that is charged.
    pub client: Address,
    /// Request id between client and proxy.
    pub request_id: HashBytes,
    /// Place in the (client, proxy) channel; links are hashes of receipts.
    pub channel: ChannelLink,
    /// SHA-256 of the proxy's certificate, which carries its quote.
    pub proxy_evidence: HashBytes,
}

impl Receipt {
    /// The receipt's name: the hash of its cell.
    pub fn id(&self) -> ReceiptId {
        ReceiptId(*self.to_cell().repr_hash())
    }

    /// The hashes that are signed, from one making of the cells: for whoever needs them more than once.
    pub fn hashes(&self) -> Hashes {
        let statement = self.statement.to_cell();
        let hash = *statement.repr_hash();
        Hashes {
            id: ReceiptId(*self.cell_around(statement).repr_hash()),
            statement: hash,
        }
    }

    /// Tokens charged to the client, which are the tokens credited to the worker.
    pub fn charged(&self) -> u64 {
        self.channel.charged()
    }

    /// Numbers that contradict each other.
    pub fn check_arithmetic(&self) -> Result<(), ReceiptError> {
        self.statement.check_arithmetic()?;
        self.channel.check_arithmetic()?;
        if self.charged() != self.statement.charged() {
            return Err(ReceiptError::Arithmetic(
                "the client is charged something else than the worker earns",
            ));
        }
        Ok(())
    }

    /// As a cell.
    pub fn to_cell(&self) -> Cell {
        self.cell_around(self.statement.to_cell())
    }

    /// The receipt's cell around that of its statement.
    pub(crate) fn cell_around(&self, statement: Cell) -> Cell {
        build(|b| {
            b.store_u32(OPCODE)?;
            b.store_u8(FORMAT_VERSION)?;
            store_address(b, &self.client)?;
            b.store_u256(&self.request_id)?;
            b.store_u256(&self.proxy_evidence)?;
            b.store_reference(statement)?;
            b.store_reference(channel_cell(&self.channel))
        })
    }

    /// From a cell: total, and nothing may be left over.
    pub fn from_cell(cell: &Cell) -> Result<Self, ReceiptError> {
        let mut r = Reader::new("receipt", cell)?;
        r.header(OPCODE)?;
        let (client, request_id, proxy_evidence) = (r.address()?, r.hash()?, r.hash()?);
        let (statement, channel) = (r.reference()?, r.reference()?);
        r.end()?;
        let receipt = Self {
            statement: WorkStatement::from_cell(&statement)?,
            client,
            request_id,
            channel: channel_from_cell(&channel)?,
            proxy_evidence,
        };
        receipt.check_arithmetic()?;
        Ok(receipt)
    }
}

/// What is signed about one receipt. Making it takes ten cells and as many hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes {
    /// The receipt's name, which the proxy signs.
    pub id: ReceiptId,
    /// Of the statement, which the worker signs.
    pub statement: HashBytes,
}

/// The hash of a receipt's cell; written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReceiptId(pub HashBytes);

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.0))
    }
}

impl fmt::Debug for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReceiptId({self})")
    }
}

impl FromStr for ReceiptId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(HashBytes(bytes)))
    }
}
