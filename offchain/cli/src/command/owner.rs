//! What owners do with their contracts: `cocoon client|worker|proxy deploy|stake|close …`.

mod claims;
mod export;
mod look;
mod recover;
mod watch;

use std::path::{Path, PathBuf};

use cocoon_bindings::ton::Address;
use cocoon_chain::{MAINNET, global_id};
use cocoon_owner::operation::{client, proxy, runner_wallet, worker};
use cocoon_owner::{
    Journal, Manner, Operation, Origin, Outcome, OwnerError, Sender, Step, StoredWallet, drive, operation_id,
};
use serde::Serialize;

use self::export::TonConnectId;
pub(crate) use self::look::status;
pub(crate) use self::recover::recover;
use self::watch::Terminal;
pub(crate) use self::watch::{ask, outcome_text};
use super::govern::{About, Told};
use super::network::{refuse_test_only, resolve};
use super::wallet::{keystore, stored};
use crate::args::Global;
use crate::args::owner::{ClientOwnerCommand, OwnerArgs, ProxyOwnerCommand, WorkerOwnerCommand};
use crate::args::wallet::KeyArgs;
use crate::failure::{self, Exit, Failure};
use crate::output::Output;

/// Runs a command of a client contract's owner.
pub(crate) async fn client(global: &Global, command: ClientOwnerCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        ClientOwnerCommand::Deploy(args) => {
            let deploy = client::Deploy {
                root: resolve(global, &args.owner.place)?.open()?.1,
                proxy: args.proxy,
                top_up: args.amount,
                secret_hash: args.secret_hash,
            };
            run(global, &deploy, args.owner, output).await
        }
        ClientOwnerCommand::Topup(args) => {
            let top_up = client::TopUp {
                contract: args.contract,
                amount: args.amount,
                secret_hash: args.secret_hash,
                reopen: args.reopen,
            };
            run(global, &top_up, args.owner, output).await
        }
        ClientOwnerCommand::Stake(args) => {
            let stake = client::Stake {
                contract: args.contract,
                stake: args.stake,
            };
            run(global, &stake, args.owner, output).await
        }
        ClientOwnerCommand::Withdraw(args) => {
            let contract = args.contract;
            run(global, &client::Withdraw { contract }, args.owner, output).await
        }
        ClientOwnerCommand::Close(args) => {
            let close = client::Close {
                contract: args.contract,
                accepts_less: args.accept_less,
            };
            run(global, &close, args.owner, output).await
        }
    }
}

/// Runs a command of a worker contract's owner.
pub(crate) async fn worker(global: &Global, command: WorkerOwnerCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        WorkerOwnerCommand::Deploy(args) => {
            let deploy = worker::Deploy {
                root: resolve(global, &args.owner.place)?.open()?.1,
                proxy: args.proxy,
            };
            run(global, &deploy, args.owner, output).await
        }
        WorkerOwnerCommand::Claim(args) => {
            let claim = claims::fetch(global, args.url, args.proxy.as_ref()).await?;
            run(global, &claim, args.owner, output).await
        }
        WorkerOwnerCommand::Close(args) => {
            let contract = args.contract;
            run(global, &worker::Close { contract }, args.owner, output).await
        }
        WorkerOwnerCommand::Withdraw(args) => {
            let wallet = args.contract;
            run(global, &runner_wallet::Empty { wallet }, args.owner, output).await
        }
        WorkerOwnerCommand::Earnings(args) => look::earnings(global, args, output).await,
    }
}

/// Runs a command of a proxy contract's owner.
pub(crate) async fn proxy(global: &Global, command: ProxyOwnerCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        ProxyOwnerCommand::Deploy(args) => {
            let (_, root) = resolve(global, &args.owner.place)?.open()?;
            let deploy = proxy::Deploy {
                root,
                public_key: args.public_key,
                stake: args.stake,
            };
            run(global, &deploy, args.owner, output).await
        }
        ProxyOwnerCommand::Stake(args) => {
            let stake = proxy::Stake {
                contract: args.contract,
                amount: args.amount,
            };
            run(global, &stake, args.owner, output).await
        }
        ProxyOwnerCommand::Close(args) => {
            let key = args.proxy_key.as_deref().map(cocoon_runner::keys::load_key).transpose();
            let close = proxy::Close {
                contract: args.contract,
                key: key.map_err(failure::from_runner)?,
                takes_all: args.take_all,
            };
            run(global, &close, args.owner, output).await
        }
    }
}

/// `proxy withdraw --contract`: the same as the running proxy does, by a message of a wallet.
pub(crate) async fn proxy_withdraw(
    global: &Global,
    contract: Address,
    owner: OwnerArgs,
    output: Output,
) -> Result<Exit, Failure> {
    run(global, &proxy::Withdraw { contract }, owner, output).await
}

/// Runs an operation in the way that was asked for: tried out, exported, or done.
async fn run(global: &Global, operation: &dyn Operation, args: OwnerArgs, output: Output) -> Result<Exit, Failure> {
    run_about(global, operation, args, None, output).await
}

/// The same with what else there is to tell.
pub(super) async fn run_about(
    global: &Global,
    operation: &dyn Operation,
    args: OwnerArgs,
    about: Option<&About<'_>>,
    output: Output,
) -> Result<Exit, Failure> {
    run_and_tell(global, operation, args, about, output, |outcome, change| {
        let told = With { told: outcome, change };
        output.result(&told, |with| watch::outcome_text(with.told))
    })
    .await
}

/// The same, with the outcome told in another way.
pub(crate) async fn run_telling(
    global: &Global,
    operation: &dyn Operation,
    args: OwnerArgs,
    output: Output,
    tell: impl FnOnce(&Outcome) -> anyhow::Result<()>,
) -> Result<Exit, Failure> {
    run_and_tell(global, operation, args, None, output, |outcome, _| tell(outcome)).await
}

