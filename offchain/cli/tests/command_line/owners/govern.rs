//! A network governed through the real program: proposals, files between signers, votes, and a program that is killed.

use std::time::Duration;

use cocoon_bindings::governance::MIN_DELAY;
use cocoon_bindings::governor::{ApproveFromSigner, AskToExecuteProposal, GovernorStorage, ProposeFromSigner};
use cocoon_bindings::root::{OfferOwnershipFromOwner, RootStorage};
use cocoon_bindings::ton::{Address, Dict, Load, from_cell};
use cocoon_bindings::{Governance, Nanoton, QueryId, governor_state_init};
use cocoon_owner::governance::Change;
use serde_json::Value;

use super::super::{json, shown};
use super::stage::{START, Stage, owner, person};

/// The second signer, who is not at this machine.
const OTHER: u8 = 50;
const DAY: u32 = 86_400;
const PRICE: &str = "price set --price 0.00002 --worker-fee 0.000016";

/// A stage whose root contract belongs to two signers, of whom the wallet is the first, and the whole council.
fn governed() -> (Stage, Address) {
    let stage = Stage::start();
    stage.import_and_fund("dose", 100);
    let governance = Governance {
        threshold: 2,
        revoke_threshold: 1,
        change_delay: MIN_DELAY,
        critical_delay: 2 * MIN_DELAY,
        signers: [(0, owner()), (1, person(OTHER))].into(),
        council: [(0, owner())].into(),
    };
    let init = governor_state_init(&stage.root(), &governance).unwrap();
    let governor = init.address().unwrap();
    stage.deploy(&init);
    let offer = OfferOwnershipFromOwner {
        query_id: QueryId::new(1),
        new_owner: governor.clone(),
        until: START + DAY,
    };
    stage.send_from(&person(1), &stage.root(), &offer);
    let id = propose(&stage, &governor, &Change::accept(), 1);
    approve(&stage, &governor, (0, &owner()), id, &Change::accept());
    stage.advance(MIN_DELAY);
    let execute = AskToExecuteProposal {
        query_id: QueryId::new(1),
        proposal_id: id,
    };
    stage.send_from(&person(OTHER), &governor, &execute);
    assert_eq!(root(&stage).owner, governor);
    (stage, governor)
}

/// The other signer makes its n-th proposal.
fn propose(stage: &Stage, governor: &Address, change: &Change, nth: u64) -> u64 {
    let id = nth * 32 + 1;
    let propose = ProposeFromSigner {
        query_id: QueryId::new(1),
        signer_index: 1,
        expires_at: START + 30 * DAY,
        body: change.body(QueryId::new(id)).unwrap(),
    };
    stage.send_from(&person(OTHER), governor, &propose);
    id
}

fn approve(stage: &Stage, governor: &Address, (signer_index, wallet): (u8, &Address), id: u64, change: &Change) {
    let approve = ApproveFromSigner {
        query_id: QueryId::new(1),
        signer_index,
        proposal_id: id,
        body_hash: *change.body(QueryId::new(id)).unwrap().repr_hash(),
    };
    stage.send_from(wallet, governor, &approve);
}

fn price() -> Change {
    Change::prices(Nanoton::new(20_000), Nanoton::new(16_000))
}

fn root(stage: &Stage) -> RootStorage {
    let data = stage.data(&stage.root().to_string()).unwrap();
    RootStorage::load_from(&mut data.as_ref().as_slice().unwrap()).unwrap()
}

