//! The way to the chain that a configuration describes.

use std::path::Path;
use std::sync::Arc;

use cocoon_chain::{ApiKey, ChainPool, Endpoint, GlobalConfig, Roots, SharedChain};

use crate::RunnerError;
use crate::config::{ChainConfig, EndpointConfig, read_small};
use crate::limits::{MAX_CONFIG_BYTES, MAX_GLOBAL_CONFIG_BYTES};

/// Opens it. Nothing is asked of any server yet.
///
/// The servers of `endpoints` make up one pool, with `url` as its first; even a single one is checked for turning back.
pub fn open(config: &ChainConfig) -> Result<SharedChain, RunnerError> {
    if let Some(path) = &config.global_config {
        if !config.url.is_empty() || !config.endpoints.is_empty() || config.api_key_file.is_some() {
            return Err(RunnerError::ConfigValue {
                key: "chain.global_config".to_owned(),
                problem: "goes without url, api_key_file and endpoints: nothing that those say is proven".to_owned(),
            });
        }
        let text = read_small(path, "global configuration", MAX_GLOBAL_CONFIG_BYTES)?;
        return Ok(Arc::new(ChainPool::of_lite(&GlobalConfig::parse(&text)?)?));
    }
    let first = (!config.url.is_empty()).then(|| EndpointConfig {
        url: config.url.clone(),
        api_key_file: config.api_key_file.clone(),
        ..EndpointConfig::default()
    });
    if first.is_none() && config.api_key_file.is_some() {
        return Err(RunnerError::ConfigValue {
            key: "chain.api_key_file".to_owned(),
            problem: "belongs to chain.url; each of chain.endpoints has its own".to_owned(),
        });
    }
    let servers = first.iter().chain(&config.endpoints);
    let endpoints = servers.map(endpoint).collect::<Result<Vec<_>, _>>()?;
    if endpoints.is_empty() {
        return Err(RunnerError::ConfigValue {
            key: "chain".to_owned(),
            problem: "one of url, endpoints and global_config must be there".to_owned(),
        });
    }
    Ok(Arc::new(ChainPool::of_http(&endpoints)?))
}

fn endpoint(config: &EndpointConfig) -> Result<Endpoint, RunnerError> {
    let api_key = match &config.api_key_file {
        Some(path) => Some(ApiKey::new(&small(path, "API key")?)),
        None => None,
    };
    let roots = match &config.ca_file {
        Some(path) => {
            let text = small(path, "list of certificates")?;
            Roots::from_pem(text.as_bytes()).map_err(|error| RunnerError::ConfigValue {
                key: "chain.endpoints.ca_file".to_owned(),
                problem: error.to_string(),
            })?
        }
        None => Roots::Web,
    };
    if config.rate_per_second == Some(0) {
        return Err(RunnerError::ConfigValue {
            key: "chain.endpoints.rate_per_second".to_owned(),
            problem: "must be 1 or more; left out, the rate is not limited".to_owned(),
        });
    }
    Ok(Endpoint {
        url: config.url.clone(),
        api_key,
        roots,
        rate_per_second: config.rate_per_second,
    })
}

fn small(path: &Path, kind: &'static str) -> Result<String, RunnerError> {
    read_small(path, kind, MAX_CONFIG_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn opened(folder: &Path, text: &str) -> Result<SharedChain, RunnerError> {
        let path = folder.join("runner.toml");
        std::fs::write(&path, format!("root = '0:00'\n{text}")).unwrap();
        open(&load::<ChainConfig>(&path)?)
    }

    #[tokio::test]
    async fn one_url_and_several_endpoints_are_one_pool() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "secret-key\n").unwrap();
        let text = "url = 'http://127.0.0.1:1'\napi_key_file = 'key'\n\
            [[endpoints]]\nurl = 'https://a.example/api/v3'\napi_key_file = 'key'\nrate_per_second = 10\n\
            [[endpoints]]\nurl = 'https://b.example'\n";
        let chain = opened(folder.path(), text).unwrap();
        let hosts: Vec<_> = chain.endpoints().into_iter().map(|server| server.host).collect();
        assert_eq!(hosts, ["127.0.0.1:1", "a.example", "b.example"]);
        assert!(!format!("{chain:?}").contains("secret-key"));
    }

    #[tokio::test]
    async fn what_cannot_be_meant_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "k").unwrap();
        for (text, word) in [
            ("", "endpoints"),
            (
                "api_key_file = 'key'\n[[endpoints]]\nurl = 'https://a.example'\n",
                "api_key_file",
            ),
            ("url = 'http://a.example'\napi_key_file = 'key'\n", "readable"),
            (
                "[[endpoints]]\nurl = 'https://a.example'\nrate_per_second = 0\n",
                "rate_per_second",
            ),
            ("[[endpoints]]\nurl = 'https://a.example'\nca_file = 'key'\n", "ca_file"),
            ("[[endpoints]]\nurl = 'https://a.example'\nca_file = 'none'\n", "none"),
            ("url = 'https://a.example'\nglobal_config = 'key'\n", "global_config"),
            ("global_config = 'key'\n", "global configuration"),
            ("url = 'https://a.example/?api_key=secret'\n", "question mark"),
        ] {
            let error = opened(folder.path(), text).unwrap_err();
            assert!(error.to_string().contains(word), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
