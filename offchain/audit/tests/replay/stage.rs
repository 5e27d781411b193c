//! A root, a proxy, a client and a worker on the emulated chain, and receipts between them.

use cocoon_attest::simulated::{SimulatedPlatform, simulated_measurements};
use cocoon_audit::Report;
use cocoon_bindings::client::{AskToTopUp, WithdrawFromOwner};
use cocoon_bindings::message::InternalMessage;
use cocoon_bindings::proxy::AskToWithdrawEarnings;
use cocoon_bindings::root::DeleteWorkerHashFromOwner;
use cocoon_bindings::tokens::TokenCounts;
use cocoon_bindings::ton::{Address, Cell, HashBytes, to_cell};
use cocoon_bindings::units::{Coefficient, ModelHash, Nanoton, ParamsVersion, PublicKey, QueryId, TokenCount};
use cocoon_bindings::voucher::{SignedVoucher, VoucherOp};
use cocoon_bindings::{
    ContractKind, Multipliers, Params, RootData, STRUCT_VERSION, StateInit, client_state_init, proxy_state_init,
    root_state_init, worker_state_init,
};
use cocoon_chain::EmulatedChain;
use cocoon_emulator::{Emulator, NetworkConfig};
use cocoon_ledger::pricing;
use cocoon_ratls::{Identity, Simulated};
use cocoon_receipt::{ChannelHead, FinishReason, Receipt, ReceiptId, Signature, SignedReceipt, Timing, WorkStatement};
use cocoon_store::{EvidenceFolder, LogRecord, ReceiptLog, files};
use ed25519_dalek::SigningKey;
use std::collections::BTreeMap;
use std::path::Path;

#[path = "stage/life.rs"]
mod life;

pub(crate) const PRICE: u128 = 20;
pub(crate) const FEE: u128 = 19;
const NOW: u32 = 1_780_000_000;

