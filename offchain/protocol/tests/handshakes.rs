//! Both sides of both handshakes against each other, and the refusals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests"
)]

use cocoon_protocol::ErrorCode;
use cocoon_protocol::Version;
use cocoon_protocol::client::ProxyConnectionAuth;
use cocoon_protocol::codec::encode;
use cocoon_protocol::extension::{ProveSession, SessionProof};
use cocoon_protocol::handshake::{
    AuthorizeStep, ClientConnecting, ClientOffer, HandshakeError, ProofOwed, ProofStep, ProxyClientHandshake,
    ProxyRules, ProxyWorkerHandshake, WorkerBalances, WorkerConnected, WorkerConnecting, WorkerOffer, WorkerStep,
};
use cocoon_protocol::message::{ClientQuery, WorkerQuery};
use cocoon_protocol::proxy::{Params, SignedPayment};
use cocoon_protocol::version::VersionRange;
use sha2::{Digest, Sha256};

const RULES: ProxyRules = ProxyRules {
    is_test: true,
    config_version: 5,
    versions: VersionRange::ACCEPTED,
};

fn identity() -> Params {
    Params {
        flags: (),
        proxy_public_key: [3; 32],
        proxy_owner_address: "owner".into(),
        proxy_sc_address: "proxy".into(),
        is_test: Some(true),
        proto_version: None,
    }
}

fn client_offer() -> ClientOffer {
    ClientOffer {
        owner_address: "wallet".into(),
        is_test: true,
        min_config_version: 5,
        versions: VersionRange::OFFERED,
    }
}

fn worker_offer() -> WorkerOffer {
    WorkerOffer {
        owner_address: "person".into(),
        model: "tiny@1:00".into(),
        coefficient: 1000,
        is_test: true,
        proxy_cnt: 2,
        max_active_requests: 5,
        versions: VersionRange::OFFERED,
    }
}

fn short(secret: &[u8]) -> ProxyConnectionAuth {
    ProxyConnectionAuth::Short {
        secret_hash: Sha256::digest(secret).into(),
        nonce: 9,
    }
}

#[test]
fn a_client_with_the_secret_is_let_in() {
    let mut proxy = ProxyClientHandshake::default();
    let (client, question) = ClientConnecting::start(client_offer());
    let hello = proxy.connect(&ClientQuery::decode(&question).unwrap(), &RULES).unwrap();
    assert_eq!((hello.owner_address.as_str(), hello.version), ("wallet", Version::V3));
    let answer = proxy
        .challenge(identity(), "client".into(), short(b"s3cret"), SignedPayment::Empty)
        .unwrap();
    let connected = client.connected(&answer).unwrap().without_proof().unwrap();
    assert_eq!(connected.proxy.version, Version::V3);
    assert_eq!(connected.client_contract_address, "client");
    let (authorizing, question) = connected.authorize(b"s3cret");
    assert_eq!(authorizing.register_nonce, None);
    assert_eq!(
        proxy.authorize(&ClientQuery::decode(&question).unwrap()),
        Ok(AuthorizeStep::Proven)
    );
    let done = authorizing
        .finished(&proxy.success(SignedPayment::Empty, 1, 2))
        .unwrap();
    assert_eq!((done.tokens_committed_to_db, done.max_tokens), (1, 2));
    assert_eq!(proxy.ready(), Some(Version::V3));
}

#[test]
fn another_secret_means_registration_with_the_same_nonce() {
    let mut proxy = ProxyClientHandshake::default();
    let (client, question) = ClientConnecting::start(client_offer());
    proxy.connect(&ClientQuery::decode(&question).unwrap(), &RULES).unwrap();
    let answer = proxy
        .challenge(identity(), "client".into(), short(b"old"), SignedPayment::Empty)
        .unwrap();
    let (authorizing, question) = client
        .connected(&answer)
        .unwrap()
        .without_proof()
        .unwrap()
        .authorize(b"new");
    assert_eq!(authorizing.register_nonce, Some(9));
    let step = proxy.authorize(&ClientQuery::decode(&question).unwrap());
    assert_eq!(step, Ok(AuthorizeStep::AwaitRegistration { nonce: 9 }));
    assert_eq!(proxy.ready(), None);
    proxy.registered().unwrap();
    assert_eq!(proxy.ready(), Some(Version::V3));
}

