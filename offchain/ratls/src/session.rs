//! What both ends of one TLS session know, and the proofs that they make of it.

use core::fmt;
use std::sync::Arc;

use cocoon_bindings::units::PublicKey;
use cocoon_protocol::session_proof::{EXPORTER_BYTES, EXPORTER_LABEL, End, Role, Statement};
use tokio_rustls::TlsStream;
use zeroize::Zeroizing;

use crate::{Identity, RatlsError, socket::Socket, tls::failed};

/// One end's view of a session: signs its own proof and verifies the peer's (see [`cocoon_protocol::session_proof`]).
#[derive(Clone)]
pub struct SessionBinding {
    exported: Arc<Zeroizing<[u8; EXPORTER_BYTES]>>,
    identity: Arc<Identity>,
    peer_key: PublicKey,
    is_dialer: bool,
}

impl fmt::Debug for SessionBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBinding")
            .field("own", &self.identity.leaf_key())
            .field("peer", &self.peer_key)
            .field("is_dialer", &self.is_dialer)
            .finish()
    }
}

impl SessionBinding {
    pub(crate) fn new(
        stream: &TlsStream<Socket>,
        identity: Arc<Identity>,
        peer_key: PublicKey,
    ) -> Result<Self, RatlsError> {
        let exported = Zeroizing::new([0; EXPORTER_BYTES]);
        let (exported, is_dialer) = match stream {
            TlsStream::Client(client) => {
                let state = client.get_ref().1;
                (state.export_keying_material(exported, EXPORTER_LABEL, None), true)
            }
            TlsStream::Server(server) => {
                let state = server.get_ref().1;
                (state.export_keying_material(exported, EXPORTER_LABEL, None), false)
            }
        };
        Ok(Self {
            exported: Arc::new(exported.map_err(failed)?),
            identity,
            peer_key,
            is_dialer,
        })
    }

    /// Our signature for the peer, in our role toward its role.
    pub fn prove(&self, own: Role, peer: Role) -> [u8; 64] {
        self.identity.sign(&self.statement(own, peer, true).to_bytes())
    }

    /// Whether `signature` is the peer's proof of this session, in its role toward ours.
    pub fn is_proven_by(&self, signature: &[u8; 64], own: Role, peer: Role) -> bool {
        self.peer_key
            .verifies(&self.statement(own, peer, false).to_bytes(), signature)
    }

    fn statement(&self, own: Role, peer: Role, is_ours: bool) -> Statement {
        let own = End {
            leaf_key: *self.identity.leaf_key().as_bytes(),
            role: own,
        };
        let peer = End {
            leaf_key: *self.peer_key.as_bytes(),
            role: peer,
        };
        let (prover, verifier) = if is_ours { (own, peer) } else { (peer, own) };
        Statement {
            exported: **self.exported,
            prover,
            verifier,
            prover_dialed: self.is_dialer == is_ours,
        }
    }
}