#[test]
fn a_price_is_proposed_checked_approved_and_executed() {
    let (stage, governor) = governed();
    // Two signers decide; but nothing is trusted yet.
    let verdict = stage.on_chain("root check");
    assert_eq!(verdict.status.code(), Some(1), "{}", shown(&verdict));
    assert!(shown(&verdict).contains("ok  owner "), "{}", shown(&verdict));
    assert!(shown(&verdict).contains("BAD worker images "), "{}", shown(&verdict));
    let before = stage.on_chain("root show --json");
    stage.write("before.json", &String::from_utf8(before.stdout).unwrap());

    let tried = json(&stage.signed(&format!("{PRICE} --dry-run --json")));
    assert_eq!(tried["change"]["class"], "change", "{tried}");
    let differences = tried["change"]["differences"].to_string();
    assert!(differences.contains("0.00002 TON (+100.0 %)"), "{differences}");
    let exported = json(&stage.on_chain(&format!("{PRICE} --export --from {} --json", owner())));
    assert_eq!(exported["step"], "propose", "{exported}");

    // Nothing else is written over, and nothing is sent before that is known.
    stage.write("other.json", "{}");
    let taken = stage.signed(&format!("{PRICE} --bundle other.json"));
    assert_eq!(taken.status.code(), Some(3), "{}", shown(&taken));
    let tried = stage.signed(&format!("{PRICE} --bundle price.json --dry-run"));
    assert_eq!(tried.status.code(), Some(2), "{}", shown(&tried));
    let line = format!("{PRICE} --export --from {} --bundle price.json", owner());
    let exported = stage.on_chain(&line);
    assert!(
        shown(&exported).contains("price.json is not written yet"),
        "{}",
        shown(&exported)
    );

    let proposed = json(&stage.signed(&format!("{PRICE} --bundle price.json --json")));
    // Who signs elsewhere gets the file by the same command, also where it is there already.
    let path = stage.folder().join("price.json");
    std::fs::remove_file(&path).unwrap();
    json(&stage.on_chain(&format!("{line} --json")));
    let exported = stage.on_chain(&line);
    assert_eq!(exported.status.code(), Some(0), "{}", shown(&exported));
    assert!(
        shown(&exported).contains("root approve price.json`"),
        "{}",
        shown(&exported)
    );
    assert!(std::fs::read_to_string(&path).unwrap().contains("cocoon-proposal/1"));
    assert_eq!(proposed["sent"].as_array().unwrap().len(), 1, "{proposed}");
    let id = proposed["change"]["proposal"].as_u64().unwrap();
    let again = json(&stage.signed(&format!("{PRICE} --json")));
    assert!(again["sent"].as_array().unwrap().is_empty(), "{again}");
    assert_eq!(again["change"]["proposal"], id);
    let equal = stage.on_chain("root diff before.json");
    assert_eq!(equal.status.code(), Some(0), "{}", shown(&equal));

    // A file that says something else than the chain is refused; the right one has this signer's approval already.
    let text = std::fs::read_to_string(stage.folder().join("price.json")).unwrap();
    stage.write("wrong.json", &text.replace("0.00002 TON", "0.000011 TON"));
    let refused = stage.signed("root approve wrong.json");
    assert_eq!(refused.status.code(), Some(5), "{}", shown(&refused));
    stage.write("more.json", &text.replacen('{', "{\"more\": 1,", 1));
    let refused = stage.signed("root approve more.json");
    assert_eq!(refused.status.code(), Some(5), "{}", shown(&refused));
    // What is wrong in a file is told whether its proposal is there or not.
    for (old, new) in [
        (governor.to_string(), person(77).to_string()),
        (stage.root().to_string(), person(77).to_string()),
        (format!("\"proposal\": {id},"), "\"proposal\": 64,".to_owned()),
    ] {
        assert!(text.contains(&old), "{text}");
        stage.write("place.json", &text.replace(&old, &new));
        let refused = stage.signed("root approve place.json");
        assert_eq!(refused.status.code(), Some(5), "{}", shown(&refused));
    }
    let standing = stage.on_chain("governor show");
    assert!(
        shown(&standing).contains("1 of 2 approvals, change, by signer 0"),
        "{}",
        shown(&standing)
    );
    let approved = json(&stage.signed("root approve price.json --json"));
    assert!(approved["sent"].as_array().unwrap().is_empty(), "{approved}");

    let early = stage.signed(&format!("root execute --id {id} --no-wait"));
    assert_eq!(early.status.code(), Some(2), "{}", shown(&early));
    approve(&stage, &governor, (1, &person(OTHER)), id, &price());
    let waits = json(&stage.signed(&format!("root execute --id {id} --no-wait --json")));
    assert!(waits["awaits"]["until"].as_u64().is_some(), "{waits}");
    stage.advance(MIN_DELAY);
    let done = json(&stage.signed(&format!("root execute --id {id} --no-wait --json")));
    assert!(
        done["awaits"].is_null() && done["sent"].as_array().unwrap().len() == 1,
        "{done}"
    );
    assert_eq!(root(&stage).params.price_per_token, Nanoton::new(20_000));
    let differs = stage.on_chain("root diff before.json");
    assert_eq!(differs.status.code(), Some(1), "{}", shown(&differs));
    assert!(shown(&differs).contains("price per token: 0.00001 TON -> 0.00002 TON (+100.0 %)"));
    let in_force = json(&stage.signed(&format!("{PRICE} --json")));
    assert!(in_force["says"].as_str().unwrap().starts_with("in force"), "{in_force}");
}