#[test]
fn a_wrong_secret_is_refused_for_good() {
    let mut proxy = ProxyClientHandshake::default();
    let (_, question) = ClientConnecting::start(client_offer());
    proxy.connect(&ClientQuery::decode(&question).unwrap(), &RULES).unwrap();
    proxy
        .challenge(identity(), "client".into(), short(b"right"), SignedPayment::Empty)
        .unwrap();
    let wrong = ClientQuery::from(cocoon_protocol::client::AuthorizeWithProxyShort {
        data: (&b"wrong"[..]).into(),
    });
    assert_eq!(proxy.authorize(&wrong).unwrap_err().message, "sha256 mismatch");
    assert!(proxy.authorize(&wrong).is_err());
    assert_eq!(proxy.ready(), None);
}

#[test]
fn clients_are_refused_for_what_the_deployed_proxy_refuses() {
    let refuse = |offer: ClientOffer| {
        let (_, question) = ClientConnecting::start(offer);
        let refusal = ProxyClientHandshake::default().connect(&ClientQuery::decode(&question).unwrap(), &RULES);
        refusal.unwrap_err().code
    };
    assert_eq!(
        refuse(ClientOffer {
            is_test: false,
            ..client_offer()
        }),
        ErrorCode::Error
    );
    assert_eq!(
        refuse(ClientOffer {
            min_config_version: 6,
            ..client_offer()
        }),
        ErrorCode::Error
    );
    let future = VersionRange { min: 4, max: 9 };
    assert_eq!(
        refuse(ClientOffer {
            versions: future,
            ..client_offer()
        }),
        ErrorCode::ProtocolViolation
    );
}

#[test]
fn questions_out_of_order_are_refused() {
    let authorize = ClientQuery::from(cocoon_protocol::client::AuthorizeWithProxyLong);
    assert!(ProxyClientHandshake::default().authorize(&authorize).is_err());
    assert!(ProxyClientHandshake::default().registered().is_err());
    let early = WorkerQuery::from(cocoon_protocol::worker::ProxyHandshakeComplete { is_disabled: false });
    assert!(ProxyWorkerHandshake::default().next(&early).is_err());
    let mut proxy = ProxyWorkerHandshake::default();
    let (_, question) = WorkerConnecting::start(worker_offer());
    let question = WorkerQuery::decode(&question).unwrap();
    proxy.connect(&question, &RULES).unwrap();
    assert!(proxy.connect(&question, &RULES).is_err());
}

#[test]
fn a_deployed_proxy_makes_it_version_two() {
    let (client, _) = ClientConnecting::start(client_offer());
    let mut proxy = ProxyClientHandshake::default();
    let deployed = ProxyRules {
        versions: VersionRange { min: 0, max: 2 },
        ..RULES
    };
    let (_, question) = ClientConnecting::start(client_offer());
    proxy
        .connect(&ClientQuery::decode(&question).unwrap(), &deployed)
        .unwrap();
    let answer = proxy
        .challenge(identity(), "client".into(), short(b""), SignedPayment::Empty)
        .unwrap();
    assert_eq!(
        client
            .connected(&answer)
            .unwrap()
            .without_proof()
            .unwrap()
            .proxy
            .version,
        Version::V2
    );
}

