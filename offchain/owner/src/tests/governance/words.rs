//! A change in words: read from its cells, compared with the state, and what the checks say of a root contract.

use cocoon_bindings::governor::{self, GovernorBody};
use cocoon_bindings::root::{self, HashRole, RootMessage};
use cocoon_bindings::ton::{Address, Cell, CellBuilder, HashBytes, to_cell};
use cocoon_bindings::types::DoNotProcess;
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::{ContractKind, HashDescriptor, ProxyEndpoints, TrustTimes};
use proptest::prelude::*;

use super::{DAY, Governed, hash};
use crate::OwnerError;
use crate::governance::{Change, RootSnapshot, check, differences};

fn any_hash() -> impl Strategy<Value = HashBytes> {
    any::<[u8; 32]>().prop_map(HashBytes)
}

fn any_address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(|bytes| Address::new(0, bytes.into()))
}

fn any_role() -> impl Strategy<Value = HashRole> {
    prop_oneof![Just(HashRole::Proxy), Just(HashRole::Worker), Just(HashRole::Model)]
}

fn any_coins() -> impl Strategy<Value = Nanoton> {
    (0u128..1 << 100).prop_map(Nanoton::new)
}

fn any_cell() -> impl Strategy<Value = Cell> {
    any::<u64>().prop_map(|seed| to_cell(&seed).unwrap())
}

fn any_descriptor() -> impl Strategy<Value = HashDescriptor> {
    (any::<[u32; 2]>(), "[a-z0-9 .]{0,31}").prop_map(|(times, label)| HashDescriptor {
        manifest_hash: None,
        times: TrustTimes {
            not_before: times[0],
            retire_after: times[1],
        },
        label: label.parse().unwrap(),
    })
}

fn any_endpoints() -> impl Strategy<Value = ProxyEndpoints> {
    "[0-9]{1,3}\\.0\\.0\\.1:[0-9]{1,5}( [0-9]{1,3}\\.0\\.0\\.2:[0-9]{1,5})?".prop_map(|text| text.parse().unwrap())
}

