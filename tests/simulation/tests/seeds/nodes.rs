//! The nodes: real runners with their usual configuration, and faster timers where a test would otherwise wait.

use std::net::{IpAddr, SocketAddr};

use cocoon_client::ClientConfig;
use cocoon_proxy::ProxyConfig;
use cocoon_runner::Surroundings;
use cocoon_worker::WorkerConfig;
use tokio_util::sync::CancellationToken;

use crate::cheats::Cheat;
use crate::rogue::{self, Facts, Heard, Signed};
use crate::setting::{MODEL, Setting, address, client_owner, proxy_owner};
use crate::upstream::{self, Manners};

pub(crate) const CLIENT: &str = "10.0.0.2:10000";
/// A key of the client: others reach it, so it asks for one.
pub(crate) const API_KEY: &str = "ck-of-the-simulation";

/// Which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// By number, from 0.
    Proxy(u8),
    Client,
    /// By number, from 0.
    Worker(u8),
    LyingWorker,
    LyingClient,
}

/// What a node gets besides its surroundings.
pub(crate) struct Lot {
    pub(crate) seed: u64,
    /// Of the inference server beside a worker.
    pub(crate) manners: Manners,
    /// What a lying worker signs.
    pub(crate) signed: Signed,
    /// What a liar is told.
    pub(crate) heard: Heard,
    /// All that it does, if it cheats in one way only.
    pub(crate) cheat: Option<Cheat>,
}

impl Node {
    pub(crate) fn ip(self) -> IpAddr {
        let last = match self {
            Self::Proxy(number) => 1 + 4 * number,
            Self::Client => 2,
            Self::Worker(number) => 11 + number,
            Self::LyingWorker => 30,
            Self::LyingClient => 31,
        };
        [10, 0, 0, last].into()
    }

    /// Where a proxy waits for workers and for clients.
    pub(crate) fn ports(self) -> [String; 2] {
        [11_001, 11_002].map(|port| SocketAddr::new(self.ip(), port).to_string())
    }

    /// Whether it is a runner of ours.
    pub(crate) fn is_honest(self) -> bool {
        !matches!(self, Self::LyingWorker | Self::LyingClient)
    }

    /// Runs it until it ends by itself or is stopped.
    pub(crate) fn main(
        self,
        setting: &Setting,
        surroundings: Surroundings,
        stop: CancellationToken,
        lot: Lot,
    ) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let (text, facts) = (self.config(setting), Facts::of(setting));
        async move {
            match self {
                Self::Proxy(_) => {
                    let config: ProxyConfig = toml::from_str(&text).map_err(told)?;
                    let running = cocoon_proxy::start_on(config, surroundings, stop).await.map_err(told)?;
                    running.join().await.map_err(told)
                }
                Self::Client => {
                    let config: ClientConfig = toml::from_str(&text).map_err(told)?;
                    let mut running = cocoon_client::start_on(config, surroundings, stop)
                        .await
                        .map_err(told)?;
                    running.join().await.map_err(told)
                }
                Self::Worker(_) => {
                    let config: WorkerConfig = toml::from_str(&text).map_err(told)?;
                    let listener = surroundings.network.listen((self.ip(), upstream::PORT).into());
                    tokio::spawn(upstream::serve(listener.await.map_err(told)?, lot.manners));
                    let running = cocoon_worker::start_on(config, surroundings, stop)
                        .await
                        .map_err(told)?;
                    running.join.await.map_err(told)?.map_err(told)
                }
                Self::LyingWorker | Self::LyingClient => {
                    rogue::lie(self, facts, surroundings, lot).await;
                    Ok(())
                }
            }
        }
    }

    fn config(self, setting: &Setting) -> String {
        let file = |name: &str| format!("{:?}", setting.file(name));
        let (ip, proxies) = (self.ip(), setting.proxies.len());
        let common = format!(
            "[chain]\nurl = 'http://chain'\nroot = '{}'\n[attestation]\nsimulated_platform = {}\n",
            setting.root,
            file("platform.json")
        );
        match self {
            Self::Proxy(number) => format!(
                "store_dir = {}\ncontract_key_file = {}\npow_difficulty = 0\n{common}\
                 [wallet]\nkey_file = {}\nowner = '{}'\n\
                 [listen]\nclients = '{ip}:11002'\nworkers = '{ip}:11001'\nhttp = '{ip}:11000'\n\
                 [timers]\ncommit_min = 1.0\ncommit_max = 2.0\ncommit_resend = 8.0\ntransactions = 1.0\n\
                 contracts = 2.0\nroot = 10.0\nsettlement = 2.0\ndrain = 3.0\n\
                 [outage]\nafter = 6.0\nserve_for = 12.0\n\
                 [settlement]\nclient_charge = '1'\nworker_payout = '1'\nresubmit_after = 20\n",
                file("proxy"),
                file(&format!("contract{number}.key")),
                file(&format!("proxy{number}.key")),
                proxy_owner(number),
            ),
            Self::Client => format!(
                "listen = '{CLIENT}'\ndata_dir = {}\nsecret_file = {}\nroot_refresh_seconds = 10\nproxy_connections = {proxies}\n{common}\
                 [wallet]\nkey_file = {}\nowner = '{}'\n\
                 [funding]\namount = '20000000000'\nrefill_below = '5000000000'\n\
                 [access]\nkeys_file = {}\n",
                file("client"),
                file("secret"),
                file("client.key"),
                client_owner(),
                file("keys.json"),
            ),
            Self::Worker(number) => format!(
                "owner = '{}'\ndata_dir = {}\nhttp = '{ip}:12000'\ndrain_seconds = 3\nroot_refresh_seconds = 10\nproxy_connections = {proxies}\n{common}\
                 [[models]]\nname = '{MODEL}'\nmax_active_requests = 4\n\
                 backend = {{ kind = 'upstream', url = 'http://{ip}:{}' }}\n",
                address(40 + number),
                file("worker"),
                upstream::PORT,
            ),
            Self::LyingWorker | Self::LyingClient => String::new(),
        }
    }
}

fn told(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
