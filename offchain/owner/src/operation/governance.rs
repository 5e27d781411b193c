//! What governs a network: changes of its root contract, proposed, approved, executed, cancelled, or made at once where one
//! wallet owns it.

mod council;
mod deploy;
mod execute;
mod propose;
mod vote;

use cocoon_bindings::governor::{Proposal, ProposalState};
use cocoon_bindings::ton::{Address, Cell, HashBytes};
use cocoon_bindings::units::Nanoton;

pub use council::Pause;
pub use deploy::Deploy;
pub use execute::Execute;
pub use propose::Propose;
pub use vote::{Approve, Cancel};

use super::{Next, message, state};
use crate::OwnerError;
use crate::facts::Role;
use crate::governance::{Change, GovernorView, Network, proposer_of};

impl Network {
    /// A proposal that the governor keeps.
    pub fn proposal(&self, id: u64) -> Result<(&GovernorView, &Proposal), OwnerError> {
        let governor = self.governor().ok_or_else(no_governor)?;
        let proposal = governor.proposals.get(&id).ok_or_else(|| gone(governor, id))?;
        Ok((governor, proposal))
    }

    /// The number of a proposal of this change that can still come to its end.
    pub fn open(&self, change: &Change) -> Option<u64> {
        self.all_open(change).into_iter().next()
    }

    /// The same where a signer made it.
    pub fn open_of(&self, change: &Change, signer: u8) -> Option<u64> {
        let open = self.all_open(change);
        open.into_iter().find(|id| proposer_of(*id) == signer)
    }

    fn all_open(&self, change: &Change) -> Vec<u64> {
        let is_equal = |proposal: &Proposal| Change::decode(&proposal.body).is_ok_and(|(other, _)| other == *change);
        let proposals = self.governor().map(|governor| governor.proposals.iter());
        let open = proposals
            .into_iter()
            .flatten()
            .filter(|(_, proposal)| self.is_alive(proposal) && is_equal(proposal));
        open.map(|(id, _)| *id).collect()
    }

    /// Whether a proposal can still come to its end.
    pub(crate) fn is_alive(&self, proposal: &Proposal) -> bool {
        self.governor().is_some_and(|governor| {
            let state = governor.state_of(proposal);
            !matches!(state, ProposalState::Expired | ProposalState::Stale)
        })
    }
}

/// How a proposal is named in an order, by number and hash.
fn named(id: u64, body: &HashBytes) -> String {
    format!("proposal {id} with body hash {body}")
}

fn to_governor(
    governor: &GovernorView,
    step: &'static str,
    says: String,
    value: Nanoton,
    body: Cell,
    root: &Address,
) -> Next {
    let to = &governor.account.address;
    let roles = vec![(to.clone(), Role::Governor), (root.clone(), Role::Root)];
    Next::send(step, says, message(to, value, body), roles)
}

/// What to add to an order where the rules of the governor are not known.
fn unknown_code(governor: &GovernorView) -> Option<&'static str> {
    (!governor.has_known_code()).then_some("; UNKNOWN CODE: the governor's rules are not those that this program knows")
}

fn no_governor() -> OwnerError {
    state(
        "the owner of the root contract is no governor: nothing is proposed there",
        "`cocoon root propose` sends a change at once where one wallet owns the root contract; --governor names another governor",
    )
}

fn gone(governor: &GovernorView, id: u64) -> OwnerError {
    if governor.was_made(id) {
        let what = format!("proposal {id} is no longer there: it was executed, cancelled or removed");
        return state(what, "`cocoon root show` says what is in force");
    }
    state(
        format!("there is no proposal {id}"),
        "`cocoon governor show` lists what is proposed",
    )
}

fn signer(governor: &GovernorView, wallet: &Address) -> Result<u8, OwnerError> {
    governor.signer(wallet).ok_or_else(|| {
        let what = format!("wallet {wallet} is no signer of governor {}", governor.account.address);
        state(
            what,
            "choose another --wallet: `cocoon governor show` lists the signers",
        )
    })
}

/// Refuses what can no longer be executed, and what is being executed.
fn assert_open(governor: &GovernorView, id: u64, proposal: &Proposal) -> Result<(), OwnerError> {
    match governor.state_of(proposal) {
        ProposalState::Expired | ProposalState::Stale => Err(state(
            format!("proposal {id} is over: {}", governor.standing(proposal)),
            "propose it again; `cocoon root cancel` removes the old one",
        )),
        ProposalState::UnderWay => Err(state(
            format!("proposal {id} is being executed"),
            "wait for the root contract's answer: `cocoon governor show`",
        )),
        ProposalState::Collecting | ProposalState::Delayed | ProposalState::Paused | ProposalState::Ready => Ok(()),
    }
}
