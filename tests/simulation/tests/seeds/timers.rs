//! The timers of the deployed network (its timer summary), walked in one network whose nodes have nothing configured but where
//! they are: the clock is the simulation's, so minutes pass in no time.
//!
//! Seen here: state commits, looks at contracts and at the root contract, payment status, pings, silence on both sides,
//! redialing, and the shares of a request's time. In [`questions`]: handshake, authorisation, models, and the choice of another
//! proxy.

mod questions;
mod watched;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cocoon_emulator::Emulator;
use cocoon_ratls::{Listener, Wire};
use cocoon_runner::Surroundings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use crate::disk::Platter;
use crate::host::{Life, Time};
use crate::network::{Net, USERS};
use crate::nodes::{API_KEY, CLIENT};
use crate::setting::{BEGIN, MODEL, Setting, address, client_owner, proxy_owner};
use crate::user::{self, Diary, Outcome};
use crate::{chain, entropy};
use watched::{Act, Log, Watched, Wires, assert_within};

const STEP_MS: u64 = 20;
const BLOCK_MS: u64 = 400;
/// A way there and back, the chain's answer included, and the step of the clocks.
const SLACK_MS: u64 = 400;
/// What a user gives a request, as [`user::ask`] does.
const ASKED_MS: u64 = 20_000;

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const OF_CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
const OF_WORKER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 11));

const PROXY_FOR_WORKERS: &str = "10.0.0.1:11001";
const PROXY_FOR_CLIENTS: &str = "10.0.0.1:11002";

/// A tcp.ping in a record of TLS, and a tcp.query of payment status.
const PING_BYTES: usize = 42;
const STATUS_BYTES: usize = 50;

/// An inference server that answers, or takes a question and says nothing.
async fn upstream(mut listener: Listener, log: Log, is_silent: Arc<AtomicBool>) {
    while let Ok((wire, _)) = listener.accept().await {
        tokio::spawn(converse(wire, log.clone(), Arc::clone(&is_silent)));
    }
}

async fn converse(mut wire: Wire, log: Log, is_silent: Arc<AtomicBool>) -> Option<()> {
    let mut bytes = [0; 4096];
    let read = wire.read(&mut bytes).await.ok()?;
    let is_get = bytes[..read].starts_with(b"GET");
    if !is_get && is_silent.load(Ordering::Relaxed) {
        log.note(OF_WORKER, Act::UpstreamAsked);
        // The rest of the question, and then nothing until the other side gives up.
        while wire.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        log.note(OF_WORKER, Act::UpstreamEnded);
        return None;
    }
    let answer = r#"{"object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":5}}"#;
    let answer = if is_get { "{}" } else { answer };
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    );
    wire.write_all(text.as_bytes()).await.ok()?;
    wire.shutdown().await.ok()
}

/// One network with its clocks.
struct Clocks {
    setting: Setting,
    time: Arc<Time>,
    net: Net,
    chain: chain::World,
    nodes: Vec<Runtime>,
    users: Runtime,
    diary: Diary,
    log: Log,
    is_silent: Arc<AtomicBool>,
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

impl Clocks {
    /// A network whose root contract lists so many proxies, of which these nodes are there.
    fn new(proxies: u8, nodes: &[IpAddr]) -> Self {
        let setting = Setting::new(proxies);
        let time = Time::new(u64::from(BEGIN) * 1000);
        let mut clocks = Self {
            net: Net::new(0, Arc::clone(&time)),
            chain: chain::World::new(0, Emulator::from_snapshot(&setting.chain).unwrap(), Vec::new()),
            nodes: Vec::new(),
            users: runtime(),
            diary: Diary::default(),
            log: Log {
                time: Arc::clone(&time),
                acts: Arc::default(),
            },
            is_silent: Arc::default(),
            time,
            setting,
        };
        nodes.iter().for_each(|ip| clocks.start(*ip));
        clocks
    }

    fn start(&mut self, ip: IpAddr) {
        let text = self.config(ip);
        self.start_as(ip, text);
    }

