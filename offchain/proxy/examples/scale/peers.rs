//! The process of all the peers: told on standard input what to do, it answers each line with one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_protocol::handshake::HandshakeError;
use cocoon_ratls::{
    Connector, IdentityKeeper, NoEvidence, PeerPolicy, SharedClock, Simulated, SystemClock, TrustSettings, TrustStore,
};
use cocoon_runner::link::LinkError;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::chain::owner;
use crate::client::{Client, request};
use crate::process::spread;
use crate::{Result, worker};

/// Connections that are opened at once: what the proxy judges of one network at once.
const AT_ONCE: usize = 32;

/// Why a session was not proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Proving {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

struct Peers {
    clients: SocketAddr,
    workers: SocketAddr,
    platform: SimulatedPlatform,
    trust: Arc<TrustStore>,
    clock: SharedClock,
}

/// Obeys until the input ends.
pub(crate) async fn run(clients: SocketAddr, workers: SocketAddr, platform: &str) -> Result<()> {
    let platform = SimulatedPlatform::from_json(&std::fs::read_to_string(platform)?)?;
    let clock = SystemClock::shared();
    let settings = TrustSettings::real(cocoon_attest::Endorsements::none())?;
    let settings = settings.with_simulated(&platform, clock.now())?;
    let peers = Arc::new(Peers {
        clients,
        workers,
        platform,
        trust: Arc::new(TrustStore::new(settings)),
        clock,
    });
    let mut connected: Vec<Client> = Vec::new();
    let (tell, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut lines = std::io::stdin().lines().map_while(std::result::Result::ok);
        lines.try_for_each(|line| tell.blocking_send(line))
    });
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["workers", count] => {
                let seconds = peers.connect_workers(count.parse()?).await?;
                json!({ "seconds": seconds })
            }
            ["clients", count] => {
                let started = Instant::now();
                connected = peers.connect_clients(count.parse()?).await?;
                json!({ "seconds": started.elapsed().as_secs_f64() })
            }
            ["load", in_flight, seconds] => {
                let (clients, answer) = load(connected, in_flight.parse()?, seconds.parse()?).await?;
                connected = clients;
                answer
            }
            _ => return Err("an unknown command".into()),
        };
        println!("{answer}");
    }
    Ok(())
}

impl Peers {
    /// Each worker has a certificate and a quote of its own.
    async fn connect_workers(self: &Arc<Self>, count: usize) -> Result<f64> {
        let started = Instant::now();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let place = Arc::clone(&places).acquire_owned().await?;
            let peers = Arc::clone(self);
            tasks.spawn(async move {
                let source = Arc::new(Simulated::for_role(peers.platform.clone(), "worker"));
                let identities = Arc::new(IdentityKeeper::new(source, Arc::clone(&peers.clock))?);
                let (trust, clock) = (Arc::clone(&peers.trust), Arc::clone(&peers.clock));
                let connector = Connector::new(identities, trust, PeerPolicy::Any, clock);
                let done = worker::connect(&connector, peers.workers, owner(3, number)).await;
                drop(place);
                done
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(started.elapsed().as_secs_f64())
    }

    async fn connect_clients(self: &Arc<Self>, count: usize) -> Result<Vec<Client>> {
        let identities = Arc::new(IdentityKeeper::new(Arc::new(NoEvidence), Arc::clone(&self.clock))?);
        let image = simulated_measurements("proxy").image_hash();
        let policy = PeerPolicy::attested(move |hash| *hash == image);
        let connector = Connector::new(identities, Arc::clone(&self.trust), policy, Arc::clone(&self.clock));
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = JoinSet::new();
        for number in 0..count {
            let place = Arc::clone(&places).acquire_owned().await?;
            let (connector, to) = (connector.clone(), self.clients);
            tasks.spawn(async move {
                let client = Client::connect(&connector, to, owner(4, number)).await;
                drop(place);
                client
            });
        }
        let mut clients = Vec::with_capacity(count);
        while let Some(client) = tasks.join_next().await {
            clients.push(client??);
        }
        Ok(clients)
    }
}

/// Loads the proxy with so many requests at once; each of them goes from client to client.
async fn load(clients: Vec<Client>, in_flight: usize, seconds: f64) -> Result<(Vec<Client>, serde_json::Value)> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut groups: Vec<Vec<Client>> = (0..in_flight).map(|_| Vec::new()).collect();
    for (place, client) in clients.into_iter().enumerate() {
        groups[place % in_flight].push(client);
    }
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for mut group in groups {
        tasks.spawn(async move {
            let query = request();
            let (mut times, mut failed, mut next) = (Vec::new(), 0_u64, 0);
            while Instant::now() < end && !group.is_empty() {
                let place = next % group.len();
                next += 1;
                match group[place].ask(&query).await {
                    Ok(time) => times.push(time),
                    Err(error) => {
                        failed += 1;
                        if failed == 1 {
                            eprintln!("a request failed: {error}");
                        }
                    }
                }
            }
            (group, times, failed)
        });
    }
    let (mut clients, mut times, mut failed) = (Vec::new(), Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (group, of_group, failures) = done?;
        clients.extend(group);
        times.extend(of_group);
        failed += failures;
    }
    let elapsed = started.elapsed().as_secs_f64();
    let per_second = times.len() as f64 / elapsed;
    Ok((
        clients,
        json!({ "requests_per_second": per_second, "failed": failed, "time": spread(times) }),
    ))
}
