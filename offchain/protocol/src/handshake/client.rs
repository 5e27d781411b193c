//! The client's side.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{HandshakeError, ProofStep, ProxyIdentity};
use crate::client::{
    AuthorizationWithProxy, AuthorizeWithProxyLong, AuthorizeWithProxyShort, ConnectToProxy, ConnectedToProxy, Params,
    ProxyConnectionAuth,
};
use crate::codec::{decode, encode};
use crate::proxy::SignedPayment;
use crate::version::VersionRange;

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOffer {
    /// Address of the node's wallet contract, user-friendly, not bounceable.
    pub owner_address: String,
    /// The network that the client is for.
    pub is_test: bool,
    /// Version of the root state that the client knows.
    pub min_config_version: i32,
    /// Versions that it speaks.
    pub versions: VersionRange,
}

/// Waits for `client.connectedToProxy`.
#[derive(Debug)]
pub struct ClientConnecting {
    offer: ClientOffer,
}

/// The proxy has answered; its addresses are to be checked before going on.
#[derive(Debug)]
pub struct ClientAuthorize {
    /// Who the proxy is.
    pub proxy: ProxyIdentity,
    /// The client's contract as the proxy sees it, user-friendly.
    pub client_contract_address: String,
    /// The latest voucher.
    pub signed_payment: SignedPayment,
    auth: ProxyConnectionAuth,
}

/// Waits for the end of the authorisation.
#[derive(Debug)]
pub struct ClientAuthorizing {
    /// Set when the authorisation goes through the chain: the client's wallet has to send
    /// `owner_client_register` with this nonce to the client contract.
    pub register_nonce: Option<i64>,
}

/// A connection that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    /// The latest voucher.
    pub signed_payment: SignedPayment,
    /// Stored by the proxy.
    pub tokens_committed_to_db: i64,
    /// Everything so far.
    pub max_tokens: i64,
}

impl ClientConnecting {
    /// The first question.
    pub fn start(offer: ClientOffer) -> (Self, Bytes) {
        let params = Params {
            flags: (),
            client_owner_address: offer.owner_address.clone(),
            is_test: Some(offer.is_test),
            versions: Some(offer.versions),
        };
        let question = encode(&ConnectToProxy {
            params,
            min_config_version: offer.min_config_version,
        });
        (Self { offer }, question)
    }

    /// Takes its answer. What follows waits for the proof of the session, where the version has one.
    pub fn connected(self, answer: &[u8]) -> Result<ProofStep<ClientAuthorize>, HandshakeError> {
        let ConnectedToProxy {
            params,
            client_sc_address,
            auth,
            signed_payment,
        } = decode(answer)?;
        let proxy = ProxyIdentity::check(params, self.offer.is_test, self.offer.versions)?;
        let is_owed = proxy.version.has_session_proof();
        let next = ClientAuthorize {
            proxy,
            client_contract_address: client_sc_address,
            signed_payment,
            auth,
        };
        Ok(ProofStep::new(is_owed, next))
    }
}

impl ClientAuthorize {
    /// The second question: by secret when the proxy's hash is that of the secret, else through the chain under the
    /// challenge's nonce.
    pub fn authorize(self, secret: &[u8]) -> (ClientAuthorizing, Bytes) {
        match self.auth {
            ProxyConnectionAuth::Short { secret_hash, .. }
                if <[u8; 32]>::from(Sha256::digest(secret)) == secret_hash =>
            {
                let question = encode(&AuthorizeWithProxyShort {
                    data: Bytes::copy_from_slice(secret),
                });
                (ClientAuthorizing { register_nonce: None }, question)
            }
            ProxyConnectionAuth::Short { nonce, .. } | ProxyConnectionAuth::Long { nonce } => (
                ClientAuthorizing {
                    register_nonce: Some(nonce),
                },
                encode(&AuthorizeWithProxyLong),
            ),
        }
    }
}

impl ClientAuthorizing {
    /// Takes its answer.
    pub fn finished(self, answer: &[u8]) -> Result<Authorized, HandshakeError> {
        match decode(answer)? {
            AuthorizationWithProxy::Success {
                signed_payment,
                tokens_committed_to_db,
                max_tokens,
            } => Ok(Authorized {
                signed_payment,
                tokens_committed_to_db,
                max_tokens,
            }),
            AuthorizationWithProxy::Failed { error_code, error } => Err(HandshakeError::Refused {
                code: error_code,
                message: error,
            }),
        }
    }
}
