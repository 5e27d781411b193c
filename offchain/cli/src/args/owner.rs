//! What can be typed by owners of contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::{Nanoton, PublicKey};

use super::governance::{Place, address, hash};
use super::wallet::KeyArgs;

/// How an operation is signed and run.
#[derive(Clone, Debug, Args)]
pub struct OwnerArgs {
    /// Wallet of the keystore that signs
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Signing",
        env = "COCOON_WALLET",
        hide_env_values = true
    )]
    pub wallet: Option<String>,
    /// Print the unsigned message of the next step instead, for any wallet or multisig to send
    #[arg(long, help_heading = "Signing")]
    pub export: bool,
    /// Who will send the exported message, when that is no wallet of the keystore
    #[arg(long, value_name = "ADDRESS", value_parser = address, requires = "export", help_heading = "Signing")]
    pub from: Option<Address>,
    /// Show the link of the exported message as a QR code
    #[arg(long, requires = "export", help_heading = "Signing")]
    pub qr: bool,
    /// The runner's wallet that owns the contract; the signing wallet owns it in turn
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Signing")]
    pub through: Option<Address>,
    /// Where the keys are.
    #[command(flatten)]
    pub keys: KeyArgs,
    /// Try the next step out on the live state and send nothing; 1 when a contract would refuse it
    #[arg(long, help_heading = "Running", conflicts_with = "export")]
    pub dry_run: bool,
    /// Do not ask before sending; everything is checked all the same
    #[arg(short, long, help_heading = "Running")]
    pub yes: bool,
    /// End where a delay of the contracts begins; run it again when it is over
    #[arg(long, help_heading = "Running")]
    pub no_wait: bool,
    /// Which chain.
    #[command(flatten)]
    pub place: Place,
}

impl OwnerArgs {
    /// The first option that was typed; what the environment says is for whoever asks for it.
    pub fn typed(&self) -> Option<&'static str> {
        let is_typed = |value: &Option<String>, name| value.is_some() && *value != std::env::var(name).ok();
        [
            (is_typed(&self.wallet, "COCOON_WALLET"), "--wallet"),
            (self.export, "--export"),
            (self.from.is_some(), "--from"),
            (self.qr, "--qr"),
            (self.through.is_some(), "--through"),
            (self.dry_run, "--dry-run"),
            (self.yes, "--yes"),
            (self.no_wait, "--no-wait"),
            (
                self.place.chain_url.is_some() || self.place.root.is_some(),
                "--chain-url",
            ),
        ]
        .into_iter()
        .find_map(|(is_there, name)| is_there.then_some(name))
    }
}

/// Operations of a client contract's owner.
#[derive(Debug, Subcommand)]
pub enum ClientOwnerCommand {
    /// Deploy a client contract at a proxy and pay in
    #[command(after_help = "\
The contract's address follows from the owner and the proxy contract; it is printed by --dry-run too.

Examples:
  cocoon client deploy PROXY --wallet treasury --amount 30 --dry-run
  cocoon client deploy PROXY --wallet treasury --amount 30 --secret-hash HASH
  cocoon client deploy PROXY --export --from ADDRESS --qr")]
    Deploy(ClientDeployArgs),
    /// Pay into a client contract
    #[command(after_help = "\
Anyone may pay in; only the owner may set the secret hash or use a closed contract again.

Examples:
  cocoon client topup CONTRACT 12.5 --wallet treasury
  cocoon client topup CONTRACT 12.5 --wallet treasury --reopen --yes --json")]
    Topup(TopupArgs),
    /// Raise the stake of a client contract
    #[command(after_help = "Example:\n  cocoon client stake CONTRACT 20 --wallet treasury --dry-run")]
    Stake(ClientStakeArgs),
    /// Take back what exceeds the stake
    #[command(after_help = "Example:\n  cocoon client withdraw CONTRACT --wallet treasury")]
    Withdraw(ContractArgs),
    /// Close a client contract and take back what is left, over the delay of the terms
    #[command(after_help = "\
Two messages with the delay of the terms between them. The command waits for its end and says until
when; ended early, or with --no-wait, it goes on where it stopped when it is run again.

Examples:
  cocoon client close CONTRACT --wallet treasury
  cocoon client close CONTRACT --wallet treasury --no-wait")]
    Close(ClientCloseArgs),
}

/// Operations of a worker contract's owner.
#[derive(Debug, Subcommand)]
pub enum WorkerOwnerCommand {
    /// Deploy a worker contract at a proxy
    #[command(after_help = "Example:\n  cocoon worker deploy PROXY --wallet rig --dry-run")]
    Deploy(WorkerDeployArgs),
    /// Claim on chain what a silent proxy has signed, wait out its delay, and settle
    #[command(after_help = "\
What was signed is asked from the running worker. `cocoon worker claims` prints the same messages.

Examples:
  cocoon worker claim --wallet rig
  cocoon worker claim --url http://127.0.0.1:12000 --proxy PROXY --wallet rig --no-wait")]
    Claim(ClaimArgs),
    /// Wait until the proxy has closed a worker contract with its last payout
    #[command(after_help = "\
A worker contract holds no money and has no message by which its owner closes it. What the proxy does
not pay by itself is claimed with `cocoon worker claim`.

Example:
  cocoon worker close CONTRACT --wallet rig")]
    Close(ContractArgs),
    /// Send what the runner's wallet holds to its owner
    #[command(after_help = "\
Payouts go to the owner of the worker contract at once. What can be taken out is what the runner's
wallet was given for gas.

Example:
  cocoon worker withdraw RUNNER_WALLET --wallet rig")]
    Withdraw(ContractArgs),
    /// List what a worker contract has had paid, by day
    #[command(after_help = "Examples:\n  cocoon worker earnings CONTRACT\n  cocoon worker earnings CONTRACT --json")]
    Earnings(EarningsArgs),
}

