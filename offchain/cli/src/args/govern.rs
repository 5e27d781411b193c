//! What can be typed by those who govern a network: proposals, votes, and the changes under the names that people look for.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::ton::Address;
use cocoon_bindings::{Nanoton, ProxyEndpoints};

use super::governance::{CodeKind, Described, End, Role, RootChange, Source, address};
use super::governor::ProposalBody;
use super::owner::OwnerArgs;

/// How a change is proposed.
#[derive(Clone, Debug, Args)]
pub struct ProposeArgs {
    /// Write the proposal, once it is on the chain, to a file that the other signers check and approve
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run", help_heading = "Proposing")]
    pub bundle: Option<PathBuf>,
    /// The proposal ends after so many days
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Proposing")]
    pub lifetime_days: u32,
    /// Address of the governor, instead of the owner of the root contract
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Proposing")]
    pub governor: Option<Address>,
    /// How it is signed and run.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `root propose`.
#[derive(Debug, Args)]
#[command(after_help = "\
Shows in words what would be different and whom it would cut off, tried out on the live state, and asks.
The wallet is a signer's, and its proposal is its first approval. Where one wallet owns the root contract
there is nobody to ask: the change is made at once, and that is said. What is proposed already, or in force
already, is not proposed again, so a command that was cut off is given again as it was; only an end in days is
another one on the next day, and the form with a date, which is printed, is not. With --export the file of
--bundle is written by giving the same command again when the proposal is on the chain. Options stand before
the change.

Examples:
  cocoon root propose --wallet alice --bundle price.json change-prices --price 0.00002 --worker-fee 0.000016
  cocoon root propose --wallet alice --dry-run add-image worker image.json
  cocoon root propose --wallet alice --governor GOVERNOR accept-ownership")]
pub struct RootProposeArgs {
    /// How.
    #[command(flatten)]
    pub propose: ProposeArgs,
    /// What is to change
    #[command(subcommand)]
    pub change: ProposalBody,
}

/// Options of `root approve`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").args(["file", "id"]).required(true))]
#[command(after_help = "\
The meaning is read again from the body that the governor holds, and tried out on the live state; of the
file nothing is believed. When anything differs from the chain, the exit code is 5 and nothing is sent. A
governor that does not own the root contract yet is named with --governor, not by the file.

Examples:
  cocoon root approve price.json --wallet bob
  cocoon root approve --id 64 --wallet bob --dry-run")]
pub struct RootApproveArgs {
    /// File that `root propose --bundle` wrote
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Number of the proposal, where there is no file
    #[arg(long, value_name = "N")]
    pub id: Option<u64>,
    /// Address of the governor, instead of the owner of the root contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub governor: Option<Address>,
    /// How it is signed and run.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `root execute`.
#[derive(Debug, Args)]
#[command(after_help = "\
Any wallet may. The command waits until the delay is over and says until when; ended early, or with
--no-wait, it goes on where it stopped when it is run again.

Example:
  cocoon root execute --id 64 --wallet bob")]
pub struct RootExecuteArgs {
    /// Which.
    #[command(flatten)]
    pub of: ProposalArgs,
}

/// Options of `root cancel`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cocoon root cancel --id 64 --wallet alice")]
pub struct RootCancelArgs {
    /// Which.
    #[command(flatten)]
    pub of: ProposalArgs,
}

/// A proposal by its number.
#[derive(Debug, Args)]
pub struct ProposalArgs {
    /// Number of the proposal
    #[arg(long, value_name = "N")]
    pub id: u64,
    /// Address of the governor, instead of the owner of the root contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub governor: Option<Address>,
    /// How it is signed and run.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `root pause`.
#[derive(Debug, Args)]
#[command(after_help = "\
After a pause the council cannot pause again for seven days. To end one early the signers propose it:
`cocoon root propose lift-pause`.

Example:
  cocoon root pause --hours 24 --wallet carol")]
pub struct RootPauseArgs {
    /// How long, up to 72
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=72))]
    pub hours: u32,
    /// Address of the governor, instead of the owner of the root contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub governor: Option<Address>,
    /// How it is signed and run.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Which images a network trusts.
#[derive(Debug, Subcommand)]
pub enum ImageTrustCommand {
    /// Have the network trust an image: the same as `root propose add-image`
    #[command(after_help = "\
Examples:
  cocoon image add worker HASH --wallet alice --bundle add.json
  cocoon image add worker image.json --label worker-0.2.0 --until 2027-06-30 --wallet alice")]
    Add {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or what `cocoon image measure` wrote: its JSON or its manifest
        #[arg(value_name = "HASH|FILE")]
        image: Source,
        /// What is listed beside it.
        #[command(flatten)]
        described: Described,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
    /// Have the network trust an image no longer, at once: the same as `root propose delete-image`
    #[command(after_help = "Example:\n  cocoon image revoke worker HASH --wallet alice --dry-run")]
    Revoke {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or what `cocoon image measure` wrote
        #[arg(value_name = "HASH|FILE")]
        image: Source,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
    /// Have trust in an image end with a day: the same as `root propose retire-image`
    #[command(after_help = "\
Examples:
  cocoon image retire worker HASH --on 2027-06-30 --wallet alice
  cocoon image retire worker HASH --in-days 30 --wallet alice --bundle retire.json")]
    Retire {
        /// Whose image it is
        role: Role,
        /// Image hash, 64 hex digits, or what `cocoon image measure` wrote
        #[arg(value_name = "HASH|FILE")]
        image: Source,
        /// The end.
        #[command(flatten)]
        end: End,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
}

/// Which models a network admits.
#[derive(Debug, Subcommand)]
pub enum ModelTrustCommand {
    /// Have the network admit a model: the same as `root propose add-model`
    #[command(after_help = "\
Examples:
  cocoon model add qwen3.manifest --with-manifest --label qwen3 --wallet alice --bundle add.json
  cocoon model add Qwen/Qwen3-0.6B@c1899de289a0:HASH --wallet alice")]
    Add {
        /// Model hash, 64 hex digits, its full name NAME@COMMIT:HASH, or what `cocoon model manifest` wrote
        #[arg(value_name = "HASH|NAME|FILE")]
        model: Source,
        /// What is listed beside it.
        #[command(flatten)]
        described: Described,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
    /// Have the network admit a model no longer, at once: the same as `root propose delete-model`
    #[command(after_help = "Example:\n  cocoon model revoke HASH --wallet alice --dry-run")]
    Revoke {
        /// Model hash, 64 hex digits, its full name, or its manifest
        #[arg(value_name = "HASH|NAME|FILE")]
        model: Source,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
}

/// Which proxies a network lists.
#[derive(Debug, Subcommand)]
pub enum ProxyListCommand {
    /// Have the network list a proxy: the same as `root propose register-proxy`
    #[command(after_help = "\
Example:
  cocoon proxy register \"192.0.2.1:11001 192.0.2.1:11002\" --wallet alice --bundle register.json")]
    Register {
        /// "IP:PORT", or "IP:PORT IP:PORT" for workers and for clients
        endpoints: ProxyEndpoints,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
    /// Take a proxy off the network's list, at once: the same as `root propose unregister-proxy`
    #[command(after_help = "Example:\n  cocoon proxy unregister 1 --wallet alice --dry-run")]
    Unregister {
        /// Its number
        seqno: u32,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
}

/// Commands on the price of a token.
#[derive(Debug, Subcommand)]
pub enum PriceCommand {
    /// Have it changed: the same as `root propose change-prices`
    #[command(after_help = "\
Contracts keep the terms that they were made with; new terms mean new contracts.

Example:
  cocoon price set --price 0.00002 --worker-fee 0.000016 --wallet alice --bundle price.json")]
    Set {
        /// Price of a token in TON
        #[arg(long, value_name = "TON")]
        price: Nanoton,
        /// The worker's part in TON
        #[arg(long, value_name = "TON")]
        worker_fee: Nanoton,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
}

/// Commands on the contracts' code.
#[derive(Debug, Subcommand)]
pub enum CodeCommand {
    /// Have it replaced: the same as `root propose upgrade-code`
    #[command(after_help = "\
Contracts that exist keep their code, but the root contract's own is replaced in place.

Examples:
  cocoon code upgrade --kind worker --wallet alice --dry-run
  cocoon code upgrade --kind client --file client.boc --wallet alice --bundle code.json")]
    Upgrade {
        /// Whose code it is
        #[arg(long, value_name = "KIND")]
        kind: CodeKind,
        /// The code, a bag of cells, as bytes or in base64; that which this program carries when absent
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// How.
        #[command(flatten)]
        propose: ProposeArgs,
    },
}

/// A change and how it is proposed.
pub type Proposed = (RootChange, ProposeArgs);

impl From<ImageTrustCommand> for Proposed {
    fn from(command: ImageTrustCommand) -> Self {
        match command {
            ImageTrustCommand::Add {
                role,
                image,
                described,
                propose,
            } => (RootChange::AddImage { role, image, described }, propose),
            ImageTrustCommand::Revoke { role, image, propose } => (RootChange::DeleteImage { role, image }, propose),
            ImageTrustCommand::Retire {
                role,
                image,
                end,
                propose,
            } => (RootChange::RetireImage { role, image, end }, propose),
        }
    }
}

impl From<ModelTrustCommand> for Proposed {
    fn from(command: ModelTrustCommand) -> Self {
        match command {
            ModelTrustCommand::Add {
                model,
                described,
                propose,
            } => (RootChange::AddModel { model, described }, propose),
            ModelTrustCommand::Revoke { model, propose } => (RootChange::DeleteModel { model }, propose),
        }
    }
}

impl From<ProxyListCommand> for Proposed {
    fn from(command: ProxyListCommand) -> Self {
        match command {
            ProxyListCommand::Register { endpoints, propose } => (RootChange::RegisterProxy { endpoints }, propose),
            ProxyListCommand::Unregister { seqno, propose } => (RootChange::UnregisterProxy { seqno }, propose),
        }
    }
}

impl From<PriceCommand> for Proposed {
    fn from(command: PriceCommand) -> Self {
        let PriceCommand::Set {
            price,
            worker_fee,
            propose,
        } = command;
        (RootChange::ChangePrices { price, worker_fee }, propose)
    }
}

impl From<CodeCommand> for Proposed {
    fn from(command: CodeCommand) -> Self {
        let CodeCommand::Upgrade { kind, file, propose } = command;
        (RootChange::UpgradeCode { kind, file }, propose)
    }
}
