//! `cocoon setup`: from nothing to a runner that can be started, step by step, going on where it was left.

mod answers;
mod asking;
mod checks;
mod choices;
mod configuration;
mod contract;
mod typed;

use std::path::PathBuf;

use cocoon_bindings::Nanoton;
use cocoon_chain::RootView;
use serde::Serialize;

use self::answers::{Answers, Kept};
use self::asking::Asking;
use self::typed::{Role, Typed};
use super::network::{Network, resolve};
use crate::args::Global;
use crate::args::setup::SetupCommand;
use crate::failure::{self, Exit, Failure, OrFail as _};
use crate::output::Output;

/// What a setup ended with.
#[derive(Debug, Serialize)]
struct Done {
    role: &'static str,
    network: String,
    root: String,
    /// Whether the root contract says that the network is a test.
    is_test: bool,
    wallet: String,
    owner: String,
    folder: PathBuf,
    config: PathBuf,
    /// Files that the configuration names and that are made at the first start.
    not_there_yet: Vec<String>,
    /// The contract; none where it was not deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
    /// What was paid in or staked.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Nanoton>,
    /// What to type next.
    next: String,
}

/// Runs the command.
pub(crate) async fn run(global: &Global, command: SetupCommand, output: Output) -> Result<Exit, Failure> {
    let typed = Typed::from(command);
    #[cfg(not(feature = "engine"))]
    if typed.role == Role::Worker {
        return Err(super::no_engine::failure("a worker cannot be set up"));
    }
    Box::pin(Setup::begin(global, typed, output)?.run()).await
}

/// A setup under way.
struct Setup {
    global: Global,
    typed: Typed,
    kept: Kept,
    asking: Asking,
    output: Output,
    step: usize,
}

impl Setup {
    fn begin(global: &Global, typed: Typed, output: Output) -> Result<Self, Failure> {
        let kept = Kept::open(&global.data_dir, typed.role, typed.common.restart)?;
        if kept.is_resumed() {
            output.note(format!(
                "Going on with the setup in {}; --restart begins anew.",
                kept.path().display()
            ));
        }
        let asking = Asking::new(output, typed.common.yes);
        Ok(Self {
            global: global.clone(),
            typed,
            kept,
            asking,
            output,
            step: 0,
        })
    }

    async fn run(mut self) -> Result<Exit, Failure> {
        self.says("Network");
        let (network, view) = self.network().await?;
        self.says("Wallet of the owner");
        let wallet = self.wallet()?;
        self.says("Folder of the runner");
        let folder = self.folder()?;
        if self.typed.role != Role::Proxy {
            self.says("Proxy");
            self.proxy(&network, &view).await?;
        }
        self.says("Ports");
        self.ports(&folder)?;
        match self.typed.role {
            Role::Client => self.says("Amount to pay in"),
            Role::Proxy => self.says("Stake"),
            Role::Worker => self.says("Model"),
        }
        match self.typed.role {
            Role::Worker => self.model(&view)?,
            Role::Client => self.amount(view.params.min_client_stake, view.params.min_client_stake)?,
            Role::Proxy => self.amount(view.params.min_proxy_stake, view.params.min_proxy_stake)?,
        }
        self.says("Configuration");
        let (config, not_there_yet) = self.configure(&network, &wallet, &folder)?;
        self.says("Contract");
        let contract = match self.typed.common.no_deploy {
            true => {
                self.output.note("  not deployed, as --no-deploy says");
                None
            }
            false => Some(self.deploy(&network, &wallet, &folder).await?),
        };
        let done = Done {
            role: self.typed.role.name(),
            network: network.name.clone(),
            root: view.address.to_string(),
            is_test: view.is_test(),
            wallet: wallet.name.clone(),
            owner: wallet.address.to_string(),
            next: self.next(&config, contract.is_some()),
            folder,
            config,
            not_there_yet,
            contract,
            amount: self.kept.answers.amount,
        };
        self.output.result(&done, text)?;
        Ok(Exit::Done)
    }

    fn says(&mut self, step: &str) {
        self.step += 1;
        self.output
            .note(format!("[{}/{}] {step}", self.step, self.typed.role.steps()));
    }

    /// The network, which must be reachable and have lists.
    async fn network(&mut self) -> Result<(Network, RootView), Failure> {
        let (place, named) = (self.typed.common.place.clone(), self.global.network.clone());
        let known = self.kept.answers.network.clone();
        // What is typed or named counts; without it an earlier answer.
        let network = match (known, place.chain_url.is_some() || named.is_some()) {
            (Some(known), false) => known.into(),
            _ => resolve(&self.global, &place)?,
        };
        // Wallets of test networks have addresses of their own, and a network of before is meant by its name.
        self.global.network = self.global.network.take().or_else(|| Some(network.name.clone()));
        let view = checks::network(&network, self.output).await?;
        let answer = (&network).into();
        self.kept.answer(|answers| answers.network = Some(answer))?;
        Ok((network, view))
    }

    fn folder(&mut self) -> Result<PathBuf, Failure> {
        let typed = self.typed.common.folder.clone();
        let default = PathBuf::from(format!("cocoon-{}", self.typed.role.name()));
        let folder: PathBuf = self.asking.value(
            "Folder for state, keys and configuration",
            typed.or_else(|| self.kept.answers.folder.clone()),
            &default.display().to_string(),
            "--folder",
            |text| Ok(PathBuf::from(text)),
        )?;
        let keys = folder.join("keys");
        let made = std::fs::create_dir_all(&keys).and_then(|()| folder.canonicalize());
        let folder = made.or_fail(
            Exit::Configuration,
            &format!("cannot make the folder {}", keys.display()),
            "name a folder that this user may write to with --folder",
        )?;
        checks::disk(&folder, self.output)?;
        let answer = folder.clone();
        self.kept.answer(|answers| answers.folder = Some(answer))?;
        Ok(folder)
    }

