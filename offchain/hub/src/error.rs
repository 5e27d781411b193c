//! What can go wrong, whose fault it is and what may help.

use std::path::PathBuf;
use thiserror::Error;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// What was asked for.
    Caller,
    /// The hub, or the way to it.
    Hub,
    /// The disk.
    Host,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Not without a change.
    Never,
    /// Yes; what was fetched stays and is not fetched again.
    Later,
}

/// Why a model was not fetched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The hub's address is none.
    #[error("`{url}` is not an http or https address")]
    Address {
        /// As it was given.
        url: String,
    },
    /// A name of a repository or a revision is none.
    #[error("`{name}` is not the name of a {kind}")]
    Name {
        /// What it should be.
        kind: &'static str,
        /// As it was given.
        name: String,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] cocoon_ratls::RatlsError),
    /// The hub cannot be reached.
    #[error("the hub cannot be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    /// The connection broke in the middle of an answer.
    #[error("the connection to the hub broke")]
    Broken(#[source] hyper::Error),
    /// The hub says nothing for too long.
    #[error("the hub is silent")]
    Silent,
    /// The hub sends on to nowhere, in a circle, or from https to http.
    #[error("the hub redirects to where nobody may follow")]
    Redirect,
    /// There is no such repository or revision.
    #[error("the hub has no `{name}`")]
    NotFound {
        /// Repository and revision, or a file.
        name: String,
    },
    /// The hub wants another token, or one at all.
    #[error("the hub does not give out `{name}` with this token")]
    Denied {
        /// Repository and revision, or a file.
        name: String,
    },
    /// The hub answers with an error.
    #[error("the hub answers {status} for `{name}`")]
    Status {
        /// HTTP status.
        status: u16,
        /// What was asked for.
        name: String,
    },
    /// The listing is not one.
    #[error("the hub's listing is not valid: {problem}")]
    Listing {
        /// What is wrong.
        problem: &'static str,
    },
    /// The repository has no weights that an engine reads.
    #[error("`{repository}` has no {missing}")]
    NotAModel {
        /// The repository.
        repository: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// A file came to its end and is not what the listing says.
    #[error("`{file}` is not what the hub's listing says")]
    Checksum {
        /// The file.
        file: String,
    },
    /// A file does not come, however often it is asked for.
    #[error("`{file}` broke off {attempts} times without a new byte")]
    BrokeOff {
        /// The file.
        file: String,
        /// How often.
        attempts: u32,
    },
    /// The disk refuses.
    #[error("cannot write {}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

impl HubError {
    /// Whose fault it is.
    pub fn who(&self) -> Who {
        match self {
            Self::Address { .. } | Self::Name { .. } | Self::NotFound { .. } | Self::Denied { .. } => Who::Caller,
            Self::NotAModel { .. } => Who::Caller,
            Self::Disk { .. } | Self::Tls(_) => Who::Host,
            _ => Who::Hub,
        }
    }

    /// Whether to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable(_) | Self::Broken(_) | Self::Silent => Retry::Later,
            Self::BrokeOff { .. } | Self::Checksum { .. } => Retry::Later,
            Self::Status { status, .. } if *status >= 500 || *status == 429 => Retry::Later,
            _ => Retry::Never,
        }
    }

    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Address { .. } => "give it as https://host",
            Self::Tls(_) => "this is a defect: report it",
            Self::Name { .. } => "repositories are named OWNER/NAME, revisions by branch, tag or commit",
            Self::Unreachable(_) => {
                "check the network, and HTTPS_PROXY if it is set, and run the same command again; what was fetched is kept"
            }
            Self::Broken(_) | Self::Silent | Self::BrokeOff { .. } => {
                "check the network and run the same command again; what was fetched is kept"
            }
            Self::NotFound { .. } => "check the name and the revision; a private model needs a token",
            Self::Denied { .. } => "accept the model's terms on the hub and give a token with --token-file",
            Self::Status { .. } => "wait a moment and run the same command again; what was fetched is kept",
            Self::Listing { .. } | Self::Redirect => "is this a hub that speaks the interface of huggingface.co?",
            Self::NotAModel { .. } => "choose a model with config.json, tokenizer.json and safetensors weights",
            Self::Checksum { .. } => "run the same command again: the file is fetched anew",
            Self::Disk { .. } => "check the folder's permissions and the free space",
        }
    }
}
