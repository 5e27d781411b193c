//! Traces: a transaction from outside, and all that it set off.

use std::collections::BTreeMap;

use cocoon_bindings::ton::HashBytes;
use cocoon_emulator::{Emulator, Message, TransactionReport};
use serde_json::{Map, Value, json};

use super::super::ApiError;
use super::super::params::Params;
use super::super::shape::hash;
use super::find::{self, Page};
use super::shape;
use crate::limits::MAX_TRACE_DEPTH;

/// Which transaction sent a message, and which received it.
struct Ends<'a> {
    sent: BTreeMap<HashBytes, &'a TransactionReport>,
    received: BTreeMap<HashBytes, &'a TransactionReport>,
}

/// `traces(tx_hash[]?, msg_hash[]?, account?, trace_id[]?, mc_seqno?, limit, offset, sort)`.
pub(super) fn page(chain: &Emulator, params: &Params<'_>) -> Result<Value, ApiError> {
    let (transaction, message) = (params.hash("tx_hash")?, params.hash("msg_hash")?);
    let (trace, block) = (params.hash("trace_id")?, params.number::<u32>("mc_seqno")?);
    let accounts = find::addresses(params, "account")?;
    let ends = Ends::of(chain);
    let mut roots: BTreeMap<u64, &TransactionReport> = BTreeMap::new();
    for report in chain.all_transactions() {
        let fits = find::matches(transaction.as_ref(), &report.hash)
            && (message.is_none() || {
                let mut messages = report.in_msg.iter().chain(&report.out_msgs);
                messages.any(|known| find::is_message(message.as_ref(), known))
            })
            && block.is_none_or(|block| report.block() == block)
            && (accounts.is_empty() || accounts.contains(&report.address));
        if fits {
            let root = ends.root(report);
            if find::matches(trace.as_ref(), &root.hash) {
                roots.insert(root.lt, root);
            }
        }
    }
    let found = Page::of(params)?.cut(roots.into_values());
    let traces: Vec<_> = found.into_iter().map(|root| ends.trace(root)).collect();
    Ok(json!({ "traces": traces, "address_book": {} }))
}

impl<'a> Ends<'a> {
    fn of(chain: &'a Emulator) -> Self {
        let (mut sent, mut received) = (BTreeMap::new(), BTreeMap::new());
        for report in chain.all_transactions() {
            if let Some(message) = &report.in_msg {
                received.insert(message.hash(), report.as_ref());
            }
            for message in &report.out_msgs {
                sent.insert(message.hash(), report.as_ref());
            }
        }
        Self { sent, received }
    }

    fn parent(&self, report: &TransactionReport) -> Option<&'a TransactionReport> {
        let parent = self.sent.get(&report.in_msg.as_ref()?.hash())?;
        // Time runs forward, so that no loop is walked.
        (parent.lt < report.lt).then_some(*parent)
    }

    fn root(&self, report: &'a TransactionReport) -> &'a TransactionReport {
        let mut root = report;
        while let Some(parent) = self.parent(root) {
            root = parent;
        }
        root
    }

    fn trace(&self, root: &TransactionReport) -> Value {
        let mut transactions = BTreeMap::new();
        let mut complete = true;
        let tree = self.tree(root, 0, &mut transactions, &mut complete);
        let last = transactions.values().next_back().copied().unwrap_or(root);
        let pending = transactions.values().flat_map(|report| &report.out_msgs);
        let pending =
            pending.filter(|message| message.destination.is_some() && !self.received.contains_key(&message.hash()));
        let pending = pending.count();
        let order: Vec<_> = transactions.values().map(|report| hash(&report.hash)).collect();
        let shapes = transactions
            .values()
            .map(|report| (hash(&report.hash), shape::transaction(report)));
        json!({
            "trace_id": hash(&root.hash),
            "external_hash": root.in_msg.as_ref().map(|message| hash(&message.hash())),
            "external_hash_norm": root.in_msg.as_ref().and_then(Message::normalized_hash).as_ref().map(hash),
            "mc_seqno_start": root.block().to_string(),
            "mc_seqno_end": last.block().to_string(),
            "start_lt": root.lt.to_string(),
            "start_utime": root.now,
            "end_lt": last.lt.to_string(),
            "end_utime": last.now,
            "is_incomplete": !complete || pending > 0,
            "trace_info": {
                "trace_state": if pending > 0 { "pending" } else { "complete" },
                "transactions": order.len(),
                "pending_messages": pending,
            },
            "trace": tree,
            "transactions_order": order,
            "transactions": shapes.collect::<Map<_, _>>(),
        })
    }

    fn tree<'b>(
        &self,
        report: &'b TransactionReport,
        depth: usize,
        transactions: &mut BTreeMap<u64, &'b TransactionReport>,
        complete: &mut bool,
    ) -> Value
    where
        'a: 'b,
    {
        transactions.insert(report.lt, report);
        let mut children = Vec::new();
        for message in &report.out_msgs {
            match self.received.get(&message.hash()) {
                Some(child) if depth < MAX_TRACE_DEPTH => {
                    children.push(self.tree(child, depth + 1, transactions, complete));
                }
                Some(_) => *complete = false,
                None => {}
            }
        }
        json!({
            "tx_hash": hash(&report.hash),
            "in_msg_hash": report.in_msg.as_ref().map(|message| hash(&message.hash())),
            "children": children,
        })
    }
}
