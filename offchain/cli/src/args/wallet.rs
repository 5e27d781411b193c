//! What can be typed about wallets and their keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use cocoon_bindings::ton::Address;
use cocoon_bindings::wallets::WalletKind;

use super::governance::{Place, address};

/// Where keys are, and what opens them.
#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    /// Folder of the keystore, instead of `keystore` in the data folder
    #[arg(long, value_name = "DIR", env = "COCOON_KEYSTORE", hide_env_values = true)]
    pub keystore: Option<PathBuf>,
    /// File whose first line is the passphrase; asked for on the terminal without it
    #[arg(long, value_name = "FILE", env = "COCOON_PASSPHRASE_FILE", hide_env_values = true)]
    pub passphrase_file: Option<PathBuf>,
}

/// Commands on wallets.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Draw a key, seal it under a passphrase and print the wallet's address
    #[command(after_help = "\
The 24 words from which the key follows are not printed: `cocoon wallet export` does that, for paper.

Examples:
  cocoon wallet new treasury
  cocoon wallet new treasury --kind v4r2 --passphrase-file /run/secrets/passphrase --json")]
    New(NewArgs),
    /// Seal a key that exists: 24 words, or the 64 hex digits of a runner's key file
    #[command(after_help = "\
Words and passphrase are asked for on the terminal and not shown. A file must be readable by you alone.

Examples:
  cocoon wallet import treasury
  cocoon wallet import treasury --from words.txt --kind v4r2
  cocoon wallet import runner --from .cocoon/keys/client-wallet.key --kind node --owner ADDRESS")]
    Import(ImportArgs),
    /// List the wallets of the keystore
    List(ListArgs),
    /// Show a wallet: kind, key, addresses, and what the chain knows of it
    Show(ShowArgs),
    /// Print the address of a wallet and nothing else
    Address(NamedArgs),
    /// Print the secret of a wallet: its 24 words, or its key
    #[command(after_help = "\
Whoever sees what is printed can spend everything. It is printed to stdout once and kept nowhere.

Example:
  cocoon wallet export treasury --yes > /dev/lp0")]
    Export(ExportArgs),
}

/// What a wallet is.
#[derive(Clone, Debug, Args)]
pub struct WalletForm {
    /// Its name in the keystore
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its kind: v5r1, v4r2, or node, which has an owner above its key
    #[arg(long, value_name = "KIND", default_value = "v5r1")]
    pub kind: WalletKind,
    /// Owner of a wallet of the kind node
    #[arg(long, value_name = "ADDRESS", value_parser = address, required_if_eq("kind", "node"))]
    pub owner: Option<Address>,
    /// Where its key is sealed.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// Options of `wallet new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// What it is.
    #[command(flatten)]
    pub form: WalletForm,
}

/// Options of `wallet import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What it is.
    #[command(flatten)]
    pub form: WalletForm,
    /// File with the words or the key, instead of the terminal
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

/// Options of `wallet list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the keys are.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// Options of `wallet address`.
#[derive(Debug, Args)]
pub struct NamedArgs {
    /// Its name in the keystore
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where the keys are.
    #[command(flatten)]
    pub keys: KeyArgs,
}

/// Options of `wallet show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which wallet.
    #[command(flatten)]
    pub wallet: NamedArgs,
    /// Do not ask the chain
    #[arg(long)]
    pub offline: bool,
    /// Which chain is asked.
    #[command(flatten)]
    pub place: Place,
}

/// Options of `wallet export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which wallet.
    #[command(flatten)]
    pub wallet: NamedArgs,
    /// Do not ask whether nobody is looking
    #[arg(short, long)]
    pub yes: bool,
}
