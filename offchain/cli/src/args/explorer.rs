//! What can be typed behind `cocoon explorer`.

use std::net::SocketAddr;

use clap::Args;

use super::governance::Place;

/// Options of `explorer`.
#[derive(Debug, Args)]
#[command(after_help = "\
It has no key and no wallet, keeps a bounded view in memory, and shows a receipt only when it was proven to be
in a log that the proxy contract's key signed. The routes are in docs/explorer.md. Whoever serves it to others
puts a web server with TLS before it.

Examples:
  cocoon explorer                                           the local network of `cocoon up`
  cocoon explorer https://proxy.example/log --network mainnet
  cocoon explorer ./mirror https://other.example/log --chain-url URL --root ADDRESS --listen 127.0.0.1:8080")]
pub struct ExplorerArgs {
    /// Which root contract.
    #[command(flatten)]
    pub place: Place,
    /// Folders or URLs of the proxies' logs; that of the local network when absent
    #[arg(value_name = "DIR|URL")]
    pub logs: Vec<String>,
    /// Where it listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:10080")]
    pub listen: SocketAddr,
    /// Seconds between two looks at chain and logs
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub every: u64,
}
