//! What can be typed about a governor.

use clap::{Args, Subcommand};
use cocoon_bindings::ton::{Address, HashBytes};

use super::governance::{Place, RootChange, Sending, address, hash};
use super::owner::OwnerArgs;

/// Which governor.
#[derive(Debug, Args)]
pub struct GovernorPlace {
    /// Which root contract.
    #[command(flatten)]
    pub place: Place,
    /// Address of the governor, instead of the owner of the root contract
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub governor: Option<Address>,
}

/// Commands on the governor.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the program")]
pub enum GovernorCommand {
    /// Print who decides and what is proposed
    #[command(after_help = "\
Times are the chain's. Compare the body hash of a proposal with the one that its proposer made known
on another way, and its message with what you were told, before you approve.

Examples:
  cocoon governor show
  cocoon governor show --chain-url URL --root ADDRESS --json")]
    Show(GovernorPlace),
    /// Deploy a governor for a root contract
    #[command(after_help = "\
The address follows from the root contract and these choices: whoever gives the same gets the same. The
governor owns nothing until the root contract is offered to it and its signers accept.

Example:
  cocoon governor deploy --signer A --signer B --signer C --threshold 2 --revoke-threshold 1 \\
    --council D --wallet treasury --dry-run")]
    Deploy(GovernorDeployArgs),
    /// Print an unsigned message to it, for a signer's wallet to send
    Export(GovernorExportArgs),
}

/// Options of `governor deploy`.
#[derive(Debug, Args)]
pub struct GovernorDeployArgs {
    /// Who decides.
    #[command(flatten)]
    pub members: Members,
    /// How it is signed and run.
    #[command(flatten)]
    pub owner: OwnerArgs,
}

/// Options of `governor export`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is signed or sent. Each message is sent by the wallet that it is for: of the signer, of the
council's member, or of anyone for execute and purge.

Examples:
  cocoon governor export propose --signer 0 add-image worker HASH
  cocoon governor export approve --signer 1 --proposal 32 --body-hash HASH
  cocoon governor export execute --proposal 32
  cocoon governor export pause --member 0 --hours 24")]
pub struct GovernorExportArgs {
    /// Which governor.
    #[command(flatten)]
    pub place: GovernorPlace,
    /// How the message is sent.
    #[command(flatten)]
    pub sending: Sending,
    /// What it does.
    #[command(subcommand)]
    pub action: GovernorAction,
}

/// Messages to a governor.
#[derive(Clone, Debug, Subcommand)]
pub enum GovernorAction {
    /// Deploy a governor for the root contract
    Deploy(Members),
    /// Propose a message; the proposer approves it thereby
    Propose {
        /// Index of the proposing signer
        #[arg(long, value_name = "INDEX")]
        signer: u8,
        /// The proposal ends after so many days
        #[arg(long, value_name = "N", default_value_t = 30)]
        lifetime_days: u32,
        /// What is proposed
        #[command(subcommand)]
        body: ProposalBody,
    },
    /// Approve a proposal that you have reviewed
    Approve {
        /// Index of the signer
        #[arg(long, value_name = "INDEX")]
        signer: u8,
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
        /// Hash of the body that you reviewed; any other body is not approved
        #[arg(long, value_name = "HASH", value_parser = hash)]
        body_hash: HashBytes,
    },
    /// Take your approval back
    WithdrawApproval {
        /// Index of the signer
        #[arg(long, value_name = "INDEX")]
        signer: u8,
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
    },
    /// Drop your own proposal
    Cancel {
        /// Index of the signer who proposed it
        #[arg(long, value_name = "INDEX")]
        signer: u8,
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
    },
    /// Drop a proposal that waits, as a member of the council
    CouncilCancel {
        /// Index of the council's member
        #[arg(long, value_name = "INDEX")]
        member: u8,
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
    },
    /// Stop executions for a while, as a member of the council; revocations go on
    Pause {
        /// Index of the council's member
        #[arg(long, value_name = "INDEX")]
        member: u8,
        /// How long, up to 72
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=72))]
        hours: u32,
    },
    /// Execute a proposal that is due; anyone may
    Execute {
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
    },
    /// Remove a proposal that can no longer be executed; anyone may
    Purge {
        /// Number of the proposal
        #[arg(long, value_name = "N")]
        proposal: u64,
    },
}

/// Who decides, and how slowly.
#[derive(Clone, Debug, Args)]
pub struct Members {
    /// Wallet of a signer; repeat for each, the first has index 0
    #[arg(long = "signer", value_name = "ADDRESS", value_parser = address, required = true)]
    pub signers: Vec<Address>,
    /// How many signers must approve
    #[arg(long, value_name = "N")]
    pub threshold: u8,
    /// How many of them suffice to take trust away
    #[arg(long, value_name = "N")]
    pub revoke_threshold: u8,
    /// Wallet of a council's member; repeat for each
    #[arg(long = "council", value_name = "ADDRESS", value_parser = address)]
    pub council: Vec<Address>,
    /// Hours between approval and execution of a change
    #[arg(long, value_name = "N", default_value_t = 48)]
    pub change_delay_hours: u32,
    /// Hours between approval and execution of what changes who is in control
    #[arg(long, value_name = "N", default_value_t = 168)]
    pub critical_delay_hours: u32,
}

/// What can be proposed.
#[derive(Clone, Debug, Subcommand)]
pub enum ProposalBody {
    /// A message to the root contract.
    #[command(flatten)]
    Root(RootChange),
    /// Replace the signers; all other proposals become stale
    ChangeSigners {
        /// Wallet of a signer; repeat for each, the first has index 0
        #[arg(long = "new-signer", value_name = "ADDRESS", value_parser = address, required = true)]
        signers: Vec<Address>,
        /// How many signers must approve
        #[arg(long, value_name = "N")]
        threshold: u8,
        /// How many of them suffice to take trust away
        #[arg(long, value_name = "N")]
        revoke_threshold: u8,
    },
    /// Replace the council; without any member there is none
    ChangeCouncil {
        /// Wallet of a member; repeat for each, the first has index 0
        #[arg(long = "member", value_name = "ADDRESS", value_parser = address)]
        council: Vec<Address>,
    },
    /// End a pause
    LiftPause,
}
