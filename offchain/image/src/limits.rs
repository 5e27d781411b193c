//! Bounds of this crate, each with its reason.

/// Bytes of the boot line. The kernel's own limit is 2,048 on x86.
pub const MAX_BOOT_LINE_BYTES: usize = 2048;

/// Blocks of 4,096 bytes of a root: 16 GiB, more than any image with drivers needs.
pub const MAX_ROOT_BLOCKS: u64 = 1 << 22;

/// Files of the measured configuration: a handful are used.
pub const MAX_SPEC_FILES: usize = 256;

/// Bytes of one file of the measured configuration.
pub const MAX_SPEC_FILE_BYTES: usize = 1 << 20;

/// Folders inside folders of the measured configuration.
pub const MAX_SPEC_DEPTH: usize = 8;

/// Bytes of the archive by which a host adds its values. It is read into memory before it is looked at.
pub const MAX_HOST_ARCHIVE_BYTES: usize = 1 << 20;

/// Files in that archive.
pub const MAX_HOST_FILES: usize = 64;

/// Bytes of one value that goes into a template: addresses and URLs are shorter.
pub const MAX_VALUE_BYTES: usize = 256;

/// Bytes of a firmware: OVMF has 4 MiB.
pub const MAX_FIRMWARE_BYTES: usize = 64 << 20;

/// Sections of a firmware's TDX metadata: OVMF has six.
pub const MAX_FIRMWARE_SECTIONS: usize = 64;

/// Bytes of memory of one section: a firmware that claims more would make MRTD slow to compute.
pub const MAX_SECTION_BYTES: u64 = 64 << 20;

/// Bytes of a kernel: Debian's have 14 MB.
pub const MAX_KERNEL_BYTES: usize = 256 << 20;

/// Sections of a kernel's PE image: it has three or four.
pub const MAX_KERNEL_SECTIONS: usize = 96;

/// Events of RTMR0 in a shape: firmwares make 13 to 17.
pub const MAX_RTMR0_EVENTS: usize = 64;

/// Memory of a machine in MiB: 16 TiB.
pub const MAX_MEMORY_MIB: u64 = 1 << 24;
