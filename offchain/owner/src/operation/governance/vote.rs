//! A signer approves a proposal; a proposer or a council member drops one.

use async_trait::async_trait;
use cocoon_bindings::governance::approvers;
use cocoon_bindings::governor::{
    ApproveFromSigner, AskToPurgeProposal, CancelFromCouncil, CancelFromProposer, ProposalState,
};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, body, query_id, state};
use super::{assert_open, gone, named, no_governor, signer, to_governor, unknown_code};
use crate::OwnerError;
use crate::governance::{Change, Network};
use crate::governance::{is_within_councils_reach, proposer_of};
use crate::limits::FEES;

/// Approves exactly one body.
#[derive(Debug, Clone)]
pub struct Approve {
    /// The root contract.
    pub root: Address,
    /// Another governor than the owner of the root contract.
    pub governor: Option<Address>,
    /// Number of the proposal.
    pub proposal: u64,
    /// Hash of the body that was looked at.
    pub body_hash: HashBytes,
    /// Whether its meaning was looked at. Otherwise nothing is sent, and only the end of an approval that was sent before is
    /// told.
    pub may_send: bool,
}

/// Drops a proposal: one's own, as a member of the council any that it may stop, and anyone's that is over.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// The root contract.
    pub root: Address,
    /// Another governor than the owner of the root contract.
    pub governor: Option<Address>,
    /// Number of the proposal.
    pub proposal: u64,
}

#[async_trait]
impl Operation for Approve {
    fn id(&self) -> String {
        format!(
            "approve {} {:?} {} {}",
            self.root, self.governor, self.proposal, self.body_hash
        )
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let network = Network::fetch(chain, &self.root, self.governor.as_ref()).await?;
        let governor = network.governor().ok_or_else(no_governor)?;
        let Some(proposal) = governor.proposals.get(&self.proposal) else {
            if !done.is_empty() && governor.was_made(self.proposal) {
                let says = format!("proposal {} was approved and is no longer open", self.proposal);
                return Ok(Next::Done(says));
            }
            return Err(gone(governor, self.proposal));
        };
        if *proposal.body.repr_hash() != self.body_hash {
            return Err(OwnerError::Differs { field: "body" });
        }
        let signer_index = signer(governor, owner)?;
        let standing = governor.state_of(proposal);
        // Approvals of another epoch were given by its signers: the index may have another holder since.
        let is_over = standing == ProposalState::Stale || (done.is_empty() && standing == ProposalState::Expired);
        if is_over {
            assert_open(governor, self.proposal, proposal)?;
        }
        if approvers(proposal.approvals).contains(&signer_index) {
            let standing = governor.standing(proposal);
            return Ok(Next::Done(format!(
                "proposal {} is approved: {standing}",
                self.proposal
            )));
        }
        if !done.is_empty() {
            return Ok(Next::unseen(
                "approve",
                "the approval to show on the chain",
                &governor.account,
            ));
        }
        assert_open(governor, self.proposal, proposal)?;
        if !self.may_send {
            return Err(state(
                format!(
                    "proposal {} was not there when the file was compared with the chain",
                    self.proposal
                ),
                "give the same command again: it compares all of the file",
            ));
        }
        // Nobody approves what cannot be read.
        let (change, _) = Change::decode(&proposal.body)?;
        let mut says = format!(
            "approve to {}, {}",
            change.says()?,
            named(self.proposal, &self.body_hash)
        );
        if let Some(warning) = unknown_code(governor) {
            says.push_str(warning);
        }
        let message = body(&ApproveFromSigner {
            query_id: query_id(),
            signer_index,
            proposal_id: self.proposal,
            body_hash: self.body_hash,
        })?;
        Ok(to_governor(governor, "approve", says, FEES, message, &self.root))
    }
}

#[async_trait]
impl Operation for Cancel {
    fn id(&self) -> String {
        format!("cancel {} {:?} {}", self.root, self.governor, self.proposal)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let network = Network::fetch(chain, &self.root, self.governor.as_ref()).await?;
        let governor = network.governor().ok_or_else(no_governor)?;
        let (query_id, proposal_id) = (query_id(), self.proposal);
        let Some(proposal) = governor.proposals.get(&proposal_id) else {
            if !done.is_empty() && governor.was_made(proposal_id) {
                return Ok(Next::Done(format!("proposal {proposal_id} is dropped")));
            }
            return Err(gone(governor, proposal_id));
        };
        if !done.is_empty() {
            return Ok(Next::unseen(
                "cancel",
                "the cancellation to show on the chain",
                &governor.account,
            ));
        }
        let name = named(proposal_id, proposal.body.repr_hash());
        if governor.can_be_removed(proposal) {
            let message = body(&AskToPurgeProposal { query_id, proposal_id })?;
            let says = format!("remove {name}, which is over");
            return Ok(to_governor(governor, "cancel", says, FEES, message, &self.root));
        }
        assert_open(governor, proposal_id, proposal)?;
        let (own, member) = (governor.signer(owner), governor.member(owner));
        let message = match (own, member) {
            (Some(signer_index), _) if signer_index == proposer_of(proposal_id) => body(&CancelFromProposer {
                query_id,
                signer_index,
                proposal_id,
            })?,
            (_, Some(member_index)) if is_within_councils_reach(proposal.class) => body(&CancelFromCouncil {
                query_id,
                member_index,
                proposal_id,
            })?,
            (_, Some(_)) => {
                return Err(state(
                    format!("the council cannot cancel proposal {proposal_id}: it is not a change"),
                    "only its proposer can: `cocoon governor show` says who",
                ));
            }
            _ => {
                return Err(state(
                    format!("wallet {owner} neither made proposal {proposal_id} nor is it of the council"),
                    "choose another --wallet: `cocoon governor show` lists who may",
                ));
            }
        };
        Ok(to_governor(
            governor,
            "cancel",
            format!("drop {name}"),
            FEES,
            message,
            &self.root,
        ))
    }
}
