//! `cocoon governor show`: who decides, and what is proposed, in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cocoon_bindings::governance::{approvers, members, open_proposals};
use cocoon_bindings::governor::{
    GetCouncil, GetGovernorState, GetOpenProposals, GetProposal, GetSigners, GovernorBody, ProposalClass,
    ProposalState, ProposalView,
};
use cocoon_bindings::root::RootMessage;
use cocoon_bindings::ton::{Address, Cell, HashBytes, from_cell};
use cocoon_bindings::{BindingsError, GetMethod};
use cocoon_chain::{SharedChain, call_get_method};
use cocoon_owner::governance::Change;
use serde::Serialize;

use crate::args::Global;
use crate::args::governor::GovernorPlace;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    address: String,
    root: String,
    owns_root: bool,
    epoch: u32,
    now: u32,
    threshold: u8,
    revoke_threshold: u8,
    change_delay_seconds: u32,
    critical_delay_seconds: u32,
    paused_until: u32,
    pause_allowed_from: u32,
    signers: BTreeMap<u8, String>,
    council: BTreeMap<u8, String>,
    proposals: Vec<Proposal>,
}

#[derive(Serialize)]
struct Proposal {
    id: u64,
    proposer: u8,
    class: &'static str,
    state: &'static str,
    approved_by: Vec<u8>,
    ready_at: u32,
    expires_at: u32,
    body_hash: HashBytes,
    /// What it does, in one line; absent where this version cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    says: Option<String>,
    message: String,
}

/// Runs the command.
pub(crate) async fn show(global: &Global, place: GovernorPlace, output: Output) -> Result<Exit, Failure> {
    let (chain, view) = super::root::view(global, place.place).await?;
    let address = place.governor.unwrap_or_else(|| view.owner.clone());
    let state = ask(&chain, &address, &GetGovernorState).await?;
    let list = |dictionary| -> Result<BTreeMap<u8, String>, Failure> {
        let members = members(dictionary).map_err(unreadable)?;
        Ok(members
            .into_iter()
            .map(|(index, wallet)| (index, wallet.to_string()))
            .collect())
    };
    let signers = list(ask(&chain, &address, &GetSigners).await?)?;
    let council = list(ask(&chain, &address, &GetCouncil).await?)?;
    let open = open_proposals(ask(&chain, &address, &GetOpenProposals).await?).map_err(unreadable)?;
    let mut proposals = Vec::new();
    for id in open.into_keys() {
        let found = ask(&chain, &address, &GetProposal { proposal_id: id }).await?;
        proposals.push(describe(id, &found));
    }
    let shown = Shown {
        owns_root: view.owner == address && state.root == view.address,
        address: address.to_string(),
        root: state.root.to_string(),
        epoch: state.epoch,
        now: view.time,
        threshold: state.threshold,
        revoke_threshold: state.revoke_threshold,
        change_delay_seconds: state.change_delay,
        critical_delay_seconds: state.critical_delay,
        paused_until: state.paused_until,
        pause_allowed_from: state.pause_allowed_from,
        signers,
        council,
        proposals,
    };
    output.result(&shown, text)?;
    Ok(Exit::Done)
}

async fn ask<G: GetMethod>(chain: &SharedChain, address: &Address, method: &G) -> Result<G::Output, Failure> {
    call_get_method(chain.as_ref(), address, method)
        .await
        .map_err(failure::from_chain)
}

fn unreadable(error: BindingsError) -> Failure {
    Failure::new(
        Exit::Chain,
        error,
        "the contract at this address may be no governor of ours",
    )
}

fn describe(id: u64, found: &ProposalView) -> Proposal {
    Proposal {
        id,
        proposer: found.proposer,
        class: match found.class {
            ProposalClass::Revoke => "revoke",
            ProposalClass::Change => "change",
            ProposalClass::Critical => "critical",
            ProposalClass::Release => "release",
            ProposalClass::CouncilChange => "council change",
        },
        state: match found.state {
            ProposalState::Collecting => "collecting",
            ProposalState::Delayed => "delayed",
            ProposalState::Paused => "paused",
            ProposalState::Ready => "ready",
            ProposalState::UnderWay => "under way",
            ProposalState::Expired => "expired",
            ProposalState::Stale => "stale",
        },
        approved_by: approvers(found.approvals).into_iter().collect(),
        ready_at: found.ready_at,
        expires_at: found.expires_at,
        body_hash: *found.body.repr_hash(),
        says: Change::decode(&found.body).and_then(|(change, _)| change.says()).ok(),
        message: message_of(&found.body),
    }
}

/// The message with all its fields. What is not known is said to be so: do not approve what cannot be read.
fn message_of(body: &Cell) -> String {
    if let Ok(message) = from_cell::<RootMessage>(body) {
        return inner(&format!("{message:?}"));
    }
    match from_cell::<GovernorBody>(body) {
        Ok(message) => inner(&format!("{message:?}")),
        Err(_) => "unknown: do not approve what you cannot read".to_owned(),
    }
}

/// Without the name of the enum's variant, which repeats that of the message.
fn inner(debug: &str) -> String {
    let begun = debug.split_once('(').map(|(_, rest)| rest);
    begun
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(debug)
        .to_owned()
}

fn text(shown: &Shown) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<22} {value}");
    };
    line("governor", &shown.address);
    let standing = if shown.owns_root { "" } else { ", which it does not own" };
    line("root contract", &format!("{}{standing}", shown.root));
    line(
        "approvals",
        &format!("{}, to revoke {}", shown.threshold, shown.revoke_threshold),
    );
    let (change, critical) = (shown.change_delay_seconds, shown.critical_delay_seconds);
    line("delay", &format!("changes {change} s, critical {critical} s"));
    if shown.paused_until > shown.now {
        line("paused until", &shown.paused_until.to_string());
    }
    line("chain's time", &shown.now.to_string());
    for (index, wallet) in &shown.signers {
        line(&format!("signer {index}"), wallet);
    }
    for (index, wallet) in &shown.council {
        line(&format!("council {index}"), wallet);
    }
    for proposal in &shown.proposals {
        line(
            &format!("proposal {}", proposal.id),
            &format!(
                "{}, {}, by signer {}",
                proposal.state, proposal.class, proposal.proposer
            ),
        );
        if let Some(says) = &proposal.says {
            line("  to", says);
        }
        line("  message", &proposal.message);
        line("  body hash", &proposal.body_hash.to_string());
        line("  approved by", &format!("{:?}", proposal.approved_by));
        if proposal.ready_at > 0 {
            line("  executable from", &proposal.ready_at.to_string());
        }
        line("  until", &proposal.expires_at.to_string());
    }
    text
}
