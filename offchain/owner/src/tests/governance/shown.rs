//! What signers are shown of proposals that were made to mislead them.

use cocoon_bindings::governance::member_dictionary;
use cocoon_bindings::governor::{self, GovernorBody};
use cocoon_bindings::root::{RegisterProxyFromOwner, RootMessage, UpgradeFullFromOwner};
use cocoon_bindings::ton::{Cell, to_cell};
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::{ContractKind, ProxyEndpoints};

use super::{DAY, Governed, at};
use crate::OwnerError;
use crate::governance::{Bundle, Change, Meaning, Owner, RootSnapshot};
use crate::operation::governance::Propose;

const NONE: QueryId = QueryId::new(0);

async fn meaning(governed: &Governed, change: &Change) -> Meaning {
    change.meaning(&governed.network().await).unwrap()
}

fn upgrade(code: Cell, data: Cell) -> Change {
    Change::root(RootMessage::UpgradeFullFromOwner(UpgradeFullFromOwner {
        query_id: NONE,
        data,
        code,
    }))
}

#[tokio::test]
async fn an_upgrade_to_data_that_cannot_be_read_is_told_and_not_taken_for_refused() {
    let governed = Governed::new().await;
    let code = governed.root().await.account.code.unwrap();
    for code in [code, to_cell(&7u64).unwrap()] {
        let change = upgrade(code, to_cell(&3u32).unwrap());
        let told = meaning(&governed, &change).await;
        assert_eq!(told.refused, None);
        let lines = told.lines().join("\n");
        assert!(
            lines.contains("data of the root contract") && lines.contains("CANNOT READ"),
            "{lines}"
        );
        assert!(lines.contains("effect: EVERYBODY"), "{lines}");
        let id = governed.propose(&change).await;
        let network = governed.network().await;
        let bundle = Bundle::of(&governed.stage.chain, &network, id).await.unwrap();
        assert!(
            !bundle.differences.is_empty() && !bundle.effects.is_empty(),
            "{bundle:?}"
        );
    }
}

#[tokio::test]
async fn a_change_with_a_name_hides_none_without_one() {
    let governed = Governed::new().await;
    let root = governed.root().await;
    let mut storage = root.storage.clone();
    storage.params.price_per_token = Nanoton::new(10_001);
    storage.params.unique_id = 8;
    storage.data.last_proxy_seqno = 70;
    let told = meaning(
        &governed,
        &upgrade(root.account.code.unwrap(), to_cell(&storage).unwrap()),
    )
    .await;
    let lines = told.lines().join("\n");
    for expected in [
        "price per token: 0.00001 TON -> 0.000010001 TON",
        "unique id of the network: 7 -> 8",
        "largest number of a proxy: 0 -> 70",
        "ALL data of the root contract: data ",
    ] {
        assert!(lines.contains(expected), "{expected} in {lines}");
    }
}

