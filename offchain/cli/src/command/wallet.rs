//! `cocoon wallet`: keys of owners, sealed on disk.

use std::path::PathBuf;

use cocoon_bindings::PublicKey;
use cocoon_bindings::ton::friendly;
use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WALLET_ID_TESTNET, WalletContract, WalletKind};
use cocoon_chain::wallet_seqno;
use cocoon_owner::{Keystore, Mnemonic, Secret, StoredWallet};
use serde::Serialize;
use zeroize::Zeroizing;

use super::network::{LOCAL, is_testnet, refuse_test_only, resolve};
use crate::args::Global;
use crate::args::wallet::{ExportArgs, ImportArgs, KeyArgs, NewArgs, ShowArgs, WalletCommand, WalletForm};
use crate::failure::{self, Exit, Failure};
use crate::input;
use crate::output::Output;
use crate::secret::{ask_secret, new_passphrase, passphrase};

/// Bytes of a file with a secret: 24 words of at most 8 letters.
const MAX_SECRET_BYTES: usize = 1024;

#[derive(Serialize)]
struct Shown {
    name: String,
    kind: WalletKind,
    address: String,
    /// For paying in before it is deployed.
    non_bounceable: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<OnChain>,
}

#[derive(Serialize)]
struct OnChain {
    network: String,
    is_deployed: bool,
    balance: cocoon_bindings::Nanoton,
    seqno: u32,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<WalletKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: WalletCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        WalletCommand::New(args) => new(global, args, output),
        WalletCommand::Import(args) => import(global, args, output),
        WalletCommand::List(args) => list(global, &args.keys, output),
        WalletCommand::Show(args) => show(global, args, output).await,
        WalletCommand::Address(args) => {
            let wallet = stored(global, &args.keys, &args.name)?;
            output.result(&wallet.address.to_string(), Clone::clone)?;
            Ok(Exit::Done)
        }
        WalletCommand::Export(args) => export(global, args, output),
    }
}

/// The keystore that is meant.
pub(crate) fn keystore(global: &Global, keys: &KeyArgs) -> Keystore {
    let folder: PathBuf = keys
        .keystore
        .clone()
        .unwrap_or_else(|| global.data_dir.join("keystore"));
    Keystore::new(folder)
}

/// A wallet of it.
pub(crate) fn stored(global: &Global, keys: &KeyArgs, name: &str) -> Result<StoredWallet, Failure> {
    keystore(global, keys).get(name).map_err(failure::from_owner)
}

fn new(global: &Global, args: NewArgs, output: Output) -> Result<Exit, Failure> {
    let secret = Secret::Mnemonic(Mnemonic::generate(rand::random).map_err(failure::from_owner)?);
    let name = args.form.name.clone();
    add(global, args.form, &secret, output)?;
    output.note(format!(
        "Write its 24 words down, on paper: cocoon wallet export {name}"
    ));
    Ok(Exit::Done)
}

fn import(global: &Global, args: ImportArgs, output: Output) -> Result<Exit, Failure> {
    let text = match &args.from {
        Some(path) => {
            cocoon_owner::check_private(path).map_err(failure::from_owner)?;
            let hint = "24 words, or 64 hex digits, and nothing else";
            let bytes = Zeroizing::new(input::read(path, MAX_SECRET_BYTES, hint)?);
            Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
        }
        None => ask_secret(output, "24 words, or the key in hex: ")?,
    };
    let secret = Secret::parse(&text).map_err(failure::from_owner)?;
    add(global, args.form, &secret, output)
}

fn add(global: &Global, form: WalletForm, secret: &Secret, output: Output) -> Result<Exit, Failure> {
    let wallet = seal(global, form, secret, output)?;
    output.result(&shown(global, &wallet, None)?, text)?;
    Ok(Exit::Done)
}

/// Puts a wallet into the keystore, under a passphrase that is asked for.
pub(crate) fn seal(
    global: &Global,
    form: WalletForm,
    secret: &Secret,
    output: Output,
) -> Result<StoredWallet, Failure> {
    if global.network.as_deref().is_some_and(|name| name != LOCAL) && !is_testnet(global)? {
        refuse_test_only(std::env::args())?;
    }
    let key = PublicKey::from(&secret.key().map_err(failure::from_owner)?);
    let contract = match (form.kind, form.owner) {
        (WalletKind::V4r2, _) => WalletContract::v4r2(key),
        (WalletKind::V5r1, _) => WalletContract::v5r1(key, wallet_id(global)?),
        (WalletKind::Node, Some(owner)) => WalletContract::node(key, owner),
        (WalletKind::Node, None) => {
            let error = anyhow::anyhow!("a wallet of the kind node has an owner");
            return Err(Failure::new(Exit::Usage, error, "name it with --owner"));
        }
    };
    let keystore = keystore(global, &form.keys);
    let passphrase = new_passphrase(output, &form.keys)?;
    keystore
        .add(&form.name, contract, secret, &passphrase)
        .map_err(failure::from_owner)
}