/// Every kind of change that there is.
fn any_change() -> impl Strategy<Value = Change> {
    let query_id = QueryId::new(0);
    let first = prop_oneof![
        (any_role(), any_hash(), proptest::option::of(any_descriptor()))
            .prop_map(|(role, hash, descriptor)| Change::list(role, hash, descriptor)),
        (any_role(), any_hash()).prop_map(|(role, hash)| Change::delete(role, hash)),
        (any_role(), any_hash(), any::<u32>()).prop_map(|(role, hash, end)| Change::retire(role, hash, end)),
        any_endpoints().prop_map(Change::register),
        any::<u32>().prop_map(Change::unregister),
        (any_coins(), any_coins()).prop_map(|(price, fee)| Change::prices(price, fee)),
        (any_address(), any::<u32>()).prop_map(|(owner, until)| Change::offer(owner, until)),
        Just(Change::accept()),
        Just(Change::lift_pause()),
        any_cell().prop_map(|code| { Change::code(ContractKind::Worker, code, &super::super::params()).unwrap() }),
        any_cell().prop_map(|code| Change::code(ContractKind::Root, code, &super::super::params()).unwrap()),
    ];
    let more = prop_oneof![
        (any::<u32>(), any_endpoints()).prop_map(move |(seqno, endpoints)| {
            RootMessage::UpdateProxyFromOwner(root::UpdateProxyFromOwner {
                query_id,
                seqno,
                endpoints,
            })
        }),
        (any_coins(), any::<[u32; 6]>()).prop_map(move |(amount, words)| {
            RootMessage::ChangeAllParamsFromOwner(root::ChangeAllParamsFromOwner {
                query_id,
                price_per_token: amount,
                worker_fee_per_token: amount,
                prompt_mul: words[0],
                cached_mul: words[1],
                completion_mul: words[2],
                reasoning_mul: words[3],
                proxy_delay_before_close: words[4],
                client_delay_before_close: words[5],
                min_proxy_stake: amount,
                min_client_stake: amount,
            })
        }),
        (any_coins(), any::<[u32; 2]>()).prop_map(move |(amount, words)| {
            RootMessage::ChangeParamsFromOwner(root::ChangeParamsFromOwner {
                query_id,
                price_per_token: amount,
                worker_fee_per_token: amount,
                proxy_delay_before_close: words[0],
                client_delay_before_close: words[1],
                min_proxy_stake: amount,
                min_client_stake: amount,
            })
        }),
        (any_cell(), any_cell()).prop_map(move |(data, code)| {
            RootMessage::UpgradeFullFromOwner(root::UpgradeFullFromOwner { query_id, data, code })
        }),
        Just(RootMessage::ResetFromOwner(root::ResetFromOwner { query_id })),
        any_address().prop_map(move |new_owner| {
            RootMessage::ChangeOwnerFromOwner(root::ChangeOwnerFromOwner { query_id, new_owner })
        }),
        (any_role(), any_hash(), proptest::option::of(any_descriptor())).prop_map(move |(role, hash, descriptor)| {
            RootMessage::DescribeHashFromOwner(root::DescribeHashFromOwner {
                query_id,
                role,
                hash,
                descriptor,
            })
        }),
        (any_role(), any_hash()).prop_map(move |(role, hash)| RootMessage::RetireHash(root::RetireHash {
            query_id,
            role,
            hash
        })),
        any::<u8>().prop_map(move |seed| {
            let key = cocoon_bindings::PublicKey::from(&super::super::key(seed));
            let rebuilders = root::Rebuilders::new(&[key].into(), 1).unwrap();
            RootMessage::ChangeRebuildersFromOwner(root::ChangeRebuildersFromOwner { query_id, rebuilders })
        }),
    ];
    let own = prop_oneof![
        (any::<[u8; 2]>(), any_address()).prop_map(move |(threshold, signer)| {
            let signers = cocoon_bindings::governance::member_dictionary(&[(3, signer)].into()).unwrap();
            GovernorBody::ChangeSigners(governor::ChangeSigners {
                query_id,
                threshold: threshold[0],
                revoke_threshold: threshold[1],
                signers,
            })
        }),
        Just(GovernorBody::ChangeCouncil(governor::ChangeCouncil {
            query_id,
            council: None
        })),
        any::<[u32; 2]>().prop_map(move |delays| {
            GovernorBody::ChangeDelays(governor::ChangeDelays {
                query_id,
                change_delay: delays[0],
                critical_delay: delays[1],
            })
        }),
        (any_address(), any_coins()).prop_map(move |(to, amount)| {
            GovernorBody::WithdrawSurplus(governor::WithdrawSurplus { query_id, to, amount })
        }),
    ];
    prop_oneof![first, more.prop_map(Change::root), own.prop_map(Change::governor)]
}

proptest! {
    #[test]
    fn a_change_is_read_from_its_cells_as_it_was_written(change in any_change(), number: u64) {
        let body = change.body(QueryId::new(number)).unwrap();
        prop_assert_eq!(Change::decode(&body).unwrap(), (change.clone(), number));
        prop_assert!(!change.says().unwrap().is_empty());
    }

    #[test]
    fn bits_that_follow_a_change_are_not_passed_over(change in any_change(), more in any::<u8>()) {
        let body = change.body(QueryId::new(1)).unwrap();
        let mut longer = CellBuilder::new();
        longer.store_slice(body.as_ref().as_slice().unwrap()).unwrap();
        // A label takes what follows it for its own.
        prop_assume!(longer.store_u8(more).is_ok());
        let longer = longer.build().unwrap();
        match Change::decode(&longer) {
            Ok((read, _)) => prop_assert_ne!(read, change),
            Err(error) => {
                let is_unreadable = matches!(error, OwnerError::Unreadable { .. });
                prop_assert!(is_unreadable, "{error:?}");
            }
        }
    }

    #[test]
    fn any_cell_gives_a_change_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..127), op in any_change()) {
        let random = CellBuilder::from_raw_data(&data, u16::try_from(data.len() * 8).unwrap()).unwrap();
        drop(Change::decode(&random.build().unwrap()));
        // The same behind an op that is known.
        let mut cut = CellBuilder::new();
        let body = op.body(QueryId::new(1)).unwrap();
        let kept = body.bit_len().min(u16::try_from(data.len()).unwrap());
        let mut slice = body.as_ref().as_slice().unwrap();
        cut.store_slice(slice.load_prefix(kept, 0).unwrap()).unwrap();
        drop(Change::decode(&cut.build().unwrap()));
    }
}

#[test]
fn a_note_is_no_change() {
    let note = RootMessage::DoNotProcess(DoNotProcess {
        query_id: QueryId::new(1),
        note: Cell::default(),
    });
    let refused = Change::decode(&to_cell(&note).unwrap());
    assert!(matches!(refused, Err(OwnerError::Unreadable { .. })), "{refused:?}");
}

