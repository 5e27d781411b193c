//! The wallets that people use, next to the node's: v4r2 and v5r1, with their published code.
//!
//! The code comes from the published builds (`wrappers/bindings/wallets/*.json` name the source); what counts is its
//! hash, which is the one that explorers and wallets know.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};

use crate::error::BindingsError;
use crate::message::{InternalMessage, MAX_WALLET_MESSAGES, external, wallet_external};
use crate::state_init::{StateInit, wallet_state_init};
use crate::ton::{Address, Cell, CellBuilder, CellContext, CellError, HashBytes, Store, parse_boc_base64, to_cell};
use crate::units::PublicKey;

/// Subwallet id that v4r2 wallets have everywhere.
pub const SUBWALLET: u32 = 0x29a9_a317;
/// Wallet id of a v5r1 wallet on the main network: network −239, workchain 0, first subwallet.
pub const WALLET_ID_MAINNET: u32 = 0x7fff_ff11;
/// Wallet id of a v5r1 wallet on the test network: network −3.
pub const WALLET_ID_TESTNET: u32 = 0x7fff_fffd;
/// Messages that one external message of a v5r1 wallet carries: the chain runs no more actions in one transaction.
pub const MAX_V5_MESSAGES: usize = 255;

/// What a v5r1 wallet's signed external message begins with: "sign".
const SIGNED_EXTERNAL: u32 = 0x7369_676e;
/// An action that sends a message.
const ACTION_SEND: u32 = 0x0ec3_c86d;

/// Kinds of wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WalletKind {
    /// What most wallets were until 2024; up to 4 messages at once.
    V4r2,
    /// What wallets make today; up to 255 messages at once.
    V5r1,
    /// A runner's wallet, which has an owner above its key.
    Node,
}

impl WalletKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::V4r2, Self::V5r1, Self::Node];

    /// How it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4r2 => "v4r2",
            Self::V5r1 => "v5r1",
            Self::Node => "node",
        }
    }

    /// Messages that one external message carries at most.
    pub const fn max_messages(self) -> usize {
        match self {
            Self::V4r2 | Self::Node => MAX_WALLET_MESSAGES,
            Self::V5r1 => MAX_V5_MESSAGES,
        }
    }

    /// The code.
    pub fn code(self) -> Result<Cell, BindingsError> {
        static CODE: [OnceLock<Option<Cell>>; 2] = [const { OnceLock::new() }; 2];
        let (slot, artefact) = match self {
            Self::Node => return crate::ContractKind::Wallet.code(),
            Self::V4r2 => (&CODE[0], include_str!("../wallets/V4R2.json")),
            Self::V5r1 => (&CODE[1], include_str!("../wallets/V5R1.json")),
        };
        let code = slot.get_or_init(|| read_artefact(self, artefact).ok());
        code.clone().map_or_else(|| read_artefact(self, artefact), Ok)
    }

    /// Reads the number of the next message from the data of a wallet of this kind.
    pub fn seqno(self, data: &Cell) -> Result<u32, BindingsError> {
        let read = || {
            let mut slice = data.as_ref().as_slice()?;
            if self == Self::V5r1 {
                // Whether signatures are allowed.
                slice.load_bit()?;
            }
            slice.load_u32()
        };
        read().map_err(BindingsError::layout("a wallet's data"))
    }
}

impl fmt::Display for WalletKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for WalletKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == text);
        found.ok_or("a wallet is v4r2, v5r1 or node")
    }
}

