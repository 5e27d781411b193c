//! The two processes of `scripts/bench/scale/run`: one proxy with its chain and its disk, and all the peers of it; and the
//! start of a proxy's store with a long log.
//!
//! `network WORKERS CLIENTS SECONDS IN-FLIGHT CHAIN-MS` starts a proxy on an emulated chain and itself again as the peers,
//! measures, and prints one JSON object. `store RECEIPTS CHANNELS` writes a store and opens it, and prints one too.
//! `append FOLDER SECONDS` makes receipts durable in a new folder inside FOLDER, next to bare syncs of the same disk, and publishes
//! them; one more.
//! Connections, TLS, handshakes, receipts and their disk are those of the product; the chain is the emulator, and each
//! question to it takes CHAIN-MS.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a script reads the output, a person the rest"
)]

mod append;
mod chain;
mod client;
mod network;
mod peers;
mod process;
mod store;
mod timing;
mod worker;

/// What goes wrong here is only told.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words[..] {
        ["network", workers, clients, seconds, in_flight, chain_ms] => {
            let size = network::Size {
                workers: workers.parse()?,
                clients: clients.parse()?,
                seconds: seconds.parse()?,
                in_flight: in_flight.parse()?,
                chain_ms: chain_ms.parse()?,
            };
            runtime.block_on(network::measure(size))
        }
        ["peers", clients, workers, platform] => {
            runtime.block_on(peers::run(clients.parse()?, workers.parse()?, platform))
        }
        ["open", folder] => store::open(folder.as_ref()),
        ["append", folder, seconds] => append::measure(folder.as_ref(), seconds.parse()?),
        ["store", receipts, channels] => store::measure(receipts.parse()?, channels.parse()?),
        _ => Err(
            "usage: scale network WORKERS CLIENTS SECONDS IN-FLIGHT CHAIN-MS | store RECEIPTS CHANNELS \
                   | append FOLDER SECONDS"
                .into(),
        ),
    }
}