    fn ports(&mut self, folder: &std::path::Path) -> Result<(), Failure> {
        let role = self.typed.role;
        let default = self.kept.answers.listen.unwrap_or_else(|| role.usual_port());
        let listen = self.asking.value(
            role.port_question(),
            self.typed.listen.or(self.kept.answers.listen),
            &default.to_string(),
            "--listen",
            |text| {
                text.parse()
                    .map_err(|_| "an address is IP:PORT, such as 127.0.0.1:10000".to_owned())
            },
        )?;
        // A runner that was set up and started before holds its ports by right.
        if !self.kept.answers.is_configured || !folder.join(role.config_name()).exists() {
            checks::ports(role, listen, self.output)?;
        }
        self.kept.answer(|answers| answers.listen = Some(listen))
    }

    fn amount(&mut self, least: Nanoton, default: Nanoton) -> Result<(), Failure> {
        let check = move |amount: Nanoton| match amount < least {
            true => Err(format!("the terms of the network ask for {least} or more")),
            false => Ok(amount),
        };
        let known = self.typed.amount.or(self.kept.answers.amount);
        if let Some(amount) = known {
            let hint = "the least amount is in `cocoon root show`";
            check(amount)
                .map_err(|says| Failure::new(Exit::Usage, anyhow::anyhow!("{amount} is too little: {says}"), hint))?;
        }
        let parse = |text: &str| {
            let amount = text
                .parse()
                .map_err(|_| "an amount is in TON, such as 20 or 12.5".to_owned())?;
            check(amount)
        };
        let default = default.to_string();
        let default = default.trim_end_matches(" TON");
        let amount = self
            .asking
            .value("Amount in TON", known, default, self.typed.role.amount_option(), parse)?;
        self.kept.answer(|answers| answers.amount = Some(amount))
    }

    fn next(&self, config: &std::path::Path, is_deployed: bool) -> String {
        let (role, config) = (self.typed.role.name(), config.display());
        match is_deployed {
            true => format!("cocoon {role} run --config {config}"),
            false => format!("cocoon setup {role}"),
        }
    }
}

fn text(done: &Done) -> String {
    let mut lines = vec![format!("A {} of the network {} is set up.", done.role, done.network)];
    if done.is_test {
        lines.push("The network is a test: platforms may be SIMULATED, and protect nothing.".to_owned());
    }
    lines.push(format!("owner      {} ({})", done.owner, done.wallet));
    lines.push(format!("config     {}", done.config.display()));
    if let Some(contract) = &done.contract {
        lines.push(format!("contract   {contract}"));
    }
    lines.push(format!("next       {}", done.next));
    lines.join("\n")
}

/// The answers of a network, as they are kept.
impl From<&Network> for answers::KnownNetwork {
    fn from(network: &Network) -> Self {
        Self {
            name: network.name.clone(),
            chain_url: network.chain_url.clone(),
            root: network.root.clone(),
            is_testnet: network.is_testnet,
        }
    }
}

impl From<answers::KnownNetwork> for Network {
    fn from(known: answers::KnownNetwork) -> Self {
        Self {
            name: known.name,
            chain_url: known.chain_url,
            root: known.root,
            is_testnet: known.is_testnet,
        }
    }
}

impl Answers {
    /// An answer that an earlier step gave.
    fn given<T: Clone>(answer: &Option<T>, what: &str) -> Result<T, Failure> {
        answer
            .clone()
            .ok_or_else(|| anyhow::anyhow!("{what} was not asked for").into())
    }
}

/// The wallet that is meant, made if there is none of that name.
mod wallet {
    use cocoon_bindings::wallets::WalletKind;
    use cocoon_owner::{Mnemonic, Secret, StoredWallet};

    use super::{Failure, Setup, failure};
    use crate::args::wallet::WalletForm;
    use crate::command::wallet::{keystore, seal};

    impl Setup {
        pub(super) fn wallet(&mut self) -> Result<StoredWallet, Failure> {
            let keys = self.typed.common.keys.clone();
            let store = keystore(&self.global, &keys);
            let listed = store.list().map_err(failure::from_owner)?;
            let names: Vec<String> = listed.into_iter().map(|(name, _)| name).collect();
            for name in &names {
                self.output.note(format!("  in the keystore: {name}"));
            }
            let default = names.first().map_or("owner", String::as_str);
            let known = self
                .typed
                .common
                .wallet
                .clone()
                .or_else(|| self.kept.answers.wallet.clone());
            let question = "Wallet of the keystore, or the name of a new one";
            let name = self
                .asking
                .value(question, known, default, "--wallet", |text| Ok(text.to_owned()))?;
            let wallet = if names.contains(&name) {
                store.get(&name).map_err(failure::from_owner)?
            } else {
                let secret = Secret::Mnemonic(Mnemonic::generate(rand::random).map_err(failure::from_owner)?);
                let form = WalletForm {
                    name: name.clone(),
                    kind: WalletKind::V5r1,
                    owner: None,
                    keys,
                };
                let wallet = seal(&self.global, form, &secret, self.output)?;
                self.output.note(format!(
                    "  new wallet {name}. Write its 24 words down, on paper: cocoon wallet export {name}"
                ));
                wallet
            };
            self.output.note(format!("  {}", wallet.address));
            self.kept.answer(|answers| answers.wallet = Some(name))?;
            Ok(wallet)
        }
    }
}
