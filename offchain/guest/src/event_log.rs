//! The event log of the firmware (CCEL): what was extended into RTMR0 to RTMR2, in order. Bytes only; the crate of
//! attestation reads them.

use std::io::Read as _;
use std::path::Path;

use crate::GuestError;
use crate::limits::MAX_EVENT_LOG_BYTES;

/// Where the kernel shows it.
pub const EVENT_LOG: &str = "/sys/firmware/acpi/tables/data/CCEL";

/// Reads the event log at `path`, which is [`EVENT_LOG`] in a guest.
pub fn read_event_log(path: &Path) -> Result<Vec<u8>, GuestError> {
    let file = std::fs::File::open(path).map_err(GuestError::file("opening", path))?;
    let mut bytes = Vec::new();
    file.take(MAX_EVENT_LOG_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(GuestError::file("reading", path))?;
    if bytes.len() as u64 > MAX_EVENT_LOG_BYTES {
        return Err(GuestError::TooLong {
            path: path.to_path_buf(),
            limit: MAX_EVENT_LOG_BYTES,
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_whole_and_one_without_end_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CCEL");
        std::fs::write(&path, [7; 65_536]).unwrap();
        assert_eq!(read_event_log(&path).unwrap(), [7; 65_536]);
        assert!(matches!(
            read_event_log(Path::new("/dev/zero")),
            Err(GuestError::TooLong { .. })
        ));
        assert!(matches!(
            read_event_log(&folder.path().join("none")),
            Err(GuestError::File { doing: "opening", .. })
        ));
    }
}
