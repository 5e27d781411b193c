//! What happens in the life of the network besides answers: other terms, lists, checkpoints, claims.

use super::{FEE, Stage, person};
use cocoon_bindings::checkpoint::{Checkpoint, SignedCheckpoint};
use cocoon_bindings::client::{AskToTopUp, ClaimByReceipt};
use cocoon_bindings::root::{AddModelHashFromOwner, ChangePricesFromOwner};
use cocoon_bindings::ton::{Address, Cell, HashBytes, boc_base64, from_cell, to_cell};
use cocoon_bindings::types::SettleClaim;
use cocoon_bindings::units::{Nanoton, ParamsVersion, PublicKey};
use cocoon_bindings::worker::ClaimByStatement;
use cocoon_bindings::{client_state_init, proxy_state_init, worker_state_init};
use cocoon_receipt::tree::leaf_hash;
use cocoon_receipt::{ChannelHead, Receipt};
use cocoon_store::LogRecord;
use cocoon_tlog::{DiskFolder, Publisher};

impl Stage {
    /// The root contract's prices change: the proxy, the client and the worker have other contracts from then on.
    pub(crate) fn change_prices(&mut self, price: u128) {
        self.change_terms(price, FEE);
    }

    /// The same, and of the price the worker gets `fee`.
    pub(crate) fn change_terms(&mut self, price: u128, fee: u128) {
        let change = ChangePricesFromOwner {
            query_id: self.next_query(),
            price_per_token: Nanoton::new(price),
            worker_fee_per_token: Nanoton::new(fee),
        };
        self.send(&person(1), &self.root.clone(), 1, to_cell(&change).unwrap(), None);
        self.params.price_per_token = Nanoton::new(price);
        self.params.worker_fee_per_token = Nanoton::new(fee);
        self.params.params_version = ParamsVersion::new(self.params.params_version.get() + 1);
        let public_key = PublicKey::from(&self.key);
        let proxy = proxy_state_init(&person(2), &public_key, &self.root, &self.params).unwrap();
        self.proxy = proxy.address().unwrap();
        let client = client_state_init(&person(3), &self.proxy, &public_key, &self.params).unwrap();
        let worker = worker_state_init(&person(4), &self.proxy, &public_key, &self.params).unwrap();
        (self.client, self.worker) = (client.address().unwrap(), worker.address().unwrap());
        (self.client_head, self.worker_head) = (ChannelHead::GENESIS, ChannelHead::GENESIS);
        self.send(&person(2), &self.proxy.clone(), 1, Cell::default(), Some(proxy));
        let top_up = AskToTopUp {
            query_id: self.next_query(),
            top_up_amount: Nanoton::from_ton(5),
            send_excesses_to: person(3),
        };
        let body = to_cell(&top_up).unwrap();
        self.send(&person(3), &self.client.clone(), 6, body, Some(client));
        self.send(&person(4), &self.worker.clone(), 1, Cell::default(), Some(worker));
    }

    /// What the proxy contract would hold in the beginning if it were another owner's, as a bag of cells.
    pub(crate) fn proxy_data(&self, owner: &Address) -> String {
        let public_key = PublicKey::from(&self.key);
        let init = proxy_state_init(owner, &public_key, &self.root, &self.params).unwrap();
        boc_base64(&init.data)
    }

    /// Both channels go on from a receipt that was changed after it was made.
    pub(crate) fn relink(&mut self, receipt: &Receipt) {
        let hashes = receipt.hashes();
        self.client_head.hash = hashes.id.0;
        self.worker_head.hash = hashes.statement;
    }

    /// Another client comes, whose requests are served from then on.
    pub(crate) fn another_client(&mut self, tag: u8) {
        let public_key = PublicKey::from(&self.key);
        let client = client_state_init(&person(tag), &self.proxy, &public_key, &self.params).unwrap();
        self.client = client.address().unwrap();
        self.client_head = ChannelHead::GENESIS;
        let top_up = AskToTopUp {
            query_id: self.next_query(),
            top_up_amount: Nanoton::from_ton(5),
            send_excesses_to: person(tag),
        };
        let body = to_cell(&top_up).unwrap();
        self.send(&person(tag), &self.client.clone(), 6, body, Some(client));
    }

