//! API keys: what a key may do, and the file in which keys are kept. Of a key's secret only the hash is known here.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cocoon_bindings::units::Nanoton;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::limits::{MAX_API_KEYS, MAX_KEY_NAME, MAX_KEYS_FILE_BYTES};

/// How each secret begins, so that it is recognised for what it is.
pub const PREFIX: &str = "ck-";
/// Characters of a secret that may be shown: enough to tell keys apart, too few to guess by.
const SHOWN: usize = PREFIX.len() + 6;
/// Format of the file.
const FORMAT: u32 = 1;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Asking models, and for quotes.
    Inference,
    /// Models, receipts, attestation, statistics.
    Read,
    /// What moves money between the wallet and its contracts.
    Wallet,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Inference, Self::Read, Self::Wallet, Self::Admin];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Read => "read",
            Self::Wallet => "wallet",
            Self::Admin => "admin",
        }
    }
}

/// What a key may ask of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointName {
    /// `/v1/chat/completions`
    Chat,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/responses`
    Responses,
    /// `/v1/messages`
    Messages,
}

impl EndpointName {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Messages,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    /// The endpoint at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Chat),
            "/v1/completions" => Some(Self::Completions),
            "/v1/embeddings" => Some(Self::Embeddings),
            "/v1/responses" => Some(Self::Responses),
            "/v1/messages" => Some(Self::Messages),
            _ => None,
        }
    }
}

/// How much a key may use. What is left out has no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// Money in all, nanoton.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend: Option<Nanoton>,
    /// Money of one day (UTC), nanoton.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_per_day: Option<Nanoton>,
    /// Requests of a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u64>,
    /// Adjusted tokens of a minute: while a request runs it counts with the most that it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// One key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// What its owner calls it: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// SHA-256 of the secret, hex. The key's account goes by it.
    pub hash: String,
    /// How the secret begins.
    pub shown: String,
    /// When it was made, Unix seconds.
    pub created: u64,
    /// From when on it no longer counts, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// When it was revoked, Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<u64>,
    /// What it is for.
    pub scopes: BTreeSet<Scope>,
    /// Models that it may ask, by their names; empty: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub models: BTreeSet<String>,
    /// Endpoints that it may use; empty: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub endpoints: BTreeSet<EndpointName>,
    /// How much it may use.
    #[serde(default)]
    pub limits: KeyLimits,
}

impl ApiKey {
    /// Draws a key. The secret is nowhere else.
    pub fn draw(name: &str, now: u64) -> Result<(Self, Zeroizing<String>), KeysError> {
        check_name(name)?;
        let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
        let secret = Zeroizing::new(format!("{PREFIX}{}", hex::encode(bytes.as_slice())));
        let key = Self {
            name: name.to_owned(),
            hash: hash(&secret),
            shown: secret.get(..SHOWN).unwrap_or(PREFIX).to_owned(),
            created: now,
            expires: None,
            revoked: None,
            scopes: BTreeSet::from([Scope::Inference, Scope::Read]),
            models: BTreeSet::new(),
            endpoints: BTreeSet::new(),
            limits: KeyLimits::default(),
        };
        Ok((key, secret))
    }

    /// Whether it counts at a time, Unix seconds.
    pub fn is_usable(&self, now: u64) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|end| now < end)
    }

    /// Whether it is for this.
    pub fn is_for(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether it may ask a model. A key for a model may ask each version of it (`name@hash`).
    pub fn allows_model(&self, model: &str) -> bool {
        let base = model.split('@').next().unwrap_or(model);
        self.models.is_empty() || self.models.contains(model) || self.models.contains(base)
    }

    /// Whether it may use an endpoint.
    pub fn allows_endpoint(&self, endpoint: EndpointName) -> bool {
        self.endpoints.is_empty() || self.endpoints.contains(&endpoint)
    }
}

/// Hex of the SHA-256 of a secret. A secret has 256 bits of chance: to find it by its hash is no easier than to guess it, and the
/// time of a search by hash says nothing of it.
pub(crate) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

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

fn check_name(name: &str) -> Result<(), KeysError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=MAX_KEY_NAME).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(KeysError::Name {
        name: name.chars().take(MAX_KEY_NAME).collect(),
    })
}

#[cfg(test)]
mod tests;
