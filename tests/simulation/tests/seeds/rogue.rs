//! Peers that lie: an attested worker and a paying client under somebody's control. Every connection tells the truth until it
//! draws a lie from the seed. Whatever they do ends no more than their own connections and requests.

mod client;
mod worker;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cocoon_attest::Endorsements;
use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_bindings::ton::HashBytes;
use cocoon_protocol::handshake::HandshakeError;
use cocoon_ratls::{
    Connection, Connector, EvidenceSource, IdentityKeeper, NoEvidence, PeerPolicy, SharedClock, SharedNetwork,
    Simulated, TrustSettings, TrustStore,
};
use cocoon_runner::Surroundings;
use cocoon_runner::link::{Link, LinkConfig, LinkError, LinkEvent, LinkHandle};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::Receiver;

use crate::cheats::Cheat;
use crate::nodes::{Lot, Node};
use crate::setting::Setting;

/// Secret of the lying client, whose hash its contract holds.
pub(crate) const SECRET: &[u8] = b"nothing to hide";
/// How long a step of a handshake may take.
const STEP: Duration = Duration::from_secs(10);
/// Longest time that a connection is kept.
const STAY: Duration = Duration::from_secs(15);

/// Statements that the lying worker signed.
pub(crate) type Signed = Arc<Mutex<BTreeSet<HashBytes>>>;

/// What liars were told by those to whom they lied.
pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

/// Why a connection ended. Nobody asks: another one follows.
#[derive(Debug)]
struct Over;

impl From<LinkError> for Over {
    fn from(_: LinkError) -> Self {
        Self
    }
}

impl From<HandshakeError> for Over {
    fn from(_: HandshakeError) -> Self {
        Self
    }
}

/// What a liar has.
struct Liar {
    rng: StdRng,
    platform: SimulatedPlatform,
    clock: SharedClock,
    network: SharedNetwork,
    signed: Signed,
    heard: Heard,
    /// All that it does, if it cheats in one way only.
    cheat: Option<Cheat>,
    /// What it once sent, to be sent again.
    said: Vec<Bytes>,
}

/// Lies until its end.
pub(crate) async fn lie(node: Node, facts: Facts, surroundings: Surroundings, lot: Lot) {
    let liar = &mut Liar {
        rng: StdRng::seed_from_u64(lot.seed),
        platform: SimulatedPlatform::from_json(&facts.platform).unwrap(),
        clock: surroundings.clock,
        network: surroundings.network,
        signed: lot.signed,
        heard: lot.heard,
        cheat: lot.cheat,
        said: Vec::new(),
    };
    loop {
        // Longer than a connection may last: a lie may be to say nothing.
        let _ = match node {
            Node::LyingWorker => tokio::time::timeout(STAY, worker::connection(liar, &facts)).await,
            _ => tokio::time::timeout(STAY, client::connection(liar, &facts)).await,
        };
        let pause = liar.rng.random_range(200..3_000);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// What a liar needs to know of the setting.
pub(crate) struct Facts {
    platform: String,
    proxies: u8,
    /// The honest client's wallet, to be claimed as the own one.
    honest: cocoon_bindings::ton::Address,
}

impl Facts {
    pub(crate) fn of(setting: &Setting) -> Self {
        Self {
            platform: std::fs::read_to_string(setting.file("platform.json")).unwrap(),
            proxies: u8::try_from(setting.proxies.len()).unwrap(),
            honest: setting.client_wallet.clone(),
        }
    }
}

impl Liar {
    async fn dial(&self, to: &str, image: Option<&str>) -> Option<Connection> {
        let source: Arc<dyn EvidenceSource> = match image {
            Some(image) => Arc::new(Simulated::for_role(self.platform.clone(), image)),
            None => Arc::new(NoEvidence),
        };
        let identities = Arc::new(IdentityKeeper::new(source, Arc::clone(&self.clock)).unwrap());
        let settings = TrustSettings::real(Endorsements::none()).unwrap();
        let settings = settings.with_simulated(&self.platform, self.clock.now()).unwrap();
        let trust = Arc::new(TrustStore::new(settings));
        let to: SocketAddr = to.parse().unwrap();
        Connector::new(identities, trust, PeerPolicy::Any, Arc::clone(&self.clock))
            .over(Arc::clone(&self.network))
            .connect(to)
            .await
            .ok()
    }

    /// One time in `many`; never where it cheats in one way only.
    fn one_in(&mut self, many: u32) -> bool {
        self.rng.random_range(0..many) == 0 && self.cheat.is_none()
    }

    /// One of so many lies, or the one of its only cheat; as many as there are for none.
    fn lie(&mut self, among: u32, only: &[(Cheat, u32)]) -> u32 {
        let drawn = self.rng.random_range(0..among);
        match self.cheat {
            None => drawn,
            Some(cheat) => only
                .iter()
                .find(|(one, _)| *one == cheat)
                .map_or(among, |(_, lie)| *lie),
        }
    }

    /// Keeps what it was told.
    fn hear(&self, told: impl Display) {
        self.heard.lock().unwrap().push(told.to_string());
    }

    /// Sends something: as it is, or cut, changed, twice, or together with something old.
    async fn say(&mut self, link: &LinkHandle, truth: Bytes) -> Result<(), Over> {
        let mut bytes = truth.to_vec();
        match self.lie(40, &[]) {
            0 => bytes.truncate(self.rng.random_range(0..=truth.len())),
            1 => {
                let at = self.rng.random_range(0..bytes.len().max(1));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.rng.random_range(0..8);
                }
            }
            2 => link.send_packet(truth.clone()).await?,
            3 => {
                let old = self.rng.random_range(0..self.said.len().max(1));
                if let Some(old) = self.said.get(old) {
                    link.send_packet(old.clone()).await?;
                }
            }
            4 => bytes.extend_from_slice(&[0; 4]),
            _ => {}
        }
        if self.said.len() < 200 {
            self.said.push(truth);
        }
        Ok(link.send_packet(bytes).await?)
    }

    /// Bytes that are no frames, or frames that are none; then what the other end makes of it.
    async fn babble(&mut self, mut connection: Connection) {
        let connect = [12_u32, 0, 0xa57c_4261, 7, 7].map(u32::to_le_bytes).concat();
        let mut bytes = if self.one_in(2) { connect } else { Vec::new() };
        match self.rng.random_range(0..5) {
            // Longer than any frame may be.
            0 => bytes.extend([u32::MAX, 1].map(u32::to_le_bytes).concat()),
            // As long as one may be, and then nothing more.
            1 => bytes.extend([1 << 24, 1, 1, 2, 3].map(u32::to_le_bytes).concat()),
            // Out of order.
            2 => bytes.extend([8_u32, 77, 0xbbe9_627c, 1, 1].map(u32::to_le_bytes).concat()),
            // Too short to be anything.
            3 => bytes.extend([1_u32, 1].map(u32::to_le_bytes).concat()),
            _ => bytes.extend((0..500).map(|_| self.rng.random::<u8>())),
        }
        let _ = connection.stream.write_all(&bytes).await;
        let _ = connection.stream.flush().await;
        let _ = connection.stream.read_to_end(&mut Vec::new()).await;
    }

    async fn open(connection: Connection) -> Option<(LinkHandle, Receiver<LinkEvent>)> {
        Link::dial(connection.stream, LinkConfig::default()).await.ok()
    }
}
