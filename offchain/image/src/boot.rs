//! The boot line: the words of the kernel's command line that the guest's first program reads.

use std::fmt;

use crate::error::ImageError;
use crate::limits::{MAX_BOOT_LINE_BYTES, MAX_ROOT_BLOCKS};

/// Salt of every root's hash tree: fixed, so that the same root has the same hash. It is the SHA-256 of
/// `cocoon guest root`.
pub const ROOT_SALT: [u8; 32] = [
    0x5e, 0x7d, 0x09, 0x7e, 0xbc, 0x38, 0x03, 0xec, 0x00, 0x4d, 0x99, 0x3b, 0x4d, 0xfe, 0x32, 0x9d, 0x54, 0x44, 0x5f,
    0xc1, 0x52, 0x42, 0xbf, 0x0f, 0x04, 0x04, 0xcd, 0xa6, 0x45, 0x7a, 0x71, 0x63,
];

/// Which root is mounted. RTMR2 covers the line, so the line is as good as a measurement of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootLine {
    /// Root of the dm-verity hash tree.
    pub root_hash: [u8; 32],
    /// Blocks of 4,096 bytes of the root. Its hash tree begins one block behind them, after the superblock.
    pub data_blocks: u64,
    /// Whether a shell is opened on the console; measured as an event of its own.
    pub debug: bool,
}

impl BootLine {
    /// Reads `cocoon.root=HASH:BLOCKS` and `cocoon.debug` among the kernel's own words. A word of ours that is not
    /// known, or is there twice, is refused.
    pub fn parse(line: &str) -> Result<Self, ImageError> {
        if line.len() > MAX_BOOT_LINE_BYTES {
            return Err(ImageError::TooMuch {
                what: "bytes of the boot line",
                count: line.len() as u64,
                limit: MAX_BOOT_LINE_BYTES as u64,
            });
        }
        let (mut root, mut debug) = (None, false);
        for word in line
            .split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix("cocoon."))
        {
            match word.split_once('=') {
                Some(("root", value)) if root.is_none() => root = Some(parse_root(value).ok_or(BAD_ROOT)?),
                None if word == "debug" && !debug => debug = true,
                Some(("root", _)) => return Err(BAD_ROOT),
                _ => return Err(UNKNOWN),
            }
        }
        let (root_hash, data_blocks) = root.ok_or(BAD_ROOT)?;
        Ok(Self {
            root_hash,
            data_blocks,
            debug,
        })
    }

    /// The table of the device mapper's target `verity`, over a device that holds root and hash tree.
    pub fn verity_table(&self, device: &str) -> String {
        format!(
            "1 {device} {device} 4096 4096 {blocks} {tree} sha256 {root} {salt} 1 panic_on_corruption",
            blocks = self.data_blocks,
            tree = self.data_blocks + 1,
            root = hex::encode(self.root_hash),
            salt = hex::encode(ROOT_SALT),
        )
    }

    /// Size of the mapped device in sectors of 512 bytes.
    pub fn sectors(&self) -> u64 {
        self.data_blocks * 8
    }
}

impl fmt::Display for BootLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cocoon.root={}:{}", hex::encode(self.root_hash), self.data_blocks)?;
        match self.debug {
            true => f.write_str(" cocoon.debug"),
            false => Ok(()),
        }
    }
}

const BAD_ROOT: ImageError = ImageError::BootLine {
    word: "cocoon.root",
    expected: "followed by 64 hex digits, a colon and the number of blocks",
};

const UNKNOWN: ImageError = ImageError::BootLine {
    word: "cocoon.root",
    expected: "with `cocoon.debug` or nothing else that begins with `cocoon.`",
};

fn parse_root(value: &str) -> Option<([u8; 32], u64)> {
    let (hash, blocks) = value.split_once(':')?;
    let mut root_hash = [0; 32];
    hex::decode_to_slice(hash, &mut root_hash).ok()?;
    let plain = blocks.bytes().all(|byte| byte.is_ascii_digit());
    let blocks = blocks.parse().ok().filter(|_| plain)?;
    (1..=MAX_ROOT_BLOCKS).contains(&blocks).then_some((root_hash, blocks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn salt_is_what_its_documentation_says() {
        assert_eq!(ROOT_SALT, <[u8; 32]>::from(Sha256::digest(b"cocoon guest root")));
    }

    #[test]
    fn words_of_the_kernel_are_left_alone() {
        let line = format!("console=ttyS0 panic=1 cocoon.root={}:7", "0a".repeat(32));
        let boot = BootLine::parse(&line).unwrap();
        assert_eq!((boot.root_hash, boot.data_blocks, boot.debug), ([10; 32], 7, false));
        assert_eq!(boot.sectors(), 56);
    }

    #[test]
    fn a_line_with_two_roots_or_none_or_an_unknown_word_is_refused() {
        let root = format!("cocoon.root={}:7", "0a".repeat(32));
        for line in [
            String::new(),
            format!("{root} {root}"),
            format!("{root} cocoon.debug cocoon.debug"),
            format!("{root} cocoon.debug=1"),
            format!("{root} cocoon.init=/bin/sh"),
            format!("cocoon.root={}:0", "0a".repeat(32)),
            format!("cocoon.root={}:+7", "0a".repeat(32)),
            format!("cocoon.root={}:4194305", "0a".repeat(32)),
            format!("cocoon.root={}:7", "0a".repeat(31)),
        ] {
            assert!(BootLine::parse(&line).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(hash: [u8; 32], blocks in 1..=MAX_ROOT_BLOCKS, debug: bool) {
            let boot = BootLine { root_hash: hash, data_blocks: blocks, debug };
            prop_assert_eq!(BootLine::parse(&format!("quiet {boot} panic=1")), Ok(boot));
        }

        #[test]
        fn any_line_is_read_or_refused(line in "[ -~]{0,200}") {
            let _ = BootLine::parse(&line);
        }
    }
}
