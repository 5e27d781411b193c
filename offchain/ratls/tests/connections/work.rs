//! The proof of work over a socket: both ends give up on a peer that does not play along.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::{sync::Arc, time::Duration};

use cocoon_ratls::{
    NoEvidence, PeerPolicy, RatlsError,
    pow::{self, Challenge},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::common::World;

/// Accepts one connection with a short patience; `client` plays the other end.
async fn accept_from<C: Future<Output = TcpStream>>(client: impl FnOnce(TcpStream) -> C) -> RatlsError {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world
        .acceptor(world.source("proxy"), PeerPolicy::Any)
        .with_work_timeout(Duration::from_millis(200));
    let accepting = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await
    });
    let open = client(TcpStream::connect(address).await.unwrap()).await;
    let error = accepting.await.unwrap().unwrap_err();
    drop(open);
    error
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_dropped_in_time() {
    let started = Instant::now();
    let error = accept_from(|tcp| async move { tcp }).await;
    assert!(matches!(error, RatlsError::Timeout { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_truncated_answer_times_out() {
    let error = accept_from(|mut tcp| async move {
        tcp.write_all(&pow::answer_to_bytes(1)[..11]).await.unwrap();
        tcp
    })
    .await;
    assert!(matches!(error, RatlsError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_an_error() {
    let error = accept_from(|mut tcp| async move {
        tcp.write_all(&pow::answer_to_bytes(1)[..5]).await.unwrap();
        tcp.shutdown().await.unwrap();
        tcp
    })
    .await;
    assert!(matches!(error, RatlsError::Io { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_nonce_and_a_wrong_magic_are_refused() {
    let error = accept_from(|mut tcp| async move {
        let mut bytes = [0; pow::CHALLENGE_BYTES];
        tcp.read_exact(&mut bytes).await.unwrap();
        let challenge = Challenge::from_bytes(&bytes, 28).unwrap();
        let wrong = (0..).find(|nonce| !pow::verify(&challenge, *nonce)).unwrap();
        tcp.write_all(&pow::answer_to_bytes(wrong)).await.unwrap();
        tcp
    })
    .await;
    assert!(matches!(error, RatlsError::WorkWrong { .. }), "{error}");
    let error = accept_from(|mut tcp| async move {
        tcp.write_all(&[0x16; pow::ANSWER_BYTES]).await.unwrap();
        tcp
    })
    .await;
    assert!(matches!(error, RatlsError::WorkMagic { .. }), "{error}");
}

#[tokio::test]
async fn a_dialer_refuses_more_work_than_its_maximum() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let challenge = Challenge {
            difficulty: 29,
            salt: [0; 16],
        };
        tcp.write_all(&challenge.to_bytes()).await.unwrap();
        tcp.read_u8().await
    });
    let connector = world.connector(Arc::new(NoEvidence), world.only("proxy"));
    let error = connector.connect(address).await.unwrap_err();
    assert!(
        matches!(error, RatlsError::WorkTooHard { bits: 29, limit: 28 }),
        "{error}"
    );
}

/// Deployed servers read exactly the answer, and leave the rest to TLS.
#[tokio::test]
async fn the_answer_goes_in_one_piece_with_the_first_flight() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let challenge = Challenge {
        difficulty: 12,
        salt: [7; 16],
    };
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(&challenge.to_bytes()).await.unwrap();
        let mut bytes = vec![0; 1 << 14];
        let count = tcp.read(&mut bytes).await.unwrap();
        bytes.truncate(count);
        bytes
    });
    let connector = world.connector(Arc::new(NoEvidence), world.only("proxy"));
    let refused = connector.connect(address).await;
    assert!(refused.is_err(), "the server left");
    let bytes = serving.await.unwrap();
    let (answer, hello) = bytes.split_first_chunk().unwrap();
    let nonce = pow::answer_from_bytes(answer).unwrap();
    assert!(pow::verify(&challenge, nonce));
    assert_eq!(Some(nonce), pow::solve(&challenge, || true));
    assert_eq!(hello.first(), Some(&0x16), "a TLS handshake record");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_no_challenge_is_given_up() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move { listener.accept().await.unwrap() });
    let connector = world.connector(Arc::new(NoEvidence), world.only("proxy"));
    let error = connector.connect(address).await.unwrap_err();
    assert!(matches!(error, RatlsError::Timeout { .. }), "{error}");
    drop(silent.await.unwrap());
}
