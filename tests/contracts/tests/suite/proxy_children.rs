//! The proxy computes addresses of its clients and workers without making their cells; they must be the addresses
//! that everybody else computes.

use cocoon_bindings::client::ClientState;
use cocoon_bindings::ton::{Address, Cell, CellBuilder, CellFamily, HashBytes};
use cocoon_bindings::types::{
    ClientPayload, ClientStep, ExitCode, Lifecycle, RegisterPayload, WorkerPayoutPayload, WorkerStep,
};
use cocoon_bindings::{
    ContractKind, Multipliers, Nanoton, Params, ParamsVersion, PublicKey, STRUCT_VERSION, client_state_init,
    proxy_state_init, worker_state_init,
};
use cocoon_contract_tests::{ANYONE, OWNER, World, body, query, tokens, ton};
use proptest::prelude::*;

fn any_address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(|hash| Address::new(0, hash.into()))
}

/// Amounts of every length up to 11 bytes, far more than there are coins.
fn any_amount() -> impl Strategy<Value = Nanoton> {
    (0..88u32, any::<u128>()).prop_map(|(bits, value)| Nanoton::new(value & ((1 << bits) - 1)))
}

/// A chain of cells: codes have a depth too.
fn any_code() -> impl Strategy<Value = Cell> {
    (any::<u64>(), 0..300usize).prop_map(|(seed, depth)| {
        let mut cell = body(&seed);
        for _ in 0..depth {
            let mut builder = CellBuilder::new();
            builder.store_reference(cell).unwrap();
            cell = builder.build().unwrap();
        }
        cell
    })
}

prop_compose! {
    fn any_params()(
        numbers in any::<[u32; 8]>(), is_test in any::<bool>(),
        amounts in proptest::array::uniform4(any_amount()),
        worker_code in any_code(), client_code in any_code(),
    ) -> Params {
        Params {
            struct_version: STRUCT_VERSION,
            params_version: ParamsVersion::new(numbers[0]),
            unique_id: numbers[1],
            is_test,
            price_per_token: amounts[0],
            worker_fee_per_token: amounts[1],
            multipliers: Multipliers {
                prompt: numbers[2],
                cached: numbers[3],
                completion: numbers[4],
                reasoning: numbers[5],
            },
            proxy_delay_before_close: numbers[6],
            client_delay_before_close: numbers[7],
            min_proxy_stake: amounts[2],
            min_client_stake: amounts[3],
            proxy_code: Some(ContractKind::Proxy.code().unwrap()),
            worker_code: Some(worker_code),
            client_code: Some(client_code),
        }
    }
}

fn client_step(owner: &Address) -> Cell {
    body(&ClientStep {
        query_id: query(1),
        owner: owner.clone(),
        client_state: ClientState {
            state: Lifecycle::Normal,
            balance: Nanoton::ZERO,
            stake: Nanoton::ZERO,
            tokens_used: tokens(0),
            secret_hash: HashBytes::ZERO,
        },
        payload: Some(ClientPayload::RegisterPayload(RegisterPayload { nonce: 1 })),
    })
}

fn worker_step(owner: &Address) -> Cell {
    body(&WorkerStep {
        query_id: query(1),
        owner: owner.clone(),
        state: Lifecycle::Normal,
        tokens: tokens(0),
        payload: Some(WorkerPayoutPayload {
            worker_part: Nanoton::ZERO,
            proxy_part: Nanoton::ZERO,
            send_excesses_to: ANYONE,
        }),
    })
}

/// The same hash in the masterchain, another owner's contract, and somebody else.
fn strangers(child: &Address) -> [Address; 3] {
    let mut near = child.address.0;
    near[31] ^= 1;
    [
        Address::new(-1, child.address),
        Address::new(0, HashBytes(near)),
        ANYONE,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_step_is_accepted_from_the_contract_with_the_initial_state_and_from_no_other(
        params in any_params(), root in any_address(), owner in any_address(), key in any::<[u8; 32]>(),
    ) {
        let mut world = World::without_proxy(&cocoon_emulator::NetworkConfig::october_2025());
        let key = PublicKey::new(key);
        let init = proxy_state_init(&OWNER, &key, &root, &params).unwrap();
        let proxy = init.address().unwrap();
        world.deploy(&OWNER, &proxy, ton("0.2"), Cell::empty_cell(), init).assert_success();
        let client = client_state_init(&owner, &proxy, &key, &params).unwrap().address().unwrap();
        let worker = worker_state_init(&owner, &proxy, &key, &params).unwrap().address().unwrap();
        let mismatch = Some(ExitCode::ContractAddressMismatch.code());
        for (child, step) in [(client, client_step(&owner)), (worker, worker_step(&owner))] {
            let accepted = world.start(&child, &proxy, ton("0.2"), step.clone(), None);
            prop_assert_eq!(accepted.exit_code(), Some(0));
            for stranger in strangers(&child) {
                let refused = world.start(&stranger, &proxy, ton("0.2"), step.clone(), None);
                prop_assert_eq!(refused.exit_code(), mismatch);
            }
        }
    }
}
