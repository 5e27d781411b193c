//! One listener: takes connections, and joins each with its other side once the peer was judged.

use std::{collections::BTreeMap, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use cocoon_ratls::{Acceptor, Connection, Connector};
use cocoon_runner::{limits::MAX_UNVERIFIED_OF_NETWORK, places::Places};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, lookup_host},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ListenerConfig, Policy, RouterError, info,
    limits::{
        ACCEPT_PAUSE, CONNECT_TIMEOUT, HALF_OPEN_TIMEOUT, MAX_CONNECTIONS, MAX_UNVERIFIED_CONNECTIONS, SOCKS_TIMEOUT,
    },
    socks::{self, Method},
    start::Parts,
};

/// What the connections of one listener share.
pub(crate) struct Served {
    pub(crate) config: ListenerConfig,
    /// Under the policy of the listener.
    pub(crate) way: Way,
    /// Under all policies by name, for user names.
    pub(crate) ways: BTreeMap<String, Way>,
    pub(crate) peer_info: bool,
    /// Ends connections that are not joined yet.
    pub(crate) stop: CancellationToken,
    /// Ends all connections.
    pub(crate) drained: CancellationToken,
}

/// Peers under one policy. Made once: what an end knows of certificates and of TLS is for all its connections.
#[derive(Clone)]
pub(crate) struct Way {
    policy: Policy,
    connector: Connector,
    acceptor: Acceptor,
}

impl Way {
    /// Asks for `difficulty` bits of work, and does at most `max_difficulty` bits.
    pub(crate) fn new(policy: Policy, parts: &Parts, difficulty: u32, max_difficulty: u32) -> Self {
        let Parts {
            identities,
            trust,
            clock,
        } = parts.clone();
        let (dialed, taken) = (policy.of_peers(), policy.of_peers());
        let connector = Connector::new(Arc::clone(&identities), Arc::clone(&trust), dialed, Arc::clone(&clock));
        Self {
            policy,
            connector: connector.with_max_difficulty(max_difficulty),
            acceptor: Acceptor::new(identities, trust, taken, clock).with_difficulty(difficulty),
        }
    }
}

/// The two sides of a connection whose peer was judged.
struct Joined {
    plain: TcpStream,
    attested: Connection,
    /// Where the connection came from and where it goes, for the frame.
    ends: (SocketAddr, SocketAddr),
}

/// Takes connections until dropped.
pub(crate) async fn run(served: Arc<Served>, listener: TcpListener, tasks: TaskTracker) {
    let unverified = Places::new(MAX_UNVERIFIED_CONNECTIONS, MAX_UNVERIFIED_OF_NETWORK);
    let open = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let (tcp, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (Some(unverified), Ok(open)) = (unverified.take(from.ip()), Arc::clone(&open).try_acquire_owned()) else {
            tracing::warn!(%from, "too many connections: one is turned away");
            continue;
        };
        let served = Arc::clone(&served);
        tasks.spawn(async move {
            let joined = served.stop.run_until_cancelled(served.join(tcp, from)).await;
            drop(unverified);
            match joined {
                Some(Ok(joined)) => served.pass(joined).await,
                Some(Err(error)) => {
                    tracing::info!(%from, %error, hint = error.hint(), "a connection was not passed on")
                }
                None => {}
            }
            drop(open);
        });
    }
}

