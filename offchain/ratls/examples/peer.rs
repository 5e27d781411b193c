//! One end of a connection for `scripts/ci/openssl-peers/run`, whose other end is OpenSSL.
//!
//! `quote PLATFORM KEY` prints a simulated quote for a public key, both in hex; `listen PLATFORM COUNT` says where it listens
//! and echoes a line of each peer; `dial PLATFORM ADDRESS` sends a line and prints the answer. PLATFORM is the file of a
//! simulated platform, made when it is missing.
#![allow(clippy::print_stdout, reason = "the output is read by the script")]

use std::{env, error::Error, fs, path::Path, sync::Arc};

use cocoon_attest::{
    Endorsements, report_data_for_key,
    simulated::{SimulatedPlatform, simulated_measurements},
};
use cocoon_ratls::{
    Acceptor, Clock as _, Connection, Connector, EvidenceSource as _, IdentityKeeper, PeerPolicy, SharedClock,
    Simulated, SystemClock, TrustSettings, TrustStore,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

/// Names the images of the two ends.
const OURS: &str = "rustls";
const THEIRS: &str = "openssl";
/// Bits of work: enough to be wrong by guessing, few enough for a script.
const DIFFICULTY: u32 = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["quote", platform, key] => quote(&open(platform)?, key),
        ["listen", platform, count] => listen(&open(platform)?, count.parse()?).await,
        ["dial", platform, address] => dial(&open(platform)?, address).await,
        _ => Err("usage: peer quote PLATFORM KEY | listen PLATFORM COUNT | dial PLATFORM ADDRESS".into()),
    }
}

fn open(path: &str) -> Result<SimulatedPlatform> {
    if !Path::new(path).exists() {
        fs::write(path, SimulatedPlatform::generate()?.to_json()?)?;
    }
    Ok(SimulatedPlatform::from_json(&fs::read_to_string(path)?)?)
}

fn quote(platform: &SimulatedPlatform, key: &str) -> Result<()> {
    let mut public = [0; 32];
    hex::decode_to_slice(key, &mut public)?;
    let quote = Simulated::for_role(platform.clone(), THEIRS).evidence(&report_data_for_key(&public))?;
    println!("{}", hex::encode(quote.unwrap_or_default()));
    Ok(())
}

type Parts = (Arc<IdentityKeeper>, Arc<TrustStore>, PeerPolicy, SharedClock);

fn parts(platform: &SimulatedPlatform) -> Result<Parts> {
    let clock = SystemClock::shared();
    let source = Arc::new(Simulated::for_role(platform.clone(), OURS));
    let identities = Arc::new(IdentityKeeper::new(source, clock.clone())?);
    let settings = TrustSettings::real(Endorsements::none())?.with_simulated(platform, SystemClock.now())?;
    let listed = simulated_measurements(THEIRS).image_hash();
    let policy = PeerPolicy::attested(move |image| *image == listed);
    Ok((identities, Arc::new(TrustStore::new(settings)), policy, clock))
}

async fn listen(platform: &SimulatedPlatform, count: usize) -> Result<()> {
    let (identities, trust, policy, clock) = parts(platform)?;
    let acceptor = Acceptor::new(identities, trust, policy, clock).with_difficulty(DIFFICULTY);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    for _ in 0..count {
        let connection = acceptor.accept(listener.accept().await?.0).await?;
        let peer = connection.peer.leaf_key;
        let mut stream = BufReader::new(connection.stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        stream.write_all(line.as_bytes()).await?;
        stream.shutdown().await?;
        println!("accepted {peer}");
    }
    Ok(())
}

async fn dial(platform: &SimulatedPlatform, address: &str) -> Result<()> {
    let (identities, trust, policy, clock) = parts(platform)?;
    let Connection { stream, .. } = Connector::new(identities, trust, policy, clock)
        .connect(address)
        .await?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"hello\n").await?;
    stream.flush().await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    println!("{}", line.trim_end());
    Ok(())
}
