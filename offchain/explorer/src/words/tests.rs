use std::collections::BTreeMap;
use std::path::Path;

use cocoon_bindings::client::{ChargePayload, ChargeSigned, ClientState};
use cocoon_bindings::root::{AddModelHashFromOwner, ChangePricesFromOwner};
use cocoon_bindings::ton::{Address, CellBuilder, HashBytes, Store, to_cell};
use cocoon_bindings::types::{
    ClientPayload, ClientStep, Lifecycle, PayoutNotificationForOwner, TopUpPayload, WorkerPayoutPayload, WorkerStep,
};
use cocoon_bindings::units::{QueryId, TokenCount};
use cocoon_chain::MessageKind;
use serde_json::Value;

use super::*;

fn address(tag: u8) -> Address {
    Address::new(0, HashBytes([tag; 32]))
}

fn message(body: Cell) -> Message {
    Message {
        kind: MessageKind::Internal,
        source: Some(address(1)),
        destination: Some(address(2)),
        value: Nanoton::from_ton(1),
        bounce: true,
        bounced: false,
        forward_fee: Nanoton::ZERO,
        created_lt: 0,
        created_at: 0,
        cell: body.clone(),
        body,
        state_init: None,
    }
}

fn says(to: Kind, body: &impl Store) -> Said {
    said(to, Kind::Somebody, &message(to_cell(body).unwrap()))
}

/// Every message that a contract takes, by contract, as the contracts declare them.
fn declared() -> BTreeMap<String, Vec<(String, u32)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/abi");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let abi: Value = serde_json::from_str(&text).unwrap();
        let opcodes: BTreeMap<&str, u32> = abi["declarations"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|declared| {
                let prefix = &declared["prefix"]["prefix_num"];
                Some((declared["name"].as_str()?, u32::try_from(prefix.as_u64()?).ok()?))
            })
            .collect();
        let taken = abi["incoming_messages"].as_array().unwrap();
        let names = taken
            .iter()
            .filter_map(|taken| taken["body_ty"]["struct_name"].as_str());
        let taken = names.map(|name| (name.to_owned(), opcodes[name]));
        found.insert(abi["contract_name"].as_str().unwrap().to_owned(), taken.collect());
    }
    found
}

#[test]
fn every_message_that_a_contract_takes_has_its_name() {
    let declared = declared();
    assert_eq!(declared.len(), 6, "{:?}", declared.keys());
    for (contract, messages) in declared {
        assert!(messages.len() > 3, "{contract}");
        for (name, opcode) in messages {
            assert_eq!(name_of(opcode), Some(name.as_str()), "{contract}: {opcode:#010x}");
        }
    }
}

#[test]
fn no_two_names_begin_alike() {
    let opcodes: std::collections::BTreeSet<u32> = names::NAMES.iter().map(|(opcode, _)| *opcode).collect();
    assert_eq!(opcodes.len(), names::NAMES.len());
}

#[test]
fn a_charge_and_what_follows_from_it_are_told_with_amounts() {
    let charge = ChargeSigned {
        query_id: QueryId::new(1),
        send_excesses_to: address(3),
        signature: [0; 64],
        payload: ChargePayload {
            query_id: QueryId::new(1),
            new_tokens: TokenCount::new(156),
            expected_my_address: address(2),
        },
    };
    let said = says(Kind::Client, &charge);
    assert_eq!(said.says, "charge the client for 156 tokens in all");
    assert_eq!(
        (said.name, said.tokens, said.amount),
        (Some("ChargeSigned"), Some(156), None)
    );

    let step = |payload| ClientStep {
        query_id: QueryId::new(1),
        owner: address(3),
        client_state: ClientState {
            state: Lifecycle::Normal,
            balance: Nanoton::from_ton(20),
            stake: Nanoton::from_ton(1),
            tokens_used: TokenCount::new(156),
            secret_hash: HashBytes::ZERO,
        },
        payload,
    };
    let said = says(Kind::Proxy, &step(None));
    assert_eq!(said.says, "the client contract is charged for 156 tokens in all");
    let pay = TopUpPayload {
        top_up_amount: Nanoton::from_ton(5),
        send_excesses_to: address(3),
    };
    let said = says(Kind::Proxy, &step(Some(ClientPayload::TopUpPayload(pay))));
    assert_eq!(
        (said.says.as_str(), said.amount),
        ("the client contract pays 5 TON in", Some(Nanoton::from_ton(5)))
    );

    let payout = WorkerStep {
        query_id: QueryId::new(1),
        owner: address(4),
        state: Lifecycle::Normal,
        tokens: TokenCount::new(156),
        payload: Some(WorkerPayoutPayload {
            worker_part: Nanoton::new(800),
            proxy_part: Nanoton::new(200),
            send_excesses_to: address(3),
        }),
    };
    let said = says(Kind::Proxy, &payout);
    assert_eq!(
        (said.name, said.amount, said.tokens),
        (Some("WorkerStep"), Some(Nanoton::new(800)), Some(156))
    );
    assert!(
        said.says
            .starts_with("pay 0.0000008 TON to the worker's owner for 156 tokens"),
        "{}",
        said.says
    );

    let arrived = PayoutNotificationForOwner {
        query_id: QueryId::new(1),
    };
    assert_eq!(says(Kind::Somebody, &arrived).says, "1 TON earned or refunded");
}

