//! What can be typed behind `cocoon keymanager`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Commands of key managers.
#[derive(Debug, Subcommand)]
pub enum KeyManagerCommand {
    /// Run a replica until Ctrl-C or SIGTERM, then drain
    Run(KeyManagerRunArgs),
    /// Show how a running replica stands, with the public id of its secret
    Status(KeyManagerPlace),
    /// Make an owner's key, to which a share of backups is sealed
    OwnerKey(OwnerKeyArgs),
    /// Write the sealed shares of a running replica, one file for each owner
    Backup(BackupArgs),
    /// Give an owner's shares to a replica that waits for them
    Restore(RestoreArgs),
}

/// Options of `keymanager run`.
#[derive(Debug, Args)]
#[command(after_help = "\
The secret of all keys lives in the memory of replicas and nowhere else. A replica gets it from another
one (the default), draws it (--new: once, on the very first start), or waits for shares of its owners
(--restore). Silence of the others never makes a new one.

A configuration:

  peers = [\"10.0.0.2:13001\"]
  id = \"PUBLIC ID\"                       from the first start on
  [chain]
  url = \"http://127.0.0.1:8045/api/v2/jsonRPC\"
  root = \"EQ...\"
  [backup]
  threshold = 2
  owners = [\"PUBLIC KEY\", \"PUBLIC KEY\", \"PUBLIC KEY\"]
  [[policies]]
  name = \"proxies\"
  listed = \"proxies\"

Examples:
  cocoon keymanager run --config keymanager.toml --new
  cocoon keymanager run --config keymanager.toml
  cocoon keymanager run --config keymanager.toml --restore")]
pub struct KeyManagerRunArgs {
    /// Its TOML configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Draw the secret: the first start of the first replica
    #[arg(long, conflicts_with = "restore")]
    pub new: bool,
    /// Wait for the shares of the owners
    #[arg(long)]
    pub restore: bool,
}

/// Which replica is asked.
#[derive(Debug, Args)]
pub struct KeyManagerPlace {
    /// HTTP address of the replica
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:13000")]
    pub url: String,
}

/// Options of `keymanager owner-key`.
#[derive(Debug, Args)]
#[command(after_help = "\
The public key that is printed goes into [backup] owners of the key manager's configuration. The file
stays with its owner, offline.

Examples:
  cocoon keymanager owner-key --out owner.key")]
pub struct OwnerKeyArgs {
    /// File of the key; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Options of `keymanager backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each file is sealed to one owner of the replica's configuration and can be opened by nobody else. All
replicas give the same shares, each time, until owners or threshold change.

Examples:
  cocoon keymanager backup --out shares")]
pub struct BackupArgs {
    /// Which replica.
    #[command(flatten)]
    pub place: KeyManagerPlace,
    /// Folder of the files; made when missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Options of `keymanager restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each owner runs this once, on the own machine, against the same replica. It opens the share with the
owner's key, checks the replica's image and gives it the share over an attested connection: the secret
comes together in the replica and nowhere else.

The configuration names the images that may see shares:

  images = [\"IMAGE HASH\"]
  [chain]
  url = \"http://127.0.0.1:8045/api/v2/jsonRPC\"
  root = \"EQ...\"

Examples:
  cocoon keymanager restore --config owner.toml --to 10.0.0.1:13001 --key owner.key share-1.json")]
pub struct RestoreArgs {
    /// TOML configuration of the owner's machine
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The replica, as HOST:PORT
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    /// File of an owner's key, once for each owner whose shares are given
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// Files of shares
    #[arg(value_name = "SHARE", required = true)]
    pub shares: Vec<PathBuf>,
}
