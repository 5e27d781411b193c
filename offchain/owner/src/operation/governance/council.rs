//! A member of the council stops executions for a while.

use async_trait::async_trait;
use cocoon_bindings::governor::PauseFromCouncil;
use cocoon_bindings::ton::Address;
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, body, query_id, state};
use super::{no_governor, to_governor};
use crate::OwnerError;
use crate::governance::Network;
use crate::limits::{FEES, MAX_PAUSE};

/// What a pause does not stop.
const GO_ON: &str = "revocations, changes of the council and the end of a pause are not";

/// A pause that is shorter by this many seconds than the one that is asked for is taken for it: it began a while ago.
const PAUSE_SLACK: u32 = 3_600;

/// Pauses what waits; revocations go on.
#[derive(Debug, Clone)]
pub struct Pause {
    /// The root contract.
    pub root: Address,
    /// Another governor than the owner of the root contract.
    pub governor: Option<Address>,
    /// How long, in seconds, up to three days.
    pub duration: u32,
}

#[async_trait]
impl Operation for Pause {
    fn id(&self) -> String {
        format!("pause {} {:?} {}", self.root, self.governor, self.duration)
    }

    async fn next(&self, chain: &dyn ChainClient, owner: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let network = Network::fetch(chain, &self.root, self.governor.as_ref()).await?;
        let governor = network.governor().ok_or_else(no_governor)?;
        let (now, storage) = (governor.account.time, &governor.storage);
        if storage.paused_until > now {
            let until = crate::date(storage.paused_until);
            let is_long_enough = storage.paused_until >= now.saturating_add(self.duration).saturating_sub(PAUSE_SLACK);
            if done.is_empty() && !is_long_enough {
                return Err(state(
                    format!(
                        "changes are paused until {until} only, and may be paused again from {}",
                        crate::date(storage.pause_allowed_from)
                    ),
                    "cancel what must not be executed then: `cocoon root cancel`",
                ));
            }
            return Ok(Next::Done(format!("changes are paused until {until}; {GO_ON}")));
        }
        if !done.is_empty() {
            return Ok(Next::unseen(
                "pause",
                "the pause to show on the chain",
                &governor.account,
            ));
        }
        let member_index = governor.member(owner).ok_or_else(|| {
            state(
                format!(
                    "wallet {owner} is not of the council of governor {}",
                    governor.account.address
                ),
                "choose another --wallet: `cocoon governor show` lists the council",
            )
        })?;
        if storage.pause_allowed_from > now {
            return Err(state(
                format!(
                    "the council has paused before, and may again from {}",
                    crate::date(storage.pause_allowed_from)
                ),
                "a member of the council can still cancel single proposals: `cocoon root cancel`",
            ));
        }
        if !(1..=MAX_PAUSE).contains(&self.duration) {
            return Err(state(
                format!("a pause has 1 to {MAX_PAUSE} s, and {} s are asked for", self.duration),
                "give --hours 1 to 72",
            ));
        }
        let until = crate::date(now.saturating_add(self.duration));
        let message = body(&PauseFromCouncil {
            query_id: query_id(),
            member_index,
            duration: self.duration,
        })?;
        let says = format!("pause changes and critical proposals until about {until}; {GO_ON}");
        Ok(to_governor(governor, "pause", says, FEES, message, &self.root))
    }
}
