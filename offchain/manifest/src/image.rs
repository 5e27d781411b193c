//! The manifest of a guest image and its canonical bytes.

use crate::difference::{Difference, differences};
use crate::error::ManifestError;
use crate::file::{FileHash, parse_hash};
use crate::limits::MAX_COMMAND_LINE_BYTES;
use crate::lines::{Lines, check_word, parse_number};
use crate::verity::RootHash;
use cocoon_bindings::units::{ImageHash, ManifestHash};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// First line of the canonical text. Another layout of the same facts gets another number.
const HEADER: &str = "cocoon-image-manifest 1";

/// Bytes of a measurement register: SHA-384.
const REGISTER_BYTES: usize = 48;

/// A measurement register of a guest.
pub type Register = [u8; REGISTER_BYTES];

/// What a guest is built from and started as. Everything here changes a register.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageParts {
    /// Name and version of the image, one word (`worker-0.1.0`).
    pub name: String,
    /// Name of the virtual machine's shape in the catalogue, one word.
    pub shape: String,
    /// SHA-256 of the shape's description: processors, memory, devices, version of the emulator.
    pub shape_hash: FileHash,
    /// SHA-256 of the firmware's file.
    pub firmware: FileHash,
    /// SHA-256 of the kernel's file.
    pub kernel: FileHash,
    /// The kernel's command line, as it is given to the emulator.
    pub command_line: String,
    /// SHA-256 of the initial file system's file.
    pub initrd: FileHash,
    /// Root of the dm-verity hash tree over the root file system.
    pub root: RootHash,
    /// Blocks of 4096 bytes of the root file system.
    pub root_blocks: u64,
    /// SHA-256 tree id of the measured configuration (`git` object format), which `cocoon:spec.tree=` extends RTMR3 with.
    pub config: [u8; 32],
}

/// The registers that a guest with these parts shows; MRCONFIGID, MROWNER and MROWNERCONFIG are zero in our images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageRegisters {
    /// Firmware and initial memory.
    pub mrtd: Register,
    /// RTMR0 to RTMR3: machine, kernel, command line, system.
    pub rtmr: [Register; 4],
}

impl ImageRegisters {
    /// SHA-256 over MRTD, three zero registers, RTMR0 to RTMR3 and 64 zero bytes in the place of the report data: the
    /// value that the root contract lists, as the deployed network computes it.
    pub fn image_hash(&self) -> ImageHash {
        let mut hash = Sha256::new_with_prefix(self.mrtd);
        hash.update([0; 3 * REGISTER_BYTES]);
        self.rtmr.iter().for_each(|register| hash.update(register));
        hash.update([0; 64]);
        ImageHash::new(hash.finalize().into())
    }
}

/// Parts and registers of one image for one shape: who builds the parts anew can compute the registers anew, and finds
/// the image hash in the root contract.
///
/// Canonical bytes are lines of text, each ended by one line feed: the header, then `name`, `shape <name> <sha256>`,
/// `firmware`, `kernel`, `cmdline`, `initrd`, `root <hash> <blocks>`, `config`, `mrtd`, `rtmr0` to `rtmr3` and `image`
/// with the image hash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageManifest {
    parts: ImageParts,
    registers: ImageRegisters,
}

impl ImageManifest {
    /// Puts a manifest together. Whether the registers are those of the parts is for who measures to say.
    pub fn new(parts: ImageParts, registers: ImageRegisters) -> Result<Self, ManifestError> {
        check_word("image name", &parts.name)?;
        check_word("shape", &parts.shape)?;
        let line = &parts.command_line;
        if line.is_empty() || line.len() > MAX_COMMAND_LINE_BYTES || line.chars().any(char::is_control) {
            return Err(ManifestError::CommandLine);
        }
        if parts.root_blocks == 0 {
            return Err(ManifestError::DataBlocks { count: 0 });
        }
        Ok(Self { parts, registers })
    }

