//! Checkpoints that proxy contracts recorded.

use std::collections::BTreeMap;

use cocoon_bindings::proxy::ProxyMessage;
use cocoon_bindings::ton::{Address, HashBytes, Load as _};
use cocoon_chain::Transaction;

use crate::feed::Place;
use crate::limits::MAX_ANCHORS;

/// What the published log says of an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InLog {
    /// It was not compared yet, or there is no log.
    Unchecked,
    /// The log is shorter.
    Ahead,
    /// The log had this root at this size.
    Proven,
    /// The log had another root at this size.
    Contradicted,
}

impl InLog {
    /// As it is shown.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Ahead => "ahead",
            Self::Proven => "proven",
            Self::Contradicted => "contradicted",
        }
    }

    /// Whether it may become something else.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Unchecked | Self::Ahead)
    }
}

/// One anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    /// The contract that recorded it.
    pub(crate) proxy: Address,
    /// Its number.
    pub(crate) seqno: u64,
    /// Receipts.
    pub(crate) size: u64,
    /// Root of the tree over them.
    pub(crate) root: HashBytes,
    /// When it was made, by the proxy, Unix seconds.
    pub(crate) time: u64,
    /// When it was recorded, Unix seconds.
    pub(crate) kept_at: u32,
    /// What the log says.
    pub(crate) in_log: InLog,
}

impl Anchor {
    /// The one that a transaction recorded, if it did.
    pub(crate) fn of(transaction: &Transaction) -> Option<Self> {
        let message = transaction.in_msg.as_ref().filter(|message| !message.bounced)?;
        if !transaction.success() {
            return None;
        }
        let Ok(ProxyMessage::AnchorSigned(signed)) = ProxyMessage::load_from(&mut message.body()) else {
            return None;
        };
        let checkpoint = signed.checkpoint;
        Some(Self {
            proxy: transaction.address.clone(),
            seqno: checkpoint.seqno,
            size: checkpoint.size,
            root: checkpoint.root_hash,
            time: checkpoint.time,
            kept_at: transaction.now,
            in_log: InLog::Unchecked,
        })
    }
}

/// The newest anchors, by the places of their transactions.
#[derive(Debug, Default)]
pub(crate) struct Anchors(pub(crate) BTreeMap<Place, Anchor>);

impl Anchors {
    /// Adds one; the oldest makes place.
    pub(crate) fn add(&mut self, place: Place, anchor: Anchor) {
        self.0.entry(place).or_insert(anchor);
        while self.0.len() > MAX_ANCHORS {
            self.0.pop_first();
        }
    }

    /// Those of some contracts that are to be compared, newest first.
    pub(crate) fn open(&self, is_of: impl Fn(&Address) -> bool) -> impl Iterator<Item = (&Place, &Anchor)> {
        self.0
            .iter()
            .rev()
            .filter(move |(_, anchor)| anchor.in_log.is_open() && is_of(&anchor.proxy))
    }
}
