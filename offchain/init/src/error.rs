//! Why a guest does not come up.

use std::io;

use cocoon_image::ImageError;
use thiserror::Error;

/// What failed; all of it ends the guest.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum InitError {
    /// The kernel refused something.
    #[error("{doing}")]
    System {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The image or the host's files are not what they should be.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A TDX guest that cannot say what it runs is not started.
    #[error("{path} is missing in a TDX guest: the kernel must be Linux 6.16 or later")]
    NoRegister {
        /// Where the register should be.
        path: &'static str,
    },
    /// The kernel took a measurement, and the register does not hold it.
    #[error("RTMR3 does not hold what was measured: `{line}`")]
    NotMeasured {
        /// The line.
        line: String,
    },
    /// A disk that must be there is not.
    #[error("no disk with the serial number `{serial}`")]
    Disk {
        /// Serial number.
        serial: &'static str,
    },
    /// A file of the configuration is neither a plain file nor a folder.
    #[error("`{path}` in the configuration is neither a file nor a folder")]
    Odd {
        /// Its path.
        path: String,
    },
    /// There is no network device to give the address to.
    #[error("no network device")]
    NoNetwork,
    /// A table is longer than the kernel's interface takes here.
    #[error("the table of the device mapper is {size} bytes long")]
    Table {
        /// Its length.
        size: usize,
    },
}

/// Says what was being done when the kernel refuses.
pub(crate) trait Doing<T> {
    /// With `doing` as the context.
    fn doing(self, doing: impl Into<String>) -> Result<T, InitError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, doing: impl Into<String>) -> Result<T, InitError> {
        self.map_err(|error| InitError::System {
            doing: doing.into(),
            source: error.into(),
        })
    }
}
