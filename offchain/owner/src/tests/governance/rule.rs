//! What signers and council do, from the proposal to its end.

use cocoon_bindings::governance::MIN_DELAY;
use cocoon_bindings::governor::{ChangeDelays, GovernorBody, ProposalState};
use cocoon_bindings::root::HashRole;
use cocoon_bindings::ton::to_cell;
use cocoon_bindings::units::{Nanoton, QueryId};
use cocoon_bindings::{ContractKind, HashDescriptor};

use super::{DAY, Governed, MEMBER, hash};
use crate::OwnerError;
use crate::governance::Change;
use crate::operation::governance::{Approve, Cancel, Pause, Propose};

#[tokio::test]
async fn a_council_of_three_changes_a_network_and_nothing_is_done_twice() {
    let governed = Governed::new().await;
    let price = Change::prices(Nanoton::new(20_000), Nanoton::new(16_000));
    governed.decide(&price).await;
    assert_eq!(
        governed.root().await.storage.params.price_per_token,
        Nanoton::new(20_000)
    );

    let image = hash(0x11);
    governed.decide(&Change::list(HashRole::Worker, image, None)).await;
    let end = governed.root().await.account.time + 40 * DAY;
    governed.decide(&Change::retire(HashRole::Worker, image, end)).await;
    let root = governed.root().await;
    let entry = root.storage.data.worker_hashes.get(&image.into()).unwrap();
    assert_eq!(entry.times().retire_after, end);

    let described = HashDescriptor {
        label: "qwen3".parse().unwrap(),
        ..HashDescriptor::default()
    };
    governed
        .decide(&Change::list(HashRole::Model, hash(0x22), Some(described)))
        .await;
    governed
        .decide(&Change::register("192.0.2.1:11001 192.0.2.1:11002".parse().unwrap()))
        .await;
    let code = to_cell(&7u64).unwrap();
    let params = governed.root().await.storage.params;
    let upgrade = Change::code(ContractKind::Worker, code.clone(), &params).unwrap();
    governed.decide(&upgrade).await;
    let root = governed.root().await;
    let data = &root.storage.data;
    assert_eq!((data.proxies.len(), data.model_hashes.len()), (1, 1));
    assert_eq!(root.storage.params.worker_code, Some(code));
    assert_eq!(root.storage.params.proxy_code, params.proxy_code, "the others stay");

    // A revocation needs one signer and no time.
    governed.decide(&Change::delete(HashRole::Worker, image)).await;
    governed.decide(&Change::unregister(1)).await;
    assert!(governed.root().await.storage.data.proxies.is_empty());

    // What is in force is not proposed again, by nobody.
    for done in [
        &price,
        &upgrade,
        &Change::delete(HashRole::Worker, image),
        &Change::unregister(1),
    ] {
        let again = governed.run(8, &governed.proposal(done.clone())).await.unwrap();
        assert!(again.sent.is_empty() && again.says.starts_with("in force"), "{again:?}");
    }
}

#[tokio::test]
async fn a_change_that_is_proposed_already_is_not_proposed_by_another_signer() {
    let governed = Governed::new().await;
    let price = Change::prices(Nanoton::new(20_000), Nanoton::new(16_000));
    let id = governed.propose(&price).await;
    for signer in [7, 8] {
        let again = governed.run(signer, &governed.proposal(price.clone())).await.unwrap();
        assert!(again.sent.is_empty(), "{again:?}");
        assert!(
            again.says.starts_with(&format!("proposal {id} with body hash")),
            "{again:?}"
        );
        assert_eq!(
            again
                .says
                .contains("signer 0 made it, and this wallet has NOT approved"),
            signer == 8,
            "{again:?}"
        );
    }
    assert_eq!(governed.governor().await.proposals.len(), 1);
    // One that has died is no reason not to propose it anew.
    governed.stage.advance(31 * DAY);
    let anew = governed.run(8, &governed.proposal(price.clone())).await.unwrap();
    assert_eq!(anew.sent.len(), 1);
    let cancel = Cancel {
        root: governed.stage.root.clone(),
        governor: None,
        proposal: id,
    };
    // Anyone removes what is over.
    governed.run(9, &cancel).await.unwrap();
    assert!(!governed.governor().await.proposals.contains_key(&id));
}