#[tokio::test]
async fn whom_a_change_cuts_off_is_told_before_and_is_what_happens() {
    let governed = Governed::new().await;
    let image = hash(0x11);
    governed.decide(&Change::list(HashRole::Worker, image, None)).await;
    governed.decide(&Change::register("192.0.2.1:1".parse().unwrap())).await;
    let before = governed.network().await;
    let revoke = Change::delete(HashRole::Worker, image);
    let meaning = revoke.meaning(&before).unwrap();
    let lines = meaning.lines().join("\n");
    for told in [
        "worker image 1111111111111111111111111111111111111111111111111111111111111111: trusted -> -",
        "effect: workers that run image 1111111111111111111111111111111111111111111111111111111111111111, at once",
        "not on chain",
        "EVERYBODY: no worker image is left",
    ] {
        assert!(lines.contains(told), "{told} in {lines}");
    }
    governed.decide(&revoke).await;
    let after = governed.root().await;
    let happened = differences(&RootSnapshot::from(&before.root), &RootSnapshot::from(&after));
    assert_eq!(meaning.differences, happened);

    let network = governed.network().await;
    let end = network.root.account.time + 9 * DAY;
    let lines = |change: Change| change.meaning(&network).unwrap().lines().join("\n");
    let told = lines(Change::unregister(1));
    assert!(
        told.contains("proxy 1 at 192.0.2.1:1") && told.contains("no proxy is left"),
        "{told}"
    );
    let told = lines(Change::prices(Nanoton::new(9_000), Nanoton::new(8_000)));
    assert!(
        told.contains("0.00001 TON -> 0.000009 TON (-10.0 %)") && told.contains("terms of version 1"),
        "{told}"
    );
    let told = lines(Change::retire(HashRole::Worker, image, end));
    assert!(told.contains("REFUSED"), "{told}");
    let told = lines(Change::lift_pause());
    assert_eq!(told, "", "there is no pause");
}

#[tokio::test]
async fn a_root_contract_is_judged() {
    let governed = Governed::new().await;
    let verdict = |network: &crate::governance::Network| {
        let findings = check(network).unwrap();
        let bad = findings.into_iter().filter(|finding| !finding.is_fine);
        bad.map(|finding| finding.check).collect::<Vec<_>>()
    };
    let nothing = ["worker images", "proxy images", "models", "proxies"];
    assert_eq!(verdict(&governed.network().await), nothing);
    for role in [HashRole::Worker, HashRole::Proxy, HashRole::Model] {
        governed.decide(&Change::list(role, hash(0x44), None)).await;
    }
    governed.decide(&Change::register("192.0.2.9:1".parse().unwrap())).await;
    assert_eq!(verdict(&governed.network().await), Vec::<&str>::new());
    let mut unreadable = governed.network().await;
    unreadable.root.tail = crate::governance::Tail::Unreadable(hash(1));
    assert_eq!(verdict(&unreadable), ["offer"]);
    let image = hash(0x11);
    let now = governed.root().await.account.time;
    let short = HashDescriptor {
        times: TrustTimes {
            not_before: 0,
            retire_after: now + DAY,
        },
        ..HashDescriptor::default()
    };
    governed
        .decide(&Change::list(HashRole::Worker, image, Some(short)))
        .await;
    assert_eq!(verdict(&governed.network().await), ["worker images"], "it ends soon");
    governed
        .decide(&Change::list(HashRole::Model, HashBytes::ZERO, None))
        .await;
    governed
        .decide_by_hand(&Change::register("nowhere".parse().unwrap()))
        .await;
    governed.decide(&Change::prices(Nanoton::ZERO, Nanoton::ZERO)).await;
    let code = to_cell(&7u64).unwrap();
    let params = governed.root().await.storage.params;
    governed
        .decide(&Change::code(ContractKind::Client, code, &params).unwrap())
        .await;
    governed.stage.advance(2 * DAY);
    let expected = ["client code", "prices", "worker images", "models", "proxies"];
    assert_eq!(verdict(&governed.network().await), expected);
    let stage = super::super::Stage::new();
    let single = crate::governance::Network::fetch(&stage.chain, &stage.root, None)
        .await
        .unwrap();
    assert_eq!(
        verdict(&single),
        ["owner", "worker images", "proxy images", "models", "proxies"]
    );
}
