//! The proof of the session over an open link: the dialer's side.

use cocoon_protocol::handshake::{HandshakeError, ProofStep};
use cocoon_protocol::limits::HANDSHAKE_TIMEOUT;
use cocoon_protocol::session_proof::Role;
use cocoon_ratls::SessionBinding;

use super::{LinkError, LinkHandle};

/// Proves the session to the proxy and takes the proxy's proof, where the version has proofs; gives the next step of the
/// handshake. `own` is what we are. Without a session of our own (`None`) a version that demands a proof is refused.
pub async fn prove_session<T, E>(
    link: &LinkHandle,
    step: ProofStep<T>,
    session: Option<&SessionBinding>,
    own: Role,
) -> Result<T, E>
where
    E: From<LinkError> + From<HandshakeError>,
{
    let (owed, session) = match (step, session) {
        (ProofStep::Owed(owed), Some(session)) => (owed, session),
        (step, _) => return Ok(step.without_proof()?),
    };
    let (asked, question) = owed.prove(&session.prove(own, Role::Proxy));
    let answer = link.query(question, HANDSHAKE_TIMEOUT).await?;
    Ok(asked.proven(&answer, |proof| session.is_proven_by(proof, own, Role::Proxy))?)
}
