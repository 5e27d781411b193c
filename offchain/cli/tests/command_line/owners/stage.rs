//! A local chain with a root and a proxy contract in this process, and a folder in which the program runs.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::ton::{Address, Cell, parse_address};
use cocoon_bindings::wallets::{WALLET_ID_MAINNET, WalletContract};
use cocoon_bindings::{
    ContractKind, ExportedMessage, Multipliers, Nanoton, Params, ParamsVersion, PublicKey, RootData, STRUCT_VERSION,
    StateInit, client_state_init, proxy_state_init, root_state_init, worker_state_init,
};
use cocoon_emulator::Snapshot;
use cocoon_localnet::{Clock, LocalNet, LocalNetConfig, RunningLocalNet};
use cocoon_owner::Mnemonic;
use ed25519_dalek::SigningKey;
use tokio::runtime::Runtime;

/// A mnemonic that is published: its wallet is the same in every run.
pub(super) const WORDS: &str = "dose ice enrich trigger test dove century still betray gas diet dune use other base gym mad \
                                law immense village world example praise game";

/// The time at which a chain begins whose time moves only when it is told to.
pub(super) const START: u32 = 1_790_000_000;

/// The stage.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    chain: Option<Chain>,
    proxy: String,
}

struct Chain {
    net: RunningLocalNet,
    /// Dropped after the chain that runs in it.
    _runtime: Runtime,
    url: String,
    root: String,
}

pub(super) fn person(byte: u8) -> Address {
    Address::new(0, [byte; 32].into())
}

fn params() -> Params {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(1),
        unique_id: 7,
        is_test: true,
        price_per_token: Nanoton::new(10_000),
        worker_fee_per_token: Nanoton::new(8_000),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(10),
        min_client_stake: Nanoton::from_ton(5),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    }
}

fn proxy_key() -> PublicKey {
    PublicKey::from(&SigningKey::from_bytes(&[90; 32]))
}

/// The wallet of [`WORDS`].
pub(super) fn owner() -> Address {
    let key = Mnemonic::parse(WORDS).unwrap().key().unwrap();
    WalletContract::v5r1(PublicKey::from(&key), WALLET_ID_MAINNET)
        .address()
        .unwrap()
}

