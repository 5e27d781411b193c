//! Proposes a change to a governor, or sends it where one wallet owns the root contract.

use async_trait::async_trait;
use cocoon_bindings::governor::ProposeFromSigner;
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::QueryId;
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, body, message, query_id, state};
use super::{named, signer, to_governor};
use crate::OwnerError;
use crate::facts::Role;
use crate::governance::{Change, GovernorView, Network, Owner};
use crate::limits::{EXECUTION_WINDOW, FEES, GOVERNOR_VALUE, MAX_LIFETIME, MAX_OPEN_PER_SIGNER, MAX_PAUSE};

/// Has a change proposed, or made where the root contract is owned by this wallet.
///
/// A change that is in force already is not proposed, and one that is proposed already, by whomever, not a second time.
#[derive(Debug, Clone)]
pub struct Propose {
    /// The root contract.
    pub root: Address,
    /// Another governor than the owner of the root contract, such as the one that it is offered to.
    pub governor: Option<Address>,
    /// What is to change.
    pub change: Change,
    /// Seconds after which the proposal can no longer be executed.
    pub lifetime: u32,
}

#[async_trait]
impl Operation for Propose {
    fn id(&self) -> String {
        // A change that has no body is refused before anything is written down.
        let body = self.change.body(QueryId::new(0));
        let hash = body.map_or_else(|_| String::new(), |body| body.repr_hash().to_string());
        match &self.governor {
            Some(governor) => format!("propose {} {governor} {hash}", self.root),
            None => format!("propose {} {hash}", self.root),
        }
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let network = Network::fetch(chain, &self.root, self.governor.as_ref()).await?;
        match &network.owner {
            Owner::Governor(governor) => self.propose(&network, governor, owner, done),
            Owner::Wallet(of) => self.send(&network, of, owner, done),
        }
    }
}

impl Propose {
    fn propose(
        &self,
        network: &Network,
        governor: &GovernorView,
        owner: &Address,
        done: &[&str],
    ) -> Result<Next, OwnerError> {
        if let Some(id) = network.open(&self.change) {
            let (_, proposal) = network.proposal(id)?;
            let name = named(id, proposal.body.repr_hash());
            return Ok(Next::Done(format!("{name} is open: {}", governor.standing(proposal))));
        }
        if self.change.is_in_force(network)? {
            return Ok(Next::Done(self.in_force()?));
        }
        if done.contains(&"propose") {
            return Ok(Next::unseen(
                "propose",
                "the proposal to show on the chain",
                &governor.account,
            ));
        }
        let signer_index = signer(governor, owner)?;
        let open = governor.records.get(&signer_index).map_or(0, |record| record.open);
        if open >= MAX_OPEN_PER_SIGNER {
            return Err(state(
                format!("signer {signer_index} has {open} proposals open, and may have {MAX_OPEN_PER_SIGNER}"),
                "`cocoon root cancel` one of them, also one that is over; or another signer proposes",
            ));
        }
        self.assert_accepted(network)?;
        let id = governor.next_id(signer_index);
        let proposed = self.change.body(QueryId::new(id))?;
        let says = format!(
            "propose to {}, as {}",
            self.change.says()?,
            named(id, proposed.repr_hash())
        );
        let message = body(&ProposeFromSigner {
            query_id: query_id(),
            signer_index,
            expires_at: self.expires_at(governor)?,
            body: proposed,
        })?;
        Ok(to_governor(
            governor,
            "propose",
            says,
            GOVERNOR_VALUE,
            message,
            &self.root,
        ))
    }

    /// Where one wallet owns the root contract: no one else is asked, and nothing waits.
    fn send(&self, network: &Network, of: &Address, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let Change::Root(_) = &self.change else {
            return Err(super::no_governor());
        };
        let is_in_force = if self.change.is_acceptance() {
            of == owner
        } else {
            self.change.is_in_force(network)?
        };
        if is_in_force {
            return Ok(Next::Done(self.in_force()?));
        }
        if done.contains(&"send") {
            return Ok(Next::unseen(
                "send",
                "the change to show on the chain",
                &network.root.account,
            ));
        }
        let may_send = if self.change.is_acceptance() {
            network.is_offered_to(owner)
        } else {
            of == owner
        };
        if !may_send {
            return Err(state(
                format!("the root contract is owned by {of}, and wallet {owner} can change nothing there"),
                "choose another --wallet, or --export --from OWNER for a message that the owner signs elsewhere",
            ));
        }
        self.assert_accepted(network)?;
        let says = format!(
            "{} AT ONCE: one wallet owns the root contract, and no other signer is asked",
            self.change.says()?
        );
        let body = self.change.body(query_id())?;
        let roles = vec![(self.root.clone(), Role::Root)];
        Ok(Next::send("send", says, message(&self.root, FEES, body), roles))
    }

    fn in_force(&self) -> Result<String, OwnerError> {
        Ok(format!("in force: {}", self.change.says()?))
    }

    /// Refuses what the root contract would refuse as it is now.
    fn assert_accepted(&self, network: &Network) -> Result<(), OwnerError> {
        match self.change.trial(network)? {
            Some(Err(refused)) => Err(refused),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    fn expires_at(&self, governor: &GovernorView) -> Result<u32, OwnerError> {
        let delay = governor.delay(self.change.class());
        // The contract wants that a pause cannot outlast a proposal that waits.
        let least = match delay {
            0 => 1,
            delay => delay.saturating_add(MAX_PAUSE).saturating_add(EXECUTION_WINDOW),
        };
        if !(least..=MAX_LIFETIME).contains(&self.lifetime) {
            return Err(state(
                format!(
                    "a proposal of this kind lives {least} to {MAX_LIFETIME} s, and {} s are asked for",
                    self.lifetime
                ),
                "give another --lifetime-days",
            ));
        }
        governor
            .account
            .time
            .checked_add(self.lifetime)
            .ok_or(OwnerError::AmountRange)
    }
}
