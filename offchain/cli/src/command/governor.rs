//! `cocoon governor show`: who decides, and what is proposed, in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cocoon_bindings::governance::{MAX_SIGNERS, approvers};
use cocoon_bindings::governor::{GovernorBody, Proposal as Kept, ProposalClass, ProposalState};
use cocoon_bindings::root::RootMessage;
use cocoon_bindings::ton::{Address, Cell, HashBytes, from_cell};
use cocoon_owner::governance::{Change, GovernorView, Network};
use serde::Serialize;

use super::root::date;
use crate::args::Global;
use crate::args::governor::GovernorPlace;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    address: String,
    root: String,
    owns_root: bool,
    /// Whether it runs the code that this program knows; the rules of another one are unknown.
    is_known_code: bool,
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
    /// How far it has come, in words.
    standing: String,
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
    let (chain, root) = super::network::resolve(global, &place.place)?.open()?;
    let network = Network::fetch(chain.as_ref(), &root, place.governor.as_ref()).await;
    let network = network.map_err(failure::from_owner)?;
    let Some(governor) = network.governor() else {
        let error = anyhow::anyhow!(
            "the root contract is owned by {}, which is no governor",
            network.sender()
        );
        let hint = "--governor ADDRESS names one that does not own it yet; `cocoon root show` shows the root contract";
        return Err(Failure::new(Exit::Usage, error, hint));
    };
    output.result(&shown(&network, governor), text)?;
    Ok(Exit::Done)
}

fn shown(network: &Network, governor: &GovernorView) -> Shown {
    let list = |members: &BTreeMap<u8, Address>| {
        let member = |(index, wallet): (&u8, &Address)| (*index, wallet.to_string());
        members.iter().map(member).collect()
    };
    let (storage, config) = (&governor.storage, &governor.storage.config);
    let proposals = governor.proposals.iter();
    Shown {
        address: governor.account.address.to_string(),
        root: storage.root.to_string(),
        owns_root: network.root.storage.owner == governor.account.address,
        is_known_code: governor.has_known_code(),
        epoch: storage.epoch,
        now: governor.account.time,
        threshold: config.threshold,
        revoke_threshold: config.revoke_threshold,
        change_delay_seconds: config.change_delay,
        critical_delay_seconds: config.critical_delay,
        paused_until: storage.paused_until,
        pause_allowed_from: storage.pause_allowed_from,
        signers: list(&governor.signers),
        council: list(&governor.council),
        proposals: proposals.map(|(id, kept)| describe(governor, *id, kept)).collect(),
    }
}

fn describe(governor: &GovernorView, id: u64, kept: &Kept) -> Proposal {
    Proposal {
        id,
        proposer: proposer_of(id),
        class: match kept.class {
            ProposalClass::Revoke => "revoke",
            ProposalClass::Change => "change",
            ProposalClass::Critical => "critical",
            ProposalClass::Release => "release",
            ProposalClass::CouncilChange => "council change",
        },
        state: match governor.state_of(kept) {
            ProposalState::Collecting => "collecting",
            ProposalState::Delayed => "delayed",
            ProposalState::Paused => "paused",
            ProposalState::Ready => "ready",
            ProposalState::UnderWay => "under way",
            ProposalState::Expired => "expired",
            ProposalState::Stale => "stale",
        },
        standing: governor.standing(kept),
        approved_by: approvers(kept.approvals).into_iter().collect(),
        ready_at: kept.ready_at,
        expires_at: kept.expires_at,
        body_hash: *kept.body.repr_hash(),
        says: Change::decode(&kept.body).and_then(|(change, _)| change.says()).ok(),
        message: message_of(&kept.body),
    }
}

/// The signer whose proposal has a number.
fn proposer_of(id: u64) -> u8 {
    u8::try_from(id % u64::from(MAX_SIGNERS)).unwrap_or(0)
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
    if !shown.is_known_code {
        line("code", "UNKNOWN: its rules are not those that this program knows");
    }
    if shown.paused_until > shown.now {
        line("paused until", &date(shown.paused_until));
    }
    line("chain's time", &date(shown.now));
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
                proposal.standing, proposal.class, proposal.proposer
            ),
        );
        if let Some(says) = &proposal.says {
            line("  to", says);
        }
        line("  message", &proposal.message);
        line("  body hash", &proposal.body_hash.to_string());
        line("  approved by", &format!("{:?}", proposal.approved_by));
        line("  until", &date(proposal.expires_at));
    }
    text
}
