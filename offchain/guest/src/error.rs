//! Why a guest got no evidence of itself.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::Endpoint;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Configuration or data of this guest.
    Local,
    /// The kernel of this guest, or the machine below it.
    Host,
}

/// Why a quote, a register, an event log or a simulator could not be had.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum GuestError {
    /// A file of the kernel could not be read or written.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel makes evidence of another kind of machine.
    #[error("the kernel reports for {found:?}, not for a TDX guest")]
    Provider {
        /// What it calls itself.
        found: String,
    },
    /// An attribute of the kernel has another form than it should.
    #[error("{} is not {expected}", path.display())]
    Attribute {
        /// The file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// The kernel or the host was busy, or lost the request, at each attempt.
    #[error("no quote after {attempts} attempts: {source}")]
    Busy {
        /// How often it was asked.
        attempts: u32,
        /// What it said last.
        source: io::Error,
    },
    /// Another process used the same report entry at each attempt.
    #[error("another process changed the report entry in {attempts} attempts")]
    Conflict {
        /// How often it was asked.
        attempts: u32,
    },
    /// A file has more bytes than one of its kind can have.
    #[error("{} has more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// A quoting service could not be reached, or went away.
    #[error("{doing} the quoting service at {endpoint}: {source}")]
    Service {
        /// What was being done.
        doing: &'static str,
        /// Where it is.
        endpoint: Endpoint,
        /// What the system said.
        source: io::Error,
    },
    /// A message that is none of the quoting service's protocol.
    #[error("quoting service's message: {problem}")]
    Message {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The quoting service has no quote for us.
    #[error("the quoting service refused with code {code:#010x}")]
    Refused {
        /// Its code.
        code: u32,
    },
    /// The quote carries other report data than was asked for.
    #[error("the quote does not carry the report data that was asked for")]
    OtherReportData,
    /// What came is no quote.
    #[error("what came is no quote: {0}")]
    NoQuote(#[source] cocoon_attest::AttestError),
    /// A local report of another form.
    #[error("local report: {problem}")]
    Report {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A register shows another value after an extension than it must.
    #[error("register {register} has not taken the measurement")]
    NotExtended {
        /// Its name.
        register: &'static str,
    },
    /// An address that does not parse.
    #[error("{text:?} is not an address of a service")]
    Address {
        /// What was given.
        text: String,
    },
    /// A file of the simulation does not parse.
    #[error("{kind}: {problem}")]
    Simulated {
        /// What it should be.
        kind: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The driver of accelerators does not answer.
    #[error("{doing} the driver of accelerators: {problem}")]
    GpuDriver {
        /// What was being done.
        doing: &'static str,
        /// What its library said.
        problem: String,
    },
    /// This program was built without the means to ask accelerators.
    #[error("this program cannot ask accelerators")]
    NoGpuSupport,
    /// The accelerators run in a mode that others can look into, or do not say that they do not.
    #[error("accelerators: {problem}")]
    GpuMode {
        /// What is wrong.
        problem: &'static str,
    },
    /// An accelerator does not prove what is demanded of it.
    #[error(
        "accelerator {index} ({name}): genuine is {}, measured is {}, confidential is {}",
        claims.genuine,
        claims.measured,
        claims.confidential
    )]
    GpuClaims {
        /// Its number.
        index: u32,
        /// Its kind.
        name: String,
        /// What it proves.
        claims: Box<cocoon_attest::GpuClaims>,
    },
    /// What an accelerator delivers is no report.
    #[error("an accelerator's evidence cannot be read")]
    GpuReport(#[source] cocoon_attest::AttestError),
    /// The simulated platform failed.
    #[error(transparent)]
    Platform(#[from] cocoon_attest::AttestError),
}

impl GuestError {
    pub(crate) fn file<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self::File {
            doing,
            path: path.to_path_buf(),
            source,
        }
    }

    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Address { .. } | Self::Simulated { .. } | Self::Platform(_) | Self::NoGpuSupport => Who::Local,
            _ => Who::Host,
        }
    }

    /// Whether the same call may succeed later.
    pub fn retry(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Conflict { .. } | Self::Service { .. } | Self::Refused { .. }
        )
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "evidence is for root: start the runner as root, or give its user the file"
            }
            Self::File { .. } | Self::Attribute { .. } => {
                "a TDX guest needs Linux 6.7 with configfs mounted for quotes, 6.16 for registers; see `cocoon doctor host`"
            }
            Self::Provider { .. } => "start this image in a TDX guest",
            Self::Busy { .. } | Self::Refused { .. } => {
                "look at the quoting service (qgsd) of the host: is it running, and is the platform registered?"
            }
            Self::Conflict { .. } => "let only one process use an entry of the kernel's reports",
            Self::TooLong { .. }
            | Self::Message { .. }
            | Self::NoQuote(_)
            | Self::OtherReportData
            | Self::Report { .. } => {
                "what the host delivers is not what a TDX host delivers: check its version, or do not run there"
            }
            Self::Service { .. } => {
                "start the quoting service of the host, or correct its address in the configuration"
            }
            Self::NotExtended { .. } => "nothing else may extend registers; restart the guest",
            Self::Address { .. } => "an address is vsock:CID:PORT, tcp:IP:PORT or unix:PATH",
            Self::GpuDriver { .. } => "load NVIDIA's driver in the guest, and pass the GPU on to it",
            Self::NoGpuSupport => "build it with the feature `nvml`, or ask nothing of accelerators",
            Self::GpuMode { .. } => {
                "let the host set confidential mode (gpu-admin-tools --set-cc-mode=on), then restart the guest"
            }
            Self::GpuClaims { .. } | Self::GpuReport(_) => {
                "name the maker's root and the measurements of this firmware and driver in the policy's [gpu]"
            }
            Self::Simulated { .. } | Self::Platform(_) => "write the file anew with `cocoon simulator run`",
        }
    }
}
