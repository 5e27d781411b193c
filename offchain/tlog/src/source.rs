//! Where the files of a published log come from.

use std::fmt::Debug;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cocoon_ratls::off_thread;

use crate::error::{TlogError, disk};
use crate::http::HttpSource;
use crate::limits::largest;
use crate::paths;

/// A place that has the files of a log. Nothing that it says is believed before it was checked.
#[async_trait]
pub trait LogSource: Debug + Send + Sync {
    /// The file at a path of the log, such as `tile/0/000`; `None` when there is none. Never more bytes than
    /// [`crate::limits::largest`] says: a larger file is an error.
    async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError>;
}

/// A shared source.
pub type SharedSource = Arc<dyn LogSource>;

/// A source by its name: the folder of a log, or the URL under which it is served.
pub fn source(text: &str) -> Result<SharedSource, TlogError> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(Arc::new(HttpSource::new(text)?));
    }
    if Path::new(text).is_dir() {
        return Ok(Arc::new(FolderSource::new(text)));
    }
    Err(TlogError::Place { text: text.to_owned() })
}

/// A folder of this machine.
#[derive(Debug, Clone)]
pub struct FolderSource {
    base: PathBuf,
}

impl FolderSource {
    /// The folder.
    pub fn new(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }
}

#[async_trait]
impl LogSource for FolderSource {
    async fn read(&self, path: &str) -> Result<Option<Bytes>, TlogError> {
        if paths::known(path).is_none() {
            return Ok(None);
        }
        let (file, name) = (self.base.join(path), path.to_owned());
        let read = off_thread(move || read_bounded(&file, &name)).await;
        read.unwrap_or_else(|stopped| Err(disk("read", path)(std::io::Error::other(stopped))))
    }
}

/// A file of at most so many bytes as its name allows.
pub(crate) fn read_bounded(file: &Path, path: &str) -> Result<Option<Bytes>, TlogError> {
    let limit = largest(path);
    let opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        // The partial form of a tile lies in a folder that may be gone.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(disk("read", path)(error)),
    };
    let mut bytes = Vec::new();
    let read = opened.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(disk("read", path))?;
    if bytes.len() > limit {
        let path = path.to_owned();
        return Err(TlogError::TooLarge { path, limit });
    }
    Ok(Some(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_gives_its_files_and_nothing_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "x").unwrap();
        let base = folder.path().join("log");
        std::fs::create_dir(&base).unwrap();
        std::fs::write(base.join("checkpoint"), "note").unwrap();
        std::fs::write(base.join("mark.json"), "{}").unwrap();
        let source = source(base.to_str().unwrap()).unwrap();
        assert_eq!(source.read("checkpoint").await.unwrap(), Some("note".into()));
        for path in ["../secret", "mark.json", "tile/0/000", "tile/0/000.p/3", "/etc/passwd"] {
            assert_eq!(source.read(path).await.unwrap(), None, "{path}");
        }
        std::fs::write(base.join("checkpoint"), vec![b'x'; 20_000]).unwrap();
        assert!(matches!(
            source.read("checkpoint").await,
            Err(TlogError::TooLarge { limit: 16_384, .. })
        ));
        assert!(matches!(super::source("no/such/folder"), Err(TlogError::Place { .. })));
    }
}
