//! Checking a root against its hash tree and the tree against the boot line, in constant memory.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use cocoon_image::{BootLine, ROOT_SALT};
use cocoon_manifest::ManifestError;
use cocoon_manifest::verity::{BLOCK_BYTES, Block, RootHash, Salt, Superblock, TreeWriter};

use crate::failure::{Exit, Failure, OrFail as _};

const HINT: &str = "build the image again; the root is not what its boot line says";
/// The superblock's UUID says nothing, so that it is always the same.
const UUID: [u8; 16] = [0; 16];

/// Why a check ended early.
enum Stop {
    Io(std::io::Error),
    Manifest(ManifestError),
    /// The hash area differs at this block, counted from the superblock.
    Differs(u64),
}

impl From<ManifestError> for Stop {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

/// What is wrong with the root, if something is.
pub(super) fn check(path: &Path, boot: &BootLine) -> Result<Option<String>, Failure> {
    match walk(path, boot) {
        Ok(root) if root.as_bytes() == &boot.root_hash => Ok(None),
        Ok(root) => Ok(Some(format!("the root's hash is {root}, not that of the boot line"))),
        Err(Stop::Differs(0)) => Ok(Some("the root's superblock differs".to_owned())),
        Err(Stop::Differs(block)) => Ok(Some(format!("the root's hash tree differs at its block {block}"))),
        Err(Stop::Manifest(error)) => Err(Failure::new(Exit::Configuration, error, HINT)),
        Err(Stop::Io(error)) => {
            Err(error).or_fail(Exit::Configuration, &format!("cannot read {}", path.display()), HINT)
        }
    }
}

fn walk(path: &Path, boot: &BootLine) -> Result<RootHash, Stop> {
    let superblock = Superblock::new(UUID, Salt::new(&ROOT_SALT)?, boot.data_blocks)?;
    let hash_area = File::open(path).map_err(Stop::Io)?;
    let mut data = BufReader::with_capacity(1 << 20, File::open(path).map_err(Stop::Io)?);
    let mut tree = TreeWriter::new(&superblock);
    let mut block: Block = [0; BLOCK_BYTES];
    for _ in 0..boot.data_blocks {
        data.read_exact(&mut block).map_err(Stop::Io)?;
        tree.push_block(&block, |place, expected| {
            let mut there: Block = [0; BLOCK_BYTES];
            // At most 2^23 blocks.
            let offset = (boot.data_blocks + place) * BLOCK_BYTES as u64;
            hash_area.read_exact_at(&mut there, offset).map_err(Stop::Io)?;
            match &there == expected {
                true => Ok(()),
                false => Err(Stop::Differs(place)),
            }
        })?;
    }
    Ok(tree.finish()?)
}
