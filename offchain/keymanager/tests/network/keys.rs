//! Keys go to the images of their policy and to nobody else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use crate::common::{KEY_MANAGER, World, image, root};
use bytes::Bytes;
use cocoon_bindings::units::PublicKey;
use cocoon_keymanager::{KeyManagerError, start_with};
use cocoon_protocol::ErrorCode;
use cocoon_protocol::extension::ProveSession;
use cocoon_protocol::key::{GetKey, GetKeyRoot, GiveShare};
use cocoon_protocol::message::KeyQuery;
use cocoon_protocol::session_proof::Role;
use cocoon_ratls::PeerPolicy;
use cocoon_runner::RunnerError;
use cocoon_runner::link::{Link, LinkConfig, LinkError};
use cocoon_runner::seal::{KeyLink, SealError};
use tokio_util::sync::CancellationToken;

fn refused_with(error: RunnerError) -> ErrorCode {
    match error {
        RunnerError::KeyManager(SealError::Refused { code, .. }) => ErrorCode::from_wire(code),
        other => panic!("a refusal was expected: {other:?}"),
    }
}

fn key_query(policy: &str, node: &str) -> KeyQuery {
    KeyQuery::from(GetKey {
        policy: policy.to_owned(),
        role: "worker".to_owned(),
        node: node.to_owned(),
        purpose: "wallet".to_owned(),
        owner: [0; 32],
    })
}

#[tokio::test]
async fn a_worker_gets_the_same_key_each_time_and_other_names_have_other_keys() {
    let world = World::new();
    let replica = world.first().await;
    let asker = world.asker("worker", replica.id(), &[replica.address()]);
    let load = async |owner, node, purpose| {
        let key = world.key(owner, "workers", node);
        key.load(Some(&asker), "worker", purpose).await.unwrap()
    };
    let first = load("owner-1", "a", "wallet").await;
    // A worker that starts again has another certificate and the same key.
    let again = world.asker("worker", replica.id(), &[replica.address()]);
    let key = world.key("owner-1", "workers", "a");
    assert_eq!(key.load(Some(&again), "worker", "wallet").await.unwrap(), first);
    for (owner, node, purpose) in [
        ("owner-2", "a", "wallet"),
        ("owner-1", "b", "wallet"),
        ("owner-1", "a", "other"),
    ] {
        assert_ne!(load(owner, node, purpose).await, first, "{owner} {node} {purpose}");
    }
    let proxy = world.asker("proxy", replica.id(), &[replica.address()]);
    let theirs = world
        .key("owner-1", "proxies", "a")
        .load(Some(&proxy), "worker", "wallet")
        .await;
    assert_ne!(theirs.unwrap(), first, "another policy has other keys");
    replica.end().await;
}

#[tokio::test]
async fn an_image_of_another_policy_or_of_none_gets_no_key() {
    let world = World::new();
    let replica = world.first().await;
    let key = |policy| world.key("owner", policy, "a");
    let worker = world.asker("worker", replica.id(), &[replica.address()]);
    for policy in ["proxies", "tool", "nothing"] {
        let refused = key(policy).load(Some(&worker), "worker", "wallet").await.unwrap_err();
        assert_eq!(refused_with(refused), ErrorCode::NotAllowed, "{policy}");
    }
    // An image of no policy does not even get a connection: the certificate is refused.
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    for own in [Some("stranger"), None] {
        let connector = world.connector(own, policy.clone());
        let refused = KeyLink::open(&connector, &replica.address()).await.unwrap_err();
        assert!(matches!(refused, SealError::Link(_)), "{refused:?}");
    }
    replica.end().await;
}

#[tokio::test]
async fn an_image_that_the_root_contract_drops_gets_no_more_keys_and_one_that_it_adds_gets_the_same() {
    let world = World::new();
    let replica = world.first().await;
    let key = world.key("owner", "workers", "a");
    let old = world.asker("worker", replica.id(), &[replica.address()]);
    let before = key.load(Some(&old), "worker", "wallet").await.unwrap();
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let open = KeyLink::open(&world.connector(Some("worker"), policy), &replica.address())
        .await
        .unwrap();
    open.ask(&key_query("workers", "a")).await.unwrap();

    world.root.send(root(true, &["proxy"], &["worker-2"])).unwrap();
    let refused = open.ask(&key_query("workers", "a")).await.unwrap_err();
    assert!(
        refused.is_final(),
        "an open connection has no right of its own: {refused:?}"
    );
    let new = world.asker("worker-2", replica.id(), &[replica.address()]);
    assert_eq!(key.load(Some(&new), "worker", "wallet").await.unwrap(), before);
    replica.end().await;
}

#[tokio::test]
async fn a_simulated_peer_gets_nothing_once_the_root_contract_is_no_test() {
    let world = World::new();
    let replica = world.first().await;
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let open = KeyLink::open(&world.connector(Some("worker"), policy), &replica.address())
        .await
        .unwrap();
    world.root.send(root(false, &["proxy"], &["worker"])).unwrap();
    let refused = open.ask(&key_query("workers", "a")).await.unwrap_err();
    assert!(
        refused.is_final() && refused.to_string().contains("simulated"),
        "{refused}"
    );
    replica.end().await;
}

