//! The `cocoon` command: a local network in one process, each runner alone, and questions to them.
//!
//! **Invariant:** stdout holds the result and nothing else; every failure ends with a hint and one
//! of the exit codes of [`failure::Exit`]; nothing typed here can turn attestation off, and a
//! network made here says SIMULATED wherever it shows itself.
//!
//! The main type is [`local::LocalNetwork`]: chain, contracts, proxy, worker and client on this
//! machine.
//!
//! ```no_run
//! use cocoon_cli::local::{LocalNetwork, LocalOptions};
//! # async fn run() -> Result<(), cocoon_cli::failure::Failure> {
//! let options = LocalOptions::new(".cocoon");
//! let network = LocalNetwork::start(options, |step| drop(step)).await?;
//! assert!(network.file().client_url.starts_with("http://127.0.0.1:"));
//! network.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod api_key;
pub mod args;
pub mod ask;
mod command;
pub mod failure;
mod input;
pub mod local;
mod output;
mod progress;
mod secret;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::attest::AttestCommand;
use crate::args::doctor::DoctorCommand;
use crate::args::governance::RootCommand;
use crate::args::governor::GovernorCommand;
use crate::args::image::ImageCommand;
use crate::args::keymanager::KeyManagerCommand;
use crate::args::localnet::LocalnetCommand;
use crate::args::log::LogCommand;
use crate::args::model::ModelCommand;
use crate::args::operate::Role;
use crate::args::simulator::SimulatorCommand;
use crate::args::verify::VerifyCommand;
use crate::args::{Cli, ClientCommand, Command, PayeeCommand, ProxyCommand, RouterCommand, RunCommand, WorkerCommand};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::output::Output;

/// Runs the command line `args`, the first of which is the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(told(&error) as u8);
        }
    };
    let output = Output { json: cli.global.json };
    let verbose = cli.global.verbose;
    let exit = run(cli, output).unwrap_or_else(|failure| {
        output.note(failure.render(verbose));
        failure.exit()
    });
    ExitCode::from(exit as u8)
}

/// Prints what clap has to say: help to stdout, a wrong command line to stderr with a hint at its end.
fn told(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody is left to tell that stdout is closed.
        let _ = error.print();
        return Exit::Done;
    }
    let text = error.render().to_string();
    let text = text
        .trim_end()
        .trim_end_matches("For more information, try '--help'.")
        .trim_end();
    Output { json: false }.note(format!("{text}\n\nhint: --help behind any command shows what it takes"));
    Exit::Usage
}

fn run(cli: Cli, output: Output) -> Result<Exit, Failure> {
    start_logging(&cli)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .or_fail(
            Exit::Defect,
            "cannot start the runtime",
            "the system is short of threads or memory",
        )?;
    let exit = runtime.block_on(dispatch(cli, output));
    // Tasks that were asked to end have ended; a thread that reads the terminal never does.
    runtime.shutdown_background();
    exit
}

fn start_logging(cli: &Cli) -> Result<(), Failure> {
    let usual = match (&cli.command, cli.global.verbose) {
        (_, true) => "info",
        (
            Command::Proxy {
                command: ProxyCommand::Owner(_) | ProxyCommand::List(_),
            }
            | Command::Worker {
                command: WorkerCommand::Owner(_),
            }
            | Command::Client {
                command: ClientCommand::Owner(_) | ClientCommand::Key { .. },
            },
            false,
        ) => "warn",
        (
            Command::Localnet {
                command: LocalnetCommand::Run(_),
            }
            | Command::Proxy { .. }
            | Command::Router { .. }
            | Command::Telegram(_)
            | Command::KeyManager {
                command: KeyManagerCommand::Run(_),
            }
            | Command::Worker { .. }
            | Command::Client { .. }
            | Command::Explorer(_),
            false,
        ) => "info",
        // The banner of `up` says already that the platform is simulated.
        _ => "warn,cocoon_runner::trust=error",
    };
    let filter = cli.global.log.as_deref().unwrap_or(usual);
    cocoon_runner::logging::init(Some(filter), cli.global.log_format.into()).map_err(failure::from_runner)
}

