//! All messages, there and back.

use super::*;

fn block(n: u8) -> BlockId {
    BlockId {
        workchain: -1,
        shard: WHOLE_SHARD,
        seqno: u32::from(n),
        root_hash: HashBytes([n; 32]),
        file_hash: HashBytes([n + 1; 32]),
    }
}

fn messages() -> (Vec<Request>, Vec<Answer>) {
    let account = Address::new(-1, HashBytes([3; 32]));
    let requests = vec![
        Request::MasterchainInfo,
        Request::AccountState {
            block: block(1),
            account: account.clone(),
        },
        Request::BlockProof {
            known: block(1),
            target: Some(block(2)),
        },
        Request::BlockProof {
            known: block(1),
            target: None,
        },
        Request::Transactions {
            count: 16,
            account,
            lt: 7,
            hash: HashBytes([8; 32]),
        },
        Request::SendMessage { body: vec![1; 300] },
        Request::AllShards { block: block(1) },
        Request::Wait {
            seqno: 7,
            timeout_ms: 1_000,
            question: Box::new(Request::MasterchainInfo),
        },
    ];
    let signatures = |vote| Signatures {
        validator_set_hash: 1,
        catchain_seqno: 2,
        signatures: vec![(HashBytes([5; 32]), [6; 64])],
        vote,
    };
    let vote = Vote {
        session_id: HashBytes([9; 32]),
        slot: 3,
        candidate: vec![1, 2, 3],
    };
    let forward = |signatures| Link::Forward {
        to_key_block: true,
        from: block(1),
        to: block(2),
        dest_proof: vec![1],
        config_proof: vec![2; 500],
        signatures,
    };
    let back = Link::Back {
        to_key_block: false,
        from: block(2),
        to: block(1),
        dest_proof: vec![],
        proof: vec![1],
        state_proof: vec![2],
    };
    let answers = vec![
        Answer::Error {
            code: -400,
            message: "no".to_owned(),
        },
        Answer::MasterchainInfo {
            last: block(1),
            state_root_hash: HashBytes([2; 32]),
            init: (-1, HashBytes([3; 32]), HashBytes([4; 32])),
        },
        Answer::AccountState {
            id: block(1),
            shard_block: block(2),
            shard_proof: vec![1; 260],
            proof: vec![2],
            state: vec![],
        },
        Answer::BlockProof {
            complete: true,
            from: block(1),
            to: block(2),
            steps: vec![forward(signatures(None)), forward(signatures(Some(vote))), back],
        },
        Answer::Transactions {
            ids: vec![block(1), block(2)],
            transactions: vec![7; 9],
        },
        Answer::AllShards {
            id: block(1),
            proof: vec![1; 260],
            data: vec![2; 3],
        },
        Answer::Sent { status: 1 },
    ];
    (requests, answers)
}

#[test]
fn messages_survive_and_what_is_cut_or_longer_is_refused() {
    let (requests, answers) = messages();
    let id = [9; 32];
    for request in requests {
        let bytes = request.to_bytes();
        assert_eq!(Request::from_bytes(&bytes).unwrap(), request);
        assert_eq!(unwrap_question(&wrap_question(&id, &request)).unwrap(), (id, request));
        assert!((0..bytes.len()).all(|cut| Request::from_bytes(&bytes[..cut]).is_err()));
    }
    for answer in answers {
        let bytes = answer.to_bytes();
        assert_eq!(Answer::from_bytes(&bytes).unwrap(), answer);
        assert_eq!(
            unwrap_answer(&id, &wrap_answer(&id, &answer)).unwrap(),
            Some(answer.clone())
        );
        assert_eq!(unwrap_answer(&[1; 32], &wrap_answer(&id, &answer)).unwrap(), None);
        assert!((0..bytes.len()).all(|cut| Answer::from_bytes(&bytes[..cut]).is_err()));
        assert!(Answer::from_bytes(&[bytes.as_slice(), &[0; 4]].concat()).is_err());
    }
}

#[test]
fn a_question_has_the_bytes_that_public_servers_know() {
    let bytes = wrap_question(&[0xaa; 32], &Request::MasterchainInfo);
    let expected = format!("7af98bb4{}0cdf068c79042ee6b589000000000000", "aa".repeat(32));
    assert_eq!(hex::encode(bytes), expected);
}

#[test]
fn a_question_that_waits_holds_no_other_that_waits() {
    let wait = |question| Request::Wait {
        seqno: 1,
        timeout_ms: 1,
        question: Box::new(question),
    };
    let twice = wait(wait(Request::MasterchainInfo)).to_bytes();
    assert!(Request::from_bytes(&twice).is_err());
}
