//! Where a starting replica's secret comes from: another replica, or a first start that says so.

use std::sync::Arc;

use cocoon_bindings::units::PublicKey;
use cocoon_protocol::ErrorCode;
use cocoon_protocol::codec::decode;
use cocoon_protocol::key::{GetKeyRoot, KeyRoot};
use cocoon_protocol::message::KeyQuery;
use cocoon_ratls::{Connector, RatlsError};
use cocoon_runner::backoff::Backoff;
use cocoon_runner::seal::{KeyLink, SealError};
use zeroize::Zeroizing;

use crate::limits::{JOIN_RETRY, JOIN_RETRY_CEILING, PEER_TIMEOUT};
use crate::replica::Replica;
use crate::{KeyManagerError, RootSecret};

/// The other replicas, and what is expected of them.
pub(crate) struct Peers {
    pub(crate) connector: Connector,
    pub(crate) addresses: Vec<String>,
    pub(crate) id: Option<PublicKey>,
}

impl Peers {
    /// Asks the others again and again until one gives the secret. Silence never leads to a new one.
    pub(crate) async fn join(self, replica: Arc<Replica>) {
        let mut backoff = Backoff::new(JOIN_RETRY, JOIN_RETRY_CEILING);
        loop {
            for address in &self.addresses {
                let adopted = self.secret_of(address).await.and_then(|secret| replica.adopt(secret));
                match adopted {
                    Ok(id) => {
                        tracing::info!(%id, replica = address, "the secret came from another replica");
                        return;
                    }
                    Err(error) => {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::warn!(%error, cause, replica = address, hint = error.hint(), "no secret from this replica");
                    }
                }
            }
            backoff.wait().await;
        }
    }

    /// Draws the first secret, when each of the others is out of reach or says that it has none. One that answers anything
    /// else may have a secret that it does not give us: then none is drawn.
    pub(crate) async fn draw(&self) -> Result<RootSecret, KeyManagerError> {
        for address in &self.addresses {
            let asked = tokio::time::timeout(PEER_TIMEOUT, self.secret_of(address)).await;
            match asked {
                Ok(Ok(secret)) => {
                    let (replica, id) = (address.clone(), secret.id()?);
                    return Err(KeyManagerError::Exists { replica, id });
                }
                Ok(Err(error)) if has_none(&error) => {
                    tracing::info!(%error, replica = address, "no other secret there");
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => tracing::info!(replica = address, "no answer from there"),
            }
        }
        Ok(RootSecret::generate())
    }

    async fn secret_of(&self, address: &str) -> Result<RootSecret, KeyManagerError> {
        let ask = async {
            let link = KeyLink::open(&self.connector, address).await?;
            let answer = link.ask(&KeyQuery::from(GetKeyRoot)).await?;
            let root: KeyRoot = decode(&answer).map_err(SealError::Malformed)?;
            let secret = RootSecret::new(Zeroizing::new(root.secret));
            link.close().await;
            Ok(secret)
        };
        let secret = ask.await.map_err(KeyManagerError::Replica)?;
        let found = secret.id()?;
        match self.id {
            Some(expected) if expected != found => Err(KeyManagerError::OtherManager {
                replica: address.to_owned(),
                found,
                expected,
            }),
            _ => Ok(secret),
        }
    }
}

/// Whether nobody is there, or a replica that says that it has no secret.
fn has_none(error: &KeyManagerError) -> bool {
    match error {
        KeyManagerError::Replica(SealError::Refused { code, .. }) => ErrorCode::from_wire(*code) == ErrorCode::NotReady,
        KeyManagerError::Replica(SealError::Connection(error)) => {
            matches!(error, RatlsError::Io { .. } | RatlsError::Timeout { .. })
        }
        KeyManagerError::Replica(SealError::Timeout) => true,
        _ => false,
    }
}