impl Served {
    async fn join(&self, tcp: TcpStream, from: SocketAddr) -> Result<Joined, RouterError> {
        tcp.set_nodelay(true).map_err(failed("setting up a connection"))?;
        match &self.config {
            ListenerConfig::Reverse { to, .. } => self.reverse(tcp, from, *to).await,
            ListenerConfig::Forward { to, .. } => {
                let address = limited(CONNECT_TIMEOUT, "looking up the peer", lookup_host(to))
                    .await?
                    .next();
                let address = address.ok_or_else(|| {
                    failed("looking up the peer")(io::Error::new(io::ErrorKind::NotFound, "no address"))
                })?;
                let peer = limited(CONNECT_TIMEOUT, "connecting to the peer", TcpStream::connect(address)).await?;
                self.outbound(tcp, peer, &self.way).await
            }
            ListenerConfig::Socks5 {
                policy_from_user_name, ..
            } => {
                let negotiation = self.negotiate(tcp, *policy_from_user_name);
                let (tcp, target, way) = timeout(SOCKS_TIMEOUT, negotiation)
                    .await
                    .map_err(|_| RouterError::Timeout { during: "SOCKS" })??;
                let peer = limited(CONNECT_TIMEOUT, "connecting to the peer", TcpStream::connect(target)).await?;
                let bound = peer.local_addr().map_err(failed("connecting to the peer"))?;
                let mut tcp = tcp;
                // As deployed: success says that the connection is there; work, TLS and policy may still end it.
                tcp.write_all(&socks::success(bound)).await.map_err(failed("SOCKS"))?;
                self.outbound(tcp, peer, way).await
            }
        }
    }

    /// PoW and TLS in, plain TCP out.
    async fn reverse(&self, tcp: TcpStream, from: SocketAddr, to: SocketAddr) -> Result<Joined, RouterError> {
        let attested = self.way.acceptor.accept(tcp).await?;
        self.way.policy.check(&attested.peer)?;
        let plain = limited(
            CONNECT_TIMEOUT,
            "connecting to the local program",
            TcpStream::connect(to),
        )
        .await?;
        plain.set_nodelay(true).map_err(failed("setting up a connection"))?;
        Ok(Joined {
            plain,
            attested,
            ends: (from, to),
        })
    }

    /// Plain TCP in, PoW and TLS out.
    async fn outbound(&self, plain: TcpStream, peer: TcpStream, way: &Way) -> Result<Joined, RouterError> {
        let during = failed("connecting to the peer");
        let ends = (peer.local_addr().map_err(&during)?, peer.peer_addr().map_err(&during)?);
        let attested = way.connector.connect_over(peer).await?;
        way.policy.check(&attested.peer)?;
        Ok(Joined { plain, attested, ends })
    }

    /// Everything of SOCKS but the last answer.
    async fn negotiate(
        &self,
        mut tcp: TcpStream,
        user_names: bool,
    ) -> Result<(TcpStream, SocketAddr, &Way), RouterError> {
        let during = failed("SOCKS");
        let [version, count] = read::<2>(&mut tcp).await?;
        socks::check_version(version)?;
        let mut methods = vec![0; usize::from(count)];
        tcp.read_exact(&mut methods).await.map_err(&during)?;
        let method = match socks::choose(&methods, user_names) {
            Ok(method) => method,
            Err(error) => {
                // It is closed next, whether it hears this or not.
                let _ = tcp.write_all(&socks::NO_METHOD).await;
                return Err(error.into());
            }
        };
        tcp.write_all(&method.answer()).await.map_err(&during)?;
        let way = match method {
            Method::None => &self.way,
            Method::UserName => {
                let name = user_name(&mut tcp).await?;
                let way = self.ways.get(&name).ok_or(RouterError::UnknownPolicy(name))?;
                tcp.write_all(&socks::USER_NAME_TAKEN).await.map_err(&during)?;
                way
            }
        };
        socks::check_request(read(&mut tcp).await?)?;
        let target = socks::target(read(&mut tcp).await?);
        Ok((tcp, SocketAddr::V4(target), way))
    }

    /// Says who the peer is, then copies bytes both ways until either side ends.
    async fn pass(&self, joined: Joined) {
        let Joined {
            mut plain,
            mut attested,
            ends: (source, destination),
        } = joined;
        let frame = self
            .peer_info
            .then(|| info::of(&attested.peer, source, destination).to_frame());
        let passing = async {
            if let Some(frame) = frame {
                plain.write_all(&frame).await?;
            }
            copy_both_ways(&mut plain, &mut attested.stream).await
        };
        match self.drained.run_until_cancelled(passing).await {
            Some(Ok(())) => tracing::debug!(%source, %destination, "a connection ended"),
            // Peers that end without a closing message are common, and the runners' framing notices a cut.
            Some(Err(error)) => tracing::debug!(%source, %destination, %error, "a connection broke"),
            None => tracing::info!(%source, %destination, "a connection was cut at the end of the drain"),
        }
    }
}

