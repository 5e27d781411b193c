//! Makes attested connections: proof of work first, then TLS, each with a time limit.

use core::fmt;
use futures_util::future::BoxFuture;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngCore;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{ToSocketAddrs, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::{
    Identity, IdentityKeeper, Peer, PeerPolicy, RatlsError, RouterProblem, SessionBinding, SharedClock, SharedNetwork,
    Stream, TcpNetwork, TrustStore, Wire, behind,
    limits::{
        CHALLENGE_TIMEOUT, CONNECT_TIMEOUT, DEFAULT_DIFFICULTY, HANDSHAKE_TIMEOUT, MAX_DIFFICULTY, NONCES_AT_ONCE,
        WORK_TIMEOUT,
    },
    off_thread,
    pow::{self, ANSWER_BYTES, CHALLENGE_BYTES, Challenge},
    socket::Socket,
    tls::{OfIdentity, Verifier, client_config, judged, peer_name, server_config},
};

/// An established connection.
pub struct Connection {
    /// Where the bytes go.
    pub stream: Stream,
    /// Who is at the other end.
    pub peer: Peer,
    /// The identity that we presented; it stays that of the connection when the keeper renews.
    pub identity: Arc<Identity>,
    /// What both ends can prove of the session; `None` behind a router, which has the session.
    pub session: Option<SessionBinding>,
}

impl Connection {
    fn new(stream: TlsStream<Socket>, peer: Peer, identity: Arc<Identity>) -> Result<Self, RatlsError> {
        require_full(stream.get_ref().1.handshake_kind())?;
        let session = SessionBinding::new(&stream, Arc::clone(&identity), peer.leaf_key)?;
        Ok(Self {
            stream: Stream::tls(stream),
            peer,
            identity,
            session: Some(session),
        })
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer.leaf_key)
            .field("image", &self.peer.image_hash)
            .finish()
    }
}

/// Both ends are set up without resumption; a session that was resumed all the same is not taken.
fn require_full(kind: Option<HandshakeKind>) -> Result<(), RatlsError> {
    match kind {
        Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) => Ok(()),
        _ => Err(RatlsError::Resumed),
    }
}

/// What both ends share.
#[derive(Clone, Debug)]
struct End {
    identities: Arc<IdentityKeeper>,
    trust: Arc<TrustStore>,
    policy: PeerPolicy,
    verifier: Arc<Verifier>,
}

impl End {
    fn new(identities: Arc<IdentityKeeper>, trust: Arc<TrustStore>, policy: PeerPolicy, clock: SharedClock) -> Self {
        let verifier = Verifier::new(Arc::clone(&trust), policy.clone(), clock);
        Self {
            identities,
            trust,
            policy,
            verifier,
        }
    }

    /// Takes a router's word for the peer, over a connection of this machine.
    async fn believe(&self, mut tcp: Wire) -> Result<Connection, RatlsError> {
        let from = tcp.peer_ip().map_err(RatlsError::io("accepting"))?.to_canonical();
        if !from.is_loopback() {
            return Err(RouterProblem::NotLoopback(from).into());
        }
        let peer = behind::read_peer(&mut tcp, &self.trust, &self.policy).await?;
        Ok(Connection {
            stream: Stream::plain(tcp),
            peer,
            identity: self.identities.current()?,
            session: None,
        })
    }
}

/// Shakes hands, with a limit.
async fn shake(
    handshake: impl Future<Output = Result<TlsStream<Socket>, (io::Error, Socket)>>,
) -> Result<(TlsStream<Socket>, Peer), RatlsError> {
    const DURING: &str = "shaking hands";
    let handshake = async {
        match handshake.await {
            Ok(mut stream) => stream.get_mut().0.release().await.map(|()| stream),
            Err((error, mut socket)) => {
                // The alert, if there is one: the peer may be gone, and the error says more.
                let _ = socket.release().await;
                Err(error)
            }
        }
    };
    // Our own verdict says more than the alert that it led to.
    match judged(HANDSHAKE_TIMEOUT, handshake).await {
        (_, Some(Err(error))) => Err(error),
        (Err(_), _) => Err(RatlsError::Timeout { during: DURING }),
        (Ok(Err(error)), _) => Err(tls_failure(error, DURING)),
        (Ok(Ok(stream)), Some(Ok(peer))) => Ok((stream, peer)),
        (Ok(Ok(_)), None) => Err(RatlsError::Tls {
            reason: "handshake ended without a certificate".to_owned(),
        }),
    }
}

