//! The audit as a whole.

use crate::error::AuditError;
use crate::evidence::{Certificates, EvidenceSource};
use crate::history::ChainHistory;
use crate::receipts::{Channel, Replay};
use crate::verdict::{ChannelReport, Difference, DifferenceKind, Report, Verdict};
use crate::{client, proxy, worker};
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::TokenCount;
use cocoon_chain::ChainClient;
use cocoon_receipt::SignedReceipt;
use cocoon_store::{EvidenceFolder, StoreError, files, read_receipts};
use std::path::Path;

/// How often the chain is asked again because receipts of new contracts came in meanwhile.
const MAX_ROUNDS: usize = 5;

/// Audits the store of a proxy, which may be running, against the chain.
///
/// A receipt is durable before anything is charged for it: read after the chain, the log has all that the chain has.
pub async fn run(store: &Path, chain: &dyn ChainClient, proxy: &Address) -> Result<Report, AuditError> {
    let log = store.join(files::RECEIPTS);
    let evidence = EvidenceFolder::open(&store.join(files::EVIDENCE))?;
    let mut known = own(read(&log)?.unwrap_or_default(), proxy);
    for _ in 0..MAX_ROUNDS {
        let history = ChainHistory::fetch(chain, proxy, &known).await?;
        match read(&log)? {
            Err(difference) => return Ok(Judgement::new(&history).report(Some(difference))),
            Ok(receipts)
                if receipts
                    .iter()
                    .all(|signed| is_other(signed, &history) || history.covers(signed)) =>
            {
                return judge(&receipts, &history, &evidence);
            }
            Ok(receipts) => known = own(receipts, proxy),
        }
    }
    Err(AuditError::Restless { rounds: MAX_ROUNDS })
}

/// The receipts of one contract of the proxy: their channels are looked up on chain.
fn own(mut receipts: Vec<SignedReceipt>, proxy: &Address) -> Vec<SignedReceipt> {
    receipts.retain(|signed| signed.receipt.statement.proxy == *proxy);
    receipts
}

/// Whether a receipt belongs to another contract of this proxy. One version of the terms has one contract, so another
/// contract under the same terms is a difference.
fn is_other(signed: &SignedReceipt, history: &ChainHistory) -> bool {
    let statement = &signed.receipt.statement;
    let terms = &history.proxy.account.params;
    statement.proxy != history.proxy.address && statement.params_version != terms.params_version
}

/// The receipts, or what the log itself tells to be wrong with them.
fn read(log: &Path) -> Result<Result<Vec<SignedReceipt>, Difference>, StoreError> {
    match read_receipts(log) {
        Ok(receipts) => Ok(Ok(receipts)),
        Err(error) => finding(&error).map(Err).ok_or(error),
    }
}

/// Audits receipts, in the order of their log, against a history and the certificates that they name.
pub fn judge(
    receipts: &[SignedReceipt],
    history: &ChainHistory,
    evidence: &dyn EvidenceSource,
) -> Result<Report, AuditError> {
    let mut judgement = Judgement::new(history);
    let mut certificates = Certificates::new(evidence, &history.images);
    for signed in receipts {
        if is_other(signed, history) {
            let others = &mut judgement.replay.totals.of_other_contracts;
            *others = others.saturating_add(1);
            continue;
        }
        if let Err(difference) = judgement.replay.take(signed, history) {
            return Ok(judgement.report(Some(difference)));
        }
        if let Err(difference) = certificates.check(signed, &mut judgement.replay.totals)? {
            return Ok(judgement.report(Some(difference)));
        }
    }
    let difference = judgement.compare().err();
    Ok(judgement.report(difference))
}

/// What the store found out by itself.
fn finding(error: &StoreError) -> Option<Difference> {
    let (StoreError::Damaged { receipt, .. } | StoreError::Inconsistent { receipt, .. }) = error else {
        return None;
    };
    Some(Difference {
        kind: DifferenceKind::Log,
        receipt: Some(receipt.clone()),
        contract: None,
        transaction: None,
        sentence: format!("Receipt {receipt}: {error}."),
    })
}

struct Judgement<'a> {
    history: &'a ChainHistory,
    replay: Replay,
    channels: Vec<ChannelReport>,
}

impl<'a> Judgement<'a> {
    fn new(history: &'a ChainHistory) -> Self {
        Self {
            history,
            replay: Replay::default(),
            channels: Vec::new(),
        }
    }

    /// Receipts against contracts: clients, workers, the proxy.
    fn compare(&mut self) -> Result<(), Difference> {
        let none = Channel::default();
        for (address, contract) in &self.history.clients {
            let channel = self.replay.clients.get(address).unwrap_or(&none);
            self.channels
                .push(client::check(address, contract.as_ref(), channel, self.history)?);
        }
        for (address, contract) in &self.history.workers {
            let channel = self.replay.workers.get(address).unwrap_or(&none);
            self.channels
                .push(worker::check(address, contract.as_ref(), channel, self.history)?);
        }
        proxy::check(self.history)
    }

    fn report(self, difference: Option<Difference>) -> Report {
        let account = &self.history.proxy.account;
        let is_open = self.channels.iter().any(|channel| channel.open > TokenCount::ZERO);
        let verdict = match &difference {
            Some(_) => Verdict::Different,
            None if is_open => Verdict::Open,
            None => Verdict::Equal,
        };
        Report {
            verdict,
            difference,
            proxy: self.history.proxy.address.clone(),
            root: account.root.clone(),
            test_network: self.history.test_network,
            params_version: account.params.params_version,
            price_per_token: account.params.price_per_token,
            worker_fee_per_token: account.params.worker_fee_per_token,
            totals: self.replay.totals,
            channels: self.channels,
        }
    }
}
