//! The error of this crate and the three questions that it answers.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This process, its configuration or its files.
    Local,
    /// The node at the other end.
    Peer,
    /// The chain or its API.
    Chain,
    /// The machine: disk, memory, ports.
    Host,
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// The same peer may succeed later.
    SamePeer,
    /// Another peer may succeed.
    OtherPeer,
}

impl From<cocoon_ratls::Retry> for Retry {
    fn from(retry: cocoon_ratls::Retry) -> Self {
        match retry {
            cocoon_ratls::Retry::Never => Self::Never,
            cocoon_ratls::Retry::SamePeer => Self::SamePeer,
            cocoon_ratls::Retry::OtherPeer => Self::OtherPeer,
        }
    }
}

/// What can go wrong while a daemon starts or stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// A file of the configuration is missing or cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is larger than a file of its kind can be.
    #[error("{} has {length} bytes, more than the {limit} that a {kind} may have", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// Its length.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// The configuration does not parse; the message names line and key.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Line, key and what was expected.
        message: String,
    },
    /// One key of the configuration has a value that does not fit.
    #[error("{key}: {problem}")]
    ConfigValue {
        /// The key, with its table.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A key file may be read by others.
    #[error("{} can be read by others (mode {mode:03o})", path.display())]
    KeyFileMode {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file does not hold 32 bytes in hex.
    #[error("{} does not hold one 32-byte seed in hex", path.display())]
    KeyFileFormat {
        /// Its path.
        path: PathBuf,
    },
    /// A key could not be derived.
    #[error("the key could not be derived")]
    Derivation,
    /// No key manager gave a key.
    #[error("no key manager gives this node its key")]
    KeyManager(#[source] crate::seal::SealError),
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A port could not be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The listener stopped by itself.
    #[error("the HTTP listener stopped")]
    Serve(#[source] std::io::Error),
    /// Signal handlers could not be installed.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// The filter of the log does not parse.
    #[error("the log filter {filter:?} is not valid")]
    LogFilter {
        /// What was given.
        filter: String,
    },
    /// A reload was asked for, but the configuration came from no file.
    #[error("this daemon has no configuration file to read again")]
    NoConfigFile,
    /// The administration socket cannot be opened.
    #[error("cannot open the socket {}", path.display())]
    AdminSocket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that trust comes from does not parse.
    #[error("{} is not {}", path.display(), file.name())]
    TrustFile {
        /// The file.
        path: PathBuf,
        /// What it should be.
        file: TrustFile,
        /// What is wrong with it.
        #[source]
        source: cocoon_attest::AttestError,
    },
    /// A file of a simulated guest does not parse.
    #[error("{} is not {}", path.display(), file.name())]
    SimulationFile {
        /// The file.
        path: PathBuf,
        /// What it should be.
        file: TrustFile,
        /// What is wrong with it.
        #[source]
        source: cocoon_guest::GuestError,
    },
    /// The roots of trust or their collateral do not fit together.
    #[error("the roots of trust cannot be set up")]
    Trust(#[source] cocoon_ratls::RatlsError),
    /// The way to the chain cannot be set up.
    #[error(transparent)]
    Chain(#[from] cocoon_chain::ChainError),
    /// The accelerators of this machine are not what the configuration demands.
    #[error("the accelerators of this machine may not be computed on")]
    Gpu(#[source] cocoon_guest::GuestError),
    /// A simulated platform is configured, but the root contract is not a test one.
    #[error("a simulated TDX platform is configured, but the root contract is not a test root")]
    SimulatedOnProduction,
}

/// Kinds of files that trust comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustFile {
    /// Keys of a simulated platform.
    SimulatedPlatform,
    /// Collateral of real platforms.
    Collateral,
    /// Public half of a simulated platform.
    SimulatedTrust,
    /// Registers of a simulated guest.
    SimulatedRegisters,
    /// What is asked of peers.
    Policy,
}

impl TrustFile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SimulatedPlatform => "a simulated platform",
            Self::Collateral => "collateral",
            Self::SimulatedTrust => "the public half of a simulated platform",
            Self::SimulatedRegisters => "a list of a guest's registers",
            Self::Policy => "an attestation policy",
        }
    }
}

impl RunnerError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Gpu(source) => match source.who() {
                cocoon_guest::Who::Local => Who::Local,
                cocoon_guest::Who::Host => Who::Host,
            },
            Self::Unwritable { .. }
            | Self::AdminSocket { .. }
            | Self::Listen { .. }
            | Self::Serve(_)
            | Self::Signals(_) => Who::Host,
            Self::KeyManager(error) => error.who(),
            _ => Who::Local,
        }
    }

    /// Whether to try again: nothing here changes by itself, except a key manager.
    pub fn retry(&self) -> Retry {
        match self {
            Self::KeyManager(error) => error.retry(),
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "check the path and that this user may read it",
            Self::TooLarge { .. } => "this is probably another file than the one that was meant",
            Self::Config { .. } | Self::ConfigValue { .. } => "correct the key that is named, then start again",
            Self::KeyFileMode { .. } => "run chmod 600 on the key file",
            Self::Derivation => "this is a defect: report it",
            Self::KeyManager(error) => error.hint(),
            Self::KeyFileFormat { .. } => "a key file is 64 hex digits on one line",
            Self::Unwritable { .. } => "check the permissions and the free space of the data directory",
            Self::Listen { .. } => "choose another port or stop the program that uses it",
            Self::Serve(_) | Self::Signals(_) => "the system is short of a resource; see the log",
            Self::NoConfigFile => "only a daemon that was started with --config reads its file again",
            Self::AdminSocket { .. } => {
                "choose another [admin] socket, of less than 100 bytes, or stop the daemon that has this one"
            }
            Self::LogFilter { .. } => "a filter looks like info,cocoon_proxy=debug",
            Self::TrustFile { file, .. } | Self::SimulationFile { file, .. } => match file {
                TrustFile::SimulatedPlatform => "create the file anew with `cocoon up --fresh`",
                TrustFile::Policy => "mend the policy file; docs/attestation.md describes it",
                TrustFile::Collateral => "fetch the collateral of the platform again, as one JSON document",
                TrustFile::SimulatedTrust => "take the file that `cocoon simulator run --trust` writes",
                TrustFile::SimulatedRegisters => {
                    "name mrtd and four rtmr in hex, as `cocoon image measure --json` does"
                }
            },
            Self::Gpu(source) => source.hint(),
            Self::Chain(error) => error.hint(),
            Self::Trust(_) => "check the collateral and the simulated platform",
            Self::SimulatedOnProduction => {
                "remove simulated_platform, simulated_trust and simulator from [attestation]"
            }
        }
    }
}
