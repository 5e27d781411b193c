//! A message as readers need it: who, to whom, how much, what.

use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellError, CellFamily as _, CellSlice, HashBytes};
use cocoon_bindings::units::Nanoton;
use tycho_types::cell::{CellSliceParts, Store as _};
use tycho_types::models::{IntAddr, MsgInfo, OwnedMessage};

/// The first 32 bits of a bounced body.
pub const BOUNCED_TAG: u32 = u32::MAX;

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// Between two contracts, with value.
    Internal,
    /// From outside to a contract.
    ExternalIn,
    /// From a contract to the outside: a log entry.
    ExternalOut,
}

/// One message of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which way it goes.
    pub kind: MessageKind,
    /// Sender, for messages that have one.
    pub source: Option<Address>,
    /// Receiver, for messages that have one.
    pub destination: Option<Address>,
    /// Coins that it carries.
    pub value: Nanoton,
    /// Whether it returns when the receiver fails.
    pub bounce: bool,
    /// Whether it is itself a message that returned.
    pub bounced: bool,
    /// The part of the forwarding fee that the receiving side collects.
    pub forward_fee: Nanoton,
    /// Logical time of its creation.
    pub created_lt: u64,
    /// Time of its creation, seconds since 1970.
    pub created_at: u32,
    /// Body.
    pub body: Cell,
    /// State that deploys the receiver, if it carries one.
    pub state_init: Option<Cell>,
    /// The message itself.
    pub cell: Cell,
}

impl Message {
    /// The hash that clients know an external message by, however it was packed: that of the same message without source, fee
    /// and state, and with its body in a cell of its own. `None` for messages of other kinds.
    pub fn normalized_hash(&self) -> Option<HashBytes> {
        let to = self
            .destination
            .as_ref()
            .filter(|_| self.kind == MessageKind::ExternalIn)?;
        let build = || -> Result<Cell, CellError> {
            let mut builder = CellBuilder::new();
            // An external message to a contract, from nobody.
            builder.store_small_uint(0b1000, 4)?;
            to.store_into(&mut builder, Cell::empty_context())?;
            // No fee, no state, a body in a reference.
            builder.store_small_uint(0b000_001, 6)?;
            builder.store_reference(self.body.clone())?;
            builder.build()
        };
        build().ok().map(|cell| *cell.repr_hash())
    }

    /// Reads a message cell.
    pub fn from_cell(cell: Cell) -> Result<Self, CellError> {
        let parsed = cell.parse::<OwnedMessage>()?;
        let body = body_cell(&parsed.body)?;
        let state_init = parsed.init.as_ref().map(CellBuilder::build_from).transpose()?;
        let plain = Self {
            kind: MessageKind::ExternalIn,
            source: None,
            destination: None,
            value: Nanoton::ZERO,
            bounce: false,
            bounced: false,
            forward_fee: Nanoton::ZERO,
            created_lt: 0,
            created_at: 0,
            body,
            state_init,
            cell,
        };
        Ok(match parsed.info {
            MsgInfo::Int(info) => Self {
                kind: MessageKind::Internal,
                source: standard(info.src),
                destination: standard(info.dst),
                value: Nanoton::new(info.value.tokens.into_inner()),
                bounce: info.bounce,
                bounced: info.bounced,
                forward_fee: Nanoton::new(info.fwd_fee.into_inner()),
                created_lt: info.created_lt,
                created_at: info.created_at,
                ..plain
            },
            MsgInfo::ExtIn(info) => Self {
                destination: standard(info.dst),
                ..plain
            },
            MsgInfo::ExtOut(info) => Self {
                kind: MessageKind::ExternalOut,
                source: standard(info.src),
                created_lt: info.created_lt,
                created_at: info.created_at,
                ..plain
            },
        })
    }

    /// Hash of the message cell.
    pub fn hash(&self) -> HashBytes {
        *self.cell.repr_hash()
    }

    /// The body as a slice.
    pub fn body(&self) -> CellSlice<'_> {
        self.body.as_slice_allow_exotic()
    }

    /// The operation: first 32 bits of the body, if it has so many. For a bounced message, of the original body.
    pub fn op(&self) -> Option<u32> {
        let mut body = self.body();
        let op = body.load_u32().ok()?;
        if self.bounced && op == BOUNCED_TAG {
            body.load_u32().ok()
        } else {
            Some(op)
        }
    }
}

fn standard(address: IntAddr) -> Option<Address> {
    match address {
        IntAddr::Std(address) => Some(address),
        IntAddr::Var(_) => None,
    }
}

fn body_cell(parts: &CellSliceParts) -> Result<Cell, CellError> {
    let (range, cell) = parts;
    if range.is_full(cell) {
        Ok(cell.clone())
    } else {
        CellBuilder::build_from(range.apply_allow_exotic(cell))
    }
}

#[cfg(test)]
mod tests {
    use cocoon_bindings::StateInit;
    use cocoon_bindings::message::external;

    use super::*;

    #[test]
    fn an_external_message_has_one_normalized_hash_however_it_is_packed() {
        let to = Address::new(0, HashBytes([0x11; 32]));
        let body = CellBuilder::build_from(7_u32).unwrap();
        let init = StateInit {
            code: Cell::empty_cell(),
            data: Cell::empty_cell(),
        };
        let plain = Message::from_cell(external(&to, body.clone(), None).unwrap()).unwrap();
        let deploying = Message::from_cell(external(&to, body, Some(&init)).unwrap()).unwrap();
        assert_ne!(plain.hash(), deploying.hash());
        assert_eq!(plain.normalized_hash(), deploying.normalized_hash());
        // As the Python package `tonutils` computes it.
        let expected = "c06fd92b821563288332abc78737f3b8b59ef19bd746eed9a16f72ef738a93b7";
        assert_eq!(plain.normalized_hash().unwrap().to_string(), expected);
        let internal = Message {
            kind: MessageKind::Internal,
            ..plain
        };
        assert_eq!(internal.normalized_hash(), None);
    }
}
