//! Two routers and two plain programs: what passes, who is told what, and who is turned away.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that fails, fails loudly"
)]

use std::{net::SocketAddr, sync::Arc};

use cocoon_attest::{Endorsements, simulated::SimulatedPlatform, simulated::simulated_measurements};
use cocoon_protocol::peer_info::{Attestation, AttestedPeerInfo};
use cocoon_ratls::{
    Acceptor, Clock as _, Connector, EvidenceSource, IdentityKeeper, NoEvidence, PeerPolicy, RatlsError, Simulated,
    SystemClock, TrustSettings, TrustStore,
};
use cocoon_router::{Parts, RouterConfig, RouterError, RunningRouter, start_with};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

struct World {
    platform: SimulatedPlatform,
    /// Whether the simulated platform is trusted.
    is_test: bool,
}

impl World {
    fn new() -> Self {
        Self {
            platform: SimulatedPlatform::generate().unwrap(),
            is_test: true,
        }
    }

    fn parts(&self, source: Arc<dyn EvidenceSource>) -> Parts {
        let clock = SystemClock::shared();
        let mut settings = TrustSettings::real(Endorsements::none()).unwrap();
        if self.is_test {
            settings = settings.with_simulated(&self.platform, SystemClock.now()).unwrap();
        }
        Parts {
            identities: Arc::new(IdentityKeeper::new(source, clock.clone()).unwrap()),
            trust: Arc::new(TrustStore::new(settings)),
            clock,
        }
    }

    fn image(&self, role: &str) -> Arc<dyn EvidenceSource> {
        Arc::new(Simulated::for_role(self.platform.clone(), role))
    }

    async fn router(&self, source: Arc<dyn EvidenceSource>, listeners: &str) -> (SocketAddr, Router) {
        let stop = CancellationToken::new();
        let running = start_with(&config(listeners), self.parts(source), stop.clone())
            .await
            .unwrap();
        (running.addresses[0], Router { running, stop })
    }
}

struct Router {
    running: RunningRouter,
    stop: CancellationToken,
}

fn config(listeners: &str) -> RouterConfig {
    let text = format!(
        "pow_difficulty = 4\ndrain_seconds = 1\n{listeners}\n\
         [chain]\nurl = 'http://127.0.0.1:1'\nroot = '0:{}'\n",
        "00".repeat(32)
    );
    toml::from_str(&text).unwrap()
}

fn reverse(to: SocketAddr, policy: &str) -> String {
    format!("listeners = [{{ kind = 'reverse', listen = '127.0.0.1:0', to = '{to}', policy = '{policy}' }}]")
}

fn forward(to: SocketAddr, policy: &str) -> String {
    format!("listeners = [{{ kind = 'forward', listen = '127.0.0.1:0', to = '{to}', policy = '{policy}' }}]")
}

fn socks5(policy: &str) -> String {
    format!(
        "listeners = [{{ kind = 'socks5', listen = '127.0.0.1:0', policy = '{policy}', policy_from_user_name = true }}]"
    )
}

async fn program() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn peer_info(tcp: &mut TcpStream) -> std::io::Result<AttestedPeerInfo> {
    let length = tcp.read_u32_le().await?;
    let mut payload = vec![0; length as usize];
    tcp.read_exact(&mut payload).await?;
    Ok(AttestedPeerInfo::parse(&payload).unwrap())
}

fn registers_of(role: &str) -> [[u8; 48]; 8] {
    let measured = simulated_measurements(role);
    let [a, b, c, d] = measured.rtmr;
    [
        measured.mrtd,
        measured.mrconfigid,
        measured.mrowner,
        measured.mrownerconfig,
        a,
        b,
        c,
        d,
    ]
}

fn registers(info: &AttestedPeerInfo) -> [[u8; 48]; 8] {
    match &info.attestation {
        Some(Attestation::Tdx { registers, .. }) => **registers,
        other => panic!("{other:?}"),
    }
}

/// SOCKS5 as the deployed runner speaks it: no authentication, IPv4.
async fn dial_through(router: SocketAddr, target: SocketAddr) -> TcpStream {
    let mut tcp = TcpStream::connect(router).await.unwrap();
    tcp.write_all(&[5, 1, 0]).await.unwrap();
    let mut chosen = [0; 2];
    tcp.read_exact(&mut chosen).await.unwrap();
    assert_eq!(chosen, [5, 0]);
    request(&mut tcp, target).await;
    tcp
}

async fn request(tcp: &mut TcpStream, target: SocketAddr) {
    let SocketAddr::V4(target) = target else {
        panic!("IPv4 only")
    };
    let mut bytes = vec![5, 1, 0, 1];
    bytes.extend(target.ip().octets());
    bytes.extend(target.port().to_be_bytes());
    tcp.write_all(&bytes).await.unwrap();
    let mut reply = [0; 10];
    tcp.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply[..8], [5, 0, 0, 1, 127, 0, 0, 1]);
}

