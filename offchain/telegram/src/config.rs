//! The configuration of the bot, and its token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use cocoon_runner::config::NamesFiles;
use cocoon_runner::keys::load_secret_text;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::TelegramError;
use crate::limits::MAX_TOKEN_BYTES;

/// What the bot does. Every key has a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BotConfig {
    /// URL of the client that is asked.
    pub client_url: String,
    /// File with the API key for the client, if it wants one.
    pub client_key_file: Option<PathBuf>,
    /// URL of the Bot API: Telegram's own, or that of a server of one's own.
    pub api_url: String,
    /// Folder of what users have spent.
    pub state_dir: PathBuf,
    /// Numbers of the users who may ask. Empty: everybody.
    pub allowed_users: BTreeSet<i64>,
    /// What one user may spend in a day (UTC), in nanoton.
    pub nanoton_per_day: u64,
    /// The same for single users, by their number.
    pub nanoton_per_day_of: BTreeMap<String, u64>,
    /// What all users together may spend in a day, in nanoton: whoever may ask can also have several accounts.
    pub total_nanoton_per_day: u64,
    /// Messages that one user may send in a minute.
    pub messages_per_minute: u32,
    /// Answers that are given at once; more are told to come later.
    pub concurrent_answers: u32,
    /// The model that is asked until somebody chooses another; the client's first if left out.
    pub model: Option<String>,
    /// Most tokens of an answer.
    pub max_answer_tokens: u32,
    /// Most that is paid, in thousandths of the network's price.
    pub max_coefficient: u32,
    /// What every conversation begins with, said to the model.
    pub instruction: Option<String>,
}

impl Default for BotConfig {
    /// A tenth of a TON a day for each user, and one TON for all.
    fn default() -> Self {
        Self {
            client_url: "http://127.0.0.1:10000".into(),
            client_key_file: None,
            api_url: "https://api.telegram.org".into(),
            state_dir: "telegram".into(),
            allowed_users: BTreeSet::new(),
            nanoton_per_day: 100_000_000,
            nanoton_per_day_of: BTreeMap::new(),
            total_nanoton_per_day: 1_000_000_000,
            messages_per_minute: 10,
            concurrent_answers: 8,
            model: None,
            max_answer_tokens: 1024,
            max_coefficient: 4000,
            instruction: None,
        }
    }
}

impl NamesFiles for BotConfig {
    fn files_mut(&mut self) -> Vec<&mut PathBuf> {
        self.client_key_file.iter_mut().chain([&mut self.state_dir]).collect()
    }
}

impl BotConfig {
    /// Refuses what cannot work.
    ///
    /// # Errors
    ///
    /// The first key that cannot.
    pub fn check(&self) -> Result<(), TelegramError> {
        let wrong = |key, problem| Err(TelegramError::Setting { key, problem });
        for (key, url) in [("client_url", &self.client_url), ("api_url", &self.api_url)] {
            let is_web = url.starts_with("http://") || url.starts_with("https://");
            if !is_web || url.parse::<http::Uri>().is_err() || url.contains(['?', '#', '@']) {
                return wrong(
                    key,
                    "must be a URL that begins with http:// or https:// and has no query",
                );
            }
        }
        if self.messages_per_minute == 0 {
            return wrong("messages_per_minute", "must be at least 1");
        }
        if self.concurrent_answers == 0 || self.concurrent_answers > 1000 {
            return wrong("concurrent_answers", "must be from 1 to 1000");
        }
        if self.max_answer_tokens == 0 || self.max_answer_tokens > 100_000 {
            return wrong("max_answer_tokens", "must be from 1 to 100000");
        }
        if self.max_coefficient == 0 || self.max_coefficient > 1_000_000 {
            return wrong("max_coefficient", "must be from 1 to 1000000");
        }
        if self.nanoton_per_day_of.keys().any(|user| user.parse::<i64>().is_err()) {
            return wrong("nanoton_per_day_of", "must have numbers of users as its keys");
        }
        Ok(())
    }

    /// What a user may spend in a day, in nanoton.
    pub(crate) fn limit_of(&self, user: i64) -> u64 {
        let own = self.nanoton_per_day_of.get(&user.to_string());
        own.copied().unwrap_or(self.nanoton_per_day)
    }

    /// Whether a user may ask at all.
    pub(crate) fn allows(&self, user: i64) -> bool {
        self.allowed_users.is_empty() || self.allowed_users.contains(&user)
    }
}

/// What Telegram knows the bot by, or the client its caller. Never shown.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Reads the token of a bot from a file that only its owner can read.
    ///
    /// # Errors
    ///
    /// A file that is not there, that others can read, or that has something else in it.
    pub fn load(path: &Path) -> Result<Self, TelegramError> {
        let text = load_secret_text(path, "token file", MAX_TOKEN_BYTES)?;
        let token = text.trim();
        let is_secret = |secret: &str| secret.len() >= 20 && secret.chars().all(is_of_token);
        let is_token = token.split_once(':').is_some_and(|(number, secret)| {
            !number.is_empty() && number.chars().all(|c| c.is_ascii_digit()) && is_secret(secret)
        });
        if !is_token {
            let path = path.to_path_buf();
            return Err(TelegramError::TokenFormat { path });
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// Reads the client's API key.
    pub(crate) fn load_key(path: &Path) -> Result<Self, TelegramError> {
        let text = load_secret_text(path, "API key file", MAX_TOKEN_BYTES)?;
        Ok(Self(Zeroizing::new(text.trim().to_owned())))
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        cocoon_runner::keys::write_secret(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn a_token_is_read_and_never_shown() {
        let (_folder, path) = file(b"123456:AAbbCCddEEffGGhhIIjjKK-_1");
        let token = Token::load(&path).unwrap();
        assert_eq!(token.reveal(), "123456:AAbbCCddEEffGGhhIIjjKK-_1");
        assert_eq!(format!("{token:?}"), "Token(..)");
    }

    #[test]
    fn what_is_no_token_is_refused_without_showing_it() {
        for text in [
            "",
            "hello",
            "12:short",
            ":AAbbCCddEEffGGhhIIjjKK",
            "1:AAbbCCddEEff/GhhIIjjKKll",
        ] {
            let (_folder, path) = file(text.as_bytes());
            let error = Token::load(&path).unwrap_err();
            assert!(matches!(error, TelegramError::TokenFormat { .. }), "{text}");
            assert!(text.is_empty() || !format!("{error} {error:?}").contains(text));
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_token_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path) = file(b"123456:AAbbCCddEEffGGhhIIjjKK-_1");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Token::load(&path), Err(TelegramError::Runner(_))));
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused() {
        BotConfig::default().check().unwrap();
        for text in [
            "client_url = 'ftp://x'",
            "api_url = 'https://x/?token=1'",
            "messages_per_minute = 0",
            "concurrent_answers = 0",
            "max_answer_tokens = 0",
            "max_coefficient = 0",
            "nanoton_per_day_of = { anna = 1 }",
        ] {
            let config: BotConfig = toml::from_str(text).unwrap();
            assert!(matches!(config.check(), Err(TelegramError::Setting { .. })), "{text}");
        }
        assert!(
            toml::from_str::<BotConfig>("tokens = 1").is_err(),
            "unknown keys are refused"
        );
    }

    #[test]
    fn a_user_has_the_own_budget_or_that_of_all() {
        let config: BotConfig = toml::from_str("nanoton_per_day = 5\nnanoton_per_day_of = { \"7\" = 9 }").unwrap();
        assert_eq!((config.limit_of(7), config.limit_of(8)), (9, 5));
    }
}
