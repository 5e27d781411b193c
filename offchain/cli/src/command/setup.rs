//! `cocoon setup`: from nothing to a runner that can be started, step by step, going on where it was left.

mod answers;
mod asking;
mod checks;
mod choices;
mod configuration;
mod contract;
mod done;
mod funds;
mod network;
mod trust;
mod typed;
mod wallet;

use std::path::PathBuf;

use cocoon_bindings::Nanoton;

use self::answers::{Answers, Kept};
use self::asking::Asking;
use self::done::Done;
use self::typed::{Role, Typed};
use super::network::Network;
use crate::args::Global;
use crate::args::setup::SetupCommand;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

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
        let mut warnings = Vec::from_iter(self.trust(&network, view.is_test())?);
        let (config, not_there_yet) = self.configure(&network, &wallet, &folder)?;
        self.says("Contract");
        let deployed = match self.typed.common.no_deploy {
            true => {
                self.output.note("  not deployed, as --no-deploy says");
                None
            }
            false => Some(self.deploy(&network, &wallet, &folder).await?),
        };
        let (contract, amount) = match deployed {
            Some(deployed) => {
                warnings.extend(deployed.warning);
                (Some(deployed.contract), deployed.amount)
            }
            None => (None, None),
        };
        let done = Done {
            role: self.typed.role.name(),
            network: network.name.clone(),
            root: view.address.to_string(),
            is_test: view.is_test(),
            wallet: wallet.name.clone(),
            owner: wallet.address.to_string(),
            words: self.words(),
            runner_wallet: self.payee(&network, &wallet, &folder)?,
            next: done::next(self.typed.role.name(), &config, contract.is_some()),
            folder,
            config,
            not_there_yet,
            contract,
            amount,
            warnings,
        };
        self.output.result(&done, done::text)?;
        Ok(Exit::Done)
    }

    fn says(&mut self, step: &str) {
        self.step += 1;
        self.output
            .note(format!("[{}/{}] {step}", self.step, self.typed.role.steps()));
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
        let kept = self.kept.answers.listen;
        let default = kept.unwrap_or_else(|| role.usual_port());
        let listen = self.asking.value(
            role.port_question(),
            self.typed.listen.or(kept),
            &default.to_string(),
            "--listen",
            |text| {
                text.parse()
                    .map_err(|_| "an address is IP:PORT, such as 127.0.0.1:10000".to_owned())
            },
        )?;
        // A runner that was set up and started before holds its ports by right.
        let is_configured = self.kept.answers.is_configured && folder.join(role.config_name()).exists();
        if !is_configured || kept != Some(listen) {
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
}

impl Answers {
    /// An answer that an earlier step gave.
    fn given<T: Clone>(answer: &Option<T>, what: &str) -> Result<T, Failure> {
        answer
            .clone()
            .ok_or_else(|| anyhow::anyhow!("{what} was not asked for").into())
    }
}
