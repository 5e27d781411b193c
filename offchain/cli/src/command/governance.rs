//! `cocoon root export` and `cocoon governor export`: unsigned messages for whoever has the keys.

mod change;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, HashBytes, Store, to_cell};
use cocoon_bindings::{ExportedMessage, Governance, QueryId, StateInit, governor, governor_state_init};
use cocoon_chain::{RootView, SharedChain, call_get_method};
use cocoon_owner::governance::{Change, RootState};
use serde::Serialize;

use crate::args::Global;
use crate::args::governance::{RootExportArgs, Sending};
use crate::args::governor::{GovernorAction, GovernorExportArgs, Members};
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

pub(crate) use self::change::{change, repeatable_end, root_change};

const HOUR: u32 = 3600;
const DAY: u32 = 24 * HOUR;

/// What is printed.
#[derive(Serialize)]
struct Exported {
    message: ExportedMessage,
    /// What signers of a governor compare, when the message proposes something.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposed>,
}

#[derive(Serialize)]
struct Proposed {
    id: u64,
    body_hash: HashBytes,
}

/// A body with where it goes.
struct Outgoing {
    to: Address,
    body: Cell,
    state_init: Option<StateInit>,
    proposal: Option<Proposed>,
}

/// Runs `root export`.
pub(crate) async fn root(global: &Global, args: RootExportArgs, output: Output) -> Result<Exit, Failure> {
    let (chain, root) = super::network::resolve(global, &args.place)?.open()?;
    let state = RootState::fetch(chain.as_ref(), &root)
        .await
        .map_err(failure::from_owner)?;
    let change = root_change(&args.change, &state)?;
    let outgoing = Outgoing {
        to: root,
        body: change.body(query_id(&args.sending)).map_err(failure::from_owner)?,
        state_init: None,
        proposal: None,
    };
    print(outgoing, &args.sending, state.storage.params.is_test, output)
}

/// Runs `governor export`.
pub(crate) async fn governor(global: &Global, args: GovernorExportArgs, output: Output) -> Result<Exit, Failure> {
    let (chain, view) = super::root::view(global, args.place.place).await?;
    let governor = args.place.governor.unwrap_or_else(|| view.owner.clone());
    let sending = &args.sending;
    let outgoing = match args.action {
        GovernorAction::Deploy(members) => deploy(&view, members)?,
        GovernorAction::Propose {
            signer,
            lifetime_days,
            body,
        } => {
            let expires_at = after(view.time, lifetime_days, DAY)?;
            let state = RootState::fetch(chain.as_ref(), &view.address)
                .await
                .map_err(failure::from_owner)?;
            let change = change(&body, &state)?;
            propose(&chain, governor, signer, expires_at, &change, query_id(sending)).await?
        }
        action => Outgoing {
            to: governor,
            body: action_body(action, query_id(sending))?,
            state_init: None,
            proposal: None,
        },
    };
    print(outgoing, sending, view.is_test(), output)
}

fn query_id(sending: &Sending) -> QueryId {
    QueryId::new(sending.query_id.unwrap_or_else(rand::random))
}

/// Who decides, as it was typed.
pub(crate) fn governance(members: Members) -> Result<Governance, Failure> {
    let governance = Governance {
        threshold: members.threshold,
        revoke_threshold: members.revoke_threshold,
        change_delay: after(0, members.change_delay_hours, HOUR)?,
        critical_delay: after(0, members.critical_delay_hours, HOUR)?,
        signers: by_index(members.signers),
        council: by_index(members.council),
    };
    governance.check().or_fail(
        Exit::Usage,
        "these members and delays make no governor",
        "thresholds are at most the number of signers, delays 1 hour to 30 days, and no wallet appears twice",
    )?;
    Ok(governance)
}

fn deploy(view: &RootView, members: Members) -> Result<Outgoing, Failure> {
    let state_init = governor_state_init(&view.address, &governance(members)?).map_err(anyhow::Error::from)?;
    Ok(Outgoing {
        to: state_init.address().map_err(anyhow::Error::from)?,
        body: Cell::default(),
        state_init: Some(state_init),
        proposal: None,
    })
}