    /// Reads canonical bytes; any other form of the same facts, or another image hash than that of the registers, is
    /// refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut lines = Lines::behind(HEADER, bytes)?;
        let name = lines.value("name")?.to_owned();
        let (shape, shape_hash) = pair(&mut lines, "shape")?;
        let (shape, shape_hash) = (shape.to_owned(), shape_hash.parse()?);
        let firmware = lines.value("firmware")?.parse()?;
        let kernel = lines.value("kernel")?.parse()?;
        let command_line = lines.value("cmdline")?.to_owned();
        let initrd = lines.value("initrd")?.parse()?;
        let (root, root_blocks) = pair(&mut lines, "root")?;
        let parts = ImageParts {
            name,
            shape,
            shape_hash,
            firmware,
            kernel,
            command_line,
            initrd,
            root: root.parse()?,
            root_blocks: parse_number(root_blocks).ok_or(lines.refuse("root <hash> <blocks>"))?,
            config: parse_hash("configuration's tree id", lines.value("config")?)?,
        };
        let registers = ImageRegisters {
            mrtd: register(&mut lines, "mrtd")?,
            rtmr: [
                register(&mut lines, "rtmr0")?,
                register(&mut lines, "rtmr1")?,
                register(&mut lines, "rtmr2")?,
                register(&mut lines, "rtmr3")?,
            ],
        };
        if lines.value("image")? != registers.image_hash().to_string() {
            return Err(lines.refuse("the image hash of these registers"));
        }
        lines.rest("nothing more", |_| None::<()>)?;
        Self::new(parts, registers)
    }

    /// The one byte form of this manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (parts, registers) = (&self.parts, &self.registers);
        let lines = [
            ("name", parts.name.clone()),
            ("shape", format!("{} {}", parts.shape, parts.shape_hash)),
            ("firmware", parts.firmware.to_string()),
            ("kernel", parts.kernel.to_string()),
            ("cmdline", parts.command_line.clone()),
            ("initrd", parts.initrd.to_string()),
            ("root", format!("{} {}", parts.root, parts.root_blocks)),
            ("config", hex::encode(parts.config)),
            ("mrtd", hex::encode(registers.mrtd)),
            ("rtmr0", hex::encode(registers.rtmr[0])),
            ("rtmr1", hex::encode(registers.rtmr[1])),
            ("rtmr2", hex::encode(registers.rtmr[2])),
            ("rtmr3", hex::encode(registers.rtmr[3])),
            ("image", self.image_hash().to_string()),
        ];
        let mut text = format!("{HEADER}\n");
        for (key, value) in lines {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key} {value}");
        }
        text.into_bytes()
    }

    /// SHA-256 of the canonical bytes: what the root contract may list beside the image hash.
    pub fn hash(&self) -> ManifestHash {
        ManifestHash::new(Sha256::digest(self.to_bytes()).into())
    }

    /// The hash that the root contract lists.
    pub fn image_hash(&self) -> ImageHash {
        self.registers.image_hash()
    }

    /// Which fields are not those of `expected`; the image hash follows from the registers.
    pub fn differences(&self, expected: &Self) -> Vec<Difference> {
        differences(&self.to_bytes(), &expected.to_bytes(), &["image"])
    }

    /// What the guest is built from.
    pub fn parts(&self) -> &ImageParts {
        &self.parts
    }

    /// What the guest shows.
    pub fn registers(&self) -> &ImageRegisters {
        &self.registers
    }
}

/// A value of two words.
fn pair<'a>(lines: &mut Lines<'a>, key: &'static str) -> Result<(&'a str, &'a str), ManifestError> {
    let value = lines.value(key)?;
    value.split_once(' ').ok_or(lines.refuse(key))
}

