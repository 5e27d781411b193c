//! Archives: one form for one set of files, and a reader that accepts no other.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use cocoon_manifest::ManifestError;
use cocoon_manifest::archive::Layout;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

fn layout(files: &[(&str, u64)]) -> Layout {
    Layout::new(files.iter().map(|(path, size)| ((*path).to_owned(), *size))).unwrap()
}

/// Reads from a head in memory, as if everything behind it were zeros.
fn read(head: &[u8]) -> Result<Layout, ManifestError> {
    Layout::read(|offset, buffer| {
        let behind = head.get(offset as usize..).unwrap_or_default();
        let there = behind.len().min(buffer.len());
        buffer[..there].copy_from_slice(&behind[..there]);
        buffer[there..].fill(0);
        Ok(())
    })
}

#[test]
fn the_layout_of_these_files_is_this() {
    let layout = layout(&[
        ("b/c.json", 10),
        ("a", 4097),
        ("b/empty", 0),
        ("model.safetensors", 1 << 33),
    ]);
    let placed: Vec<(&str, u64, u64)> = layout
        .files()
        .iter()
        .map(|file| (file.path(), file.size(), file.offset()))
        .collect();
    // Two blocks of head for the inodes and the directories `` and `b`.
    assert_eq!(
        placed,
        [
            ("a", 4097, 12288),
            ("b/c.json", 10, 20480),
            ("b/empty", 0, 24576),
            ("model.safetensors", 1 << 33, 24576)
        ]
    );
    assert_eq!(layout.blocks(), 6 + (1 << 21));
    assert_eq!(layout.head().len(), 12288);
    // Seen to be read by fsck.erofs 1.5 and Linux 6.18; other bytes are another format, and other names of models.
    assert_eq!(
        hex::encode(Sha256::digest(layout.head())),
        "f0ce06d44822946a73b401a38ea202e14275364fc6d94337a76f32b4f2bcacdd"
    );
}

#[test]
fn a_byte_of_the_archive_belongs_to_one_file() {
    let layout = layout(&[("a", 1), ("b", 0), ("c", 4096)]);
    let at = |offset| layout.file_at(offset).map(|file| file.path().to_owned());
    let start = layout.head().len() as u64;
    assert_eq!(at(start - 1), None);
    assert_eq!(at(start).as_deref(), Some("a"));
    assert_eq!(at(start + 4095).as_deref(), Some("a"));
    assert_eq!(at(start + 4096).as_deref(), Some("c"));
    assert_eq!(at(start + 8192), None);
}

#[test]
fn files_that_cannot_lie_beside_each_other_are_refused() {
    let refused =
        |files: &[(&str, u64)]| Layout::new(files.iter().map(|(path, size)| ((*path).to_owned(), *size))).unwrap_err();
    assert_eq!(refused(&[]), ManifestError::FileCount { count: 0 });
    assert_eq!(refused(&[("a", 1), ("a", 1)]), ManifestError::Order { index: 1 });
    assert!(matches!(refused(&[("a", 1), ("a/b", 1)]), ManifestError::Path { .. }));
    assert!(matches!(
        refused(&[("a/b", 1), ("a/b/c", 1)]),
        ManifestError::Path { .. }
    ));
    assert!(matches!(refused(&[("a", 1), ("../b", 1)]), ManifestError::Path { .. }));
    assert_eq!(
        refused(&[("a", u64::MAX), ("b", 1)]),
        ManifestError::ArchiveSize { bytes: u64::MAX }
    );
}

#[test]
fn a_folder_as_large_as_allowed_is_read_back() {
    let name = |index: usize| format!("{index:0>120}/{}", "x".repeat(134));
    let files: Vec<(String, u64)> = (0..4096).map(|index| (name(index), index as u64)).collect();
    let layout = Layout::new(files).unwrap();
    assert_eq!(read(layout.head()).unwrap(), layout);
    let deep = (0..4096).map(|index| (format!("{index}/a/b"), 1));
    assert_eq!(Layout::new(deep), Err(ManifestError::FolderCount { count: 8192 }));
    let flat: Vec<(String, u64)> = (0..4096).map(|index| (format!("{index:0>255}"), 7)).collect();
    let layout = Layout::new(flat).unwrap();
    assert_eq!(read(layout.head()).unwrap(), layout);
}

