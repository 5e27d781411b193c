//! Behind a router: what of its word is believed, and what is refused although it says so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use cocoon_attest::{AttestError, report_data_for_key, simulated::simulated_measurements};
use cocoon_protocol::peer_info::{Attestation, AttestedPeerInfo, Endpoint};
use cocoon_ratls::{Connection, PeerPolicy, RatlsError, RouterProblem, verify_certificate};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::common::{NOW, World};

const KEY: [u8; 32] = [0x11; 32];

/// Key id of the root of the world's platform.
fn root_of(world: &World) -> [u8; 48] {
    let identity = cocoon_ratls::Identity::issue(world.source("worker").as_ref(), NOW).unwrap();
    let peer = verify_certificate(identity.certificate_der(), &world.trust, &world.only("worker"), NOW).unwrap();
    peer.claims.unwrap().root_key_id.0
}

fn info(world: &World, role: &str) -> AttestedPeerInfo {
    let measured = simulated_measurements(role);
    let [a, b, c, d] = measured.rtmr;
    let registers = [
        measured.mrtd,
        measured.mrconfigid,
        measured.mrowner,
        measured.mrownerconfig,
        a,
        b,
        c,
        d,
    ];
    let end = |port| Endpoint {
        ip: "127.0.0.1".to_owned(),
        port,
    };
    AttestedPeerInfo {
        attestation: Some(Attestation::Tdx {
            registers: Box::new(registers),
            report_data: Box::new(report_data_for_key(&KEY)),
        }),
        collateral_root_hash: root_of(world),
        public_key: KEY,
        source: end(40_000),
        destination: end(11_101),
    }
}

/// What our proxy makes of this frame, and of the bytes after it.
async fn told(world: &World, policy: PeerPolicy, frame: &[u8]) -> Result<Connection, RatlsError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut router = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    router.write_all(frame).await.unwrap();
    router.write_all(b"payload").await.unwrap();
    let acceptor = world.acceptor(world.source("proxy"), policy).behind_router();
    acceptor.accept(listener.accept().await.unwrap().0).await
}

#[tokio::test]
async fn a_listed_image_is_taken_at_the_routers_word_and_the_payload_follows() {
    let world = World::new();
    let mut connection = told(&world, world.only("worker"), &info(&world, "worker").to_frame())
        .await
        .unwrap();
    assert_eq!(connection.peer.image_hash, Some(world.image("worker")));
    assert_eq!(connection.peer.leaf_key.as_bytes(), &KEY);
    assert!(connection.peer.simulated, "the root is a simulated one");
    assert!(connection.session.is_none(), "the session is the router's");
    let mut payload = [0; 7];
    connection.stream.read_exact(&mut payload).await.unwrap();
    assert_eq!(&payload, b"payload");
}

#[tokio::test]
async fn the_word_of_a_router_is_judged_as_a_certificate_is() {
    let world = World::new();
    let refusal = |frame: Vec<u8>| async {
        let frame = frame;
        told(&world, world.only("worker"), &frame).await.unwrap_err()
    };
    let error = refusal(info(&world, "stranger").to_frame()).await;
    assert!(matches!(error, RatlsError::ImageNotAllowed { .. }), "{error}");

    let mut other_key = info(&world, "worker");
    other_key.public_key[0] ^= 1;
    let error = refusal(other_key.to_frame()).await;
    assert!(matches!(error, RatlsError::QuoteForOtherKey), "{error}");

    let mut foreign = info(&world, "worker");
    foreign.collateral_root_hash = [0; 48];
    let error = refusal(foreign.to_frame()).await;
    assert!(
        matches!(error, RatlsError::Attest(AttestError::UntrustedRoot { .. })),
        "{error}"
    );

    let mut none = info(&world, "worker");
    none.attestation = None;
    let error = refusal(none.to_frame()).await;
    assert!(matches!(error, RatlsError::MissingQuote), "{error}");

    let mut enclave = info(&world, "worker");
    enclave.attestation = Some(Attestation::Sgx {
        mr_enclave: [0; 32],
        report_data: Box::new(report_data_for_key(&KEY)),
    });
    let error = refusal(enclave.to_frame()).await;
    assert!(
        matches!(
            error,
            RatlsError::Router {
                problem: RouterProblem::Sgx
            }
        ),
        "{error}"
    );

    for garbage in [vec![0xff; 8], vec![4, 0, 0, 0, 9, 9, 9, 9]] {
        let error = refusal(garbage).await;
        assert!(
            matches!(
                error,
                RatlsError::Router {
                    problem: RouterProblem::PeerInfo(_)
                }
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_simulated_root_that_is_not_trusted_here_is_refused() {
    let (world, foreign) = (World::new(), World::new());
    assert_ne!(root_of(&world), root_of(&foreign));
    let error = told(&world, world.only("worker"), &info(&foreign, "worker").to_frame())
        .await
        .unwrap_err();
    assert!(
        matches!(error, RatlsError::Attest(AttestError::UntrustedRoot { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_needs_no_evidence_behind_a_router_either() {
    let world = World::new();
    let mut none = info(&world, "worker");
    (none.attestation, none.collateral_root_hash) = (None, [0; 48]);
    let connection = told(&world, PeerPolicy::Any, &none.to_frame()).await.unwrap();
    assert_eq!((connection.peer.image_hash, connection.peer.simulated), (None, false));
}

/// SOCKS5 of the deployed router: the answer comes with the frame.
#[tokio::test]
async fn a_dialer_speaks_socks_to_its_router_and_reads_the_frame() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let router = listener.local_addr().unwrap();
    let frame = info(&world, "proxy").to_frame();
    let serving = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 3];
        tcp.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [5, 1, 0]);
        tcp.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 10];
        tcp.read_exact(&mut request).await.unwrap();
        assert_eq!(request, [5, 1, 0, 1, 192, 0, 2, 1, 0x2a, 0xf9]);
        tcp.write_all(&[&[5, 0, 0, 1, 127, 0, 0, 1, 1, 2][..], &frame].concat())
            .await
            .unwrap();
    });
    let connector = world
        .connector(world.source("worker"), world.only("proxy"))
        .through(router);
    let connection = connector.connect("192.0.2.1:11001").await.unwrap();
    assert_eq!(connection.peer.image_hash, Some(world.image("proxy")));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_router_that_refuses_is_a_typed_error() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let router = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(&[5, 0xff]).await.unwrap();
        let _ = tcp.read_u8().await;
    });
    let connector = world
        .connector(world.source("worker"), world.only("proxy"))
        .through(router);
    let error = connector.connect("192.0.2.1:11001").await.unwrap_err();
    assert!(
        matches!(
            error,
            RatlsError::Router {
                problem: RouterProblem::Socks
            }
        ),
        "{error}"
    );
    let error = connector.connect("[2001:db8::1]:1").await.unwrap_err();
    assert!(
        matches!(
            error,
            RatlsError::Router {
                problem: RouterProblem::NoIpv4
            }
        ),
        "{error}"
    );
}
