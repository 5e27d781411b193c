//! Root, proxy, client and worker contracts, and a log of receipts between them.

mod forge;
mod refusing;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use cocoon_bindings::checkpoint::{AnchorSigned, Checkpoint, SignedCheckpoint};
use cocoon_bindings::client::AskToTopUp;
use cocoon_bindings::governor::ProposeFromSigner;
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::AskToIncreaseProxyStake;
use cocoon_bindings::root::{AddModelHashFromOwner, ChangeOwnerFromOwner};
use cocoon_bindings::tokens::{TokenCounts, TokensUsed};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, HashBytes, to_cell};
use cocoon_bindings::units::{Coefficient, ModelHash, Nanoton, ParamsVersion, PublicKey, QueryId, TokenCount};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_bindings::worker::RegisterWorkerFromOwner;
use cocoon_bindings::{
    ContractKind, Governance, Multipliers, Params, ProxyEndpoints, RootData, STRUCT_VERSION, StateInit,
    client_state_init, governor_state_init, proxy_state_init, root_state_init, worker_state_init,
};
use cocoon_chain::{ChainClient as _, ChainPool, EmulatedChain, HttpApi, SharedChain};
use cocoon_emulator::{Emulator, NetworkConfig};
use cocoon_ratls::SystemClock;
use cocoon_receipt::tree::{self, leaf_hash};
use cocoon_receipt::{ChannelLink, FinishReason, Receipt, ReceiptId, SignedReceipt, Timing, WorkStatement};
use cocoon_tlog::{DiskFolder, Publisher, SharedSource, source};
use ed25519_dalek::SigningKey;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use refusing::Refusing;

use crate::read::{Cost, Reader};
use crate::view::Shared;
use crate::{Explorer, Settings};

const NOW: u32 = 1_790_000_000;
const PROXY_SEED: [u8; 32] = [3; 32];
const WORKER_SEED: [u8; 32] = [2; 32];

pub(super) struct Stage {
    chain: EmulatedChain,
    asked: Arc<ChainPool>,
    reader: Reader,
    /// What it writes down.
    pub(super) view: Shared,
    router: Router,
    folder: TempDir,
    receipts: Vec<SignedReceipt>,
    owner: Address,
    pub(super) root: Address,
    /// The contract that the log and its receipts name.
    pub(super) proxy: Address,
    pub(super) client: Address,
    pub(super) worker: Address,
    /// Another contract that receipts name, where the log names `proxy`.
    pub(super) charged_by: Option<Address>,
    /// How much later than the chain's time the answers end, milliseconds.
    pub(super) ahead_ms: u64,
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&PROXY_SEED)
}

/// Reads an HTTP question to its end: lines up to an empty one, and as many bytes as one of them says.
fn read_question(from: &mut impl BufRead) -> io::Result<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            break;
        }
        let told = line.split_once(':');
        let told = told.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        length = told.map_or(length, |(_, value)| value.trim().parse().unwrap());
    }
    from.read_exact(&mut vec![0; length])
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn params() -> Params {
    let code = |kind: ContractKind| Some(kind.code().unwrap());
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(2),
        unique_id: 13,
        is_test: true,
        price_per_token: Nanoton::new(20),
        worker_fee_per_token: Nanoton::new(18),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(1),
        min_client_stake: Nanoton::from_ton(1),
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    }
}

impl Stage {
    /// When the first answer ended, Unix milliseconds.
    pub(super) const ENDED_MS: u64 = NOW as u64 * 1000;

    pub(super) async fn new() -> Self {
        Self::reading(1).await
    }

    /// The same log, named so many times.
    pub(super) async fn reading(times: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        Self::of(folder, vec![place; times]).await
    }

    /// The log, and before it a mirror of it.
    pub(super) async fn behind_a_mirror(mirror: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        Self::of(folder, vec![mirror.display().to_string(), place]).await
    }

    /// Copies the log as it is now.
    pub(super) fn copy_to(&self, mirror: &Path) {
        copy(self.folder.path(), mirror);
    }

