//! Mutual handshakes per second of one core, both ends on it: with verdicts from the cache, with every quote verified anew, and
//! what the signatures and key agreements of a handshake take alone. Counted in time on the processor, so that other
//! programs on the machine do not matter; TCP over loopback and the smallest proof of work are in the figures.
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

/// Time on the processor that one figure takes.
const SECONDS: f64 = 3.0;

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

/// Does it again and again; gives how often per second of one core.
async fn rate(mut once: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    for _ in 0..20 {
        once().await?;
    }
    let (started, mut count) = (processor_seconds()?, 0.0);
    loop {
        for _ in 0..20 {
            once().await?;
        }
        count += 20.0;
        let spent = processor_seconds()? - started;
        if spent >= SECONDS {
            return Ok(count / spent);
        }
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

/// The signatures of one handshake: each end signs once, and verifies the peer's certificate and its handshake.
fn sign_and_verify(key: &Ed25519KeyPair) -> Result<()> {
    let public = UnparsedPublicKey::new(&ED25519, key.public_key().as_ref());
    for _ in 0..2 {
        let signature = key.sign(&[7; 130]);
        public.verify(&[7; 130], signature.as_ref())?;
        public.verify(&[7; 130], signature.as_ref())?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let ends = Ends::new().await?;
    let key = Ed25519KeyPair::generate()?;
    let bound = rate(async || {
        agree(kx_group::X25519MLKEM768)?;
        sign_and_verify(&key)
    })
    .await?;
    let cached = rate(async || ends.meet().await).await?;
    let cold = rate(async || {
        ends.trust.forget();
        ends.meet().await
    })
    .await?;
    println!("mutual handshakes per second of one core, both ends on it");
    println!("  X25519MLKEM768 and Ed25519 alone  {bound:8.0}");
    println!(
        "  evidence in the cache             {cached:8.0}   {:.2} of that",
        cached / bound
    );
    println!(
        "  evidence verified anew            {cold:8.0}   {:.2} of that",
        cold / bound
    );
    Ok(())
}