    fn surroundings(&self, ip: IpAddr) -> Surroundings {
        let life = Life::new(ip, &self.time);
        Surroundings {
            chain: Arc::new(Watched {
                chain: self.chain.of(&life),
                log: self.log.clone(),
                who: ip,
            }),
            clock: Arc::clone(&self.time) as _,
            network: Arc::new(Wires {
                network: self.net.of(&life),
                log: self.log.clone(),
                who: ip,
            }),
            disk: Platter::new(u64::from(ip == PROXY), None).disk(&life),
        }
    }

    /// Starts a node with this configuration.
    fn start_as(&mut self, ip: IpAddr, text: String) {
        let surroundings = self.surroundings(ip);
        let (log, is_silent) = (self.log.clone(), Arc::clone(&self.is_silent));
        let runtime = runtime();
        let stop = CancellationToken::new();
        runtime.spawn(async move {
            let ended = match ip {
                PROXY => {
                    let config = toml::from_str(&text).unwrap();
                    let running = cocoon_proxy::start_on(config, surroundings, stop).await.unwrap();
                    format!("{:?}", running.join().await)
                }
                OF_CLIENT => {
                    let config = toml::from_str(&text).unwrap();
                    let mut running = cocoon_client::start_on(config, surroundings, stop).await.unwrap();
                    format!("{:?}", running.join().await)
                }
                _ => {
                    let listener = surroundings.network.listen((ip, 8000).into()).await.unwrap();
                    tokio::spawn(upstream(listener, log, is_silent));
                    let config = toml::from_str(&text).unwrap();
                    let running = cocoon_worker::start_on(config, surroundings, stop).await.unwrap();
                    format!("{:?}", running.join.await)
                }
            };
            panic!("{ip} has ended: {ended}");
        });
        self.nodes.push(runtime);
    }

    /// Only what must be said; every timer is what it is when nothing is said.
    fn config(&self, ip: IpAddr) -> String {
        let file = |name: &str| format!("{:?}", self.setting.file(name));
        let common = format!(
            "[chain]\nurl = 'http://chain'\nroot = '{}'\n[attestation]\nsimulated_platform = {}\n",
            self.setting.root,
            file("platform.json")
        );
        match ip {
            PROXY => format!(
                "store_dir = {}\ncontract_key_file = {}\npow_difficulty = 0\n{common}\
                 [wallet]\nkey_file = {}\nowner = '{}'\n\
                 [listen]\nclients = '{PROXY_FOR_CLIENTS}'\nworkers = '{PROXY_FOR_WORKERS}'\nhttp = '{ip}:11000'\n",
                file("proxy"),
                file("contract0.key"),
                file("proxy0.key"),
                proxy_owner(0),
            ),
            OF_CLIENT => format!(
                "listen = '{CLIENT}'\ndata_dir = {}\nsecret_file = {}\n{common}\
                 [wallet]\nkey_file = {}\nowner = '{}'\n\
                 [funding]\namount = '20000000000'\nrefill_below = '5000000000'\n\
                 [access]\nkeys_file = {}\n",
                file("client"),
                file("secret"),
                file("client.key"),
                client_owner(),
                file("keys.json"),
            ),
            _ => format!(
                "owner = '{}'\ndata_dir = {}\nhttp = '{ip}:12000'\n{common}\
                 [[models]]\nname = '{MODEL}'\nmax_active_requests = 4\n\
                 backend = {{ kind = 'upstream', url = 'http://{ip}:8000' }}\n",
                address(40),
                file("worker"),
            ),
        }
    }

    fn now(&self) -> u64 {
        self.time.ms()
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now() + seconds * 1000;
        while self.now() < end {
            self.nodes.iter().for_each(|node| node.block_on(step()));
            self.users.block_on(step());
            self.time.advance(STEP_MS);
            self.net.deliver();
            if self.now().is_multiple_of(BLOCK_MS) {
                self.chain.block(&self.time);
            }
        }
    }