async fn propose(
    chain: &SharedChain,
    governor: Address,
    signer_index: u8,
    expires_at: u32,
    change: &Change,
    query_id: QueryId,
) -> Result<Outgoing, Failure> {
    let next = governor::GetNextProposalId { signer_index };
    let id = call_get_method(chain.as_ref(), &governor, &next)
        .await
        .map_err(failure::from_chain)?;
    let body = change.body(QueryId::new(id)).map_err(failure::from_owner)?;
    let proposal = Proposed {
        id,
        body_hash: *body.repr_hash(),
    };
    let message = governor::ProposeFromSigner {
        query_id,
        signer_index,
        expires_at,
        body,
    };
    Ok(Outgoing {
        to: governor,
        body: cell(&message)?,
        state_init: None,
        proposal: Some(proposal),
    })
}

fn print(outgoing: Outgoing, sending: &Sending, is_test: bool, output: Output) -> Result<Exit, Failure> {
    let message = InternalMessage {
        to: outgoing.to,
        value: sending.value,
        // What is not deployed yet would send everything back.
        bounce: outgoing.state_init.is_none(),
        body: outgoing.body,
        state_init: outgoing.state_init,
    };
    let message = ExportedMessage::new(&message, is_test).map_err(anyhow::Error::from)?;
    let exported = Exported {
        message,
        proposal: outgoing.proposal,
    };
    output.result(&exported, text)?;
    Ok(Exit::Done)
}

fn text(exported: &Exported) -> String {
    let message = &exported.message;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<20} {value}");
    };
    line("to", &message.to);
    line("value", &message.value.to_string());
    line("body hash", &message.body_hash.to_string());
    line("body", &message.body);
    if let Some(init) = &message.state_init {
        line("state init", init);
    }
    line("link", &message.link);
    if let Some(proposal) = &exported.proposal {
        line("proposal", &proposal.id.to_string());
        line("proposal's body hash", &proposal.body_hash.to_string());
    }
    text
}

fn action_body(action: GovernorAction, query_id: QueryId) -> Result<Cell, Failure> {
    match action {
        GovernorAction::Approve {
            signer: signer_index,
            proposal: proposal_id,
            body_hash,
        } => cell(&governor::ApproveFromSigner {
            query_id,
            signer_index,
            proposal_id,
            body_hash,
        }),
        GovernorAction::WithdrawApproval {
            signer: signer_index,
            proposal: proposal_id,
        } => cell(&governor::WithdrawApprovalFromSigner {
            query_id,
            signer_index,
            proposal_id,
        }),
        GovernorAction::Cancel {
            signer: signer_index,
            proposal: proposal_id,
        } => cell(&governor::CancelFromProposer {
            query_id,
            signer_index,
            proposal_id,
        }),
        GovernorAction::CouncilCancel {
            member: member_index,
            proposal: proposal_id,
        } => cell(&governor::CancelFromCouncil {
            query_id,
            member_index,
            proposal_id,
        }),
        GovernorAction::Pause {
            member: member_index,
            hours,
        } => cell(&governor::PauseFromCouncil {
            query_id,
            member_index,
            duration: after(0, hours, HOUR)?,
        }),
        GovernorAction::Execute { proposal: proposal_id } => {
            cell(&governor::AskToExecuteProposal { query_id, proposal_id })
        }
        GovernorAction::Purge { proposal: proposal_id } => {
            cell(&governor::AskToPurgeProposal { query_id, proposal_id })
        }
        GovernorAction::Deploy(_) | GovernorAction::Propose { .. } => {
            Err(anyhow::anyhow!("this message is made elsewhere").into())
        }
    }
}

pub(crate) fn by_index(members: Vec<Address>) -> BTreeMap<u8, Address> {
    (0u8..).zip(members).collect()
}

fn after(now: u32, count: u32, unit: u32) -> Result<u32, Failure> {
    let later = count.checked_mul(unit).and_then(|seconds| now.checked_add(seconds));
    later
        .ok_or_else(|| anyhow::anyhow!("{count} units of {unit} s are out of range"))
        .or_fail(Exit::Usage, "a time is too far away", "give a smaller number")
}

fn cell(message: &impl Store) -> Result<Cell, Failure> {
    Ok(to_cell(message).map_err(anyhow::Error::from)?)
}
