//! Faults that are planted where a runner meets its surroundings, one at a time, each with the effect of a mistake that a
//! runner could make. A simulation that does not notice them would not notice the mistakes either.

use crate::disk::Lapse;
use crate::nodes::Node;

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// The proxy forgets to sync: nothing that it wrote is sure.
    ProxyNeverSyncs,
    /// The proxy signs before the sync: what it told is durable only with the next one.
    ProxySyncsLate,
    /// A worker's signature leaves before it is kept.
    WorkerNeverSyncs,
    /// A client shows receipts before it has kept them.
    ClientNeverSyncs,
    /// Nobody syncs the folder after making a file in it.
    NamesNotSynced,
    /// The proxy comes back from a crash with the disk that it had some time before, as from a backup.
    DiskRestored,
    /// The proxy signs for tokens that no receipt explains, and its client is charged for them.
    VoucherUnexplained,
    /// Contracts under old terms do not know how to give a client the rest of its coins back.
    RefundForgotten,
    /// An answer is forgotten: its user waits for ever.
    RequestForgotten,
}

impl Planted {
    pub(crate) const ALL: [Self; 9] = [
        Self::ProxyNeverSyncs,
        Self::ProxySyncsLate,
        Self::WorkerNeverSyncs,
        Self::ClientNeverSyncs,
        Self::NamesNotSynced,
        Self::DiskRestored,
        Self::VoucherUnexplained,
        Self::RefundForgotten,
        Self::RequestForgotten,
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|planted| format!("{planted:?}") == name)
    }

    /// What it makes of a node's disk.
    pub(crate) fn lapse(self, node: Node) -> Option<Lapse> {
        match (self, node) {
            (Self::ProxyNeverSyncs, Node::Proxy(_))
            | (Self::WorkerNeverSyncs, Node::Worker(_))
            | (Self::ClientNeverSyncs, Node::Client) => Some(Lapse::NeverSyncs),
            (Self::ProxySyncsLate, Node::Proxy(_)) => Some(Lapse::SyncsLate),
            (Self::NamesNotSynced, _) => Some(Lapse::NamesNotSynced),
            _ => None,
        }
    }
}
