//! The root contract, its governor, and what is proposed.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocoon_bindings::governance::{MAX_SIGNERS, approvers};
use cocoon_bindings::governor::{Proposal, ProposalClass, ProposalState};
use cocoon_bindings::ton::HashBytes;
use cocoon_chain::TransactionId;
use cocoon_owner::governance::{Change, GovernorView, Meaning, Network, RootSnapshot, check};
use cocoon_ratls::off_thread;
use serde_json::{Value, json};

use super::Reader;
use super::chain::NoChain;
use crate::view::RootSeen;
use crate::words::Kind;

/// What proposals would do to a state of root contract and governor; tried out once for each state and minute.
#[derive(Debug, Default, Clone)]
pub(super) struct Meanings {
    state: Option<(Option<TransactionId>, Option<TransactionId>, u32)>,
    known: BTreeMap<HashBytes, Arc<Result<Meaning, String>>>,
}

impl Reader {
    /// Reads root contract and governor, and what the proposals would do.
    pub(super) async fn look_at_network(&mut self) -> Result<(), NoChain> {
        let head = self.chain.head().await?;
        let network = Network::fetch(self.chain.as_ref(), &self.root, None).await?;
        let last = network.root.account.last.map_or(0, |last| last.lt);
        if self
            .view
            .read()
            .contracts
            .get(&self.root)
            .is_some_and(|root| root.lt > last)
        {
            self.forget();
        }
        let governor = network.governor().map(|governor| governor.account.address.clone());
        let governor_last = network.governor().and_then(|governor| governor.account.last);
        let meanings = std::mem::take(&mut self.meanings);
        let tried = off_thread(move || seen(&network, meanings)).await;
        let (seen, meanings) = tried.map_err(|error| error.to_string())??;
        self.meanings = meanings;
        let mut view = self.view.write();
        view.time = head.time.max(seen.snapshot.time);
        view.seqno = head.seqno;
        view.codes.note(&seen.params);
        view.root = Some(seen);
        view.contracts.follow(&self.root, Kind::Root);
        let mut due = vec![(self.root.clone(), last)];
        if let Some(address) = governor {
            view.contracts.follow(&address, Kind::Governor);
            due.push((address, governor_last.map_or(0, |last| last.lt)));
        }
        for (address, last) in due {
            if let Some(contract) = view.contracts.get_mut(&address) {
                contract.is_due = last > contract.lt;
            }
        }
        Ok(())
    }
}

fn seen(network: &Network, meanings: Meanings) -> Result<(RootSeen, Meanings), String> {
    let findings = check(network).map_err(|error| error.to_string())?;
    let (proposals, meanings) = match network.governor() {
        Some(governor) => proposals(network, governor, meanings),
        None => (Vec::new(), Meanings::default()),
    };
    let seen = RootSeen {
        snapshot: RootSnapshot::from(&network.root),
        params: network.root.storage.params.clone(),
        governor: network.governor().map_or(Value::Null, describe),
        governor_address: network.governor().map(|governor| governor.account.address.clone()),
        findings,
        proposals,
    };
    Ok((seen, meanings))
}

fn describe(governor: &GovernorView) -> Value {
    let (storage, config) = (&governor.storage, &governor.storage.config);
    let now = governor.account.time;
    json!({
        "address": governor.account.address.to_string(),
        "is_known_code": governor.has_known_code(),
        "threshold": config.threshold,
        "revoke_threshold": config.revoke_threshold,
        "signers": governor.signers.values().map(ToString::to_string).collect::<Vec<_>>(),
        "council": governor.council.values().map(ToString::to_string).collect::<Vec<_>>(),
        "change_delay": config.change_delay,
        "critical_delay": config.critical_delay,
        "paused_until": Some(storage.paused_until).filter(|until| *until > now),
        "epoch": storage.epoch,
        "open_proposals": governor.proposals.len(),
    })
}

fn proposals(network: &Network, governor: &GovernorView, mut meanings: Meanings) -> (Vec<Value>, Meanings) {
    // Dates in a proposal come nearer.
    let minute = network.root.account.time / 60;
    let state = Some((network.root.account.last, governor.account.last, minute));
    if meanings.state != state {
        meanings = Meanings {
            state,
            known: BTreeMap::new(),
        };
    }
    let rows = governor.proposals.iter().map(|(id, proposal)| {
        let hash = *proposal.body.repr_hash();
        let tried = || {
            let meaning = Change::decode(&proposal.body).and_then(|(change, _)| change.meaning(network));
            Arc::new(meaning.map_err(|error| error.to_string()))
        };
        let meaning = meanings.known.entry(hash).or_insert_with(tried);
        row(governor, *id, proposal, meaning)
    });
    (rows.collect(), meanings)
}

fn row(governor: &GovernorView, id: u64, proposal: &Proposal, meaning: &Result<Meaning, String>) -> Value {
    let wallet = |index: &u8| governor.signers.get(index).map(ToString::to_string);
    let proposer = u8::try_from(id % u64::from(MAX_SIGNERS)).unwrap_or(u8::MAX);
    let known = meaning.as_ref().ok();
    json!({
        "id": id.to_string(),
        "class": class(proposal.class),
        "state": state(governor.state_of(proposal)),
        "standing": governor.standing(proposal),
        "says": known.map(|meaning| meaning.says.clone()),
        "body_hash": proposal.body.repr_hash().to_string(),
        "approvals": approvers(proposal.approvals).iter().map(wallet).collect::<Vec<_>>(),
        "needed": governor.threshold(proposal.class),
        "proposer": wallet(&proposer),
        "ready_at": Some(proposal.ready_at).filter(|time| *time != 0),
        "expires_at": proposal.expires_at,
        "differences": known.map(|meaning| &meaning.differences),
        "effects": known.map(|meaning| &meaning.effects),
        "warnings": known.map(|meaning| &meaning.warnings),
        "refused": known.and_then(|meaning| meaning.refused.clone()),
        "unreadable": meaning.as_ref().err(),
    })
}

fn class(class: ProposalClass) -> &'static str {
    match class {
        ProposalClass::Revoke => "revoke",
        ProposalClass::Change => "change",
        ProposalClass::Critical => "critical",
        ProposalClass::Release => "release",
        ProposalClass::CouncilChange => "council change",
    }
}

fn state(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Collecting => "collecting",
        ProposalState::Delayed => "delayed",
        ProposalState::Paused => "paused",
        ProposalState::Ready => "ready",
        ProposalState::UnderWay => "under_way",
        ProposalState::Expired => "expired",
        ProposalState::Stale => "stale",
    }
}
