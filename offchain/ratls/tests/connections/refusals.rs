//! What a peer can be refused for besides its image: each has its own error, seen by the end that refuses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use cocoon_attest::{AttestError, limits::SIMULATED_COLLATERAL_SECONDS};
use cocoon_ratls::{CertificateProblem, Connection, PeerPolicy, RatlsError};
use rustls::HandshakeKind;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::common::raw::{Form, RawPeer};
use crate::common::{NOW, World};

/// A worker with this certificate at our proxy: what the proxy says.
async fn as_client(world: &World, form: Form) -> Result<Connection, RatlsError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(world.source("proxy"), world.only("worker"));
    let config = RawPeer::new(world, "worker", form).client();
    let (accepted, dialed) = tokio::join!(
        async { acceptor.accept(listener.accept().await.unwrap().0).await },
        RawPeer::dial(address, &config)
    );
    drop(dialed);
    accepted
}

/// A proxy with this certificate before our worker: what the worker says.
async fn as_server(world: &World, form: Form) -> Result<Connection, RatlsError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connector = world.connector(world.source("worker"), world.only("proxy"));
    let config = RawPeer::new(world, "proxy", form).server();
    let (connected, accepted) = tokio::join!(connector.connect(address), RawPeer::accept(&listener, &config));
    drop(accepted);
    connected
}

#[tokio::test]
async fn certificates_of_versions_1_and_3_are_accepted_at_either_end() {
    let world = World::new();
    for is_version_1 in [false, true] {
        let form = Form {
            is_version_1,
            ..Form::default()
        };
        assert_eq!(
            as_client(&world, form).await.unwrap().peer.image_hash,
            Some(world.image("worker"))
        );
        assert_eq!(
            as_server(&world, form).await.unwrap().peer.image_hash,
            Some(world.image("proxy"))
        );
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused_at_either_end() {
    let world = World::new();
    let form = Form {
        not_before: NOW - 86_401,
        ..Form::default()
    };
    for refusal in [as_client(&world, form).await, as_server(&world, form).await] {
        let Err(RatlsError::Certificate { reason }) = refusal else {
            panic!("{refusal:?}")
        };
        let not_after = NOW - 1;
        assert_eq!(reason, CertificateProblem::Expired { not_after, now: NOW });
    }
}

#[tokio::test]
async fn collateral_that_has_expired_refuses_fresh_evidence() {
    let world = World::new();
    let later = SIMULATED_COLLATERAL_SECONDS + 1;
    world.clock.advance(later);
    let form = Form {
        not_before: NOW + later,
        ..Form::default()
    };
    for refusal in [as_client(&world, form).await, as_server(&world, form).await] {
        assert!(
            matches!(refusal, Err(RatlsError::Attest(AttestError::CollateralWindow { .. }))),
            "{refusal:?}"
        );
    }
}

/// Deployed clients check the name of a server, and no name of a client; so do we.
#[tokio::test]
async fn a_server_without_the_name_is_refused_and_a_client_needs_none() {
    let world = World::new();
    let form = Form {
        is_named: false,
        ..Form::default()
    };
    let refusal = as_server(&world, form).await;
    let Err(RatlsError::Certificate { reason }) = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(reason, CertificateProblem::Unnamed);
    assert!(as_client(&world, form).await.is_ok());
}

/// The peer's library would resume; ours gives it nothing to resume with.
#[tokio::test]
async fn a_client_that_wants_to_resume_shakes_hands_in_full() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(world.source("proxy"), world.only("worker"));
    let config = RawPeer::new(&world, "worker", Form::default()).client();
    for _ in 0..2 {
        let (accepted, dialed) = tokio::join!(
            async { acceptor.accept(listener.accept().await.unwrap().0).await },
            RawPeer::dial(address, &config)
        );
        let (mut accepted, mut dialed) = (accepted.unwrap(), dialed.unwrap());
        // Tickets would come before the first byte.
        accepted.stream.write_all(b"x").await.unwrap();
        accepted.stream.flush().await.unwrap();
        assert_eq!(dialed.read_u8().await.unwrap(), b'x');
        let state = dialed.get_ref().1;
        assert_eq!(state.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(state.tls13_tickets_received(), 0);
    }
}

/// The server's library hands out tickets; we use none.
#[tokio::test]
async fn tickets_of_a_server_are_not_used() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connector = world.connector(world.source("worker"), PeerPolicy::Any);
    let config = RawPeer::new(&world, "proxy", Form::default()).server();
    for _ in 0..2 {
        let (connected, accepted) = tokio::join!(connector.connect(address), RawPeer::accept(&listener, &config));
        let (mut connected, mut accepted) = (connected.unwrap(), accepted.unwrap());
        accepted.write_all(b"x").await.unwrap();
        accepted.flush().await.unwrap();
        assert_eq!(connected.stream.read_u8().await.unwrap(), b'x');
        assert_eq!(accepted.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}
