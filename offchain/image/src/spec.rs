//! The measured configuration: a small tree of files, named by the id that git gives it.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::error::ImageError;
use crate::limits::{MAX_SPEC_DEPTH, MAX_SPEC_FILE_BYTES, MAX_SPEC_FILES};

/// A file, or a folder of more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Content of a file. Files of a configuration are not programs: all have git's mode 100644.
    File(Vec<u8>),
    /// What a folder holds, by name. Git knows no empty folders: they are left out of the id.
    Folder(BTreeMap<String, Node>),
}

/// The id of a tree, as `git write-tree` computes it in a repository with SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId([u8; 32]);

impl TreeId {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TreeId({self})")
    }
}

impl std::str::FromStr for TreeId {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| ImageError::Malformed {
            file: "id of the configuration's tree",
            fault: "is not 64 hexadecimal digits",
        })?;
        Ok(Self(id))
    }
}

/// The tree of the measured configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    root: BTreeMap<String, Node>,
    files: usize,
}

impl Spec {
    /// Adds a file or a folder at a path such as `guest.toml` or `keys/one`; folders on the way are made.
    pub fn insert(&mut self, path: &str, node: Node) -> Result<(), ImageError> {
        let refused = || ImageError::Path {
            path: path.chars().take(80).collect(),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let depth = parts.len() + measure(&node)?;
        if depth > MAX_SPEC_DEPTH {
            return Err(too_much(
                "folders inside folders of the configuration",
                depth,
                MAX_SPEC_DEPTH,
            ));
        }
        let files = self.files + count(&node);
        if files > MAX_SPEC_FILES {
            return Err(too_much("files of the configuration", files, MAX_SPEC_FILES));
        }
        let Some((name, folders)) = parts.split_last() else {
            return Err(refused());
        };
        let mut place = &mut self.root;
        for folder in folders {
            checked(folder)?;
            let below = place
                .entry((*folder).to_owned())
                .or_insert_with(|| Node::Folder(BTreeMap::new()));
            match below {
                Node::Folder(inner) => place = inner,
                Node::File(_) => return Err(refused()),
            }
        }
        checked(name)?;
        if place.contains_key(*name) {
            return Err(refused());
        }
        place.insert((*name).to_owned(), node);
        self.files = files;
        Ok(())
    }

    /// Content of the file at `path`.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let mut place = &self.root;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            match (place.get(part)?, parts.peek()) {
                (Node::File(content), None) => return Some(content),
                (Node::Folder(inner), Some(_)) => place = inner,
                _ => return None,
            }
        }
        None
    }

    /// Its id.
    pub fn tree_id(&self) -> TreeId {
        TreeId(folder_id(&self.root))
    }
}

/// A name inside one folder.
fn checked(name: &str) -> Result<(), ImageError> {
    let odd = name.chars().any(|character| character.is_control() || character == '/');
    match odd || name.len() > 255 || matches!(name, "" | "." | ".." | ".git") {
        true => Err(ImageError::Path {
            path: name.chars().take(80).collect(),
        }),
        false => Ok(()),
    }
}

/// Checks what is inside `node` and says how many folders deep it is.
fn measure(node: &Node) -> Result<usize, ImageError> {
    match node {
        Node::File(content) if content.len() > MAX_SPEC_FILE_BYTES => Err(too_much(
            "bytes of a configuration file",
            content.len(),
            MAX_SPEC_FILE_BYTES,
        )),
        Node::File(_) => Ok(0),
        Node::Folder(inner) => inner.iter().try_fold(0, |deepest: usize, (name, node)| {
            checked(name)?;
            Ok(deepest.max(1 + measure(node)?))
        }),
    }
}

fn count(node: &Node) -> usize {
    match node {
        Node::File(_) => 1,
        Node::Folder(inner) => inner.values().map(count).sum(),
    }
}

fn too_much(what: &'static str, count: usize, limit: usize) -> ImageError {
    ImageError::TooMuch {
        what,
        count: count as u64,
        limit: limit as u64,
    }
}

/// Git's object id: the kind, the length, a zero byte, the content.
fn object_id(kind: &str, content: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{kind} {}\0", content.len()));
    hash.update(content);
    hash.finalize().into()
}

fn folder_id(folder: &BTreeMap<String, Node>) -> [u8; 32] {
    let mut entries: Vec<(Vec<u8>, Vec<u8>)> = folder.iter().filter(|(_, node)| count(node) > 0).map(entry).collect();
    entries.sort();
    object_id(
        "tree",
        &entries.into_iter().flat_map(|(_, line)| line).collect::<Vec<u8>>(),
    )
}

/// By what git sorts an entry (folders as if their name ended with a slash), and the entry itself.
fn entry((name, node): (&String, &Node)) -> (Vec<u8>, Vec<u8>) {
    let (mode, end, id) = match node {
        Node::File(content) => ("100644", "", object_id("blob", content)),
        Node::Folder(inner) => ("40000", "/", folder_id(inner)),
    };
    let mut line = format!("{mode} {name}\0").into_bytes();
    line.extend_from_slice(&id);
    (format!("{name}{end}").into_bytes(), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Git computed the id: `git init --object-format=sha256`, these files, `git add -A; git write-tree`.
    #[test]
    fn tree_id_is_the_one_that_git_computes() {
        let mut spec = Spec::default();
        for (path, content) in [
            ("guest.toml", "[runner]\n"),
            ("a/b", "1"),
            ("a.b", "2"),
            ("a/c/d", ""),
            ("a0", "3"),
        ] {
            spec.insert(path, Node::File(content.into())).unwrap();
        }
        spec.insert("empty", Node::Folder(BTreeMap::new())).unwrap();
        assert_eq!(
            spec.tree_id().to_string(),
            "ffd83f34f01c4a2f858121288a11930a446635e6de855856adce95b465612b3b"
        );
        assert_eq!(spec.file("a/b"), Some(&b"1"[..]));
        assert_eq!((spec.file("a"), spec.file("a/b/c"), spec.file("x")), (None, None, None));
    }

    #[test]
    fn a_name_that_leaves_the_tree_is_refused() {
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a\nb"] {
            assert!(
                Spec::default().insert(path, Node::File(Vec::new())).is_err(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn a_file_is_there_once_and_is_no_folder() {
        let mut spec = Spec::default();
        spec.insert("a", Node::File(Vec::new())).unwrap();
        assert!(spec.insert("a", Node::File(Vec::new())).is_err());
        assert!(spec.insert("a/b", Node::File(Vec::new())).is_err());
    }

    #[test]
    fn every_byte_of_content_and_name_changes_the_id() {
        let id = |path: &str, content: &[u8]| {
            let mut spec = Spec::default();
            spec.insert(path, Node::File(content.to_vec())).unwrap();
            spec.tree_id()
        };
        let base = id("guest.toml", b"ab");
        for other in [
            id("guest.tomk", b"ab"),
            id("guest.toml", b"aB"),
            id("guest.toml", b"ab\0"),
        ] {
            assert_ne!(base, other);
        }
    }
}
