//! Kernel modules: a list in the initial RAM disk, in the order of their needs.

use std::fs::{self, File};
use std::path::Path;

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::console::say;
use crate::error::{Doing as _, InitError};

/// Modules that serve only some machines: the guest comes up without them.
const OPTIONAL: [&str; 1] = ["tdx-guest.ko"];

/// Loads what `order` in the folder names, line by line.
pub(crate) fn load(folder: &Path) -> Result<(), InitError> {
    let order = fs::read_to_string(folder.join("modules")).doing("read the list of modules")?;
    for name in order.lines() {
        let file = File::open(folder.join(name)).doing(format!("open the module {name}"))?;
        match finit_module(&file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) if OPTIONAL.contains(&name) => say(&format!("{name} does not serve this machine: {error}")),
            Err(error) => return Err(error).doing(format!("load the module {name}")),
        }
    }
    Ok(())
}

/// Closes doors that nothing needs any more: no module can be loaded, no other kernel started, and the console's
/// special keys do nothing.
pub(crate) fn lock() -> Result<(), InitError> {
    for (name, value) in [("modules_disabled", "1"), ("kexec_load_disabled", "1"), ("sysrq", "0")] {
        let path = Path::new("/proc/sys/kernel").join(name);
        match fs::write(&path, value) {
            // A kernel that was built without the feature has no door to close.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            written => written.doing(format!("write {}", path.display()))?,
        }
    }
    Ok(())
}
