//! The hash tree against cryptsetup, and its properties.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use cocoon_manifest::ManifestError;
use cocoon_manifest::verity::{BLOCK_BYTES, Block, BlockHash, RootHash, Salt, Superblock, TreeWriter, format};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The block that tests/vectors/verity.py makes.
fn block(index: usize) -> Block {
    std::array::from_fn(|at| (index * 31 + at * 7 + (at >> 8) * 13) as u8)
}

fn data(blocks: usize) -> Vec<u8> {
    (0..blocks).flat_map(block).collect()
}

fn superblock(salt: &[u8], blocks: usize) -> Superblock {
    Superblock::new([9; 16], Salt::new(salt).unwrap(), blocks as u64).unwrap()
}

#[test]
fn hash_areas_equal_those_of_veritysetup() {
    let file: serde_json::Value = serde_json::from_str(include_str!("vectors/verity.json")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let uuid: [u8; 16] = hex::decode(text(&file["uuid"])).unwrap().try_into().unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 32);
    for vector in vectors {
        let blocks = vector["data_blocks"].as_u64().unwrap();
        let salt = Salt::new(&hex::decode(text(&vector["salt"])).unwrap()).unwrap();
        let superblock = Superblock::new(uuid, salt, blocks).unwrap();
        assert_eq!(hex::encode(&superblock.to_block()[..512]), text(&vector["superblock"]));
        let (root, area) = format(&superblock, &data(blocks as usize)).unwrap();
        assert_eq!(root.to_string(), text(&vector["root_hash"]), "{blocks} blocks");
        assert_eq!(area.len() as u64, vector["hash_area_bytes"].as_u64().unwrap());
        assert_eq!(hex::encode(Sha256::digest(&area)), text(&vector["hash_area_sha256"]));
        assert_eq!(Superblock::parse(&area).unwrap(), superblock);
    }
}

/// The root by the definition, level after level.
fn root_by_definition(salt: &Salt, data: &[u8]) -> BlockHash {
    let hashes = |level: &[u8]| -> Vec<BlockHash> {
        let blocks = level.chunks(BLOCK_BYTES).map(|chunk| {
            let mut block = [0; BLOCK_BYTES];
            block[..chunk.len()].copy_from_slice(chunk);
            salt.hash_block(&block)
        });
        blocks.collect()
    };
    let mut level = hashes(data);
    while level.len() > 1 {
        level = hashes(&level.concat());
    }
    level[0]
}

#[test]
fn a_count_of_blocks_other_than_the_superblocks_is_refused() {
    let miscounted = |expected, count| ManifestError::BlockCount { expected, count };
    let two = superblock(&[], 2);
    assert_eq!(format(&two, &data(1)).unwrap_err(), miscounted(2, 1));
    assert_eq!(format(&two, &data(3)).unwrap_err(), miscounted(2, 3));
    assert_eq!(format(&two, &data(2)[1..]).unwrap_err(), miscounted(2, 2));
    let mut tree = TreeWriter::new(&two);
    let drop_block = |_, _: &Block| Ok::<(), ManifestError>(());
    tree.push_block(&block(0), drop_block).unwrap();
    assert_eq!(TreeWriter::new(&two).finish().unwrap_err(), miscounted(2, 0));
    tree.push_block(&block(1), drop_block).unwrap();
    assert_eq!(tree.push_block(&block(2), drop_block).unwrap_err(), miscounted(2, 3));
    tree.finish().unwrap();
    assert!(Superblock::new([0; 16], Salt::default(), 0).is_err());
    assert!(Superblock::new([0; 16], Salt::default(), u64::MAX).is_err());
    assert!(Salt::new(&[0; 257]).is_err());
}

#[test]
fn a_failure_to_write_a_block_ends_the_tree() {
    #[derive(Debug, PartialEq)]
    struct Full;
    impl From<ManifestError> for Full {
        fn from(error: ManifestError) -> Self {
            panic!("{error}")
        }
    }
    let mut tree = TreeWriter::new(&superblock(&[], 2));
    assert_eq!(tree.push_block(&block(0), |_, _| Err(Full)), Err(Full));
}

