//! Both ends over loopback: whom they accept, and with which error they refuse.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use cocoon_attest::{AttestError, simulated::SimulatedPlatform};
use cocoon_ratls::{
    CertificateProblem, Connection, EvidenceSource, NoEvidence, PeerPolicy, RatlsError, Simulated, TrustSettings,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::common::{NOW, World};

/// Dials `server` as `client` and gives what each end saw.
async fn meet(
    world: &World,
    server: (Arc<dyn EvidenceSource>, PeerPolicy),
    client: (Arc<dyn EvidenceSource>, PeerPolicy),
) -> (Result<Connection, RatlsError>, Result<Connection, RatlsError>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(server.0, server.1);
    let connector = world.connector(client.0, client.1);
    let accepting = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await
    });
    let connected = connector.connect(address).await;
    // In TLS 1.3 the dialing end is done before the other has judged it.
    (accepting.await.unwrap(), connected)
}

#[tokio::test]
async fn worker_and_proxy_accept_each_other() {
    let world = World::new();
    let (proxy, worker) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (world.source("worker"), world.only("proxy")),
    )
    .await;
    let (mut proxy, mut worker) = (proxy.unwrap(), worker.unwrap());
    assert_eq!(proxy.peer.image_hash, Some(world.image("worker")));
    assert_eq!(worker.peer.image_hash, Some(world.image("proxy")));
    assert!(proxy.peer.simulated && worker.peer.simulated);
    assert_eq!(proxy.peer.leaf_key, worker.identity.leaf_key());
    assert_eq!(worker.peer.evidence_hash(), proxy.identity.evidence_hash());

    worker.stream.write_all(b"hello").await.unwrap();
    worker.stream.flush().await.unwrap();
    let mut received = [0; 5];
    proxy.stream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"hello");
}

#[tokio::test]
async fn the_leaf_key_signs_what_the_peer_can_check() {
    let world = World::new();
    let (proxy, worker) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (world.source("worker"), world.only("proxy")),
    )
    .await;
    let signature = worker.unwrap().identity.sign(b"statement");
    assert!(proxy.unwrap().peer.leaf_key.verifies(b"statement", &signature));
}

#[tokio::test]
async fn a_client_without_a_quote_is_accepted_where_none_is_asked() {
    let world = World::new();
    let (proxy, client) = meet(
        &world,
        (world.source("proxy"), PeerPolicy::Any),
        (Arc::new(NoEvidence), world.only("proxy")),
    )
    .await;
    let proxy = proxy.unwrap();
    assert_eq!((proxy.peer.image_hash, proxy.peer.claims), (None, None));
    assert_eq!(client.unwrap().peer.image_hash, Some(world.image("proxy")));
}

#[tokio::test]
async fn a_worker_without_a_quote_is_refused() {
    let world = World::new();
    let (proxy, worker) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (Arc::new(NoEvidence), world.only("proxy")),
    )
    .await;
    assert!(matches!(proxy, Err(RatlsError::MissingQuote)));
    // The worker learns of it when it reads.
    let mut byte = [0];
    assert!(worker.unwrap().stream.read_exact(&mut byte).await.is_err());
}

#[tokio::test]
async fn an_image_that_is_not_listed_is_refused_by_either_end() {
    let world = World::new();
    let (proxy, _) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (world.source("stranger"), world.only("proxy")),
    )
    .await;
    assert!(matches!(proxy, Err(RatlsError::ImageNotAllowed { image }) if image == world.image("stranger")));

    let (proxy, client) = meet(
        &world,
        (world.source("stranger"), PeerPolicy::Any),
        (Arc::new(NoEvidence), world.only("proxy")),
    )
    .await;
    assert!(matches!(client, Err(RatlsError::ImageNotAllowed { .. })));
    assert!(matches!(proxy, Err(RatlsError::RefusedByPeer { .. })), "{proxy:?}");
}

#[tokio::test]
async fn a_foreign_simulated_root_is_refused() {
    let world = World::new();
    let foreign = SimulatedPlatform::generate().unwrap();
    let (proxy, _) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (Arc::new(Simulated::for_role(foreign, "worker")), world.only("proxy")),
    )
    .await;
    assert!(
        matches!(proxy, Err(RatlsError::Attest(AttestError::UntrustedRoot { .. }))),
        "{proxy:?}"
    );
}

#[tokio::test]
async fn simulated_quotes_are_refused_once_the_network_is_no_test() {
    let world = World::new();
    let real = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
    world.trust.replace(real);
    let (_, client) = meet(
        &world,
        (world.source("proxy"), PeerPolicy::Any),
        (Arc::new(NoEvidence), world.only("proxy")),
    )
    .await;
    assert!(
        matches!(client, Err(RatlsError::Attest(AttestError::UntrustedRoot { .. }))),
        "{client:?}"
    );
}

