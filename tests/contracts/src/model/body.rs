//! What messages say. The model never reads a cell: whoever makes a message says what is in it.

use cocoon_bindings::ton::Address;

pub(crate) use crate::model::governance::{Endpoints, GovernAsk, GovernorOwn, RootAsk};

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
    /// To the proxy: record a checkpoint of its log.
    Anchor {
        query: u64,
        excesses: Address,
        signed: SignedCheckpoint,
    },
    /// To the proxy: two checkpoints that contradict each other.
    ReportEquivocation {
        query: u64,
        reporter: Address,
        evidence: Box<[SignedCheckpoint; 2]>,
    },
    /// To the proxy, from its owner: the stake, the key being lost.
    ReclaimStake { query: u64, excesses: Address },
    /// To a client or worker, from its owner: a count that the proxy signed.
    Claim(Box<Claim>),
    /// To a client or worker: settle by the claim.
    SettleClaim { query: u64, excesses: Address },
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
    /// To the governor.
    Govern { query: u64, ask: GovernAsk },
    /// A proposal that the governor executes itself, by its number.
    GovernorOwn { id: u64, own: GovernorOwn },
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
    /// What the proxy has seen of a worker.
    pub(crate) score: Option<Score>,
}

/// What the proxy has seen of a worker; of the numbers only the first matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) requests: u64,
    pub(crate) failures: u64,
    /// A bit too many at its end.
    pub(crate) longer: bool,
}

/// What a proxy says of its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedCheckpoint {
    pub(crate) known: bool,
    pub(crate) proxy: Address,
    pub(crate) seqno: u64,
    pub(crate) size: u64,
    pub(crate) tree: u8,
    pub(crate) time: u64,
    /// A bit too many at its end.
    pub(crate) longer: bool,
    pub(crate) signer: Signer,
}

/// A claim by a receipt or by a statement of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) query: u64,
    pub(crate) excesses: Address,
    /// The receipt around the statement; a worker claims without.
    pub(crate) receipt: Option<Receipt>,
    pub(crate) statement: Statement,
    pub(crate) signer: Signer,
}

/// What a proxy gives a client for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) known: bool,
    pub(crate) version: u8,
    pub(crate) client: Address,
    pub(crate) after: u64,
}

/// What a worker and a proxy state about an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) known: bool,
    pub(crate) version: u8,
    pub(crate) proxy: Address,
    pub(crate) worker: Address,
    pub(crate) after: u64,
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

/// A message that a wallet is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) to: Address,
    pub(crate) value: u128,
    pub(crate) bounce: bool,
    pub(crate) body: Body,
}