    /// Anchors a checkpoint of the log.
    pub(crate) fn anchor(&mut self, seqno: u64, size: u64, root: HashBytes) {
        let checkpoint = Checkpoint {
            proxy: self.proxy.clone(),
            seqno,
            size,
            root_hash: root,
            time: u64::from(self.chain.with(|chain| chain.now())),
        };
        let signed = SignedCheckpoint::sign(checkpoint, &self.key).unwrap();
        let anchor = signed.anchor(self.next_query(), &person(5));
        self.send(&person(5), &self.proxy.clone(), 1, to_cell(&anchor).unwrap(), None);
    }

    /// The root of the first receipts.
    pub(crate) fn root_of(&self, size: usize) -> HashBytes {
        let leaves = self.records.iter().take(size).map(|record| match record {
            LogRecord::Receipt(signed) => leaf_hash(signed.id().0.as_slice()),
            LogRecord::WorkerSignature(..) => panic!("only receipts are anchored in tests"),
        });
        cocoon_receipt::tree::root(&leaves.collect::<Vec<_>>())
    }

    /// Worker and client claim with a receipt, and settle when the delay of the terms has passed.
    pub(crate) fn claim(&mut self, record: usize) {
        let LogRecord::Receipt(signed) = self.records[record].clone() else {
            panic!("only receipts are claimed with")
        };
        let statement = &signed.receipt.statement;
        let by_worker = ClaimByStatement {
            query_id: self.next_query(),
            send_excesses_to: person(4),
            signature: statement.sign(&self.key).0,
            statement: from_cell(&statement.to_cell()).unwrap(),
        };
        let by_client = ClaimByReceipt {
            query_id: self.next_query(),
            send_excesses_to: person(3),
            signature: signed.proxy_signature.0,
            receipt: from_cell(&signed.receipt.to_cell()).unwrap(),
        };
        let (worker, client) = (self.worker.clone(), self.client.clone());
        self.send(&person(4), &worker, 1, to_cell(&by_worker).unwrap(), None);
        self.send(&person(3), &client, 1, to_cell(&by_client).unwrap(), None);
        self.wait(self.params.client_delay_before_close + 1);
        for contract in [&worker, &client] {
            let settle = SettleClaim {
                query_id: self.next_query(),
                send_excesses_to: person(9),
            };
            self.send(&person(9), contract, 1, to_cell(&settle).unwrap(), None);
        }
    }

    /// Time goes by.
    pub(crate) fn wait(&self, seconds: u32) {
        self.chain.with(|chain| chain.set_now(chain.now() + seconds)).unwrap();
    }

    /// The chain's time, Unix seconds.
    #[allow(dead_code, reason = "the benchmark has no times")]
    pub(crate) fn now(&self) -> u32 {
        self.chain.with(|chain| chain.now())
    }

    /// Lists a model, and only that.
    pub(crate) fn list_model(&mut self, model: [u8; 32]) {
        let add = AddModelHashFromOwner {
            query_id: self.next_query(),
            hash: HashBytes(model),
        };
        self.send(&person(1), &self.root.clone(), 1, to_cell(&add).unwrap(), None);
    }

    /// Publishes the log as a proxy does.
    pub(crate) fn publish(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(DiskFolder::shared(folder.path()), self.key.clone()).unwrap();
        for record in &self.records {
            match record {
                LogRecord::Receipt(receipt) => publisher.add(receipt).unwrap(),
                LogRecord::WorkerSignature(id, signature) => publisher.add_signature(id, *signature).unwrap(),
            }
        }
        for certificate in self.certificates().values() {
            publisher.put_evidence(certificate).unwrap();
        }
        publisher
            .describe(self.root.to_string(), self.proxy.to_string())
            .unwrap();
        publisher.publish(None).unwrap();
        folder
    }
}