pub(crate) fn person(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

pub(crate) struct Stage {
    pub(crate) key: SigningKey,
    pub(crate) client: Address,
    pub(crate) worker: Address,
    pub(crate) records: Vec<LogRecord>,
    pub(crate) chain: EmulatedChain,
    pub(crate) root: Address,
    #[allow(dead_code, reason = "the benchmark asks for no quotes")]
    pub(crate) platform: SimulatedPlatform,
    pub(crate) proxy: Address,
    params: Params,
    worker_identity: Identity,
    proxy_identity: Identity,
    client_head: ChannelHead,
    worker_head: ChannelHead,
    query: u64,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_worker_image("worker")
    }

    /// A worker whose image need not be the listed one.
    pub(crate) fn with_worker_image(image: &str) -> Self {
        Self::of(image, true)
    }

    /// A network that counts, on the same simulated platform.
    #[allow(dead_code, reason = "the benchmark asks for no quotes")]
    pub(crate) fn in_production() -> Self {
        Self::of("worker", false)
    }

    fn of(image: &str, is_test: bool) -> Self {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public_key = PublicKey::from(&key);
        let platform = SimulatedPlatform::generate().unwrap();
        let identity = |role: &str| Identity::issue(&Simulated::for_role(platform.clone(), role), u64::from(NOW));
        let images = RootData {
            proxy_hashes: [simulated_measurements("proxy").image_hash()].into(),
            worker_hashes: [simulated_measurements("worker").image_hash()].into(),
            ..RootData::default()
        };
        let params = params(is_test);
        let root = root_state_init(&person(1), 0, &images, &params).unwrap();
        let proxy = proxy_state_init(&person(2), &public_key, &root.address().unwrap(), &params).unwrap();
        let at = proxy.address().unwrap();
        let client = client_state_init(&person(3), &at, &public_key, &params).unwrap();
        let worker = worker_state_init(&person(4), &at, &public_key, &params).unwrap();
        let mut stage = Self {
            key,
            client: client.address().unwrap(),
            worker: worker.address().unwrap(),
            records: Vec::new(),
            chain: EmulatedChain::new(Emulator::new(&NetworkConfig::october_2025(), NOW).unwrap()),
            root: root.address().unwrap(),
            platform: platform.clone(),
            proxy: at,
            params,
            worker_identity: identity(image).unwrap(),
            proxy_identity: identity("proxy").unwrap(),
            client_head: ChannelHead::GENESIS,
            worker_head: ChannelHead::GENESIS,
            query: 0,
        };
        let (root_address, proxy_address) = (stage.root.clone(), stage.proxy.clone());
        stage.send(&person(1), &root_address, 1, Cell::default(), Some(root));
        stage.send(&person(2), &proxy_address, 1, Cell::default(), Some(proxy));
        let top_up = AskToTopUp {
            query_id: stage.next_query(),
            top_up_amount: Nanoton::from_ton(5),
            send_excesses_to: person(3),
        };
        let (client_address, worker_address) = (stage.client.clone(), stage.worker.clone());
        stage.send(&person(3), &client_address, 6, to_cell(&top_up).unwrap(), Some(client));
        stage.send(&person(4), &worker_address, 1, Cell::default(), Some(worker));
        stage
    }

    /// An answer that costs so many tokens, with its receipt.
    pub(crate) fn serve(&mut self, tokens: u64) -> ReceiptId {
        let receipt = self.receipt(tokens);
        let id = receipt.id();
        let statement = receipt.statement.hash();
        let mut signed = SignedReceipt::sign(receipt, &self.key);
        signed.worker_signature = Some(self.sign_as_worker(&statement));
        self.records.push(LogRecord::Receipt(signed));
        id
    }

    /// The worker's signature over a statement.
    pub(crate) fn sign_as_worker(&self, statement: &HashBytes) -> Signature {
        Signature(self.worker_identity.sign(statement.as_slice()))
    }

    /// The next receipt, which both channels go on from.
    pub(crate) fn receipt(&mut self, tokens: u64) -> Receipt {
        let counts = TokenCounts {
            completion: tokens,
            ..TokenCounts::default()
        };
        let used = pricing::adjust(&counts, Coefficient::new(1000), &self.params.multipliers);
        let number = self.client_head.seqno;
        let now = u64::from(self.chain.with(|chain| chain.now())) * 1000;
        let statement = WorkStatement {
            root: self.root.clone(),
            params_version: self.params.params_version,
            proxy: self.proxy.clone(),
            worker: self.worker.clone(),
            client: HashBytes([9; 32]),
            request_id: HashBytes([number as u8; 32]),
            channel: self.worker_head.next(used.total).unwrap(),
            request_hash: HashBytes([10; 32]),
            response_hash: HashBytes([11; 32]),
            sampling_hash: HashBytes::ZERO,
            seed: 1,
            model: ModelHash::new([12; 32]),
            worker_evidence: self.worker_identity.evidence_hash().into(),
            counts: Some(counts),
            used,
            coefficient: Coefficient::new(1000),
            timing: Timing {
                started_ms: now,
                first_token_ms: now,
                finished_ms: now,
            },
            finish: FinishReason::Stop,
        };
        let receipt = Receipt {
            channel: self.client_head.next(used.total).unwrap(),
            client: self.client.clone(),
            request_id: HashBytes([number as u8; 32]),
            proxy_evidence: self.proxy_identity.evidence_hash().into(),
            statement,
        };
        let hashes = receipt.hashes();
        self.client_head = self.client_head.extend(&receipt.channel, hashes.id.0).unwrap();
        let link = &receipt.statement.channel;
        self.worker_head = self.worker_head.extend(link, hashes.statement).unwrap();
        receipt
    }

    /// The key that the worker signs with.
    #[allow(dead_code, reason = "the benchmark asks for it")]
    pub(crate) fn worker_key(&self) -> PublicKey {
        self.worker_identity.leaf_key()
    }

    /// The certificates by their hashes.
    pub(crate) fn certificates(&self) -> BTreeMap<HashBytes, Vec<u8>> {
        let identities = [&self.worker_identity, &self.proxy_identity];
        let each = identities.map(|identity| (identity.evidence_hash().into(), identity.certificate_der().to_vec()));
        each.into()
    }

    /// Charges the client up to a cumulative count.
    pub(crate) fn charge(&mut self, tokens: u64) {
        self.settle(VoucherOp::ClientCharge, tokens, &self.client.clone());
    }

    /// Pays the worker up to a cumulative count.
    pub(crate) fn pay(&mut self, tokens: u64) {
        self.settle(VoucherOp::WorkerPayout, tokens, &self.worker.clone());
    }

    fn settle(&mut self, op: VoucherOp, tokens: u64, contract: &Address) {
        let (query, tokens) = (self.next_query(), TokenCount::new(tokens));
        let voucher = SignedVoucher::sign(op, query, tokens, contract, &person(5), &self.key).unwrap();
        self.send(&person(5), contract, 1, voucher.to_cell().unwrap(), None);
    }

    /// The client takes back what exceeds its stake.
    pub(crate) fn withdraw(&mut self) {
        let ask = WithdrawFromOwner {
            query_id: self.next_query(),
            send_excesses_to: person(3),
        };
        self.send(&person(3), &self.client.clone(), 1, to_cell(&ask).unwrap(), None);
    }

    /// The proxy takes its earnings.
    pub(crate) fn withdraw_earnings(&mut self) {
        let ask = AskToWithdrawEarnings {
            query_id: self.next_query(),
            send_excesses_to: person(2),
        };
        self.send(&person(2), &self.proxy.clone(), 1, to_cell(&ask).unwrap(), None);
    }

    /// The root contract no longer lists the worker's image.
    pub(crate) fn delist_worker_image(&mut self) {
        let hash = simulated_measurements("worker").image_hash().to_hash_bytes();
        let delete = DeleteWorkerHashFromOwner {
            query_id: self.next_query(),
            hash,
        };
        self.send(&person(1), &self.root.clone(), 1, to_cell(&delete).unwrap(), None);
    }

    /// Writes receipts and evidence as a proxy does.
    pub(crate) fn write(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut log = ReceiptLog::open(&folder.path().join(files::RECEIPTS), 0, |_| Ok(())).unwrap();
        log.append(&self.records).unwrap();
        let evidence = EvidenceFolder::open(&folder.path().join(files::EVIDENCE)).unwrap();
        evidence.put(self.worker_identity.certificate_der()).unwrap();
        evidence.put(self.proxy_identity.certificate_der()).unwrap();
        folder
    }

    pub(crate) fn audit(&self) -> Report {
        self.audit_folder(self.write().path())
    }

    pub(crate) fn audit_folder(&self, folder: &Path) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime
            .block_on(cocoon_audit::run(folder, &self.chain, &self.proxy))
            .unwrap()
    }

    fn next_query(&mut self) -> QueryId {
        self.query += 1;
        QueryId::new(self.query)
    }

    fn send(&mut self, from: &Address, to: &Address, ton: u64, body: Cell, state_init: Option<StateInit>) {
        let message = InternalMessage {
            to: to.clone(),
            value: Nanoton::from_ton(ton),
            bounce: true,
            body,
            state_init,
        };
        let first = self.chain.with(|chain| {
            let first = chain.send_internal(from, &message).unwrap();
            chain.run().unwrap();
            first
        });
        assert!(first.success(), "{:?}", first.exit_code());
    }
}

fn params(is_test: bool) -> Params {
    Params {
        struct_version: STRUCT_VERSION,
        params_version: ParamsVersion::new(3),
        unique_id: 1,
        is_test,
        price_per_token: Nanoton::new(PRICE),
        worker_fee_per_token: Nanoton::new(FEE),
        multipliers: Multipliers::default(),
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: Nanoton::from_ton(1),
        min_client_stake: Nanoton::from_ton(1),
        proxy_code: Some(ContractKind::Proxy.code().unwrap()),
        worker_code: Some(ContractKind::Worker.code().unwrap()),
        client_code: Some(ContractKind::Client.code().unwrap()),
    }
}
