//! Archives on disk: the same bytes from the same files, and what is said of damaged ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use cocoon_archive::{ArchiveError, Checked, Difference, Hashed, Progress, build, check, hash_folder};
use cocoon_manifest::verity::{BLOCK_BYTES, format};
use cocoon_manifest::{FileHash, archive::Layout};
use proptest::prelude::*;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Content that repeats nowhere.
fn content(seed: u64, size: usize) -> Vec<u8> {
    let words = (0..).map(|at: u64| (at + 1).wrapping_mul(seed | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    words
        .flat_map(|word| word.rotate_left(31).to_le_bytes())
        .take(size)
        .collect()
}

/// 9 MiB, so that several chunks are hashed and a file begins in one and ends in another.
const FILES: [(&str, usize); 6] = [
    ("config.json", 120),
    ("empty.json", 0),
    ("model-00001.safetensors", 5_000_000),
    ("model-00002.safetensors", 4_194_304),
    ("1_Pooling/config.json", 4097),
    ("tokenizer.json", 4096),
];

fn write_folder(folder: &Path, files: &[(&str, usize)]) {
    for (seed, (path, size)) in files.iter().enumerate() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(seed as u64 + 7, *size)).unwrap();
    }
}

fn threads(count: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(count)
}

struct Built {
    _folder: tempfile::TempDir,
    archive: PathBuf,
    hashed: Hashed,
}

fn built() -> Built {
    let folder = tempfile::tempdir().unwrap();
    write_folder(&folder.path().join("model"), &FILES);
    let archive = folder.path().join("model.erofs");
    let hashed = build(&folder.path().join("model"), &archive, threads(2), &mut |_| {}).unwrap();
    Built {
        _folder: folder,
        archive,
        hashed,
    }
}

impl Built {
    fn check(&self) -> Checked {
        check(&self.archive, Some(self.hashed.root), threads(2), &mut |_| {}).unwrap()
    }

    /// The difference after one bit was changed at `offset`, which is changed back.
    fn with_flip_at(&self, offset: u64) -> Result<Option<Difference>, ArchiveError> {
        let mut bytes = fs::read(&self.archive).unwrap();
        bytes[offset as usize] ^= 1;
        fs::write(&self.archive, &bytes).unwrap();
        let checked = check(&self.archive, Some(self.hashed.root), None, &mut |_| {});
        bytes[offset as usize] ^= 1;
        fs::write(&self.archive, &bytes).unwrap();
        checked.map(|checked| checked.difference)
    }
}

#[test]
fn the_archive_of_these_files_is_this() {
    let built = built();
    // Seen to be read by fsck.erofs 1.5, by Linux 6.18 and by `veritysetup verify` with this root hash.
    assert_eq!(
        built.hashed.root.to_string(),
        "3b2fcb7347d81196033cb1aef75b8b5a4ec6c8acaf02e648faa395c225ecc77c"
    );
    let bytes = fs::read(&built.archive).unwrap();
    assert_eq!(bytes.len() as u64, built.hashed.size);
    // The parts are those of the pure crate.
    let (data, tree) = bytes.split_at(built.hashed.hash_offset as usize);
    let layout = Layout::new(FILES.map(|(path, size)| (path.to_owned(), size as u64))).unwrap();
    assert_eq!(
        format(&layout.verity().unwrap(), data).unwrap(),
        (built.hashed.root, tree.to_vec())
    );
    for (seed, (path, size)) in FILES.iter().enumerate() {
        let entry = built.hashed.files.iter().find(|entry| entry.path() == *path).unwrap();
        let content = content(seed as u64 + 7, *size);
        assert_eq!((entry.size(), entry.hash()), (*size as u64, FileHash::of(&content)));
        let placed = layout.files().iter().find(|file| file.path() == *path).unwrap();
        let at = placed.offset() as usize;
        assert_eq!(&data[at..at + size], &content[..]);
    }
}

#[test]
fn other_times_modes_places_and_threads_give_the_same_bytes() {
    let built = built();
    let other = tempfile::tempdir().unwrap();
    let folder = other.path().join("elsewhere/copy");
    // Written in another order, with another age and other permissions, through a link, beside things of tools.
    let reversed: Vec<(usize, (&str, usize))> = FILES.into_iter().enumerate().rev().collect();
    for (seed, (path, size)) in reversed {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content(seed as u64 + 7, size)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 * (seed as u64 + 1));
        fs::File::open(&path).unwrap().set_modified(old).unwrap();
    }
    fs::rename(folder.join("tokenizer.json"), other.path().join("blob")).unwrap();
    std::os::unix::fs::symlink(other.path().join("blob"), folder.join("tokenizer.json")).unwrap();
    fs::create_dir(folder.join(".git")).unwrap();
    fs::write(folder.join(".git/config"), "x").unwrap();
    fs::create_dir(folder.join("without-files")).unwrap();
    for count in [1, 3] {
        let archive = other.path().join(format!("{count}.erofs"));
        let hashed = build(&folder, &archive, threads(count), &mut |_| {}).unwrap();
        assert_eq!(hashed, built.hashed);
        assert!(fs::read(&archive).unwrap() == fs::read(&built.archive).unwrap());
    }
    assert_eq!(hash_folder(&folder, None, &mut |_| {}).unwrap(), built.hashed);
}

