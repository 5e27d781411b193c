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
async fn cut_off_everywhere(
    prepare: impl AsyncFn() -> Governed,
    verb: impl AsyncFn(&Governed) -> (u8, Box<dyn Operation>),
) {
    let whole = prepare().await;
    let (byte, operation) = verb(&whole).await;
    let sent = whole.run(byte, operation.as_ref()).await.unwrap().sent;
    assert_eq!(sent.len(), 1);
    let expected = left(&whole).await;
    for takes_the_last in [false, true] {
        for calls in 0.. {
            let governed = prepare().await;
            let (byte, operation) = verb(&governed).await;
            let ended = until_killed_with(&governed.stage, byte, calls, takes_the_last, operation.as_ref()).await;
            governed.run(byte, operation.as_ref()).await.unwrap();
            assert_eq!(left(&governed).await, expected, "killed after {calls} calls");
            if ended {
                assert!(calls > 6, "{calls}");
                break;
            }
        }
    }
}

fn price() -> Change {
    Change::prices(Nanoton::new(20_000), Nanoton::new(16_000))
}

/// A stage with a proposal that one signer made.
async fn proposed() -> Governed {
    let governed = Governed::new().await;
    governed.propose(&price()).await;
    governed
}

async fn number(governed: &Governed) -> u64 {
    governed.network().await.open(&price()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_proposal_that_is_cut_off_anywhere_is_made_once() {
    cut_off_everywhere(Governed::new, async |governed| {
        (7, Box::new(governed.proposal(price())) as _)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_approval_that_is_cut_off_anywhere_is_given_once() {
    cut_off_everywhere(proposed, async |governed| {
        let id = number(governed).await;
        (8, Box::new(governed.approval(&governed.network().await, id)) as _)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_execution_that_is_cut_off_anywhere_is_done_once() {
    let due = async || {
        let governed = proposed().await;
        let approve = governed.approval(&governed.network().await, number(&governed).await);
        governed.run(8, &approve).await.unwrap();
        governed.stage.advance(MIN_DELAY);
        governed
    };
    cut_off_everywhere(due, async |governed| {
        let id = number(governed).await;
        (9, Box::new(governed.execution(id)) as _)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_and_a_pause_that_are_cut_off_anywhere_happen_once() {
    cut_off_everywhere(proposed, async |governed| {
        let cancel = Cancel {
            root: governed.stage.root.clone(),
            governor: None,
            proposal: number(governed).await,
        };
        (7, Box::new(cancel) as _)
    })
    .await;
    cut_off_everywhere(proposed, async |governed| {
        let pause = Pause {
            root: governed.stage.root.clone(),
            governor: None,
            duration: 3600,
        };
        (MEMBER, Box::new(pause) as _)
    })
    .await;
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
