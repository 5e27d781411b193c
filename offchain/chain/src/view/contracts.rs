//! Proxy, client and worker contracts.

use std::ops::Deref;

use cocoon_bindings::client::ClientStorage;
use cocoon_bindings::proxy::ProxyStorage;
use cocoon_bindings::ton::Address;
use cocoon_bindings::worker::WorkerStorage;

use super::fetch;
use crate::ChainError;
use crate::client::{AccountState, ChainClient};

/// An account together with the data of one kind of contract, whose fields are reached directly.
macro_rules! contract {
    ($(#[doc = $doc:literal])+ $name:ident, $data:ident, $what:literal) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The account: coins, last transaction, the chain's time.
            pub account: AccountState,
            /// The contract's data.
            pub data: $data,
        }

        impl $name {
            /// Reads the contract from the chain.
            pub async fn fetch(chain: &dyn ChainClient, address: &Address) -> Result<Self, ChainError> {
                let (account, data) = fetch(chain, address, $what).await?;
                Ok(Self { account, data })
            }
        }

        impl Deref for $name {
            type Target = $data;

            fn deref(&self) -> &$data {
                &self.data
            }
        }
    };
}

contract! {
    /// A proxy contract at one moment.
    ProxyAccount, ProxyStorage, "proxy contract"
}
contract! {
    /// A client contract at one moment.
    ClientAccount, ClientStorage, "client contract"
}
contract! {
    /// A worker contract at one moment.
    WorkerAccount, WorkerStorage, "worker contract"
}
