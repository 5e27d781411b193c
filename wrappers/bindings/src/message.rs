//! Messages: internal ones for the wallet to send, the wallet's external message, and the proxy's state commit.

use crate::error::BindingsError;
use crate::state_init::StateInit;
use crate::ton::{
    Address, Cell, CellBuilder, CellContext, CellError, CellSlice, IntAddr, Load, Store, expect_end, to_cell,
};
use crate::units::{Nanoton, QueryId};
use ed25519_dalek::{Signer, SigningKey};
use tycho_types::models::{
    CurrencyCollection, ExtInMsgInfo, MsgInfo, OwnedMessage, OwnedRelaxedMessage, RelaxedIntMsgInfo, RelaxedMsgInfo,
};

/// Opcode that every contract accepts and ignores.
pub const DO_NOT_PROCESS: u32 = 0x9a12_47c0;
/// Send mode: fees from the message's value, errors ignored. What the wallet uses by default.
pub const SEND_ORDINARY: u8 = 0;
/// Send mode: forward fees paid by the sender on top of the value.
pub const SEND_PAY_FEES_SEPARATELY: u8 = 1;
/// Send mode: an action that fails is skipped. A wallet needs it, or one bad message blocks its seqno.
pub const SEND_IGNORE_ERRORS: u8 = 2;
/// Messages that one external message of the wallet carries: a cell has four references.
pub const MAX_WALLET_MESSAGES: usize = 4;

/// A message from one contract to another, before it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalMessage {
    /// Receiver.
    pub to: Address,
    /// Attached money.
    pub value: Nanoton,
    /// Whether it comes back if the receiver fails.
    pub bounce: bool,
    /// Body.
    pub body: Cell,
    /// Code and data if the receiver is to be deployed.
    pub state_init: Option<StateInit>,
}

impl InternalMessage {
    /// The message as a contract sends it: without source, times and fees, which the chain fills in.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        let info = RelaxedIntMsgInfo {
            ihr_disabled: true,
            bounce: self.bounce,
            dst: IntAddr::Std(self.to.clone()),
            value: CurrencyCollection::new(self.value.get()),
            ..Default::default()
        };
        let message = OwnedRelaxedMessage {
            info: RelaxedMsgInfo::Int(info),
            init: self.state_init.as_ref().map(StateInit::to_model),
            body: self.body.clone().into(),
            layout: None,
        };
        to_cell(&message).map_err(BindingsError::layout("an internal message"))
    }
}

/// An external message to any contract.
pub fn external(to: &Address, body: Cell, state_init: Option<&StateInit>) -> Result<Cell, BindingsError> {
    let message = OwnedMessage {
        info: MsgInfo::ExtIn(ExtInMsgInfo {
            dst: IntAddr::Std(to.clone()),
            ..Default::default()
        }),
        init: state_init.map(StateInit::to_model),
        body: body.into(),
        layout: None,
    };
    to_cell(&message).map_err(BindingsError::layout("an external message"))
}

/// The wallet's external message: sends up to four messages, each with its send mode.
///
/// `valid_until` is a unix time; `state_init` is given with the first message, which deploys the wallet.
pub fn wallet_external(
    wallet: &Address,
    seqno: u32,
    valid_until: u32,
    subwallet: u32,
    messages: &[(u8, InternalMessage)],
    key: &SigningKey,
    state_init: Option<&StateInit>,
) -> Result<Cell, BindingsError> {
    if messages.is_empty() || messages.len() > MAX_WALLET_MESSAGES {
        return Err(BindingsError::MessageCount { count: messages.len() });
    }
    let layout = BindingsError::layout("a wallet message");
    let mut unsigned = CellBuilder::new();
    unsigned.store_u32(subwallet).map_err(&layout)?;
    unsigned.store_u32(valid_until).map_err(&layout)?;
    unsigned.store_u32(seqno).map_err(&layout)?;
    for (mode, message) in messages {
        unsigned.store_u8(*mode).map_err(&layout)?;
        unsigned.store_reference(message.to_cell()?).map_err(&layout)?;
    }
    let unsigned = unsigned.build().map_err(&layout)?;
    let signature = key.sign(unsigned.repr_hash().as_slice());
    let mut body = CellBuilder::new();
    body.store_raw(&signature.to_bytes(), 512).map_err(&layout)?;
    body.store_slice(unsigned.as_ref().as_slice().map_err(&layout)?)
        .map_err(&layout)?;
    external(wallet, body.build().map_err(&layout)?, state_init)
}