/// Wallets of the test network have other addresses.
fn wallet_id(global: &Global) -> Result<u32, Failure> {
    Ok(if is_testnet(global)? {
        WALLET_ID_TESTNET
    } else {
        WALLET_ID_MAINNET
    })
}

fn list(global: &Global, keys: &KeyArgs, output: Output) -> Result<Exit, Failure> {
    let keystore = keystore(global, keys);
    let read = |(name, wallet): (String, Result<StoredWallet, cocoon_owner::OwnerError>)| match wallet {
        Ok(wallet) => Listed {
            name,
            kind: Some(wallet.contract.kind()),
            address: Some(wallet.address.to_string()),
            error: None,
        },
        Err(error) => Listed {
            name,
            kind: None,
            address: None,
            error: Some(error.to_string()),
        },
    };
    let listed: Vec<Listed> = keystore
        .list()
        .map_err(failure::from_owner)?
        .into_iter()
        .map(read)
        .collect();
    output.result(&listed, |listed| {
        if listed.is_empty() {
            return format!("no wallets in {}", keystore.folder().display());
        }
        let line = |wallet: &Listed| {
            let kind = wallet.kind.map_or("?", WalletKind::name);
            let rest = wallet.address.as_ref().or(wallet.error.as_ref());
            format!("{:<16} {kind:<5} {}", wallet.name, rest.map_or("", String::as_str))
        };
        listed.iter().map(line).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Done)
}

async fn show(global: &Global, args: ShowArgs, output: Output) -> Result<Exit, Failure> {
    let wallet = stored(global, &args.wallet.keys, &args.wallet.name)?;
    let mut on_chain = None;
    if !args.offline {
        let network = resolve(global, &args.place)?;
        let (chain, _) = network.open()?;
        let account = chain.account(&wallet.address).await.map_err(failure::from_chain)?;
        let seqno = wallet_seqno(chain.as_ref(), &wallet.address, wallet.contract.kind());
        on_chain = Some(OnChain {
            network: network.name,
            is_deployed: account.is_active(),
            balance: account.balance,
            seqno: seqno.await.map_err(failure::from_chain)?,
        });
    }
    output.result(&shown(global, &wallet, on_chain)?, text)?;
    Ok(Exit::Done)
}

fn export(global: &Global, args: ExportArgs, output: Output) -> Result<Exit, Failure> {
    let wallet = stored(global, &args.wallet.keys, &args.wallet.name)?;
    if !args.yes {
        super::owner::ask(output, "Whoever sees the secret can spend everything. Print it?")?;
    }
    let passphrase = passphrase(output, &args.wallet.keys)?;
    let secret = wallet.unlock(&passphrase).map_err(failure::from_owner)?.to_text();
    if output.json {
        let exported = Exported {
            name: &wallet.name,
            secret: &secret,
        };
        output.result(&exported, |_| String::new())?;
    } else {
        // Without a copy that is not overwritten.
        output.stdout(&secret)?;
        output.stdout("\n")?;
    }
    Ok(Exit::Done)
}

/// What is printed for paper.
#[derive(Serialize)]
struct Exported<'a> {
    name: &'a str,
    /// The words, or the key in hex.
    secret: &'a str,
}

fn shown(global: &Global, wallet: &StoredWallet, chain: Option<OnChain>) -> Result<Shown, Failure> {
    let testnet = is_testnet(global)?;
    Ok(Shown {
        name: wallet.name.clone(),
        kind: wallet.contract.kind(),
        address: wallet.address.to_string(),
        non_bounceable: friendly(&wallet.address, false, testnet),
        public_key: wallet.contract.public_key().to_string(),
        owner: match &wallet.contract {
            WalletContract::Node { owner, .. } => Some(owner.to_string()),
            _ => None,
        },
        chain,
    })
}

fn text(shown: &Shown) -> String {
    let mut lines = vec![
        format!("wallet      {}, {}", shown.name, shown.kind),
        format!("address     {}", shown.address),
        format!("to pay in   {}", shown.non_bounceable),
        format!("public key  {}", shown.public_key),
    ];
    if let Some(owner) = &shown.owner {
        lines.push(format!("owner       {owner}"));
    }
    if let Some(chain) = &shown.chain {
        let word = if chain.is_deployed {
            "deployed"
        } else {
            "not deployed yet"
        };
        lines.push(format!(
            "on chain    {}: {}, {word}, {} messages sent",
            chain.network, chain.balance, chain.seqno
        ));
    }
    lines.join("\n")
}
