//! The proof of the session: who can make it, for whom, and that it cannot be passed on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::net::SocketAddr;

use cocoon_protocol::session_proof::Role;
use cocoon_ratls::{Connection, PeerPolicy, SessionBinding};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::common::World;

/// A proxy that takes one connection.
async fn proxy(world: &World) -> (SocketAddr, JoinHandle<Connection>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(world.source("proxy"), world.only("worker"));
    let accepting = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await.unwrap()
    });
    (address, accepting)
}

async fn worker(world: &World, address: SocketAddr) -> Connection {
    let connector = world.connector(world.source("worker"), world.only("proxy"));
    connector.connect(address).await.unwrap()
}

async fn pair(world: &World) -> (SessionBinding, SessionBinding) {
    let (address, accepting) = proxy(world).await;
    let worker = worker(world, address).await.session.unwrap();
    (accepting.await.unwrap().session.unwrap(), worker)
}

#[tokio::test]
async fn both_ends_of_one_session_prove_it_to_each_other() {
    let (proxy, worker) = pair(&World::new()).await;
    let proof = worker.prove(Role::Worker, Role::Proxy);
    assert!(proxy.is_proven_by(&proof, Role::Proxy, Role::Worker));
    let proof = proxy.prove(Role::Proxy, Role::Worker);
    assert!(worker.is_proven_by(&proof, Role::Worker, Role::Proxy));
}

#[tokio::test]
async fn a_proof_counts_for_its_role_direction_and_session_only() {
    let world = World::new();
    let (proxy, worker) = pair(&world).await;
    let proof = worker.prove(Role::Worker, Role::Proxy);
    assert!(!proxy.is_proven_by(&proof, Role::Proxy, Role::Client), "another role");
    assert!(
        !proxy.is_proven_by(&proof, Role::Worker, Role::Worker),
        "another role of ours"
    );
    assert!(
        !worker.is_proven_by(&proof, Role::Worker, Role::Proxy),
        "shown back to its maker"
    );
    assert!(
        !worker.is_proven_by(&proof, Role::Proxy, Role::Worker),
        "shown back with the roles exchanged"
    );
    let mut flipped = proof;
    flipped[63] ^= 1;
    assert!(!proxy.is_proven_by(&flipped, Role::Proxy, Role::Worker));
    let (other, _) = pair(&world).await;
    assert!(
        !other.is_proven_by(&proof, Role::Proxy, Role::Worker),
        "another session"
    );
}

/// The keepers hold one identity each: only the session differs.
#[tokio::test]
async fn a_proof_of_an_earlier_session_between_the_same_keys_is_worth_nothing() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(world.source("proxy"), world.only("worker"));
    let connector = world.connector(world.source("worker"), world.only("proxy"));
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let (accepted, connected) = tokio::join!(
            async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() },
            connector.connect(address)
        );
        sessions.push((accepted, connected.unwrap()));
    }
    let [(first_proxy, first_worker), (second_proxy, second_worker)] = &sessions[..] else {
        panic!("two sessions")
    };
    assert_eq!(first_worker.identity.leaf_key(), second_worker.identity.leaf_key());
    assert_eq!(first_proxy.identity.leaf_key(), second_proxy.identity.leaf_key());
    let proof = first_worker.session.as_ref().unwrap().prove(Role::Worker, Role::Proxy);
    assert!(
        first_proxy
            .session
            .as_ref()
            .unwrap()
            .is_proven_by(&proof, Role::Proxy, Role::Worker)
    );
    assert!(
        !second_proxy
            .session
            .as_ref()
            .unwrap()
            .is_proven_by(&proof, Role::Proxy, Role::Worker)
    );
}

/// A program between two sessions of its own, with machines of allowed images on both sides (say, a stolen one), that passes on
/// every byte: TLS is content at both ends, the proofs are not.
#[tokio::test]
async fn a_relayed_proof_is_refused_at_both_ends() {
    let world = World::new();
    let (proxy_address, accepting) = proxy(&world).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay_address = listener.local_addr().unwrap();
    let toward_worker = world.acceptor(world.source("proxy"), PeerPolicy::Any);
    let toward_proxy = world.connector(world.source("worker"), PeerPolicy::Any);
    let relay = tokio::spawn(async move {
        let mut worker = toward_worker.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut proxy = toward_proxy.connect(proxy_address).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut worker.stream, &mut proxy.stream).await;
    });
    let mut worker = worker(&world, relay_address).await;
    let mut proxy = accepting.await.unwrap();
    // Both believe that they talk to the right image, and whatever they say arrives.
    assert_eq!(worker.peer.image_hash, Some(world.image("proxy")));
    assert_eq!(proxy.peer.image_hash, Some(world.image("worker")));

    let mut passed_on = [0; 64];
    worker
        .stream
        .write_all(&worker.session.as_ref().unwrap().prove(Role::Worker, Role::Proxy))
        .await
        .unwrap();
    worker.stream.flush().await.unwrap();
    proxy.stream.read_exact(&mut passed_on).await.unwrap();
    assert!(
        !proxy
            .session
            .as_ref()
            .unwrap()
            .is_proven_by(&passed_on, Role::Proxy, Role::Worker)
    );

    proxy
        .stream
        .write_all(&proxy.session.as_ref().unwrap().prove(Role::Proxy, Role::Worker))
        .await
        .unwrap();
    proxy.stream.flush().await.unwrap();
    worker.stream.read_exact(&mut passed_on).await.unwrap();
    assert!(
        !worker
            .session
            .as_ref()
            .unwrap()
            .is_proven_by(&passed_on, Role::Worker, Role::Proxy)
    );
    relay.abort();
}

#[tokio::test]
async fn the_exported_secret_is_not_shown() {
    let (proxy, _) = pair(&World::new()).await;
    let shown = format!("{proxy:?}");
    assert!(
        shown.starts_with("SessionBinding") && !shown.contains("exported"),
        "{shown}"
    );
}