#[tokio::test]
async fn two_runners_talk_through_two_routers_and_each_is_told_who_the_other_is() {
    let world = World::new();
    let (listener, proxy) = program().await;
    let (public, _server) = world.router(world.image("proxy"), &reverse(proxy, "simulated")).await;
    let (local, _client) = world.router(world.image("worker"), &socks5("simulated")).await;

    let mut worker = dial_through(local, public).await;
    let (mut accepted, _) = listener.accept().await.unwrap();
    let of_worker = peer_info(&mut accepted).await.unwrap();
    let of_proxy = peer_info(&mut worker).await.unwrap();
    assert_eq!(registers(&of_worker), registers_of("worker"));
    assert_eq!(registers(&of_proxy), registers_of("proxy"));
    assert_eq!(of_worker.destination.port, proxy.port());
    assert_eq!(
        (of_proxy.destination.ip.as_str(), of_proxy.destination.port),
        ("127.0.0.1", public.port())
    );
    assert_eq!(
        of_worker.source.port, of_proxy.source.port,
        "one connection, seen from both sides"
    );
    assert_ne!(of_proxy.collateral_root_hash, [0; 48]);

    // The session layer of the runners, over plain sockets at both ends.
    let (dialed, served) = tokio::join!(
        Link::dial(worker, LinkConfig::default()),
        Link::accept(accepted, LinkConfig::default())
    );
    let ((worker, _events), (_proxy, mut events)) = (dialed.unwrap(), served.unwrap());
    worker.send_packet(vec![7; 100_000]).await.unwrap();
    assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == vec![7; 100_000]));
}

