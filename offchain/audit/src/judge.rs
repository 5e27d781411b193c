//! What can be said of receipts in their order only: channels, sums, the tree that checkpoints anchor.

use crate::channel::Channel;
use crate::error::AuditError;
use crate::examine::{Examined, Outcome};
use crate::history::{ChainHistory, Named};
use crate::limits::{MAX_LATE, MAX_UNKNOWN};
use crate::proxy::Anchor;
use crate::reputation::Standing;
use crate::source::Head;
use crate::statement::Ledger;
use crate::verdict::{Difference, DifferenceKind as Kind, Totals};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::TokenCount;
use cocoon_receipt::tree::{Frontier, leaf_hash};
use cocoon_receipt::{Receipt, ReceiptId, Signature};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that the receipts say so far. Its size is that of the network, not of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Entries that were taken.
    pub(crate) entries: u64,
    pub(crate) tree: Frontier,
    pub(crate) clients: BTreeMap<Address, Channel>,
    pub(crate) workers: BTreeMap<Address, Channel>,
    pub(crate) totals: Totals,
    /// Anchors that were met, in the order of their sizes.
    anchors: usize,
    /// Certificates that receipts named.
    certificates: BTreeSet<HashBytes>,
    /// Signatures that stood far behind their receipts, still to be checked.
    pub(crate) late: Vec<LateSignature>,
    /// Sums by day and model.
    pub(crate) ledger: Ledger,
    /// What the receipts say about their workers.
    pub(crate) standing: Standing,
}

/// A signature whose receipt has gone by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LateSignature {
    pub(crate) receipt: ReceiptId,
    /// 64 bytes in hex.
    signature: String,
}

impl LateSignature {
    fn new(receipt: ReceiptId, signature: &Signature) -> Self {
        let signature = hex::encode(signature.0);
        Self { receipt, signature }
    }

    pub(crate) fn signature(&self) -> Option<Signature> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(&self.signature, &mut bytes).ok()?;
        Some(Signature(bytes))
    }
}

impl State {
    /// Before the first receipt: what the contracts settled is known.
    pub(crate) fn new(history: &ChainHistory, ledger: Ledger) -> Self {
        let settled = |address: &Address, points| (address.clone(), Channel::new(points));
        let clients = history.clients.iter().filter_map(|(address, contract)| {
            let contract = contract.as_ref()?;
            Some(settled(address, crate::client::points(contract)))
        });
        let workers = history.workers.iter().filter_map(|(address, contract)| {
            let contract = contract.as_ref()?;
            Some(settled(address, crate::worker::points(contract)))
        });
        Self {
            entries: 0,
            tree: Frontier::default(),
            clients: clients.collect(),
            workers: workers.collect(),
            totals: Totals::default(),
            anchors: 0,
            certificates: BTreeSet::new(),
            late: Vec::new(),
            ledger,
            standing: Standing::at(history.time()),
        }
    }
}

/// Takes receipts in their order.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) state: State,
    anchors: Vec<Anchor>,
    /// Contracts that receipts name and the history has not.
    pub(crate) unknown: Named,
}

impl Judge {
    pub(crate) fn new(history: &ChainHistory, state: State) -> Self {
        let mut anchors: Vec<Anchor> = history.contracts().flat_map(crate::proxy::anchors).collect();
        anchors.sort_by_key(|anchor| anchor.size);
        // Those that were named before an interruption.
        let mut unknown = Named::default();
        let lacks = |address: &&Address| !history.clients.contains_key(*address);
        unknown.clients.extend(state.clients.keys().filter(lacks).cloned());
        let lacks = |address: &&Address| !history.workers.contains_key(*address);
        unknown.workers.extend(state.workers.keys().filter(lacks).cloned());
        Self {
            state,
            anchors,
            unknown,
        }
    }

    /// Takes what became of some entries. The first thing that is wrong ends it.
    pub(crate) fn take(
        &mut self,
        outcomes: Vec<Outcome>,
        history: &ChainHistory,
    ) -> Result<Result<(), Difference>, AuditError> {
        if let Err(difference) = self.meet_anchors() {
            return Ok(Err(difference));
        }
        for outcome in outcomes {
            self.state.entries = self.state.entries.saturating_add(1);
            let taken = match outcome {
                Outcome::Receipt(examined) => self.receipt(examined, history),
                Outcome::Damaged(difference) => Err(difference),
                Outcome::LateSignature(receipt, signature) => {
                    if self.state.late.len() >= MAX_LATE {
                        return Err(AuditError::LateSignatures { limit: MAX_LATE });
                    }
                    self.state.late.push(LateSignature::new(receipt, &signature));
                    Ok(())
                }
            };
            if let Err(difference) = taken {
                return Ok(Err(difference));
            }
        }
        Ok(Ok(()))
    }