    fn ask(&mut self) {
        let life = Life::new(USERS, &self.time);
        let (net, time, diary) = (self.net.of(&life), Arc::clone(&self.time), Arc::clone(&self.diary));
        self.users.spawn(user::ask(net, time, diary, false, 5));
    }

    /// A page of a node, and when it came; nothing before that.
    fn get(&mut self, from: SocketAddr, path: &str) -> Arc<Mutex<(u64, String)>> {
        let life = Life::new(USERS, &self.time);
        let (net, time, page) = (self.net.of(&life), Arc::clone(&self.time), Arc::default());
        let shown: Arc<Mutex<(u64, String)>> = Arc::clone(&page);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {from}\r\nAuthorization: Bearer {API_KEY}\r\nConnection: close\r\n\r\n"
        );
        self.users.spawn(async move {
            let mut wire = net.dial(from).await.unwrap();
            wire.write_all(request.as_bytes()).await.unwrap();
            let mut text = String::new();
            wire.read_to_string(&mut text).await.unwrap();
            *shown.lock().unwrap() = (time.ms(), text);
        });
        page
    }

    /// Clients connected to the proxy, by its own figures.
    fn connected(&mut self) -> String {
        let page = self.get((PROXY, 11000).into(), "/metrics");
        self.pass(1);
        let page = &page.lock().unwrap().1;
        let line = page
            .lines()
            .find(|line| line.starts_with("cocoon_proxy_connections{peer=\"client\"}"));
        line.unwrap_or(page).to_owned()
    }
}

async fn step() {
    tokio::time::sleep(Duration::from_millis(STEP_MS)).await;
}

/// Walks on a thread of its own, whose randomness follows from a seed.
fn walk(steps: impl FnOnce() + Send + 'static) {
    let walk = || {
        entropy::seed(8);
        cocoon_ratls::run_in_place();
        steps();
    };
    std::thread::spawn(walk).join().unwrap();
}

#[test]
fn every_timer_runs_as_deployed_when_nothing_is_configured() {
    walk(|| {
        let mut clocks = Clocks::new(1, &[PROXY, OF_CLIENT, OF_WORKER]);
        clocks.pass(20);
        while_working(&mut clocks);
        while_idle(&mut clocks);
        while_the_inference_server_is_silent(&mut clocks);
        while_the_proxy_is_cut_off(&mut clocks);
    });
}

/// State commits, contracts, root contract.
fn while_working(clocks: &mut Clocks) {
    let since = clocks.now();
    for _ in 0..50 {
        clocks.ask();
        clocks.pass(5);
    }
    let answered = clocks.diary.lock().unwrap();
    let is_answered = |asked: &&user::Asked| asked.ended.as_ref().is_some_and(|(_, end)| *end == Outcome::Answered);
    assert!(answered.iter().filter(is_answered).count() >= 48, "{answered:?}");
    let log = &clocks.log;
    let commits = log.pauses(since, PROXY, |act| *act == Act::Sent);
    assert_within("state commits", &commits, 30_000, 60_000, 3);
    let client = Act::Read(clocks.setting.client.clone());
    let contracts = log.pauses(since, PROXY, |act| *act == client);
    assert_within("the client's contract", &contracts, 5_000, 10_000, 20);
    let root = Act::Read(clocks.setting.root.clone());
    for node in [PROXY, OF_CLIENT, OF_WORKER] {
        let looks = log.pauses(since, node, |act| *act == root);
        assert_within("the root contract", &looks, 30_000, 60_000, 3);
    }
}

