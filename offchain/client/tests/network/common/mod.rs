//! A client runner against a proxy that does what the test says, over the real attested connection.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses a part; helpers of tests"
)]

pub(crate) mod chain;
pub(crate) mod proxy;
pub(crate) mod receipts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cocoon_attest::simulated::SimulatedPlatform;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_chain::{RootView, SharedChain};
use cocoon_client::{ClientConfig, FundingConfig, RunningClient};
use cocoon_runner::Surroundings;
use cocoon_runner::admin::AdminConfig;
use cocoon_runner::config::{AttestationConfig, ChainConfig, WalletConfig};
use cocoon_runner::keys::write_secret;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use chain::FixedChain;
use proxy::{FakeProxy, ProxyKeys};

/// Key of the client's wallet.
pub(crate) const WALLET_SEED: [u8; 32] = [9; 32];
/// Owner of the client's wallet.
pub(crate) const WALLET_OWNER: Address = Address::new(0, HashBytes([7; 32]));

/// A client, its proxy and its folder.
pub(crate) struct World {
    pub(crate) client: RunningClient,
    pub(crate) proxy: FakeProxy,
    pub(crate) stop: CancellationToken,
    pub(crate) http: reqwest::Client,
    pub(crate) folder: TempDir,
}

/// How the world differs from the usual one.
#[derive(Clone)]
pub(crate) struct Options {
    /// Highest version that the proxy speaks.
    pub(crate) version: i32,
    /// Largest body.
    pub(crate) max_body_bytes: usize,
    /// Whole answers wait for their receipts.
    pub(crate) wait_for_receipts: bool,
    /// Requests at once.
    pub(crate) max_requests: usize,
    /// Proxies at once.
    pub(crate) proxy_connections: u32,
    /// The proxy names another contract than its own.
    pub(crate) foreign_contract: bool,
    /// The proxy's quotes are signed by another key.
    pub(crate) forged_quote: bool,
    /// What the proxy says that its model takes, least and most; one of an earlier build does not know the question.
    pub(crate) contexts: Option<[i32; 2]>,
    /// The root contract lists no image.
    pub(crate) unlisted_image: bool,
    /// The proxy demands a registration through the chain.
    pub(crate) long_nonce: Option<i64>,
    /// Who may ask.
    pub(crate) access: cocoon_client::AccessConfig,
    /// What the page shows.
    pub(crate) page: cocoon_client::PageConfig,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: 3,
            max_body_bytes: 1 << 20,
            wait_for_receipts: true,
            max_requests: 8,
            proxy_connections: 1,
            foreign_contract: false,
            forged_quote: false,
            contexts: None,
            unlisted_image: false,
            long_nonce: None,
            access: cocoon_client::AccessConfig::default(),
            page: cocoon_client::PageConfig::default(),
        }
    }
}

impl World {
    /// Everything up and connected.
    pub(crate) async fn new(options: Options) -> Self {
        let world = Self::unconnected(options).await;
        world.connected().await;
        world
    }

    /// Everything up.
    pub(crate) async fn unconnected(options: Options) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (chain, root) = FixedChain::new(listener.local_addr().unwrap(), options.unlisted_image);
        Self::on(Arc::new(chain), root, listener, None, options).await
    }

    /// Everything up on a given chain; the proxy listens where the root contract says.
    pub(crate) async fn on(
        chain: SharedChain,
        root: Arc<RootView>,
        listener: tokio::net::TcpListener,
        funding: Option<FundingConfig>,
        options: Options,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let platform = SimulatedPlatform::generate().unwrap();
        let platform_file = folder.path().join("platform.json");
        std::fs::write(&platform_file, platform.to_json().unwrap()).unwrap();
        let key_file = folder.path().join("wallet.key");
        write_secret(&key_file, hex::encode(WALLET_SEED).as_bytes()).unwrap();
        let data_dir = folder.path().join("client");
        std::fs::create_dir(&data_dir).unwrap();
        write_secret(&data_dir.join("secret"), b"open sesame").unwrap();
        let address = root.address.to_string();
        let proxy = FakeProxy::start(listener, ProxyKeys::new(root), platform, options.clone());
        let config = ClientConfig {
            admin: AdminConfig {
                file: Some(folder.path().join("client.toml")),
                ..AdminConfig::in_folder(&data_dir)
            },
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir,
            secret_file: None,
            max_body_bytes: options.max_body_bytes,
            wait_for_receipts: options.wait_for_receipts,
            disclosures_dir: None,
            max_requests: options.max_requests,
            proxy_connections: options.proxy_connections,
            root_refresh_seconds: 1,
            chain: ChainConfig {
                url: "http://127.0.0.1:1".into(),
                root: address,
                ..ChainConfig::default()
            },
            wallet: WalletConfig {
                key_file: Some(key_file),
                derived: None,
                managed: None,
                owner: WALLET_OWNER.to_string(),
            },
            attestation: AttestationConfig {
                simulated_platform: Some(platform_file),
                ..AttestationConfig::default()
            },
            funding,
            logs: Vec::new(),
            access: options.access.clone(),
            page: options.page,
            telemetry: Default::default(),
        };
        let stop = CancellationToken::new();
        let client = cocoon_client::start_on(config, Surroundings::real(chain), stop.clone())
            .await
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            client,
            proxy,
            stop,
            http,
            folder,
        }
    }

    /// Waits for a connection.
    pub(crate) async fn connected(&self) {
        let mut upstream = self.client.upstream();
        let wait = upstream.wait_for(|up| up.connection.as_ref().is_some_and(|c| !c.is_closed()));
        let waited = tokio::time::timeout(Duration::from_secs(20), wait).await;
        if waited.is_err() {
            panic!("no connection: {:?}", self.client.upstream().borrow().problem);
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.client.address())
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        self.http.post(self.url(path)).body(body).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap()
    }

    /// A chat request with more fields.
    pub(crate) async fn chat(&self, fields: &str) -> reqwest::Response {
        self.post("/v1/chat/completions", chat_body(fields)).await
    }
}

pub(crate) fn chat_body(fields: &str) -> String {
    format!(r#"{{"model":"tiny","messages":[{{"role":"user","content":"hi"}}]{fields}}}"#)
}

/// An error answer: status and code.
pub(crate) async fn error_of(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json");
    let body: serde_json::Value = response.json().await.unwrap();
    let error = &body["error"];
    assert!(error["message"].is_string() && error["type"].is_string(), "{body}");
    (status, error["code"].as_str().unwrap().to_owned())
}