fn tls_failure(error: io::Error, during: &'static str) -> RatlsError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => RatlsError::RefusedByPeer {
            alert: format!("{alert:?}"),
        },
        Some(inner) => RatlsError::Tls {
            reason: inner.to_string(),
        },
        None => RatlsError::io(during)(error),
    }
}

/// Runs one step with a limit.
pub(crate) async fn limited<T>(
    limit: Duration,
    during: &'static str,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, RatlsError> {
    timeout(limit, step)
        .await
        .map_err(|_| RatlsError::Timeout { during })?
        .map_err(RatlsError::io(during))
}

/// Dials peers.
#[derive(Clone, Debug)]
pub struct Connector {
    end: End,
    tls: Arc<OfIdentity<ClientConfig>>,
    max_difficulty: u32,
    network: SharedNetwork,
    router: Option<SocketAddr>,
}

impl Connector {
    /// Dials with the keeper's identities and asks `policy` of the peers.
    pub fn new(
        identities: Arc<IdentityKeeper>,
        trust: Arc<TrustStore>,
        policy: PeerPolicy,
        clock: SharedClock,
    ) -> Self {
        Self {
            end: End::new(identities, trust, policy, clock),
            tls: Arc::default(),
            max_difficulty: MAX_DIFFICULTY,
            network: TcpNetwork::shared(),
            router: None,
        }
    }

    /// Does less work than the usual maximum.
    #[must_use]
    pub fn with_max_difficulty(mut self, bits: u32) -> Self {
        self.max_difficulty = bits;
        self
    }

    /// Dials on another network than the machine's.
    #[must_use]
    pub fn over(mut self, network: SharedNetwork) -> Self {
        self.network = network;
        self
    }

    /// Dials through the SOCKS5 port of a router on this machine, which does the work, shakes hands with its own identity and
    /// tells who the peer is. What is asked of the peer is then asked of the router's word.
    #[must_use]
    pub fn through(mut self, router: SocketAddr) -> Self {
        self.router = Some(router);
        self
    }

    /// Connects to `address`, does the work, shakes hands, checks the peer.
    ///
    /// In TLS 1.3 the dialing side is done first: when the peer then refuses *our* certificate, that shows as an error
    /// of the first read.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> Result<Connection, RatlsError> {
        let Some(router) = self.router else {
            let tcp = limited(CONNECT_TIMEOUT, "connecting", self.dial_any(address)).await?;
            return self.connect_over(tcp).await;
        };
        let mut found = limited(CONNECT_TIMEOUT, "looking up the peer", lookup_host(address)).await?;
        let target = found.find(SocketAddr::is_ipv4).ok_or(RouterProblem::NoIpv4)?;
        let tcp = behind::dial(self.network.as_ref(), router, target).await?;
        self.end.believe(tcp).await
    }

    /// The first address of a peer that takes the connection.
    async fn dial_any(&self, address: impl ToSocketAddrs) -> io::Result<Wire> {
        let mut refusal = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in lookup_host(address).await? {
            match self.network.dial(address).await {
                Ok(wire) => return Ok(wire),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// The same over a connected socket, never through a router.
    pub fn connect_over(&self, socket: impl Into<Wire>) -> BoxFuture<'_, Result<Connection, RatlsError>> {
        self.connect_wire(socket.into())
    }

    fn connect_wire(&self, wire: Wire) -> BoxFuture<'_, Result<Connection, RatlsError>> {
        Box::pin(self.connect_here(wire))
    }

    async fn connect_here(&self, mut tcp: Wire) -> Result<Connection, RatlsError> {
        tcp.send_at_once().map_err(RatlsError::io("connecting"))?;
        let answer = self.do_work(&mut tcp).await?;
        let identity = self.end.identities.current()?;
        let make = |key| client_config(key, Arc::clone(&self.end.verifier));
        let connector = TlsConnector::from(self.tls.get(&identity, make)?);
        let connecting = connector.connect(peer_name(), Socket::gathering(tcp, &answer));
        let (stream, peer) = shake(async { connecting.into_fallible().await.map(TlsStream::Client) }).await?;
        Connection::new(stream, peer, identity)
    }

    /// Does the work that the peer asks for; gives the answer, which goes with the first flight of the handshake.
    async fn do_work(&self, tcp: &mut Wire) -> Result<[u8; ANSWER_BYTES], RatlsError> {
        const DURING: &str = "waiting for the challenge";
        let mut bytes = [0; CHALLENGE_BYTES];
        limited(CHALLENGE_TIMEOUT, DURING, tcp.read_exact(&mut bytes)).await?;
        let challenge = Challenge::from_bytes(&bytes, self.max_difficulty)?;
        let nonce = match pow::solve_among(&challenge, 0..NONCES_AT_ONCE) {
            Some(nonce) => nonce,
            None => solve_in_background(challenge).await?,
        };
        Ok(pow::answer_to_bytes(nonce))
    }
}

