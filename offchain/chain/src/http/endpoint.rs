//! Where a chain server is and how it wants to be asked.

use std::fmt;

use cocoon_web::Roots;
use zeroize::Zeroizing;

/// The key of an account with a chain server. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub(super) Zeroizing<String>);

impl ApiKey {
    /// A key; white space around it, such as the end of the line in its file, does not belong to it.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// One chain server that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its URL. A path with `/api/v3` in it speaks version 3, every other one version 2; without a path it is the JSON-RPC of
    /// version 2.
    pub url: String,
    /// The key, if it wants one; only over https, or to this machine.
    pub api_key: Option<ApiKey>,
    /// Who vouches for its name, if it is reached over https.
    pub roots: Roots,
    /// Requests a second that it allows, if that is known.
    pub rate_per_second: Option<u32>,
}

impl Endpoint {
    /// A server at a URL, without a key and a known rate.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            api_key: None,
            roots: Roots::Web,
            rate_per_second: None,
        }
    }
}