#[tokio::test]
async fn our_runners_sit_behind_routers_at_both_ends_and_judge_the_image_themselves() {
    let world = World::new();
    let (listener, proxy) = program().await;
    let (public, _server) = world.router(world.image("proxy"), &reverse(proxy, "simulated")).await;
    let (local, _client) = world.router(world.image("worker"), &socks5("simulated")).await;
    let only = |role: &str| {
        let listed = simulated_measurements(role).image_hash();
        PeerPolicy::attested(move |image| *image == listed)
    };
    let end = || world.parts(Arc::new(NoEvidence));
    let acceptor = |role| Acceptor::new(end().identities, end().trust, only(role), end().clock).behind_router();
    let connector = Connector::new(end().identities, end().trust, only("proxy"), end().clock).through(local);

    let accepting = async { acceptor("worker").accept(listener.accept().await.unwrap().0).await };
    let (accepted, connected) = tokio::join!(accepting, connector.connect(public));
    let (accepted, connected) = (accepted.unwrap(), connected.unwrap());
    let image = |role| Some(simulated_measurements(role).image_hash());
    assert_eq!(
        (accepted.peer.image_hash, connected.peer.image_hash),
        (image("worker"), image("proxy"))
    );
    assert!(accepted.peer.simulated && connected.peer.simulated);
    let (dialed, served) = tokio::join!(
        Link::dial(connected.stream, LinkConfig::default()),
        Link::accept(accepted.stream, LinkConfig::default())
    );
    let ((worker, _events), (_proxy, mut events)) = (dialed.unwrap(), served.unwrap());
    worker.send_packet(vec![7; 8]).await.unwrap();
    assert!(matches!(events.recv().await, Some(LinkEvent::Packet(data)) if data == vec![7; 8]));

    // The router lets the image through; the root contract's list is the runner's.
    let accepting = async { acceptor("proxy").accept(listener.accept().await.unwrap().0).await };
    let (refused, _) = tokio::join!(accepting, connector.connect(public));
    assert!(
        matches!(refused, Err(RatlsError::ImageNotAllowed { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_client_without_evidence_passes_any_and_not_simulated() {
    let world = World::new();
    let (listener, proxy) = program().await;
    let (clients, _a) = world.router(world.image("proxy"), &reverse(proxy, "any")).await;
    let (workers, _b) = world.router(world.image("proxy"), &reverse(proxy, "simulated")).await;

    let (local, _c) = world.router(Arc::new(NoEvidence), &forward(clients, "simulated")).await;
    let mut client = TcpStream::connect(local).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    let info = peer_info(&mut accepted).await.unwrap();
    assert_eq!((info.attestation, info.collateral_root_hash), (None, [0; 48]));
    assert_eq!(registers(&peer_info(&mut client).await.unwrap()), registers_of("proxy"));
    client.write_all(b"hello").await.unwrap();
    let mut received = [0; 5];
    accepted.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"hello");

    let (local, _d) = world.router(Arc::new(NoEvidence), &forward(workers, "simulated")).await;
    let mut refused = TcpStream::connect(local).await.unwrap();
    // In TLS 1.3 the dialing router is done first: its frame may come before the refusal.
    let mut rest = Vec::new();
    let _ = refused.read_to_end(&mut rest).await;
    assert!(rest.len() <= 700, "nothing follows the frame");
}

#[tokio::test]
async fn real_hardware_is_asked_for_by_tdx_also_in_a_test_network() {
    let world = World::new();
    let (_listener, proxy) = program().await;
    let (public, _server) = world.router(world.image("proxy"), &reverse(proxy, "any")).await;
    let (local, _client) = world.router(world.image("worker"), &forward(public, "tdx")).await;
    let mut tcp = TcpStream::connect(local).await.unwrap();
    assert!(peer_info(&mut tcp).await.is_err(), "a simulated proxy is not passed on");
}

#[tokio::test]
async fn a_simulated_peer_is_refused_where_the_network_is_no_test() {
    let mut world = World::new();
    let (_listener, proxy) = program().await;
    let (public, _server) = world.router(world.image("proxy"), &reverse(proxy, "any")).await;
    world.is_test = false;
    let (local, _client) = world.router(Arc::new(NoEvidence), &forward(public, "simulated")).await;
    let mut tcp = TcpStream::connect(local).await.unwrap();
    assert!(peer_info(&mut tcp).await.is_err());
}

#[tokio::test]
async fn the_user_name_of_socks_chooses_the_policy() {
    let world = World::new();
    let (_listener, proxy) = program().await;
    let (public, _server) = world.router(world.image("proxy"), &reverse(proxy, "any")).await;
    let lists = format!(
        "{}\n[policies.ours]\nkind = 'simulated'\nimages = ['{}']\n[policies.others]\nkind = 'simulated'\nmrtd = ['{}']",
        socks5("tdx"),
        simulated_measurements("proxy").image_hash(),
        "00".repeat(48)
    );
    let (local, _client) = world.router(world.image("worker"), &lists).await;
    for (name, is_passed) in [("ours", true), ("any", true), ("others", false), ("tdx", false)] {
        let mut tcp = TcpStream::connect(local).await.unwrap();
        tcp.write_all(&[5, 2, 0, 2]).await.unwrap();
        let mut chosen = [0; 2];
        tcp.read_exact(&mut chosen).await.unwrap();
        assert_eq!(chosen, [5, 2], "the user name is preferred");
        let mut login = vec![1, name.len() as u8];
        login.extend(name.as_bytes());
        login.extend([3, b'p', b'w', b'd']);
        tcp.write_all(&login).await.unwrap();
        tcp.read_exact(&mut chosen).await.unwrap();
        assert_eq!(chosen, [1, 0]);
        request(&mut tcp, public).await;
        assert_eq!(peer_info(&mut tcp).await.is_ok(), is_passed, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_socks5_connect_to_ipv4_is_closed() {
    let world = World::new();
    let (local, _router) = world.router(Arc::new(NoEvidence), &socks5("any")).await;
    let host_name = [&[5, 1, 0, 5, 1, 0, 3, 4][..], b"host\x00\x50"].concat();
    for garbage in [
        &b"GET / HTTP/1.1\r\n"[..],
        &[4, 1, 0, 80, 127, 0, 0, 1, 0],
        &[5, 1, 1],
        &host_name,
    ] {
        let mut tcp = TcpStream::connect(local).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        // A reset is a close too.
        let _ = tcp.read_to_end(&mut answer).await;
        assert!(answer.len() <= 2, "{answer:?}");
    }
}

#[tokio::test]
async fn without_frames_the_first_bytes_are_the_peers() {
    let world = World::new();
    let (listener, proxy) = program().await;
    let plain = format!("peer_info = false\n{}", reverse(proxy, "any"));
    let (public, _server) = world.router(world.image("proxy"), &plain).await;
    let plain = format!("peer_info = false\n{}", forward(public, "any"));
    let (local, _client) = world.router(Arc::new(NoEvidence), &plain).await;
    let mut client = TcpStream::connect(local).await.unwrap();
    client.write_all(b"first").await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    let mut received = [0; 5];
    accepted.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"first");
}

#[tokio::test]
async fn after_the_stop_nothing_is_taken_and_open_connections_end_with_the_drain() {
    let world = World::new();
    let (listener, proxy) = program().await;
    let (public, server) = world.router(world.image("proxy"), &reverse(proxy, "any")).await;
    let (local, _client) = world.router(Arc::new(NoEvidence), &forward(public, "any")).await;
    let mut client = TcpStream::connect(local).await.unwrap();
    let (mut accepted, _) = listener.accept().await.unwrap();
    peer_info(&mut accepted).await.unwrap();
    server.stop.cancel();
    // Still open: it is drained, not cut.
    accepted.write_all(b"x").await.unwrap();
    peer_info(&mut client).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    server.running.join().await.unwrap();
    assert!(TcpStream::connect(public).await.is_err());
    let mut rest = Vec::new();
    let _ = accepted.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[test]
fn a_listener_for_local_programs_stays_local() {
    let open = config("listeners = [{ kind = 'socks5', listen = '0.0.0.0:8116', policy = 'tdx' }]");
    assert!(matches!(open.check(), Err(RouterError::NotLoopback(_))));
    let unknown = config("listeners = [{ kind = 'socks5', listen = '127.0.0.1:8116', policy = 'fake_tdx' }]");
    assert!(matches!(unknown.check(), Err(RouterError::UnknownPolicy(_))));
    assert!(config("listeners = []").check().is_err());
    let text = "kind = 'socks5'\nlisten = '127.0.0.1:1'\npolicy = 'any'\nto = '127.0.0.1:2'\n";
    assert!(
        toml::from_str::<cocoon_router::ListenerConfig>(text).is_err(),
        "unknown keys are refused"
    );
}
