//! Behind a router: a program of the same machine ends the attested TLS, and says in a frame before any payload who the peer
//! is. The frame is believed because only this machine reaches the port that it comes over.

use std::net::{IpAddr, SocketAddr};

use cocoon_attest::{AttestError, Measurements, RootKeyId, report_data_for_key};
use cocoon_bindings::units::PublicKey;
use cocoon_protocol::{
    limits::MAX_PEER_INFO_BYTES,
    peer_info::{Attestation, AttestedPeerInfo, PeerInfoError},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    Network, Peer, PeerPolicy, RatlsError, TrustStore, Wire,
    connection::limited,
    limits::{CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, WORK_TIMEOUT},
};

/// What goes wrong between a runner and its router.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouterProblem {
    /// The connection comes from another machine, which could say anything.
    #[error("the connection comes from {0}, not from this machine")]
    NotLoopback(IpAddr),
    /// The peer has no IPv4 address, and the router takes no other.
    #[error("the peer has no IPv4 address")]
    NoIpv4,
    /// The router does not speak SOCKS5 without a password, or could not connect.
    #[error("the router refused the connection")]
    Socks,
    /// The frame about the peer does not parse.
    #[error(transparent)]
    PeerInfo(#[from] PeerInfoError),
    /// Evidence of an SGX enclave.
    #[error("the peer is an SGX enclave, which takes no role here")]
    Sgx,
}

impl From<RouterProblem> for RatlsError {
    fn from(problem: RouterProblem) -> Self {
        Self::Router { problem }
    }
}

/// A connection to `target` through the SOCKS5 port of `router`. Work, TLS and the router's policy come before the frame: until
/// that is read, the connection may still be closed.
pub(crate) async fn dial(network: &dyn Network, router: SocketAddr, target: SocketAddr) -> Result<Wire, RatlsError> {
    let SocketAddr::V4(target) = target else {
        return Err(RouterProblem::NoIpv4.into());
    };
    let mut tcp = limited(CONNECT_TIMEOUT, "connecting to the router", network.dial(router)).await?;
    tcp.send_at_once().map_err(RatlsError::io("connecting to the router"))?;
    let exchange = async {
        tcp.write_all(&[5, 1, 0]).await?;
        let mut chosen = [0; 2];
        tcp.read_exact(&mut chosen).await?;
        if chosen != [5, 0] {
            return Ok(false);
        }
        let [high, low] = target.port().to_be_bytes();
        let [a, b, c, d] = target.ip().octets();
        tcp.write_all(&[5, 1, 0, 1, a, b, c, d, high, low]).await?;
        // Deployed routers send it only when the peer was judged.
        let mut reply = [0; 10];
        tcp.read_exact(&mut reply).await?;
        Ok(reply[..4] == [5, 0, 0, 1])
    };
    let limit = CONNECT_TIMEOUT + WORK_TIMEOUT + HANDSHAKE_TIMEOUT;
    if limited(limit, "waiting for the router", exchange).await? {
        Ok(tcp)
    } else {
        Err(RouterProblem::Socks.into())
    }
}

/// Reads the frame and judges what it says.
pub(crate) async fn read_peer(
    tcp: &mut (impl AsyncRead + Unpin),
    trust: &TrustStore,
    policy: &PeerPolicy,
) -> Result<Peer, RatlsError> {
    const DURING: &str = "waiting for the router's frame";
    let limit = WORK_TIMEOUT + HANDSHAKE_TIMEOUT;
    let length = limited(limit, DURING, tcp.read_u32_le()).await?;
    let bytes = length as usize;
    if bytes > MAX_PEER_INFO_BYTES {
        return Err(RouterProblem::PeerInfo(PeerInfoError::TooLong(bytes)).into());
    }
    let mut frame = length.to_le_bytes().to_vec();
    frame.resize(4 + bytes, 0);
    limited(limit, DURING, tcp.read_exact(&mut frame[4..])).await?;
    let info = AttestedPeerInfo::parse(&frame[4..]).map_err(RouterProblem::PeerInfo)?;
    judge(&info, frame, trust, policy)
}

/// Asks of the router's word what [`crate::verify_certificate`] asks of a certificate, where the word has it.
fn judge(info: &AttestedPeerInfo, frame: Vec<u8>, trust: &TrustStore, policy: &PeerPolicy) -> Result<Peer, RatlsError> {
    let leaf_key = PublicKey::new(info.public_key);
    let mut peer = Peer {
        certificate: frame,
        leaf_key,
        image_hash: None,
        claims: None,
        simulated: false,
        not_after: None,
    };
    let PeerPolicy::Attested { allowed } = policy else {
        return Ok(peer);
    };
    let (registers, report_data) = match &info.attestation {
        Some(Attestation::Tdx { registers, report_data }) => (registers, report_data),
        Some(Attestation::Sgx { .. }) => return Err(RouterProblem::Sgx.into()),
        None => return Err(RatlsError::MissingQuote),
    };
    if **report_data != report_data_for_key(&info.public_key) {
        return Err(RatlsError::QuoteForOtherKey);
    }
    let [mrtd, mrconfigid, mrowner, mrownerconfig, rtmr0, rtmr1, rtmr2, rtmr3] = **registers;
    let measurements = Measurements {
        mrtd,
        mrconfigid,
        mrowner,
        mrownerconfig,
        rtmr: [rtmr0, rtmr1, rtmr2, rtmr3],
    };
    let image = measurements.image_hash();
    if !allowed(&image) {
        return Err(RatlsError::ImageNotAllowed { image });
    }
    let root = RootKeyId(info.collateral_root_hash);
    // A router of the network believes Intel's root only; ours also a simulated one. Whether that counts is for us to say.
    peer.simulated = trust
        .is_simulated_root(&root)
        .ok_or(AttestError::UntrustedRoot { root })?;
    peer.image_hash = Some(image);
    Ok(peer)
}
