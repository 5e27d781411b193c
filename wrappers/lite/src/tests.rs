//! A chain with blocks, read with proofs; and servers that lie about it.

use cocoon_bindings::ton::{Address, HashBytes};
use cocoon_bindings::units::Nanoton;
use cocoon_emulator::{Emulator, NetworkConfig};
use ed25519_dalek::SigningKey;

use crate::LiteError;
use crate::blocks::{Blocks, Consensus};
use crate::messages::{Answer, BlockId, Link, Request, Signatures};
use crate::proof::block::{header, shown, single, state_hash};
use crate::proof::{ProvenAccount, verify_account, verify_chain, verify_history};

const START: u32 = 1_780_000_000;

fn somebody(n: u8) -> Address {
    Address::new(0, HashBytes([n; 32]))
}

fn validators(first: u8) -> Vec<SigningKey> {
    (first..first + 4).map(|n| SigningKey::from_bytes(&[n; 32])).collect()
}

/// An emulated chain and its blocks.
struct World {
    chain: Emulator,
    blocks: Blocks,
}

impl World {
    fn new(consensus: Consensus) -> Self {
        let chain = Emulator::new(&NetworkConfig::default(), START).unwrap();
        let blocks = Blocks::new(&chain, validators(1), consensus).unwrap();
        Self { chain, blocks }
    }

    fn fund(&mut self, n: u8, amount: u128) {
        self.chain.advance(5).unwrap();
        self.chain.fund(&somebody(n), Nanoton::new(amount)).unwrap();
        self.blocks.append(&self.chain).unwrap();
    }

    fn ask(&self, request: &Request) -> Answer {
        let answer = self.blocks.answer(&self.chain, request).unwrap();
        // As it would travel.
        Answer::from_bytes(&answer.to_bytes()).unwrap()
    }

    fn beginning(&self) -> BlockId {
        self.blocks.beginning().unwrap()
    }

    fn last(&self) -> BlockId {
        self.blocks.last().unwrap().id
    }

    fn way(&self, known: BlockId) -> Answer {
        self.ask(&Request::BlockProof {
            known,
            target: Some(self.last()),
        })
    }

    fn state(&self, account: &Address) -> Answer {
        self.ask(&Request::AccountState {
            block: self.last(),
            account: account.clone(),
        })
    }

    fn proven(&self, n: u8) -> Result<ProvenAccount, LiteError> {
        verify_account(&self.last(), &somebody(n), &self.state(&somebody(n)))
    }
}

fn balance(proven: &ProvenAccount) -> u128 {
    let last = (proven.last_lt, proven.last_hash);
    let network = NetworkConfig::default();
    let chain = Emulator::of_account(&network, proven.time, &proven.address, proven.account.clone(), last).unwrap();
    chain.balance(&proven.address).unwrap().get()
}

#[test]
fn an_account_is_proven_from_the_beginning_of_the_chain() {
    for consensus in [Consensus::Catchain, Consensus::Simplex] {
        let mut world = World::new(consensus);
        for n in 1..20 {
            world.fund(n, u128::from(n) * 1_000_000_000);
        }
        let (reached, anchor) = verify_chain(&world.beginning(), &world.way(world.beginning())).unwrap();
        assert_eq!((reached.id, anchor), (world.last(), world.beginning()));
        assert_eq!(reached.header.time, world.chain.now());
        for n in 1..20 {
            let proven = world.proven(n).unwrap();
            let account = world.chain.account(&somebody(n)).unwrap().unwrap();
            assert_eq!((proven.last_lt, proven.last_hash), (account.last_lt, account.last_hash));
            assert_eq!(
                (balance(&proven), proven.time),
                (account.balance.get(), world.chain.now())
            );
        }
        let nobody = world.proven(99).unwrap();
        assert_eq!(
            (nobody.last_lt, balance(&nobody)),
            (0, 0),
            "that there is none is proven too"
        );
    }
}

#[test]
fn validators_hand_over_in_key_blocks() {
    let mut world = World::new(Consensus::Catchain);
    world.fund(1, 1_000);
    let beginning = world.beginning();
    for round in 1..4 {
        world.blocks.rotate(&world.chain, validators(round * 10)).unwrap();
        world.fund(1, 1_000);
    }
    let (reached, anchor) = verify_chain(&beginning, &world.way(beginning)).unwrap();
    assert_eq!(reached.id, world.last());
    assert_eq!(anchor.seqno + 1, world.last().seqno);
    let (again, _) = verify_chain(&anchor, &world.way(anchor)).unwrap();
    assert_eq!(again.id, world.last());
    // A way that leaves a key block out is signed by the wrong people.
    let Answer::BlockProof {
        from,
        to,
        steps,
        complete,
    } = world.way(beginning)
    else {
        panic!("no way")
    };
    let mut shortened = steps.clone();
    shortened.remove(1);
    let answer = Answer::BlockProof {
        complete,
        from,
        to,
        steps: shortened,
    };
    assert!(verify_chain(&beginning, &answer).is_err());
}

