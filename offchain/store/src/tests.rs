//! Claims about the store, and what they are made with.

use std::path::Path;

use cocoon_bindings::tokens::TokensUsed;
use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::{Coefficient, ModelHash, Nanoton, ParamsVersion, TokenCount};
use cocoon_ledger::{ClientOnChain, ContractState, Ledger, Position};
use cocoon_receipt::{ChannelHead, ChannelLink, FinishReason, Receipt, SignedReceipt, Timing, WorkStatement};
use ed25519_dalek::SigningKey;

use crate::*;

fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

fn link(position: &Position) -> ChannelLink {
    ChannelLink {
        seqno: position.seqno,
        previous: position.previous,
        before: position.before.get(),
        after: position.after.get(),
    }
}

/// Opens a store with one client and one worker in its ledger.
fn opened(folder: &Path) -> (ProxyStore, Ledger) {
    let (mut store, Recovered { mut ledger, .. }) = ProxyStore::open(folder).unwrap();
    store.write(&[open_channels(&mut ledger)]).unwrap();
    (store, ledger)
}

/// Opens the channels of one client and one worker, and returns what has to be written for it.
fn open_channels(ledger: &mut Ledger) -> ProxyWrite {
    let funded = ClientOnChain {
        state: ContractState::Normal,
        balance: Nanoton::new(1_000_000),
        stake: Nanoton::new(1_000_000),
        tokens_used: TokenCount::ZERO,
        price: Nanoton::new(1),
        secret_hash: HashBytes::ZERO,
    };
    let mut changes = ledger.open_worker(&address(2), &address(12));
    ledger.open_client(&address(1), &address(11));
    changes.clients = ledger.see_client(&address(1), funded).unwrap().clients;
    ProxyWrite {
        changes,
        ..Default::default()
    }
}

/// What a client keeps of a receipt.
fn stored(receipt: &SignedReceipt) -> StoredReceipt {
    StoredReceipt {
        receipt: receipt.clone(),
        request_salt: [1; 32],
        response_salt: [2; 32],
        max_coefficient: Some(1000),
        verified_at: 3,
        fault: None,
    }
}

/// Where the client's channel stands after a receipt.
fn head(receipt: &SignedReceipt) -> ChannelHead {
    let link = &receipt.receipt.channel;
    ChannelHead {
        seqno: link.seqno,
        hash: receipt.id().0,
        total: link.after,
    }
}

/// Charges `tokens` and returns what has to be written for it.
fn charge(ledger: &mut Ledger, tokens: u64) -> ProxyWrite {
    let used = TokenCount::new(tokens);
    let reservation = ledger.reserve(&address(1), 0, used).unwrap();
    let charge = ledger.prepare(reservation, &address(2), used).unwrap();
    let statement = WorkStatement {
        root: address(9),
        params_version: ParamsVersion::new(1),
        proxy: address(8),
        worker: address(2),
        client: HashBytes([3; 32]),
        request_id: HashBytes([4; 32]),
        channel: link(&charge.worker_position),
        request_hash: HashBytes([5; 32]),
        response_hash: HashBytes([6; 32]),
        sampling_hash: HashBytes::ZERO,
        seed: 0,
        model: ModelHash::new([7; 32]),
        worker_evidence: HashBytes([8; 32]),
        counts: None,
        used: TokensUsed {
            completion: tokens,
            total: tokens,
            ..Default::default()
        },
        coefficient: Coefficient::new(1000),
        timing: Timing {
            started_ms: 1,
            first_token_ms: 2,
            finished_ms: 3,
        },
        finish: FinishReason::Stop,
    };
    let receipt = Receipt {
        statement,
        client: address(1),
        request_id: HashBytes([tokens as u8; 32]),
        channel: link(&charge.client_position),
        proxy_evidence: HashBytes([9; 32]),
    };
    let changes = ledger.apply(&charge, receipt.id().0, receipt.statement.hash()).unwrap();
    ledger.persisted(&changes);
    let signed = SignedReceipt::sign(receipt, &SigningKey::from_bytes(&[1; 32]));
    ProxyWrite {
        changes,
        records: vec![LogRecord::Receipt(signed).into()],
        ..Default::default()
    }
}

/// A store that ended in order after these charges.
fn filled(folder: &Path, charges: &[u64]) -> Vec<SignedReceipt> {
    let (mut store, mut ledger) = opened(folder);
    for tokens in charges {
        store.write(&[charge(&mut ledger, *tokens)]).unwrap();
    }
    store.checkpoint().unwrap();
    read_receipts(&folder.join(files::RECEIPTS)).unwrap()
}

mod crash;
mod damage;
mod format;
mod journal;
mod peers;
mod platter;
mod proxy;