    /// The log is nowhere, until it is published again.
    pub(super) fn take_away(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let removed = if path.is_dir() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.unwrap();
        }
    }

    async fn of(folder: TempDir, logs: Vec<String>) -> Self {
        let chain = EmulatedChain::new(Emulator::new(&NetworkConfig::default(), NOW).unwrap());
        let (owner, public) = (Address::new(0, HashBytes([6; 32])), Self::key());
        let places = ProxyEndpoints {
            workers: "192.0.2.1:11001".to_owned(),
            clients: "192.0.2.1:11002".to_owned(),
        };
        let data = RootData {
            proxy_hashes: [[0x11; 32].into()].into(),
            worker_hashes: [[0x22; 32].into()].into(),
            model_hashes: [ModelHash::new([7; 32])].into(),
            proxies: BTreeMap::from([(1, places)]),
            last_proxy_seqno: 1,
        };
        let init = root_state_init(&owner, 3, &data, &params()).unwrap();
        let root = init.address().unwrap();
        let stage = |init: &StateInit| init.address().unwrap();
        let proxy_init = proxy_state_init(&owner, &public, &root, &params()).unwrap();
        let proxy = stage(&proxy_init);
        let client_init = client_state_init(&owner, &proxy, &public, &params()).unwrap();
        let worker_init = worker_state_init(&owner, &proxy, &public, &params()).unwrap();
        let (client, worker) = (stage(&client_init), stage(&worker_init));
        let settings = Settings::new(root.clone(), logs.clone());
        // It counts what is asked.
        let asked = Arc::new(ChainPool::of_clients(vec![("chain".to_owned(), Arc::new(chain.clone()))]).unwrap());
        let shared: SharedChain = asked.clone();
        let stop = CancellationToken::new();
        let explorer = Explorer::start(Arc::clone(&shared), SystemClock::shared(), settings, stop.clone()).unwrap();
        // The looks are those of the test.
        stop.cancel();
        let log = |place: &String| -> (String, SharedSource) { (place.clone(), source(place).unwrap()) };
        let logs = logs.iter().map(log).collect();
        let view = explorer.inner.view.clone();
        let reader = Reader::new(shared, SystemClock::shared(), root.clone(), logs, view.clone());
        let stage = Self {
            chain,
            asked,
            reader,
            view,
            router: explorer.router(),
            folder,
            receipts: Vec::new(),
            owner: owner.clone(),
            root,
            proxy,
            client,
            worker,
            charged_by: None,
            ahead_ms: 0,
        };
        let query_id = QueryId::new(1);
        stage.send_with(&stage.root, CellBuilder::new().build().unwrap(), Some(init));
        let add = AskToIncreaseProxyStake {
            query_id,
            stake_amount: Nanoton::from_ton(1),
            send_excesses_to: owner.clone(),
        };
        stage.send_with(&stage.proxy, to_cell(&add).unwrap(), Some(proxy_init));
        let pay = AskToTopUp {
            query_id,
            top_up_amount: Nanoton::from_ton(3),
            send_excesses_to: owner.clone(),
        };
        stage.send_with(&stage.client, to_cell(&pay).unwrap(), Some(client_init));
        let register = RegisterWorkerFromOwner {
            query_id,
            send_excesses_to: owner,
        };
        stage.send_with(&stage.worker, to_cell(&register).unwrap(), Some(worker_init));
        stage
    }

    /// The key of the proxy contract.
    pub(super) fn key() -> PublicKey {
        PublicKey::from(&key())
    }

    fn send_with(&self, to: &Address, body: Cell, state_init: Option<StateInit>) {
        self.send_from(&self.owner, to, body, state_init);
    }

    fn send_from(&self, from: &Address, to: &Address, body: Cell, state_init: Option<StateInit>) {
        let message = InternalMessage {
            to: to.clone(),
            value: Nanoton::from_ton(5),
            bounce: state_init.is_none(),
            body,
            state_init,
        };
        let sent = self.chain.with(|chain| {
            let first = chain.send_internal(from, &message).map(|report| report.success());
            chain.run().unwrap();
            first
        });
        assert!(sent.unwrap(), "the contract refuses the message");
    }

    pub(super) async fn look(&mut self) -> Cost {
        self.reader.look().await
    }

    /// How many questions were asked of the chain so far.
    pub(super) fn questions(&self) -> u64 {
        self.asked.endpoints().iter().map(|server| server.requests).sum()
    }

    /// From now on a chain server is asked that refuses every question for there being too many.
    pub(super) fn limit(&mut self) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        std::thread::spawn(move || {
            for connection in server.incoming().flatten() {
                let mut question = BufReader::new(connection);
                // What is closed before all of it was read is reset, and the answer is lost with it.
                if read_question(&mut question).is_ok() {
                    let _ = question
                        .get_mut()
                        .write_all(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                }
            }
        });
        let chain: SharedChain = Arc::new(HttpApi::new(&url, None).unwrap());
        self.reader.ask_instead(chain);
    }

    /// From now on the chain server takes no more questions about transactions.
    pub(super) fn limit_histories(&mut self) {
        self.reader.ask_instead(Arc::new(Refusing(self.chain.clone())));
    }

    async fn answer(&self, path: &str) -> (u16, Value) {
        let request = Request::get(format!("/v1/cocoon/network/{path}"))
            .body(Body::empty())
            .unwrap();
        let answer = self.router.clone().call(request).await.unwrap();
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// A page.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, page) = self.answer(path).await;
        assert_eq!(status, 200, "{path}: {page:#}");
        page
    }

    pub(super) async fn status_of(&self, path: &str) -> u16 {
        self.answer(path).await.0
    }

    /// The receipt with a number, 13 tokens each.
    fn receipt(&self, number: u64) -> Receipt {
        let last = self.receipts.last();
        let link = |previous| ChannelLink {
            seqno: number + 1,
            previous,
            before: number * 13,
            after: (number + 1) * 13,
        };
        let mut request_id = HashBytes([4; 32]);
        request_id.0[..8].copy_from_slice(&number.to_be_bytes());
        let statement = WorkStatement {
            root: self.root.clone(),
            params_version: ParamsVersion::new(2),
            proxy: self.charged_by.as_ref().unwrap_or(&self.proxy).clone(),
            worker: self.worker.clone(),
            client: HashBytes([3; 32]),
            request_id,
            channel: link(last.map_or(HashBytes::ZERO, |last| last.receipt.statement.hash())),
            request_hash: HashBytes([5; 32]),
            response_hash: HashBytes([6; 32]),
            sampling_hash: HashBytes::ZERO,
            seed: 1,
            model: ModelHash::new([7; 32]),
            worker_evidence: HashBytes([8; 32]),
            counts: Some(TokenCounts {
                prompt: 5,
                cached: 0,
                completion: 8,
                reasoning: 0,
            }),
            used: TokensUsed {
                prompt: 5,
                cached: 0,
                completion: 8,
                reasoning: 0,
                total: 13,
            },
            coefficient: Coefficient::new(1000),
            timing: Timing {
                started_ms: Self::ENDED_MS - 500,
                first_token_ms: Self::ENDED_MS - 459,
                finished_ms: Self::ENDED_MS + self.ahead_ms + number,
            },
            finish: FinishReason::Length,
        };
        Receipt {
            statement,
            client: self.client.clone(),
            request_id,
            channel: link(last.map_or(HashBytes::ZERO, |last| last.id().0)),
            proxy_evidence: HashBytes([9; 32]),
        }
    }

    fn write(&mut self, by: &SigningKey, is_signed_by_worker: bool, log: &SigningKey) -> ReceiptId {
        let mut signed = SignedReceipt::sign(self.receipt(self.receipts.len() as u64), by);
        if is_signed_by_worker {
            let worker = SigningKey::from_bytes(&WORKER_SEED);
            signed.worker_signature = Some(signed.receipt.statement.sign(&worker));
        }
        let id = signed.id();
        self.receipts.push(signed);
        self.publish_all(log);
        id
    }

    fn publish_all(&self, log: &SigningKey) {
        let mut publisher = Publisher::open(DiskFolder::shared(self.folder.path()), log.clone()).unwrap();
        for receipt in self.receipts.iter().skip(usize::try_from(publisher.size()).unwrap()) {
            publisher.add(receipt).unwrap();
        }
        publisher
            .describe(self.root.to_string(), self.proxy.to_string())
            .unwrap();
        publisher.publish(None).unwrap();
    }

    /// Publishes so many receipts more.
    pub(super) fn publish(&mut self, count: usize) {
        for _ in 0..count {
            self.write(&key(), true, &key());
        }
    }

    /// A receipt that was published.
    pub(super) fn sample(&self) -> SignedReceipt {
        self.receipts[0].clone()
    }

    pub(super) fn publish_without_signature(&mut self) -> ReceiptId {
        self.write(&key(), false, &key())
    }

    pub(super) fn sign_later(&mut self, id: &ReceiptId) {
        let worker = SigningKey::from_bytes(&WORKER_SEED);
        let signature = self.receipts[0].receipt.statement.sign(&worker);
        let mut publisher = Publisher::open(DiskFolder::shared(self.folder.path()), key()).unwrap();
        publisher.add_signature(id, signature).unwrap();
        publisher.publish(None).unwrap();
    }

    /// A receipt in the log that another key than the contract's signed.
    pub(super) fn publish_unsigned(&mut self) {
        self.write(&SigningKey::from_bytes(&[77; 32]), true, &key());
    }

    pub(super) fn publish_signed_by_somebody_else(&mut self, count: usize) {
        let somebody = SigningKey::from_bytes(&[77; 32]);
        for _ in 0..count {
            self.write(&somebody, true, &somebody);
        }
    }

    /// The same key signs a log that does not continue the one before.
    pub(super) fn publish_another_history(&mut self, count: usize) {
        self.take_away();
        self.receipts.reverse();
        self.publish_all(&key());
        self.publish(count);
    }

    fn voucher(&self, op: VoucherOp, tokens: u64, contract: &Address) {
        let (query_id, tokens) = (QueryId::new(tokens), TokenCount::new(tokens));
        let voucher = SignedVoucher::sign(op, query_id, tokens, contract, &self.owner, &key()).unwrap();
        self.send_with(contract, voucher.to_cell().unwrap(), None);
    }

    pub(super) fn charge(&self, tokens: u64) {
        self.voucher(VoucherOp::ClientCharge, tokens, &self.client);
    }

    pub(super) fn pay_out(&self, tokens: u64) {
        self.voucher(VoucherOp::WorkerPayout, tokens, &self.worker);
    }

    /// Gives the root contract to two signers, of whom the first proposes a model.
    pub(super) fn govern(&self, model: [u8; 32]) {
        let signer = |index: u8| (index, Address::new(0, HashBytes([0x50 + index; 32])));
        let signers: BTreeMap<u8, Address> = (0..2).map(signer).collect();
        let governance = Governance {
            threshold: 2,
            revoke_threshold: 1,
            change_delay: 3_600,
            critical_delay: 7_200,
            signers: signers.clone(),
            council: BTreeMap::new(),
        };
        let init = governor_state_init(&self.root, &governance).unwrap();
        let governor = init.address().unwrap();
        self.send_with(&governor, CellBuilder::new().build().unwrap(), Some(init));
        let hand = ChangeOwnerFromOwner {
            query_id: QueryId::new(1),
            new_owner: governor.clone(),
        };
        self.send_with(&self.root, to_cell(&hand).unwrap(), None);
        // The first proposal of the first signer.
        let add = AddModelHashFromOwner {
            query_id: QueryId::new(32),
            hash: model.into(),
        };
        let propose = ProposeFromSigner {
            query_id: QueryId::new(2),
            signer_index: 0,
            expires_at: NOW + 30 * 86_400,
            body: to_cell(&add).unwrap(),
        };
        self.send_from(&signers[&0], &governor, to_cell(&propose).unwrap(), None);
    }

    fn anchor_with(&self, size: u64, root: HashBytes) {
        let checkpoint = Checkpoint::anchored(self.proxy.clone(), size, root, u64::from(NOW) + size).unwrap();
        let SignedCheckpoint { signature, checkpoint } = SignedCheckpoint::sign(checkpoint, &key()).unwrap();
        let anchor = AnchorSigned {
            query_id: QueryId::new(size),
            send_excesses_to: self.owner.clone(),
            signature,
            checkpoint,
        };
        self.send_with(&self.proxy, to_cell(&anchor).unwrap(), None);
    }

    /// Anchors the first receipts.
    pub(super) fn anchor(&self, size: usize) {
        let leaves: Vec<_> = self.receipts[..size]
            .iter()
            .map(|one| leaf_hash(one.id().0.as_slice()))
            .collect();
        self.anchor_with(size as u64, tree::root(&leaves));
    }

    pub(super) fn anchor_of_another_log(&self, size: u64) {
        self.anchor_with(size, HashBytes([0xee; 32]));
    }
}