#[test]
fn a_step_is_proven_without_the_update_of_the_state_which_servers_cut_off() {
    let mut world = World::new(Consensus::Catchain);
    world.fund(1, 1_000);
    world.blocks.rotate(&world.chain, validators(10)).unwrap();
    world.fund(1, 1_000);
    let way = world.way(world.beginning());
    let Answer::BlockProof { steps, .. } = &way else {
        panic!("no way")
    };
    for step in steps {
        let Link::Forward {
            to,
            from,
            dest_proof,
            config_proof,
            ..
        } = step
        else {
            panic!("no step forward")
        };
        let mut proofs = vec![(dest_proof, to)];
        proofs.extend((from.seqno > 0).then_some((config_proof, from)));
        for (proof, id) in proofs {
            let block = shown(&single(proof, "a proof").unwrap(), &id.root_hash).unwrap();
            assert!(header(&block, id).is_ok() && state_hash(&block).is_err());
        }
    }
    assert_eq!(verify_chain(&world.beginning(), &way).unwrap().0.id, world.last());
}

/// A way of one step with its parts changed.
fn changed(world: &World, change: impl FnOnce(&mut Link)) -> Result<(), LiteError> {
    let Answer::BlockProof {
        from,
        to,
        mut steps,
        complete,
    } = world.way(world.beginning())
    else {
        panic!("no way")
    };
    change(&mut steps[0]);
    let to = match &steps[0] {
        Link::Forward { to: at, .. } if steps.len() == 1 => *at,
        _ => to,
    };
    verify_chain(
        &world.beginning(),
        &Answer::BlockProof {
            complete,
            from,
            to,
            steps,
        },
    )
    .map(drop)
}

#[test]
fn a_block_needs_more_than_two_thirds_of_good_signatures() {
    for consensus in [Consensus::Catchain, Consensus::Simplex] {
        let mut world = World::new(consensus);
        world.fund(1, 5);
        changed(&world, |_| ()).unwrap();
        let signatures = |link: &mut Link, change: &dyn Fn(&mut Signatures)| match link {
            Link::Forward { signatures, .. } => change(signatures),
            Link::Back { .. } => panic!("no step forward"),
        };
        changed(&world, |link| signatures(link, &|all| all.signatures.truncate(3))).expect("three of four suffice");
        let few = changed(&world, |link| signatures(link, &|all| all.signatures.truncate(2)));
        assert!(
            matches!(few, Err(LiteError::TooFewSignatures { signed: 2, total: 4 })),
            "{few:?}"
        );
        for (what, change) in [
            (
                "a changed signature",
                &(|all: &mut Signatures| all.signatures[0].1[5] ^= 1) as &dyn Fn(&mut Signatures),
            ),
            ("one twice", &|all: &mut Signatures| {
                all.signatures[1] = all.signatures[0]
            }),
            ("a stranger", &|all: &mut Signatures| {
                all.signatures[0].0 = HashBytes([9; 32])
            }),
            ("another session", &|all: &mut Signatures| all.catchain_seqno += 1),
            ("another set", &|all: &mut Signatures| all.validator_set_hash ^= 1),
            ("the other form", &|all: &mut Signatures| {
                all.vote = match all.vote.take() {
                    Some(_) => None,
                    None => Some(crate::messages::Vote {
                        session_id: HashBytes([1; 32]),
                        slot: 1,
                        candidate: vec![],
                    }),
                }
            }),
        ] {
            assert!(changed(&world, |link| signatures(link, change)).is_err(), "{what}");
        }
    }
}

#[test]
fn signatures_of_one_block_do_not_stand_for_another() {
    for consensus in [Consensus::Catchain, Consensus::Simplex] {
        let mut world = World::new(consensus);
        world.fund(1, 5);
        let Answer::BlockProof { steps: older, .. } = world.way(world.beginning()) else {
            panic!("no way")
        };
        world.fund(2, 5);
        let moved = changed(&world, |link| match (link, &older[0]) {
            (Link::Forward { signatures, .. }, Link::Forward { signatures: old, .. }) => *signatures = old.clone(),
            _ => panic!("no step forward"),
        });
        assert!(moved.is_err());
        // Nor for a block whose bytes are others.
        let renamed = changed(&world, |link| match link {
            Link::Forward { to, .. } => to.file_hash = HashBytes([1; 32]),
            Link::Back { .. } => panic!("no step forward"),
        });
        assert!(renamed.is_err());
    }
}