fn register(lines: &mut Lines<'_>, key: &'static str) -> Result<Register, ManifestError> {
    let text = lines.value(key)?;
    let mut register = [0; REGISTER_BYTES];
    let canonical = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match hex::decode_to_slice(text, &mut register) {
        Ok(()) if canonical => Ok(register),
        _ => Err(lines.refuse("96 lower-case hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn registers() -> ImageRegisters {
        ImageRegisters {
            mrtd: [0x11; REGISTER_BYTES],
            rtmr: [[0x20; 48], [0x21; 48], [0x22; 48], [0x23; 48]],
        }
    }

    fn sample() -> ImageManifest {
        let parts = ImageParts {
            name: "worker-0.1.0".to_owned(),
            shape: "cpu-16".to_owned(),
            shape_hash: FileHash::of(b"shape"),
            firmware: FileHash::of(b"firmware"),
            kernel: FileHash::of(b"kernel"),
            command_line: "console=hvc0 cocoon.root=ab:7".to_owned(),
            initrd: FileHash::of(b"initrd"),
            root: RootHash::new([7; 32]),
            root_blocks: 6951,
            config: [8; 32],
        };
        ImageManifest::new(parts, registers()).unwrap()
    }

    #[test]
    fn the_canonical_bytes_are_these() {
        let hash = |content: &[u8]| FileHash::of(content).to_string();
        let golden = format!(
            "cocoon-image-manifest 1\n\
            name worker-0.1.0\n\
            shape cpu-16 {}\n\
            firmware {}\n\
            kernel {}\n\
            cmdline console=hvc0 cocoon.root=ab:7\n\
            initrd {}\n\
            root {} 6951\n\
            config {}\n\
            mrtd {}\nrtmr0 {}\nrtmr1 {}\nrtmr2 {}\nrtmr3 {}\n\
            image e8cb84c9764c2fbec6a7eb9307d77ec262d705a1cb3c0fe87fc69bbe1cb5c399\n",
            hash(b"shape"),
            hash(b"firmware"),
            hash(b"kernel"),
            hash(b"initrd"),
            "07".repeat(32),
            "08".repeat(32),
            "11".repeat(48),
            "20".repeat(48),
            "21".repeat(48),
            "22".repeat(48),
            "23".repeat(48),
        );
        assert_eq!(String::from_utf8(sample().to_bytes()).unwrap(), golden);
        assert_eq!(
            sample().hash().to_string(),
            "bc49ae1c1d898c6744da1483a55e2b09005ec4c99ddf0042fb7522a48e4a5a7b"
        );
        assert_eq!(ImageManifest::parse(golden.as_bytes()).unwrap(), sample());
    }

    #[test]
    fn the_image_hash_is_over_448_bytes_of_registers() {
        let mut bytes = vec![0x11; 48];
        bytes.extend([0; 144]);
        (0x20..0x24).for_each(|byte| bytes.extend([byte; 48]));
        bytes.extend([0; 64]);
        assert_eq!(bytes.len(), 448);
        assert_eq!(
            registers().image_hash().to_string(),
            hex::encode(Sha256::digest(&bytes))
        );
    }

    #[test]
    fn any_other_form_of_the_same_facts_is_refused() {
        let text = String::from_utf8(sample().to_bytes()).unwrap();
        let others = [
            text.trim_end().to_owned(),
            format!("{text}\n"),
            format!("{text}more x\n"),
            text.replace(" 6951", " 06951"),
            text.replace(" 6951", " 0"),
            text.replace(" 6951", ""),
            text.replace("manifest 1", "manifest 2"),
            text.replace("cpu-16 ", "cpu 16 "),
            text.replace("console=hvc0", "console=hvc0\tquiet"),
            text.replace("rtmr0 2020", "rtmr0 3020"),
            text.replace("rtmr0 20", "rtmr0 "),
            text.replace("0707", "070G"),
            text.replace("name worker-0.1.0", "name "),
        ];
        for other in others {
            assert_ne!(other, text);
            assert!(ImageManifest::parse(other.as_bytes()).is_err(), "{other}");
        }
        let parts = ImageParts {
            command_line: "x".repeat(MAX_COMMAND_LINE_BYTES + 1),
            ..sample().parts().clone()
        };
        assert_eq!(ImageManifest::new(parts, registers()), Err(ManifestError::CommandLine));
    }

    proptest! {
        #[test]
        fn an_image_manifest_reads_as_it_was_written(
            (name, shape) in ("[!-~é]{1,30}", "[!-~]{1,30}"),
            command_line in "[ -~]{1,200}",
            hashes in any::<[[u8; 32]; 6]>(),
            root_blocks in 1u64..,
            registers in prop::collection::vec(any::<u8>(), 240),
        ) {
            let [shape_hash, firmware, kernel, initrd, root, config] = hashes;
            let [shape_hash, firmware, kernel, initrd] = [shape_hash, firmware, kernel, initrd].map(FileHash::new);
            let root = RootHash::new(root);
            let parts = ImageParts { name, shape, shape_hash, firmware, kernel, command_line, initrd, root, root_blocks, config };
            let register = |index: usize| std::array::from_fn(|at| registers[48 * index + at]);
            let registers = ImageRegisters { mrtd: register(0), rtmr: std::array::from_fn(|index| register(index + 1)) };
            let manifest = ImageManifest::new(parts, registers).unwrap();
            prop_assert_eq!(ImageManifest::parse(&manifest.to_bytes()).unwrap(), manifest);
        }

        #[test]
        fn a_change_of_one_byte_changes_or_breaks_the_manifest(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = sample().to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(manifest) = ImageManifest::parse(&bytes) {
                prop_assert_ne!(manifest.hash(), sample().hash());
                prop_assert_eq!(manifest.to_bytes(), bytes);
            }
        }

        #[test]
        fn reading_an_image_manifest_is_total(text in "[ -~\n]{0,400}") {
            if let Ok(manifest) = ImageManifest::parse(text.as_bytes()) {
                prop_assert_eq!(manifest.to_bytes(), text.as_bytes());
            }
        }
    }
}
