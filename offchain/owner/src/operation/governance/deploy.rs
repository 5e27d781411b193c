//! Deploys a governor for a root contract.

use async_trait::async_trait;
use cocoon_bindings::governor_state_init;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell};
use cocoon_bindings::{BindingsError, Governance};
use cocoon_chain::ChainClient;

use super::super::{Next, Operation, there_or_awaited};
use crate::OwnerError;
use crate::facts::Role;
use crate::governance::RootState;
use crate::limits::GOVERNOR_DEPLOY_VALUE;

/// Deploys the governor that follows from a root contract, its members and its delays. Any wallet may; it owns nothing until
/// the root contract is offered to it and its signers accept.
#[derive(Debug, Clone)]
pub struct Deploy {
    /// The root contract.
    pub root: Address,
    /// Who decides, and how slowly.
    pub governance: Governance,
}

impl Deploy {
    /// Where the governor is.
    pub fn address(&self) -> Result<Address, BindingsError> {
        governor_state_init(&self.root, &self.governance)?.address()
    }
}

#[async_trait]
impl Operation for Deploy {
    fn id(&self) -> String {
        // Members that make no governor are refused before anything is written down.
        let address = self
            .address()
            .map_or_else(|_| String::new(), |address| address.to_string());
        format!("deploy governor {address}")
    }

    async fn next(&self, chain: &dyn ChainClient, _: &Address, done: &[&str]) -> Result<Next, OwnerError> {
        let init = governor_state_init(&self.root, &self.governance)?;
        let address = init.address()?;
        if let Some(next) = there_or_awaited(chain, "governor", &address, done).await? {
            return Ok(next);
        }
        // What is governed must be there: the governor is bound to it for ever.
        RootState::fetch(chain, &self.root).await?;
        let message = InternalMessage {
            to: address.clone(),
            value: GOVERNOR_DEPLOY_VALUE,
            // What is not deployed yet would send everything back.
            bounce: false,
            body: Cell::default(),
            state_init: Some(init),
        };
        let says = format!("deploy governor {address}");
        Ok(Next::send("deploy", says, message, vec![(address, Role::Governor)]))
    }
}
