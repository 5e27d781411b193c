//! What messages say. The model never reads a cell: whoever makes a message says what is in it.

use cocoon_bindings::ton::{Address, Cell};

use crate::model::root::Role;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing: coins only.
    Empty,
    /// An op that nobody knows.
    Unknown { op: u32, query: u64 },
    /// The op that everybody ignores.
    Note { query: u64 },
    /// A text, op 0.
    Text(Vec<u8>),
    /// The rest of a message's value.
    Excesses { query: u64 },
    /// A payment.
    Payout { query: u64 },
    /// A message that is not well formed.
    Damaged(Box<Body>, Damage),
    /// A message on its way back.
    Bounced { original: Box<Body>, rich: bool },
    /// A message signed by the proxy.
    Signed(Signed),
    /// To the proxy: add to its stake.
    IncreaseProxyStake {
        query: u64,
        amount: u128,
        excesses: Address,
    },
    /// To the proxy: pay the earnings.
    WithdrawEarnings { query: u64, excesses: Address },
    /// To the proxy, from its owner: begin to close.
    CloseProxy { query: u64, excesses: Address },
    /// From a client to the proxy.
    ClientStep(ClientStep),
    /// From a worker to the proxy.
    WorkerStep(WorkerStep),
    /// To a client: add to its balance.
    TopUp {
        query: u64,
        amount: u128,
        excesses: Address,
    },
    /// To a client, from its owner: the same with a new secret.
    TopUpWithSecret {
        query: u64,
        amount: u128,
        secret: [u8; 32],
        excesses: Address,
    },
    /// To a client, from its owner: open it again.
    Reopen {
        query: u64,
        amount: u128,
        excesses: Address,
    },
    /// To a client, from its owner: answer a challenge.
    Register { query: u64, nonce: u64, excesses: Address },
    /// To a client, from its owner: another secret.
    ChangeSecret {
        query: u64,
        secret: [u8; 32],
        excesses: Address,
    },
    /// To a client, from its owner: a larger stake.
    IncreaseStake { query: u64, stake: u128, excesses: Address },
    /// To a client, from its owner: what exceeds the stake.
    Withdraw { query: u64, excesses: Address },
    /// To a client, from its owner: everything.
    RequestRefund { query: u64, excesses: Address },
    /// To a worker, from its owner.
    RegisterWorker { query: u64, excesses: Address },
    /// To the root.
    Root { query: u64, ask: RootAsk },
    /// To the wallet, from its owner: send a message.
    WalletSend {
        query: u64,
        mode: u8,
        message: Box<Outgoing>,
    },
}

/// What is wrong with a message that is not well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A bit too many at its end.
    Longer,
    /// A bit too few at its end.
    Shorter,
}

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signer {
    /// The proxy.
    Proxy,
    /// The wallet's runner.
    Runner,
    /// Somebody else.
    Stranger,
}

/// A message that the proxy signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) op: u32,
    pub(crate) query: u64,
    pub(crate) excesses: Address,
    pub(crate) inner: SignedPart,
    pub(crate) signer: Signer,
}

/// The part that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedPart {
    pub(crate) op: u32,
    pub(crate) query: u64,
    /// Absent in a proxy's own messages.
    pub(crate) tokens: Option<u64>,
    pub(crate) expected: Address,
    /// A bit too many at its end.
    pub(crate) longer: bool,
}

/// From a client to the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientStep {
    pub(crate) query: u64,
    pub(crate) owner: Address,
    pub(crate) told: ClientTold,
    pub(crate) ask: Option<ClientAsk>,
}

/// What the proxy is told about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientTold {
    pub(crate) state: u8,
    pub(crate) balance: u128,
    pub(crate) stake: u128,
    pub(crate) tokens: u64,
    pub(crate) secret: [u8; 32],
}

/// What a client asks of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientAsk {
    TopUp {
        amount: u128,
        excesses: Address,
    },
    Register {
        nonce: u64,
    },
    Refund {
        amount: u128,
        excesses: Address,
    },
    ForcedRefund {
        amount: u128,
        excesses: Address,
    },
    /// An op that the proxy does not know.
    Unknown,
}

/// From a worker to the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerStep {
    pub(crate) query: u64,
    pub(crate) owner: Address,
    pub(crate) state: u8,
    pub(crate) tokens: u64,
    pub(crate) ask: Option<WorkerAsk>,
}

/// What a worker asks of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerAsk {
    pub(crate) worker_part: u128,
    pub(crate) proxy_part: u128,
    pub(crate) excesses: Address,
}

/// What the root is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RootAsk {
    Add(Role, [u8; 32]),
    Delete(Role, [u8; 32]),
    RegisterProxy(Endpoints),
    UnregisterProxy(u32),
    UpdateProxy(u32, Endpoints),
    Prices {
        price: u128,
        fee: u128,
    },
    Params {
        price: u128,
        fee: u128,
        delays: [u32; 2],
        stakes: [u128; 2],
    },
    AllParams {
        price: u128,
        fee: u128,
        weights: [u32; 4],
        delays: [u32; 2],
        stakes: [u128; 2],
    },
    Codes([Cell; 3]),
    UpgradeCode(Cell),
    UpgradeFull {
        state: Box<crate::model::Root>,
        code: Cell,
    },
    Reset,
    ChangeOwner(Address),
}

/// A record of where a proxy listens, perhaps a wrong one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) kind: bool,
    pub(crate) length: u8,
    pub(crate) text: Vec<u8>,
}

/// A message that a wallet is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) to: Address,
    pub(crate) value: u128,
    pub(crate) bounce: bool,
    pub(crate) body: Body,
}
