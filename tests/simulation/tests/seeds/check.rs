//! What must hold. Always: every request ends in time, and only the client's own end breaks one off. At the end: the network
//! serves again; the audit finds log, contracts and evidence equal to the last token; no peer holds a receipt or a signature
//! that the proxy's log does not have, and none counts more than the log.

use std::collections::BTreeSet;

use cocoon_audit::{AuditError, ChainHistory, Verdict, judge};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::types::Lifecycle;
use cocoon_receipt::{ReceiptId, SignedReceipt};
use cocoon_store::{ClientStore, EvidenceFolder, StoreError, WorkerStore, files, read_receipts_on};
use tokio::runtime::Builder;

use crate::host::Life;
use crate::nodes::Node;
use crate::user::{Outcome, PATIENCE_MS};
use crate::world::World;

/// Why the books do not agree.
pub(crate) enum Problem {
    /// It may be on its way.
    NotYet(String),
    /// It cannot get better.
    Never(String),
}

/// Requests end, and not without reason in nothing.
pub(crate) fn requests(world: &World<'_>) -> Result<(), String> {
    let now = world.time.ms();
    for (number, asked) in world.diary.lock().unwrap().iter().enumerate() {
        let until = asked.ended.as_ref().map_or(now, |(at, _)| *at);
        let broken = world
            .client_deaths
            .iter()
            .any(|at| (asked.begun..=until + 100).contains(at));
        let took = until - asked.begun;
        match &asked.ended {
            _ if broken => {}
            Some((_, Outcome::Wrong(what))) => {
                return Err(format!("request {number} got no answer and no typed error: {what}"));
            }
            Some((_, Outcome::Unfinished)) if !world.has(Node::LyingWorker) => {
                return Err(format!("request {number} got an answer that was not finished"));
            }
            Some((_, Outcome::Cut)) => {
                return Err(format!("request {number} was broken off though the client was there"));
            }
            _ if took > PATIENCE_MS => return Err(format!("request {number} did not end within {took} ms")),
            _ => {}
        }
    }
    Ok(())
}

/// No request runs.
pub(crate) fn is_quiet(world: &World<'_>) -> bool {
    let diary = world.diary.lock().unwrap();
    let patience = |begun: u64| world.time.ms() - begun > PATIENCE_MS;
    diary.iter().all(|asked| asked.ended.is_some() || patience(asked.begun))
}

/// The last request was answered, after the faults.
pub(crate) fn service(world: &World<'_>) -> Result<(), String> {
    let calm = world.time.ms() - world.now() + world.until;
    let diary = world.diary.lock().unwrap();
    let after = || {
        diary
            .iter()
            .filter(|asked| asked.begun >= calm)
            .map(|asked| &asked.ended)
    };
    let is_answered = |ended: &Option<(u64, Outcome)>| matches!(ended, Some((_, Outcome::Answered)));
    match after().any(is_answered) {
        true => Ok(()),
        false => Err(format!("it does not serve: {:?}", after().next_back())),
    }
}

/// A proxy's receipts as they are on its disk.
pub(crate) fn log(world: &World<'_>, proxy: Node) -> Result<Vec<SignedReceipt>, StoreError> {
    // Whoever looks is no node: it has a life of its own.
    let life = Life::new([10, 0, 0, 4].into(), &world.time);
    let disk = world.place_of(proxy).platter.disk(&life);
    read_receipts_on(disk.as_ref(), &world.setting.file("proxy").join(files::RECEIPTS))
}

/// What the chain says of a proxy's contract and of those that receipts name.
pub(crate) fn history(
    world: &World<'_>,
    contract: &Address,
    receipts: &[SignedReceipt],
) -> Result<ChainHistory, AuditError> {
    let fetch = ChainHistory::fetch(&world.chain.chain, contract, receipts);
    Builder::new_current_thread().build().unwrap().block_on(fetch)
}