/// Whether a tool of Linux is there; it is said loudly if not.
fn is_there(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {tool} is not on this machine; install erofs-utils and cryptsetup-bin");
    }
    found
}

#[test]
fn tools_of_linux_read_an_archive() {
    let built = built();
    if is_there("fsck.erofs") {
        let out = built.archive.with_extension("out");
        let extract = format!("--extract={}", out.display());
        let run = Command::new("fsck.erofs")
            .arg(extract)
            .arg(&built.archive)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        for (seed, (path, size)) in FILES.iter().enumerate() {
            assert!(
                fs::read(out.join(path)).unwrap() == content(seed as u64 + 7, *size),
                "{path}"
            );
            assert_eq!(
                fs::metadata(out.join(path)).unwrap().permissions().mode() & 0o7777,
                0o444
            );
        }
    }
    if is_there("veritysetup") {
        let verify = |root: &str| {
            let offset = format!("--hash-offset={}", built.hashed.hash_offset);
            let archive = built.archive.as_os_str();
            let run = Command::new("veritysetup")
                .arg("verify")
                .args([archive, archive])
                .args([root, &offset])
                .output();
            run.unwrap().status.success()
        };
        assert!(verify(&built.hashed.root.to_string()));
        assert!(!verify(&"00".repeat(32)));
    }
}

#[test]
fn an_archive_that_is_whole_is_called_whole() {
    let built = built();
    let checked = built.check();
    assert_eq!(checked.difference, None);
    assert_eq!((checked.recorded, &checked.hashed), (built.hashed.root, &built.hashed));
    let other = "00".repeat(32).parse().unwrap();
    let checked = check(&built.archive, Some(other), None, &mut |_| {}).unwrap();
    assert_eq!(checked.difference, Some(Difference::Root { expected: other }));
}