/// Both ends remember the other's certificate from the first connection; the second is judged by what holds then.
#[tokio::test]
async fn a_known_peer_is_judged_anew_at_each_connection() {
    let world = World::new();
    let is_listed = Arc::new(AtomicBool::new(true));
    let listed = (Arc::clone(&is_listed), world.image("worker"));
    let policy = PeerPolicy::attested(move |image| listed.0.load(Ordering::Relaxed) && *image == listed.1);
    let acceptor = world.acceptor(world.source("proxy"), policy);
    let connector = world.connector(world.source("worker"), world.only("proxy"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let again = async || {
        let accepting = async { acceptor.accept(listener.accept().await.unwrap().0).await };
        tokio::join!(accepting, connector.connect(address))
    };
    for _ in 0..2 {
        let (proxy, worker) = again().await;
        assert_eq!(worker.unwrap().peer.image_hash, Some(world.image("proxy")));
        assert_eq!(proxy.unwrap().peer.image_hash, Some(world.image("worker")));
    }
    is_listed.store(false, Ordering::Relaxed);
    let (proxy, _) = again().await;
    assert!(matches!(proxy, Err(RatlsError::ImageNotAllowed { .. })), "{proxy:?}");
    is_listed.store(true, Ordering::Relaxed);
    world
        .trust
        .replace(TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap());
    let (_, worker) = again().await;
    assert!(
        matches!(worker, Err(RatlsError::Attest(AttestError::UntrustedRoot { .. }))),
        "{worker:?}"
    );
}

#[tokio::test]
async fn a_renewed_identity_is_what_later_connections_show() {
    let world = World::new();
    let acceptor = world.acceptor(world.source("proxy"), world.only("worker"));
    let connector = world.connector(world.source("worker"), world.only("proxy"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let again = async || {
        let accepting = async { acceptor.accept(listener.accept().await.unwrap().0).await.unwrap() };
        let (proxy, worker) = tokio::join!(accepting, connector.connect(address));
        let worker = worker.unwrap();
        assert_eq!(proxy.peer.leaf_key, worker.identity.leaf_key());
        assert_eq!(worker.peer.leaf_key, proxy.identity.leaf_key());
        (proxy.identity.leaf_key(), worker.identity.leaf_key())
    };
    let first = again().await;
    assert_eq!(again().await, first);
    world.clock.advance(cocoon_ratls::limits::CERTIFICATE_SECONDS / 3 * 2);
    let settings = TrustSettings::real(cocoon_attest::Endorsements::none()).unwrap();
    let now = NOW + cocoon_ratls::limits::CERTIFICATE_SECONDS / 3 * 2;
    world
        .trust
        .replace(settings.with_simulated(&world.platform, now).unwrap());
    let later = again().await;
    assert!(later.0 != first.0 && later.1 != first.1);
}

/// Presents one quote again and again, whatever key it is asked for.
struct Replayed(Vec<u8>);

impl EvidenceSource for Replayed {
    fn evidence(&self, _: &[u8; 64]) -> Result<Option<Vec<u8>>, RatlsError> {
        Ok(Some(self.0.clone()))
    }
}

#[tokio::test]
async fn a_quote_replayed_for_another_key_is_refused() {
    let world = World::new();
    let stolen = world.source("worker").evidence(&[5; 64]).unwrap().unwrap();
    let (proxy, _) = meet(
        &world,
        (world.source("proxy"), world.only("worker")),
        (Arc::new(Replayed(stolen)), world.only("proxy")),
    )
    .await;
    assert!(matches!(proxy, Err(RatlsError::QuoteForOtherKey)), "{proxy:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let world = World::new();
    let identities = world.keeper(world.source("worker"));
    let old = identities.peek();
    world.clock.advance(86_401);
    let refusal =
        cocoon_ratls::verify_certificate(old.certificate_der(), &world.trust, &world.only("worker"), NOW + 86_401);
    assert!(matches!(
        refusal,
        Err(RatlsError::Certificate {
            reason: CertificateProblem::Expired { .. }
        })
    ));
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_refused() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor(world.source("proxy"), PeerPolicy::Any);
    let accepting = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        acceptor.accept(tcp).await
    });
    let mut tcp = TcpStream::connect(address).await.unwrap();
    crate::common::answer_challenge(&mut tcp).await;
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(matches!(accepting.await.unwrap(), Err(RatlsError::Tls { .. })));
}
