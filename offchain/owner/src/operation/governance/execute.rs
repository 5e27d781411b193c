//! Executes a proposal that is due, after its delay.

use async_trait::async_trait;
use cocoon_bindings::governor::{AskToExecuteProposal, ProposalState};
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, body, query_id, state};
use super::{assert_open, gone, named, no_governor, to_governor};
use crate::OwnerError;
use crate::governance::{Change, Network};
use crate::limits::{ANSWER_PATIENCE, GOVERNOR_VALUE};

/// Waits until a proposal is due and executes it. Any wallet may.
#[derive(Debug, Clone)]
pub struct Execute {
    /// The root contract.
    pub root: Address,
    /// Another governor than the owner of the root contract.
    pub governor: Option<Address>,
    /// Number of the proposal.
    pub proposal: u64,
}

#[async_trait]
impl Operation for Execute {
    fn id(&self) -> String {
        format!("execute {} {:?} {}", self.root, self.governor, self.proposal)
    }

    async fn next(&self, chain: &dyn ChainClient, _: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let network = Network::fetch(chain, &self.root, self.governor.as_ref()).await?;
        let governor = network.governor().ok_or_else(no_governor)?;
        let id = self.proposal;
        let Some(proposal) = governor.proposals.get(&id) else {
            if !done.is_empty() && governor.was_made(id) {
                return Ok(Next::Done(format!("proposal {id} is executed")));
            }
            return Err(gone(governor, id));
        };
        let standing = governor.standing(proposal);
        match governor.state_of(proposal) {
            ProposalState::UnderWay => {
                let started_at = proposal.execution.as_ref().map_or(0, |execution| execution.started_at);
                if governor.account.time < started_at.saturating_add(ANSWER_PATIENCE) {
                    return Ok(Next::wait("the root contract's answer", None));
                }
                Err(state(
                    format!(
                        "proposal {id} was sent to the root contract on {}, which has not answered",
                        crate::date(started_at)
                    ),
                    "`cocoon root show` says whether it is in force; once it has expired, and a day after it was sent, \
                     `cocoon root cancel` removes it",
                ))
            }
            ProposalState::Collecting => Err(state(
                format!("proposal {id} has {standing}"),
                "the other signers approve it: `cocoon root approve`",
            )),
            ProposalState::Delayed => Ok(Next::wait(
                format!("the delay in which everybody can look at proposal {id}"),
                Some(proposal.ready_at),
            )),
            ProposalState::Paused => Ok(Next::wait("the council's pause", Some(governor.storage.paused_until))),
            ProposalState::Ready if !done.is_empty() => Ok(Next::unseen(
                "execute",
                "the execution to show on the chain",
                &governor.account,
            )),
            ProposalState::Ready => {
                // It is executed whether this version can read it or not; the signers have approved it.
                let says = match Change::decode(&proposal.body) {
                    Ok((change, _)) => change.says()?,
                    Err(_) => "do what this version cannot read".to_owned(),
                };
                let says = format!("{says}: execute {}", named(id, proposal.body.repr_hash()));
                let message = body(&AskToExecuteProposal {
                    query_id: query_id(),
                    proposal_id: id,
                })?;
                Ok(to_governor(
                    governor,
                    "execute",
                    says,
                    GOVERNOR_VALUE,
                    message,
                    &self.root,
                ))
            }
            ProposalState::Expired | ProposalState::Stale => {
                assert_open(governor, id, proposal)?;
                Err(gone(governor, id))
            }
        }
    }
}