/// Operations of a proxy contract's owner.
#[derive(Debug, Subcommand)]
pub enum ProxyOwnerCommand {
    /// Deploy a proxy contract with its stake
    #[command(after_help = "\
The address follows from the owner, the key and the parameters of the root contract.

Example:
  cocoon proxy deploy --public-key KEY --stake 100 --wallet treasury --dry-run")]
    Deploy(ProxyDeployArgs),
    /// Add to the stake of a proxy contract
    #[command(after_help = "Example:\n  cocoon proxy stake CONTRACT 50 --wallet treasury")]
    Stake(ProxyStakeArgs),
    /// Close a proxy contract and take back the stake, over the delay of the terms
    #[command(after_help = "\
When the delay is over, the running proxy closes the contract, or --proxy-key does. Without the key
the owner gets the stake back half a year later.

Examples:
  cocoon proxy close CONTRACT --wallet treasury
  cocoon proxy close CONTRACT --wallet treasury --proxy-key proxy.key")]
    Close(ProxyCloseArgs),
}

/// A contract and how its operation is run.
#[derive(Debug, Args)]
pub struct ContractArgs {
    /// Its address
    #[arg(value_name = "ADDRESS", value_parser = address)]
    pub contract: Address,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `client close`.
#[derive(Debug, Args)]
pub struct ClientCloseArgs {
    /// Its address
    #[arg(value_name = "ADDRESS", value_parser = address)]
    pub contract: Address,
    /// Close although the proxy's stake does not cover what is left in the contract: the rest is lost
    #[arg(long)]
    pub accept_less: bool,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `client deploy`.
#[derive(Debug, Args)]
pub struct ClientDeployArgs {
    /// Address of the proxy contract
    #[arg(value_name = "PROXY", value_parser = address)]
    pub proxy: Address,
    /// What is paid in, in TON; the least stake when absent
    #[arg(long, value_name = "TON")]
    pub amount: Option<Nanoton>,
    /// SHA-256 of the secret by which the proxy knows the client
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub secret_hash: Option<HashBytes>,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `client topup`.
#[derive(Debug, Args)]
pub struct TopupArgs {
    /// Address of the client contract
    #[arg(value_name = "CONTRACT", value_parser = address)]
    pub contract: Address,
    /// What is paid in, in TON
    #[arg(value_name = "TON")]
    pub amount: Nanoton,
    /// SHA-256 of a new secret
    #[arg(long, value_name = "HASH", value_parser = hash, conflicts_with = "reopen")]
    pub secret_hash: Option<HashBytes>,
    /// Use a closed contract again
    #[arg(long)]
    pub reopen: bool,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `client stake`.
#[derive(Debug, Args)]
pub struct ClientStakeArgs {
    /// Address of the client contract
    #[arg(value_name = "CONTRACT", value_parser = address)]
    pub contract: Address,
    /// What the stake is to be, in TON
    #[arg(value_name = "TON")]
    pub stake: Nanoton,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `worker deploy`.
#[derive(Debug, Args)]
pub struct WorkerDeployArgs {
    /// Address of the proxy contract
    #[arg(value_name = "PROXY", value_parser = address)]
    pub proxy: Address,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `worker claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// URL of the running worker, instead of the local network's
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Only against this proxy contract; needed when there are several
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub proxy: Option<Address>,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `worker earnings`.
#[derive(Debug, Args)]
pub struct EarningsArgs {
    /// Address of the worker contract
    #[arg(value_name = "CONTRACT", value_parser = address)]
    pub contract: Address,
    /// Which chain.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `proxy deploy`.
#[derive(Debug, Args)]
pub struct ProxyDeployArgs {
    /// Public key of the proxy, 64 hex digits
    #[arg(long, value_name = "KEY")]
    pub public_key: PublicKey,
    /// The stake in TON; the least of the terms when absent
    #[arg(long, value_name = "TON")]
    pub stake: Option<Nanoton>,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `proxy stake`.
#[derive(Debug, Args)]
pub struct ProxyStakeArgs {
    /// Address of the proxy contract
    #[arg(value_name = "CONTRACT", value_parser = address)]
    pub contract: Address,
    /// What is added, in TON
    #[arg(value_name = "TON")]
    pub amount: Nanoton,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `proxy close`.
#[derive(Debug, Args)]
pub struct ProxyCloseArgs {
    /// Address of the proxy contract
    #[arg(value_name = "CONTRACT", value_parser = address)]
    pub contract: Address,
    /// Key file of the proxy contract, when no proxy runs with it any more
    #[arg(long, value_name = "FILE")]
    pub proxy_key: Option<PathBuf>,
    /// Close although coins are there that are neither earnings nor stake: they go to the owner
    #[arg(long, requires = "proxy_key")]
    pub take_all: bool,
    /// How.
    #[command(flatten)]
    pub owner: OwnerArgs,
}