#[tokio::test]
async fn classes_are_those_of_the_contract() {
    let governed = Governed::new().await;
    let query_id = QueryId::new(0);
    let delays = GovernorBody::ChangeDelays(ChangeDelays {
        query_id,
        change_delay: MIN_DELAY,
        critical_delay: MIN_DELAY,
    });
    let changes = [
        Change::prices(Nanoton::new(20_000), Nanoton::new(16_000)),
        Change::offer(super::at(9), governed.root().await.account.time + 10 * DAY),
        Change::governor(delays),
    ];
    for change in &changes {
        let id = governed.propose(change).await;
        let network = governed.network().await;
        assert_eq!(network.proposal(id).unwrap().1.class, change.class(), "{change:?}");
    }
    let fourth = Change::list(HashRole::Proxy, hash(3), None);
    let full = governed.run(7, &governed.proposal(fourth)).await;
    assert!(
        matches!(&full, Err(OwnerError::State { what, .. }) if what.contains("3 proposals open")),
        "{full:?}"
    );
}

#[tokio::test]
async fn the_council_pauses_and_cancels_and_can_do_no_more() {
    let governed = Governed::new().await;
    let root = governed.stage.root.clone();
    let pause = Pause {
        root: root.clone(),
        governor: None,
        duration: 2 * 3600,
    };
    let outsider = governed.run(8, &pause).await;
    assert!(matches!(outsider, Err(OwnerError::State { .. })), "{outsider:?}");
    let price = Change::prices(Nanoton::new(20_000), Nanoton::new(16_000));
    let id = governed.propose(&price).await;
    let approve = governed.approval(&governed.network().await, id);
    governed.run(8, &approve).await.unwrap();
    let again = governed.run(8, &approve).await.unwrap();
    assert!(again.sent.is_empty(), "{again:?}");
    assert_eq!(governed.run(MEMBER, &pause).await.unwrap().sent.len(), 1);
    assert!(governed.run(MEMBER, &pause).await.unwrap().sent.is_empty());
    let longer = Pause {
        duration: 72 * 3600,
        ..pause.clone()
    };
    let longer = governed.run(MEMBER, &longer).await;
    assert!(
        matches!(&longer, Err(OwnerError::State { what, .. }) if what.contains("only")),
        "a shorter pause is not the one that is asked for: {longer:?}"
    );
    governed.stage.advance(MIN_DELAY);
    let execute = governed.execution(id);
    let waits = governed.run(9, &execute).await.unwrap().awaits.unwrap();
    assert!(waits.what.contains("pause"), "{waits:?}");
    // A revocation goes on in spite of it, and is out of the council's reach.
    let model = Change::list(HashRole::Model, hash(5), None);
    let revoke = Change::delete(HashRole::Worker, hash(6));
    let none = governed.run(9, &governed.proposal(revoke)).await.unwrap();
    assert!(none.sent.is_empty(), "nothing to revoke: {none:?}");
    let cancel = |proposal| Cancel {
        root: root.clone(),
        governor: None,
        proposal,
    };
    let other = governed.propose(&model).await;
    let not_ours = governed.run(8, &cancel(other)).await;
    assert!(matches!(not_ours, Err(OwnerError::State { .. })), "{not_ours:?}");
    governed.run(MEMBER, &cancel(id)).await.unwrap();
    governed.run(7, &cancel(other)).await.unwrap();
    assert!(governed.governor().await.proposals.is_empty());
    let gone = governed.run(9, &execute).await;
    assert!(
        matches!(&gone, Err(OwnerError::State { what, .. }) if what.contains("no longer there")),
        "{gone:?}"
    );
    governed.stage.advance(2 * 3600);
    let rests = governed.run(MEMBER, &pause).await;
    assert!(
        matches!(&rests, Err(OwnerError::State { what, .. }) if what.contains("again from")),
        "{rests:?}"
    );
}

