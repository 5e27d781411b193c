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
