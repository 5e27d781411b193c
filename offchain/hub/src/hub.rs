//! The hub's HTTP interface.

use std::fmt;

use http::{HeaderValue, StatusCode};
use url::Url;

use crate::error::HubError;
use crate::http::{Answer, Http, Proxies};
use crate::limits::{MAX_LISTING_BYTES, MAX_NAME_BYTES};
use crate::listing::Snapshot;

/// The hub unless another is named.
pub const DEFAULT_HUB: &str = "https://huggingface.co";

/// An access token; not shown in `Debug`.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes what stands in a token file; blanks at its ends do not count.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The way to a hub.
#[derive(Clone, Debug)]
pub struct Hub {
    base: Url,
    http: Http,
    token: Option<HeaderValue>,
}

impl Hub {
    /// A hub at `url`, reached through the proxy that the environment names. Certificates of https are checked against the
    /// roots of the web.
    pub fn new(url: &str, token: Option<Token>) -> Result<Self, HubError> {
        Self::through(url, token, Proxies::from_env())
    }

    /// The same with proxies that the environment does not say.
    pub fn through(url: &str, token: Option<Token>, proxies: Proxies) -> Result<Self, HubError> {
        let address = || HubError::Address { url: url.to_owned() };
        let base = Url::parse(url).map_err(|_| address())?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(address());
        }
        let header = |Token(text)| {
            let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| HubError::Name {
                kind: "token",
                name: "(not shown)".to_owned(),
            })?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self {
            base,
            http: Http::new(proxies)?,
            token: token.map(header).transpose()?,
        })
    }

    /// Lists what an engine reads of `repository` at `revision`: a branch, a tag or a commit.
    pub async fn snapshot(&self, repository: &str, revision: &str) -> Result<Snapshot, HubError> {
        let parts: Vec<&str> = repository.split('/').collect();
        if parts.len() != 2 || !parts.iter().all(|part| is_name(part)) {
            return Err(HubError::Name {
                kind: "repository",
                name: repository.to_owned(),
            });
        }
        // A branch may have a slash; as one part of a path it is written %2F.
        if !revision.split('/').all(is_name) {
            return Err(HubError::Name {
                kind: "revision",
                name: revision.to_owned(),
            });
        }
        let mut url = self.url(&["api", "models", parts[0], parts[1], "revision", revision])?;
        url.set_query(Some("blobs=true"));
        let name = format!("{repository}@{revision}");
        let answer = accepted(self.http.get(url, self.token.as_ref(), 0).await?, &name)?;
        let bytes = bounded(answer).await?;
        Snapshot::parse(repository, &bytes)
    }

    /// Asks for a file from byte `from` on.
    pub(crate) async fn file(&self, snapshot: &Snapshot, name: &str, from: u64) -> Result<Answer, HubError> {
        let mut parts: Vec<&str> = snapshot.repository.split('/').collect();
        parts.extend(["resolve", &snapshot.commit, name]);
        self.http.get(self.url(&parts)?, self.token.as_ref(), from).await
    }

    fn url(&self, parts: &[&str]) -> Result<Url, HubError> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(parts),
            Err(()) => {
                return Err(HubError::Address {
                    url: self.base.to_string(),
                });
            }
        };
        Ok(url)
    }
}

/// An answer that is no refusal.
pub(crate) fn accepted(answer: Answer, name: &str) -> Result<Answer, HubError> {
    let name = name.to_owned();
    match answer.status {
        status if status.is_success() => Ok(answer),
        StatusCode::NOT_FOUND => Err(HubError::NotFound { name }),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(HubError::Denied { name }),
        status => Err(HubError::Status {
            status: status.as_u16(),
            name,
        }),
    }
}

async fn bounded(mut answer: Answer) -> Result<Vec<u8>, HubError> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.piece().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_LISTING_BYTES {
            return Err(HubError::Listing {
                problem: "it is too long",
            });
        }
    }
    Ok(bytes)
}

fn is_name(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !part.is_empty() && part.len() <= MAX_NAME_BYTES && part.bytes().all(allowed) && !part.bytes().all(|b| b == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_name_is_refused_before_anything_is_sent() {
        let hub = Hub::new("http://127.0.0.1:1", Some(Token::new(" secret\n"))).unwrap();
        for repository in ["qwen", "a/b/c", "a/..", "a/b?x", "", "a/"] {
            assert!(matches!(
                hub.snapshot(repository, "main").await,
                Err(HubError::Name { kind: "repository", .. })
            ));
        }
        for revision in ["", "..", "a//b", "main?x"] {
            assert!(matches!(
                hub.snapshot("a/b", revision).await,
                Err(HubError::Name { kind: "revision", .. })
            ));
        }
        assert!(!format!("{hub:?}").contains("secret"));
        assert!(matches!(Hub::new("ftp://x", None), Err(HubError::Address { .. })));
        assert!(matches!(Hub::new("x", None), Err(HubError::Address { .. })));
    }
}
