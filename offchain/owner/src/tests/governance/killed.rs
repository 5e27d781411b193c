//! Each verb, cut off at every call of the chain: what follows ends where an uninterrupted one would.

use cocoon_bindings::governance::MIN_DELAY;
use cocoon_bindings::units::Nanoton;

use super::super::kill::until_killed_with;
use super::{Governed, MEMBER};
use crate::Operation;
use crate::governance::Change;
use crate::operation::governance::{Cancel, Pause};

/// What the verbs leave on the chain, gas and times aside: proposals with their approvals, the pause, the price and the list.
async fn left(governed: &Governed) -> String {
    let (governor, root) = (governed.governor().await, governed.root().await);
    let proposals: Vec<_> = governor
        .proposals
        .iter()
        .map(|(id, proposal)| (id, proposal.approvals, *proposal.body.repr_hash()))
        .collect();
    let made: Vec<_> = governor
        .records
        .iter()
        .map(|(index, record)| (index, record.sequence))
        .collect();
    let is_paused = governor.storage.paused_until > 0;
    let storage = &root.storage;
    let proxies = &storage.data.proxies;
    format!(
        "{proposals:?} {made:?} {is_paused} {} {} {proxies:?}",
        storage.version, storage.params.price_per_token
    )
}

/// Cuts a verb off at every call, goes on, and compares with one that was not cut off.
async fn cut_off_everywhere(governed: &Governed, byte: u8, operation: &dyn Operation) {
    let stage = &governed.stage;
    let before = stage.chain.with(|chain| chain.snapshot());
    let back = || {
        stage.chain.with(|chain| chain.restore(&before)).unwrap();
        std::fs::remove_dir_all(stage.journals()).unwrap();
    };
    let sent = governed.run(byte, operation).await.unwrap().sent;
    assert_eq!(sent.len(), 1);
    let expected = left(governed).await;
    for takes_the_last in [false, true] {
        for calls in 0.. {
            back();
            let ended = until_killed_with(stage, byte, calls, takes_the_last, operation).await;
            governed.run(byte, operation).await.unwrap();
            assert_eq!(left(governed).await, expected, "killed after {calls} calls");
            if ended {
                assert!(calls > 6, "{calls}");
                break;
            }
        }
    }
    back();
}

fn price() -> Change {
    Change::prices(Nanoton::new(20_000), Nanoton::new(16_000))
}

/// A stage with a proposal that one signer made, and its number.
async fn proposed() -> (Governed, u64) {
    let governed = Governed::new().await;
    let id = governed.propose(&price()).await;
    (governed, id)
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_is_cut_off_anywhere_is_made_once() {
    let governed = Governed::new().await;
    cut_off_everywhere(&governed, 7, &governed.proposal(price())).await;
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_cut_off_anywhere_is_given_once() {
    let (governed, id) = proposed().await;
    let approve = governed.approval(&governed.network().await, id);
    cut_off_everywhere(&governed, 8, &approve).await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_is_cut_off_anywhere_is_done_once() {
    let (governed, id) = proposed().await;
    let approve = governed.approval(&governed.network().await, id);
    governed.run(8, &approve).await.unwrap();
    governed.stage.advance(MIN_DELAY);
    cut_off_everywhere(&governed, 9, &governed.execution(id)).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_and_a_pause_that_are_cut_off_anywhere_happen_once() {
    let (governed, proposal) = proposed().await;
    let (root, governor) = (governed.stage.root.clone(), None);
    let cancel = Cancel {
        root: root.clone(),
        governor: None,
        proposal,
    };
    cut_off_everywhere(&governed, 7, &cancel).await;
    let pause = Pause {
        root,
        governor,
        duration: 3600,
    };
    cut_off_everywhere(&governed, MEMBER, &pause).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_by_one_wallet_that_is_cut_off_anywhere_is_made_once() {
    for takes_the_last in [false, true] {
        for calls in 0.. {
            let stage = super::super::Stage::owned_by(&super::at(7));
            stage.fund(&super::at(7), 50);
            // The one change that the contract would make as often as it is told to.
            let register = crate::operation::governance::Propose {
                root: stage.root.clone(),
                governor: None,
                change: Change::register("192.0.2.1:1".parse().unwrap()),
                lifetime: super::DAY,
            };
            let ended = until_killed_with(&stage, 7, calls, takes_the_last, &register).await;
            stage.run(&super::wallet(7), 7, &register).await.unwrap();
            let root = crate::governance::RootState::fetch(&stage.chain, &stage.root)
                .await
                .unwrap();
            assert_eq!(
                (root.storage.version, root.storage.data.proxies.len()),
                (1, 1),
                "{calls} calls"
            );
            if ended {
                break;
            }
        }
    }
}