#[tokio::test]
async fn what_the_root_contract_would_refuse_is_not_proposed() {
    let governed = Governed::new().await;
    let above = Change::prices(Nanoton::new(1), Nanoton::new(2));
    let unlisted = Change::retire(HashRole::Worker, hash(1), u32::MAX);
    for refused in [above, unlisted] {
        let outcome = governed.run(7, &governed.proposal(refused)).await;
        assert!(
            matches!(&outcome, Err(OwnerError::Refused { would: true, address, .. }) if *address == governed.stage.root),
            "{outcome:?}"
        );
    }
    let price = Change::prices(Nanoton::new(20_000), Nanoton::new(16_000));
    let short = Propose {
        lifetime: DAY,
        ..governed.proposal(price.clone())
    };
    // The contract's own least, counted from when the message arrives.
    let least = MIN_DELAY + crate::limits::MAX_PAUSE + crate::limits::EXECUTION_WINDOW;
    let at_the_limit = Propose {
        lifetime: least,
        ..governed.proposal(price.clone())
    };
    let at_the_limit = governed.run(7, &at_the_limit).await;
    assert!(
        matches!(&at_the_limit, Err(OwnerError::State { what, .. }) if what.contains("lives 5 to 90 days")),
        "{at_the_limit:?}"
    );
    let short = governed.run(7, &short).await;
    assert!(matches!(short, Err(OwnerError::State { .. })), "{short:?}");
    let stranger = governed.run(MEMBER, &governed.proposal(price)).await;
    assert!(
        matches!(&stranger, Err(OwnerError::State { what, .. }) if what.contains("no signer")),
        "{stranger:?}"
    );
}

#[tokio::test]
async fn only_the_body_that_was_looked_at_is_approved() {
    let governed = Governed::new().await;
    let id = governed
        .propose(&Change::prices(Nanoton::new(20_000), Nanoton::new(16_000)))
        .await;
    let other = Approve {
        body_hash: hash(9),
        ..governed.approval(&governed.network().await, id)
    };
    let refused = governed.run(8, &other).await;
    assert!(
        matches!(refused, Err(OwnerError::Differs { field: "body" })),
        "{refused:?}"
    );
    let unknown = Approve {
        proposal: 9999,
        ..other
    };
    let unknown = governed.run(8, &unknown).await;
    assert!(
        matches!(&unknown, Err(OwnerError::State { what, .. }) if what.contains("no proposal 9999")),
        "{unknown:?}"
    );
    let unseen = Approve {
        may_send: false,
        ..governed.approval(&governed.network().await, id)
    };
    let unseen = governed.run(8, &unseen).await;
    assert!(
        matches!(&unseen, Err(OwnerError::State { what, .. }) if what.contains("was not there")),
        "{unseen:?}"
    );
    let network = governed.network().await;
    let (governor, proposal) = network.proposal(id).unwrap();
    assert_eq!(governor.state_of(proposal), ProposalState::Collecting);
}

#[tokio::test]
async fn one_wallet_that_owns_a_root_contract_changes_it_at_once() {
    let stage = super::super::Stage::owned_by(&super::at(7));
    stage.fund(&super::at(7), 50);
    let propose = |change| Propose {
        root: stage.root.clone(),
        governor: None,
        change,
        lifetime: 30 * DAY,
    };
    let price = propose(Change::prices(Nanoton::new(20_000), Nanoton::new(16_000)));
    let outcome = stage.run(&super::wallet(7), 7, &price).await.unwrap();
    assert_eq!(outcome.sent[0].step, "send");
    let again = stage.run(&super::wallet(7), 7, &price).await.unwrap();
    assert!(again.sent.is_empty(), "{again:?}");
    stage.fund(&super::at(8), 50);
    let listed = propose(Change::register("192.0.2.1:1".parse().unwrap()));
    let stranger = stage.run(&super::wallet(8), 8, &listed).await;
    assert!(matches!(stranger, Err(OwnerError::State { .. })), "{stranger:?}");
    for sent in [1, 0] {
        let outcome = stage.run(&super::wallet(7), 7, &listed).await.unwrap();
        assert_eq!(outcome.sent.len(), sent, "a place is listed once: {outcome:?}");
    }
    // An offer to a wallet is accepted by it.
    let offer = propose(Change::offer(super::at(8), super::START + 20 * DAY));
    stage.run(&super::wallet(7), 7, &offer).await.unwrap();
    let accept = propose(Change::accept());
    assert!(stage.run(&super::wallet(9), 9, &accept).await.is_err());
    stage.run(&super::wallet(8), 8, &accept).await.unwrap();
    let root = crate::governance::RootState::fetch(&stage.chain, &stage.root)
        .await
        .unwrap();
    assert_eq!(root.storage.owner, super::at(8));
}
