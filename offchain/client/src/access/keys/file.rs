//! The file in which API keys are kept, for its owner alone.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ApiKey, check_name};
use crate::limits::{MAX_API_KEYS, MAX_KEY_NAME, MAX_KEYS_FILE_BYTES};

/// Format of the file.
const FORMAT: u32 = 1;

/// A file with keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysFile {
    format: u32,
    /// The keys, in the order in which they were made.
    pub keys: Vec<ApiKey>,
}

impl Default for KeysFile {
    fn default() -> Self {
        let keys = Vec::new();
        Self { format: FORMAT, keys }
    }
}

/// What is wrong with keys or their file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is none of keys.
    #[error("{} is no file of API keys: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Others may read or change the file.
    #[error("{} is open to others (mode {mode:03o})", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A name that no key may have.
    #[error("{name:?} is no name for a key")]
    Name {
        /// The name, shortened.
        name: String,
    },
    /// Another key has the name.
    #[error("there is a key called {name} already")]
    Taken {
        /// The name.
        name: String,
    },
    /// No key has the name.
    #[error("there is no key called {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The file is full.
    #[error("{} keys are all that a client has", MAX_API_KEYS)]
    TooMany,
}

impl KeysError {
    /// One sentence for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check the path of [access] keys_file and the permissions of its folder",
            Self::Format { .. } => {
                "is it the file that [access] keys_file means? `cocoon client key create` makes a new one"
            }
            Self::Mode { .. } => "run chmod 600 on the file",
            Self::Name { .. } => "a name has 1 to 64 letters, digits, dots, underscores and hyphens",
            Self::Taken { .. } => {
                "choose another name; a revoked key keeps its name, so that old figures are not taken for a new key's"
            }
            Self::Unknown { .. } => "`cocoon client key list` names all",
            Self::TooMany => "remove keys that were revoked long ago from the file",
        }
    }
}

impl KeysFile {
    /// Reads a file; one that is not there has no keys.
    pub fn load(path: &Path) -> Result<Self, KeysError> {
        let io = |source| KeysError::Io {
            doing: "read",
            path: path.to_path_buf(),
            source,
        };
        let about = match std::fs::metadata(path) {
            Ok(about) => about,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(io(error)),
        };
        check_mode(path, &about)?;
        let format = |problem: String| KeysError::Format {
            path: path.to_path_buf(),
            problem,
        };
        if about.len() > MAX_KEYS_FILE_BYTES {
            return Err(format(format!("it has more than {MAX_KEYS_FILE_BYTES} bytes")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
        file.check().map_err(format)?;
        Ok(file)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("its format is {}, and {FORMAT} is known", self.format));
        }
        if self.keys.len() > MAX_API_KEYS {
            return Err(format!("it has more than {MAX_API_KEYS} keys"));
        }
        let (mut names, mut hashes) = (BTreeSet::new(), BTreeSet::new());
        for key in &self.keys {
            check_name(&key.name).map_err(|error| error.to_string())?;
            let is_hash = key.hash.len() == 64 && key.hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if !is_hash {
                return Err(format!("the hash of {} is not 64 hex digits in lower case", key.name));
            }
            if !names.insert(&key.name) || !hashes.insert(&key.hash) {
                return Err(format!("{} is there twice", key.name));
            }
        }
        Ok(())
    }

    /// Adds a key.
    pub fn add(&mut self, key: ApiKey) -> Result<(), KeysError> {
        if self.keys.len() >= MAX_API_KEYS {
            return Err(KeysError::TooMany);
        }
        if self.keys.iter().any(|known| known.name == key.name) {
            return Err(KeysError::Taken { name: key.name });
        }
        self.keys.push(key);
        Ok(())
    }

    /// A key by its name.
    pub fn find(&mut self, name: &str) -> Result<&mut ApiKey, KeysError> {
        let found = self.keys.iter_mut().find(|key| key.name == name);
        found.ok_or_else(|| KeysError::Unknown {
            name: name.chars().take(MAX_KEY_NAME).collect(),
        })
    }

    /// Changes a file: reads it, lets `change` work on it, and writes it. Whoever changes it meanwhile waits.
    pub fn change<T>(path: &Path, change: impl FnOnce(&mut Self) -> Result<T, KeysError>) -> Result<T, KeysError> {
        let io = |doing, path: &Path| {
            let path = path.to_path_buf();
            move |source| KeysError::Io { doing, path, source }
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(io("create", folder))?;
        let beside = |ending: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        // Of its own, since the file itself is replaced. It ends with the handle.
        let lock_path = beside(".lock");
        let lock = private(&lock_path, false).map_err(io("open", &lock_path))?;
        lock.lock().map_err(io("lock", &lock_path))?;
        let mut file = Self::load(path)?;
        let outcome = change(&mut file)?;
        let bytes = serde_json::to_vec_pretty(&file).map_err(|error| KeysError::Io {
            doing: "write",
            path: path.to_path_buf(),
            source: error.into(),
        })?;
        let new = beside(".new");
        private(&new, true)
            .and_then(|mut handle| handle.write_all(&bytes).and_then(|()| handle.sync_all()))
            .map_err(io("write", &new))?;
        std::fs::rename(&new, path).map_err(io("replace", path))?;
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(io("sync", folder))?;
        Ok(outcome)
    }
}

/// Opens a file that only its owner may read, made when missing.
fn private(path: &Path, is_emptied: bool) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(is_emptied);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // One that an earlier attempt left has the mode that it had.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// Whoever may write it gives himself a key, and whoever may read it learns names and limits.
fn check_mode(path: &Path, about: &std::fs::Metadata) -> Result<(), KeysError> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            let path = path.to_path_buf();
            return Err(KeysError::Mode { path, mode });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