#[test]
fn a_worker_is_let_in_also_when_it_remembers_more() {
    for ahead in [false, true] {
        let mut proxy = ProxyWorkerHandshake::default();
        let (worker, question) = WorkerConnecting::start(worker_offer());
        let hello = proxy.connect(&WorkerQuery::decode(&question).unwrap(), &RULES).unwrap();
        assert_eq!((hello.slots, hello.coefficient), (3, 1000));
        let connected = worker
            .connected(&proxy.greet(identity(), "worker".into()).unwrap())
            .and_then(ProofStep::without_proof)
            .unwrap();
        assert_eq!(connected.worker_contract_address, "worker");
        let known = WorkerBalances {
            tokens_committed_to_db: 7,
            max_tokens: 9,
            ..Default::default()
        };
        let (comparing, question) = connected.compare(known);
        assert_eq!(
            proxy.next(&WorkerQuery::decode(&question).unwrap()),
            Ok(WorkerStep::Compare(known))
        );
        let answer = proxy.balances(SignedPayment::Empty, 7, 8, ahead).unwrap();
        let finishing = match comparing.compared(&answer).unwrap() {
            Ok(finishing) => finishing,
            Err((extending, question)) => {
                let step = proxy.next(&WorkerQuery::decode(&question).unwrap());
                assert_eq!(
                    step,
                    Ok(WorkerStep::ExtendedCompare {
                        tokens_committed_to_db: 7,
                        other: Default::default(),
                    })
                );
                extending.extended(&proxy.extended().unwrap()).unwrap()
            }
        };
        let (completing, question) = finishing.complete(true);
        assert_eq!(
            proxy.next(&WorkerQuery::decode(&question).unwrap()),
            Ok(WorkerStep::Complete { is_disabled: true })
        );
        completing.completed(&proxy.completed().unwrap()).unwrap();
        assert_eq!(proxy.ready(), Some(Version::V3));
    }
}

#[test]
fn a_worker_leaves_a_proxy_whose_stored_totals_went_back() {
    let mut proxy = ProxyWorkerHandshake::default();
    let (worker, question) = WorkerConnecting::start(worker_offer());
    proxy.connect(&WorkerQuery::decode(&question).unwrap(), &RULES).unwrap();
    let connected = worker
        .connected(&proxy.greet(identity(), String::new()).unwrap())
        .and_then(ProofStep::without_proof)
        .unwrap();
    let known = WorkerBalances {
        tokens_committed_to_db: 7,
        ..Default::default()
    };
    let (comparing, _) = connected.compare(known);
    let answer = proxy.balances(SignedPayment::Empty, 6, 6, false).unwrap();
    assert_eq!(
        comparing.compared(&answer).unwrap_err(),
        HandshakeError::TotalsWentBack { proxy: 6, known: 7 }
    );
}

#[test]
fn workers_with_impossible_numbers_are_refused() {
    let refuse = |offer: WorkerOffer| {
        let (_, question) = WorkerConnecting::start(offer);
        ProxyWorkerHandshake::default()
            .connect(&WorkerQuery::decode(&question).unwrap(), &RULES)
            .is_err()
    };
    assert!(!refuse(worker_offer()));
    assert!(refuse(WorkerOffer {
        model: String::new(),
        ..worker_offer()
    }));
    assert!(refuse(WorkerOffer {
        coefficient: -1,
        ..worker_offer()
    }));
    assert!(refuse(WorkerOffer {
        coefficient: 1_000_000_000,
        ..worker_offer()
    }));
    assert!(refuse(WorkerOffer {
        proxy_cnt: 0,
        ..worker_offer()
    }));
    assert!(refuse(WorkerOffer {
        max_active_requests: 0,
        ..worker_offer()
    }));
    assert!(refuse(WorkerOffer {
        is_test: false,
        ..worker_offer()
    }));
}