    fn receipt(&mut self, examined: Examined, history: &ChainHistory) -> Result<(), Difference> {
        if let Some(difference) = examined.first {
            return Err(difference);
        }
        let (receipt, id) = (&examined.signed.receipt, examined.hashes.id);
        self.name(receipt, id, history)?;
        self.extend(receipt, id, examined.hashes.statement)?;
        self.count(&examined.signed.receipt, id)?;
        if let Some(difference) = examined.then {
            return Err(difference);
        }
        let state = &mut self.state;
        state.totals.signed_by_worker += u64::from(examined.signed.worker_signature.is_some());
        state.certificates.insert(receipt.statement.worker_evidence);
        state.certificates.insert(receipt.proxy_evidence);
        state.totals.certificates = state.certificates.len() as u64;
        let terms = history.contract(&receipt.statement.proxy);
        if let Some(terms) = terms.map(|contract| &contract.account.params) {
            state.ledger.add(receipt, terms);
        }
        let is_signed = examined.signed.worker_signature.is_some();
        state.standing.note(receipt, is_signed);
        state.tree.push(leaf_hash(id.0.as_slice()));
        self.meet_anchors()
    }

    /// Both channels.
    fn extend(&mut self, receipt: &Receipt, id: ReceiptId, hash: HashBytes) -> Result<(), Difference> {
        let statement = &receipt.statement;
        let differs = |what: String| Difference::of_receipt(Kind::Channel, id, what);
        let client = channel(&mut self.state.clients, &receipt.client);
        client
            .extend(&statement.proxy, &receipt.channel, id.0, id)
            .map_err(|fault| differs(format!("in the channel of client {}: {fault}", receipt.client)))?;
        let worker = channel(&mut self.state.workers, &statement.worker);
        worker
            .extend(&statement.proxy, &statement.channel, hash, id)
            .map_err(|fault| differs(format!("in the channel of worker {}: {fault}", statement.worker)))
    }

    /// Notes contracts that the chain was not asked about: a few.
    fn name(&mut self, receipt: &Receipt, id: ReceiptId, history: &ChainHistory) -> Result<(), Difference> {
        let unknown = &mut self.unknown;
        let (client, worker) = (&receipt.client, &receipt.statement.worker);
        if !history.clients.contains_key(client) && !unknown.clients.contains(client) {
            unknown.clients.insert(client.clone());
        }
        if !history.workers.contains_key(worker) && !unknown.workers.contains(worker) {
            unknown.workers.insert(worker.clone());
        }
        if unknown.len() <= MAX_UNKNOWN {
            return Ok(());
        }
        let what =
            format!("with those before it names more than {MAX_UNKNOWN} contracts that never wrote to the proxy's");
        Err(Difference::of_receipt(Kind::Contract, id, what))
    }

    fn count(&mut self, receipt: &Receipt, id: ReceiptId) -> Result<(), Difference> {
        let totals = &mut self.state.totals;
        let tokens = totals.tokens.checked_add(TokenCount::new(receipt.charged()));
        let overflow = || Difference::of_receipt(Kind::Channel, id, "the sum of all receipts overflows");
        totals.tokens = tokens.ok_or_else(overflow)?;
        totals.receipts = totals.receipts.saturating_add(1);
        if receipt.statement.counts.is_none() {
            totals.without_counts = totals.without_counts.saturating_add(1);
        }
        if receipt.charged() < receipt.statement.used.total {
            totals.capped = totals.capped.saturating_add(1);
        }
        Ok(())
    }

    /// Compares the anchors of the log as it is now.
    fn meet_anchors(&mut self) -> Result<(), Difference> {
        let tree = &self.state.tree;
        while let Some(anchor) = self.anchors.get(self.state.anchors)
            && anchor.size <= tree.size()
        {
            if anchor.size == tree.size() && anchor.root != tree.root() {
                return Err(anchor.differs(format!(
                    "it anchored root {} for the first {} receipts, theirs is {}",
                    anchor.root,
                    anchor.size,
                    tree.root()
                )));
            }
            self.state.anchors += 1;
        }
        Ok(())
    }

    /// The log as a whole, once all of it was taken.
    pub(crate) fn end(&mut self, head: Option<Head>) -> Result<(), Difference> {
        self.meet_anchors()?;
        let (size, root) = (self.state.tree.size(), self.state.tree.root());
        if let Some(head) = head.filter(|head| *head != Head { size, root }) {
            return Err(Difference::of_log(format!(
                "its checkpoint says {} receipts with root {}, it has {size} with root {root}",
                head.size, head.root
            )));
        }
        match self.anchors.get(self.state.anchors) {
            None => Ok(()),
            Some(anchor) => Err(anchor.differs(format!(
                "it anchored a log of {} receipts, this one has {size}",
                anchor.size
            ))),
        }
    }
}

fn channel<'a>(channels: &'a mut BTreeMap<Address, Channel>, address: &Address) -> &'a mut Channel {
    let new = || Channel::new(Vec::new());
    channels.entry(address.clone()).or_insert_with(new)
}