#[test]
fn every_other_byte_of_a_head_is_refused() {
    let layout = layout(&[("config.json", 5), ("d/e.json", 0), ("model.safetensors", 5000)]);
    assert_eq!(read(layout.head()).unwrap(), layout);
    for at in 0..layout.head().len() {
        let mut head = layout.head().to_vec();
        head[at] ^= 1;
        // Sizes and names may be others, but then other files lie elsewhere and the whole differs.
        match read(&head) {
            Ok(other) => assert!(other != layout && other.head() == head, "byte {at}"),
            Err(error) => assert!(!error.hint().is_empty()),
        }
    }
}

#[test]
fn a_directory_that_holds_itself_is_refused() {
    let layout = layout(&[("d/f", 1)]);
    let mut head = layout.head().to_vec();
    // The inode of `d/f` is the third; make it a copy of that of `d`.
    let inode = |index: usize| 1152 + 64 * index;
    head.copy_within(inode(1)..inode(2), inode(2));
    assert!(matches!(read(&head).unwrap_err(), ManifestError::Archive { .. }));
}

#[test]
fn a_large_directory_that_holds_itself_is_not_kept_once_for_each_level() {
    let files: Vec<(String, u64)> = (0..4000).map(|at| (format!("d/{at:04}"), 0)).collect();
    let mut head = Layout::new(files).unwrap().head().to_vec();
    let inode = |index: usize| 1152 + 64 * index;
    head.copy_within(inode(1)..inode(2), inode(2));
    let mut directories = 0;
    let result = Layout::read(|offset, buffer: &mut [u8]| {
        directories += usize::from(buffer.len() > 32 * 1024);
        buffer.copy_from_slice(&head[offset as usize..][..buffer.len()]);
        Ok::<(), ManifestError>(())
    });
    assert!(matches!(result.unwrap_err(), ManifestError::Archive { .. }));
    // Twice 4,000 entries are within the limit, three times are not.
    assert_eq!(directories, 3);
}

fn files() -> impl Strategy<Value = BTreeMap<String, u64>> {
    let name = "[+a-z.é ]{1,12}".prop_filter("plain", |name: &String| !matches!(name.as_str(), "." | ".."));
    let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/"));
    prop::collection::btree_map(path, 0u64..100_000, 1..24)
}

proptest! {
    #[test]
    fn an_archive_reads_as_it_was_laid_out(files in files()) {
        let Ok(layout) = Layout::new(files.clone()) else { return Ok(()) };
        prop_assert_eq!(&read(layout.head()).unwrap(), &layout);
        let found: BTreeMap<String, u64> =
            layout.files().iter().map(|file| (file.path().to_owned(), file.size())).collect();
        prop_assert_eq!(found, files);
        // One behind the other, from the end of the head to the end of the file system.
        let mut end = layout.head().len() as u64;
        for file in layout.files() {
            prop_assert_eq!(file.offset(), end);
            end += file.size().next_multiple_of(4096);
        }
        prop_assert_eq!(end, layout.blocks() * 4096);
        prop_assert_eq!(layout.verity().unwrap().data_blocks(), layout.blocks());
    }

    #[test]
    fn the_order_in_which_files_are_named_does_not_matter(files in files(), seed in any::<u64>()) {
        let mut shuffled: Vec<(String, u64)> = files.clone().into_iter().collect();
        let key = |path: &str| Sha256::digest([path.as_bytes(), &seed.to_le_bytes()].concat());
        shuffled.sort_by_key(|(path, _)| key(path));
        prop_assert_eq!(Layout::new(files), Layout::new(shuffled));
    }

    #[test]
    fn reading_an_archive_is_total(files in files(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let Ok(layout) = Layout::new(files) else { return Ok(()) };
        let mut head = layout.head().to_vec();
        for (at, byte) in changes {
            let at = at.index(head.len());
            head[at] = byte;
        }
        if let Ok(other) = read(&head) {
            prop_assert_eq!(&other.head()[..head.len().min(other.head().len())], &head[..head.len().min(other.head().len())]);
        }
    }
}
