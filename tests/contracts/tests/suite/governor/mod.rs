//! The governor: several signers own the root contract.

mod answers;
mod approvals;
mod configuration;
mod council;
mod execution;
mod gas;
mod mutants;
mod ownership;
mod proposals;
mod random;

use cocoon_bindings::root::{
    AddWorkerHashFromOwner, ChangePricesFromOwner, DeleteWorkerHashFromOwner, WorkerHashIsValid,
};
use cocoon_bindings::ton::{HashBytes, from_cell};
use cocoon_bindings::types::ReturnExcessesBack;
use cocoon_bindings::{Nanoton, QueryId};
use cocoon_contract_tests::{ANYONE, ATTACHED, Governed, Outcome, ton};

const HASH: HashBytes = HashBytes([0x5a; 32]);

fn add(query_id: QueryId) -> AddWorkerHashFromOwner {
    AddWorkerHashFromOwner { query_id, hash: HASH }
}

fn delete(query_id: QueryId) -> DeleteWorkerHashFromOwner {
    DeleteWorkerHashFromOwner { query_id, hash: HASH }
}

/// The root contract refuses it: a worker would get more than the price.
fn bad_prices(query_id: QueryId) -> ChangePricesFromOwner {
    ChangePricesFromOwner {
        query_id,
        price_per_token: Nanoton::new(1),
        worker_fee_per_token: Nanoton::new(2),
    }
}

fn is_valid(governed: &Governed) -> bool {
    governed
        .world
        .get(&governed.world.root, &WorkerHashIsValid { hash: HASH })
}

/// What came back to the executor is all that it attached, less gas and forwarding.
fn assert_returned(governed: &Governed, outcome: &Outcome) {
    let expected = ton(ATTACHED).checked_sub(outcome.cost()).unwrap();
    assert_eq!(outcome.received(&ANYONE), expected);
    let answer = &outcome.at(&ANYONE).in_msg.as_ref().unwrap().body;
    let query_id = governed.query_id;
    assert_eq!(
        from_cell::<ReturnExcessesBack>(answer).unwrap(),
        ReturnExcessesBack { query_id }
    );
}