/// The books agree.
pub(crate) fn books(world: &World<'_>) -> Result<(), Problem> {
    let never = |error: &dyn std::fmt::Debug| Problem::Never(format!("{error:?}"));
    // Whoever looks is no node: it has a life of its own.
    let life = Life::new([10, 0, 0, 4].into(), &world.time);
    let place = |node: Node| world.places.iter().find(|place| place.node == node);
    let mut reports = Vec::new();
    let mut receipts = Vec::new();
    for (number, place) in world.places.iter().filter_map(|place| match place.node {
        Node::Proxy(number) => Some((number, place)),
        _ => None,
    }) {
        let disk = place.platter.disk(&life);
        let folder = world.setting.file("proxy");
        let log = log(world, place.node).map_err(|e| never(&e))?;
        let evidence = EvidenceFolder::open_on(disk, &folder.join(files::EVIDENCE)).map_err(|e| never(&e))?;
        let contracts = world.proxy_contracts(number);
        for contract in &contracts {
            let mut own = log.clone();
            own.retain(|signed| signed.receipt.statement.proxy == *contract);
            // Terms may be over before a contract under them has come to be.
            if own.is_empty() && Some(contract) != contracts.last() && !world.chain.is_active(contract) {
                continue;
            }
            let history = history(world, contract, &log).map_err(|error| Problem::NotYet(format!("{error:?}")))?;
            reports.push(judge(&log, &history, &evidence).map_err(|e| never(&e))?);
        }
        receipts.extend(log);
        for contract in world.left_behind(number) {
            let kept = world.chain.client(&contract);
            if let Some(client) = kept.filter(|client| client.state != Lifecycle::Closed) {
                let reason = format!(
                    "the client's contract {contract} under old terms is not refunded: {:?}, balance {}, {} tokens charged",
                    client.state, client.balance, client.tokens_used
                );
                return Err(Problem::NotYet(reason));
            }
        }
    }
    let known: BTreeSet<ReceiptId> = receipts.iter().map(SignedReceipt::id).collect();
    if let Some(client) = place(Node::Client) {
        let disk = client.platter.disk(&life);
        let path = world.setting.file("client").join(files::RECEIPTS);
        let held = if disk.exists(&path) {
            read_receipts_on(disk.as_ref(), &path).map_err(|e| never(&e))?
        } else {
            Vec::new()
        };
        for signed in held {
            if !known.contains(&signed.id()) {
                return Err(Problem::Never(format!(
                    "the client holds receipt {} that the log has not",
                    signed.id()
                )));
            }
        }
        let disk = client.platter.copy().disk(&life);
        let store = ClientStore::open_on(disk, &world.setting.file("client")).map_err(|e| never(&e))?;
        for shown in world.diary.lock().unwrap().iter().filter_map(|asked| asked.receipt) {
            if store.receipt(&shown).map_err(|e| never(&e))?.is_none() {
                return Err(Problem::Never(format!(
                    "a user was shown receipt {shown} that the client has not"
                )));
            }
        }
    }
    let mut signed_by_worker: BTreeSet<HashBytes> = receipts
        .iter()
        .filter(|signed| signed.worker_signature.is_some())
        .map(|signed| signed.receipt.statement.hash())
        .collect();
    let statements: BTreeSet<_> = receipts.iter().map(|signed| signed.receipt.statement.hash()).collect();
    for place in world
        .places
        .iter()
        .filter(|place| matches!(place.node, Node::Worker(_)))
    {
        let disk = place.platter.copy().disk(&life);
        let store = WorkerStore::open_on(disk, &world.setting.file("worker")).map_err(|e| never(&e))?;
        for kept in store.claims().map_err(|e| never(&e))? {
            if !statements.contains(&kept.statement.hash()) {
                return Err(Problem::Never(format!(
                    "{:?} holds a signed statement that the log has not",
                    place.node
                )));
            }
        }
        let has = |hash: &HashBytes| store.statement(hash).is_ok_and(|kept| kept.is_some());
        signed_by_worker.retain(|hash| !has(hash));
    }
    signed_by_worker.retain(|hash| !world.signed.lock().unwrap().contains(hash));
    if let Some(hash) = signed_by_worker.first() {
        return Err(Problem::Never(format!(
            "no worker has kept statement {hash} that one signed"
        )));
    }
    for report in reports {
        match report.verdict {
            Verdict::Equal => {}
            Verdict::Open => return Err(Problem::NotYet(report.sentence())),
            Verdict::Different => return Err(Problem::Never(report.sentence())),
        }
    }
    Ok(())
}

/// Liars end nobody's connections but their own: where nothing else went wrong, each honest node
/// needed one for each proxy.
pub(crate) fn peace(world: &World<'_>) -> Result<(), String> {
    for node in world.places.iter().map(|place| place.node) {
        let dials = world.net.dials(node.ip());
        let is_dialer = node.is_honest() && !matches!(node, Node::Proxy(_));
        if is_dialer && dials as usize != world.setting.proxies.len() {
            return Err(format!("{node:?} dialed {dials} times"));
        }
    }
    Ok(())
}