/// Copies until both directions have ended, or one has and the other does not follow in time.
async fn copy_both_ways<P, A>(plain: &mut P, attested: &mut A) -> io::Result<()>
where
    P: AsyncRead + AsyncWrite + Unpin,
    A: AsyncRead + AsyncWrite + Unpin,
{
    let (mut plain_in, mut plain_out) = tokio::io::split(plain);
    let (mut attested_in, mut attested_out) = tokio::io::split(attested);
    let sending = async {
        tokio::io::copy(&mut plain_in, &mut attested_out).await?;
        attested_out.shutdown().await
    };
    let receiving = async {
        tokio::io::copy(&mut attested_in, &mut plain_out).await?;
        plain_out.shutdown().await
    };
    let (mut sending, mut receiving) = (pin!(sending), pin!(receiving));
    let rest = tokio::select! {
        ended = &mut sending => {
            ended?;
            timeout(HALF_OPEN_TIMEOUT, receiving).await
        }
        ended = &mut receiving => {
            ended?;
            timeout(HALF_OPEN_TIMEOUT, sending).await
        }
    };
    rest.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn user_name(tcp: &mut TcpStream) -> Result<String, RouterError> {
    let [version, length] = read::<2>(tcp).await?;
    socks::check_user_name_version(version)?;
    let mut name = vec![0; usize::from(length)];
    tcp.read_exact(&mut name).await.map_err(failed("SOCKS"))?;
    let [length] = read::<1>(tcp).await?;
    let mut password = vec![0; usize::from(length)];
    tcp.read_exact(&mut password).await.map_err(failed("SOCKS"))?;
    String::from_utf8(name).map_err(|_| socks::SocksError::UserName.into())
}

async fn read<const N: usize>(tcp: &mut TcpStream) -> Result<[u8; N], RouterError> {
    let mut bytes = [0; N];
    tcp.read_exact(&mut bytes).await.map_err(failed("SOCKS"))?;
    Ok(bytes)
}

fn failed(during: &'static str) -> impl Fn(io::Error) -> RouterError {
    move |source| RouterError::Io { during, source }
}

async fn limited<T>(
    limit: Duration,
    during: &'static str,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, RouterError> {
    timeout(limit, step)
        .await
        .map_err(|_| RouterError::Timeout { during })?
        .map_err(failed(during))
}

#[cfg(test)]
mod tests {
    use tokio::{io::duplex, time::Instant};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_ends_its_side_does_not_keep_the_place() {
        let ((program, mut plain), (peer, mut attested)) = (duplex(64), duplex(64));
        drop(program);
        let started = Instant::now();
        let outcome = copy_both_ways(&mut plain, &mut attested).await;
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed(), HALF_OPEN_TIMEOUT);
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_arrives_after_the_question_has_ended() {
        let ((mut program, mut plain), (mut peer, mut attested)) = (duplex(64), duplex(64));
        let asking = async {
            program.write_all(b"question").await?;
            program.shutdown().await?;
            let mut answer = Vec::new();
            program.read_to_end(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let answering = async {
            let mut question = Vec::new();
            peer.read_to_end(&mut question).await?;
            assert_eq!(question, b"question");
            tokio::time::sleep(HALF_OPEN_TIMEOUT / 2).await;
            peer.write_all(b"answer").await?;
            peer.shutdown().await
        };
        let (copied, answer, answered) = tokio::join!(copy_both_ways(&mut plain, &mut attested), asking, answering);
        copied.unwrap();
        answered.unwrap();
        assert_eq!(answer.unwrap(), b"answer");
    }
}