#[test]
fn the_first_file_that_differs_is_named() {
    let built = built();
    let bytes = fs::read(&built.archive).unwrap();
    let layout = Layout::read(|offset, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[offset as usize..offset as usize + buffer.len()]);
        Ok::<(), ArchiveError>(())
    })
    .unwrap();
    for file in layout.files().iter().filter(|file| file.size() > 0) {
        for within in [0, file.size() - 1] {
            match built.with_flip_at(file.offset() + within).unwrap() {
                Some(Difference::File { path, offset, hash }) => {
                    assert_eq!((path.as_str(), offset), (file.path(), within / 4096 * 4096));
                    assert!(built.hashed.files.iter().all(|entry| entry.hash() != hash));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // Zeros behind a file belong to it: a kernel refuses them too.
    let config = layout.files().iter().find(|file| file.path() == "config.json").unwrap();
    let behind = built.with_flip_at(config.offset() + 4095).unwrap();
    assert!(matches!(behind, Some(Difference::File { path, .. }) if path == "config.json"));
    assert_eq!(built.check().difference, None);
}

#[test]
fn damage_outside_of_the_files_is_told_apart() {
    let built = built();
    let (offset, size) = (built.hashed.hash_offset, built.hashed.size);
    for at in [offset, offset + 4096, offset + 8192, size - 4096] {
        let difference = built.with_flip_at(at).unwrap();
        assert_eq!(
            difference,
            Some(Difference::HashTree {
                offset: at / 4096 * 4096
            })
        );
    }
    // What is before the files has one form, so it is refused before anything is hashed.
    for at in [0, 1024, 1200] {
        assert!(matches!(built.with_flip_at(at).unwrap_err(), ArchiveError::Manifest(_)));
    }
    let bytes = fs::read(&built.archive).unwrap();
    fs::write(&built.archive, [&bytes[..], &[0]].concat()).unwrap();
    assert_eq!(built.check().difference, Some(Difference::Length { size: size + 1 }));
    fs::write(&built.archive, &bytes[..bytes.len() - 4096]).unwrap();
    let cut = built.check().difference;
    assert_eq!(cut, Some(Difference::HashTree { offset: size - 4096 }));
    for length in [0, 1000, 1500, offset as usize - 1] {
        fs::write(&built.archive, &bytes[..length]).unwrap();
        let error = check(&built.archive, None, None, &mut |_| {}).unwrap_err();
        assert!(matches!(error, ArchiveError::Manifest(_)), "{error}");
    }
}

#[test]
fn other_files_whose_hashes_were_made_anew_are_not_called_right() {
    let built = built();
    let mut bytes = fs::read(&built.archive).unwrap();
    let layout = Layout::read(|offset, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
        Ok::<(), ArchiveError>(())
    })
    .unwrap();
    let (data, tree) = bytes.split_at_mut(built.hashed.hash_offset as usize);
    let last = layout.files().iter().rfind(|file| file.size() > 0).unwrap();
    data[last.offset() as usize] ^= 1;
    let (_, fitting) = format(&layout.verity().unwrap(), data).unwrap();
    // Superblock, top, then the hashes of data.
    tree[2 * BLOCK_BYTES..].copy_from_slice(&fitting[2 * BLOCK_BYTES..]);
    fs::write(&built.archive, &bytes).unwrap();
    let expected = built.hashed.root;
    assert_eq!(built.check().difference, Some(Difference::Root { expected }));
    // Whether files or tree are meant is not known without a root hash.
    let checked = check(&built.archive, None, None, &mut |_| {}).unwrap();
    let offset = built.hashed.hash_offset + BLOCK_BYTES as u64;
    assert_eq!(checked.difference, Some(Difference::HashTree { offset }));
}

#[test]
fn what_cannot_be_archived_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    let out = folder.path().join("out");
    let refused = || build(&model, &out, None, &mut |_| {}).unwrap_err();
    assert!(matches!(refused(), ArchiveError::Read { .. }));
    write_folder(&model, &[("a", 10)]);
    std::os::unix::fs::symlink(&model, model.join("b")).unwrap();
    assert!(matches!(refused(), ArchiveError::Kind { path } if path == model.join("b")));
    fs::remove_file(model.join("b")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(model.join("socket")).unwrap());
    assert!(matches!(refused(), ArchiveError::Kind { .. }));
    fs::remove_file(model.join("socket")).unwrap();
    fs::write(&out, "mine").unwrap();
    assert!(matches!(refused(), ArchiveError::Exists { .. }));
    assert_eq!(fs::read(&out).unwrap(), b"mine");
    fs::remove_file(&out).unwrap();
    fs::remove_file(model.join("a")).unwrap();
    assert!(matches!(refused(), ArchiveError::Manifest(_)));
    assert!(!out.exists() && !folder.path().join("out.partial").exists());
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    for length in [2_000_000, 9_500_000] {
        let folder = tempfile::tempdir().unwrap();
        let (model, out) = (folder.path().join("model"), folder.path().join("out"));
        write_folder(&model, &[("a", 9_000_000), ("b", 10)]);
        let file = fs::File::options().write(true).open(model.join("a")).unwrap();
        // The first report comes when one buffer of 4 MiB has been read.
        let mut cut = |_: Progress| file.set_len(length).unwrap();
        let error = build(&model, &out, threads(1), &mut cut).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::Changed { path } if path.ends_with("a")),
            "{error}"
        );
        assert!(!out.exists() && !folder.path().join("out.partial").exists());
    }
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let built = built();
    let mut seen = Vec::new();
    check(&built.archive, None, threads(1), &mut |progress| seen.push(progress)).unwrap();
    assert_eq!(seen.first().unwrap().done, 0);
    assert_eq!(seen.last().unwrap().done, built.hashed.hash_offset);
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    assert!(seen.len() >= 3 && seen.iter().all(|progress| progress.total == built.hashed.hash_offset));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_flipped_bit_of_an_archive_is_found(sizes in prop::collection::vec(0usize..9000, 1..6), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let folder = tempfile::tempdir().unwrap();
        let (model, archive) = (folder.path().join("model"), folder.path().join("archive"));
        let names: Vec<String> = (0..sizes.len()).map(|index| format!("file-{index}")).collect();
        let files: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(sizes).collect();
        write_folder(&model, &files);
        let hashed = build(&model, &archive, threads(2), &mut |_| {}).unwrap();
        let mut bytes = fs::read(&archive).unwrap();
        prop_assert_eq!(bytes.len() % BLOCK_BYTES, 0);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&archive, &bytes).unwrap();
        match check(&archive, Some(hashed.root), threads(2), &mut |_| {}) {
            Ok(checked) => prop_assert_ne!(checked.difference, None),
            Err(error) => prop_assert!(matches!(error, ArchiveError::Manifest(_))),
        }
    }
}
