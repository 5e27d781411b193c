//! What can be typed behind `cocoon verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use cocoon_bindings::ImageHash;

use super::attest::EvidenceArgs;
use super::governance::Place;

/// Things that can be verified.
#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// Trace one receipt: signatures, log, anchor, certificates, quotes, lists, terms, charge
    Receipt(VerifyReceiptArgs),
    /// Ask a port for its evidence, as a peer does, and compare it with the root contract
    Endpoint(VerifyEndpointArgs),
    /// Check a release: hashes, signature, contracts, guest images
    Release(VerifyReleaseArgs),
}

/// Whose list an image must be on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EndpointRole {
    /// Either list
    #[default]
    Any,
    /// That of proxies
    Proxy,
    /// That of workers
    Worker,
}

/// Options of `verify endpoint`.
#[derive(Debug, Args)]
#[command(after_help = "\
HOST:PORT is a port that speaks attested TLS: of a proxy, a router, a key manager. It is asked without evidence of one's
own, and nothing is sent to it. The evidence is judged as by `cocoon attest show`; then its image must be one that the
root contract lists, or one of --image: key managers are on no list. Clients listen on no such port.

A URL (http) is that of a running client, which tells what it knows of its proxy. Nothing of that is proven here: it is
the client's word, which is refused where it contradicts itself or the root contract, and unknown otherwise. --role
worker and what evidence is judged by have no meaning there.

A SIMULATED platform is accepted only where the root contract says that the network is a test, and called so. Exit
code 0 when nothing is refuted, 1 when something is, 5 when the port shows no evidence or nobody vouches for it.

Examples:
  cocoon verify endpoint 127.0.0.1:11002 --role proxy
  cocoon verify endpoint 192.0.2.1:11002 --network mainnet --collateral collateral.json --json
  cocoon verify endpoint 192.0.2.7:11010 --image HASH --chain-url URL --root ADDRESS --collateral collateral.json
  cocoon verify endpoint http://127.0.0.1:10000")]
pub struct VerifyEndpointArgs {
    /// A port of attested TLS, or the URL of a client
    #[arg(value_name = "HOST:PORT|URL")]
    pub endpoint: String,
    /// Whose list the image must be on
    #[arg(long, value_enum, value_name = "ROLE", default_value_t)]
    pub role: EndpointRole,
    /// Image that may be there, instead of those that the root contract lists; may be given several times
    #[arg(long, value_name = "HASH", conflicts_with = "role")]
    pub image: Vec<ImageHash>,
    /// What evidence is judged by.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Whose lists are asked.
    #[command(flatten)]
    pub place: Place,
}

/// Whose signature makes a release.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ReleaseKey {
    /// Public key of minisign, one line of base64
    #[arg(long, value_name = "BASE64")]
    pub key: Option<String>,
    /// File with it, such as minisign.pub
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Look only whether the files agree with each other: nothing then says who made them
    #[arg(long)]
    pub unsigned: bool,
}

/// Options of `verify release`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looked at, in this order: the signature of SHA256SUMS (SHA256SUMS.minisig, in the form of minisign), every file that is
listed and that no other is there, the contracts' code in release.json against that in this program, and, where a
network is named, its guest images against the lists of the root contract. With a file only that one is hashed, and
release.json where it is there. Take the key from elsewhere than the release. Exit code 0 when nothing differs; 1 with
the first difference, which says whether the files are not those that were signed, or are, and do not fit this program
or network, as those of another version may.

Examples:
  cocoon verify release cocoon-0.1.0 --key-file minisign.pub
  cocoon verify release cocoon-0.1.0/bin/cocoon --key RWQ... --json
  cocoon verify release cocoon-0.1.0 --key-file minisign.pub --network mainnet
  cocoon verify release cocoon-0.1.0 --unsigned       a build of one's own")]
pub struct VerifyReleaseArgs {
    /// Folder of a release, or a file in it
    #[arg(value_name = "DIR|FILE")]
    pub release: PathBuf,
    /// Whose signature counts.
    #[command(flatten)]
    pub key: ReleaseKey,
    /// The network whose lists are asked; none is asked without it or --network.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `verify receipt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each link is proven, unknown or REFUTED. Exit code 0 only when everything that must be proven is and nothing is
refuted; 1 otherwise. The anchor, raw counts and settlements may be unknown, and on a test network the quotes and
images: the chain, or whoever kept the collateral of that time, may not say; --strict wants them too. A bundle
needs --root: without it nothing is proven. Whether the receipts before and behind it add up is for `cocoon
audit`. Without --policy nothing is asked of a platform beyond being genuine. More in docs/audit.md.

A file is the page of GET /v1/cocoon/receipts/{id}, what `cocoon log prove` wrote, a disclosed exchange, or a signed
receipt as a bag of cells. An id is looked for in the log.

Examples:
  cocoon verify receipt 5f2c...
  cocoon verify receipt receipt.json --from ./mirror --chain-url URL --root ADDRESS
  cocoon verify receipt 5f2c... --bundle BUNDLE --root ADDRESS --collateral kept.json --json")]
pub struct VerifyReceiptArgs {
    /// Id of a receipt, or a file with one
    #[arg(value_name = "ID|FILE")]
    pub subject: String,
    /// Published log (folder or URL) or folder of a proxy's store, instead of the local proxy's
    #[arg(long, value_name = "DIR|URL", conflicts_with = "bundle")]
    pub from: Option<String>,
    /// Folder that `cocoon audit bundle` wrote: log and chain without network
    #[arg(long, value_name = "DIR", conflicts_with = "chain_url")]
    pub bundle: Option<PathBuf>,
    /// TON HTTP API to ask, instead of the local network's
    #[arg(long, value_name = "URL", requires = "root")]
    pub chain_url: Option<String>,
    /// Root contract of the network that is meant; the local network's when absent
    #[arg(long, value_name = "ADDRESS")]
    pub root: Option<String>,
    /// What evidence is judged by.
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Nothing may be unknown
    #[arg(long)]
    pub strict: bool,
}
