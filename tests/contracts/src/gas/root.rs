//! The root contract's messages.

use cocoon_bindings::root::{
    AddModelHashFromOwner, AddProxyHashFromOwner, AddWorkerHashFromOwner, ChangeAllParamsFromOwner,
    ChangeCodesFromOwner, ChangeOwnerFromOwner, ChangeParamsFromOwner, ChangePricesFromOwner, DeleteModelHashFromOwner,
    DeleteProxyHashFromOwner, DeleteWorkerHashFromOwner, RegisterProxyFromOwner, ResetFromOwner,
    UnregisterProxyFromOwner, UpdateProxyFromOwner, UpgradeCodeFromOwner, UpgradeFullFromOwner,
};
use cocoon_bindings::ton::{Cell, HashBytes};
use cocoon_bindings::{ContractKind, Nanoton, ProxyEndpoints};

use crate::gas::Meter;
use crate::gas::common::QUERY;
use crate::messages::body;
use crate::people::{ANYONE, OWNER};
use crate::world::ton;

/// The messages of every day.
pub(super) fn common(meter: &mut Meter) {
    let root = meter.world.root.clone();
    some_hashes(meter);
    let hash = HashBytes([5; 32]);
    meter.send(
        "add hash",
        &OWNER,
        &root,
        &AddWorkerHashFromOwner { query_id: QUERY, hash },
    );
    let delete = DeleteWorkerHashFromOwner { query_id: QUERY, hash };
    meter.send("delete hash", &OWNER, &root, &delete);
    meter.send("register proxy", &OWNER, &root, &registration());
}

/// A few hashes, as a network has; each doubling of their number costs one more level of the dictionary.
fn some_hashes(meter: &mut Meter) {
    let root = meter.world.root.clone();
    for number in 1..4u8 {
        let hash = HashBytes([number.wrapping_mul(37); 32]);
        let add = AddWorkerHashFromOwner { query_id: QUERY, hash };
        meter.world.send(&OWNER, &root, ton("0.7"), &add).assert_success();
    }
}

fn endpoints() -> ProxyEndpoints {
    ProxyEndpoints {
        workers: "10.0.0.1:11001".to_owned(),
        clients: "10.0.0.1:11002".to_owned(),
    }
}

fn registration() -> RegisterProxyFromOwner {
    RegisterProxyFromOwner {
        query_id: QUERY,
        endpoints: endpoints(),
    }
}

/// The rest of what the deployed contract knows.
pub(super) fn others(meter: &mut Meter) {
    let root = meter.world.root.clone();
    some_hashes(meter);
    for (step, message) in lists().into_iter().chain(terms()) {
        meter.send_cell(step, &OWNER, &root, message);
    }
    let code = ContractKind::Root.code().unwrap();
    let upgrade = UpgradeCodeFromOwner {
        query_id: QUERY,
        code: code.clone(),
    };
    meter.send("upgrade code", &OWNER, &root, &upgrade);
    let data = meter.world.data(&root);
    let upgrade = UpgradeFullFromOwner {
        query_id: QUERY,
        data,
        code,
    };
    meter.send("upgrade code and data", &OWNER, &root, &upgrade);
    meter.send("reset", &OWNER, &root, &ResetFromOwner { query_id: QUERY });
    let owner = ChangeOwnerFromOwner {
        query_id: QUERY,
        new_owner: ANYONE,
    };
    meter.send("change owner", &OWNER, &root, &owner);
}

fn lists() -> Vec<(&'static str, Cell)> {
    let (query_id, hash) = (QUERY, HashBytes([5; 32]));
    let update = UpdateProxyFromOwner {
        query_id,
        seqno: 1,
        endpoints: endpoints(),
    };
    vec![
        ("add proxy hash", body(&AddProxyHashFromOwner { query_id, hash })),
        ("delete proxy hash", body(&DeleteProxyHashFromOwner { query_id, hash })),
        ("add model hash", body(&AddModelHashFromOwner { query_id, hash })),
        ("delete model hash", body(&DeleteModelHashFromOwner { query_id, hash })),
        ("register first proxy", body(&registration())),
        ("update proxy", body(&update)),
        (
            "unregister proxy",
            body(&UnregisterProxyFromOwner { query_id, seqno: 1 }),
        ),
    ]
}

fn terms() -> Vec<(&'static str, Cell)> {
    let query_id = QUERY;
    let (price_per_token, worker_fee_per_token) = (Nanoton::new(20), Nanoton::new(19));
    let prices = ChangePricesFromOwner {
        query_id,
        price_per_token,
        worker_fee_per_token,
    };
    let params = ChangeParamsFromOwner {
        query_id,
        price_per_token,
        worker_fee_per_token,
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: ton("1"),
        min_client_stake: ton("1"),
    };
    let all = ChangeAllParamsFromOwner {
        query_id,
        price_per_token,
        worker_fee_per_token,
        prompt_mul: 10_000,
        cached_mul: 10_000,
        completion_mul: 10_000,
        reasoning_mul: 10_000,
        proxy_delay_before_close: 600,
        client_delay_before_close: 300,
        min_proxy_stake: ton("1"),
        min_client_stake: ton("1"),
    };
    let code = |kind: ContractKind| kind.code().unwrap();
    let codes = ChangeCodesFromOwner {
        query_id,
        proxy_code: code(ContractKind::Proxy),
        worker_code: code(ContractKind::Worker),
        client_code: code(ContractKind::Client),
    };
    vec![
        ("change prices", body(&prices)),
        ("change params", body(&params)),
        ("change all params", body(&all)),
        ("change codes", body(&codes)),
    ]
}