#[tokio::test]
async fn places_of_a_proxy_cannot_write_over_the_line_that_a_signer_reads() {
    let governed = Governed::new().await;
    for (workers, clients) in [
        (
            "6.6.6.6:1",
            "\u{1b}[2K\rto list a proxy at 192.0.2.1:1"
                .replace(' ', "\u{a0}")
                .as_str(),
        ),
        ("192.0.2.1:1\neffect:\u{85}none", "192.0.2.1:2"),
    ] {
        let endpoints = ProxyEndpoints {
            workers: workers.to_owned(),
            clients: clients.to_owned(),
        };
        let query_id = NONE;
        let change = Change::root(RootMessage::RegisterProxyFromOwner(RegisterProxyFromOwner {
            query_id,
            endpoints,
        }));
        let refused = governed.run(8, &governed.proposal(change.clone())).await;
        assert!(
            matches!(&refused, Err(OwnerError::State { what, .. }) if what.contains("no place")),
            "{refused:?}"
        );
        governed.decide_by_hand(&change).await;
        let told = meaning(&governed, &change).await;
        let snapshot = RootSnapshot::from(&governed.root().await);
        let mut shown = told.lines();
        shown.push(told.says);
        shown.extend(
            snapshot
                .proxies
                .iter()
                .map(|proxy| format!("{}{}", proxy.for_workers, proxy.for_clients)),
        );
        for line in &shown {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        assert!(shown.iter().any(|line| line.contains("is no IP:PORT")), "{shown:?}");
    }
}

#[tokio::test]
async fn a_governor_with_other_code_is_not_believed() {
    let governed = Governed::new().await;
    let mut network = governed.network().await;
    let price = Change::prices(Nanoton::new(20_000), Nanoton::new(16_000));
    assert!(price.meaning(&network).unwrap().warnings.is_empty());
    if let Owner::Governor(view) = &mut network.owner {
        view.account.code = Some(to_cell(&7u64).unwrap());
    }
    let warnings = price.meaning(&network).unwrap().warnings;
    assert!(
        warnings.iter().any(|warning| warning.contains("UNKNOWN CODE")),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn what_the_governor_would_refuse_of_itself_is_not_proposed() {
    let governed = Governed::new().await;
    let change_signers = |signers: &[(u8, u8)], threshold| {
        let signers = signers.iter().map(|(index, byte)| (*index, at(*byte))).collect();
        Change::governor(GovernorBody::ChangeSigners(governor::ChangeSigners {
            query_id: NONE,
            threshold,
            revoke_threshold: 1,
            signers: member_dictionary(&signers).unwrap(),
        }))
    };
    let wrong = [
        change_signers(&[(0, 7), (1, 8)], 3),
        change_signers(&[(0, 7), (1, 7)], 2),
        change_signers(&[(0, 7), (32, 8)], 2),
        Change::governor(GovernorBody::ChangeDelays(governor::ChangeDelays {
            query_id: NONE,
            change_delay: 60,
            critical_delay: 60,
        })),
        Change::withdraw_surplus(at(7), Nanoton::from_ton(1_000)),
    ];
    for change in wrong {
        assert!(meaning(&governed, &change).await.refused.is_some(), "{change:?}");
        let refused = governed.run(7, &governed.proposal(change)).await;
        assert!(matches!(refused, Err(OwnerError::State { .. })), "{refused:?}");
    }
    let right = change_signers(&[(0, 7), (1, 8), (2, 9)], 3);
    assert_eq!(meaning(&governed, &right).await.refused, None);
}

#[tokio::test]
async fn what_ends_before_it_can_be_executed_is_not_proposed() {
    let governed = Governed::new().await;
    let now = governed.root().await.account.time;
    // The delay of critical proposals is three days here.
    let soon = Change::offer(at(9), now + 2 * DAY);
    let told = meaning(&governed, &soon).await;
    assert!(
        told.refused.is_none() && told.lines().iter().any(|line| line.contains("WILL BE REFUSED")),
        "{told:?}"
    );
    let refused = governed.run(7, &governed.proposal(soon)).await;
    assert!(
        matches!(&refused, Err(OwnerError::State { what, .. }) if what.contains("ends before")),
        "{refused:?}"
    );
    governed.propose(&Change::offer(at(9), now + 10 * DAY)).await;
    let withdrawn = Change::offer(at(9), 0).says().unwrap();
    assert_eq!(withdrawn, "withdraw the offer of the root contract");
}

#[tokio::test]
async fn two_upgrades_of_codes_that_undo_each_other_are_told() {
    let governed = Governed::new().await;
    let params = governed.root().await.storage.params;
    let code = |kind, seed: u64| Change::code(kind, to_cell(&seed).unwrap(), &params).unwrap();
    let (worker, client) = (code(ContractKind::Worker, 1), code(ContractKind::Client, 2));
    let id = governed.propose(&worker).await;
    let warnings = meaning(&governed, &client).await.warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains(&format!("proposal {id} is open and writes the same"))),
        "{warnings:?}"
    );
    assert!(meaning(&governed, &worker).await.warnings.is_empty());
    let says = worker.says().unwrap();
    let is_named = |code: &Option<Cell>| says.contains(&code.as_ref().unwrap().repr_hash().to_string());
    assert!(is_named(&params.proxy_code) && is_named(&params.client_code), "{says}");
}

#[tokio::test]
async fn a_root_contract_is_offered_with_a_word_on_the_new_owner() {
    let stage = super::super::Stage::owned_by(&at(7));
    stage.fund(&at(7), 50);
    let offer = Propose {
        root: stage.root.clone(),
        governor: None,
        change: Change::offer(at(9), super::super::START + 20 * DAY),
        lifetime: 30 * DAY,
    };
    let next = crate::Operation::next(&offer, &stage.chain, &at(7), &[]).await.unwrap();
    let says = match next {
        crate::Next::Send(order) => order.says,
        other => panic!("{other:?}"),
    };
    assert!(says.contains("NO governor of this root contract"), "{says}");
}
