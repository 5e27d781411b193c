//! `cocoon model verify`: what a folder or an archive is, computed anew, and what differs.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cocoon_archive::{Hashed, check, hash_folder};
use cocoon_manifest::FileEntry;
use cocoon_manifest::verity::RootHash;
use serde::Serialize;

use super::archive::ArchivedFile;
use crate::args::model::VerifyArgs;
use crate::failure::{Exit, Failure, from_archive};
use crate::output::Output;
use crate::progress::Portion;

#[derive(Serialize)]
struct Verified {
    path: PathBuf,
    /// Whether nothing differs.
    matches: bool,
    /// What differs first.
    difference: Option<String>,
    /// Fields of the manifest that differ, when there was one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    manifest_differences: Vec<String>,
    /// Root of the hash tree over what is there.
    verity_hash: String,
    /// The name that was asked for.
    name: Option<String>,
    /// SHA-256 of that name: what the root contract lists.
    model_hash: Option<String>,
    files: Vec<ArchivedFile>,
}

/// A folder or an archive that was read.
struct Read {
    hashed: Hashed,
    difference: Option<String>,
}

/// Verifies a folder or an archive.
pub(crate) fn verify(args: VerifyArgs, output: Output) -> Result<Exit, Failure> {
    let expected = args.name.as_ref().map(|(_, root)| *root);
    let one = read(&args.path, expected, args.threads, output)?;
    let mut difference = one.difference;
    if let Some(against) = &args.against {
        let other = read(against, expected, args.threads, output)?;
        let in_files = first_difference(&one.hashed.files, &other.hashed.files);
        let in_other = other.difference.map(|text| format!("{}: {text}", against.display()));
        // Which file it is says more than that the hash is another.
        difference = in_files.or(difference).or(in_other);
    }
    let manifest_differences = match &args.manifest {
        #[cfg(not(feature = "engine"))]
        Some(_) => return Err(crate::command::no_engine::failure("a manifest cannot be compared")),
        #[cfg(feature = "engine")]
        Some(manifest) => super::manifest::differences(&args.path, manifest, output)?,
        None => Vec::new(),
    };
    difference = difference.or_else(|| manifest_differences.first().cloned());
    let verified = Verified {
        manifest_differences,
        path: args.path,
        matches: difference.is_none(),
        difference,
        verity_hash: one.hashed.root.to_string(),
        model_hash: args.name.as_ref().map(|(name, _)| name.model_hash().to_string()),
        name: args.name.map(|(name, _)| name.to_string()),
        files: one.hashed.files.iter().map(ArchivedFile::from).collect(),
    };
    output.result(&verified, Verified::text)?;
    Ok(if verified.matches { Exit::Done } else { Exit::Negative })
}

fn read(
    path: &Path,
    expected: Option<RootHash>,
    threads: Option<NonZeroUsize>,
    output: Output,
) -> Result<Read, Failure> {
    let portion = Portion::new(output, &format!("hashing {}", path.display()));
    let mut progress = |progress: cocoon_archive::Progress| portion.at(progress.done, progress.total);
    if path.is_dir() {
        let hashed = hash_folder(path, threads, &mut progress).map_err(from_archive)?;
        let other = expected.filter(|expected| *expected != hashed.root);
        let difference = other.map(|expected| format!("the folder gives another archive than {expected}"));
        return Ok(Read { hashed, difference });
    }
    let checked = check(path, expected, threads, &mut progress).map_err(from_archive)?;
    Ok(Read {
        difference: checked.difference.map(|difference| difference.to_string()),
        hashed: checked.hashed,
    })
}

/// The first difference between two lists in ascending order of path.
fn first_difference(ours: &[FileEntry], theirs: &[FileEntry]) -> Option<String> {
    let at = (0..ours.len().max(theirs.len())).find(|at| ours.get(*at) != theirs.get(*at))?;
    Some(match (ours.get(at), theirs.get(at)) {
        (Some(our), Some(their)) if our.path() == their.path() => match our.size() == their.size() {
            true => format!("{} differs", our.path()),
            false => format!("{} has {} bytes, not {}", our.path(), our.size(), their.size()),
        },
        (Some(our), Some(their)) if our.path() < their.path() => format!("{} is too much", our.path()),
        (Some(our), None) => format!("{} is too much", our.path()),
        (_, Some(their)) => format!("{} is missing", their.path()),
        (None, None) => return None,
    })
}

impl Verified {
    fn text(&self) -> String {
        let verdict = match (&self.difference, &self.name) {
            (Some(difference), _) => difference.clone(),
            (None, Some(name)) => format!("it is {name}"),
            (None, None) => "nothing differs".to_owned(),
        };
        let mut lines = vec![
            format!("{}: {verdict}", self.path.display()),
            format!("  verity hash  {}", self.verity_hash),
        ];
        if let Some(hash) = self.model_hash.as_ref().filter(|_| self.matches) {
            lines.push(format!("  model hash   {hash}"));
        }
        let fields = self.manifest_differences.iter();
        lines.extend(fields.map(|field| format!("  DIFFERS      {field}")));
        let files = self.files.iter();
        lines.extend(files.map(|file| format!("  {}  {}", file.sha256(), file.path())));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cocoon_manifest::FileHash;

    fn files(named: &[(&str, &str)]) -> Vec<FileEntry> {
        let entry = |(path, content): &(&str, &str)| {
            FileEntry::new(path, content.len() as u64, FileHash::of(content.as_bytes())).unwrap()
        };
        named.iter().map(entry).collect()
    }

    #[test]
    fn the_first_file_that_differs_is_named_with_how() {
        let base = files(&[("a", "1"), ("b", "2"), ("d", "3")]);
        let difference = |other: &[(&str, &str)]| first_difference(&files(other), &base);
        assert_eq!(difference(&[("a", "1"), ("b", "2"), ("d", "3")]), None);
        assert_eq!(difference(&[("a", "1"), ("b", "9"), ("d", "9")]).unwrap(), "b differs");
        assert_eq!(
            difference(&[("a", "1"), ("b", "22"), ("d", "3")]).unwrap(),
            "b has 2 bytes, not 1"
        );
        assert_eq!(difference(&[("a", "1"), ("d", "3")]).unwrap(), "b is missing");
        assert_eq!(
            difference(&[("a", "1"), ("b", "2"), ("c", "2"), ("d", "3")]).unwrap(),
            "c is too much"
        );
        assert_eq!(difference(&[("a", "1"), ("b", "2")]).unwrap(), "d is missing");
        assert_eq!(
            difference(&[("a", "1"), ("b", "2"), ("d", "3"), ("e", "4")]).unwrap(),
            "e is too much"
        );
        assert_eq!(difference(&[]).unwrap(), "a is missing");
    }
}