/// Solves on a thread of its own; stops when the caller goes away or time runs out.
async fn solve_in_background(challenge: Challenge) -> Result<i64, RatlsError> {
    const DURING: &str = "working on the challenge";
    struct StopOnDrop(Arc<AtomicBool>);
    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = StopOnDrop(Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop.0);
    let work = off_thread(move || pow::solve_from(&challenge, NONCES_AT_ONCE, || !stopped.load(Ordering::Relaxed)));
    match timeout(WORK_TIMEOUT, work).await {
        Ok(Ok(Some(nonce))) => Ok(nonce),
        Ok(_) | Err(_) => Err(RatlsError::Timeout { during: DURING }),
    }
}

/// Answers peers.
#[derive(Clone, Debug)]
pub struct Acceptor {
    end: End,
    tls: Arc<OfIdentity<ServerConfig>>,
    difficulty: u32,
    work_timeout: Duration,
    is_behind_router: bool,
}

impl Acceptor {
    /// Answers with the keeper's identities and asks `policy` of the peers.
    pub fn new(
        identities: Arc<IdentityKeeper>,
        trust: Arc<TrustStore>,
        policy: PeerPolicy,
        clock: SharedClock,
    ) -> Self {
        Self {
            end: End::new(identities, trust, policy, clock),
            tls: Arc::default(),
            difficulty: DEFAULT_DIFFICULTY,
            work_timeout: WORK_TIMEOUT,
            is_behind_router: false,
        }
    }

    /// Asks for other than the usual work.
    #[must_use]
    pub fn with_difficulty(mut self, bits: u32) -> Self {
        self.difficulty = bits;
        self
    }

    /// Waits for the answer other than the usual time.
    #[must_use]
    pub fn with_work_timeout(mut self, limit: Duration) -> Self {
        self.work_timeout = limit;
        self
    }

    /// Takes plain connections of a router on this machine, which asked for the work, shook hands with its own identity and
    /// tells who the peer is. Connections from elsewhere are refused.
    #[must_use]
    pub fn behind_router(mut self) -> Self {
        self.is_behind_router = true;
        self
    }

    /// Asks for work, shakes hands, checks the peer. Run it on a task of its own: it waits for the peer.
    pub fn accept(&self, socket: impl Into<Wire>) -> BoxFuture<'_, Result<Connection, RatlsError>> {
        self.accept_wire(socket.into())
    }

    fn accept_wire(&self, wire: Wire) -> BoxFuture<'_, Result<Connection, RatlsError>> {
        Box::pin(self.accept_here(wire))
    }

    async fn accept_here(&self, mut tcp: Wire) -> Result<Connection, RatlsError> {
        tcp.send_at_once().map_err(RatlsError::io("accepting"))?;
        if self.is_behind_router {
            return self.end.believe(tcp).await;
        }
        self.ask_for_work(&mut tcp).await?;
        let identity = self.end.identities.current()?;
        let make = |key| server_config(key, Arc::clone(&self.end.verifier));
        let acceptor = TlsAcceptor::from(self.tls.get(&identity, make)?);
        let accepting = acceptor.accept(Socket::gathering(tcp, &[]));
        let (stream, peer) = shake(async { accepting.into_fallible().await.map(TlsStream::Server) }).await?;
        Connection::new(stream, peer, identity)
    }

    async fn ask_for_work(&self, tcp: &mut Wire) -> Result<(), RatlsError> {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        let challenge = Challenge {
            difficulty: self.difficulty,
            salt,
        };
        limited(
            CHALLENGE_TIMEOUT,
            "sending the challenge",
            tcp.write_all(&challenge.to_bytes()),
        )
        .await?;
        // Exactly the answer: what follows it already belongs to TLS.
        let mut answer = [0; ANSWER_BYTES];
        limited(self.work_timeout, "waiting for the work", tcp.read_exact(&mut answer)).await?;
        let nonce = pow::answer_from_bytes(&answer)?;
        if pow::verify(&challenge, nonce) {
            Ok(())
        } else {
            Err(RatlsError::WorkWrong { bits: self.difficulty })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_handshakes_count() {
        assert!(require_full(Some(HandshakeKind::Full)).is_ok());
        assert!(require_full(Some(HandshakeKind::FullWithHelloRetryRequest)).is_ok());
        for kind in [Some(HandshakeKind::Resumed), None] {
            assert!(matches!(require_full(kind), Err(RatlsError::Resumed)));
        }
    }
}
