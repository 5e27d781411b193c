//! File systems: the kernel's own, the verified root, and memory for what is written.

use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot};

use crate::error::{Doing as _, InitError};

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Where the kernel shows itself.
const KERNEL: [(&str, &str, MountFlags); 3] = [
    ("proc", "/proc", PLAIN),
    ("sysfs", "/sys", PLAIN),
    ("devtmpfs", "/dev", MountFlags::NOSUID),
];

/// Folders of the root that are memory: a guest keeps nothing.
const MEMORY: [&str; 3] = ["/run", "/tmp", "/var"];

/// Mounts the kernel's file systems in the initial RAM disk.
pub(crate) fn kernel() -> Result<(), InitError> {
    for (kind, place, flags) in KERNEL {
        std::fs::create_dir_all(place).doing(format!("make {place}"))?;
        mount(kind, place, kind, flags, None).doing(format!("mount {place}"))?;
    }
    Ok(())
}

/// Makes the file system on `device` the root.
pub(crate) fn switch_root(device: &Path) -> Result<(), InitError> {
    std::fs::create_dir_all("/root").doing("make /root")?;
    let flags = MountFlags::RDONLY.union(MountFlags::NOSUID).union(MountFlags::NODEV);
    mount(device, "/root", "squashfs", flags, None).doing(format!("mount {}", device.display()))?;
    for (_, place, _) in KERNEL {
        mount_move(place, format!("/root{place}")).doing(format!("move {place}"))?;
    }
    // What is left in the RAM disk are this program and the modules, which nobody can reach any more.
    chdir("/root").doing("enter the root")?;
    mount_move(".", "/").doing("move the root")?;
    chroot(".").doing("change the root")?;
    chdir("/").doing("enter the root")?;
    for place in MEMORY {
        mount("tmpfs", place, "tmpfs", PLAIN, Some(c"mode=0755")).doing(format!("mount {place}"))?;
    }
    let configfs = Path::new("/sys/kernel/config");
    if configfs.is_dir() {
        mount("configfs", configfs, "configfs", PLAIN, None).doing("mount configfs")?;
    }
    Ok(())
}
