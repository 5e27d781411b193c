//! The collateral service over HTTP(S): addresses, limits, one question after the other.
//!
//! This is hyper and not the plain client of other crates, for the reason given in `cocoon-hub`: that one stays without TLS.

use std::net::IpAddr;
use std::time::Duration;

use cocoon_attest::PlatformFamily;
use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::document::{Answer, Answers};
use super::problem::Problem;
use crate::RunnerError;
use crate::config::CollateralServiceConfig;
use crate::limits::{COLLATERAL_TIMEOUT, MAX_COLLATERAL_ANSWER_BYTES};

/// Intel's own service, whose list of revoked authorities lies elsewhere.
const INTEL: &str = "https://api.trustedservices.intel.com";
const INTEL_ROOT_LIST: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

/// A collateral service.
pub(super) struct Service {
    /// Without a slash at its end.
    base: String,
    root_list: String,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    pub(super) timeout: Duration,
}

impl Service {
    /// Connects nowhere yet.
    pub(super) fn new(config: &CollateralServiceConfig) -> Result<Self, RunnerError> {
        let base = checked("url", config.url.as_deref().unwrap_or(INTEL), config.plain_http)?;
        let root_list = match &config.root_crl {
            Some(url) => checked("root_crl", url, config.plain_http)?,
            None if base == INTEL => INTEL_ROOT_LIST.to_owned(),
            None => format!("{base}/sgx/certification/v4/rootcacrl"),
        };
        let tls = cocoon_ratls::web_client_config().map_err(RunnerError::Trust)?;
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(plain);
        Ok(Self {
            base,
            root_list,
            client: Client::builder(TokioExecutor::new()).build(connector),
            timeout: COLLATERAL_TIMEOUT,
        })
    }

    /// The documents of a family as one, not verified.
    pub(super) async fn fetch(&self, family: &PlatformFamily) -> Result<String, Problem> {
        let base = &self.base;
        let fmspc = hex::encode(family.fmspc);
        let authority = family.authority.name();
        let tcb = format!("{base}/tdx/certification/v4/tcb?fmspc={fmspc}");
        let qe = format!("{base}/tdx/certification/v4/qe/identity");
        let pck = format!("{base}/sgx/certification/v4/pckcrl?ca={authority}&encoding=der");
        // The first name is that of version 4, the second that of caching services.
        let tcb_headers = ["TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain"];
        Answers {
            tcb_info: self.get(&tcb, "TCB info", &tcb_headers).await?,
            qe_identity: self
                .get(&qe, "QE identity", &["SGX-Enclave-Identity-Issuer-Chain"])
                .await?,
            pck_list: self.get(&pck, "revocation list", &["SGX-PCK-CRL-Issuer-Chain"]).await?,
            root_list: self.get(&self.root_list, "root's revocation list", &[]).await?,
        }
        .to_json()
    }

    async fn get(&self, url: &str, what: &'static str, chain_headers: &[&str]) -> Result<Answer, Problem> {
        let asked = timeout(self.timeout, self.ask(url, what, chain_headers)).await;
        asked.map_err(|_| Problem::Silent)?
    }

    async fn ask(&self, url: &str, what: &'static str, chain_headers: &[&str]) -> Result<Answer, Problem> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = url.parse().map_err(|_| Problem::Form { what: "address" })?;
        let answer = self.client.request(request).await?;
        // A redirect is a status like any other: the service is named, and nobody else is asked.
        if answer.status() != http::StatusCode::OK {
            let status = answer.status().as_u16();
            return Err(Problem::Status { what, status });
        }
        let headers = answer.headers();
        let chain = chain_headers.iter().find_map(|name| headers.get(*name));
        let chain = chain.and_then(|chain| chain.to_str().ok()).map(str::to_owned);
        let limit = MAX_COLLATERAL_ANSWER_BYTES;
        let body = Limited::new(answer.into_body(), limit).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Problem::TooLarge { what, limit },
            false => Problem::Broken { what },
        })?;
        let body = body.to_bytes().to_vec();
        Ok(Answer { body, chain })
    }
}

/// An address without a slash at its end, and without what would show in a log. Over plain HTTP anybody on the way can hold
/// back what is newly revoked: it is for this machine, or for a way that the configuration vouches for.
fn checked(key: &str, url: &str, plain_http: bool) -> Result<String, RunnerError> {
    let wrong = |problem: &str| RunnerError::ConfigValue {
        key: format!("attestation.collateral_service.{key}"),
        problem: problem.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let Some(authority) = uri.authority().filter(|_| is_web) else {
        return Err(wrong("is not an http or https URL"));
    };
    if authority.as_str().contains('@') {
        return Err(wrong("must not hold a name or a password"));
    }
    if uri.scheme_str() == Some("http") && !plain_http && !is_this_machine(authority.host()) {
        return Err(wrong(
            "is plain http to another machine: use https, or set plain_http if nobody else is on the way",
        ));
    }
    if uri.query().is_some() {
        return Err(wrong("must end before the question mark"));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn is_this_machine(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(url: Option<&str>, root_crl: Option<&str>) -> Result<Service, RunnerError> {
        Service::new(&CollateralServiceConfig {
            url: url.map(str::to_owned),
            root_crl: root_crl.map(str::to_owned),
            ..CollateralServiceConfig::default()
        })
    }

    #[test]
    fn the_roots_list_lies_where_the_service_keeps_it() {
        let root_list = |url, list| service(url, list).unwrap().root_list;
        assert_eq!(root_list(None, None), INTEL_ROOT_LIST);
        assert_eq!(
            root_list(Some("http://[::1]:8081/"), None),
            "http://[::1]:8081/sgx/certification/v4/rootcacrl"
        );
        let elsewhere = "https://example.org/root.der";
        assert_eq!(root_list(None, Some(elsewhere)), elsewhere);
    }

    #[test]
    fn plain_http_to_another_machine_needs_a_word_of_its_own() {
        let config = |url: &str, plain_http| CollateralServiceConfig {
            url: Some(url.to_owned()),
            plain_http,
            ..CollateralServiceConfig::default()
        };
        for near in [
            "http://localhost:8081",
            "http://LOCALHOST",
            "http://127.0.0.1:8081",
            "http://[::1]",
        ] {
            assert!(Service::new(&config(near, false)).is_ok(), "{near}");
        }
        for far in [
            "http://pccs.example",
            "http://10.0.2.2:8081",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "HTTP://[::2]",
        ] {
            let Err(RunnerError::ConfigValue { key, problem }) = Service::new(&config(far, false)) else {
                panic!("{far}")
            };
            assert_eq!(key, "attestation.collateral_service.url");
            assert!(problem.contains("plain_http"), "{problem}");
            assert!(Service::new(&config(far, true)).is_ok(), "{far}");
        }
        let list = service(None, Some("http://example.org/root.der"));
        assert!(matches!(list, Err(RunnerError::ConfigValue { key, .. }) if key.ends_with("root_crl")));
    }

    #[test]
    fn addresses_that_cannot_be_meant_are_named() {
        for url in ["", "pccs", "ftp://a/", "https://me:secret@a/", "https://a/?b=c"] {
            let Err(RunnerError::ConfigValue { key, problem }) = service(Some(url), None) else {
                panic!("{url}")
            };
            assert_eq!(key, "attestation.collateral_service.url");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
