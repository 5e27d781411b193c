//! Runtime measurement registers: `/sys/class/misc/tdx_guest/measurements`, Linux 6.16 and later.

use std::path::PathBuf;

use cocoon_attest::{REGISTER_BYTES, Register};
use sha2::{Digest, Sha384};

use crate::GuestError;
use crate::tree::{Disk, Tree};

/// Where the kernel shows the registers.
pub const MEASUREMENTS: &str = "/sys/class/misc/tdx_guest/measurements";

/// The register for what runs above the kernel.
const RTMR3: &str = "rtmr3:sha384";

/// The registers of this guest. What goes into them is in the image hash that the root contract lists, so nothing that
/// differs per boot or per host may.
pub struct RuntimeRegisters {
    folder: PathBuf,
    tree: Box<dyn Tree>,
}

impl RuntimeRegisters {
    /// The registers shown in `folder`, which is [`MEASUREMENTS`] in a guest.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            tree: Box::new(Disk),
        }
    }

    /// The value of RTMR3.
    pub fn rtmr3(&self) -> Result<Register, GuestError> {
        let path = self.folder.join(RTMR3);
        let bytes = self
            .tree
            .read(&path, REGISTER_BYTES as u64)
            .map_err(GuestError::file("reading", &path))?;
        bytes.try_into().map_err(|_| GuestError::Attribute {
            path,
            expected: "a register of 48 bytes",
        })
    }

    /// Extends RTMR3 by a digest and checks that it took it; the new value.
    pub fn extend_rtmr3(&self, digest: &Register) -> Result<Register, GuestError> {
        let path = self.folder.join(RTMR3);
        let mut expected = Sha384::new_with_prefix(self.rtmr3()?);
        expected.update(digest);
        let expected: Register = expected.finalize().into();
        self.tree
            .write(&path, digest)
            .map_err(GuestError::file("writing", &path))?;
        if self.rtmr3()? != expected {
            return Err(GuestError::NotExtended { register: RTMR3 });
        }
        Ok(expected)
    }

    /// Extends RTMR3 by the SHA-384 of a line, as the events of an image are written.
    pub fn measure_line(&self, line: &str) -> Result<Register, GuestError> {
        self.extend_rtmr3(&Sha384::digest(line.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;

    /// A kernel whose register works, or does not.
    struct Played {
        register: Mutex<Register>,
        works: bool,
    }

    impl Tree for Played {
        fn create_folder(&self, _: &Path) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn remove_folder(&self, _: &Path) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            assert_eq!(path, Path::new("/measurements/rtmr3:sha384"));
            let digest: Register = bytes.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
            let mut register = self.register.lock().unwrap();
            if self.works {
                *register = Sha384::digest([register.as_slice(), &digest].concat()).into();
            }
            Ok(())
        }

        fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
            Ok(self.register.lock().unwrap().to_vec())
        }
    }

    fn registers(works: bool) -> RuntimeRegisters {
        RuntimeRegisters {
            folder: "/measurements".into(),
            tree: Box::new(Played {
                register: Mutex::new([0; 48]),
                works,
            }),
        }
    }

    #[test]
    fn two_lines_give_the_register_of_a_booted_guest() {
        let registers = registers(true);
        registers.measure_line("cocoon:spec.tree=0123").unwrap();
        let last = registers.measure_line("cocoon:tdx_inited").unwrap();
        assert_eq!(registers.rtmr3().unwrap(), last);
        // SHA384(SHA384(48 zero bytes | SHA384(line 1)) | SHA384(line 2)), computed with Python's hashlib.
        let expected =
            "347e3211ec6e3c45a53dde5df6396f9c6e18964bcda4bbb227f17f18005a65907040ee2e97669d41963eac58595504c7";
        assert_eq!(hex::encode(last), expected);
    }

    #[test]
    fn a_register_that_does_not_move_is_an_error() {
        let refused = registers(false).measure_line("cocoon:tdx_inited");
        assert!(matches!(refused, Err(GuestError::NotExtended { .. })));
    }

    #[test]
    fn a_missing_or_short_register_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let registers = RuntimeRegisters::new(folder.path());
        assert!(matches!(
            registers.measure_line("x"),
            Err(GuestError::File { doing: "reading", .. })
        ));
        std::fs::write(folder.path().join(RTMR3), [0; 47]).unwrap();
        assert!(matches!(registers.rtmr3(), Err(GuestError::Attribute { .. })));
    }
}