async fn dispatch(cli: Cli, output: Output) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Up(args) => command::up::run(&global, args, output).await,
        Command::Setup { command } => command::setup::run(&global, command, output).await,
        Command::Chat(args) => command::chat::run(&global, args, output).await,
        Command::Quote(args) => command::quote::run(&global, args, output).await,
        Command::Audit(args) => command::audit::run(&global, args, output).await,
        Command::Dispute { command } => command::dispute::run(&global, command, output).await,
        Command::Log { command } => match command {
            LogCommand::Show(args) => command::log::show(&global, args, output).await,
            LogCommand::Mirror(args) => command::log::mirror(&global, args, output).await,
            LogCommand::Witness(args) => command::log::witness(args, output).await,
            LogCommand::Prove(args) => command::log::prove(&global, args, output).await,
            LogCommand::Verify(args) => command::log::verify(&global, args, output).await,
        },
        Command::Explorer(args) => Box::pin(command::explorer::run(&global, args, output)).await,
        Command::Status => command::status::run(&global, output).await,
        Command::Root { command } => match command {
            RootCommand::Show(args) => command::root::show(&global, args, output).await,
            RootCommand::Export(args) => command::governance::root(&global, args, output).await,
            RootCommand::Check(args) => command::root::check(&global, args, output).await,
            RootCommand::Diff(args) => command::root::diff(&global, args, output).await,
            RootCommand::Propose(args) => {
                Box::pin(command::govern::propose(&global, args.change, args.propose, output)).await
            }
            RootCommand::Approve(args) => Box::pin(command::govern::approve(&global, args, output)).await,
            RootCommand::Execute(args) => Box::pin(command::govern::execute(&global, args.of, output)).await,
            RootCommand::Cancel(args) => Box::pin(command::govern::cancel(&global, args.of, output)).await,
            RootCommand::Pause(args) => Box::pin(command::govern::pause(&global, args, output)).await,
        },
        Command::Price { command } => Box::pin(command::govern::named(&global, command, output)).await,
        Command::Code { command } => Box::pin(command::govern::named(&global, command, output)).await,
        Command::Governor {
            command: GovernorCommand::Show(place),
        } => command::governor::show(&global, place, output).await,
        Command::Governor {
            command: GovernorCommand::Deploy(args),
        } => Box::pin(command::govern::deploy(&global, args, output)).await,
        Command::Governor {
            command: GovernorCommand::Export(args),
        } => command::governance::governor(&global, args, output).await,
        Command::Model {
            command: ModelCommand::Trust(command),
        } => Box::pin(command::govern::named(&global, command, output)).await,
        Command::Model {
            command: ModelCommand::Pull(args),
        } => command::model::pull(args, output).await,
        Command::Model {
            command: ModelCommand::Check(args),
        } => command::model::check(args, output),
        Command::Model {
            command: ModelCommand::Build(args),
        } => command::model::build(args, output),
        Command::Model {
            command: ModelCommand::Verify(args),
        } => command::model::verify(args, output),
        Command::Model {
            command: ModelCommand::Manifest(args),
        } => command::model::manifest(args, output),
        Command::Model {
            command: ModelCommand::Quality(args),
        } => command::model::quality(args, output),
        Command::Image {
            command: ImageCommand::Trust(command),
        } => Box::pin(command::govern::named(&global, command, output)).await,
        Command::Image {
            command: ImageCommand::Build(args),
        } => command::image::build(&args, output),
        Command::Image {
            command: ImageCommand::Measure(args),
        } => command::image::measure(&global, &args, output),
        Command::Image {
            command: ImageCommand::Verify(args),
        } => command::image::verify(&args, output),
        Command::Attest {
            command: AttestCommand::Show(args),
        } => command::attest::show(args, output).await,
        Command::Verify {
            command: VerifyCommand::Endpoint(args),
        } => command::verify::endpoint(&global, args, output).await,
        Command::Verify {
            command: VerifyCommand::Release(args),
        } => command::verify::release(&global, args, output).await,
        Command::Verify {
            command: VerifyCommand::Receipt(args),
        } => command::verify::receipt(&global, args, output).await,
        Command::Doctor {
            command: DoctorCommand::Host(args),
        } => command::doctor::host(args, output).await,
        Command::Doctor {
            command: DoctorCommand::Chain(args),
        } => command::doctor::network::chain(&global, args, output).await,
        Command::Doctor {
            command: DoctorCommand::Network(args),
        } => command::doctor::network::network(&global, args, output).await,
        Command::Simulator {
            command: SimulatorCommand::Run(args),
        } => command::simulator::run(args, output).await,
        Command::Localnet { command } => command::localnet::dispatch(&global, command, output).await,
        Command::Config { command } => command::config::run(command, output),
        Command::Proxy { command } => match command {
            ProxyCommand::Run(RunCommand::Run { config }) => command::run::proxy(&config, output).await,
            ProxyCommand::Operate(command) => command::operate::run(&global, Role::Proxy, command, output).await,
            ProxyCommand::Settle(command) => command::operate::settle(&global, command, output).await,
            ProxyCommand::Owner(command) => command::owner::proxy(&global, command, output).await,
            ProxyCommand::List(command) => Box::pin(command::govern::named(&global, command, output)).await,
        },
        Command::Router {
            command: RouterCommand::Run { config },
        } => command::run::router(&config, output).await,
        Command::Telegram(args) => Box::pin(command::telegram::run(&global, args, output)).await,
        Command::KeyManager { command } => match command {
            KeyManagerCommand::Run(args) => command::keymanager::run(args, output).await,
            KeyManagerCommand::Status(place) => command::keymanager::status(place, output).await,
            KeyManagerCommand::OwnerKey(args) => command::keymanager::owner_key(args, output),
            KeyManagerCommand::Backup(args) => command::keymanager::backup(args, output).await,
            KeyManagerCommand::Restore(args) => command::keymanager::restore(args, output).await,
        },
        Command::Worker { command } => match command {
            WorkerCommand::Payee(PayeeCommand::Run(RunCommand::Run { config })) => {
                command::run::worker(&config, output).await
            }
            WorkerCommand::Payee(PayeeCommand::Operate(command)) => {
                command::operate::run(&global, Role::Worker, command, output).await
            }
            WorkerCommand::Claims { url } => command::claims::worker(&global, url, output).await,
            WorkerCommand::Owner(command) => command::owner::worker(&global, command, output).await,
        },
        Command::Client { command } => match command {
            ClientCommand::Payee(PayeeCommand::Run(RunCommand::Run { config })) => {
                command::run::client(&config, output).await
            }
            ClientCommand::Payee(PayeeCommand::Operate(command)) => {
                command::operate::run(&global, Role::Client, command, output).await
            }
            ClientCommand::Claims { url, key } => command::claims::client(&global, url, &key, output).await,
            ClientCommand::Owner(command) => command::owner::client(&global, command, output).await,
            ClientCommand::Key { command } => Box::pin(command::access::run(&global, command, output)).await,
        },
        Command::Wallet { command } => command::wallet::run(&global, command, output).await,
        Command::Completions { shell } => command::shell::completions(shell, output),
        Command::Man { out } => command::shell::man(&out, output),
        Command::Version => command::version::run(output),
    }
}
