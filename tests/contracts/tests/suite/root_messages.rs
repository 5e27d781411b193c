//! One well-formed message of each kind that the root contract takes from its owner.

use cocoon_bindings::root::{
    AddImageFromOwner, AddModelFromOwner, AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner,
    Attestations, ChangeAllParamsFromOwner, ChangeCodesFromOwner, ChangeOwnerFromOwner, ChangeParamsFromOwner,
    ChangePricesFromOwner, ChangeRebuildersFromOwner, DeleteModelHashFromOwner, DeleteProxyHashFromOwner,
    DeleteWorkerHashFromOwner, HashRole, OfferOwnershipFromOwner, Rebuilders, RegisterProxyFromOwner, ResetFromOwner,
    UnregisterProxyFromOwner, UpdateProxyFromOwner, UpgradeCodeFromOwner, UpgradeFullFromOwner,
};
use cocoon_bindings::ton::{Cell, CellFamily, HashBytes};
use cocoon_bindings::{HashDescriptor, Nanoton, ProxyEndpoints};
use cocoon_contract_tests::{ANYONE, START, World, body, query, ton};

/// One message of each kind, in the order of the contract.
pub(crate) fn every_message(world: &World) -> Vec<Cell> {
    let (query_id, hash) = (query(41), HashBytes([0x5a; 32]));
    let endpoints = ProxyEndpoints {
        workers: "a:1".to_owned(),
        clients: "a:1".to_owned(),
    };
    let (price_per_token, worker_fee_per_token) = (Nanoton::new(2), Nanoton::new(1));
    let stake = ton("1");
    let code = Cell::empty_cell();
    let data = world.data(&world.root);
    vec![
        body(&AddWorkerHashFromOwner { query_id, hash }),
        body(&DeleteWorkerHashFromOwner { query_id, hash }),
        body(&AddProxyHashFromOwner { query_id, hash }),
        body(&DeleteProxyHashFromOwner { query_id, hash }),
        body(&AddModelHashFromOwner { query_id, hash }),
        body(&DeleteModelHashFromOwner { query_id, hash }),
        body(&RegisterProxyFromOwner {
            query_id,
            endpoints: endpoints.clone(),
        }),
        body(&UnregisterProxyFromOwner { query_id, seqno: 1 }),
        body(&UpdateProxyFromOwner {
            query_id,
            seqno: 1,
            endpoints: endpoints.clone(),
        }),
        body(&ChangePricesFromOwner {
            query_id,
            price_per_token,
            worker_fee_per_token,
        }),
        body(&ChangeParamsFromOwner {
            query_id,
            price_per_token,
            worker_fee_per_token,
            proxy_delay_before_close: 1,
            client_delay_before_close: 1,
            min_proxy_stake: stake,
            min_client_stake: stake,
        }),
        body(&ChangeAllParamsFromOwner {
            query_id,
            price_per_token,
            worker_fee_per_token,
            prompt_mul: 1,
            cached_mul: 1,
            completion_mul: 1,
            reasoning_mul: 1,
            proxy_delay_before_close: 1,
            client_delay_before_close: 1,
            min_proxy_stake: stake,
            min_client_stake: stake,
        }),
        body(&ChangeCodesFromOwner {
            query_id,
            proxy_code: code.clone(),
            worker_code: code.clone(),
            client_code: code.clone(),
        }),
        body(&UpgradeCodeFromOwner {
            query_id,
            code: code.clone(),
        }),
        body(&UpgradeFullFromOwner { query_id, data, code }),
        body(&ResetFromOwner { query_id }),
        body(&ChangeOwnerFromOwner {
            query_id,
            new_owner: ANYONE,
        }),
        body(&AddImageFromOwner {
            query_id,
            role: HashRole::Worker,
            hash,
            source_commit: HashBytes([1; 32]),
            descriptor: HashDescriptor::default(),
            attestations: Attestations { signatures: None },
        }),
        body(&AddModelFromOwner {
            query_id,
            hash,
            descriptor: HashDescriptor::default(),
        }),
        body(&ChangeRebuildersFromOwner {
            query_id,
            rebuilders: Rebuilders {
                keys: None,
                threshold: 0,
            },
        }),
        body(&OfferOwnershipFromOwner {
            query_id,
            new_owner: ANYONE,
            until: START + 1000,
        }),
    ]
}
