//! Why a fetch gave nothing. It is logged and tried again; no caller waits for it.

use cocoon_attest::AttestError;

/// Why a fetch gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the service cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("the service did not answer in time")]
    Silent,
    #[error("the service answered {status} for the {what}")]
    Status { what: &'static str, status: u16 },
    #[error("the {what} is longer than {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
    #[error("the answer with the {what} broke off")]
    Broken { what: &'static str },
    #[error("the {what} is not in the form of the service's version 4")]
    Form { what: &'static str },
    #[error(transparent)]
    Unusable(#[from] AttestError),
    #[error("the documents are of another family of platforms")]
    OtherFamily,
    #[error("the documents hold from {not_before} to before {not_after}, not now")]
    Window { not_before: u64, not_after: u64 },
    #[error("the documents have nothing newer than those that are held, and something older")]
    Older,
    #[error("the cached file is not one")]
    Cache,
    #[error("the disk: {0}")]
    Disk(#[from] std::io::Error),
}
