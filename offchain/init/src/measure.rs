//! Measuring the configuration into RTMR3.

use std::io::ErrorKind;

use cocoon_image::{TreeId, events};

use crate::console::say;
use crate::error::{Doing as _, InitError};

/// RTMR3 of a TDX guest, Linux 6.16 and later: 48 bytes that are written extend it.
const RTMR3: &str = "/sys/class/misc/tdx_guest/measurements/rtmr3:sha384";

/// Extends RTMR3 by the events of this boot. On a machine that is no TDX guest there is nothing to extend, which is
/// said: nobody takes such a guest for a measured one, since it has no quote.
pub(crate) fn configuration(tree: &TreeId, debug: bool) -> Result<(), InitError> {
    for event in events::configuration(tree, debug) {
        match std::fs::write(RTMR3, event.digest().0) {
            Ok(()) => say(&format!("measured `{}`", event.line())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                say(&format!("not a TDX guest, so not measured: `{}`", event.line()));
            }
            Err(error) => return Err(error).doing("extend RTMR3"),
        }
    }
    Ok(())
}