#[test]
fn a_change_of_the_root_contract_is_in_the_words_of_those_who_propose_it() {
    let add = AddModelHashFromOwner {
        query_id: QueryId::new(1),
        hash: HashBytes([7; 32]),
    };
    assert_eq!(says(Kind::Root, &add).says, format!("admit model {}", "07".repeat(32)));
    let prices = ChangePricesFromOwner {
        query_id: QueryId::new(1),
        price_per_token: Nanoton::new(10),
        worker_fee_per_token: Nanoton::new(8),
    };
    assert!(
        says(Kind::Root, &prices)
            .says
            .starts_with("set the price of a token to")
    );
}

#[test]
fn what_is_not_known_is_said_to_be_so() {
    let body = |opcode: u32| {
        let mut body = CellBuilder::new();
        body.store_u32(opcode).unwrap();
        message(body.build().unwrap())
    };
    for kind in Kind::ALL {
        let said = said(kind, Kind::Somebody, &body(0x1234_5678));
        assert_eq!((said.name, said.opcode), (None, Some(0x1234_5678)), "{kind:?}");
        assert!(
            said.says.contains("no contract of the network declares"),
            "{}",
            said.says
        );
    }
    // A message of another contract, or one that breaks off.
    let charge = said(
        Kind::Worker,
        Kind::Somebody,
        &body(cocoon_bindings::client::ChargeSigned::OPCODE),
    );
    assert_eq!(
        charge.says,
        "ChargeSigned, which the worker contract does not understand"
    );
    let empty = said(Kind::Proxy, Kind::Somebody, &message(Cell::default()));
    assert_eq!(
        (empty.says.as_str(), empty.amount),
        ("coins without a word", Some(Nanoton::from_ton(1)))
    );
}

#[test]
fn what_came_back_is_told_by_what_it_was() {
    let charge = to_cell(&AddModelHashFromOwner {
        query_id: QueryId::new(1),
        hash: HashBytes([7; 32]),
    })
    .unwrap();
    let mut rich = CellBuilder::new();
    rich.store_u32(RICH_BOUNCE).unwrap();
    rich.store_reference(charge).unwrap();
    let mut plain = CellBuilder::new();
    plain.store_u32(0xffff_ffff).unwrap();
    plain.store_u32(AddModelHashFromOwner::OPCODE).unwrap();
    for (body, told) in [
        (rich, "came back, refused: admit model 0707"),
        (plain, "came back, refused: AddModelHashFromOwner"),
    ] {
        let mut message = message(body.build().unwrap());
        message.bounced = true;
        let said = said(Kind::Governor, Kind::Root, &message);
        assert!(said.says.starts_with(told), "{}", said.says);
        assert_eq!(said.name, Some("AddModelHashFromOwner"));
    }
}

#[test]
fn texts_of_others_are_shown_without_what_a_terminal_would_do() {
    let mut body = CellBuilder::new();
    body.store_u32(0).unwrap();
    body.store_raw(b"w\x1b[2K", 5 * 8).unwrap();
    let said = said(Kind::Proxy, Kind::Somebody, &message(body.build().unwrap()));
    assert_eq!(said.name, Some("TextCommand"));
    assert!(!said.says.contains('\u{1b}'), "{}", said.says);
}
