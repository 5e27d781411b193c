//! The options of the three roles in one form.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use cocoon_bindings::Nanoton;
use cocoon_bindings::ton::Address;

use crate::args::setup::{SetupArgs, SetupCommand};

/// What is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Worker,
    Proxy,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Proxy => "proxy",
        }
    }

    /// How many steps there are: a proxy chooses none.
    pub(super) fn steps(self) -> usize {
        match self {
            Self::Client | Self::Worker => 8,
            Self::Proxy => 7,
        }
    }

    pub(super) fn config_name(self) -> String {
        format!("{}.toml", self.name())
    }

    pub(super) fn usual_port(self) -> SocketAddr {
        let port = match self {
            Self::Client => 10_000,
            Self::Worker => 12_000,
            Self::Proxy => 11_000,
        };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    pub(super) fn port_question(self) -> &'static str {
        match self {
            Self::Client => "Where the OpenAI API listens",
            Self::Worker => "Where statistics and control listen",
            Self::Proxy => "Where statistics and control listen (workers and clients get the two ports above)",
        }
    }

    pub(super) fn amount_option(self) -> &'static str {
        match self {
            Self::Proxy => "--stake",
            Self::Client | Self::Worker => "--amount",
        }
    }
}

/// What was typed.
pub(super) struct Typed {
    pub(super) role: Role,
    pub(super) common: SetupArgs,
    pub(super) proxy: Option<Address>,
    pub(super) amount: Option<Nanoton>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) model: Option<PathBuf>,
    pub(super) model_name: Option<String>,
}

impl From<SetupCommand> for Typed {
    fn from(command: SetupCommand) -> Self {
        match command {
            SetupCommand::Client(args) => Self {
                proxy: args.proxy,
                amount: args.amount,
                listen: args.listen,
                ..Self::new(Role::Client, args.common)
            },
            SetupCommand::Worker(args) => Self {
                proxy: args.proxy,
                listen: args.listen,
                model: args.model,
                model_name: args.model_name,
                ..Self::new(Role::Worker, args.common)
            },
            SetupCommand::Proxy(args) => Self {
                amount: args.stake,
                listen: args.listen,
                ..Self::new(Role::Proxy, args.common)
            },
        }
    }
}

impl Typed {
    fn new(role: Role, common: SetupArgs) -> Self {
        Self {
            role,
            common,
            proxy: None,
            amount: None,
            listen: None,
            model: None,
            model_name: None,
        }
    }
}