/// Payment status, and pings where it leaves a silence.
fn while_idle(clocks: &mut Clocks) {
    clocks.pass(25);
    let since = clocks.now();
    clocks.pass(300);
    for (node, to) in [(OF_CLIENT, PROXY_FOR_CLIENTS), (OF_WORKER, PROXY_FOR_WORKERS)] {
        let to: SocketAddr = to.parse().unwrap();
        let wrote = |bytes: usize| move |act: &Act| *act == Act::Wrote(to, bytes);
        let log = &clocks.log;
        let statuses = log.pauses(since, node, wrote(STATUS_BYTES));
        assert_within("payment status", &statuses, 10_000, 20_000, 12);
        let pings = log.times(since, node, wrote(PING_BYTES));
        assert!(pings.len() >= 5, "{pings:?}");
        // Whatever is written is answered at once, so that a silence is one of this side.
        let silences = log.pauses(since, node, |act| matches!(act, Act::Wrote(at, _) if *at == to));
        assert_within("anything said", &silences, 0, 10_000, 20);
        for ping in pings {
            let before = log.times(since, node, |act| matches!(act, Act::Wrote(at, _) if *at == to));
            let last = before.into_iter().filter(|at| *at < ping).max();
            let silence = last.map_or(10_000, |last| ping - last);
            assert!(
                (10_000..=10_000 + SLACK_MS).contains(&silence),
                "a ping after {silence} ms"
            );
        }
        assert!(log.times(since, node, |act| *act == Act::Dialed(to)).is_empty());
    }
}

/// Each node takes its share of the time that it is given, so that the next one hears of the end.
fn while_the_inference_server_is_silent(clocks: &mut Clocks) {
    clocks.is_silent.store(true, Ordering::Relaxed);
    let since = clocks.now();
    clocks.ask();
    clocks.pass(30);
    let times = |act: Act| clocks.log.times(since, OF_WORKER, |seen| *seen == act);
    let [asked, ended] = [times(Act::UpstreamAsked), times(Act::UpstreamEnded)].map(|times| times[0]);
    let worker = 0.9025 * ASKED_MS as f64;
    let given_up = (ended - asked) as f64;
    assert!(
        (0.8 * ASKED_MS as f64..=worker + SLACK_MS as f64).contains(&given_up),
        "{given_up}"
    );
    let asked = clocks.diary.lock().unwrap().last().unwrap().clone();
    let (at, outcome) = asked.ended.unwrap();
    assert_eq!(outcome, Outcome::Refused(504));
    assert!(at - asked.begun <= ASKED_MS + SLACK_MS, "{}", at - asked.begun);
    clocks.is_silent.store(false, Ordering::Relaxed);
}

/// Silence ends a connection after 20 s where it was dialed and after 60 s where it was accepted; lost proxies are dialed
/// again within 10 s.
fn while_the_proxy_is_cut_off(clocks: &mut Clocks) {
    clocks.pass(20);
    assert!(clocks.connected().ends_with(" 1"));
    let since = clocks.now();
    clocks.net.part(PROXY);
    clocks.pass(48);
    let to: [SocketAddr; 2] = [PROXY_FOR_CLIENTS, PROXY_FOR_WORKERS].map(|to| to.parse().unwrap());
    for (node, to) in [OF_CLIENT, OF_WORKER].into_iter().zip(to) {
        let hung_up = clocks.log.times(since, node, |act| *act == Act::HungUp(to));
        let after = hung_up.first().map(|at| at - since).unwrap();
        // What it heard last was at most a silence before.
        assert!(
            (9_000..=20_000 + SLACK_MS).contains(&after),
            "{node} hangs up after {after} ms"
        );
        let dialed = clocks.log.times(hung_up[0], node, |act| *act == Act::Dialed(to));
        let after = dialed.first().map(|at| at - hung_up[0]).unwrap();
        assert!(after <= 10_000 + SLACK_MS, "{node} dials after {after} ms");
    }
    // The other side has not noticed yet; it does.
    let page = clocks.connected();
    assert!(page.ends_with(" 1"), "{page}");
    clocks.pass(13);
    let page = clocks.connected();
    assert!(page.ends_with(" 0"), "{page}");
    clocks.net.join(PROXY);
    clocks.pass(30);
    clocks.ask();
    clocks.pass(5);
    let last = clocks.diary.lock().unwrap().last().unwrap().clone();
    assert_eq!(last.ended.map(|(_, outcome)| outcome), Some(Outcome::Answered));
}
