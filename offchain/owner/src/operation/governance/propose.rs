//! Proposes a change to a governor, or sends it where one wallet owns the root contract.

use async_trait::async_trait;
use cocoon_bindings::governance::approvers;
use cocoon_bindings::governor::ProposeFromSigner;
use cocoon_bindings::root::{RegisterProxyFromOwner, RootMessage, UpdateProxyFromOwner};
use cocoon_bindings::ton::Address;
use cocoon_bindings::units::QueryId;
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, body, message, query_id, state};
use super::{named, signer, to_governor, unknown_code};
use crate::OwnerError;
use crate::facts::Role;
use crate::governance::{Change, GovernorView, Network, Owner, Trial, own_refusal, proposer_of};
use crate::limits::{
    ANSWER_PATIENCE, DAY, EXECUTION_WINDOW, FEES, GOVERNOR_VALUE, MAX_CLOCK_LAG, MAX_LIFETIME, MAX_OPEN_PER_SIGNER,
    MAX_PAUSE,
};

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
            Owner::Governor(governor) => self.propose(chain, &network, governor, owner, done).await,
            Owner::Wallet(of) => self.send(chain, &network, of, owner, done).await,
        }
    }
}

impl Propose {
    async fn propose(
        &self,
        chain: &dyn ChainClient,
        network: &Network,
        governor: &GovernorView,
        owner: &Address,
        done: &[&str],
    ) -> Result<Next, OwnerError> {
        let ours = governor.signer(owner);
        let own = ours.and_then(|signer| network.open_of(&self.change, signer));
        if let Some(id) = own.or_else(|| network.open(&self.change)) {
            let (_, proposal) = network.proposal(id)?;
            let name = named(id, proposal.body.repr_hash());
            let mut says = format!("{name} is open: {}", governor.standing(proposal));
            if own.is_none() {
                // Another's may be cancelled by whoever made it.
                says.push_str(&format!("; signer {} made it", proposer_of(id)));
            }
            if ours.is_some_and(|signer| !approvers(proposal.approvals).contains(&signer)) {
                says.push_str(&format!(
                    ", and this wallet has NOT approved it: `cocoon root approve --id {id}`; `cocoon governor export propose` \
                     makes one of one's own"
                ));
            }
            return Ok(Next::Done(says));
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
        if self.change.is_acceptance() && !governor.has_known_code() {
            return Err(state(
                format!(
                    "the code of governor {} is not that which this program carries: whoever wrote it may own the network",
                    governor.account.address
                ),
                "offer the root contract to one that `cocoon governor deploy` made; `cocoon governor export propose` makes the \
                 message all the same",
            ));
        }
        let id = governor.next_id(signer_index);
        let proposed = self.change.body(QueryId::new(id))?;
        let says = format!(
            "propose to {}{}, as {}{}",
            self.change.says()?,
            self.new_owner(chain).await?,
            named(id, proposed.repr_hash()),
            unknown_code(governor).unwrap_or_default()
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
    async fn send(
        &self,
        chain: &dyn ChainClient,
        network: &Network,
        of: &Address,
        owner: &Address,
        done: &[&str],
    ) -> Result<Next, OwnerError> {
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
            "{}{} AT ONCE: one wallet owns the root contract, and no other signer is asked",
            self.change.says()?,
            self.new_owner(chain).await?
        );
        let body = self.change.body(query_id())?;
        let roles = vec![(self.root.clone(), Role::Root)];
        Ok(Next::send("send", says, message(&self.root, FEES, body), roles))
    }

    fn in_force(&self) -> Result<String, OwnerError> {
        Ok(format!("in force: {}", self.change.says()?))
    }

    /// What is known of whom the root contract is offered to.
    async fn new_owner(&self, chain: &dyn ChainClient) -> Result<&'static str, OwnerError> {
        let Change::Root(message) = &self.change else {
            return Ok("");
        };
        let RootMessage::OfferOwnershipFromOwner(offer) = message.as_ref() else {
            return Ok("");
        };
        if offer.until == 0 {
            return Ok("");
        }
        let view = GovernorView::fetch(chain, &offer.new_owner).await?;
        Ok(match view.filter(|view| view.storage.root == self.root) {
            Some(view) if view.has_known_code() => " (a governor of this root contract)",
            Some(_) => " (a governor of this root contract with UNKNOWN CODE)",
            None => " (NO governor of this root contract)",
        })
    }

    /// Refuses what would be refused as things are now, or when it can be executed.
    fn assert_accepted(&self, network: &Network) -> Result<(), OwnerError> {
        match &self.change {
            Change::Governor(own) => {
                let governor = network.governor().ok_or_else(super::no_governor)?;
                if let Some(refused) = own_refusal(own, governor)? {
                    return Err(state(
                        refused,
                        "propose another change: `cocoon governor show` says what is in force",
                    ));
                }
            }
            Change::Root(message) => {
                if let RootMessage::RegisterProxyFromOwner(RegisterProxyFromOwner { endpoints, .. })
                | RootMessage::UpdateProxyFromOwner(UpdateProxyFromOwner { endpoints, .. }) = message.as_ref()
                    && let Some(place) = endpoints.misplaced()
                {
                    return Err(state(
                        format!("{place:?} is no place that a proxy could listen at"),
                        "give IP:PORT, or IP:PORT for workers and IP:PORT for clients",
                    ));
                }
            }
        }
        if let Some(Trial::Refused(refused)) = self.change.trial(network)? {
            return Err(refused);
        }
        match self.change.ends_before(network)? {
            None => Ok(()),
            Some(earliest) => Err(state(
                format!(
                    "this ends before it can be executed, at the earliest on {}",
                    crate::date(earliest)
                ),
                "give a later day",
            )),
        }
    }

    fn expires_at(&self, governor: &GovernorView) -> Result<u32, OwnerError> {
        let delay = governor.delay(self.change.class());
        // The contract wants that a pause cannot outlast a proposal that waits.
        let least = match delay {
            0 => 1,
            // The contract counts from when the message arrives.
            delay => delay
                .saturating_add(MAX_PAUSE)
                .saturating_add(EXECUTION_WINDOW)
                .saturating_add(MAX_CLOCK_LAG + ANSWER_PATIENCE),
        };
        if !(least..=MAX_LIFETIME).contains(&self.lifetime) {
            return Err(state(
                format!(
                    "a proposal of this kind lives {} to {} days, and {} s are asked for",
                    least.div_ceil(DAY),
                    MAX_LIFETIME / DAY,
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
