//! `SHA256SUMS` of a release: what it lists, and whether the files are those.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::told::printable;
use crate::failure::{Exit, Failure, OrFail as _};

/// Name of the list.
pub(super) const SUMS: &str = "SHA256SUMS";
/// Name of its signature.
pub(super) const SIGNATURE: &str = "SHA256SUMS.minisig";

/// Bytes of the list: a release has some hundred files, most of them pages of the manual.
pub(super) const MAX_SUMS_BYTES: usize = 1 << 20;
/// Files of a release.
const MAX_FILES: usize = 10_000;
/// Folders inside each other; a release has three.
const MAX_DEPTH: usize = 8;
/// Bytes hashed at once.
const CHUNK_BYTES: usize = 1 << 20;

const HINT: &str = "name the folder that `scripts/release/build` writes";

/// The list: hashes by paths relative to the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums(BTreeMap<String, String>);

impl Sums {
    /// Reads a list; the first line that is not of its form is told.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut sums = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = |what: &str| format!("line {number} of {SUMS} {what}");
            // Two blanks, or a blank and a star for binary mode, as sha256sum writes them.
            let (hash, rest) = line.split_once(' ').ok_or_else(|| wrong("has no name"))?;
            let name = rest.strip_prefix([' ', '*']).ok_or_else(|| wrong("has no name"))?;
            let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if !is_hash {
                return Err(wrong("does not begin with a SHA-256 in lower case"));
            }
            let is_inside = Path::new(name)
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            if name.is_empty() || !is_inside {
                return Err(wrong("names something outside of the folder"));
            }
            if sums.insert(name.to_owned(), hash.to_owned()).is_some() {
                return Err(wrong("names a file once more"));
            }
            if sums.len() > MAX_FILES {
                return Err(wrong("is one too many"));
            }
        }
        if sums.is_empty() {
            return Err(format!("{SUMS} lists nothing"));
        }
        Ok(Self(sums))
    }

    /// How many files there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a file is listed.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The first difference between the list and a folder; none if every listed file is there and right and no other is.
    pub(super) fn difference(&self, folder: &Path) -> Result<Option<String>, Failure> {
        for name in self.0.keys() {
            if let Some(difference) = self.difference_of(folder, name)? {
                return Ok(Some(difference));
            }
        }
        let mut found = Vec::new();
        walk(folder, Path::new(""), 0, &mut found)?;
        let is_extra = |name: &&String| !self.lists(name) && *name != SUMS && *name != SIGNATURE;
        Ok(found
            .iter()
            .find(is_extra)
            .map(|name| format!("{name} is not listed in {SUMS}")))
    }

    /// How one listed file differs.
    pub(super) fn difference_of(&self, folder: &Path, name: &str) -> Result<Option<String>, Failure> {
        let Some(hash) = self.0.get(name) else {
            return Ok(Some(format!("{name} is not listed in {SUMS}")));
        };
        let path = folder.join(name);
        match std::fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Some(format!("{name} is listed and not there")));
            }
            Ok(found) if !found.is_file() => return Ok(Some(format!("{name} is not a plain file"))),
            _ => {}
        }
        let found = sha256(&path)?;
        Ok((found != *hash).then(|| format!("{name} has the SHA-256 {found}, and {SUMS} says {hash}")))
    }
}

fn sha256(path: &Path) -> Result<String, Failure> {
    let doing = format!("cannot read {}", printable(&path.to_string_lossy()));
    let mut file = File::open(path).or_fail(Exit::Configuration, &doing, HINT)?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk).or_fail(Exit::Configuration, &doing, HINT)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(chunk.get(..read).unwrap_or_default()),
        }
    }
}

/// Everything below a folder that is no folder, by paths relative to it.
fn walk(folder: &Path, inside: &Path, depth: usize, found: &mut Vec<String>) -> Result<(), Failure> {
    let doing = format!("cannot read {}", printable(&folder.join(inside).to_string_lossy()));
    let entries = std::fs::read_dir(folder.join(inside)).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries = entries.or_fail(Exit::Configuration, &doing, HINT)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path: PathBuf = inside.join(entry.file_name());
        let kind = entry.file_type().or_fail(Exit::Configuration, &doing, HINT)?;
        if !kind.is_dir() {
            found.push(path.to_string_lossy().into_owned());
        } else if depth < MAX_DEPTH {
            walk(folder, &path, depth + 1, found)?;
        }
        if found.len() > MAX_FILES || (kind.is_dir() && depth >= MAX_DEPTH) {
            let error = anyhow::anyhow!("{} has more files or folders than a release", folder.display());
            return Err(Failure::new(Exit::Configuration, error, HINT));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_list_that_leaves_the_folder_or_is_torn_is_refused_by_line() {
        let good = format!("{EMPTY}  bin/cocoon\n{EMPTY} *release.json\n");
        assert_eq!(Sums::parse(&good).unwrap().len(), 2);
        for (text, says) in [
            (String::new(), "lists nothing"),
            (format!("{good}{EMPTY}"), "line 3 of SHA256SUMS has no name"),
            (format!("{good}{EMPTY}  bin/cocoon\n"), "names a file once more"),
            (format!("{EMPTY}  ../x\n"), "outside"),
            (format!("{EMPTY}  /etc/passwd\n"), "outside"),
            (format!("{}  x\n", EMPTY.to_uppercase()), "lower case"),
        ] {
            let error = Sums::parse(&text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_first_difference_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("bin")).unwrap();
        std::fs::write(at("bin/cocoon"), "").unwrap();
        std::fs::write(at(SUMS), "the list itself is not listed").unwrap();
        let sums = Sums::parse(&format!("{EMPTY}  bin/cocoon\n")).unwrap();
        let difference = || sums.difference(folder.path()).unwrap();
        assert_eq!(difference(), None);
        std::fs::write(at("bin/other"), "").unwrap();
        assert_eq!(difference().unwrap(), "bin/other is not listed in SHA256SUMS");
        std::fs::write(at("bin/cocoon"), "x").unwrap();
        assert!(difference().unwrap().starts_with("bin/cocoon has the SHA-256 2d71"));
        std::fs::remove_file(at("bin/cocoon")).unwrap();
        assert_eq!(difference().unwrap(), "bin/cocoon is listed and not there");
        std::os::unix::fs::symlink("other", at("bin/cocoon")).unwrap();
        assert_eq!(difference().unwrap(), "bin/cocoon is not a plain file");
    }
}