#[test]
fn every_changed_byte_of_a_superblock_is_refused_or_read_as_another() {
    let superblock = superblock(&[5; 20], 70_000);
    let block = superblock.to_block();
    for at in 0..BLOCK_BYTES {
        let mut other = block;
        other[at] ^= 1;
        match Superblock::parse(&other) {
            Ok(read) => {
                assert_ne!(read, superblock, "byte {at}");
                assert_eq!(read.to_block(), other, "byte {at}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    assert!(Superblock::parse(&block[1..]).is_err());
    let refused = |at: usize| {
        Superblock::parse(&{
            let mut other = block;
            other[at] ^= 1;
            other
        })
    };
    for (at, field) in [
        (0, "signature"),
        (8, "version"),
        (12, "hash type"),
        (32, "algorithm"),
        (110, "padding"),
    ] {
        assert_eq!(refused(at).unwrap_err(), ManifestError::Superblock { field });
    }
}

#[test]
fn a_root_hash_is_written_in_one_way() {
    let root = RootHash::new([0xab; 32]);
    assert_eq!(root.to_string().parse::<RootHash>().unwrap(), root);
    for text in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"zz".repeat(32)] {
        assert_eq!(
            text.parse::<RootHash>().unwrap_err(),
            ManifestError::Hash { field: "root hash" }
        );
    }
}

proptest! {
    #[test]
    fn the_root_is_that_of_the_definition(blocks in 1usize..400, salt in prop::collection::vec(any::<u8>(), 0..64)) {
        let data = data(blocks);
        let superblock = superblock(&salt, blocks);
        let (root, area) = format(&superblock, &data).unwrap();
        prop_assert_eq!(root.as_bytes(), &root_by_definition(superblock.salt(), &data));
        prop_assert_eq!(area.len() as u64, superblock.hash_area_blocks() * BLOCK_BYTES as u64);
        // The first block of the tree is the topmost one.
        if blocks > 1 {
            let top: &Block = area[BLOCK_BYTES..2 * BLOCK_BYTES].try_into().unwrap();
            prop_assert_eq!(root.as_bytes(), &superblock.salt().hash_block(top));
        }
    }

    #[test]
    fn each_block_of_the_hash_area_is_written_once(blocks in 1usize..40_000) {
        let superblock = superblock(&[], blocks);
        let mut tree = TreeWriter::new(&superblock);
        let mut written = BTreeMap::new();
        for index in 0..blocks {
            let hash = [index as u8; 32];
            tree.push_hash(hash, |place, _| {
                *written.entry(place).or_insert(0) += 1;
                Ok::<(), ManifestError>(())
            })
            .unwrap();
        }
        tree.finish().unwrap();
        let all: BTreeMap<u64, i32> = (0..superblock.hash_area_blocks()).map(|place| (place, 1)).collect();
        prop_assert_eq!(written, all);
    }

    #[test]
    fn one_flipped_bit_of_the_data_changes_the_root(blocks in 1usize..200, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let superblock = superblock(&[3; 32], blocks);
        let mut data = data(blocks);
        let (root, _) = format(&superblock, &data).unwrap();
        let at = at.index(data.len());
        data[at] ^= 1 << bit;
        prop_assert_ne!(format(&superblock, &data).unwrap().0, root);
    }

    #[test]
    fn a_superblock_reads_as_it_was_written(uuid in any::<[u8; 16]>(), salt in prop::collection::vec(any::<u8>(), 0..=256), blocks in 1u64..=1 << 34) {
        let superblock = Superblock::new(uuid, Salt::new(&salt).unwrap(), blocks).unwrap();
        prop_assert_eq!(Superblock::parse(&superblock.to_block()).unwrap(), superblock);
    }

    #[test]
    fn reading_a_superblock_is_total(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        if let Ok(superblock) = Superblock::parse(&bytes) {
            prop_assert_eq!(&superblock.to_block()[..], &bytes[..BLOCK_BYTES]);
        }
    }
}