async fn run_and_tell(
    global: &Global,
    operation: &dyn Operation,
    args: OwnerArgs,
    about: Option<&About<'_>>,
    output: Output,
    tell: impl FnOnce(&Outcome, Option<Told<'_>>) -> anyhow::Result<()>,
) -> Result<Exit, Failure> {
    let network = resolve(global, &args.place)?;
    let (chain, root) = network.open()?;
    let signer = match (&args.wallet, &args.from) {
        (_, Some(from)) => Signer::Elsewhere(from),
        (Some(name), None) => Signer::Wallet(Box::new(stored(global, &args.keys, name)?)),
        (None, None) => return Err(no_signer()),
    };
    let manner = Manner {
        through: args.through.clone(),
        does_not_wait: args.no_wait,
    };
    let id = operation_id(operation, &manner);
    let chain_id = global_id(chain.as_ref()).await.map_err(failure::from_chain)?;
    if chain_id == Some(MAINNET) {
        refuse_test_only(std::env::args())?;
    }
    let journals = journals(global, &args.keys, chain_id, &root);
    if args.export || args.dry_run {
        let steps = recorded(&journals, signer.address(), &id)?;
        let (chain, origin) = (chain.as_ref(), signer.origin());
        return if args.export {
            let of = (&args, TonConnectId::new(chain_id, network.is_testnet), about);
            export::print(operation, chain, origin, &manner, &steps, of, output).await
        } else {
            look::try_out(operation, chain, origin, &manner, (&steps, about), output).await
        };
    }
    let Signer::Wallet(wallet) = signer else {
        return Err(no_signer());
    };
    let mut sender = Sender::open(chain.clone(), wallet.contract.clone(), &journals).map_err(failure::from_owner)?;
    let mut terminal = Terminal::new(output, &wallet, &args);
    let outcome = match drive(operation, &mut sender, &manner, &mut terminal).await {
        Ok(outcome) => outcome,
        Err(error) => return Err(terminal.failure(error)),
    };
    let change = match about {
        Some(about) => Some(about.after(chain.as_ref(), outcome.awaits.is_some(), output).await?),
        None => None,
    };
    tell(&outcome, change)?;
    // Told first: were the process killed between the two, running it again would tell it again and send nothing.
    if outcome.awaits.is_none() {
        sender.journal().finish(&id).map_err(failure::from_owner)?;
    }
    if outcome.earlier.is_some() {
        output.note("hint: nothing was sent now; give the command again for another one");
        return Ok(Exit::Negative);
    }
    Ok(Exit::Done)
}

/// What is told with the change that it is about.
#[derive(Serialize)]
struct With<'a, T> {
    #[serde(flatten)]
    told: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Told<'a>>,
}

/// Who signs.
enum Signer<'a> {
    /// A wallet of the keystore.
    Wallet(Box<StoredWallet>),
    /// Somebody else, at this address.
    Elsewhere(&'a Address),
}

impl Signer<'_> {
    fn address(&self) -> &Address {
        match self {
            Self::Wallet(wallet) => &wallet.address,
            Self::Elsewhere(address) => address,
        }
    }

    fn origin(&self) -> Origin<'_> {
        match self {
            Self::Wallet(wallet) => Origin::Wallet(&wallet.contract),
            Self::Elsewhere(address) => Origin::Address(address),
        }
    }
}

/// The steps of an operation that are done already. What is only looked at or signed elsewhere must not come next to a message
/// that may be under way.
fn recorded(journals: &Path, wallet: &Address, id: &str) -> Result<Vec<Step>, Failure> {
    let journal = Journal::look(journals, wallet).map_err(failure::from_owner)?;
    if let Some(operation) = journal.pending() {
        let error = anyhow::anyhow!("a message of an earlier command may be under way: {operation}");
        let hint = "give that command again, without --dry-run and --export: it learns what became of the message";
        return Err(Failure::new(Exit::Usage, error, hint));
    }
    Ok(journal.steps(id).to_vec())
}

/// Where the journals of a keystore's wallets on a chain are.
fn journals(global: &Global, keys: &KeyArgs, chain_id: Option<i32>, root: &Address) -> PathBuf {
    let folder = keystore(global, keys).folder().join("journal");
    folder.join(folder_of(chain_id, root))
}

/// Journals of different chains stay apart, and one chain has one, however it was named and whichever root contract is
/// meant. Chains that have no id of their own are told apart by their root contract.
fn folder_of(chain_id: Option<i32>, root: &Address) -> String {
    match chain_id {
        Some(id) => format!("chain{id}"),
        None => format!("root-{}", &hex::encode(root.address.0)[..16]),
    }
}

fn no_signer() -> Failure {
    let error = anyhow::anyhow!("nobody is named who signs");
    let hint = "give --wallet NAME, or --export --from ADDRESS for a message that somebody else signs";
    Failure::new(Exit::Usage, error, hint)
}

fn owner_error(error: OwnerError) -> Failure {
    failure::from_owner(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_one_journal_however_it_was_named() {
        let root = |text| cocoon_bindings::ton::parse_address(text).unwrap();
        let friendly = root("UQCACjNFLY4ArI-ZdQsAazEAW41KvHyVIAWsFh9pbqcA1f12");
        let raw = root(&friendly.to_string());
        let other = Address::new(0, [9; 32].into());
        assert_eq!(folder_of(None, &friendly), folder_of(None, &raw));
        assert_ne!(folder_of(None, &friendly), folder_of(None, &other));
        assert_eq!(folder_of(Some(-239), &friendly), folder_of(Some(-239), &other));
        assert_ne!(folder_of(Some(-239), &friendly), folder_of(Some(-3), &friendly));
    }
}