/// A note in the proxy contract's history: the state of its database that the proxy stands by.
///
/// `0x9a1247c0 queryId:uint64 0x53109c0f seqno:int32 uniqueHash:bits256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCommit {
    /// Random.
    pub query_id: QueryId,
    /// Number of the database state.
    pub seqno: i32,
    /// Drawn at the start of the proxy's session.
    pub session_hash: [u8; 32],
}

impl StateCommit {
    /// Marks a state commit among the messages that contracts ignore.
    pub const MARK: u32 = 0x5310_9c0f;

    /// The message body.
    pub fn to_cell(&self) -> Result<Cell, BindingsError> {
        to_cell(self).map_err(BindingsError::layout("a state commit"))
    }

    /// Reads a message body, if it is a state commit.
    pub fn from_slice(mut body: CellSlice<'_>) -> Option<Self> {
        let commit = Self::load_from(&mut body).ok()?;
        expect_end(&body).ok().map(|()| commit)
    }
}

impl Store for StateCommit {
    fn store_into(&self, builder: &mut CellBuilder, context: &dyn CellContext) -> Result<(), CellError> {
        builder.store_u32(DO_NOT_PROCESS)?;
        self.query_id.store_into(builder, context)?;
        builder.store_u32(Self::MARK)?;
        builder.store_u32(self.seqno.cast_unsigned())?;
        builder.store_raw(&self.session_hash, 256)
    }
}

impl<'a> Load<'a> for StateCommit {
    fn load_from(slice: &mut CellSlice<'a>) -> Result<Self, CellError> {
        if slice.load_u32()? != DO_NOT_PROCESS {
            return Err(CellError::InvalidTag);
        }
        let query_id = QueryId::load_from(slice)?;
        if slice.load_u32()? != Self::MARK {
            return Err(CellError::InvalidTag);
        }
        let seqno = slice.load_u32()?.cast_signed();
        Ok(Self {
            query_id,
            seqno,
            session_hash: slice.load_u256()?.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ton::from_cell;
    use crate::units::PublicKey;
    use proptest::prelude::*;
    use tycho_types::models::Message;

    fn message(body: Cell) -> InternalMessage {
        let to = Address::new(0, [1; 32].into());
        InternalMessage {
            to,
            value: Nanoton::from_ton(1),
            bounce: true,
            body,
            state_init: None,
        }
    }

    #[test]
    fn a_wallet_message_is_signed_over_what_follows_the_signature() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let wallet = Address::new(0, [2; 32].into());
        let messages = [(3u8, message(Cell::default())), (3, message(Cell::default()))];
        let cell = wallet_external(&wallet, 5, 1000, 0, &messages, &key, None).unwrap();
        let read: Message<'_> = cell.parse().unwrap();
        let mut body = read.body;
        let mut signature = [0u8; 64];
        body.load_raw(&mut signature, 512).unwrap();
        let rest = CellBuilder::build_from(body).unwrap();
        assert!(PublicKey::from(&key).verifies(rest.repr_hash().as_slice(), &signature));
        let head = [0, 1000, 5].map(|expected: u32| (body.load_u32().unwrap(), expected));
        assert!(head.iter().all(|(found, expected)| found == expected));
        assert_eq!((body.size_bits(), body.size_refs()), (16, 2));
    }

    #[test]
    fn a_wallet_message_carries_one_to_four_messages() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let wallet = Address::new(0, [2; 32].into());
        for count in [0, 5] {
            let messages = vec![(3u8, message(Cell::default())); count];
            let refused = wallet_external(&wallet, 0, 0, 0, &messages, &key, None);
            assert!(matches!(refused, Err(BindingsError::MessageCount { .. })));
        }
    }

    proptest! {
        #[test]
        fn a_state_commit_survives_a_round_trip(
            query in any::<u64>(), seqno in any::<i32>(), session_hash in any::<[u8; 32]>(),
        ) {
            let commit = StateCommit { query_id: QueryId::new(query), seqno, session_hash };
            prop_assert_eq!(from_cell::<StateCommit>(&commit.to_cell().unwrap()).unwrap(), commit);
        }
    }
}
