//! The API key that a client may want of the commands that ask it.

use anyhow::anyhow;
use cocoon_runner::keys::load_secret_text;
use reqwest::header::HeaderValue;
use zeroize::Zeroizing;

use crate::args::ApiKeyArgs;
use crate::failure::{self, Exit, Failure};

/// Bytes of the file: a key has less than a hundred, and other servers' keys may be longer.
const MAX_FILE_BYTES: u64 = 4096;

/// What helps where a client wants a key, or another one.
const HINT: &str = "put a key of this client into a file and name it with --api-key-file, or in COCOON_API_KEY_FILE; \
                    `cocoon client key create` makes one";

/// A key as it is sent: `Authorization: Bearer`. It shows itself nowhere.
pub(crate) struct ApiKey(HeaderValue);

impl ApiKey {
    /// The key of the file that is named, if one is: alone on one line, and for nobody else to read.
    pub(crate) fn load(args: &ApiKeyArgs) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.api_key_file else {
            return Ok(None);
        };
        let text = load_secret_text(path, "API key", MAX_FILE_BYTES).map_err(failure::from_runner)?;
        let key = text.trim();
        let is_one_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        let sent = Zeroizing::new(format!("Bearer {key}"));
        let header = is_one_word.then(|| HeaderValue::from_str(&sent));
        let Some(Ok(mut header)) = header else {
            return Err(Failure::new(
                Exit::Configuration,
                anyhow!("{} holds no API key", path.display()),
                "put the secret that `cocoon client key create` shows into the file, alone on one line",
            ));
        };
        header.set_sensitive(true);
        Ok(Some(Self(header)))
    }

    /// Its header's value.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// A client that knows no such key, or wants one; `message` is what it said.
pub(crate) fn unauthorized(message: Option<&str>) -> Failure {
    let message = message.unwrap_or("no reason given");
    Failure::new(Exit::Peer, anyhow!("the client refused (status 401): {message}"), HINT)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn load(path: &Path) -> Result<Option<ApiKey>, Failure> {
        ApiKey::load(&ApiKeyArgs {
            api_key_file: Some(path.to_owned()),
        })
    }

    fn write(path: &Path, text: &str, mode: u32) {
        std::fs::write(path, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        #[cfg(not(unix))]
        let _ = mode;
    }

    #[test]
    fn a_key_is_read_from_a_private_file_and_shown_by_nothing() {
        assert!(ApiKey::load(&ApiKeyArgs { api_key_file: None }).unwrap().is_none());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, " ck-5ec2e7\n", 0o600);
        let header = load(&path).unwrap().unwrap().header();
        assert_eq!(header.to_str().unwrap(), "Bearer ck-5ec2e7");
        assert_eq!(format!("{header:?}"), "Sensitive");
    }

    #[test]
    #[cfg(unix)]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, "ck-5ec2e7\n", 0o644);
        let refused = load(&path).err().unwrap();
        assert_eq!(refused.exit(), Exit::Configuration);
        assert!(refused.render(true).contains("hint: "), "{}", refused.render(true));
        assert!(load(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in [
            "",
            "\n",
            "ck-5ec2e7 ck-5ec2e8",
            "ck-5ec2e7\nck-5ec2e8",
            "ck-5ec2e7\u{7f}",
            "ck-5ec2e\u{e9}",
        ] {
            write(&path, text, 0o600);
            let refused = load(&path).err().unwrap();
            assert_eq!(refused.exit(), Exit::Configuration);
            let shown = refused.render(true);
            assert!(
                shown.contains("holds no API key") && !shown.contains("5ec2e"),
                "{shown}"
            );
        }
    }

    #[test]
    fn where_a_key_is_wanted_the_hint_names_the_option() {
        let refused = unauthorized(Some("This client needs an API key."));
        assert_eq!(refused.exit(), Exit::Peer);
        let shown = refused.render(false);
        for part in ["needs an API key", "hint: ", "--api-key-file", "COCOON_API_KEY_FILE"] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