#[test]
fn one_wallet_changes_its_root_contract_at_once_under_every_name() {
    let stage = Stage::start_owned();
    let (image, model) = ("11".repeat(32), "22".repeat(32));
    stage.write(
        "code.boc",
        &cocoon_bindings::ton::boc_base64(&cocoon_bindings::ton::to_cell(&7u64).unwrap()),
    );
    let alone = stage.signed(&format!("{PRICE} --bundle price.json"));
    assert_eq!(alone.status.code(), Some(2), "{}", shown(&alone));
    for line in [
        format!("image add worker {image} --label worker-2"),
        format!("image retire worker {image} --in-days 30"),
        format!("image revoke worker {image}"),
        format!("model add {model}"),
        format!("model revoke {model}"),
        "proxy register 192.0.2.1:1".to_owned(),
        "proxy unregister 1".to_owned(),
        PRICE.to_owned(),
        "code upgrade --kind worker --file code.boc".to_owned(),
    ] {
        let version = root(&stage).version;
        let told: Value = json(&stage.signed(&format!("{line} --json")));
        assert_eq!(told["sent"].as_array().unwrap().len(), 1, "{line}: {told}");
        assert_eq!(root(&stage).version, version + 1, "{line}");
        let again = json(&stage.signed(&format!("{line} --json")));
        assert!(again["sent"].as_array().unwrap().is_empty(), "{line}: {again}");
    }
    let verdict = stage.on_chain("root check");
    assert_eq!(verdict.status.code(), Some(1), "{}", shown(&verdict));
    let mistyped = stage.signed("image revoke worker 11zz");
    assert_eq!(mistyped.status.code(), Some(2), "{}", shown(&mistyped));
    let nowhere = stage.signed("image add worker nowhere.json");
    assert_eq!(nowhere.status.code(), Some(3), "{}", shown(&nowhere));
}

/// What verbs leave behind, gas and times aside.
fn left(stage: &Stage, governor: Option<&Address>) -> String {
    let root = root(stage);
    let governor = governor.map(|governor| {
        let data = stage.data(&governor.to_string()).unwrap();
        let governor = from_cell::<GovernorStorage>(&data).unwrap();
        let proposals = Dict::<u64, cocoon_bindings::governor::Proposal>::from_raw(governor.proposals);
        let proposals: Vec<_> = proposals
            .iter()
            .map(|entry| entry.map(|(id, proposal)| (id, proposal.approvals, *proposal.body.repr_hash())))
            .collect();
        (proposals, governor.paused_until > 0)
    });
    format!("{governor:?} {} {:?}", root.version, root.data)
}

/// Kills each operation at some moments, once and in its recovery, and runs it again.
fn kill_each(stage: &Stage, governor: Option<&Address>, operations: &[(String, &dyn Fn())]) {
    for (operation, prepare) in operations {
        prepare();
        let before = stage.snapshot();
        let whole = stage.signed(operation);
        assert!(whole.status.success(), "{operation}: {}", shown(&whole));
        let expected = left(stage, governor);
        let mut cut = 0;
        for (moment, second) in [(130, 330), (330, 130)] {
            stage.restore(&before);
            let mut told = String::new();
            if is_cut_off(stage, operation, moment) {
                cut += 1;
                if is_cut_off(stage, operation, second) {
                    let rest = stage.signed(operation);
                    told = shown(&rest);
                    assert!(rest.status.success(), "{operation} at {moment}: {told}");
                }
            }
            assert_eq!(
                left(stage, governor),
                expected,
                "{operation} killed at {moment} and {second} ms: {told}"
            );
        }
        assert!(cut >= 1, "{operation} was never cut off");
    }
}

fn is_cut_off(stage: &Stage, operation: &str, moment: u64) -> bool {
    let mut child = stage.spawn_signed(operation);
    std::thread::sleep(Duration::from_millis(moment));
    // It may have ended by itself.
    let _ = child.kill();
    child.wait_with_output().unwrap().stdout.is_empty()
}

#[test]
fn a_verb_of_governance_that_is_killed_and_run_again_ends_as_one_that_was_not() {
    let (stage, governor) = governed();
    let other = Change::register("192.0.2.1:1".parse().unwrap());
    let nothing = || ();
    let proposed = || {
        propose(&stage, &governor, &other, 2);
    };
    let due = || stage.advance(MIN_DELAY);
    kill_each(
        &stage,
        Some(&governor),
        &[
            (PRICE.to_owned(), &nothing),
            ("root approve --id 65".to_owned(), &proposed),
            ("root execute --id 65 --no-wait".to_owned(), &due),
            ("root cancel --id 32".to_owned(), &nothing),
            ("root pause --hours 2".to_owned(), &nothing),
        ],
    );
    let stage = Stage::start_owned();
    kill_each(&stage, None, &[("proxy register 192.0.2.1:1".to_owned(), &nothing)]);
}