impl Stage {
    /// Only the folder, with a passphrase in it.
    pub(super) fn without_chain() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (chain, proxy) = (None, person(9).to_string());
        let stage = Self { folder, chain, proxy };
        stage.write("passphrase", "correct horse battery\n");
        stage
    }

    /// With a chain whose time moves only when it is told to, so that fees are the same in every run.
    pub(super) fn start() -> Self {
        Self::start_with(Clock::Manual(START))
    }

    /// With a chain that has the system's time.
    pub(super) fn start_now() -> Self {
        Self::start_with(Clock::System)
    }

    fn start_with(clock: Clock) -> Self {
        Self::owned_by(&person(1), clock)
    }

    /// With a root contract that belongs to the wallet of [`WORDS`] alone.
    pub(super) fn start_owned() -> Self {
        let stage = Self::owned_by(&owner(), Clock::Manual(START));
        stage.import_and_fund("dose", 100);
        stage
    }

    fn owned_by(owner: &Address, clock: Clock) -> Self {
        let mut stage = Self::without_chain();
        let runtime = Runtime::new().unwrap();
        let config = LocalNetConfig {
            clock,
            ..LocalNetConfig::ephemeral()
        };
        let net = runtime.block_on(LocalNet::start(config)).unwrap();
        let params = params();
        let root = root_state_init(owner, 0, &RootData::default(), &params).unwrap();
        let at = root.address().unwrap();
        let proxy = proxy_state_init(&person(2), &proxy_key(), &at, &params).unwrap();
        for (init, ton) in [(&root, 1), (&proxy, 1)] {
            deploy(&net, init, ton);
        }
        // Forced refunds come out of the proxy's stake.
        let stake = cocoon_bindings::proxy::AskToIncreaseProxyStake {
            query_id: cocoon_bindings::QueryId::new(1),
            stake_amount: Nanoton::from_ton(30),
            send_excesses_to: person(2),
        };
        let body = cocoon_bindings::ton::to_cell(&stake).unwrap();
        send(&net, &proxy.address().unwrap(), 31, body, None);
        stage.proxy = proxy.address().unwrap().to_string();
        stage.chain = Some(Chain {
            url: net.url(),
            root: at.to_string(),
            net,
            _runtime: runtime,
        });
        stage
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The chain's URL and the addresses on it, by the names that cases of commands use.
    #[allow(dead_code, reason = "only the cases of commands use it")]
    pub(super) fn values(&self) -> Vec<(String, String)> {
        let chain = self.chain.as_ref().unwrap();
        let on = format!("--chain-url {} --root {}", chain.url, chain.root);
        let values = [
            ("SIGNED", format!("{on} --wallet dose --yes --no-wait")),
            ("ON", on),
            ("CHAIN", chain.url.clone()),
            ("ROOT", chain.root.clone()),
            ("PROXY", self.proxy.clone()),
            ("OWNER", owner().to_string()),
            ("CLIENT", self.client_contract()),
            ("WORKER", self.worker_contract()),
            ("OWN_PROXY", self.own_proxy()),
            ("OWN_KEY", self.public_key([9; 32]).to_string()),
        ];
        values.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Delivers an exported message from the wallet of a person.
    #[allow(dead_code, reason = "only the cases of commands use it")]
    pub(super) fn deliver(&self, from: u8, message: &serde_json::Value) {
        let exported: ExportedMessage = serde_json::from_value(message.clone()).unwrap();
        let message = exported.to_message().unwrap();
        let sent = self.net().with(|chain| {
            chain.send_internal(&person(from), &message)?;
            chain.run()
        });
        sent.unwrap();
    }

    pub(super) fn proxy(&self) -> &str {
        &self.proxy
    }

    fn net(&self) -> &RunningLocalNet {
        &self.chain.as_ref().unwrap().net
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        mode(&path, 0o600);
    }

    pub(super) fn open_to_others(&self, name: &str) {
        mode(&self.folder.path().join(name), 0o644);
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cocoon"));
        command
            .args(
                line.split(' ')
                    .map(|word| if word == "PROXY" { self.proxy.as_str() } else { word }),
            )
            .current_dir(self.folder.path())
            .env_clear()
            .env("COCOON_PASSPHRASE_FILE", "passphrase")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub(super) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn place(&self, line: &str) -> String {
        match &self.chain {
            Some(chain) => format!("{line} --chain-url {} --root {}", chain.url, chain.root),
            None => format!("{line} --chain-url http://127.0.0.1:1 --root {}", person(1)),
        }
    }

    /// Runs the program on the chain. `status` takes the URL alone.
    pub(super) fn on_chain(&self, line: &str) -> Output {
        match &self.chain {
            Some(chain) if line.contains(" status ") => self.run(&format!("{line} --chain-url {}", chain.url)),
            _ => self.run(&self.place(line)),
        }
    }

    /// Runs the program on the chain with a wallet and without a question.
    pub(super) fn signed(&self, line: &str) -> Output {
        self.run(&self.place(&format!("{line} --wallet dose --yes")))
    }

    /// The same with the question left in.
    pub(super) fn unanswered(&self, line: &str) -> Output {
        self.run(&self.place(&format!("{line} --wallet dose")))
    }

    /// Starts the program on the chain with a wallet.
    pub(super) fn spawn_signed(&self, line: &str) -> Child {
        let mut command = self.command(&self.place(&format!("{line} --wallet dose --yes --json")));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Seals the key of [`WORDS`] and pays its wallet.
    pub(super) fn import_and_fund(&self, name: &str, ton: u64) {
        self.write("words.txt", WORDS);
        let imported = self.run(&format!("wallet import {name} --from words.txt"));
        assert!(imported.status.success());
        self.fund(&owner().to_string(), ton);
    }

    pub(super) fn fund(&self, address: &str, ton: u64) {
        let address = parse_address(address).unwrap();
        let fund = self.net().with(|chain| {
            chain.fund(&address, Nanoton::from_ton(ton))?;
            chain.run()
        });
        fund.unwrap();
    }

    pub(super) fn advance(&self, seconds: u32) {
        self.net().with(|chain| chain.advance(seconds)).unwrap();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.net().with(|chain| Ok(chain.snapshot())).unwrap()
    }

    /// Goes back to a snapshot, and forgets what was begun since.
    pub(super) fn restore(&self, snapshot: &Snapshot) {
        self.net().with(|chain| chain.restore(snapshot)).unwrap();
        // There is none where nothing was begun.
        let _ = std::fs::remove_dir_all(self.folder.path().join(".cocoon/keystore/journal"));
    }

    /// Data of a contract.
    pub(super) fn data(&self, address: &str) -> Option<Cell> {
        let address = parse_address(address).unwrap();
        let account = self.net().with(|chain| chain.account(&address)).unwrap();
        account.and_then(|account| account.data)
    }

    /// Coins of the wallet.
    pub(super) fn wallet_balance(&self) -> Nanoton {
        self.net().with(|chain| chain.balance(&owner())).unwrap()
    }

    pub(super) fn client_contract(&self) -> String {
        let proxy = parse_address(&self.proxy).unwrap();
        let init = client_state_init(&owner(), &proxy, &proxy_key(), &params()).unwrap();
        init.address().unwrap().to_string()
    }

    /// A proxy contract of the wallet's own, once it is deployed with this key.
    pub(super) fn own_proxy(&self) -> String {
        let root = parse_address(&self.chain.as_ref().unwrap().root).unwrap();
        let init = proxy_state_init(&owner(), &self.public_key([9; 32]), &root, &params()).unwrap();
        init.address().unwrap().to_string()
    }

    pub(super) fn root(&self) -> Address {
        parse_address(&self.chain.as_ref().unwrap().root).unwrap()
    }

    /// A message of anybody's, without a signature.
    pub(super) fn send_from(&self, from: &Address, to: &Address, body: &impl cocoon_bindings::ton::Store) {
        let message = InternalMessage {
            to: to.clone(),
            value: Nanoton::from_ton(1),
            bounce: true,
            body: cocoon_bindings::ton::to_cell(body).unwrap(),
            state_init: None,
        };
        let sent = self.net().with(|chain| {
            chain.send_internal(from, &message)?;
            chain.run()
        });
        sent.unwrap();
    }

    pub(super) fn deploy(&self, init: &StateInit) {
        deploy(self.net(), init, 1);
    }

    pub(super) fn worker_contract(&self) -> String {
        let proxy = parse_address(&self.proxy).unwrap();
        let init = worker_state_init(&owner(), &proxy, &proxy_key(), &params()).unwrap();
        init.address().unwrap().to_string()
    }

    pub(super) fn public_key(&self, seed: [u8; 32]) -> PublicKey {
        PublicKey::from(&SigningKey::from_bytes(&seed))
    }
}

fn deploy(net: &RunningLocalNet, init: &StateInit, ton: u64) {
    send(net, &init.address().unwrap(), ton, Cell::default(), Some(init.clone()));
}

fn send(net: &RunningLocalNet, to: &Address, ton: u64, body: Cell, state_init: Option<StateInit>) {
    let message = InternalMessage {
        to: to.clone(),
        value: Nanoton::from_ton(ton),
        bounce: false,
        body,
        state_init,
    };
    let sent = net.with(|chain| {
        chain.send_internal(&person(1), &message)?;
        chain.run()
    });
    sent.unwrap();
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
