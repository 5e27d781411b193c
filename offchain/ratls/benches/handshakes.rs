//! Mutual handshakes per second of one core, both ends on it: with verdicts from the cache, with every quote verified anew, and
//! what the signatures and key agreements of a handshake take alone. Counted in time on the processor, so that other
//! programs on the machine matter little; and taken in turns, so that what they still do is spread over all figures.
//!
//! A meeting is all that a connection takes: TCP over loopback is set up and torn down, the smallest proof of work is asked
//! for and done, hands are shaken. The kernel's TCP is a good part of it, so that it is also told what the rest takes alone.
//!
//! On one of two cores of a virtual machine (AMD EPYC, 3,510 to 3,830 times the cryptography alone), three runs:
//!
//! | a meeting | per second | without the kernel's part |
//! |---|---|---|
//! | evidence in the cache | 1,470 to 1,720 | 2,050 to 2,320 |
//! | evidence verified anew | 1,030 to 1,040 | 1,250 to 1,280 |
//!
//! `cargo bench -p cocoon-ratls`
#![allow(clippy::print_stdout, reason = "the output of a benchmark")]

use std::{error::Error, fs, sync::Arc};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use cocoon_attest::{
    Endorsements,
    simulated::{SimulatedPlatform, simulated_measurements},
};
use cocoon_ratls::{
    Acceptor, Clock as _, Connector, IdentityKeeper, PeerPolicy, SharedClock, Simulated, SystemClock, TrustSettings,
    TrustStore,
};
use rustls::crypto::{SupportedKxGroup, aws_lc_rs::kx_group};
use tokio::net::TcpListener;

/// Time on the processor that one figure takes in one round.
const SECONDS: f64 = 0.6;
const ROUNDS: usize = 6;
/// Unit of /proc/self/stat on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Seconds that all threads of this process have been on a processor.
fn processor_seconds() -> Result<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Seconds of these in the kernel.
fn kernel_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold anything; stime is the 13th field after it.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = fields.split_whitespace().nth(12).unwrap_or_default().parse()?;
    Ok(ticks / TICKS_PER_SECOND)
}

/// How often something was done, and what it took.
#[derive(Default)]
struct Figure {
    count: f64,
    seconds: f64,
    in_kernel: f64,
}

impl Figure {
    /// Does it again and again for a round.
    async fn add(&mut self, mut once: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        for _ in 0..20 {
            once().await?;
        }
        let (started, kernel) = (processor_seconds()?, kernel_seconds()?);
        loop {
            for _ in 0..20 {
                once().await?;
            }
            self.count += 20.0;
            let spent = processor_seconds()? - started;
            if spent >= SECONDS {
                self.seconds += spent;
                self.in_kernel += kernel_seconds()? - kernel;
                return Ok(());
            }
        }
    }

    /// Times per second of one core.
    fn rate(&self) -> f64 {
        self.count / self.seconds
    }

    /// The same without the time in the kernel.
    fn rate_outside(&self) -> f64 {
        self.count / (self.seconds - self.in_kernel)
    }

    fn print(&self, what: &str, bound: &Self) {
        let (rate, outside) = (self.rate(), self.rate_outside());
        let of = rate / bound.rate();
        println!("  {what:36}{rate:8.0}   {of:.2} of that   {outside:8.0} without the kernel's part");
    }
}

struct Ends {
    listener: TcpListener,
    acceptor: Acceptor,
    connector: Connector,
    trust: Arc<TrustStore>,
}

impl Ends {
    async fn new() -> Result<Self> {
        let platform = SimulatedPlatform::generate()?;
        let clock = SystemClock::shared();
        let settings = TrustSettings::real(Endorsements::none())?.with_simulated(&platform, SystemClock.now())?;
        let trust = Arc::new(TrustStore::new(settings));
        let keeper = |role: &str| -> Result<Arc<IdentityKeeper>> {
            let source = Arc::new(Simulated::for_role(platform.clone(), role));
            Ok(Arc::new(IdentityKeeper::new(source, SharedClock::clone(&clock))?))
        };
        let only = |role: &str| {
            let listed = simulated_measurements(role).image_hash();
            PeerPolicy::attested(move |image| *image == listed)
        };
        let acceptor = Acceptor::new(keeper("proxy")?, Arc::clone(&trust), only("worker"), clock.clone());
        let connector = Connector::new(keeper("worker")?, Arc::clone(&trust), only("proxy"), clock.clone());
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            acceptor: acceptor.with_difficulty(0),
            connector,
            trust,
        })
    }

    async fn meet(&self) -> Result<()> {
        let address = self.listener.local_addr()?;
        let accepting = async {
            self.acceptor
                .accept(self.listener.accept().await?.0)
                .await
                .map_err(Into::into)
        };
        let (accepted, connected): (Result<_>, _) = tokio::join!(accepting, self.connector.connect(address));
        accepted?;
        connected?;
        Ok(())
    }
}

/// One key agreement, both ends.
fn agree(group: &dyn SupportedKxGroup) -> Result<()> {
    let client = group.start()?;
    let server = group.start_and_complete(client.pub_key())?;
    client.complete(&server.pub_key)?;
    Ok(())
}

/// The signatures of one handshake between ends that know each other's certificates: each signs once and verifies once.
fn sign_and_verify(key: &Ed25519KeyPair) -> Result<()> {
    let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
    for _ in 0..2 {
        let signature = key.sign(&[7; 130]);
        public.verify(&[7; 130], signature.as_ref())?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let ends = Ends::new().await?;
    let key = Ed25519KeyPair::generate()?;
    let (mut bound, mut cached, mut cold) = (Figure::default(), Figure::default(), Figure::default());
    for _ in 0..ROUNDS {
        bound
            .add(async || {
                agree(kx_group::X25519MLKEM768)?;
                sign_and_verify(&key)
            })
            .await?;
        cached.add(async || ends.meet().await).await?;
        cold.add(async || {
            ends.trust.forget();
            ends.meet().await
        })
        .await?;
    }
    println!("mutual handshakes per second of one core, both ends on it");
    println!("  {:36}{:8.0}", "X25519MLKEM768 and Ed25519 alone", bound.rate());
    cached.print("evidence in the cache", &bound);
    cold.print("evidence verified anew", &bound);
    Ok(())
}
