//! API keys: what a key may do. Of a key's secret only the hash is known here.

mod file;

use std::collections::BTreeSet;

use cocoon_bindings::units::Nanoton;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use self::file::{KeysError, KeysFile};
use crate::limits::MAX_KEY_NAME;

/// How each secret begins, so that it is recognised for what it is.
pub const PREFIX: &str = "ck-";
/// Characters of a secret that may be shown: enough to tell keys apart, too few to guess by.
const SHOWN: usize = PREFIX.len() + 6;

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