/// Up to the proof, at version 4: the proxy's handshake, and what the worker does next.
fn unproven() -> (ProxyWorkerHandshake, ProofOwed<WorkerConnected>) {
    let mut offer = worker_offer();
    offer.versions = offer.versions.with_session_proof();
    let rules = ProxyRules {
        versions: RULES.versions.with_session_proof(),
        ..RULES
    };
    let mut proxy = ProxyWorkerHandshake::default();
    let (worker, question) = WorkerConnecting::start(offer);
    proxy.connect(&WorkerQuery::decode(&question).unwrap(), &rules).unwrap();
    let answer = proxy.greet(identity(), "worker".into()).unwrap();
    match worker.connected(&answer).unwrap() {
        ProofStep::Owed(owed) => (proxy, owed),
        ProofStep::None(_) => panic!("version 4 owes a proof"),
    }
}

#[test]
fn at_version_four_both_ends_see_each_others_proof_before_anything_else() {
    let (mut proxy, owed) = unproven();
    assert!(proxy.awaits_proof());
    let (asked, question) = owed.prove(&[1; 64]);
    let question = WorkerQuery::decode(&question).unwrap();
    let answer = proxy.prove(&question, &[2; 64], |proof| *proof == [1; 64]).unwrap();
    let connected = asked.proven(&answer, |proof| *proof == [2; 64]).unwrap();
    let (_, question) = connected.compare(WorkerBalances::default());
    assert!(proxy.next(&WorkerQuery::decode(&question).unwrap()).is_ok());
}

#[test]
fn a_proof_that_does_not_verify_ends_the_handshake_on_either_side() {
    let (mut proxy, owed) = unproven();
    let (asked, question) = owed.prove(&[1; 64]);
    let question = WorkerQuery::decode(&question).unwrap();
    let refusal = proxy.prove(&question, &[2; 64], |_| false).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::SessionNotProven);
    assert!(
        proxy.prove(&question, &[2; 64], |_| true).is_err(),
        "there is one attempt"
    );
    let answer = encode(&SessionProof {
        signature: vec![2; 64].into(),
    });
    assert_eq!(
        asked.proven(&answer, |_| false).unwrap_err(),
        HandshakeError::SessionNotProven
    );
    let (_, owed) = unproven();
    let short = encode(&SessionProof {
        signature: vec![2; 63].into(),
    });
    let refused = owed.prove(&[1; 64]).0.proven(&short, |_| true);
    assert_eq!(refused.unwrap_err(), HandshakeError::SessionNotProven);
}

#[test]
fn the_proof_cannot_be_left_out_repeated_or_given_where_it_is_not_spoken() {
    let (mut proxy, _) = unproven();
    let compare = WorkerQuery::from(WorkerBalances::default());
    assert_eq!(proxy.next(&compare).unwrap_err().code, ErrorCode::ProtocolViolation);

    let proof = ProveSession {
        signature: vec![1; 64].into(),
    };
    let mut proxy = ProxyWorkerHandshake::default();
    let (_, question) = WorkerConnecting::start(worker_offer());
    proxy.connect(&WorkerQuery::decode(&question).unwrap(), &RULES).unwrap();
    proxy.greet(identity(), String::new()).unwrap();
    assert!(!proxy.awaits_proof());
    assert!(proxy.prove(&proof.clone().into(), &[2; 64], |_| true).is_err());

    let mut proxy = ProxyClientHandshake::default();
    let mut offer = client_offer();
    offer.versions = offer.versions.with_session_proof();
    let rules = ProxyRules {
        versions: RULES.versions.with_session_proof(),
        ..RULES
    };
    let (client, question) = ClientConnecting::start(offer);
    proxy.connect(&ClientQuery::decode(&question).unwrap(), &rules).unwrap();
    let answer = proxy
        .challenge(identity(), "client".into(), short(b"s3cret"), SignedPayment::Empty)
        .unwrap();
    let refused = client.connected(&answer).unwrap().without_proof();
    assert_eq!(refused.unwrap_err(), HandshakeError::ProofOwed);
    let secret = ClientQuery::from(cocoon_protocol::client::AuthorizeWithProxyShort {
        data: (&b"s3cret"[..]).into(),
    });
    assert!(
        proxy.authorize(&secret).is_err(),
        "the secret does not stand in for the proof"
    );
}
