//! The frame that tells the plain side who the peer is.

use std::net::SocketAddr;

use cocoon_protocol::peer_info::{Attestation, AttestedPeerInfo, Endpoint};
use cocoon_ratls::Peer;

/// What a runner is told: the claims, where evidence was verified, the peer's key, and the two ends of the connection.
pub(crate) fn of(peer: &Peer, source: SocketAddr, destination: SocketAddr) -> AttestedPeerInfo {
    let attestation = peer.claims.as_ref().map(|claims| {
        let measured = &claims.measurements;
        let [rtmr0, rtmr1, rtmr2, rtmr3] = measured.rtmr;
        Attestation::Tdx {
            registers: Box::new([
                measured.mrtd,
                measured.mrconfigid,
                measured.mrowner,
                measured.mrownerconfig,
                rtmr0,
                rtmr1,
                rtmr2,
                rtmr3,
            ]),
            report_data: Box::new(claims.report_data),
        }
    });
    AttestedPeerInfo {
        attestation,
        collateral_root_hash: peer.claims.as_ref().map_or([0; 48], |claims| claims.root_key_id.0),
        public_key: *peer.leaf_key.as_bytes(),
        source: endpoint(source),
        destination: endpoint(destination),
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        // A socket that takes both families shows IPv4 peers as IPv6 ones.
        ip: address.ip().to_canonical().to_string(),
        port: address.port(),
    }
}
