//! Receipts and statements for the tests of disputes, signed by the proxy's contract key.

use cocoon_bindings::client::{ClaimByReceipt, GetCocoonClientClaim};
use cocoon_bindings::ton::{Address, Cell, CellFamily, HashBytes, Store};
use cocoon_bindings::types::{
    ChannelLink, ExitCode, Receipt, SettleClaim, StatementParties, StatementTiming, WorkStatement,
};
use cocoon_bindings::worker::{ClaimByStatement, GetCocoonWorkerClaim};
use cocoon_bindings::{ParamsVersion, QueryId};
use ed25519_dalek::{Signer, SigningKey};

use crate::messages::body;
use crate::outcome::Outcome;
use crate::people::{CLIENT_OWNER, EXCESSES, WORKER_OWNER};
use crate::world::{World, ton};

/// A link of a channel that ends at a count.
pub fn link(after: u64) -> ChannelLink {
    ChannelLink {
        seqno: 3,
        previous: HashBytes([0x31; 32]),
        before: after.saturating_sub(5),
        after,
    }
}

/// A statement for the world's worker.
pub fn statement(world: &World, after: u64) -> WorkStatement {
    WorkStatement {
        version: 1,
        params_version: ParamsVersion::new(1),
        coefficient: 1000,
        finish: 1,
        seed: 7,
        timing: StatementTiming {
            started: 1,
            first_token: 2,
            finished: 3,
        },
        client: HashBytes([0x32; 32]),
        request_id: HashBytes([0x33; 32]),
        parties: StatementParties {
            root: world.root.clone(),
            proxy: world.proxy.clone(),
            worker: world.worker.clone(),
        },
        channel: link(after),
        hashes: Cell::empty_cell(),
        tokens: Cell::empty_cell(),
    }
}

/// A receipt for the world's client.
pub fn receipt(world: &World, after: u64) -> Receipt {
    Receipt {
        version: 1,
        client: world.client.clone(),
        request_id: HashBytes([0x33; 32]),
        proxy_evidence: HashBytes([0x34; 32]),
        statement: statement(world, 5),
        channel: link(after),
    }
}

/// A signature of a cell's hash.
pub fn sign(key: &SigningKey, signed: &impl Store) -> [u8; 64] {
    key.sign(body(signed).repr_hash().as_slice()).to_bytes()
}

/// The worker's claim with a statement that a key signed.
pub fn claim_by_statement(query_id: QueryId, statement: WorkStatement, key: &SigningKey) -> Cell {
    body(&ClaimByStatement {
        query_id,
        send_excesses_to: EXCESSES,
        signature: sign(key, &statement),
        statement,
    })
}

/// The client's claim with a receipt that a key signed.
pub fn claim_by_receipt(query_id: QueryId, receipt: Receipt, key: &SigningKey) -> Cell {
    body(&ClaimByReceipt {
        query_id,
        send_excesses_to: EXCESSES,
        signature: sign(key, &receipt),
        receipt,
    })
}

/// The worker's owner claims a count.
pub fn worker_claims(world: &mut World, after: u64) -> Outcome {
    let message = claim_by_statement(world.next_query(), statement(world, after), &world.key);
    let worker = world.worker.clone();
    world.send_cell(&WORKER_OWNER, &worker, ton("0.7"), message)
}

/// The client's owner claims a count.
pub fn client_claims(world: &mut World, after: u64) -> Outcome {
    let message = claim_by_receipt(world.next_query(), receipt(world, after), &world.key);
    let client = world.client.clone();
    world.send_cell(&CLIENT_OWNER, &client, ton("0.7"), message)
}

/// Settles with the claim that is open.
pub fn settle(query_id: QueryId) -> Cell {
    body(&SettleClaim {
        query_id,
        send_excesses_to: EXCESSES,
    })
}

/// The worker's claim as tokens, time and when it may be settled.
pub fn worker_claim(world: &World) -> (u64, u32, u64) {
    let claim = world.get(&world.worker, &GetCocoonWorkerClaim);
    (claim.tokens.get(), claim.since, claim.settle_from)
}

/// The client's claim as tokens, time and when it may be settled.
pub fn client_claim(world: &World) -> (u64, u32, u64) {
    let claim = world.get(&world.client, &GetCocoonClientClaim);
    (claim.tokens.get(), claim.since, claim.settle_from)
}

/// Sends a message that must be refused, whatever time has passed: nothing changes but for the storage that is due.
pub fn refused(world: &mut World, from: &Address, to: &Address, value: &str, message: Cell, error: ExitCode) {
    let (data, held) = (world.data(to), world.balance(to));
    let outcome = world.send_cell(from, to, ton(value), message);
    outcome.assert_refused(to, error);
    assert_eq!(world.data(to), data, "a refused message changes nothing");
    let storage = outcome.storage_fees(to);
    assert_eq!(world.balance(to), held.checked_sub(storage).unwrap());
    assert_eq!(outcome.received(from), ton(value).checked_sub(outcome.cost()).unwrap());
}
