//! One proxy with many peers: its memory, its times, and the times of requests.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_proxy::{ProxyConfig, start_on};
use cocoon_runner::Surroundings;
use cocoon_runner::keys::write_secret;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::chain::{CONTRACT_KEY, FarChain, Stage, WALLET_KEY, owner};
use crate::process::{cpu_seconds, resident_bytes, spread};
use crate::timing::Timings;

/// How long the idle network is watched.
const IDLE: Duration = Duration::from_secs(10);

pub(crate) struct Size {
    pub(crate) workers: usize,
    pub(crate) clients: usize,
    pub(crate) seconds: f64,
    pub(crate) in_flight: usize,
    pub(crate) chain_ms: u64,
}

/// Builds it up step by step and prints what each step costs.
pub(crate) async fn measure(size: Size) -> Result<()> {
    let timings = Timings::install()?;
    let folder = tempfile::tempdir()?;
    let stage = Stage::new()?;
    let chain = FarChain::new(stage.chain.clone(), Duration::from_millis(size.chain_ms));
    let stop = CancellationToken::new();
    let proxy = start_on(config(folder.path(), &stage)?, Surroundings::real(chain), stop.clone()).await?;
    for number in 0..size.clients {
        stage.open_client(&owner(4, number))?;
    }
    let platform = folder.path().join("platform.json").display().to_string();
    let arguments = [proxy.clients.to_string(), proxy.workers.to_string(), platform];
    let mut peers = Peers::start(&arguments)?;
    let mut report = Map::new();
    let mut before = resident_bytes()?;
    report.insert("rss_start_bytes".into(), before.into());
    for (kind, count) in [("workers", size.workers), ("clients", size.clients)] {
        let cpu = cpu_seconds()?;
        let answer = peers.order(&format!("{kind} {count}")).await?;
        let cpu_ms = (cpu_seconds()? - cpu) * 1000.0 / count as f64;
        // What the handshakes left to be written and freed is over.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = resident_bytes()?;
        let bytes = now.saturating_sub(before) / count as u64;
        let row = json!({ "rss_bytes_each": bytes, "cpu_ms_each": cpu_ms, "connecting": answer });
        report.insert(kind.into(), row);
        before = now;
    }
    timings.take();
    let cpu = cpu_seconds()?;
    tokio::time::sleep(IDLE).await;
    let share = (cpu_seconds()? - cpu) / IDLE.as_secs_f64();
    report.insert("idle".into(), json!({ "cpu_share": share, "rounds": rounds(&timings) }));

    let load = format!("load {} {}", size.in_flight, size.seconds);
    let cpu = cpu_seconds()?;
    let requests = peers.order(&load).await?;
    let cpu = cpu_seconds()? - cpu;
    report.insert(
        "load".into(),
        json!({ "requests": requests, "cpu_seconds": cpu, "rounds": rounds(&timings) }),
    );
    let (requests, pages) = tokio::join!(peers.order(&load), statistics(proxy.http, size.seconds));
    report.insert(
        "load_and_statistics".into(),
        json!({ "requests": requests?, "jsonstats": pages?, "rounds": rounds(&timings) }),
    );
    report.insert("rss_end_bytes".into(), resident_bytes()?.into());
    println!("{}", Value::Object(report));
    drop(peers);
    stop.cancel();
    Ok(proxy.join().await?)
}

/// The spans of the proxy's work since last time.
fn rounds(timings: &Timings) -> Value {
    let rows = timings.take().into_iter();
    rows.map(|(name, times)| (name.to_owned(), spread(times)))
        .collect::<Map<_, _>>()
        .into()
}

/// Reads the statistics once a second for so long.
async fn statistics(http: std::net::SocketAddr, seconds: f64) -> Result<Value> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let (mut times, mut length) = (Vec::new(), 0);
    while Instant::now() < end {
        let started = Instant::now();
        let mut stream = TcpStream::connect(http).await?;
        stream
            .write_all(b"GET /jsonstats HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
            .await?;
        let mut page = Vec::new();
        stream.read_to_end(&mut page).await?;
        times.push(started.elapsed());
        length = page.len();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(json!({ "bytes": length, "time": spread(times) }))
}

/// The other process.
struct Peers {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    // Killed when dropped.
    _child: Child,
}

impl Peers {
    fn start(arguments: &[String]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("peers")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = child.stdout.take().ok_or("no output")?;
        Ok(Self {
            input,
            output: BufReader::new(output).lines(),
            _child: child,
        })
    }

    async fn order(&mut self, command: &str) -> Result<Value> {
        self.input.write_all(format!("{command}\n").as_bytes()).await?;
        let answer = self.output.next_line().await?.ok_or("the peers have ended")?;
        serde_json::from_str(&answer).map_err(|_| format!("the peers said: {answer}").into())
    }
}

/// The proxy's timers and thresholds are the defaults, but for commits, of which a run has to see some.
fn config(folder: &Path, stage: &Stage) -> Result<ProxyConfig> {
    let path = |name: &str| folder.join(name);
    let hex = |key: &[u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    write_secret(&path("contract.key"), hex(&CONTRACT_KEY).as_bytes())?;
    write_secret(&path("wallet.key"), hex(&WALLET_KEY).as_bytes())?;
    std::fs::write(path("platform.json"), SimulatedPlatform::generate()?.to_json()?)?;
    let any = "127.0.0.1:0";
    Ok(serde_json::from_value(json!({
        "store_dir": path("store"),
        "contract_key_file": path("contract.key"),
        "chain": { "url": "unused", "root": stage.root.to_string() },
        "wallet": { "key_file": path("wallet.key"), "owner": stage.owner.to_string() },
        "attestation": { "simulated_platform": path("platform.json") },
        "listen": { "clients": any, "workers": any, "http": any },
        "pow_difficulty": 1,
        "timers": { "commit_min": 5.0, "commit_max": 6.0 },
    }))?)
}
