//! Measuring the configuration into RTMR3.

use std::path::Path;

use cocoon_image::{Register, TreeId, events};

use crate::console::say;
use crate::error::{Doing as _, InitError};

/// RTMR3 of a TDX guest, Linux 6.16 and later: 48 bytes that are written extend it.
const RTMR3: &str = "/sys/class/misc/tdx_guest/measurements/rtmr3:sha384";

/// The device of a TDX guest, whatever its kernel.
const GUEST_DEVICE: &str = "/dev/tdx_guest";

/// Extends RTMR3 by the events of this boot. On a machine that is no TDX guest there is nothing to extend, which is
/// said: nobody takes such a guest for a measured one, since it has no quote.
pub(crate) fn configuration(tree: &TreeId, debug: bool) -> Result<(), InitError> {
    let measured = Path::new(RTMR3).exists();
    if !measured && Path::new(GUEST_DEVICE).exists() {
        return Err(InitError::NoRegister { path: RTMR3 });
    }
    for event in events::configuration(tree, debug) {
        let line = event.line();
        if !measured {
            say(&format!("not a TDX guest, so not measured: `{line}`"));
            continue;
        }
        let expected = read()?.extended(&event.digest());
        std::fs::write(RTMR3, event.digest().0).doing("extend RTMR3")?;
        if read()? != expected {
            return Err(InitError::NotMeasured { line: line.to_owned() });
        }
        say(&format!("measured `{line}`"));
    }
    Ok(())
}

fn read() -> Result<Register, InitError> {
    let bytes = std::fs::read(RTMR3).doing("read RTMR3")?;
    let length = || std::io::Error::other("it is not 48 bytes long");
    bytes.try_into().map(Register).map_err(|_| length()).doing("read RTMR3")
}