#[test]
fn every_changed_byte_of_an_answer_about_an_account_is_noticed() {
    let mut world = World::new(Consensus::Catchain);
    for n in 1..6 {
        world.fund(n, 1_000_000_000);
    }
    let good = world.state(&somebody(3));
    let proven = verify_account(&world.last(), &somebody(3), &good).unwrap();
    let bytes = good.to_bytes();
    for place in 0..bytes.len() {
        let mut torn = bytes.clone();
        torn[place] ^= 0x10;
        let Ok(answer) = Answer::from_bytes(&torn) else {
            continue;
        };
        if let Ok(read) = verify_account(&world.last(), &somebody(3), &answer) {
            assert_eq!(read, proven, "a change at {place} changes what is read");
        }
    }
}

#[test]
fn an_answer_about_another_account_or_block_is_refused() {
    let mut world = World::new(Consensus::Catchain);
    world.fund(1, 5);
    world.fund(2, 7);
    let (old_block, old_answer) = (world.last(), world.state(&somebody(1)));
    let other = world.state(&somebody(2));
    assert!(
        verify_account(&world.last(), &somebody(1), &other).is_err(),
        "another account"
    );
    let hidden = world.state(&somebody(9));
    assert!(
        verify_account(&world.last(), &somebody(1), &hidden).is_err(),
        "an account that exists is hidden"
    );
    world.fund(1, 100);
    assert!(
        verify_account(&world.last(), &somebody(1), &old_answer).is_err(),
        "an older block"
    );
    // The same under the newer block's name.
    let Answer::AccountState {
        shard_block,
        shard_proof,
        proof,
        state,
        ..
    } = old_answer
    else {
        panic!("no account")
    };
    let renamed = Answer::AccountState {
        id: world.last(),
        shard_block,
        shard_proof,
        proof,
        state,
    };
    assert!(verify_account(&world.last(), &somebody(1), &renamed).is_err());
    assert_ne!(old_block, world.last());
}

#[test]
fn a_history_hangs_together_from_the_proven_state_back() {
    let mut world = World::new(Consensus::Catchain);
    for amount in 1..6 {
        world.fund(1, amount);
    }
    let proven = world.proven(1).unwrap();
    let ask = |count: u32, lt: u64, hash: HashBytes| {
        world.ask(&Request::Transactions {
            count,
            account: somebody(1),
            lt,
            hash,
        })
    };
    let answer = ask(3, proven.last_lt, proven.last_hash);
    let page = verify_history(&somebody(1), proven.last_lt, &proven.last_hash, &answer).unwrap();
    let values: Vec<_> = page
        .iter()
        .map(|report| report.in_msg.as_ref().unwrap().value.get())
        .collect();
    assert_eq!(values, [5, 4, 3]);
    let late = ask(3, page[1].lt, page[1].hash);
    assert!(
        verify_history(&somebody(1), proven.last_lt, &proven.last_hash, &late).is_err(),
        "the newest is left out"
    );
    assert!(verify_history(&somebody(2), proven.last_lt, &proven.last_hash, &answer).is_err());
    let Answer::Transactions { ids, transactions } = answer else {
        panic!("no transactions")
    };
    for place in 0..transactions.len() {
        let mut torn = transactions.clone();
        torn[place] ^= 1;
        let answer = Answer::Transactions {
            ids: ids.clone(),
            transactions: torn,
        };
        if let Ok(read) = verify_history(&somebody(1), proven.last_lt, &proven.last_hash, &answer) {
            assert_eq!(read, page);
        }
    }
}

#[test]
fn the_list_of_shards_is_that_of_the_proven_state() {
    let mut world = World::new(Consensus::default());
    world.fund(1, 7);
    let block = world.last();
    let Answer::AllShards { id, proof, data } = world.ask(&Request::AllShards { block }) else {
        panic!("no shards");
    };
    assert_eq!(id, block);
    let (of_block, of_state) = crate::proof::block::pair(&proof, "the proof").unwrap();
    let block = shown(&of_block, &id.root_hash).unwrap();
    header(&block, &id).unwrap();
    let state = shown(&of_state, &state_hash(&block).unwrap()).unwrap();
    let listed = crate::proof::block::list_of_shards(&state).unwrap();
    assert_eq!(
        listed.as_ref().hash(0),
        single(&data, "the list").unwrap().as_ref().hash(0)
    );
    let unknown = BlockId { seqno: 9, ..id };
    assert!(matches!(
        world.ask(&Request::AllShards { block: unknown }),
        Answer::Error { .. }
    ));
}
