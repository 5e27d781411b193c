//! `[access]` of a client's configuration: who may ask it, and over which names.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Who may use the HTTP interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// File with the API keys, which `cocoon client key` writes; it holds no secret, only hashes. Default: `keys.json` in the data
    /// directory. A change counts within a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_file: Option<PathBuf>,
    /// Whether callers of this machine need a key too. Where `listen` is no loopback address all callers need one, whatever this says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_keys: bool,
    /// Names under which this client may be called, besides loopback and the address that it listens on: a request with
    /// another name in its `Host` is refused, since a foreign web page may have made that name point here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_hosts: Vec<String>,
}

impl AccessConfig {
    /// Whether everything is left to its default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
