//! A node of our own making that speaks the network's language, until it chooses not to.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use cocoon_attest::{Endorsements, simulated::SimulatedPlatform};
use cocoon_cli::local::network::NetworkFile;
use cocoon_protocol::{
    handshake::{ProofStep, WorkerBalances, WorkerConnecting, WorkerOffer},
    message::ProxyToWorker,
    version::VersionRange,
};
use cocoon_proxy::ProxyConfig;
use cocoon_ratls::{
    Acceptor, Connection, Connector, EvidenceSource, IdentityKeeper, NoEvidence, PeerPolicy, RatlsError, Simulated,
    SystemClock, TrustSettings, TrustStore,
};
use cocoon_runner::link::{Link, LinkConfig, LinkEvent, LinkHandle};
use tokio::sync::mpsc::Receiver;

use crate::{Failure, failed};

/// How long a step of a handshake may take.
const STEP: Duration = Duration::from_secs(10);

/// What the stranger presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// No quote, as ordinary clients.
    Plain,
    /// A quote of the simulated image of this name.
    Image(&'static str),
}

/// Makes connections to a network, or waits for them.
pub struct Stranger {
    platform: SimulatedPlatform,
    trust: Arc<TrustStore>,
    /// Where the proxy listens for workers.
    pub workers: SocketAddr,
    /// Where the proxy listens for clients.
    pub clients: SocketAddr,
}

impl Stranger {
    /// Knows the simulated platform and the proxy of a network.
    pub fn new(platform_json: &str, proxy: &ProxyConfig) -> Result<Self, Failure> {
        let platform = SimulatedPlatform::from_json(platform_json).map_err(failed("reading the platform"))?;
        let now = SystemClock::shared().now();
        let settings = TrustSettings::real(Endorsements::none())
            .and_then(|settings| settings.with_simulated(&platform, now))
            .map_err(failed("trusting the platform"))?;
        let trust = Arc::new(TrustStore::new(settings));
        Ok(Self {
            platform,
            trust,
            workers: proxy.listen.workers,
            clients: proxy.listen.clients,
        })
    }

    fn identities(&self, mask: Mask) -> Result<Arc<IdentityKeeper>, Failure> {
        let source: Arc<dyn EvidenceSource> = match mask {
            Mask::Plain => Arc::new(NoEvidence),
            Mask::Image(role) => Arc::new(Simulated::for_role(self.platform.clone(), role)),
        };
        IdentityKeeper::new(source, SystemClock::shared())
            .map(Arc::new)
            .map_err(failed("making a certificate"))
    }

    /// Connects to `address` behind `mask`; takes any peer.
    pub async fn connect(&self, address: SocketAddr, mask: Mask) -> Result<Connection, RatlsError> {
        let identities = self.identities(mask).map_err(|failure| RatlsError::Issue {
            reason: failure.to_string(),
        })?;
        Connector::new(
            identities,
            Arc::clone(&self.trust),
            PeerPolicy::Any,
            SystemClock::shared(),
        )
        .connect(address)
        .await
    }

    /// Opens a session to `address` behind `mask`.
    pub async fn link(&self, address: SocketAddr, mask: Mask) -> Result<(LinkHandle, Receiver<LinkEvent>), Failure> {
        let connection = self.connect(address, mask).await.map_err(failed("connecting"))?;
        Link::dial(connection.stream, LinkConfig::default())
            .await
            .map_err(failed("opening a session"))
    }

    /// Waits for peers behind `mask`; takes any peer.
    pub fn acceptor(&self, mask: Mask) -> Result<Acceptor, Failure> {
        let identities = self.identities(mask)?;
        let trust = Arc::clone(&self.trust);
        Ok(Acceptor::new(identities, trust, PeerPolicy::Any, SystemClock::shared()).with_difficulty(1))
    }

    /// Becomes a worker of the network and answers each question with what `answer` makes of its request id, until the
    /// proxy has enough of it or it has answered two. Gives the number of questions.
    pub async fn work(
        &self,
        network: &NetworkFile,
        answer: impl Fn(&[u8; 32]) -> Vec<Bytes>,
    ) -> Result<usize, Failure> {
        let (link, mut events) = self.link(self.workers, Mask::Image("worker")).await?;
        worker_handshake(&link, network).await?;
        let mut questions = 0;
        while let Some(event) = events.recv().await {
            let LinkEvent::Packet(packet) = event else { continue };
            let Ok(ProxyToWorker::RunQueryEx(query)) = ProxyToWorker::decode(&packet) else {
                continue;
            };
            questions += 1;
            if questions > 2 {
                // Two lies are enough: others shall have the questions.
                link.close().await;
                return Ok(questions);
            }
            for bytes in answer(&query.request_id) {
                if link.send_packet(bytes).await.is_err() {
                    return Ok(questions);
                }
            }
        }
        Ok(questions)
    }
}

async fn worker_handshake(link: &LinkHandle, network: &NetworkFile) -> Result<(), Failure> {
    let offer = WorkerOffer {
        owner_address: network.worker_owner.clone(),
        model: network.deployed_model.clone(),
        // Cheaper than anybody else.
        coefficient: 1,
        is_test: true,
        proxy_cnt: 1,
        max_active_requests: 100,
        versions: VersionRange { min: 1, max: 2 },
    };
    let ask = |question: Bytes| async { link.query(question, STEP).await.map_err(failed("asking the proxy")) };
    let (connecting, question) = WorkerConnecting::start(offer);
    let connected = connecting
        .connected(&ask(question).await?)
        .and_then(ProofStep::without_proof)
        .map_err(failed("connecting to the proxy"))?;
    let (comparing, question) = connected.compare(WorkerBalances::default());
    let compared = comparing
        .compared(&ask(question).await?)
        .map_err(failed("comparing totals"))?;
    let finishing = compared.map_err(|_| Failure::new("the proxy knows less than nothing"))?;
    let (completing, question) = finishing.complete(false);
    completing
        .completed(&ask(question).await?)
        .map_err(failed("ending the handshake"))
}
