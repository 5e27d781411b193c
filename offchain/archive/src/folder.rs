//! A model's folder as a stream of the bytes of its archive.

use crate::error::ArchiveError;
use crate::limits::MAX_NAMES;
use cocoon_manifest::archive::{Layout, PlacedFile};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Lays out the files of a folder and of the folders in it. Names that begin with a dot are passed over: they belong to
/// tools (`.git`, unfinished downloads), not to the model. Links to files are read as the files, as caches of hubs
/// have them.
pub(crate) fn lay_out(folder: &Path) -> Result<Layout, ArchiveError> {
    let mut files = Vec::new();
    let mut seen = 0;
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = open.pop() {
        for entry in path.read_dir().map_err(ArchiveError::read(&path))? {
            let path = entry.map_err(ArchiveError::read(&path))?.path();
            seen += 1;
            if seen > MAX_NAMES {
                return Err(ArchiveError::TooMany {
                    path: folder.to_owned(),
                });
            }
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                return Err(ArchiveError::Kind { path });
            };
            if name.starts_with('.') {
                continue;
            }
            let inside = format!("{prefix}{name}");
            let is_link = path.is_symlink();
            let metadata = path.metadata().map_err(ArchiveError::read(&path))?;
            if metadata.is_file() {
                files.push((inside, metadata.len()));
            } else if metadata.is_dir() && !is_link {
                open.push((path, format!("{inside}/")));
            } else {
                return Err(ArchiveError::Kind { path });
            }
        }
    }
    Ok(Layout::new(files)?)
}

/// The bytes of the file system of a folder, in order.
pub(crate) struct FolderStream<'a> {
    folder: &'a Path,
    layout: &'a Layout,
    /// Place in the archive.
    position: u64,
    /// The place of the next file among the layout's.
    next: usize,
    open: Option<Open<'a>>,
}

/// A file that is being read.
struct Open<'a> {
    path: PathBuf,
    file: File,
    placed: &'a PlacedFile,
}

impl<'a> FolderStream<'a> {
    pub(crate) fn new(folder: &'a Path, layout: &'a Layout) -> Self {
        Self {
            folder,
            layout,
            position: 0,
            next: 0,
            open: None,
        }
    }

    /// Fills the buffer with the bytes at the position.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = &mut buffer[filled..];
            let head = usize::try_from(self.position).ok();
            let head = head.and_then(|position| self.layout.head().get(position..));
            let count = match head.filter(|head| !head.is_empty()) {
                Some(head) => {
                    let count = head.len().min(rest.len());
                    rest[..count].copy_from_slice(&head[..count]);
                    count
                }
                None => self.fill_from_file(rest)?,
            };
            filled += count;
            self.position += count as u64;
        }
        // A file that ends here is found to have changed here, and not when there is nothing more to read.
        self.close_at(self.position)
    }

    /// Fills the beginning of a buffer from the file that lies at the position, or with the zeros behind it.
    fn fill_from_file(&mut self, buffer: &mut [u8]) -> Result<usize, ArchiveError> {
        self.close_at(self.position)?;
        let open = match self.open.take() {
            Some(open) => open,
            None => self.open_next()?,
        };
        let open = self.open.insert(open);
        let within = self.position - open.placed.offset();
        let left = open.placed.size().saturating_sub(within);
        let count = |left: u64| usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if left > 0 {
            let count = count(left);
            let read = open.file.read_exact(&mut buffer[..count]);
            read.map_err(|source| match source.kind() {
                std::io::ErrorKind::UnexpectedEof => ArchiveError::Changed {
                    path: open.path.clone(),
                },
                _ => ArchiveError::read(&open.path)(source),
            })?;
            return Ok(count);
        }
        let count = count(open.placed.end() - self.position);
        buffer[..count].fill(0);
        Ok(count)
    }

    /// Opens the next file that has content.
    fn open_next(&mut self) -> Result<Open<'a>, ArchiveError> {
        let placed = self.layout.files().get(self.next..).unwrap_or_default().iter();
        let (skipped, placed) = placed
            .enumerate()
            .find(|(_, placed)| placed.size() > 0)
            .ok_or_else(|| ArchiveError::Changed {
                path: self.folder.to_owned(),
            })?;
        self.next += skipped + 1;
        let path = self.folder.join(placed.path());
        let file = File::open(&path).map_err(ArchiveError::read(&path))?;
        Ok(Open { path, file, placed })
    }

    /// Closes the open file if it ends at `position`; it must not have grown.
    fn close_at(&mut self, position: u64) -> Result<(), ArchiveError> {
        let Some(mut open) = self.open.take_if(|open| open.placed.end() <= position) else {
            return Ok(());
        };
        match open.file.read(&mut [0]).map_err(ArchiveError::read(&open.path))? {
            0 => Ok(()),
            _ => Err(ArchiveError::Changed { path: open.path }),
        }
    }
}