/// One wallet: kind, key and what else its address follows from.
///
/// ```
/// use cocoon_bindings::PublicKey;
/// use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WalletContract};
/// let key = PublicKey::new([7; 32]);
/// let wallet = WalletContract::v5r1(key, WALLET_ID_MAINNET);
/// assert_ne!(wallet.address()?, WalletContract::v4r2(key).address()?);
/// # Ok::<(), cocoon_bindings::BindingsError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum WalletContract {
    /// A v4r2 wallet.
    V4r2 {
        /// Its key.
        public_key: PublicKey,
        /// Tells apart wallets of one key.
        subwallet: u32,
    },
    /// A v5r1 wallet.
    V5r1 {
        /// Its key.
        public_key: PublicKey,
        /// Network, workchain and subwallet in one number.
        wallet_id: u32,
    },
    /// A runner's wallet.
    Node {
        /// Its key.
        public_key: PublicKey,
        /// Who stays in control of its money.
        owner: Address,
    },
}

impl WalletContract {
    /// The v4r2 wallet of a key, with the usual subwallet.
    pub fn v4r2(public_key: PublicKey) -> Self {
        let subwallet = SUBWALLET;
        Self::V4r2 { public_key, subwallet }
    }

    /// The v5r1 wallet of a key; the network is in `wallet_id`.
    pub fn v5r1(public_key: PublicKey, wallet_id: u32) -> Self {
        Self::V5r1 { public_key, wallet_id }
    }

    /// A runner's wallet.
    pub fn node(public_key: PublicKey, owner: Address) -> Self {
        Self::Node { public_key, owner }
    }

    /// Its kind.
    pub fn kind(&self) -> WalletKind {
        match self {
            Self::V4r2 { .. } => WalletKind::V4r2,
            Self::V5r1 { .. } => WalletKind::V5r1,
            Self::Node { .. } => WalletKind::Node,
        }
    }

    /// Its key.
    pub fn public_key(&self) -> &PublicKey {
        match self {
            Self::V4r2 { public_key, .. } | Self::V5r1 { public_key, .. } | Self::Node { public_key, .. } => public_key,
        }
    }

    /// Code and initial data.
    pub fn state_init(&self) -> Result<StateInit, BindingsError> {
        let mut data = CellBuilder::new();
        let filled = match self {
            Self::Node { public_key, owner } => return wallet_state_init(public_key, owner),
            Self::V4r2 { public_key, subwallet } => v4_data(&mut data, public_key, *subwallet),
            Self::V5r1 { public_key, wallet_id } => v5_data(&mut data, public_key, *wallet_id),
        };
        let data = filled
            .and_then(|()| data.build())
            .map_err(BindingsError::layout("a wallet's data"))?;
        let code = self.kind().code()?;
        Ok(StateInit { code, data })
    }

    /// Its address.
    pub fn address(&self) -> Result<Address, BindingsError> {
        self.state_init()?.address()
    }

    /// The signed external message by which it sends `messages`, each with its send mode. A wallet that is not deployed
    /// yet is deployed by it when `deploys` says so. `valid_until` is a unix time.
    pub fn external(
        &self,
        seqno: u32,
        valid_until: u32,
        messages: &[(u8, InternalMessage)],
        key: &SigningKey,
        deploys: bool,
    ) -> Result<Cell, BindingsError> {
        if messages.is_empty() || messages.len() > self.kind().max_messages() {
            return Err(BindingsError::MessageCount { count: messages.len() });
        }
        let init = deploys.then(|| self.state_init()).transpose()?;
        let address = self.address()?;
        let layout = BindingsError::layout("a wallet message");
        let body = match self {
            Self::Node { .. } => {
                return wallet_external(&address, seqno, valid_until, 0, messages, key, init.as_ref());
            }
            Self::V4r2 { subwallet, .. } => {
                let signed = v4_request(*subwallet, valid_until, seqno, messages)?;
                signed_in_front(&signed, key).map_err(layout)?
            }
            Self::V5r1 { wallet_id, .. } => {
                let mut request = v5_request(*wallet_id, valid_until, seqno, messages)?;
                let signed = request.clone().build().map_err(&layout)?;
                let signature = key.sign(signed.repr_hash().as_slice());
                request.store_raw(&signature.to_bytes(), 512).map_err(&layout)?;
                request.build().map_err(&layout)?
            }
        };
        external(&address, body, init.as_ref())
    }
}

