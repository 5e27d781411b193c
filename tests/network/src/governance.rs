//! The people who govern a local network: wallets that send what the `cocoon` command writes for them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use cocoon_bindings::{
    ExportedMessage,
    ton::{Address, HashBytes},
};
use cocoon_chain::{HttpApi, NodeWallet, SharedChain};
use cocoon_cli::local::{LocalNetwork, actors, network::NetworkFile};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::{Failure, binary, failed};

/// Coins of a signer's wallet: its reserve and many messages.
const WALLET_FILL: u64 = 20_000_000_000;

/// Three signers, and the wallet that owned the root contract first.
pub struct Governors {
    chain: SharedChain,
    control: String,
    http: reqwest::Client,
    data_dir: PathBuf,
    owner: NodeWallet,
    signers: Vec<NodeWallet>,
}

impl Governors {
    /// Makes and fills the signers' wallets.
    pub async fn gather(network: &LocalNetwork) -> Result<Self, Failure> {
        let file: &NetworkFile = network.file();
        let chain: SharedChain = Arc::new(HttpApi::new(&file.chain_url, None).map_err(failed("reaching the chain"))?);
        let wallet = |key| NodeWallet::new(Arc::clone(&chain), key, Address::default());
        let owner_key = cocoon_runner::keys::load_key(&network.data().key_file(actors::GOVERNOR));
        let owner =
            wallet(owner_key.map_err(failed("reading the owner's key"))?).map_err(failed("the owner's wallet"))?;
        let mut governors = Self {
            control: format!("http://{}/control", file.ports.chain),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()
                .map_err(failed("making an HTTP client"))?,
            data_dir: network.data().path().to_owned(),
            owner,
            signers: Vec::new(),
            chain: Arc::clone(&chain),
        };
        for seed in 1..=3u8 {
            let signer = wallet(SigningKey::from_bytes(&[seed; 32])).map_err(failed("a signer's wallet"))?;
            let fill = json!({"address": signer.address().to_string(), "amount": WALLET_FILL.to_string()});
            governors.control("faucet", &fill).await?;
            signer.ensure_deployed().await.map_err(failed("deploying a wallet"))?;
            governors.signers.push(signer);
        }
        Ok(governors)
    }

    /// The wallet that deployed the root contract.
    pub fn owner(&self) -> &NodeWallet {
        &self.owner
    }

    /// A signer's wallet.
    pub fn signer(&self, index: usize) -> Result<&NodeWallet, Failure> {
        self.signers.get(index).ok_or_else(|| Failure::new("no such signer"))
    }

    /// The chain.
    pub fn chain(&self) -> &SharedChain {
        &self.chain
    }

    /// Moves the chain's time.
    pub async fn advance(&self, seconds: u32) -> Result<(), Failure> {
        self.control("advance", &json!({ "seconds": seconds })).await
    }

    async fn control(&self, control: &str, body: &Value) -> Result<(), Failure> {
        let url = format!("{}/{control}", self.control);
        let answer = self.http.post(url).json(body).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        answer.map(drop).map_err(failed("controlling the chain"))
    }

    /// Runs the command and reads what it prints. A line is split at blanks.
    pub async fn run(&self, line: &str) -> Result<Value, Failure> {
        let mut command = std::process::Command::new(binary::cocoon().map_err(Failure::new)?);
        command
            .env("COCOON_DATA_DIR", &self.data_dir)
            .args(line.split(' '))
            .arg("--json");
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .map_err(failed("running the command"))?
            .map_err(failed("running the command"))?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("`cocoon {line}` failed: {errors}")));
        }
        serde_json::from_slice(&output.stdout).map_err(failed("reading what the command printed"))
    }

    /// Has the command write a message and a wallet send it; gives what was printed.
    pub async fn send(&self, from: &NodeWallet, line: &str) -> Result<Value, Failure> {
        let printed = self.run(line).await?;
        self.send_exported(from, &printed["message"]).await?;
        Ok(printed)
    }

    /// Has a wallet send a message that was printed.
    pub async fn send_exported(&self, from: &NodeWallet, message: &Value) -> Result<(), Failure> {
        let exported: ExportedMessage =
            serde_json::from_value(message.clone()).map_err(failed("reading an exported message"))?;
        let message = exported.to_message().map_err(failed("reading an exported message"))?;
        let sent = from.send(vec![message]).await;
        sent.map(drop).map_err(failed("sending a message"))
    }

    /// A signer proposes; gives the number.
    pub async fn propose(&self, signer: usize, flags: &str, message: &str) -> Result<u64, Failure> {
        let line = format!("governor export{flags} propose --signer {signer} {message}");
        let printed = self.send(self.signer(signer)?, &line).await?;
        let id = printed["proposal"]["id"].as_u64();
        id.ok_or_else(|| Failure::new(format!("no proposal was printed: {printed:#}")))
    }

    /// A signer looks at the proposal and approves what it sees; the message must contain `expected`.
    pub async fn review(&self, signer: usize, flags: &str, id: u64, expected: &str) -> Result<(), Failure> {
        let proposal = self.proposal(flags, id).await?;
        let proposal = proposal.ok_or_else(|| Failure::new("there is no such proposal"))?;
        let message = proposal["message"].as_str().unwrap_or_default();
        if !message.contains(expected) {
            return Err(Failure::new(format!("{message} is not {expected}")));
        }
        let hash = proposal["body_hash"].as_str().unwrap_or_default();
        let line = format!("governor export{flags} approve --signer {signer} --proposal {id} --body-hash {hash}");
        self.send(self.signer(signer)?, &line).await.map(drop)
    }

    /// A proposal as it is shown; `None` once it is executed or gone.
    pub async fn proposal(&self, flags: &str, id: u64) -> Result<Option<Value>, Failure> {
        let shown = self.run(&format!("governor show{flags}")).await?;
        let proposals = shown["proposals"].as_array().cloned().unwrap_or_default();
        Ok(proposals.into_iter().find(|proposal| proposal["id"] == id))
    }

    /// Somebody asks for the execution.
    pub async fn execute(&self, from: &NodeWallet, flags: &str, id: u64) -> Result<(), Failure> {
        let line = format!("governor export{flags} execute --proposal {id}");
        self.send(from, &line).await.map(drop)
    }

    /// Whether the root contract lists a worker image that is valid now.
    pub async fn lists_worker_image(&self, image: &HashBytes) -> Result<bool, Failure> {
        let shown = self.run("root show").await?;
        let images = shown["worker_images"].as_array();
        let images = images.ok_or_else(|| Failure::new(format!("no images are shown: {shown:#}")))?;
        let hash = image.to_string();
        Ok(images
            .iter()
            .any(|listed| listed["hash"] == hash && listed["is_valid"] == true))
    }
}