#[tokio::test]
async fn a_key_manager_of_another_id_or_image_is_not_believed() {
    let world = World::new();
    let replica = world.first().await;
    let other = PublicKey::new([7; 32]);
    let policy = PeerPolicy::attested(|found| *found == image("worker"));
    let connector = world.connector(Some("worker"), policy);
    let refused = KeyLink::open(&connector, &replica.address()).await.unwrap_err();
    assert!(
        matches!(
            refused,
            SealError::Connection(cocoon_ratls::RatlsError::ImageNotAllowed { .. })
        ),
        "{refused:?}"
    );
    // Patience is for replicas that may come; the first answer is what counts here.
    let asker = world.asker("worker", other, &[replica.address()]);
    let key = world.key("owner", "workers", "a");
    let asking = key.load(Some(&asker), "worker", "wallet");
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(3), asking)
            .await
            .is_err(),
        "no key of another secret is taken"
    );
    replica.end().await;
}

#[tokio::test]
async fn only_an_image_of_a_key_manager_gets_the_secret() {
    let world = World::new();
    let replica = world.first().await;
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let ask = async |own| {
        let link = KeyLink::open(&world.connector(Some(own), policy.clone()), &replica.address())
            .await
            .unwrap();
        link.ask(&KeyQuery::from(GetKeyRoot)).await
    };
    for own in ["worker", "proxy", "tool"] {
        let refused = ask(own).await.unwrap_err();
        assert!(refused.is_final(), "{own}: {refused:?}");
    }
    ask(KEY_MANAGER).await.unwrap();
    replica.end().await;
}

#[tokio::test]
async fn nothing_is_answered_before_the_proof_of_the_session() {
    let world = World::new();
    let replica = world.first().await;
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let open = async || {
        let made = world
            .connector(Some("worker"), policy.clone())
            .connect(replica.address())
            .await
            .unwrap();
        let (link, events) = Link::dial(made.stream, LinkConfig::default()).await.unwrap();
        (link, events, made.session.unwrap())
    };
    let limit = std::time::Duration::from_secs(20);
    let code = |answer: Result<Bytes, LinkError>| match answer {
        Err(LinkError::Refused { code, .. }) => ErrorCode::from_wire(code),
        other => panic!("a refusal was expected: {other:?}"),
    };
    let (link, _events, _) = open().await;
    let answer = link.query(key_query("workers", "a").encode(), limit).await;
    assert_eq!(code(answer), ErrorCode::SessionNotProven);

    // The proof of another session, of another role, and one that is none.
    let (_link, _events, other) = open().await;
    let (link, _events, session) = open().await;
    drop((link, _events));
    for proof in [
        other.prove(Role::KeyAsker, Role::KeyManager).to_vec(),
        session.prove(Role::Worker, Role::KeyManager).to_vec(),
        vec![0; 63],
    ] {
        let (link, _events, _) = open().await;
        let question = KeyQuery::from(ProveSession {
            signature: Bytes::from(proof),
        });
        assert_eq!(
            code(link.query(question.encode(), limit).await),
            ErrorCode::SessionNotProven
        );
        assert!(link.query(key_query("workers", "a").encode(), limit).await.is_err());
    }
    replica.end().await;
}

#[tokio::test]
async fn bad_names_and_too_many_questions_are_refused() {
    let world = World::new();
    let replica = world.first().await;
    let policy = PeerPolicy::attested(|found| *found == image(KEY_MANAGER));
    let open = async || {
        let connector = world.connector(Some("worker"), policy.clone());
        KeyLink::open(&connector, &replica.address()).await.unwrap()
    };
    for node in ["".to_owned(), "a".repeat(65)] {
        let refused = open().await.ask(&key_query("workers", &node)).await.unwrap_err();
        assert!(matches!(refused, SealError::Refused { code: 707, .. }), "{refused:?}");
    }
    let share = KeyQuery::from(GiveShare {
        backup: Bytes::new(),
        index: 1,
        share: [0; 32],
    });
    let refused = open().await.ask(&share).await.unwrap_err();
    assert!(
        refused.is_final(),
        "a replica that does not restore takes no shares: {refused:?}"
    );
    let link = open().await;
    let mut answered = 0;
    while link.ask(&key_query("workers", "a")).await.is_ok() {
        answered += 1;
        assert!(
            answered <= cocoon_keymanager::limits::MAX_QUESTIONS,
            "no end of questions"
        );
    }
    assert_eq!(answered, cocoon_keymanager::limits::MAX_QUESTIONS);
    replica.end().await;
}

#[tokio::test]
async fn a_machine_without_evidence_is_no_key_manager() {
    let world = World::new();
    let config = world.config(cocoon_keymanager::Start::New, None, &[]);
    let refused = start_with(&config, world.parts(None), CancellationToken::new()).await;
    assert!(matches!(refused, Err(KeyManagerError::NoEvidence)));
}