fn v4_data(data: &mut CellBuilder, key: &PublicKey, subwallet: u32) -> Result<(), CellError> {
    data.store_u32(0)?;
    data.store_u32(subwallet)?;
    data.store_raw(key.as_bytes(), 256)?;
    // No plugins.
    data.store_bit_zero()
}

fn v5_data(data: &mut CellBuilder, key: &PublicKey, wallet_id: u32) -> Result<(), CellError> {
    // Signatures are allowed.
    data.store_bit_one()?;
    data.store_u32(0)?;
    data.store_u32(wallet_id)?;
    data.store_raw(key.as_bytes(), 256)?;
    // No extensions.
    data.store_bit_zero()
}

fn v4_request(
    subwallet: u32,
    valid_until: u32,
    seqno: u32,
    messages: &[(u8, InternalMessage)],
) -> Result<Cell, BindingsError> {
    let layout = BindingsError::layout("a wallet message");
    let mut request = CellBuilder::new();
    for field in [subwallet, valid_until, seqno] {
        request.store_u32(field).map_err(&layout)?;
    }
    // Plain sending; other numbers are about plugins.
    request.store_u8(0).map_err(&layout)?;
    for (mode, message) in messages {
        request.store_u8(*mode).map_err(&layout)?;
        request.store_reference(message.to_cell()?).map_err(&layout)?;
    }
    request.build().map_err(&layout)
}

fn v5_request(
    wallet_id: u32,
    valid_until: u32,
    seqno: u32,
    messages: &[(u8, InternalMessage)],
) -> Result<CellBuilder, BindingsError> {
    let layout = BindingsError::layout("a wallet message");
    let mut actions = Cell::default();
    for (mode, message) in messages {
        let action = Action {
            before: actions,
            mode: *mode,
            message: message.to_cell()?,
        };
        actions = to_cell(&action).map_err(&layout)?;
    }
    let mut request = CellBuilder::new();
    for field in [SIGNED_EXTERNAL, wallet_id, valid_until, seqno] {
        request.store_u32(field).map_err(&layout)?;
    }
    let rest = |request: &mut CellBuilder| {
        request.store_bit_one()?;
        request.store_reference(actions)?;
        // No actions about extensions.
        request.store_bit_zero()
    };
    rest(&mut request).map_err(&layout)?;
    Ok(request)
}

/// One link of the list of actions, as the virtual machine keeps it: the last action is outermost.
struct Action {
    before: Cell,
    mode: u8,
    message: Cell,
}

impl Store for Action {
    fn store_into(&self, builder: &mut CellBuilder, _: &dyn CellContext) -> Result<(), CellError> {
        builder.store_reference(self.before.clone())?;
        builder.store_u32(ACTION_SEND)?;
        builder.store_u8(self.mode)?;
        builder.store_reference(self.message.clone())
    }
}

fn signed_in_front(request: &Cell, key: &SigningKey) -> Result<Cell, CellError> {
    let signature = key.sign(request.repr_hash().as_slice());
    let mut body = CellBuilder::new();
    body.store_raw(&signature.to_bytes(), 512)?;
    body.store_slice(request.as_ref().as_slice()?)?;
    body.build()
}

#[derive(Deserialize)]
struct Artefact {
    code_hash: String,
    code_boc_base64: String,
}

fn read_artefact(kind: WalletKind, text: &str) -> Result<Cell, BindingsError> {
    let damaged = |reason| BindingsError::WalletCode { kind, reason };
    let artefact: Artefact = serde_json::from_str(text).map_err(|_| damaged("not the JSON expected"))?;
    let code = parse_boc_base64(&artefact.code_boc_base64)?;
    let hash: HashBytes = artefact
        .code_hash
        .parse()
        .map_err(|_| damaged("its hash is not a hash"))?;
    if *code.repr_hash() == hash {
        Ok(code)
    } else {
        Err(damaged("code and hash do not fit"))
    }
}
