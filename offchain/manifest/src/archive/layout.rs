//! Where everything lies.

use super::directory::{self, Entry};
use super::inode::{INODE_BYTES, INODES_AT, Inode, Kind, SUPERBLOCK_AT, superblock};
use super::{BLOCK, BLOCK_BYTES};
use crate::error::ManifestError;
use crate::file::check_path;
use crate::limits::{MAX_ARCHIVE_BYTES, MAX_FILES};
use std::collections::BTreeMap;

/// A file and where its content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) offset: u64,
}

impl PlacedFile {
    /// Path relative to the model's folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Size in bytes, without the zeros behind it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where it begins, in bytes from the beginning of the archive.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the zeros behind it end, in bytes from the beginning of the archive.
    pub fn end(&self) -> u64 {
        self.offset + self.size.next_multiple_of(BLOCK)
    }
}

/// The file system without the content of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    head: Vec<u8>,
    files: Vec<PlacedFile>,
    blocks: u64,
}

/// A directory while the tree is put together: its names, each with what it names.
#[derive(Default)]
struct Folder<'a>(BTreeMap<&'a str, Node<'a>>);

enum Node<'a> {
    File(usize),
    Folder(Folder<'a>),
}

impl Layout {
    /// Places files, named by path and size in bytes, in any order. Paths are as in
    /// [`FileEntry::new`](crate::FileEntry::new); no path may be the beginning of another.
    pub fn new(files: impl IntoIterator<Item = (String, u64)>) -> Result<Self, ManifestError> {
        let mut files: Vec<PlacedFile> = files
            .into_iter()
            .map(|(path, size)| PlacedFile { path, size, offset: 0 })
            .collect();
        if files.is_empty() || files.len() > MAX_FILES {
            return Err(ManifestError::FileCount { count: files.len() });
        }
        files.iter().try_for_each(|file| check_path(&file.path))?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        if let Some(at) = files.windows(2).position(|pair| pair[0].path == pair[1].path) {
            return Err(ManifestError::Order { index: at + 1 });
        }
        let bytes = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        if bytes > MAX_ARCHIVE_BYTES {
            return Err(ManifestError::ArchiveSize { bytes });
        }
        let mut table = Table::default();
        table.add_folder(tree(&files)?, 0);
        // The topmost one is not counted.
        let folders = table.directories.len() - 1;
        if folders > MAX_FILES {
            return Err(ManifestError::FolderCount { count: folders });
        }
        let (head, blocks) = table.finish(&mut files);
        Ok(Self { head, files, blocks })
    }

    /// The beginning of the archive, in whole blocks: everything before the first file's content.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The files in the order of their content, which is that of their paths.
    pub fn files(&self) -> &[PlacedFile] {
        &self.files
    }

    /// Blocks of the whole file system.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The file to which byte `offset` of the archive belongs, zeros behind it included; none for the head.
    pub fn file_at(&self, offset: u64) -> Option<&PlacedFile> {
        self.files
            .iter()
            .find(|file| (file.offset..file.end()).contains(&offset))
    }
}

fn tree(files: &[PlacedFile]) -> Result<Folder<'_>, ManifestError> {
    let mut root = Folder::default();
    for (index, file) in files.iter().enumerate() {
        let refuse = || ManifestError::Path {
            path: file.path.chars().take(80).collect(),
        };
        let mut folder = &mut root;
        let (parents, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        for parent in parents.split('/').filter(|parent| !parent.is_empty()) {
            let node = folder.0.entry(parent).or_insert(Node::Folder(Folder::default()));
            folder = match node {
                Node::Folder(folder) => folder,
                Node::File(_) => return Err(refuse()),
            };
        }
        if folder.0.insert(name, Node::File(index)).is_some() {
            return Err(refuse());
        }
    }
    Ok(root)
}

/// The inodes while the tree is walked: a directory, then what is in it, name by name.
#[derive(Default)]
struct Table {
    inodes: Vec<Inode>,
    /// Contents of the directories, by the places of their inodes.
    directories: Vec<(usize, Vec<u8>)>,
    /// For each inode of a file: its place among the files.
    files: Vec<(usize, usize)>,
}

impl Table {
    /// Adds a directory and all below it; `parent` is the place of its parent's inode. Returns its own place.
    fn add_folder(&mut self, folder: Folder<'_>, parent: u32) -> u32 {
        let index = self.add(Kind::Directory);
        let entry = |name: &str, index, kind| Entry {
            name: name.to_owned(),
            index,
            kind,
        };
        let mut entries = vec![entry(".", index, Kind::Directory), entry("..", parent, Kind::Directory)];
        for (name, node) in folder.0 {
            entries.push(match node {
                Node::Folder(below) => entry(name, self.add_folder(below, index), Kind::Directory),
                Node::File(file) => {
                    let place = self.add(Kind::File);
                    self.files.push((place as usize, file));
                    entry(name, place, Kind::File)
                }
            });
        }
        // A directory is named by its parent, by itself and by each directory in it.
        let links = entries.iter().filter(|entry| entry.kind == Kind::Directory).count();
        let inode = &mut self.inodes[index as usize];
        inode.links = links as u32;
        self.directories
            .push((index as usize, directory::to_bytes(&mut entries)));
        index
    }

    /// A new inode. A path of bounded length names few directories, so their number has 32 bits before it is checked.
    fn add(&mut self, kind: Kind) -> u32 {
        let index = self.inodes.len() as u32;
        self.inodes.push(Inode {
            kind,
            size: 0,
            block: 0,
            links: 1,
        });
        index
    }

    /// Places all contents: returns the beginning of the file system and the number of its blocks.
    fn finish(mut self, files: &mut [PlacedFile]) -> (Vec<u8>, u64) {
        self.directories.sort_by_key(|(index, _)| *index);
        self.files.sort_by_key(|(_, file)| *file);
        let mut end = (INODES_AT + INODE_BYTES * self.inodes.len()).next_multiple_of(BLOCK_BYTES) as u64;
        let mut place = |inode: &mut Inode, size: u64| {
            let offset = end;
            inode.size = size;
            // Sizes are bounded so that all blocks have numbers of 32 bits. What is empty lies nowhere.
            inode.block = if size == 0 { 0 } else { (offset / BLOCK) as u32 };
            end += size.next_multiple_of(BLOCK);
            offset
        };
        let mut contents = Vec::new();
        for (index, content) in &self.directories {
            place(&mut self.inodes[*index], content.len() as u64);
            contents.extend_from_slice(content);
            contents.resize(contents.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        for (index, file) in &self.files {
            let file = &mut files[*file];
            file.offset = place(&mut self.inodes[*index], file.size);
        }
        let blocks = end / BLOCK;
        let mut head = vec![0; SUPERBLOCK_AT];
        head.extend(superblock(self.inodes.len() as u32, blocks as u32));
        for (index, inode) in self.inodes.iter().enumerate() {
            head.extend(inode.to_bytes(index as u32));
        }
        head.resize(head.len().next_multiple_of(BLOCK_BYTES), 0);
        head.extend(contents);
        (head, blocks)
    }
}
